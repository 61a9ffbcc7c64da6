// The way out: the finalizer goes only when nothing with the object's tag is left. Pure.
import { Reason } from '../../api/v1alpha1/reasons.ts';
import type { Branch } from '../../lakebase/model.ts';
import { look, trouble, waitFor, type Plan } from './plan.ts';
import { isGone, mayBeDeleted } from './ours.ts';
import type { World } from './world.ts';

/** A DELETE during INIT may be ignored by the provider: it is sent again so often. */
export const deleteAgainMs = 10_000;

/** After so long without a POST by us or our predecessor, a 404 for an id that nobody ever saw means "never made". */
const settleMs = 60_000;

export function decideDeletion(world: World): Plan {
  if (!world.claimed) return waitFor(Reason.Deleting, 'waiting for others to let the object go');
  if (world.releaseAsked) return { do: 'release', why: 'the annotation lakebranch.dev/release asks for it' };
  const { tagged, memory } = world;
  switch (tagged.seen) {
    case 'notAsked':
      return world.wish ? look('tagged') : unreachableProvider(world);
    case 'unknown':
      return {
        ...waitFor(Reason.DeletionWaiting, `the branch cannot be deleted yet: ${trouble(tagged.error).message}`),
        lookInMs: tagged.error.details.retryAfterMs ?? 10_000,
      };
    case 'absent':
      return settledAbsence(world);
    case 'present': {
      const left = tagged.value.filter((branch) => !isGone(branch));
      const [first] = childrenFirst(left);
      if (!first) return settledAbsence(world);
      if (!mayBeDeleted(first))
        return waitFor(Reason.DeletionBlocked, blocked(first), { stalled: true, lookInMs: 60_000 });
      if (memory.deletedMsAgo !== undefined && memory.deletedMsAgo < deleteAgainMs)
        return waitFor(Reason.Deleting, `branch ${first.id} is being deleted`, { transition: 'delete' });
      return { do: 'deleteBranch', branch: first, project: first.project };
    }
  }
}

// A class that is gone takes the way to the provider with it. An object that never came to a branch may still go.
function unreachableProvider({ object, problems, recorded, memory }: World): Plan {
  const quiet = memory.postedMsAgo === undefined && memory.leadingMs >= settleMs;
  const madeNothing = !recorded && !object.status?.candidate && quiet;
  const [problem] = problems;
  if (madeNothing && problem?.reason === Reason.ClassNotFound)
    return { do: 'release', why: 'no branch was ever made, and its class does not exist' };
  const message = `the branch cannot be deleted: ${problem?.message ?? 'its class cannot be used'}. To let it go undeleted, annotate lakebranch.dev/release: ${object.metadata.uid ?? ''}`;
  return waitFor(Reason.DeletionWaiting, message, { lookInMs: 10_000 });
}

// A uid on record proves that the id existed, so a 404 proves that it is gone. Without one, somebody's POST may be in flight.
function settledAbsence({ recorded, memory }: World): Plan {
  if (recorded) return { do: 'release', why: 'the branch is gone' };
  const quietMs = Math.min(memory.leadingMs, memory.postedMsAgo ?? Infinity);
  if (quietMs >= settleMs) return { do: 'release', why: 'no branch was made' };
  return waitFor(Reason.Deleting, 'making sure that no create is still under way', { lookInMs: settleMs - quietMs });
}

function childrenFirst(branches: readonly Branch[]): readonly Branch[] {
  const parents = new Set(branches.map((branch) => branch.sourceBranch));
  return [...branches].sort((a, b) => Number(parents.has(a.id)) - Number(parents.has(b.id)));
}

function blocked(branch: Branch): string {
  const why = branch.isDefault
    ? 'it is the default branch of the project'
    : branch.isProtected
      ? 'it is protected'
      : 'it is a root branch';
  return `branch ${branch.id} cannot be deleted: ${why}. Change that at the provider; the object goes by itself afterwards`;
}
