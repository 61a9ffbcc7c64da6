// The instants of the lease to the millisecond, and what bounds an expiry.
import { expect, test } from 'vitest';
import { aBranch, hours, later, minutes, now, wish as aWish } from '../../../test/builders/world.ts';
import { cannotExpire, expiryOf, leaseDue, leaseLengthMs, nextCeilingMs, nextLeaseInstant } from './lease.ts';
import type { Wish } from './wish.ts';

const endless = { pinnedFrom: 'spec' } as const;
const wish = (change: Partial<Wish> = {}): Wish => ({ ...aWish, leaseMs: hours(96), expiration: endless, ...change });
const endsIn = (ms: number): Partial<Wish> => ({ expiration: { ...endless, expireTime: later(ms) } });

test('an upgrade of the operator moves no instant', () => {
  expect(nextLeaseInstant('uid-1', now)).toEqual(new Date('2026-11-25T19:01:12.994Z'));
});

const lease = hours(96);
const instant = nextLeaseInstant('u', now);

test.each<[string, Date | undefined, { at?: Date; clampedFrom?: Date }, number, Date | undefined]>([
  ['a branch that is to expire never and does not is left alone', undefined, {}, lease, undefined],
  ['a branch that is to expire never and does is freed now', later(hours(1)), {}, lease, now],
  ['one that does not expire and shall is told now', undefined, { at: later(lease) }, lease, now],
  ['a minute beyond the target is rounding', later(lease + 60_000), { at: later(lease) }, lease, instant],
  ['more is set now', later(lease + 60_001), { at: later(lease) }, lease, now],
  ['a minute before the target is rounding', later(lease - 60_000), { at: later(lease) }, lease, instant],
  [
    'less was extended before, and has its next instant counted from there',
    later(lease - 60_001),
    { at: later(lease) },
    lease,
    nextLeaseInstant('u', later(-60_001)),
  ],
  [
    'an end that no lease reaches yet is not final',
    later(lease - 60_000),
    { at: later(lease - 60_000) },
    lease,
    instant,
  ],
  ['an end reached but for rounding is final too', later(hours(5) - 60_000), { at: later(hours(5)) }, lease, undefined],
  ['an end nearer than a lease is final', later(lease - 60_001), { at: later(lease - 60_001) }, lease, undefined],
  [
    'what was granted once stays, though as much is refused since',
    later(lease),
    { at: later(hours(24)), clampedFrom: later(lease) },
    hours(24),
    instant,
  ],
  ['what falls short of an end without a lease is set now', later(hours(1)), { at: later(hours(9)) }, Infinity, now],
])('%s', (_sentence, current, target, lengthMs, expected) =>
  expect(leaseDue('u', current, target, lengthMs, now)).toEqual(expected),
);

test.each<[string, Wish, boolean, number | undefined, object]>([
  ['a leased branch is told one lease', wish({ life: 'leased' }), true, undefined, { at: later(lease) }],
  [
    'one that ends before is told its end and 10 minutes for us to be first',
    wish({ life: 'leased', ...endsIn(hours(5)) }),
    true,
    undefined,
    { at: later(hours(5) + minutes(10)) },
  ],
  [
    'one that ends later is told one lease',
    wish({ life: 'leased', ...endsIn(hours(200)) }),
    true,
    undefined,
    { at: later(lease) },
  ],
  ['an unleased branch is told nothing', wish({ life: 'unleased' }), true, undefined, {}],
  ['until it is served it is leased too', wish({ life: 'unleased' }), false, undefined, { at: later(lease) }],
  [
    'a retained branch is told its end at once',
    wish({ life: 'retained', ...endsIn(hours(200)) }),
    true,
    undefined,
    { at: later(hours(200) + minutes(10)) },
  ],
  [
    'but not before it is served',
    wish({ life: 'retained', ...endsIn(hours(200)) }),
    false,
    undefined,
    { at: later(lease) },
  ],
  ['a retained branch without an end is leased', wish({ life: 'retained' }), true, undefined, { at: later(lease) }],
  [
    'what the provider does not allow is cut, and remembered',
    wish({ life: 'leased' }),
    true,
    hours(24),
    { at: later(hours(24)), clampedFrom: later(lease) },
  ],
  ['a limit that is just the lease cuts nothing', wish({ life: 'leased' }), true, lease, { at: later(lease) }],
])('%s', (_sentence, asked, served, ceilingMs, expected) =>
  expect(expiryOf(asked, served, { ceilingMs, now })).toEqual(expected),
);

test.each<[string, Partial<Wish>, number | undefined, number]>([
  ['a lease is pushed forward by its length', { life: 'leased' }, undefined, lease],
  ['or by what the provider allows', { life: 'leased' }, hours(24), hours(24)],
  ['a retained branch has no lease', { life: 'retained' }, undefined, Infinity],
])('%s', (_sentence, change, ceilingMs, expected) =>
  expect(leaseLengthMs(wish(change), true, ceilingMs)).toBe(expected),
);

test('one that is to be retained, and was never served, is leased as any other', () => {
  expect(leaseLengthMs(wish({ life: 'retained' }), false, undefined)).toBe(lease);
});

test.each<[string, Partial<Wish>, number, number | undefined]>([
  ['after a month comes the retention of history', { historyRetentionMs: hours(200) }, hours(720), hours(200)],
  ['then a week', { historyRetentionMs: hours(200) }, hours(200), hours(168)],
  ['then the lease', { historyRetentionMs: hours(200) }, hours(168), lease],
  ['then a day', {}, lease, hours(24)],
  ['a day and a minute is the day', {}, hours(24) + 60_000, undefined],
  ['a moment more is not', {}, hours(24) + 60_001, hours(24)],
])('%s', (_sentence, change, refusedMs, expected) => expect(nextCeilingMs(refusedMs, wish(change))).toBe(expected));

test('a protected branch, the default branch and a root cannot expire', () => {
  const { sourceBranch: _none, ...root } = aBranch();
  const branches = [aBranch(), aBranch({ isProtected: true }), aBranch({ isDefault: true }), root];
  expect(branches.map(cannotExpire)).toEqual([false, true, true, true]);
});
