import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  branchId,
  branchTag,
  endedMark,
  parseBranchId,
  resetPart,
  sameBranch,
  type BranchIdentity,
} from '../../src/lakebase/ids.ts';
import { runs } from './runs.ts';

/** Whatever the API server lets through, and what it does not: an id must come out of everything. */
const names = fc.oneof(
  fc.stringMatching(/^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/),
  fc.string({ maxLength: 253 }),
  fc.string({ unit: 'grapheme', maxLength: 100 }),
);
const tokens = fc.oneof(fc.constant(''), fc.string({ maxLength: 63 }), fc.string({ unit: 'binary', maxLength: 63 }));
const identities: fc.Arbitrary<BranchIdentity> = fc.record({
  clusterID: fc.uuid(),
  namespace: names,
  name: names,
  uid: fc.uuid(),
  resetToken: tokens,
});

test('every id has at most 63 characters, fits the rules of the provider, and is recognised with its parts', () => {
  fc.assert(
    fc.property(identities, (of) => {
      const id = branchId(of);
      const parts = parseBranchId(id);
      expect(id.length).toBeLessThanOrEqual(63);
      expect(id).toMatch(/^[a-z][a-z0-9-]{1,61}[a-z0-9]$/);
      expect(parts).toMatchObject({ tag: branchTag(of.clusterID, of.uid), reset: resetPart(of.uid, of.resetToken) });
      expect(`${parts?.slug}-${parts?.tag}-${parts?.reset}`).toBe(id);
      expect(branchId({ ...of })).toBe(id);
    }),
    runs(2000),
  );
});

test('a slug is whatever it likes to be: only object and reset say which branch it is', () => {
  fc.assert(
    fc.property(identities, identities, (one, other) => {
      const { namespace, name } = other;
      expect(sameBranch(branchId(one), branchId({ ...one, namespace, name }))).toBe(true);
      const differs = one.uid !== other.uid || one.clusterID !== other.clusterID || one.resetToken !== other.resetToken;
      expect(sameBranch(branchId(one), branchId(other))).toBe(!differs);
    }),
    runs(1000),
  );
});

test('branches of one object share the tag, and branches of two objects do not', () => {
  fc.assert(
    fc.property(identities, identities, (one, other) => {
      fc.pre(one.uid !== other.uid);
      const tagOf = (of: BranchIdentity): string | undefined => parseBranchId(branchId(of))?.tag;
      expect(tagOf({ ...one, resetToken: other.resetToken })).toBe(tagOf(one));
      expect(tagOf({ ...one, uid: other.uid })).not.toBe(tagOf(one));
    }),
    runs(500),
  );
});

test('"the same branch" holds for an id of ours and itself, both ways, along a chain, and for nothing else', () => {
  const few = fc.record({ namespace: names, resetToken: fc.constantFrom('', 'a'), uid: fc.constantFrom('u-1', 'u-2') });
  const ids = fc.oneof(
    few.map((one) => branchId({ clusterID: 'c', name: 'db', ...one })),
    fc.constantFrom('production', 'staging-1', 'x-abcdefghij234567-klmnop', ''),
  );
  fc.assert(
    fc.property(ids, ids, ids, (a, b, c) => {
      expect(sameBranch(a, a)).toBe(parseBranchId(a) !== undefined);
      expect(sameBranch(a, b)).toBe(sameBranch(b, a));
      if (sameBranch(a, b) && sameBranch(b, c)) expect(sameBranch(a, c)).toBe(true);
      if (parseBranchId(a) === undefined) expect(sameBranch(a, b)).toBe(false);
    }),
    runs(2000),
  );
});

test('one changed character of the tag or the reset names another branch, or none', () => {
  fc.assert(
    fc.property(identities, fc.nat(22), fc.constantFrom(...'abcxyz234567019-'.split('')), (of, at, letter) => {
      const id = branchId(of);
      const index = id.length - 1 - at;
      fc.pre(id[index] !== letter);
      expect(sameBranch(id, id.slice(0, index) + letter + id.slice(index + 1))).toBe(false);
    }),
    runs(1000),
  );
});

test('the mark of an end is six characters of the reset token alone, and two tokens have two', () => {
  fc.assert(
    fc.property(tokens, tokens, (one, other) => {
      expect(endedMark(one)).toMatch(/^[a-z2-7]{6}$/);
      expect(endedMark(one) === endedMark(other)).toBe(one === other);
    }),
    runs(1000),
  );
});

// Branches and annotations out there carry these. If a row fails, the scheme was changed.
test.each([
  ['', 'ns-db-utlj66eegodfdlae-xoftey', 'ul7isu'],
  ['2026-11-25', 'ns-db-utlj66eegodfdlae-4oj7rb', 'lvgmpb'],
  ['ümläut', 'ns-db-utlj66eegodfdlae-bvulr3', 'wbsmqi'],
  ['🦀', 'ns-db-utlj66eegodfdlae-hyesp3', 'huxdy7'],
  [' ', 'ns-db-utlj66eegodfdlae-3frjoa', '2uyhxk'],
])('frozen: the branch and the mark of reset token %j', (resetToken, id, mark) => {
  expect(branchId({ clusterID: 'cluster', namespace: 'ns', name: 'db', uid: 'u-1', resetToken })).toBe(id);
  expect(endedMark(resetToken)).toBe(mark);
});
