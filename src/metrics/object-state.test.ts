import { expect, test } from 'vitest';
import { aDatabaseBranch } from '../../test/builders/database-branch.ts';
import type { Change } from '../../test/builders/merge.ts';
import type { DatabaseBranch } from '../api/v1alpha1/database-branch.ts';
import type { Condition } from '../kit/kube.ts';
import { stateOf } from './object-state.ts';

const at = (hour: number): string => new Date(Date.UTC(2026, 10, 25, hour)).toISOString();
const condition = (type: string, status: Condition['status'], reason = 'Any'): Condition => ({
  type,
  status,
  reason,
  message: '',
  lastTransitionTime: at(1),
});

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
  expect(stateOf(aDatabaseBranch({ status: { expiration } })).lease?.expireTime.toISOString()).toBe(said);
});

test('a lease that the provider cut short counts from when it was asked for', () => {
  const expiration = { leaseTime: at(24), clampedFrom: at(96) };
  expect(stateOf(aDatabaseBranch({ status: { expiration } })).lease).toEqual({
    expireTime: new Date(at(24)),
    wanted: new Date(at(96)),
  });
});

test('nobody extends the lease of an object that is deleted, nor renews its token', () => {
  const credentials = { secretName: 's', username: 'u', issueTime: at(1), expireTime: at(2), revision: 1 };
  const status = { expiration: { leaseTime: at(24) }, credentials };
  const state = stateOf(aDatabaseBranch({ metadata: { deletionTimestamp: at(3) }, status }));
  expect([state.lease, state.credential?.renewed]).toEqual([undefined, false]);
});

test('unleased is a branch that only the operator ends, not an object that has none yet', () => {
  const branch = { id: 'a', uid: 'br-a' };
  const expiration = { enforcedBy: 'Operator' } as const;
  expect(stateOf(aDatabaseBranch({ status: { branch, expiration } })).unleased).toBe(true);
  expect(stateOf(aDatabaseBranch({ status: { expiration } })).unleased).toBe(false);
  expect(stateOf(aDatabaseBranch({ status: { branch, expiration: { enforcedBy: 'Provider' } } })).unleased).toBe(false);
});

test.each<[string, Change<DatabaseBranch>, string]>([
  ['nobody has looked at it yet', { status: undefined }, 'progressing'],
  ['Ready', { status: { conditions: [condition('Ready', 'True')] } }, 'ready'],
  [
    'a deletion counts before anything else',
    { metadata: { deletionTimestamp: at(3) }, status: { conditions: [condition('Ready', 'True')] } },
    'deleting',
  ],
  [
    'it waits for a person',
    { status: { conditions: [condition('Ready', 'False'), condition('Stalled', 'True')] } },
    'stalled',
  ],
  [
    'it is over, which is not for a person to mend',
    { status: { conditions: [condition('Ready', 'False', 'Expired'), condition('Stalled', 'True', 'Expired')] } },
    'ended',
  ],
  [
    'it is at work',
    { status: { conditions: [condition('Ready', 'False'), condition('Reconciling', 'True')] } },
    'progressing',
  ],
])('the state when %s', (_what, change, state) => {
  expect(stateOf(aDatabaseBranch(change)).state).toBe(state);
});

test.each<[string, Change<DatabaseBranch>, boolean]>([
  ['is renewed', {}, true],
  ['is renewed while changes are paused', { metadata: { annotations: { 'lakebranch.dev/paused': 'true' } } }, true],
  ['runs out when all is paused', { metadata: { annotations: { 'lakebranch.dev/paused': 'all' } } }, false],
  [
    'runs out when its namespace is not allowed any more',
    { status: { conditions: [condition('NamespaceAllowed', 'False')] } },
    false,
  ],
  [
    'runs out when the branch has ended',
    { status: { conditions: [condition('Ready', 'False', 'LeaseLapsed')] } },
    false,
  ],
])('a token %s', (_what, change, renewed) => {
  const credentials = {
    secretName: 's',
    username: 'u',
    issueTime: at(1),
    expireTime: at(2),
    renewTime: at(1),
    revision: 1,
  };
  const { status, ...rest } = change;
  expect(stateOf(aDatabaseBranch({ ...rest, status: { ...status, credentials } })).credential?.renewed).toBe(renewed);
});

test('who waits for a slot waits since it began to work towards its branch', () => {
  const status = { queue: { position: 3 }, conditions: [condition('Reconciling', 'True', 'WaitingForBranchSlot')] };
  expect(stateOf(aDatabaseBranch({ status })).queue).toEqual({ position: 3, since: new Date(at(1)) });
});
