// Each kind of trouble at the provider has a reason of its own, a remedy in docs/reasons.md, and ends by itself.
import { afterEach, expect, test } from 'vitest';
import { databaseBranchResource } from '../../src/api/names.ts';
import { reasonCatalogue, type Reason } from '../../src/api/v1alpha1/reasons.ts';
import { Scenario } from '../scenario.ts';

const minuteMs = 60_000;
let world: Scenario;
afterEach(() => world.stop());
const begin = (): Scenario => (world = new Scenario());
const everything = '/api/2.0/postgres/**';

test.each<[string, number, string, Reason, 'Reconciling' | 'Stalled']>([
  ['401', 401, 'UNAUTHENTICATED', 'Unauthenticated', 'Stalled'],
  ['403', 403, 'PERMISSION_DENIED', 'PermissionDenied', 'Stalled'],
  ['429', 429, 'RESOURCE_EXHAUSTED', 'ProviderThrottled', 'Reconciling'],
  ['a quota', 400, 'QUOTA_EXCEEDED', 'QuotaExceeded', 'Reconciling'],
  ['500', 500, 'INTERNAL_ERROR', 'ProviderUnavailable', 'Reconciling'],
  ['503', 503, 'TEMPORARILY_UNAVAILABLE', 'ProviderUnavailable', 'Reconciling'],
  ['an API that is switched off', 404, 'FEATURE_DISABLED', 'ProviderUnavailable', 'Reconciling'],
])('%s', async (_what, status, errorCode, reason, condition) => {
  begin();
  world.emulator.faults.inject({
    path: everything,
    trouble: { kind: 'answer', status, errorCode, message: 'the words of the provider' },
  });
  world.launch();
  world.apply('db');
  await world.settle(5 * minuteMs);
  expect(world.ready('db')).toBe(`False ${reason}`);
  expect(world.condition('db', condition)?.reason).toBe(reason);
  expect(world.condition('db', 'Ready')?.message).toContain('the words of the provider');
  expect(reasonCatalogue[reason].remedy.length).toBeGreaterThan(20);
  expect(world.branches()).toEqual([]);
  world.emulator.faults.clear();
  await world.settle(5 * minuteMs);
  expect(world.ready('db')).toBe('True');
});

test.each<[string, number, string, Reason]>([
  ['409, another change is under way', 409, 'ABORTED', 'CreateRefused'],
  ['400, the provider does not want it', 400, 'INVALID_PARAMETER_VALUE', 'CreateRefused'],
  ['400, a quota', 400, 'QUOTA_EXCEEDED', 'QuotaExceeded'],
])('a create that is refused for long: %s', async (_what, status, errorCode, reason) => {
  begin();
  world.emulator.faults.inject({
    method: 'POST',
    path: '/api/2.0/postgres/projects/*/branches',
    trouble: { kind: 'answer', status, errorCode, message: 'the words of the provider' },
  });
  world.launch();
  world.apply('db');
  await world.settle(5 * minuteMs);
  expect(world.ready('db')).toBe(`False ${reason}`);
  expect(world.condition('db', 'Ready')?.message).toContain('the words of the provider');
  world.emulator.faults.clear();
  await world.settle(5 * minuteMs);
  expect(world.ready('db')).toBe('True');
  expect(world.branches()).toHaveLength(1);
});

test.each([400, 403, 409, 429])(
  'a full project that answers %i is a wait, and one slot makes one branch',
  async (status) => {
    begin();
    world.emulator.faults.set({ variants: { tooManyUnarchived: { status } } });
    world.launch();
    // Branches that somebody else made: only the count tells that there is no room.
    for (let n = 0; n < 9; n++)
      await world.byHand('POST', `projects/shop/branches?branch_id=hand-${n}`, {
        spec: { source_branch: 'projects/shop/branches/production', ttl: '86400s' },
      });
    for (const name of ['a', 'b']) world.apply(name);
    await world.settle(3 * minuteMs);
    expect([world.ready('a'), world.ready('b')]).toEqual(['False WaitingForBranchSlot', 'False WaitingForBranchSlot']);
    expect(world.condition('a', 'Stalled')).toBeUndefined();
    await world.removeBranch('hand-0');
    await world.settle(3 * minuteMs);
    expect([world.ready('a'), world.ready('b')]).toEqual(['True', 'False WaitingForBranchSlot']);
    expect(world.branches()).toHaveLength(1);
    world.kube.delete(databaseBranchResource, { namespace: 'pr-1', name: 'a' });
    await world.settle(minuteMs);
    expect(world.ready('b')).toBe('True');
  },
);
