import { expect, test } from 'vitest';
import { aDatabaseBranch } from '../../test/builders/database-branch.ts';
import type { Change } from '../../test/builders/merge.ts';
import type { DatabaseBranch, DatabaseBranchStatus } from '../api/v1alpha1/database-branch.ts';
import type { Condition } from '../kit/kube.ts';
import { decidePark, decideUnpark, parkStanding, unparkStanding } from './decide-park.ts';

const now = new Date('2026-09-22T12:00:00Z');
const annotated = (annotations: Record<string, string>): DatabaseBranch =>
  aDatabaseBranch({ metadata: { annotations } });
const condition = (type: string, status: Condition['status'] = 'True', reason = 'X'): Condition => ({
  type,
  status,
  reason,
  message: 'words',
  lastTransitionTime: '2026-09-22T11:00:00Z',
});

test.each([
  ['nothing', {}, { 'lakebranch.dev/paused': 'all', 'lakebranch.dev/paused-before': null }],
  [
    'a pause of changes',
    { 'lakebranch.dev/paused': 'true' },
    { 'lakebranch.dev/paused': 'all', 'lakebranch.dev/paused-before': 'true' },
  ],
  ['a park before', { 'lakebranch.dev/paused': 'all' }, undefined],
])('parking upon %s', (_what, before, after) => {
  expect(decidePark(annotated(before))?.metadata?.annotations).toEqual(after);
});

test.each([
  [
    'a park',
    { 'lakebranch.dev/paused': 'all' },
    { 'lakebranch.dev/paused': null, 'lakebranch.dev/paused-before': null },
  ],
  [
    'a park upon a pause',
    { 'lakebranch.dev/paused': 'all', 'lakebranch.dev/paused-before': 'true' },
    { 'lakebranch.dev/paused': 'true', 'lakebranch.dev/paused-before': null },
  ],
  ['a pause of changes: it was not parked', { 'lakebranch.dev/paused': 'true' }, undefined],
  ['nothing', {}, undefined],
])('unparking of %s', (_what, before, after) => {
  expect(decideUnpark(annotated(before))?.metadata?.annotations).toEqual(after);
});

const branch = { id: 'b', uid: 'br-1' };
const paused = [condition('Paused')];
const expireTime = '2026-09-30T12:00:00Z';

test.each<[string, Change<DatabaseBranchStatus>, string, RegExp]>([
  ['is not seen yet', { branch, conditions: [] }, 'waiting', /to see the pause/],
  ['has no branch', { conditions: paused }, 'settled', /has no branch/],
  [
    'is leased for less than its life',
    { branch, conditions: paused, expiration: { expireTime, leaseTime: '2026-09-26T00:00:00Z' } },
    'waiting',
    /was told the whole life/,
  ],
  [
    'has no lease that was seen',
    { branch, conditions: paused, expiration: { expireTime } },
    'waiting',
    /was told the whole life/,
  ],
  [
    'is leased for its whole life',
    { branch, conditions: paused, expiration: { expireTime, leaseTime: '2026-09-30T12:10:00Z' } },
    'settled',
    /keeps it until 2026-09-30T12:10:00Z/,
  ],
  [
    'is leased for as long as the provider allows',
    {
      branch,
      conditions: paused,
      expiration: { expireTime, leaseTime: '2026-09-26T00:00:00Z', clampedFrom: expireTime },
    },
    'settled',
    /only until 2026-09-26T00:00:00Z/,
  ],
  [
    'has no expiry at the provider',
    { branch, conditions: paused, expiration: { expireTime, enforcedBy: 'Operator' } },
    'settled',
    /nobody removes it/,
  ],
  ['never ends', { branch, conditions: paused, expiration: {} }, 'settled', /nobody removes it/],
  [
    'is in trouble',
    { branch, conditions: [...paused, condition('Stalled', 'True', 'Unauthenticated')], expiration: { expireTime } },
    'waiting',
    /^Unauthenticated: words$/,
  ],
])('an object that is parked and %s', (_what, status, is, words) => {
  const seen = parkStanding(aDatabaseBranch({ status: { ...status } }), now);
  expect(seen.is).toBe(is);
  expect('note' in seen ? seen.note : seen.state).toMatch(words);
});

test.each<[string, Change<DatabaseBranch>, string, RegExp]>([
  ['is still seen as paused', { status: { conditions: paused } }, 'waiting', /to go on/],
  ['is ready', { status: { conditions: [condition('Ready')] } }, 'settled', /is ready/],
  [
    'is at work',
    { status: { conditions: [condition('Ready', 'False', 'RolePending')] } },
    'waiting',
    /^RolePending: words/,
  ],
  [
    'needs a person',
    { status: { conditions: [condition('Ready', 'False', 'Expired'), condition('Stalled')] } },
    'settled',
    /is not ready: Expired, words/,
  ],
  ['was parked again', { metadata: { annotations: { 'lakebranch.dev/paused': 'all' } } }, 'settled', /parked again/],
])('an object that is unparked and %s', (_what, change, is, words) => {
  const seen = unparkStanding(aDatabaseBranch(change));
  expect(seen.is).toBe(is);
  expect('note' in seen ? seen.note : seen.state).toMatch(words);
});
