// Whether to ask the provider for the branch, and what its silence or its refusal means. Pure.
import { Reason } from '../../api/v1alpha1/reasons.ts';
import { findCondition } from '../../kit/conditions.ts';
import type { LakebaseError } from '../../lakebase/errors.ts';
import { look, stall, trouble, waitFor, type Plan, type Wait } from './plan.ts';
import { leaseTarget, type Problem, type Wish } from './wish.ts';
import type { World } from './world.ts';

/** How long a POST that led to nothing visible is repeated before the object says so. */
const unseenMs = 2 * 60_000;
/** A request that may be repeated is repeated this often, and less often when that has led to nothing for long. */
export const postAgainMs = 10_000;
const postSeldomMs = 60_000;

const againMs = ({ memory }: World): number => ((memory.startingMs ?? 0) < unseenMs ? postAgainMs : postSeldomMs);

export function decidePost(world: World, wish: Wish, now: Date): Plan {
  const { refusal, postedMsAgo } = world.memory;
  if (refusal && mayMeanFull(refusal)) {
    if (world.unarchived.seen === 'notAsked') return look('room');
    if (world.unarchived.seen === 'present' && world.unarchived.value >= projectLimit)
      return waitFor(Reason.WaitingForBranchSlot, fullMessage(wish), { lookInMs: slotLookMs });
  }
  if (postedMsAgo !== undefined && postedMsAgo < againMs(world)) return unseen(world, wish, refusal);
  return post(world, wish, now);
}

/** Lakebase keeps at most ten unarchived branches in a project. */
const projectLimit = 10;
const slotLookMs = 30_000;
const fullMessage = ({ project }: Wish): string =>
  `project ${project} holds the ${projectLimit} branches that the provider allows: the branch is created as soon as one of them goes`;

// Which code a full project answers with is not documented, so the count decides, never the code.
const mayMeanFull = ({ code }: LakebaseError): boolean =>
  !['unauthenticated', 'notFound', 'exists', 'unreachable'].includes(code);

/** A branch that was asked for and is not visible: what that means, by how long and by what the provider said. */
export function unseen(world: World, wish: Wish, refusal: LakebaseError | undefined): Wait {
  const { startingMs = 0, postedMsAgo = 0 } = world.memory;
  const lookInMs = Math.max(0, againMs(world) - postedMsAgo);
  if (refusal && (refusal.code === 'unauthenticated' || refusal.code === 'denied'))
    return { ...trouble(refusal), lookInMs };
  if (refusal?.code === 'notFound') return { ...stall(nothingToForkFrom(world, wish)), lookInMs };
  const pace: Partial<Wait> =
    refusal || startingMs >= unseenMs ? { lookInMs: Math.min(lookInMs, postAgainMs) } : { transition: 'branch' };
  if (startingMs < unseenMs)
    return waitFor(Reason.BranchCreating, `branch ${wish.branchId} was asked for and is not visible yet`, pace);
  return stuckCreate(refusal, wish, pace);
}

function post({ rememberedAsDeleted }: World, wish: Wish, now: Date): Plan {
  // An id that was once deleted is never used again: what it held is gone, and nobody may take the new for the old.
  if (rememberedAsDeleted.seen === 'notAsked') return look('deletedIds');
  if (rememberedAsDeleted.seen === 'unknown') return trouble(rememberedAsDeleted.error);
  if (rememberedAsDeleted.seen === 'present' && rememberedAsDeleted.value)
    return { do: 'markEnded', reason: 'DeletedExternally' };
  return { do: 'createBranch', wish, expireTime: leaseTarget(wish.expiration, wish.leaseMs, now) };
}

function nothingToForkFrom({ bclass }: World, wish: Wish): Problem {
  const projectMissing = findCondition(bclass?.status?.conditions ?? [], 'Ready')?.reason === Reason.ProjectNotFound;
  if (projectMissing)
    return {
      reason: Reason.ProjectNotFound,
      message: `project ${wish.project} does not exist at the provider: correct spec.provider of class ${bclass?.metadata.name ?? ''} in a new class`,
    };
  return {
    reason: Reason.SourceNotFound,
    message: `source branch ${wish.source} does not exist in project ${wish.project}: create it, or name another source`,
  };
}

function stuckCreate(refusal: LakebaseError | undefined, wish: Wish, pace: Partial<Wait>): Wait {
  if (!refusal || refusal.code === 'exists' || refusal.code === 'unreachable') {
    return waitFor(
      Reason.CreateUnclear,
      `the provider has not shown branch ${wish.branchId} for two minutes after it was asked for; asking again every minute`,
      pace,
    );
  }
  return {
    ...stall({
      reason: Reason.CreateRefused,
      message: `the provider refuses to create the branch: ${refusal.message}`,
    }),
    ...pace,
  };
}
