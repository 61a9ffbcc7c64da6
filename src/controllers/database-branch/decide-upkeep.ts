// What a branch needs while it lives, whether it is served or still in the making: its lease and its size. Pure.
import { Reason } from '../../api/v1alpha1/reasons.ts';
import type { Branch } from '../../lakebase/model.ts';
import { cannotExpire, expiryOf, leaseDue, leaseLengthMs, nextCeilingMs } from './lease.ts';
import { operationStep, roleStep } from './decide-preparation.ts';
import { isGone } from './ours.ts';
import { look, waitFor, type Expiry, type Plan } from './plan.ts';
import { sizeChange } from './size.ts';
import type { Wish } from './wish.ts';
import { isReset, type BranchView, type World } from './world.ts';

export function upkeep(world: World, wish: Wish, now: Date): Plan | undefined {
  const { served, wanted } = world;
  const ofServed = served && !served.memory.gone ? servedUpkeep(world, wish, served, now) : undefined;
  return ofServed ?? (wanted && wanted !== served ? leaseStep(world, wish, wanted, now) : undefined);
}

function servedUpkeep(world: World, wish: Wish, served: BranchView, now: Date): Plan | undefined {
  if (served.branch.seen === 'notAsked' && wantsLook(world, wish, served, now)) return look('branch', served);
  return leaseStep(world, wish, served, now) ?? sizeStep(world, wish, served) ?? roleCheck(world, wish, served);
}

function wantsLook(world: World, wish: Wish, { memory, id }: BranchView, now: Date): boolean {
  const { specSeen, family } = world;
  if (leaseByStatus(world, wish, now) <= now && waited(memory.lease) && leaseRestMs(world, wish) <= 0) return true;
  // A LIST never proves an absence: a branch that it does not show is asked for by name.
  const missing = family.seen === 'present' && family.value.branches.every((view) => view.id !== id);
  return memory.mintSaidGone || missing || !specSeen;
}

/**
 * A lease that is due and cannot be extended must not have the branch asked for without end. One that cannot have any,
 * because it is protected say, is seen at the usual checks.
 */
function leaseRestMs({ object, served }: World, { life }: Wish): number {
  const hasLease = object.status?.expiration?.enforcedBy !== 'Operator';
  // A lease that has to be lifted keeps children waiting.
  const restMs = !hasLease ? 10 * 60_000 : life === 'leased' ? 60_000 : 1_000;
  return restMs - (served?.memory.askedMsAgo ?? Infinity);
}

const waited = (failure: { readonly nextInMs: number } | undefined): boolean => !failure || failure.nextInMs <= 0;

/** When the lease is next extended, by what the status remembers of it; the branch itself is asked before anything is sent. */
function leaseByStatus(world: World, wish: Wish, now: Date): Date {
  const { uid, object, memory } = world;
  const leaseTime = object.status?.expiration?.leaseTime;
  const known = object.status?.expiration?.enforcedBy !== undefined;
  const never = new Date(8.64e15);
  const target = expiryOf(wish, true, { ceilingMs: memory.ceilingMs, now });
  // Without a record there may be a lease that nobody extends, or one that has to be lifted.
  if (!known && !target.at) return now;
  const length = leaseLengthMs(wish, true, memory.ceilingMs);
  return leaseDue(uid, leaseTime ? new Date(leaseTime) : undefined, target, length, now) ?? never;
}

export function leaseDueMs(world: World, wish: Wish, now: Date): number {
  const memory = world.served?.memory;
  const dueMs = Math.max(0, leaseByStatus(world, wish, now).getTime() - now.getTime());
  return Math.max(dueMs, memory?.lease?.nextInMs ?? 0, leaseRestMs(world, wish));
}

// A provider that refuses an expiry (of a protected branch, say) is asked again after a while, and holds up nothing else.
export function leaseStep(world: World, wish: Wish, view: BranchView, now: Date): Plan | undefined {
  const branch = oursIn(view);
  if (!branch || cannotExpire(branch)) return undefined;
  const { memory } = view;
  const expiry = expiryToAsk(world, wish, view, now);
  if (!waited(memory.lease) && shorterExpiry(view, wish) === undefined) return undefined;
  const length = leaseLengthMs(wish, world.served?.id === view.id, world.memory.ceilingMs);
  const due = leaseDue(world.uid, branch.expireTime, expiry, length, now);
  return due && now >= due ? { do: 'setExpiry', branch, expiry, why: 'lease' } : undefined;
}

const oursIn = ({ branch, uid }: BranchView): Branch | undefined =>
  branch.seen === 'present' && branch.value.uid === uid && !isGone(branch.value) ? branch.value : undefined;

const shorterExpiry = ({ memory: { refusedAheadMs } }: BranchView, wish: Wish): number | undefined =>
  refusedAheadMs === undefined ? undefined : nextCeilingMs(refusedAheadMs, wish);

/** What to ask for now: less than wanted, if that was refused as too far. */
export function expiryToAsk({ served, memory }: World, wish: Wish, view: BranchView, now: Date): Expiry {
  const ceilingMs = Math.min(memory.ceilingMs ?? Infinity, shorterExpiry(view, wish) ?? Infinity);
  return expiryOf(wish, served?.id === view.id, { ceilingMs, now });
}

// Followed are an edit of the spec at once, and a size that somebody changed at the provider at the next lease. The
// branch itself is asked for again only if something has to be changed.
function sizeStep(world: World, wish: Wish, view: BranchView): Plan | undefined {
  const { memory, endpoint } = view;
  if (!mayCheck(world, view) || !waited(memory.size)) return undefined;
  const isSettled = world.specSeen || memory.sized;
  const isDue = !isSettled || memory.endpointCheckDue || memory.size !== undefined;
  if (endpoint.seen === 'notAsked') return isDue ? look('endpoint', view) : undefined;
  if (endpoint.seen !== 'present' || world.paused !== 'no' || forbidsChange(world)) return undefined;
  const size = sizeChange(endpoint.value, wish.size);
  return size && afterLook(view, { do: 'resize', of: view, endpoint: endpoint.value, size });
}

/** Unless this pass has seen that it is not ours, or could not tell. */
const mayCheck = (world: World, view: BranchView): boolean =>
  !isReset(world) && (view.branch.seen === 'notAsked' || oursIn(view) !== undefined);

const afterLook = (view: BranchView, plan: Plan): Plan =>
  view.branch.seen === 'notAsked' ? look('branch', view) : plan;

/** A class that has ceased to allow the source, or is about to go, does not hold up the care of what is served. */
const forbidsChange = ({ problems }: World): boolean => problems.some(({ reason }) => !onlyForCreates.has(reason));

const onlyForCreates = new Set<Reason>([
  Reason.SourceNotAllowed,
  Reason.SourceRefNotFound,
  Reason.SourceRefNotReady,
  Reason.SourceRefNotAllowed,
  Reason.ClassTerminating,
]);

/** Without its role the login opens nothing; what else hangs on the role, a person has to mend. */
function roleCheck(world: World, wish: Wish, view: BranchView): Plan | undefined {
  if (!mayCheck(world, view) || !view.memory.roleCheckDue || !waited(view.memory.role)) return undefined;
  const plan = operationStep(view) ?? roleStep(world, wish, view);
  if (!plan || plan.do === 'wait') return undefined;
  return plan.do === 'look' ? plan : afterLook(view, plan);
}

/** Paused altogether: the provider is first told the full life of the branch, because nobody will extend its lease. */
export function park(world: World, wish: Wish, now: Date): Plan {
  const { served, secret } = world;
  const tokenMs = secret.is === 'ours' ? secret.secret.expireTime.getTime() - now.getTime() : 0;
  const wait = waitFor(
    Reason.PausedByAnnotation,
    'the annotation lakebranch.dev/paused: "all" stops everything but deletion, so the token in the Secret runs out: remove the annotation to go on',
    { lookInMs: tokenMs > 0 ? tokenMs : Infinity },
  );
  if (!served || served.memory.gone) return wait;
  const full: Wish = { ...wish, life: wish.life === 'leased' ? 'retained' : wish.life };
  if (served.branch.seen === 'notAsked' && leaseByStatus(world, full, now) <= now) return look('branch', served);
  const isOpen = served.branch.seen === 'unknown' || served.memory.lease !== undefined;
  return leaseStep(world, full, served, now) ?? (isOpen ? { ...wait, lookInMs: 10_000 } : wait);
}
