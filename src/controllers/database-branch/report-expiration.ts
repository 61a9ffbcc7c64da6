// When the branch ends, and who sees to it, as the status shows it. Pure.
import type { DatabaseBranchStatus } from '../../api/v1alpha1/database-branch.ts';
import type { IssuedSecret } from '../../credentials/secret.ts';
import type { Branch } from '../../lakebase/model.ts';
import { cannotExpire } from './lease.ts';
import type { Expiry } from './plan.ts';
import type { Report } from './report.ts';
import { viewOf, type World } from './world.ts';

type Status = DatabaseBranchStatus;
type Expiration = NonNullable<Status['expiration']>;
type Enforcement = Pick<Expiration, 'enforcedBy' | 'leaseTime' | 'clampedFrom'>;

export function expirationFields(seen: Report, issued: IssuedSecret | undefined): Partial<Status> {
  const { wish, ended } = seen.world;
  // Refused by the class and nothing pinned before: there is nothing to say.
  if (!wish || ended || wish.expiration.pinnedFrom === undefined) return {};
  const { expireTime, pinnedFrom } = wish.expiration;
  return {
    expiration: {
      pinnedFrom,
      ...(expireTime ? { expireTime: expireTime.toISOString() } : {}),
      ...(enforcementSeen(seen, issued) ?? enforcementBefore(seen.world)),
    },
  };
}

function enforcementBefore({ object }: World): Enforcement {
  const { expireTime: _, pinnedFrom: __, ...enforcement } = object.status?.expiration ?? {};
  return enforcement;
}

/** What this pass learned of the provider's own expiry of the served branch, or of the one that is to be. */
function enforcementSeen(seen: Report, issued: IssuedSecret | undefined): Enforcement | undefined {
  const { world } = seen;
  const view = issued ? viewOf(world, issued.binding.branchId) : (world.served ?? world.wanted);
  const set = expirySet(seen, view?.id);
  if (set) return enforced(set);
  const before = enforcementBefore(world);
  if (view?.branch.seen === 'present') return enforced(expiryOf(view.branch.value, before));
  // Not seen yet, but if it is there, it ends then: enough to let it go in an outage.
  const at = world.served ? undefined : view?.memory.postedExpireTime;
  return at && before.enforcedBy === undefined ? enforced({ at }) : undefined;
}

/** The expiry that this very step has told the provider. */
function expirySet({ plan, outcome }: Report, id: string | undefined): Expiry | undefined {
  if (plan.do === 'createBranch') return plan.wish.branchId === id ? plan.expiry : undefined;
  return plan.do === 'setExpiry' && outcome.is === 'done' && plan.branch.id === id ? plan.expiry : undefined;
}

function expiryOf(branch: Branch, { leaseTime, clampedFrom }: Enforcement): Expiry {
  const { expireTime: at } = branch;
  if (!at || cannotExpire(branch)) return {};
  const isUnchanged = clampedFrom !== undefined && at.toISOString() === leaseTime;
  return { at, ...(isUnchanged ? { clampedFrom: new Date(clampedFrom) } : {}) };
}

function enforced({ at, clampedFrom }: Expiry): Enforcement {
  if (!at) return { enforcedBy: 'Operator' };
  return {
    enforcedBy: 'Provider',
    leaseTime: at.toISOString(),
    ...(clampedFrom ? { clampedFrom: clampedFrom.toISOString() } : {}),
  };
}
