// An object whose branch has ended: what is taken away, and what is said. Pure.
import { Reason } from '../../api/v1alpha1/reasons.ts';
import type { Branch } from '../../lakebase/model.ts';
import { deleteAgainMs } from './decide-deletion.ts';
import { isGone, mayBeDeleted } from './ours.ts';
import { look, stall, trouble, type EndReason, type Plan, type Wait } from './plan.ts';
import type { World } from './world.ts';

/** An ended object keeps nothing: first the Secret goes, so that pods fail to start, then the branch. */
export function decideEnded(world: World): Plan {
  const { secret, ended, tagged } = world;
  if (!ended) throw new Error('the object has not ended');
  const why = 'its branch has ended';
  if (secret.is === 'ours') return { do: 'deleteSecret', secret: secret.secret, why };
  if (secret.is === 'damaged' || secret.is === 'restored') return { do: 'deleteSecret', secret, why };
  if (tagged.seen === 'notAsked' && world.wish) return look('tagged');
  if (tagged.seen === 'unknown') return { ...endedWait(ended), lookInMs: trouble(tagged.error).lookInMs ?? 30_000 };
  const left = tagged.seen === 'present' ? tagged.value.filter((branch) => !isGone(branch)) : [];
  return remains(world, ended, left);
}

function remains({ memory }: World, ended: Ended, left: readonly Branch[]): Plan {
  const [next] = left.filter(mayBeDeleted);
  const [stuck] = left;
  if (next) {
    if (memory.deletedMsAgo !== undefined && memory.deletedMsAgo < deleteAgainMs)
      return { ...endedWait(ended), transition: 'delete' };
    return { do: 'deleteBranch', branch: next, project: next.project };
  }
  // Nothing is left, and nothing but an edit of the object will change that.
  if (!stuck) return { ...endedWait(ended), lookInMs: Infinity };
  const wait = endedWait(ended);
  return {
    ...wait,
    message: `${wait.message}. Branch ${stuck.id} is still there, because it is protected or the default`,
  };
}

export interface Ended {
  readonly reason: string;
  readonly time: string;
}

const reasons: Readonly<Record<EndReason, Reason>> = {
  Expired: Reason.Expired,
  LeaseLapsed: Reason.LeaseLapsed,
  DeletedExternally: Reason.DeletedExternally,
};

const isEndReason = (reason: string): reason is EndReason => Object.hasOwn(reasons, reason);

export function endedWait({ reason, time }: Ended): Wait {
  const known = isEndReason(reason) ? reason : 'Expired';
  return stall({ reason: reasons[known], message: endedMessage(known, time) });
}

function endedMessage(reason: EndReason, time: string): string {
  const again = 'Delete this object and create it again for a new branch';
  switch (reason) {
    case 'Expired':
      return `the object expired; its Secret and its branch were given up at ${time}. ${again}, with a later spec.expiration`;
    case 'LeaseLapsed':
      return `nobody extended the lease, and the provider removed the branch; seen at ${time}. ${again}`;
    case 'DeletedExternally':
      return `somebody deleted the branch at the provider; seen at ${time}. Nothing was made in its place. ${again}`;
  }
}
