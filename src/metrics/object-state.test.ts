import { expect, test } from 'vitest';
import { aDatabaseBranch } from '../../test/builders/database-branch.ts';
import { stateOf } from './object-state.ts';

const at = (hour: number): string => new Date(Date.UTC(2026, 10, 25, hour)).toISOString();

test.each<[string, string | undefined, string | undefined, string | undefined]>([
  ['a lease that has to be extended, because the object lives longer', at(96), at(300), at(96)],
  ['a lease of an object without an end', at(96), undefined, at(96)],
  ['a lease that outlasts the object', at(24), at(23), undefined],
  ['no lease', undefined, at(23), undefined],
])('%s', (_what, leaseTime, expireTime, said) => {
  const expiration = {
    ...(leaseTime === undefined ? {} : { leaseTime }),
    ...(expireTime === undefined ? {} : { expireTime }),
  };
  expect(stateOf(aDatabaseBranch({ status: { expiration } })).leaseTime?.toISOString()).toBe(said);
});

test('unleased is a branch that only the operator ends, not an object that has none yet', () => {
  const branch = { id: 'a', uid: 'br-a' };
  const expiration = { enforcedBy: 'Operator' } as const;
  expect(stateOf(aDatabaseBranch({ status: { branch, expiration } })).unleased).toBe(true);
  expect(stateOf(aDatabaseBranch({ status: { expiration } })).unleased).toBe(false);
  expect(stateOf(aDatabaseBranch({ status: { branch, expiration: { enforcedBy: 'Provider' } } })).unleased).toBe(false);
});

test('an object that nobody has looked at yet is neither ready nor stalled', () => {
  expect(stateOf({})).toMatchObject({ ready: false, stalled: false, queued: false, unleased: false });
});
