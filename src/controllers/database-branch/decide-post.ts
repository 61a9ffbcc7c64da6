// Whether to ask the provider for the branch, and what its silence or its refusal means. Pure.
import { ConditionType } from '../../api/v1alpha1/conditions.ts';
import { Reason } from '../../api/v1alpha1/reasons.ts';
import { findCondition } from '../../kit/conditions.ts';
import type { LakebaseError } from '../../lakebase/errors.ts';
import { expiryToAsk } from './decide-upkeep.ts';
import { askForAnother, impossible, usedUp } from './ended.ts';
import { nextCeilingMs } from './lease.ts';
import type { Because, Verdict } from './line.ts';
import { isBeingDeleted, isGone, mayBeDeleted } from './ours.ts';
import { askAgainMs } from './pacing.ts';
import { sourceProblem, sourceTooYoung } from './past.ts';
import { isQuota, look, lookAround, stall, trouble, waitFor, type Plan, type Wait } from './plan.ts';
import type { Problem, Wish } from './wish.ts';
import { isReset, type BranchView, type Place, type World } from './world.ts';

/** How long a POST that led to nothing visible is repeated before the object says so. */
const unseenMs = 2 * 60_000;
/** When that has led to nothing for long, it is repeated less often. */
const postSeldomMs = 60_000;

const againMs = ({ memory }: BranchView): number => ((memory.startingMs ?? 0) < unseenMs ? askAgainMs : postSeldomMs);

/**
 * Looked at are first the POSTs that were sent already, then whether the id may be used at all, then whether there is a
 * slot for it: an object that could not be created does not stand in the line.
 */
export function decidePost(world: World, wish: Wish, view: BranchView, now: Date): Plan {
  const { refusal, postedMsAgo } = view.memory;
  if (refusal && mayMeanFull(refusal)) {
    const full = world.place.seen === 'unknown' ? undefined : standInLine(world, wish);
    if (full) return full;
  }
  if (postedMsAgo !== undefined && postedMsAgo < againMs(view) && !shorterIsLeft(wish, view)) {
    const wait = unseen(world, wish, view, refusal);
    return refusedForGood(world, wish, refusal, wait) ?? wait;
  }
  const obstacle = ofThePast(world, wish, view) ?? used(world, wish, view) ?? makeRoom(world, wish, view);
  return obstacle ?? placed(world, wish, view, now);
}

// Which code a full project answers with is not documented, so the count decides, never the code.
const mayMeanFull = ({ code }: LakebaseError): boolean =>
  !['unauthenticated', 'notFound', 'exists', 'unreachable'].includes(code);

/** Refused, maybe because the expiry was too far ahead: a shorter one is tried at once. */
const shorterIsLeft = (wish: Wish, { memory }: BranchView): boolean =>
  memory.refusal?.code === 'invalid' &&
  memory.refusedAheadMs !== undefined &&
  nextCeilingMs(memory.refusedAheadMs, wish) !== undefined;

/** Of a branch that expires, or did not exist then, there is no past to be had. */
function ofThePast(world: World, wish: Wish, view: BranchView): Plan | undefined {
  if (!wish.past) return undefined;
  const { source } = view;
  if (source.seen === 'notAsked') return look('source', view);
  if (source.seen === 'unknown') return trouble(source.error);
  if (source.seen === 'absent' || isGone(source.value)) return stall(nothingToForkFrom(world, wish));
  const problem = sourceProblem(source.value);
  if (problem) return stall(problem);
  const tooYoung = sourceTooYoung(wish.past, source.value, world.clockSkewMs ?? 0);
  return tooYoung && impossible(world, tooYoung);
}

function used(world: World, wish: Wish, view: BranchView): Plan | undefined {
  const { rememberedAsDeleted } = world;
  switch (rememberedAsDeleted.seen) {
    case 'notAsked':
      return lookAround('deletedIds');
    case 'unknown':
      return trouble(rememberedAsDeleted.error);
    case 'absent':
      // Without a LIST nothing says that the id was never used.
      return stall(projectMissing(world, wish));
    case 'present':
      return rememberedAsDeleted.value ? usedUp(world, view) : undefined;
  }
}

/** `Replace`: the served branch goes first, as soon as it is sure that there is something to fork the next one from. */
function makeRoom(world: World, wish: Wish, view: BranchView): Plan | undefined {
  const { served, secret } = world;
  if (wish.strategy !== 'Replace' || !served || !isReset(world) || served.memory.gone) return undefined;
  switch (view.sourceEndpoints.seen) {
    case 'notAsked':
      return look('sourceEndpoints', view);
    case 'unknown':
      return trouble(view.sourceEndpoints.error);
    case 'absent':
      return stall(nothingToForkFrom(world, wish));
    case 'present':
      break;
  }
  const why = 'a fresh branch takes its place (reset.strategy: Replace)';
  if (secret.is === 'ours') return { do: 'deleteSecret', secret: secret.secret, why };
  if (secret.is === 'damaged') return { do: 'deleteSecret', secret, why };
  return giveUp(served, why);
}

function giveUp(served: BranchView, why: string): Plan | undefined {
  const { branch } = served;
  if (branch.seen === 'notAsked') return look('branch', served);
  if (branch.seen === 'unknown') return trouble(branch.error);
  if (branch.seen !== 'present' || isGone(branch.value) || branch.value.uid !== served.uid) return undefined;
  if (!mayBeDeleted(branch.value))
    return stall({
      reason: Reason.DeletionBlocked,
      message: `branch ${served.id} cannot be deleted, because it is protected or the default: change that at the provider, or set reset.strategy: Switch`,
    });
  if (!isBeingDeleted(served)) return { do: 'deleteBranch', branch: branch.value, why };
  return waitFor(Reason.Resetting, `branch ${served.id} is being deleted to make room`, { transition: 'delete' });
}

/** It was asked for, and may still become visible: the object must learn of it, whatever forbids a new one by now. */
export const isUnderWay = ({ memory: { startingMs = Infinity, refusal } }: BranchView): boolean =>
  startingMs < unseenMs && !refusal;

/** Undefined: there is a slot. */
export function standInLine({ place }: World, wish: Wish): Plan | undefined {
  if (place.seen === 'notAsked') return lookAround('place');
  if (place.seen === 'unknown') return trouble(place.error);
  if (place.seen === 'absent' || place.value.verdict.go) return undefined;
  return inLine(wish, place.value, place.value.verdict);
}

function placed(world: World, wish: Wish, view: BranchView, now: Date): Plan {
  const { place } = world;
  const wait = standInLine(world, wish);
  if (wait) return wait;
  if (place.seen !== 'present') return stall(projectMissing(world, wish));
  return { do: 'createBranch', wish, expiry: expiryToAsk(world, wish, view, now), snapshot: place.value.snapshot };
}

/** Whoever waits is woken when a branch of the project goes by our hand; by others, it looks again after a while. */
function inLine(wish: Wish, { lookInMs, nextSlotTime }: Place, { position, because }: Held): Wait {
  const queue = { position, ...(nextSlotTime ? { nextSlotTime: nextSlotTime.toISOString() } : {}) };
  const { reason, holds, first } = held[because];
  // Where in the line is for status.queue to say: a condition that moves with everybody ahead is written too often.
  const message = `${holds(wish)}: ${first}the branch is created as soon as one of them goes and it is this object's turn (status.queue)`;
  return waitFor(reason, message, { lookInMs, queue });
}

type Held = Extract<Verdict, { go: false }>;

interface Full {
  readonly reason: Reason;
  readonly holds: (wish: Wish) => string;
  readonly first: string;
}

const held: Readonly<Record<Because, Full>> = {
  project: {
    reason: Reason.WaitingForBranchSlot,
    holds: ({ project }) =>
      `project ${project} holds as many branches as the provider allows, or as spec.limits.reserve of the class leaves`,
    first: 'wait, or delete one that nobody needs; ',
  },
  classTotal: {
    reason: Reason.ClassLimitReached,
    holds: () => 'the class holds as many branches as its spec.limits.total allows',
    first: 'wait, or delete one that nobody needs; ',
  },
  namespace: {
    reason: Reason.NamespaceLimitReached,
    holds: () => 'this namespace holds as many branches as spec.limits.perNamespace of the class allows',
    first: 'delete one that nobody needs; ',
  },
};

/** A branch that was asked for and is not visible: what that means, by how long and by what the provider said. */
export function unseen(world: World, wish: Wish, view: BranchView, refusal: LakebaseError | undefined): Wait {
  const { startingMs = 0, postedMsAgo = 0 } = view.memory;
  const lookInMs = Math.max(0, againMs(view) - postedMsAgo);
  if (refusal && (refusal.code === 'unauthenticated' || refusal.code === 'denied'))
    return { ...trouble(refusal), lookInMs };
  if (refusal?.code === 'notFound') return { ...stall(nothingToForkFrom(world, wish)), lookInMs };
  const pace: Partial<Wait> =
    refusal || startingMs >= unseenMs ? { lookInMs: Math.min(lookInMs, askAgainMs) } : { transition: 'branch' };
  if (startingMs < unseenMs)
    return waitFor(Reason.BranchCreating, `branch ${wish.branchId} was asked for and is not visible yet`, pace);
  return stuckCreate(refusal, wish, pace);
}

/** A position beyond the end of the log comes to exist, hours later: by then nobody expects the branch. */
function refusedForGood(
  world: World,
  { past }: Wish,
  refusal: LakebaseError | undefined,
  wait: Wait,
): Plan | undefined {
  const { reason, message } = wait;
  const said = findCondition(world.object.status?.conditions ?? [], ConditionType.Stalled);
  // First the provider's words go on record: the end leaves them there.
  const isFinal = past && refusal?.code === 'invalid' && reason === Reason.CreateRefused && said?.reason === reason;
  return isFinal ? impossible(world, { reason, message }) : undefined;
}

/** The class asks for its project seldom, so what it says may be an hour old: a LIST that finds no project knows better. */
const projectMissing = ({ bclass }: World, { project }: Wish): Problem => ({
  reason: Reason.ProjectNotFound,
  message: `project ${project} does not exist at the provider, or the service principal of spec.provider.auth may not see it: give it CAN_MANAGE on the project, or correct spec.provider of class ${bclass?.metadata.name ?? ''} in a new class`,
});

function nothingToForkFrom(world: World, wish: Wish): Problem {
  const ready = findCondition(world.bclass?.status?.conditions ?? [], 'Ready');
  if (ready?.reason === Reason.ProjectNotFound) return projectMissing(world, wish);
  return {
    reason: Reason.SourceNotFound,
    message: `source branch ${wish.source} does not exist in project ${wish.project}: create it, or name another source`,
  };
}

function stuckCreate(refusal: LakebaseError | undefined, wish: Wish, pace: Partial<Wait>): Wait {
  if (!refusal || refusal.code === 'exists' || refusal.code === 'unreachable') {
    return waitFor(
      Reason.CreateUnclear,
      `the provider has not shown branch ${wish.branchId} for two minutes after it was asked for; it is asked for again every minute, which cannot make a second one`,
      pace,
    );
  }
  if (isQuota(refusal)) return { ...trouble(refusal), ...pace };
  const message =
    wish.past && refusal.code === 'invalid'
      ? `the provider refuses to make the past that was asked for: ${refusal.message}. ${askForAnother}`
      : `the provider refuses to create the branch: ${refusal.message}. Do what its words ask for; the create is repeated by itself`;
  return { ...stall({ reason: Reason.CreateRefused, message }), ...pace };
}
