// When a branch has ended, what is then taken away, and what is said. Pure.
import { ConditionType } from '../../api/v1alpha1/conditions.ts';
import { branchEnds, pastEnds, type BranchEnd, type PastEnd } from '../../api/v1alpha1/ends.ts';
import { Reason } from '../../api/v1alpha1/reasons.ts';
import { findCondition } from '../../kit/conditions.ts';
import { isAway, isBeingDeleted, isStranger, isThere, mayBeDeleted, type ThereView } from './ours.ts';
import { isTold } from './past.ts';
import { look, lookAround, stall, trouble, waitFor, type Plan, type Wait } from './plan.ts';
import type { Problem, Wish } from './wish.ts';
import { isReset, type BranchView, type World } from './world.ts';

/** Two minutes: beyond that our idea of "now" is worth less than a branch. */
const clockToleranceMs = 2 * 60_000;

export function expiry(world: World, wish: Wish, now: Date): Plan | undefined {
  const { expireTime } = wish.expiration;
  const view = world.served ?? world.wanted;
  if (!expireTime || now < expireTime || !view || (view.uid === undefined && world.problems.length > 0))
    return undefined;
  if (view.branch.seen === 'notAsked') return look('branch', view);
  // What the provider has removed already needs no clock to be given up.
  if (view === world.served && isAway(view) && !isReset(world)) return undefined;
  return clockDoubt(world) ?? { do: 'markEnded', reason: 'Expired' };
}

/** Why our idea of "now" may neither end anything nor give up a past. */
function clockDoubt({ clockSkewMs }: World): Wait | undefined {
  if (clockSkewMs === undefined)
    return waitFor(
      Reason.ClockSkewed,
      "it is over by the clock of the operator's node; nothing ends before the clocks of the API server and the provider were heard too",
      { lookInMs: 10_000 },
    );
  if (Math.abs(clockSkewMs) <= clockToleranceMs) return undefined;
  return waitFor(
    Reason.ClockSkewed,
    "the clock of the operator's node differs by more than two minutes from that of the API server or of the provider: nothing ends by the time until it is right. Correct the time (NTP) of that node",
    { lookInMs: 60_000 },
  );
}

/**
 * Only a branch that was served can be lost, and only one that is still asked for: a reset makes another anyway. One
 * that was never served is asked for again, or found to be remembered as deleted.
 */
export function lost(world: World, wish: Wish, now: Date): Plan | undefined {
  const { served, object } = world;
  if (!served || isReset(world) || !isAway(served)) return undefined;
  const doubt = goneInDoubt(world, wish);
  if (doubt) return doubt;
  const { expireTime } = wish.expiration;
  if (expireTime && now >= expireTime) return { do: 'markEnded', reason: 'Expired' };
  const leaseTime = object.status?.expiration?.leaseTime;
  const lapsed = leaseTime !== undefined && now >= new Date(leaseTime);
  return { do: 'markEnded', reason: lapsed ? 'LeaseLapsed' : 'DeletedExternally' };
}

/**
 * One answer is not enough to take a Secret or an object's branch away: a LIST of now has to agree with it, and to show
 * that the project can be seen at all.
 */
export function goneInDoubt({ served, family }: World, { project }: Wish): Plan | undefined {
  if (served?.branch.seen !== 'absent') return undefined;
  switch (family.seen) {
    case 'notAsked':
      return lookAround('freshFamily');
    case 'unknown':
      return trouble(family.error);
    case 'absent':
      return { ...stall(projectGone(project)), lookInMs: 60_000 };
    case 'present':
      return undefined;
  }
}

const projectGone = (project: string): Problem => ({
  reason: Reason.ProjectNotFound,
  message: `project ${project} does not exist any more, or the service principal of spec.provider.auth of the class may not see it; nothing is concluded about the branch. Give it CAN_MANAGE on the project, or delete this object`,
});

/**
 * A past that cannot be had: the object ends, so that nothing is made hours later that nobody expects any more. Not while
 * anything of it is there, or might be: an end deletes all.
 */
export function impossible(world: World, problem: Problem & { readonly reason: PastEnd }): Plan {
  const { served, family } = world;
  if (served) return stall(problem);
  const doubt = problem.reason === Reason.CreateRefused ? undefined : clockDoubt(world);
  if (doubt) return doubt;
  switch (family.seen) {
    case 'notAsked':
      return lookAround('freshFamily');
    case 'unknown':
      return trouble(family.error);
    case 'absent':
      return stall(problem);
    case 'present':
      if (family.value.branches.some(isThere)) return stall(problem);
      return mayAppear(world) ?? { do: 'markEnded', reason: problem.reason };
  }
}

/** Nobody looks for a branch of an object that has ended: one that still comes would keep its slot until its lease ends. */
const mayAppear = ({ memory: { untold, checkInMs } }: World): Wait | undefined =>
  untold
    ? waitFor(
        Reason.BranchCreating,
        'an operator before this one may have asked for a branch, which shows within two minutes',
        { lookInMs: Math.max(1000, checkInMs) },
      )
    : undefined;

/** An id that was once deleted is never used again: what it held is gone, and nobody may take the new for the old. */
export function usedUp({ object, served }: World, view: BranchView): Plan {
  const token = object.spec.reset?.token ?? '';
  if (served === undefined && token === '') return { do: 'markEnded', reason: 'DeletedExternally' };
  return stall({
    reason: Reason.ResetTokenReused,
    message: `the branch for reset.token ${JSON.stringify(token)} (${view.id}) was made and deleted before, and its name is not used again: set a reset.token that was never used`,
  });
}

/** An ended object keeps nothing: first the Secret goes, so that pods fail to start, then every branch. */
export function decideEnded(world: World, ended: Ended): Plan {
  const { secret, family } = world;
  const why = 'its branch has ended';
  if (secret.is === 'ours') return { do: 'deleteSecret', secret: secret.secret, why };
  if (secret.is === 'damaged' || secret.is === 'restored') return { do: 'deleteSecret', secret, why };
  if (family.seen === 'notAsked' && world.wish) return lookAround('freshFamily');
  if (family.seen === 'unknown') return { ...endedWait(ended, world.object), lookInMs: trouble(family.error).lookInMs };
  const left = family.seen === 'present' ? family.value.branches.filter(isThere) : [];
  if (mustTell(world, ended, left)) return { do: 'record' };
  return remains(
    endedWait(ended, world.object),
    left.filter(({ branch }) => !isStranger(world, branch.value)),
  );
}

/** What the provider made instead goes on record before it is deleted: nobody can find out afterwards. */
const mustTell = ({ object, wish }: World, { reason }: Ended, left: readonly ThereView[]): boolean =>
  pastEnds.some((known) => known === reason) &&
  wish?.past !== undefined &&
  !isTold(wish.past, object.status?.restored) &&
  left.some(({ id, branch }) => id === wish.branchId && branch.value.state === 'READY');

function remains(wait: Wait, left: readonly ThereView[]): Plan {
  const next = left.find((view) => mayBeDeleted(view.branch.value) && !isBeingDeleted(view));
  if (next) return { do: 'deleteBranch', branch: next.branch.value, why: 'its object has ended' };
  const stuck = left.find(({ branch }) => !mayBeDeleted(branch.value));
  if (left.length > 0 && !stuck) return { ...wait, transition: 'delete' };
  // Nothing is left, and nothing but an edit of the object will change that.
  if (!stuck) return { ...wait, lookInMs: Infinity };
  return {
    ...wait,
    message: `${wait.message}. Branch ${stuck.id} is still there, because it is protected or the default: change that at the provider, and it is deleted`,
  };
}

export interface Ended {
  readonly reason: string;
  readonly time: string;
}

const isBranchEnd = (reason: string): reason is BranchEnd => branchEnds.some((known) => known === reason);

export function endedWait({ reason, time }: Ended, { status }: World['object']): Wait {
  const known = isBranchEnd(reason) ? reason : 'Expired';
  const said = findCondition(status?.conditions ?? [], ConditionType.Stalled);
  // The provider's words stand nowhere else.
  const words = known === 'CreateRefused' && said?.reason === known ? said.message : endedMessage(known, time);
  return stall({ reason: known, message: words });
}

export const askForAnother =
  'Ask for another past: with another PointInTimeRestore, or another spec.source and a new spec.reset.token in the same edit';

function endedMessage(reason: BranchEnd, time: string): string {
  const again = 'Set a new spec.reset.token for a new branch';
  switch (reason) {
    case 'Expired':
      return `the object expired; its Secret and its branch are deleted since ${time}. For a new branch set a later spec.expiration and, in the same edit, a new spec.reset.token`;
    case 'LeaseLapsed':
      return `nobody extended the lease, and the provider removed the branch; seen at ${time}. ${again}`;
    case 'TimeSkewTooLarge':
      return `the provider did not make the past that was asked for (status.restored); the branch was deleted without a login for it. ${askForAnother}`;
    case 'RestoreWindowExceeded':
      return `the past that was asked for lies before what can be gone back to: by spec.restore.maxAge of the class, the history of the project, or the age of the source. No login was handed out. ${askForAnother}`;
    case 'RestoreTimeInFuture':
      return `the instant that was asked for had not come yet at ${time}, and nothing is made when it comes. Check its zone. ${askForAnother}`;
    case 'CreateRefused':
      return `the provider refused to make the past that was asked for, and is not asked again since ${time}. ${askForAnother}`;
    case 'DeletedExternally':
      return `somebody deleted the branch at the provider; seen at ${time}. Nothing was made in its place. ${again}`;
  }
}
