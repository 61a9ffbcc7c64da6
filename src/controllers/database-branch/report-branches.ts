// The branches of an object as its status shows them: the one that is served, the next one, and those from before. Pure.
import type { BranchClass } from '../../api/v1alpha1/branch-class.ts';
import type { DatabaseBranchStatus } from '../../api/v1alpha1/database-branch.ts';
import type { IssuedSecret } from '../../credentials/secret.ts';
import type { Branch } from '../../lakebase/model.ts';
import { drainEnd, endOnRecord, leftovers, strangers } from './decide-leftovers.ts';
import { cannotExpire, toleranceMs } from './lease.ts';
import { hostOf } from './observe.ts';
import { isGone, isStranger } from './ours.ts';
import type { Expiry } from './plan.ts';
import type { Report } from './report.ts';
import type { Wish } from './wish.ts';
import { viewOf, type BranchView, type World } from './world.ts';

type Status = DatabaseBranchStatus;
type Superseded = NonNullable<Status['superseded']>[number];

/** A world in which the class can be used: then it is known what the object asks for. */
type Known = World & { readonly bclass: BranchClass; readonly wish: Wish; readonly wanted: BranchView };
const isKnown = (world: World): world is Known => world.wish !== undefined;

/** `issued` is the credential in the Secret, if the Secret opens a branch of the object. */
export function branchFields(seen: Report, issued: IssuedSecret | undefined): Partial<Status> {
  const { world } = seen;
  if (world.ended || !isKnown(world)) return {};
  const servedUid = issued?.binding.branchUid ?? world.served?.uid;
  const candidate = candidateOf(world, servedUid);
  const superseded = supersededOf({ ...seen, world }, { servedUid, candidate, issued: issued !== undefined });
  return {
    ...(issued ? servedFields(world, issued) : {}),
    ...(candidate ? { candidate: { id: candidate.id, uid: candidate.uid } } : {}),
    ...(superseded.length > 0 ? { superseded } : {}),
  };
}

function servedFields(world: Known, issued: IssuedSecret): Partial<Status> {
  const { wish, bclass, wanted, object } = world;
  const { branchId: id, branchUid: uid, endpointUid, host } = issued.binding;
  const name = `projects/${wish.project}/branches/${id}`;
  const before = object.status?.branch;
  const branch = {
    ...(before?.uid === uid ? before : {}),
    id,
    uid,
    name,
    workspace: hostOf(bclass.spec.provider.host),
    project: wish.project,
    ...(wanted.id === id ? { resetToken: wish.resetToken } : {}),
    ...originOf(viewOf(world, id), uid),
  };
  return { branch, endpoint: { uid: endpointUid, host, name: `${name}/endpoints/primary` } };
}

/** What the branch was made from, when this pass saw it. */
function originOf(view: BranchView | undefined, uid: string): Partial<NonNullable<Status['branch']>> {
  if (view?.branch.seen !== 'present' || view.branch.value.uid !== uid) return {};
  const { sourceBranch, sourceTime, sourceLsn, createTime } = view.branch.value;
  const source = {
    ...(sourceBranch ? { branch: sourceBranch } : {}),
    ...(sourceTime ? { time: sourceTime.toISOString() } : {}),
    ...(sourceLsn ? { lsn: sourceLsn } : {}),
  };
  return { source, ...(createTime ? { createTime: createTime.toISOString() } : {}) };
}

type Seen = Report & { readonly world: Known };

interface Identity {
  readonly id: string;
  readonly uid: string;
}

/** The branch that was seen and was never served; also one that is not wanted any more, until it is gone. */
function candidateOf(world: Known, servedUid: string | undefined): Identity | undefined {
  const { wanted, object } = world;
  const { candidate: before, superseded = [] } = object.status ?? {};
  const wasServed = ({ uid }: Identity): boolean => uid === servedUid || superseded.some((old) => old.uid === uid);
  const there = ownThere(world, wanted);
  if (there) return wasServed(there) ? undefined : there;
  if (!before || wasServed(before)) return undefined;
  // Of the wanted one this pass knows by name, of another one only if it has looked around.
  const gone = wanted.id === before.id ? isAway(wanted) : hasGone(world, before);
  return gone ? undefined : before;
}

const ownThere = (world: World, { branch }: BranchView): Branch | undefined =>
  branch.seen === 'present' && !isGone(branch.value) && !isStranger(world, branch.value) ? branch.value : undefined;

const isAway = ({ branch }: BranchView): boolean => branch.seen === 'absent' || branch.seen === 'present';

/**
 * This pass looked at all branches of the object, and none had this id, nor was it found by name. One of another uid keeps
 * the record alive: it says that what has the id now is not ours.
 */
function hasGone({ family, served, wanted }: World, known: Identity): boolean {
  if (family.seen !== 'present') return false;
  const views = [served, wanted, ...family.value.branches].filter((view) => view?.id === known.id);
  return !views.some((view) => view?.branch.seen === 'present' && !isGone(view.branch.value));
}

/** As many as the schema allows; of more the newest. */
const keptSuperseded = 16;

/** Branches that are on record and not known to be gone, those whose place another one just took, and those seen. */
function supersededOf(
  seen: Seen,
  {
    servedUid,
    candidate: next,
    issued,
  }: { servedUid: string | undefined; candidate: Identity | undefined; issued: boolean },
): Superseded[] {
  const { object, served } = seen.world;
  const { branch, superseded = [], candidate } = object.status ?? {};
  const replaced = [...(issued ? [branch, served] : []), ...(next ? [candidate] : [])]
    .filter(hasUid)
    .filter(({ id }) => id !== next?.id)
    .map(({ id, uid }) => ({ id, uid }));
  const present = leftovers(seen.world)
    .flatMap((view) => (view.branch.seen === 'present' ? [view.branch.value] : []))
    .filter(({ uid }) => uid !== candidate?.uid)
    .map((one) => asSeen(seen, one));
  const taken = new Set(strangers(seen.world).map(({ id }) => id));
  const isNew = ({ uid }: Identity): boolean => superseded.every((entry) => entry.uid !== uid);
  const known = [...superseded, ...replaced.filter(isNew)]
    .filter((entry) => !hasGone(seen.world, entry))
    .map((entry) => (isKept(seen, entry) ? { id: entry.id, uid: entry.uid } : entry))
    .map((entry) => (taken.has(entry.id) ? { until: seen.now.toISOString(), ...entry } : entry));
  const entries = new Map([...known, ...present].map((entry) => [entry.uid, entry]));
  return [...entries.values()].filter(({ uid }) => uid !== servedUid).slice(-keptSuperseded);
}

const hasUid = (known: { id: string; uid: string | undefined } | undefined): known is Identity =>
  known?.uid !== undefined;

function asSeen(seen: Seen, branch: Branch): Superseded {
  const { id, uid } = branch;
  const until = endOf(seen, branch)?.toISOString() ?? endOnRecord(seen.world.object, uid);
  return { id, uid, ...(until ? { until } : {}) };
}

/**
 * A branch that drained and is wanted back has its lease again. Should it not be wanted after all, its end on record would
 * be taken for one that the provider knows.
 */
function isKept(seen: Seen, { uid, until }: Superseded): boolean {
  const { branch } = seen.world.wanted;
  if (until === undefined || branch.seen !== 'present' || branch.value.uid !== uid) return false;
  const { at } = justSet(seen, branch.value) ?? { at: branch.value.expireTime };
  return at !== undefined && at.getTime() > new Date(until).getTime() + toleranceMs;
}

const justSet = ({ plan, outcome }: Seen, { uid }: Branch): Expiry | undefined =>
  plan.do === 'setExpiry' && plan.branch.uid === uid && outcome.is === 'done' ? plan.expiry : undefined;

/** When the branch goes, or would go if somebody had not protected it. */
function endOf(seen: Seen, branch: Branch): Date | undefined {
  const { world, now } = seen;
  const { expireTime } = branch;
  const set = justSet(seen, branch);
  if (set) return set.at;
  if (isDraining(expireTime, world.wish.drainMs, now)) return expireTime;
  return cannotExpire(branch) ? drainEnd(world, world.wish, branch, now) : undefined;
}

const isDraining = (expireTime: Date | undefined, drainMs: number, now: Date): boolean =>
  expireTime !== undefined && expireTime.getTime() <= now.getTime() + drainMs + toleranceMs;
