// One further look at the provider, asked for by a decision. Writes nothing.
import { LakebaseError } from '../../lakebase/errors.ts';
import { parseBranchId } from '../../lakebase/ids.ts';
import type { Branch, BranchRef, Endpoint, Role } from '../../lakebase/model.ts';
import type { Provider } from '../providers.ts';
import type { Memory } from './memory.ts';
import { memoryView, type ObserveDeps, type Sighting } from './observe.ts';
import { isGone, roleDefect } from './ours.ts';
import type { Sight } from './plan.ts';
import type { Wish } from './wish.ts';
import { absent, type Seen, type World } from './world.ts';

/** One further look, asked for by a decision. Failures of the provider become `unknown`; anything else is thrown. */
export async function look(
  deps: ObserveDeps,
  { world, provider }: Sighting,
  at: Sight,
  signal: AbortSignal,
): Promise<Sighting> {
  if (!provider || !world.wish) throw new Error(`nothing to look with: ${at}`);
  const { manager } = provider;
  const { wish } = world;
  const ref: BranchRef = { project: wish.project, branch: wish.branchId };
  const remembered = deps.memory.of(world.uid);
  const next = async (): Promise<Partial<World>> => {
    switch (at) {
      case 'branch': {
        remembered.branchAskedAt = deps.memory.now();
        const branch = await seen(() => manager.getBranch(ref, signal));
        if (branch.seen !== 'unknown') delete remembered.mintSaidGone;
        if (branch.seen === 'present') forgetCreate(remembered);
        const heard = branch.seen !== 'unknown';
        return { branch, clockSkewMs: heard ? skew(deps.kube.clockOffsetMs(), manager.clockOffsetMs()) : undefined };
      }
      case 'deletedIds':
        return {
          rememberedAsDeleted: await seen(async () =>
            (await manager.listBranches(wish.project, { showDeleted: true }, signal)).some(
              (branch) => branch.id === wish.branchId && isGone(branch),
            ),
          ),
        };
      case 'room':
        return {
          unarchived: await seen(
            async () =>
              (await manager.listBranches(wish.project, {}, signal)).filter(
                (branch) => branch.state !== 'ARCHIVED' && !isGone(branch),
              ).length,
          ),
        };
      case 'operation': {
        const operationDone = await seen(
          async () => (await manager.getOperation(remembered.operation ?? '', signal)).done,
        );
        // One that is forgotten is over as well.
        if (operationDone.seen === 'absent' || (operationDone.seen === 'present' && operationDone.value))
          delete remembered.operation;
        return { operationDone };
      }
      case 'endpoint':
        return {
          endpoint: orAbsent(
            await seen<Endpoint | undefined>(async () =>
              (await manager.listEndpoints(ref, signal)).find(({ type }) => type === 'READ_WRITE'),
            ),
          ),
        };
      case 'role': {
        const role = orAbsent(
          await seen<Role | undefined>(async () =>
            (await manager.listRoles(ref, signal)).find(({ postgresRole }) => postgresRole === provider.username),
          ),
        );
        if (role.seen === 'present' && !roleDefect(role.value, wish.membershipRoles))
          remembered.roleSeen = `${world.recorded?.uid ?? ''}/${provider.username}`;
        return { role };
      }
      case 'roleOnSource':
        return {
          roleOnSource: await seen(async () =>
            (await manager.listRoles({ ...ref, branch: wish.source }, signal)).some(
              ({ postgresRole }) => postgresRole === provider.username,
            ),
          ),
        };
      case 'sourceEndpoints':
        return { sourceEndpoints: await seen(() => manager.listEndpoints({ ...ref, branch: wish.source }, signal)) };
      case 'tagged':
        return { tagged: await taggedBranches(provider, world, wish, signal) };
    }
  };
  const change = await next();
  const merged: World = { ...world, ...change };
  return {
    provider,
    world: {
      ...merged,
      memory: memoryView(deps.memory, world.object, merged.recorded?.uid, provider.username),
    },
  };
}

// A visible branch ends the story of its POST.
function forgetCreate(remembered: ReturnType<Memory['of']>): void {
  delete remembered.firstPostAt;
  delete remembered.postedAt;
  delete remembered.refusal;
}

/** Every branch that carries the object's tag, by a fresh LIST; the wanted id by GET too, which a LIST may not show yet. */
async function taggedBranches(
  { manager }: Provider,
  world: World,
  wish: Wish,
  signal: AbortSignal,
): Promise<Seen<readonly Branch[]>> {
  const tag = parseBranchId(wish.branchId)?.tag;
  const listed = await seen(() => manager.listBranches(wish.project, {}, signal));
  const wanted = await seen(() => manager.getBranch({ project: wish.project, branch: wish.branchId }, signal));
  if (wanted.seen === 'unknown') return wanted;
  if (listed.seen === 'unknown' && wanted.seen !== 'present' && !world.recorded) return listed;
  const fromList =
    listed.seen === 'present'
      ? listed.value.filter((branch) => tag !== undefined && parseBranchId(branch.id)?.tag === tag)
      : [];
  const all = [
    ...fromList.filter((branch) => branch.id !== wish.branchId),
    ...(wanted.seen === 'present' ? [wanted.value] : []),
  ];
  return all.length === 0 ? absent : { seen: 'present', value: all };
}

async function seen<T>(ask: () => Promise<T>): Promise<Seen<T>> {
  try {
    return { seen: 'present', value: await ask() };
  } catch (error) {
    if (!(error instanceof LakebaseError)) throw error;
    return error.code === 'notFound' ? absent : { seen: 'unknown', error };
  }
}

const orAbsent = <T>(found: Seen<T | undefined>): Seen<T> => {
  if (found.seen !== 'present') return found;
  return found.value === undefined ? absent : { seen: 'present', value: found.value };
};

/** The larger disagreement, with its sign; undefined while one of the two was never heard. */
function skew(apiServerMs: number | undefined, providerMs: number | undefined): number | undefined {
  if (apiServerMs === undefined || providerMs === undefined) return undefined;
  return Math.abs(apiServerMs) > Math.abs(providerMs) ? apiServerMs : providerMs;
}
