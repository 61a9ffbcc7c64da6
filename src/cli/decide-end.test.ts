import { expect, test } from 'vitest';
import { aBranchClass } from '../../test/builders/branch-class.ts';
import { aDatabaseBranch } from '../../test/builders/database-branch.ts';
import type { Change } from '../../test/builders/merge.ts';
import type { DatabaseBranch } from '../api/v1alpha1/database-branch.ts';
import { endedMark } from '../lakebase/ids.ts';
import { decideEnd, decideExtension, type EndWish } from './decide-end.ts';

/** Made at 12:00 of the 21st; the class allows 336 hours: until 12:00 of the 5th of October. */
const now = new Date('2026-09-22T12:00:00Z');
const at = (text: string): EndWish => ({ kind: 'at', instant: new Date(text) });
const later = (hours: number): EndWish => ({ kind: 'later', ms: hours * 3_600_000 });
const fromNow = (hours: number): EndWish => ({ kind: 'fromNow', ms: hours * 3_600_000 });
const never: EndWish = { kind: 'never' };

const pinned = (expireTime: string | undefined): Change<DatabaseBranch> => ({
  status: { observedGeneration: 1, expiration: { pinnedFrom: 'hash', expireTime } },
});
const expired: Change<DatabaseBranch> = {
  metadata: { annotations: { 'lakebranch.dev/ended': `${endedMark('')}/Expired/2026-09-22T11:00:00Z` } },
};

test.each<[string, Change<DatabaseBranch>, EndWish, string]>([
  ['by hours, counted from what the operator says', pinned('2026-09-25T00:00:00Z'), later(24), '2026-09-26T00:00:00Z'],
  [
    'by hours, counted from the ttl before the operator has looked',
    { spec: { expiration: { ttl: '48h' } } },
    later(24),
    '2026-09-24T12:00:00Z',
  ],
  [
    'by hours, counted from at',
    { spec: { expiration: { at: '2026-09-23T00:00:00+02:00' } } },
    later(2),
    '2026-09-23T00:00:00Z',
  ],
  ['by hours, counted from the default of the class', {}, later(1), '2026-09-24T13:00:00Z'],
  [
    'by hours, counted from an edit that the operator has not seen yet',
    {
      metadata: { generation: 2 },
      spec: { expiration: { at: '2026-09-26T00:00:00Z' } },
      status: { observedGeneration: 1, expiration: { pinnedFrom: 'hash', expireTime: '2026-09-25T00:00:00Z' } },
    },
    later(24),
    '2026-09-27T00:00:00Z',
  ],
  ['from now', pinned('2026-09-23T00:00:00Z'), fromNow(24), '2026-09-23T12:00:00Z'],
  ['until an instant', pinned('2026-09-23T00:00:00Z'), at('2026-09-30T10:00:00+02:00'), '2026-09-30T08:00:00Z'],
  ['until the very last instant that the class allows', {}, at('2026-10-05T12:00:00Z'), '2026-10-05T12:00:00Z'],
])('a branch is extended %s', (_how, change, wish, end) => {
  const patch = decideExtension({ object: aDatabaseBranch(change), bclass: aBranchClass(), wish, now });
  expect(patch).toEqual({ at: end, ttl: null, never: null });
});

test.each<[string, Change<DatabaseBranch>, EndWish, RegExp]>([
  [
    'beyond the maximum',
    {},
    at('2026-10-05T12:00:01Z'),
    /lets a branch live for 336h .* The latest is --until 2026-10-05T12:00:00Z \(in 13d\)\. Nothing was changed/,
  ],
  ['to the past', {}, at('2026-09-22T11:59:59Z'), /has passed/],
  ['to less than it has', pinned('2026-09-25T00:00:00Z'), fromNow(1), /lives until 2026-09-25T00:00:00Z .* already/],
  [
    'for ever, which the class does not allow',
    {},
    never,
    /does not allow branches without an end; the latest .* --until 2026-10-05T12:00:00Z/,
  ],
  [
    'when it never ends',
    { spec: { expiration: { never: true } } },
    later(1),
    /never expires, so there is nothing to extend/,
  ],
  [
    'to an end, when it has none',
    { spec: { expiration: { never: true } } },
    fromNow(1),
    /an end would shorten its life/,
  ],
  ['when it has ended', expired, fromNow(1), /has ended \(Expired\).* reset database --for 24h$/],
  [
    'when it is being deleted',
    { metadata: { deletionTimestamp: '2026-09-22T11:00:00Z' } },
    fromNow(100),
    /is being deleted/,
  ],
])('an extension %s is refused', (_what, change, wish, complaint) => {
  const asked = { object: aDatabaseBranch(change), bclass: aBranchClass(), wish, now };
  expect(() => decideExtension(asked)).toThrow(complaint);
});

test('an object that is older than the class allows cannot be given another life', () => {
  const old = { object: aDatabaseBranch(), bclass: aBranchClass({ spec: { expiration: { max: '24h' } } }) };
  expect(() => decideEnd({ ...old, wish: fromNow(1), now: new Date('2026-09-23T00:00:00Z') })).toThrow(
    /cannot live on under this class: delete the object and create it again/,
  );
});

test('a class that may not be read is not checked, but by hours needs to know from when', () => {
  const object = aDatabaseBranch();
  expect(decideEnd({ object, bclass: undefined, wish: fromNow(10_000), now }).at).toBe('2027-11-13T04:00:00Z');
  expect(() => decideEnd({ object, bclass: undefined, wish: later(1), now })).toThrow(/say --for or --until/);
});

test('for ever is written where the class allows it', () => {
  const bclass = aBranchClass({ spec: { expiration: { allowNever: true } } });
  const patch = decideExtension({ object: aDatabaseBranch(), bclass, wish: never, now });
  expect(patch).toEqual({ at: null, ttl: null, never: true });
});
