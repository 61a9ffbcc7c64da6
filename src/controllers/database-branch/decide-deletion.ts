// The way out: the finalizer goes only when nothing with the object's tag is left. Pure.
import { parseDuration } from '../../api/duration.ts';
import { annotationKey } from '../../api/names.ts';
import type { DatabaseBranch } from '../../api/v1alpha1/database-branch.ts';
import { Reason } from '../../api/v1alpha1/reasons.ts';
import type { Branch } from '../../lakebase/model.ts';
import { cannotExpire, netMs, nextCeilingMs, toleranceMs } from './lease.ts';
import { isBeingDeleted, isStranger, isThere, mayBeDeleted, type ThereView } from './ours.ts';
import { lookAround, trouble, waitFor, type Expiry, type Plan, type Wait } from './plan.ts';
import type { Wish } from './wish.ts';
import type { BranchView, Family, World } from './world.ts';

/** After so long without a POST by us or our predecessor, a 404 for an id that nobody ever saw means "never made". */
const settleMs = 60_000;

export function decideDeletion(world: World, now: Date): Plan {
  if (!world.claimed) return waitFor(Reason.Deleting, 'waiting for others to let the object go');
  if (world.releaseAsked) return { do: 'release', why: 'the annotation lakebranch.dev/release asks for it' };
  const { family } = world;
  switch (family.seen) {
    case 'notAsked':
      return world.wish ? lookAround('freshFamily') : (letGo(world, now) ?? unreachableProvider(world));
    case 'unknown':
      return (
        letGo(world, now) ?? {
          ...waitFor(Reason.DeletionWaiting, cannotDelete(world.object, trouble(family.error).message)),
          lookInMs: trouble(family.error).lookInMs,
        }
      );
    case 'absent':
      return settledAbsence(world);
    case 'present':
      return emptied(world, family.value, now);
  }
}

function emptied(world: World, family: Family, now: Date): Plan {
  const left = family.branches.filter(isThere).filter(({ branch }) => !isStranger(world, branch.value));
  const kept = keptBranch(world, left);
  const toGo = left.filter((view) => view !== kept);
  if (toGo.length === 0 && kept) return retainStep(world, kept, now) ?? underWay(world) ?? retained(kept);
  if (toGo.length === 0) return settledAbsence(world);
  const parents = new Set(toGo.map(({ branch }) => branch.value.sourceBranch));
  const leaves = toGo.filter(({ id }) => !parents.has(id));
  const next = leaves.find((view) => mayBeDeleted(view.branch.value) && !isBeingDeleted(view));
  if (next && family.children.length > 0) return blockedByChildren(world.object, next, family.children);
  if (next) return { do: 'deleteBranch', branch: next.branch.value, why: 'the object is being deleted' };
  const stuck = leaves.find(({ branch }) => !mayBeDeleted(branch.value));
  if (stuck)
    return waitFor(Reason.DeletionBlocked, blocked(world.object, stuck.branch.value), {
      stalled: true,
      lookInMs: 60_000,
    });
  return waitFor(Reason.Deleting, `branch ${leaves[0]?.id ?? ''} is being deleted`, { transition: 'delete' });
}

/** `deletionPolicy: Retain`: what is served stays until its expiry; all else of the object goes. */
const keptBranch = ({ wish, served, ended }: World, left: readonly ThereView[]): ThereView | undefined =>
  wish?.life === 'retained' && !ended ? left.find(({ id }) => id === served?.id) : undefined;

/** Until the provider is seen to know the end of the branch: nobody will tell it later. */
function retainStep({ wish }: World, view: ThereView, now: Date): Plan | undefined {
  const branch = view.branch.value;
  const { lease } = view.memory;
  const expireTime = wish?.expiration.expireTime;
  if (!wish || !expireTime || cannotExpire(branch)) return undefined;
  const expiry = retainedExpiry(expireTime, believedCeilingMs(view, wish), now);
  if (branch.expireTime && branch.expireTime.getTime() >= expiry.at.getTime() - toleranceMs) return undefined;
  if (lease && lease.nextInMs > 0)
    return waitFor(
      Reason.RetainPending,
      `the provider does not take the expiry of the retained branch: ${lease.error.message}`,
      { lookInMs: lease.nextInMs },
    );
  return { do: 'setExpiry', branch, expiry, why: 'lease' };
}

const retained = ({ branch: { value: branch } }: ThereView): Plan => ({
  do: 'release',
  why: `branch ${branch.id} is retained`,
  left: { how: 'Retained', ...(branch.expireTime && !cannotExpire(branch) ? { until: branch.expireTime } : {}) },
});

const refusalsToBelieve = 3;

/** What this object gives up for good is not decided by one refusal, nor by what another branch was refused. */
const believedCeilingMs = ({ memory: { lease, refusedAheadMs } }: ThereView, wish: Wish): number | undefined =>
  refusedAheadMs !== undefined && lease !== undefined && lease.attempts >= refusalsToBelieve
    ? nextCeilingMs(refusedAheadMs, wish)
    : undefined;

/** The clamped maximum, where there is one, counts as the full expiry. */
function retainedExpiry(end: Date, ceilingMs: number | undefined, now: Date): Required<Pick<Expiry, 'at'>> & Expiry {
  const wanted = end.getTime() + netMs;
  const at = Math.min(wanted, now.getTime() + (ceilingMs ?? Infinity));
  return { at: new Date(at), ...(at < wanted ? { clampedFrom: new Date(wanted) } : {}) };
}

/** After so many failures in a row it is believed that the provider cannot be reached. */
const failuresInARow = 3;

/**
 * The provider cannot be asked for long, and the lease removes the branch anyway: the object is let go, so that no
 * namespace is stuck. A branch that no lease removes is never let go by itself.
 */
function letGo({ object, wanted, memory, bclass, maxWaitMs }: World, now: Date): Plan | undefined {
  const { deletionTimestamp } = object.metadata;
  const leaseTime = object.status?.expiration?.leaseTime;
  if (memory.deletionFailures < failuresInARow || !deletionTimestamp || !leaseTime) return undefined;
  const deletedMs = new Date(deletionTimestamp).getTime();
  if (!isLeased(object, deletedMs, wanted?.id)) return undefined;
  const until = new Date(leaseTime);
  const leaseMs = bclass ? parseDuration(bclass.spec.expiration.lease) : usualLeaseMs;
  if (until.getTime() > now.getTime() + leaseMs + toleranceMs) return undefined;
  if (now.getTime() - deletedMs < maxWaitMs) return undefined;
  const why = 'the provider cannot be reached, and the lease removes the branch';
  return { do: 'release', why, left: { how: 'LeftToLease', until } };
}

/** Two of the usual looks around, in which a branch that has gone leaves the record. */
const lookedAroundMs = 20 * 60_000;

/**
 * The provider removes every branch of the object. Of one that was replaced a moment ago nobody knows yet that it ends,
 * unless it is wanted back, and so leased like a candidate; and one that was still there long after its end cannot go.
 */
function isLeased(
  { spec, status: { expiration, superseded = [] } = {} }: DatabaseBranch,
  deletedMs: number,
  wanted: string | undefined,
): boolean {
  const ends = ({ id, until }: (typeof superseded)[number]): boolean =>
    until === undefined ? id === wanted : new Date(until).getTime() >= deletedMs - lookedAroundMs;
  return spec.deletionPolicy !== 'Retain' && expiration?.enforcedBy === 'Provider' && superseded.every(ends);
}

/** Of a class that is gone: as its schema would have it. */
const usualLeaseMs = 96 * 3_600_000;

/** Why a deletion waits, and the way out for somebody who cannot wait. */
export const cannotDelete = (object: DatabaseBranch, why: string): string =>
  `the branch cannot be deleted yet: ${why}. ${letGoCommand(object)}`;

const letGoCommand = ({ metadata: { name, namespace, uid } }: DatabaseBranch): string =>
  `To let the object go and leave its branch behind: kubectl annotate dbb ${name} -n ${namespace ?? ''} ${annotationKey.release}=${uid ?? ''}`;

/** Nothing is on record of any branch, and no POST of ours is under way. */
function madeNothing({ object, served, memory }: World): boolean {
  const { candidate, superseded = [] } = object.status ?? {};
  const isQuiet = memory.postedMsAgo === undefined && memory.leadingMs >= settleMs;
  return !served && !candidate && superseded.length === 0 && isQuiet;
}

// A class that is gone takes the way to the provider with it. An object that never came to a branch may still go.
function unreachableProvider(world: World): Plan {
  const { object, problems } = world;
  const [problem] = problems;
  if (madeNothing(world) && problem?.reason === Reason.ClassNotFound)
    return { do: 'release', why: 'no branch was ever made, and its class does not exist' };
  const message = cannotDelete(object, problem?.message ?? 'its class cannot be used');
  return waitFor(Reason.DeletionWaiting, message, { lookInMs: 10_000 });
}

const settledAbsence = (world: World): Plan => underWay(world) ?? { do: 'release', why: 'no branch is left' };

// A uid on record proves that the id existed, so a 404 proves that it is gone. Without one, somebody's POST may be in flight.
function underWay({ wanted, memory }: World): Wait | undefined {
  const ledMs = wanted?.uid === undefined ? memory.leadingMs : Infinity;
  const quietMs = Math.min(ledMs, memory.postedMsAgo ?? Infinity);
  if (quietMs >= settleMs) return undefined;
  return waitFor(Reason.Deleting, 'making sure that no create is still under way', { lookInMs: settleMs - quietMs });
}

function blockedByChildren(object: DatabaseBranch, parent: BranchView, children: readonly string[]): Wait {
  const names = children.slice(0, 5).join(', ') + (children.length > 5 ? ` and ${children.length - 5} more` : '');
  return waitFor(
    Reason.DeletionBlockedByChildren,
    `branch ${parent.id} is the parent of ${names}: delete the DatabaseBranch objects that were made from this one, or those branches at the provider; the object goes by itself afterwards. ${letGoCommand(object)}`,
    { stalled: true, lookInMs: 5_000 },
  );
}

function blocked(object: DatabaseBranch, branch: Branch): string {
  const why = branch.isDefault
    ? 'it is the default branch of the project'
    : branch.isProtected
      ? 'it is protected'
      : 'it is a root branch';
  return `branch ${branch.id} cannot be deleted: ${why}. Change that at the provider; the object goes by itself afterwards. ${letGoCommand(object)}`;
}
