// When the provider's own expiry of a branch is set, and to what. Pure.
import { createHash } from 'node:crypto';
import type { Branch } from '../../lakebase/model.ts';
import type { Expiry } from './plan.ts';
import type { Wish } from './wish.ts';

const hourMs = 3_600_000;
const periodMs = 12 * hourMs;

/** The instant after the end of the object at which the provider removes what we did not: we act first, it is the net. */
export const netMs = 10 * 60_000;

/** The next instant after `after` at which this object's lease is extended: every 12 h, at an offset hashed from its uid. */
export function nextLeaseInstant(uid: string, after: Date): Date {
  // A whole number, or the next instant after an instant could be that instant again.
  const offsetMs = createHash('sha256').update(`lease/${uid}`).digest().readUInt32BE(0) % periodMs;
  const slots = Math.floor((after.getTime() - offsetMs) / periodMs) + 1;
  return new Date(slots * periodMs + offsetMs);
}

/** What bounds an expiry beside the object's own wishes. */
export interface Bounds {
  /** Further ahead than this the provider lets no branch of the class expire, as far as is known. */
  readonly ceilingMs: number | undefined;
  readonly now: Date;
}

/**
 * What the provider is to be told about a branch. One that was never served is always leased, so that an answer lost for
 * ever costs at most one lease. A leased branch is never told more than one lease ahead, so that a destroyed cluster
 * leaves nothing behind; a retained one is told its end at once, because nobody will tell it later.
 */
export function expiryOf(wish: Wish, served: boolean, { ceilingMs = Infinity, now }: Bounds): Expiry {
  if (served && wish.life === 'unleased') return {};
  const end = wish.expiration.expireTime ? wish.expiration.expireTime.getTime() + netMs : Infinity;
  const leaseMs = served && wish.life === 'retained' && end < Infinity ? Infinity : wish.leaseMs;
  const wanted = Math.min(end, now.getTime() + leaseMs);
  const at = Math.min(wanted, now.getTime() + ceilingMs);
  return { at: new Date(at), ...(at < wanted ? { clampedFrom: new Date(wanted) } : {}) };
}

/** How far ahead an expiry is pushed each time: one that was never served is leased, whatever it is to become. */
export function leaseLengthMs({ life, leaseMs }: Wish, served: boolean, ceilingMs: number | undefined): number {
  return Math.min(served && life === 'retained' ? Infinity : leaseMs, ceilingMs ?? Infinity);
}

/**
 * The next shorter expiry to try, in ms ahead, after one of `refusedMs` was refused as too far; undefined when there is
 * none. Why a provider refuses an expiry is not documented, so the usual limits are tried in falling order.
 */
export function nextCeilingMs(refusedMs: number, { leaseMs, historyRetentionMs }: Wish): number | undefined {
  const limits = [leaseMs, historyRetentionMs ?? Infinity, 168 * hourMs, 24 * hourMs];
  const below = limits.filter((limit) => limit < refusedMs - toleranceMs);
  return below.length === 0 ? undefined : Math.max(...below);
}

/** Differences below this are rounding of the provider, not drift. */
export const toleranceMs = 60_000;

/**
 * The instant at which the branch's expiry has to be set again: at once when it lies beyond the target (it would
 * outlive the object) or when it was never extended since the last instant; never when it stands at its final value.
 */
export function leaseDue(
  uid: string,
  current: Date | undefined,
  target: Expiry,
  lengthMs: number,
  now: Date,
): Date | undefined {
  if (!target.at) return current === undefined ? undefined : now;
  // What the provider has granted once stays, though it has refused as much to another branch since.
  const latest = target.clampedFrom ?? target.at;
  if (current === undefined || current.getTime() > latest.getTime() + toleranceMs) return now;
  if (current.getTime() >= target.at.getTime() - toleranceMs) {
    const isFinal = target.at.getTime() < now.getTime() + lengthMs - toleranceMs;
    return isFinal ? undefined : nextLeaseInstant(uid, now);
  }
  // A length without end has no instants: what falls short of its final value is set again at once.
  if (lengthMs === Infinity) return now;
  return nextLeaseInstant(uid, new Date(current.getTime() - lengthMs));
}

/** The provider refuses an expiry of the first two; a root is nobody's fork, so its end is not for us to set. */
export const cannotExpire = ({ isProtected, isDefault, sourceBranch }: Branch): boolean =>
  isProtected || isDefault || sourceBranch === undefined;
