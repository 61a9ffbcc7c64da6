// The straight path of a branch that is not served yet, and the way back for one whose Secret is gone. Pure.
import { Reason } from '../../api/v1alpha1/reasons.ts';
import type { Branch } from '../../lakebase/model.ts';
import { instantProblem, type PastProblem } from '../restores.ts';
import { decidePost, isUnderWay, standInLine, unseen } from './decide-post.ts';
import { prepare } from './decide-preparation.ts';
import { impossible, usedUp } from './ended.ts';
import { isGone, notOurs } from './ours.ts';
import { hold, look, stall, trouble, waitFor, type Plan } from './plan.ts';
import { holdsAnotherPast, pastProblem } from './past.ts';
import { mayComeFrom, type Problem, type Wish } from './wish.ts';
import { isReset, type BranchView, type World } from './world.ts';

/** Whether there is such a branch already, and if it is the object's own; the rest is its preparation. */
export function decideCreation(world: World, wish: Wish, view: BranchView, now: Date): Plan {
  const obstacle = obstacleOf(world, wish, view);
  if (obstacle) return hold(obstacle);
  if (world.namespaceTerminating)
    return waitFor(Reason.NamespaceTerminating, 'the namespace is being deleted: nothing new is made in it', {
      lookInMs: 10_000,
    });
  const { branch } = view;
  switch (branch.seen) {
    case 'notAsked':
      // Whoever waits for a slot asks for nothing but the slot: one LIST does for all who wait.
      return (waitsOnly(world, wish, view, now) ? standInLine(world, wish) : undefined) ?? look('branch', view);
    case 'unknown':
      return trouble(branch.error);
    case 'absent': {
      const untimely = isBegun(view) ? undefined : instantRefused(world, wish, now);
      if (untimely) return impossible(world, untimely);
      // A candidate that was seen and is gone would be a new create.
      if (!world.problems[0]) return decidePost(world, wish, view, now);
      return isUnderWay(view) ? unseen(world, wish, view, undefined) : hold(world.problems[0]);
    }
    case 'present':
      return accept(world, wish, view, branch.value, now);
  }
}

/** There is nothing left to look at, and nothing to give up for a slot. */
const waitsOnly = (world: World, wish: Wish, { memory }: BranchView, now: Date): boolean =>
  memory.vacant && !(wish.strategy === 'Replace' && isReset(world)) && !instantRefused(world, wish, now);

/** Asked for once, it is looked for, though the window has passed meanwhile. */
const isBegun = (view: BranchView): boolean => view.uid !== undefined || isUnderWay(view);

/** The served branch of an object that asks for another one, and whose Secret is gone or has to be proved anew. */
export function heal(world: World, wish: Wish, now: Date): Plan | undefined {
  const { served, secret, secretNameTakenBy } = world;
  if (!served || served.memory.gone || secret.is === 'foreign' || secretNameTakenBy) return undefined;
  // Given up on purpose, to make room for the next one.
  if (wish.strategy === 'Replace') return undefined;
  if (served.branch.seen === 'notAsked') return look('branch', served);
  if (served.branch.seen === 'unknown') return trouble(served.branch.error);
  if (served.branch.seen !== 'present' || isGone(served.branch.value)) return undefined;
  return accept(world, wish, served, served.branch.value, now);
}

function obstacleOf(world: World, wish: Wish, view: BranchView): Problem | undefined {
  const { secret, secretNameTakenBy, problems, served, paused } = world;
  const owned = (message: string): Problem => ({ reason: Reason.SecretNotOwned, message });
  if (secret.is === 'foreign')
    return owned(
      `Secret ${wish.secretName} exists and belongs to ${secret.controller ?? 'somebody else'}: delete it, or choose another spec.credentials.secretName in a new object`,
    );
  if (secretNameTakenBy)
    return owned(
      `DatabaseBranch ${secretNameTakenBy} of this namespace is older and writes Secret ${wish.secretName}: give one of them another name`,
    );
  // What is served, or was accepted before, goes on.
  if (served === view) return undefined;
  if (paused !== 'no') return pausedChange;
  if (isBegun(view)) return isReset(world) ? problems[0] : undefined;
  return problems[0] ?? pastRefused(world, wish);
}

/** What the class does not allow now, it may come to allow. */
const pastRefused = ({ bclass, asker }: World, { past }: Wish): Problem | undefined =>
  past && bclass && pastProblem(bclass, asker);

/** What no time mends: an instant that is too old gets older, and one of the future was a mistake. */
const instantRefused = ({ bclass, object }: World, { past }: Wish, now: Date): PastProblem | undefined =>
  past?.is === 'time' && bclass
    ? instantProblem(past.requested, bclass, { now, created: object.metadata.creationTimestamp })
    : undefined;

const pausedChange: Problem = {
  reason: Reason.PausedByAnnotation,
  message:
    'a new branch is asked for, and the annotation lakebranch.dev/paused holds it up: remove the annotation to go on',
  passes: true,
};

function accept(world: World, wish: Wish, view: BranchView, branch: Branch, now: Date): Plan {
  if (isGone(branch)) return usedUp(world, view);
  const foreign = notOurs(branch, claimOf(world, wish, view));
  if (foreign)
    return stall({
      reason: Reason.BranchNotOurs,
      message: `${foreign}. It is not touched, and no login is handed out for it. ${notOursRemedy(branch)}`,
    });
  if (isOfAnotherSource(world, wish, view, branch))
    return stall({
      reason: Reason.ResetTokenReused,
      message: `branch ${branch.id} was made for reset.token ${JSON.stringify(wish.resetToken)} when spec.source was another one, so it holds other data than what is asked for now: set a reset.token that was never used`,
    });
  return view.uid === branch.uid ? prepare(world, wish, view, branch, now) : { do: 'record' };
}

/** Whoever goes back to a former token while its branch still drains may have changed the source meanwhile. */
function isOfAnotherSource(world: World, wish: Wish, view: BranchView, branch: Branch): boolean {
  if (view === world.served || !wasServed(world, view)) return false;
  // The default of the class may have changed since: the object asks for nothing else than it did.
  const isNamed = world.object.spec.source !== undefined;
  if (isNamed && !mayComeFrom(wish, branch.sourceBranch)) return true;
  return holdsAnotherPast(wish.past, branch, world.clockSkewMs ?? 0);
}

const notOursRemedy = ({ isProtected }: Branch): string =>
  isProtected
    ? 'End its protection at the provider, or set a new spec.reset.token for a branch of another name'
    : 'Find out who made it, then set a new spec.reset.token for a branch of another name';

const claimOf = (world: World, wish: Wish, view: BranchView): Parameters<typeof notOurs>[1] => ({
  // A candidate that was never served may be replaced by another under the same id; what was served may not.
  recordedUid: wasServed(world, view) ? view.uid : undefined,
  mayComeFrom: wasServed(world, view) ? undefined : (source) => mayComeFrom(wish, source),
  source: wish.source,
  objectCreated: new Date(world.object.metadata.creationTimestamp ?? 0),
  skewMs: world.clockSkewMs ?? 0,
});

const wasServed = ({ served, object }: World, view: BranchView): boolean =>
  view === served || (object.status?.superseded ?? []).some(({ uid }) => uid === view.uid);
