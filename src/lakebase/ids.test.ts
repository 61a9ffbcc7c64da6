import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { branchId, branchTag, type BranchIdentity, endedMark, parseBranchId, resetPart, sameBranch } from './ids.ts';

const clusterID = '6f2b3f0e-58a1-4b6e-9f0a-3a6f8d1c2b4e';
const uid = '0b9d3c52-77f4-4a51-8a0e-9f1b6c2d3e4f';
const identity: BranchIdentity = { clusterID, namespace: 'pr-42', name: 'shop', uid, resetToken: '' };

// Branches out there carry these ids. If a row fails, the scheme was changed: that needs a second recogniser, and the
// old one stays.
describe('frozen', () => {
  test.each([
    ['the first branch of an object', identity, 'pr-42-shop-u4iab56hhzxz2vwh-mdxx3b'],
    ['the same object after a reset', { ...identity, resetToken: 'again' }, 'pr-42-shop-u4iab56hhzxz2vwh-msnn2q'],
    ['a namespace that starts with a digit', { ...identity, namespace: '42' }, 'b-42-shop-u4iab56hhzxz2vwh-mdxx3b'],
    ['a name with dots', { ...identity, name: 'shop.v2..x' }, 'pr-42-shop-v2-x-u4iab56hhzxz2vwh-mdxx3b'],
    [
      'a long name is cut',
      { ...identity, name: 'a-name-that-is-much-longer-than-fits' },
      'pr-42-a-name-that-is-much-longer-than-f-u4iab56hhzxz2vwh-mdxx3b',
    ],
    [
      'a cut that ends in a hyphen',
      { ...identity, name: `${'n'.repeat(32)}-tail` },
      'pr-42-nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn-u4iab56hhzxz2vwh-mdxx3b',
    ],
  ])('%s', (_, of, id) => {
    expect(branchId(of)).toBe(id);
  });

  test('the parts', () => {
    expect(branchTag(clusterID, uid)).toBe('u4iab56hhzxz2vwh');
    expect(resetPart(uid, '')).toBe('mdxx3b');
    expect(endedMark('')).toBe('ul7isu');
    expect(endedMark('again')).toBe('4n3uru');
  });
});

describe('recognising', () => {
  test('an id is taken apart', () => {
    expect(parseBranchId('pr-42-shop-abcdefghij234567-klmnop')).toEqual({
      slug: 'pr-42-shop',
      tag: 'abcdefghij234567',
      reset: 'klmnop',
    });
  });

  test.each([
    ['production', 'production'],
    ['a tag that is too short', 'shop-abcdefghij23456-klmnop'],
    ['a character that base32 does not have', 'shop-abcdefghij234561-klmnop'],
    ['no slug', 'abcdefghij234567-klmnop'],
    ['a slug that starts with a digit', '4shop-abcdefghij234567-klmnop'],
    ['upper case', 'shop-ABCDEFGHIJ234567-klmnop'],
    ['a path', 'projects/p/branches/shop-abcdefghij234567-klmnop'],
    ['something behind it', 'shop-abcdefghij234567-klmnop\n'],
  ])('not ours: %s', (_, id) => {
    expect(parseBranchId(id)).toBeUndefined();
  });

  test.each([
    ['the slug is decoration', 'a-abcdefghij234567-klmnop', 'b-c-abcdefghij234567-klmnop', true],
    ['another tag is another object', 'a-abcdefghij234567-klmnop', 'a-abcdefghij234566-klmnop', false],
    ['another reset is another branch', 'a-abcdefghij234567-klmnop', 'a-abcdefghij234567-klmnoq', false],
    ['unknown ids are never the same', 'production', 'production', false],
    ['an unknown id is not the same as ours', 'production', 'a-abcdefghij234567-klmnop', false],
    ['our id is not the same as an unknown one', 'a-abcdefghij234567-klmnop', 'production', false],
  ])('%s', (_, a, b, same) => {
    expect(sameBranch(a, b)).toBe(same);
  });
});

describe('for every object', () => {
  const label = fc.stringMatching(/^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/);
  const identities = fc.record({
    clusterID: fc.uuid(),
    namespace: label,
    name: fc.array(label, { minLength: 1, maxLength: 4 }).map((labels) => labels.join('.')),
    uid: fc.uuid(),
    resetToken: fc.string({ maxLength: 64 }),
  });

  test('the id fits the rules of the provider and is recognised with its parts', () => {
    fc.assert(
      fc.property(identities, (of) => {
        const id = branchId(of);
        expect(id.length).toBeLessThanOrEqual(63);
        expect(id).toMatch(/^[a-z][a-z0-9-]{1,61}[a-z0-9]$/);
        expect(parseBranchId(id)).toMatchObject({
          tag: branchTag(of.clusterID, of.uid),
          reset: resetPart(of.uid, of.resetToken),
        });
      }),
    );
  });

  test('renaming changes nothing that counts; another uid, cluster or token does', () => {
    fc.assert(
      fc.property(identities, identities, (one, other) => {
        fc.pre(one.uid !== other.uid && one.clusterID !== other.clusterID && one.resetToken !== other.resetToken);
        const id = branchId(one);
        expect(
          sameBranch(id, branchId({ ...other, clusterID: one.clusterID, uid: one.uid, resetToken: one.resetToken })),
        ).toBe(true);
        expect(sameBranch(id, branchId({ ...one, uid: other.uid }))).toBe(false);
        expect(sameBranch(id, branchId({ ...one, clusterID: other.clusterID }))).toBe(false);
        expect(sameBranch(id, branchId({ ...one, resetToken: other.resetToken }))).toBe(false);
      }),
    );
  });
});
