// One further look at the provider, asked for by a decision. Writes nothing. Failures of the provider become `unknown`.
import { keyOf } from '../../kit/kube.ts';
import { LakebaseError } from '../../lakebase/errors.ts';
import { parseBranchId } from '../../lakebase/ids.ts';
import type { Branch, BranchRef, Endpoint, Role } from '../../lakebase/model.ts';
import type { Freshness, Project } from '../projects.ts';
import type { Provider } from '../providers.ts';
import { freshView, hostOf, type ObserveDeps, type Sighting } from './observe.ts';
import { isGone, roleDefect } from './ours.ts';
import type { BranchSight, ObjectSight } from './plan.ts';
import type { RememberedBranch } from './memory.ts';
import type { Wish } from './wish.ts';
import { absent, withView, type BranchView, type Family, type Place, type Seen, type World } from './world.ts';

/** What a look needs: the world as far as it is known, and the way to the provider. */
interface Sights extends ObserveDeps {
  readonly world: World;
  readonly wish: Wish;
  readonly provider: Provider;
  readonly signal: AbortSignal;
}

/** Looks at one branch of the object. */
export async function look(
  deps: ObserveDeps,
  sighting: Sighting,
  at: BranchSight,
  view: BranchView,
  signal: AbortSignal,
): Promise<Sighting> {
  const sights = ready(deps, sighting, signal);
  const { world, skewMs } = await branchSights[at](sights, view);
  return again(sights, skewMs === undefined ? world : { ...world, clockSkewMs: skewMs }, sighting);
}

/** Looks at the object as a whole. */
export async function lookAround(
  deps: ObserveDeps,
  sighting: Sighting,
  at: ObjectSight,
  signal: AbortSignal,
): Promise<Sighting> {
  const sights = ready(deps, sighting, signal);
  return again(sights, await objectSights[at](sights), sighting);
}

function ready(deps: ObserveDeps, { world, provider }: Sighting, signal: AbortSignal): Sights {
  if (!provider || !world.wish) throw new Error('nothing to look with');
  return { ...deps, world, wish: world.wish, provider, signal };
}

/** What a look taught the memory is part of the world that the next decision sees. */
function again({ memory }: Sights, world: World, sighting: Sighting): Sighting {
  const { object, username } = world;
  const renewed = (view: BranchView): BranchView => ({
    ...view,
    memory: memory.viewBranch(object, { id: view.id, uid: view.uid, username }),
  });
  const served = world.served && renewed(world.served);
  const wanted = world.wanted?.id === served?.id ? served : world.wanted && renewed(world.wanted);
  return { ...sighting, world: { ...world, served, wanted, memory: memory.view(object) } };
}

interface BranchSeen {
  readonly world: World;
  readonly skewMs?: number | undefined;
}

const branchSights: Record<BranchSight, (sights: Sights, view: BranchView) => Promise<BranchSeen>> = {
  branch: async (sights, view) => {
    const { world, provider, kube } = sights;
    const branch = await getBranch(sights, view);
    const skewMs = branch.seen === 'unknown' ? undefined : skew(kube.clockOffsetMs(), provider.manager.clockOffsetMs());
    return { world: withView(world, { ...view, branch }), skewMs };
  },
  operation: async (sights, view) => {
    const { world, provider, signal } = sights;
    const remembered = rememberedOf(sights, view);
    const operationDone = await seen(
      async () => (await provider.manager.getOperation(remembered.operation ?? '', signal)).done,
    );
    // One that is forgotten is over as well.
    if (operationDone.seen === 'absent' || (operationDone.seen === 'present' && operationDone.value))
      delete remembered.operation;
    return { world: withView(world, { ...view, operationDone }) };
  },
  endpoint: async (sights, view) => {
    const endpoints = await seen(() => sights.provider.manager.listEndpoints(refOf(sights, view.id), sights.signal));
    const endpoint = first(endpoints, ({ type }) => type === 'READ_WRITE');
    noteEndpoint(rememberedOf(sights, view), endpoint);
    return { world: withView(sights.world, { ...view, endpoint }) };
  },
  role: async (sights, view) => {
    const { provider, wish, world, signal } = sights;
    const { username } = provider;
    const roles = await seen(() => provider.manager.listRoles(refOf(sights, view.id), signal));
    const role: Seen<Role> = first(roles, ({ postgresRole }) => postgresRole === username);
    noteRole(rememberedOf(sights, view), role, wish, `${view.uid ?? ''}/${username}`);
    return { world: withView(world, { ...view, role }) };
  },
  roleOnSource: async (sights, view) => {
    const { provider, world, signal } = sights;
    const roleOnSource = await seen(async () =>
      (await provider.manager.listRoles(sourceOf(sights, view), signal)).some(
        ({ postgresRole }) => postgresRole === provider.username,
      ),
    );
    return { world: withView(world, { ...view, roleOnSource }) };
  },
  source: async (sights, view) => {
    const { provider, world, signal } = sights;
    const source = await seen(() => provider.manager.getBranch(sourceOf(sights, view), signal));
    return { world: withView(world, { ...view, source }) };
  },
  sourceEndpoints: async (sights, view) => {
    const { provider, world, signal } = sights;
    const sourceEndpoints = await seen(() => provider.manager.listEndpoints(sourceOf(sights, view), signal));
    return { world: withView(world, { ...view, sourceEndpoints }) };
  },
};

const objectSights: Record<ObjectSight, (sights: Sights) => Promise<World>> = {
  deletedIds: async ({ world, wish, provider, memory, signal }) => {
    const rememberedAsDeleted = await seen(async () =>
      (await provider.manager.listBranches(wish.project, { showDeleted: true }, signal)).some(
        (branch) => branch.id === wish.branchId && isGone(branch),
      ),
    );
    if (rememberedAsDeleted.seen === 'present' && !rememberedAsDeleted.value && world.wanted?.branch.seen === 'absent')
      memory.branch(world.uid, world.wanted.id).vacant = true;
    return { ...world, rememberedAsDeleted };
  },
  place: async (sights) => ({ ...sights.world, place: await placeOf(sights) }),
  family: async (sights) => withFamily(sights, await listedFamily(sights, checked)),
  freshFamily: async (sights) => withFamily(sights, await freshFamily(sights)),
  turn: (sights) => Promise.resolve({ ...sights.world, turn: turnOf(sights) }),
};

/** One that has failed keeps its place in the line, and stands aside until it may be tried again. */
function turnOf({ turns, world: { object, uid, secret, bclass, served } }: Sights): World['turn'] {
  if (secret.is !== 'ours') return 'mine';
  const isMine = turns.ask({
    uid,
    key: keyOf(object.metadata),
    workspace: hostOf(bclass?.spec.provider.host ?? ''),
    expireTime: secret.secret.expireTime,
    inMs: Math.max(0, served?.memory.mint?.nextInMs ?? 0),
  });
  return isMine ? 'mine' : 'waiting';
}

/** When all objects of a project look at once, one LIST does for all of them. */
const checked: Freshness = { maxAgeMs: 60_000 };
/** A LIST for something that is in transition may be this old, if it began after our last write. */
const inTransition: Freshness = { maxAgeMs: 500, afterOurLastWrite: true };

const refOf = ({ wish }: Sights, id: string): BranchRef => ({ project: wish.project, branch: id });

/** What the branch was made from, if it is there to say so. */
function sourceOf(sights: Sights, { branch }: BranchView): BranchRef {
  const source = branch.seen === 'present' ? branch.value.sourceBranch : undefined;
  return refOf(sights, source ?? sights.wish.source);
}

/** The branches of the project, by a LIST that may serve others too. */
async function snapshot(sights: Sights, freshness: Freshness): Promise<readonly Branch[]> {
  return (await projectOf(sights).snapshot(sights.provider.manager, freshness, sights.signal)).branches;
}

function projectOf({ projects, world, wish }: Sights): Project {
  return projects.of({ host: world.bclass?.spec.provider.host ?? '', project: wish.project });
}

/** Whether the object may ask for its branch now, by the line that all objects of the project form in this very moment. */
function placeOf({ slots, provider, world, signal }: Sights): Promise<Seen<Place>> {
  return seen(async () => {
    if (!world.bclass) throw new Error('no class to ask for a slot');
    return slots.look(world.object, world.bclass, provider.manager, signal);
  });
}

const rememberedOf = ({ memory, world }: Sights, { id }: { id: string }): RememberedBranch =>
  memory.branch(world.uid, id);

async function getBranch(sights: Sights, view: BranchView): Promise<Seen<Branch>> {
  const { provider, memory, signal } = sights;
  const remembered = rememberedOf(sights, view);
  remembered.askedAt = memory.now();
  const branch = await seen(() => provider.manager.getBranch(refOf(sights, view.id), signal));
  noteBranch(remembered, view, branch);
  if (branch.seen === 'present') remembered.shownAt = remembered.askedAt;
  if (branch.seen === 'absent' && remembered.deletedAt !== undefined) {
    delete remembered.deletedAt;
    projectOf(sights).freed(view.id);
  }
  return branch;
}

function noteEndpoint(remembered: RememberedBranch, endpoint: Seen<Endpoint>): void {
  if (endpoint.seen === 'unknown' || endpoint.seen === 'notAsked') return;
  delete remembered.endpointCheckDue;
  remembered.endpoint = endpoint.seen === 'absent' ? 'none' : { uid: endpoint.value.uid, host: endpoint.value.host };
}

/** A role that is missing or lacks something stays due until it is as it should be; a wrong kind is for a person. */
function noteRole(remembered: RememberedBranch, role: Seen<Role>, { membershipRoles }: Wish, name: string): void {
  if (role.seen !== 'present') return;
  const defect = roleDefect(role.value, membershipRoles);
  if (defect === undefined) remembered.roleSeen = name;
  if (defect !== 'lacksMembership') delete remembered.roleCheckDue;
}

function noteBranch(remembered: RememberedBranch, { uid }: BranchView, branch: Seen<Branch>): void {
  // If the branch is there, the mint may have meant its endpoint.
  if (branch.seen === 'present' && remembered.mintSaidGone) remembered.endpointCheckDue = true;
  if (branch.seen !== 'unknown') delete remembered.mintSaidGone;
  // A visible branch ends the story of its POST.
  if (branch.seen === 'present') {
    delete remembered.vacant;
    delete remembered.firstPostAt;
    delete remembered.postedAt;
    delete remembered.postedExpireTime;
    delete remembered.refusal;
  }
  if (branch.seen === 'absent' && uid !== undefined) remembered.gone = true;
  if (branch.seen === 'present') remembered.gone = isGone(branch.value) && branch.value.uid === uid;
}

/** Every branch with the object's tag that a LIST shows, and the branches that were forked from them. */
async function listedFamily(sights: Sights, freshness: Freshness): Promise<Seen<Family>> {
  const { world, wish, memory } = sights;
  memory.of(world.uid).checkedAt = memory.now();
  const listed = await seen(() => snapshot(sights, freshness));
  memory.lookedAround(world.uid, listed.seen === 'present');
  if (listed.seen !== 'present') return listed;
  const tag = parseBranchId(wish.branchId)?.tag;
  const isOurs = ({ id }: Branch): boolean => tag !== undefined && parseBranchId(id)?.tag === tag;
  const branches = listed.value.filter(isOurs).map((branch) => relative(sights, branch));
  const ids = new Set(branches.map(({ id }) => id));
  const children = listed.value.filter((branch) => !isOurs(branch) && ids.has(branch.sourceBranch ?? ''));
  return { seen: 'present', value: { branches, children: children.map(({ id }) => id) } };
}

/** The same by a LIST of now, and by name for every id on record that the LIST does not show. */
async function freshFamily(sights: Sights): Promise<Seen<Family>> {
  const { world, memory } = sights;
  const listed = await listedFamily(sights, inTransition);
  const family = await withUnlisted(sights, listed);
  if (family.seen !== 'unknown') memory.sawAll(world.uid, idsOf(family));
  if (world.deleting && family.seen === 'unknown') memory.deletionFailed(world.uid);
  else delete memory.of(world.uid).deletionFailures;
  return family;
}

const idsOf = (family: Seen<Family>): ReadonlySet<string> =>
  new Set(family.seen === 'present' ? family.value.branches.map(({ id }) => id) : []);

async function withUnlisted(sights: Sights, listed: Seen<Family>): Promise<Seen<Family>> {
  const onRecord = knownBranches(sights.world);
  const goesAnyway = (sights.world.deleting || sights.world.ended) && onRecord.some(({ uid }) => uid !== undefined);
  if (listed.seen === 'unknown' && !goesAnyway) return listed;
  const family: Family = listed.seen === 'present' ? listed.value : { branches: [], children: [] };
  const found: BranchView[] = [];
  for (const known of onRecord) {
    if (family.branches.some(({ id }) => id === known.id)) continue;
    const view = freshView(sights.memory, sights.world.object, { ...known, username: sights.world.username });
    const branch = await getBranch(sights, view);
    if (branch.seen === 'unknown') return branch;
    if (branch.seen === 'present') found.push(relative(sights, branch.value));
  }
  const branches = [...family.branches, ...found];
  // Of a project that is not there; an empty LIST is a finding of another kind.
  if (listed.seen === 'absent' && branches.length === 0) return absent;
  return { seen: 'present', value: { ...family, branches } };
}

/** By Secret, status and wish. */
function knownBranches({ served, wanted, object }: World): { id: string; uid: string | undefined }[] {
  const { candidate, superseded = [] } = object.status ?? {};
  const all = [served, wanted, candidate, ...superseded].filter((known) => known !== undefined);
  return [...new Map(all.map(({ id, uid }) => [id, { id, uid }])).values()];
}

const relative = ({ memory, world: { object, username } }: Sights, branch: Branch): BranchView => ({
  ...freshView(memory, object, { id: branch.id, uid: branch.uid, username }),
  branch: { seen: 'present', value: branch },
});

/** What the LIST shows of the served and the wanted branch is seen; what it does not show is not known to be absent. */
function withFamily(sights: Sights, family: Seen<Family>): World {
  const world: World = { ...sights.world, family };
  if (family.seen !== 'present') return world;
  return family.value.branches.reduce((so, { id, branch }) => {
    const view = [so.served, so.wanted].find((own) => own?.id === id);
    if (!view || view.branch.seen === 'present') return so;
    noteBranch(rememberedOf(sights, view), view, branch);
    return withView(so, { ...view, branch });
  }, world);
}

async function seen<T>(ask: () => Promise<T>): Promise<Seen<T>> {
  try {
    return { seen: 'present', value: await ask() };
  } catch (error) {
    if (!(error instanceof LakebaseError)) throw error;
    return error.code === 'notFound' ? absent : { seen: 'unknown', error };
  }
}

function first<T>(found: Seen<readonly T[]>, fits: (one: T) => boolean): Seen<T> {
  if (found.seen !== 'present') return found;
  const value = found.value.find(fits);
  return value === undefined ? absent : { seen: 'present', value };
}

/** The larger disagreement, with its sign; undefined while one of the two was never heard. */
function skew(apiServerMs: number | undefined, providerMs: number | undefined): number | undefined {
  if (apiServerMs === undefined || providerMs === undefined) return undefined;
  return Math.abs(apiServerMs) > Math.abs(providerMs) ? apiServerMs : providerMs;
}
