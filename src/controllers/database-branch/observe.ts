// Looks, and writes nothing: first at what costs nothing or little, then at what a decision asks to see.
import { annotationKey, databaseBranchFinalizer, secretResource } from '../../api/names.ts';
import { describeSelector, selectorMatches } from '../../api/selector.ts';
import type { BranchClass } from '../../api/v1alpha1/branch-class.ts';
import type { DatabaseBranch } from '../../api/v1alpha1/database-branch.ts';
import { Reason } from '../../api/v1alpha1/reasons.ts';
import { readSecret, type Secret } from '../../credentials/secret.ts';
import type { Cache } from '../../kit/cache.ts';
import { findCondition } from '../../kit/conditions.ts';
import type { Clock } from '../../kit/clock.ts';
import { isNotFound, type Kube } from '../../kit/kube.ts';
import { LakebaseError } from '../../lakebase/errors.ts';
import { endedMark, parseBranchId } from '../../lakebase/ids.ts';
import type { Branch, BranchRef, Endpoint, Role } from '../../lakebase/model.ts';
import type { Namespaces } from '../namespaces.ts';
import type { Provider, Providers } from '../providers.ts';
import type { Memory, SecretMemory } from './memory.ts';
import { isGone, roleDefect } from './ours.ts';
import type { Sight } from './plan.ts';
import { secretNameOf, wishOf, type Problem, type Wish } from './wish.ts';
import { absent, notAsked, type Seen, type World } from './world.ts';

export interface ObserveDeps {
  readonly kube: Kube;
  readonly classes: Cache<BranchClass>;
  readonly objects: Cache<DatabaseBranch>;
  readonly providers: Providers;
  readonly namespaces: Namespaces;
  readonly memory: Memory;
  readonly clock: Clock;
  readonly clusterID: string;
}

/** A World together with the clients that further looks and the act need. */
export interface Sighting {
  readonly world: World;
  readonly provider: Provider | undefined;
}

/** Throws KubeError or KubeUnreachable: without the API server nothing is decided. */
export async function observe(deps: ObserveDeps, object: DatabaseBranch, signal: AbortSignal): Promise<Sighting> {
  const { metadata, status } = object;
  const uid = metadata.uid ?? '';
  const found = await findClass(deps, object);
  const secret = await secretSeen(deps, object, signal);
  const recordedUid =
    (secret.is === 'ours' ? secret.secret.binding.branchUid : undefined) ??
    status?.branch?.uid ??
    status?.candidate?.uid;
  const served = secret.is === 'ours' || status?.branch?.uid !== undefined;
  const wished = found.bclass && found.provider ? wishOf(object, found.bclass, deps.clusterID) : undefined;
  const ca = found.provider?.ca;
  const wish: Wish | undefined =
    wished && (ca === undefined ? wished.wish : { ...wished.wish, shape: { ...wished.wish.shape, certificates: ca } });
  const world: World = {
    object,
    uid,
    deleting: metadata.deletionTimestamp !== undefined,
    claimed: metadata.finalizers?.includes(databaseBranchFinalizer) ?? false,
    ended: endedOf(metadata.annotations?.[annotationKey.ended]),
    releaseAsked: metadata.annotations?.[annotationKey.release] === uid,
    wish,
    bclass: found.bclass,
    problems: [...found.problems, ...(wished?.problems ?? [])],
    notAllowedSince: notAllowedSince(object, found.problems, deps.clock.now()),
    specSeen: status?.observedGeneration === metadata.generation,
    secret,
    secretNameTakenBy: takenBy(deps.objects, object),
    recorded: recordedUid === undefined ? undefined : { uid: recordedUid, served },
    branch: notAsked,
    tagged: notAsked,
    rememberedAsDeleted: notAsked,
    unarchived: notAsked,
    endpoint: notAsked,
    role: notAsked,
    roleOnSource: notAsked,
    sourceEndpoints: notAsked,
    username: found.provider?.username,
    memory: deps.memory.view({
      uid,
      branchUid: recordedUid,
      generation: metadata.generation ?? 0,
      username: found.provider?.username,
    }),
    clockSkewMs: undefined,
  };
  return { world, provider: found.provider };
}

interface ClassFound {
  readonly bclass?: BranchClass;
  readonly provider?: Provider;
  readonly problems: readonly Problem[];
}

async function findClass(deps: ObserveDeps, object: DatabaseBranch): Promise<ClassFound> {
  const className = object.spec.className;
  const bclass = deps.classes.get(className);
  if (!bclass)
    return {
      problems: [
        {
          reason: Reason.ClassNotFound,
          message: `BranchClass ${className} does not exist: create it, or name another in spec.className`,
        },
      ],
    };
  const moved = movedClass(object, bclass);
  if (moved) return { bclass, problems: [moved] };
  const seen = await deps.providers.of(bclass);
  const problems: Problem[] = [...terminating(bclass), ...(await namespaceProblems(deps, object, bclass))];
  if (!seen.usable) return { bclass, problems: [...problems, { reason: seen.reason, message: seen.message }] };
  return { bclass, provider: seen.provider, problems };
}

function terminating(bclass: BranchClass): Problem[] {
  if (!bclass.metadata.deletionTimestamp) return [];
  return [
    {
      reason: Reason.ClassTerminating,
      message: `BranchClass ${bclass.metadata.name} is being deleted: nothing new is created in it`,
    },
  ];
}

// Nothing may be concluded from the answers of another project: a 404 there says nothing about our branch.
function movedClass({ status }: DatabaseBranch, { metadata, spec }: BranchClass): Problem | undefined {
  const recorded = status?.branch;
  if (!recorded) return undefined;
  const same = recorded.project === spec.provider.project && recorded.workspace === hostOf(spec.provider.host);
  if (same) return undefined;
  return {
    reason: Reason.ClassMoved,
    message: `BranchClass ${metadata.name} now names project ${spec.provider.project} on ${hostOf(spec.provider.host)}, the branch was made in ${recorded.project} on ${recorded.workspace}: restore the class as it was`,
  };
}

export const hostOf = (url: string): string => new URL(url).host;

async function namespaceProblems(deps: ObserveDeps, object: DatabaseBranch, bclass: BranchClass): Promise<Problem[]> {
  const name = object.metadata.namespace ?? '';
  if (selectorMatches(bclass.spec.allowedNamespaces, await deps.namespaces.labels(name))) return [];
  return [
    {
      reason: Reason.NamespaceNotAllowed,
      message: `BranchClass ${bclass.metadata.name} does not allow namespace ${name}: label the namespace ${describeSelector(bclass.spec.allowedNamespaces)}, or use another class`,
    },
  ];
}

function notAllowedSince({ status }: DatabaseBranch, problems: readonly Problem[], now: Date): Date | undefined {
  if (!problems.some(({ reason }) => reason === Reason.NamespaceNotAllowed)) return undefined;
  const condition = findCondition(status?.conditions ?? [], 'NamespaceAllowed');
  return condition?.status === 'False' ? new Date(condition.lastTransitionTime) : now;
}

/** `<t>/<reason>/<time>`: ended if `t` is that of the present reset token. */
function endedOf(annotation: string | undefined): World['ended'] {
  const [mark, reason, ...time] = (annotation ?? '').split('/');
  return reason && mark === endedMark('') ? { reason, time: time.join('/') } : undefined;
}

async function secretSeen(deps: ObserveDeps, object: DatabaseBranch, signal: AbortSignal): Promise<World['secret']> {
  const { memory } = deps;
  const uid = object.metadata.uid ?? '';
  const remembered = memory.of(uid).secret;
  const quiet =
    !object.metadata.deletionTimestamp &&
    object.status?.observedGeneration === object.metadata.generation &&
    isReady(object, deps.clock.now());
  if (memory.secretReadInMs(uid) > 0) {
    if (remembered) return remembered.value;
    // After a start the status may say when to look; before the Secret was read it decides nothing else.
    if (quiet) return { is: 'notRead' };
  }
  const value = await fetchSecret(deps.kube, object, signal);
  memory.of(uid).secret = { value, readAt: memory.now() };
  return value;
}

/** Ready, and with a credential that is not due within the time that reading all Secrets may take. */
function isReady({ status }: DatabaseBranch, now: Date): boolean {
  const renewTime = status?.credentials?.renewTime;
  const due = renewTime === undefined || new Date(renewTime).getTime() - now.getTime() < 60_000;
  return !due && findCondition(status?.conditions ?? [], 'Ready')?.status === 'True';
}

export async function fetchSecret(kube: Kube, object: DatabaseBranch, signal: AbortSignal): Promise<SecretMemory> {
  const { namespace = '', name, uid = '' } = object.metadata;
  try {
    const secret = await kube.get<Secret>(secretResource, { namespace, name: secretNameOf(object) }, { signal });
    return readSecret(secret, { namespace, name, uid });
  } catch (error) {
    if (isNotFound(error)) return { is: 'none' };
    throw error;
  }
}

/** The older object keeps a Secret name that two ask for. */
function takenBy(objects: Cache<DatabaseBranch>, object: DatabaseBranch): string | undefined {
  const { namespace = '', uid, creationTimestamp = '' } = object.metadata;
  const rivals = objects
    .byIndex('secretName', `${namespace}/${secretNameOf(object)}`)
    .filter((other) => other.metadata.uid !== uid);
  const order = (other: DatabaseBranch): string =>
    `${other.metadata.creationTimestamp ?? ''}/${other.metadata.uid ?? ''}`;
  return rivals.find((other) => order(other) < `${creationTimestamp}/${uid ?? ''}`)?.metadata.name;
}

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
        return { branch, clockSkewMs: skew(deps.kube.clockOffsetMs(), manager.clockOffsetMs()) };
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
      memory: deps.memory.view({
        uid: world.uid,
        branchUid: merged.recorded?.uid,
        generation: world.object.metadata.generation ?? 0,
        username: provider.username,
      }),
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
