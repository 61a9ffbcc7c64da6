// When the provider's own expiry is pushed forward. Pure.
import { createHash } from 'node:crypto';

const periodMs = 12 * 3_600_000;

/** The next instant after `after` at which this object's lease is extended: every 12 h, at an offset hashed from its uid. */
export function nextLeaseInstant(uid: string, after: Date): Date {
  // A whole number, or the next instant after an instant could be that instant again.
  const offsetMs = createHash('sha256').update(`lease/${uid}`).digest().readUInt32BE(0) % periodMs;
  const slots = Math.floor((after.getTime() - offsetMs) / periodMs) + 1;
  return new Date(slots * periodMs + offsetMs);
}

/** Differences below this are rounding of the provider, not drift. */
const toleranceMs = 60_000;

/**
 * The instant at which the branch's expiry has to be set again: at once when it lies beyond the target (it would
 * outlive the object) or when it was never extended since the last instant; never when it stands at its final value.
 */
export function leaseDue(
  uid: string,
  current: Date | undefined,
  target: Date,
  leaseMs: number,
  now: Date,
): Date | undefined {
  if (current === undefined || current.getTime() > target.getTime() + toleranceMs) return now;
  if (current.getTime() >= target.getTime() - toleranceMs) {
    const isFinal = target.getTime() < now.getTime() + leaseMs - toleranceMs;
    return isFinal ? undefined : nextLeaseInstant(uid, now);
  }
  const extended = new Date(current.getTime() - leaseMs);
  return nextLeaseInstant(uid, extended);
}
