// A reset to the past: held to the same rules as a first create, before anything that is served is given up for it.
import { afterEach, describe, expect, test } from 'vitest';
import { databaseBranchResource } from '../../src/api/names.ts';
import type { BranchClass } from '../../src/api/v1alpha1/branch-class.ts';
import type { DatabaseBranch } from '../../src/api/v1alpha1/database-branch.ts';
import type { BehaviourChange } from '../../src/emulator/faults.ts';
import { kstatusOf } from '../kstatus.ts';
import { Scenario } from '../scenario.ts';

const secondMs = 1000;
const minuteMs = 60_000;
const hourMs = 3_600_000;
let world: Scenario;
afterEach(() => world.stop());

const db = { namespace: 'pr-1', name: 'db' };
const creates = () => world.emulator.admin.log().filter(({ what }) => what === 'branch.create');
const restores = { allowed: true, maxAge: '24h', via: 'Any' } as const;

async function given(restore: BranchClass['spec']['restore'], behaviour: BehaviourChange = {}): Promise<void> {
  world = new Scenario({ behaviour, classes: [restore ? { spec: { restore } } : {}] });
  world.launch();
  await world.settle(25 * hourMs);
  world.apply('db', { expiration: { ttl: '300h' } });
  await world.settle(minuteMs);
  expect(world.ready('db'), world.describe()).toBe('True');
}

function reset(strategy: 'Switch' | 'Replace', backMs: number): void {
  const time = new Date(world.clock.now().getTime() - backMs).toISOString();
  world.kube.edit<DatabaseBranch>(databaseBranchResource, db, ({ spec }) => {
    spec.source = { branch: 'production', time };
    spec.reset = { token: '1', strategy, drain: '5m' };
  });
}

function expectStalled(reason: string): void {
  const object = world.object('db');
  expect(world.condition('db', 'Stalled')?.reason, world.describe()).toBe(reason);
  expect(world.ready('db')).toBe(`False ${reason}`);
  expect(object && kstatusOf(object)).toBe('Failed');
}

const allowed: BranchClass['spec']['restore'] = { ...restores };

describe.each(['Switch', 'Replace'] as const)('refused, with what is served left alone: %s', (strategy) => {
  test.each<[sentence: string, BranchClass['spec']['restore'], backMs: number, reason: string]>([
    ['the class says nothing of restores', undefined, hourMs, 'RestoreNotAllowed'],
    [
      'the class wants a PointInTimeRestore',
      { ...restores, via: 'PointInTimeRestoreOnly' },
      hourMs,
      'RestoreNotAllowed',
    ],
    ['further back than the class allows', { ...restores, maxAge: '30m' }, hourMs, 'RestoreWindowExceeded'],
    ['the future', allowed, -hourMs, 'RestoreTimeInFuture'],
  ])('%s', async (_sentence, restore, backMs, reason) => {
    await given(restore);
    const served = world.object('db')?.status?.branch?.id;
    reset(strategy, backMs);
    await world.settle(10 * secondMs);
    expect(creates(), world.describe()).toHaveLength(1);
    expect(world.object('db')?.status?.branch?.id).toBe(served);
    expect(await world.opens('db')).toBe(true);
    expectStalled(reason);
  });
});

test('made, but not as it was asked for: it is settled, not under way', async () => {
  await given(allowed, { sourceTimeSnapMs: hourMs });
  reset('Switch', hourMs + 30 * minuteMs);
  await world.settle(10 * minuteMs);
  expect(creates()).toHaveLength(2);
  expect(await world.opens('db')).toBe(true);
  expectStalled('TimeSkewTooLarge');
});

describe('back to the token of a branch that still drains', () => {
  const ask = (token: string, source: NonNullable<DatabaseBranch['spec']['source']>): void =>
    void world.kube.edit<DatabaseBranch>(databaseBranchResource, db, ({ spec }) => {
      spec.source = source;
      spec.reset = { token, strategy: 'Switch', drain: '1h' };
    });
  const past = (backMs: number) => ({
    branch: 'production',
    time: new Date(world.clock.now().getTime() - backMs).toISOString(),
  });

  test('it holds the past, and the present is asked for: it is not handed out', async () => {
    await given(allowed);
    ask('1', past(hourMs));
    await world.settle(minuteMs);
    expect(world.ready('db'), world.describe()).toBe('True');
    ask('2', { branch: 'production' });
    await world.settle(minuteMs);
    const present = world.object('db')?.status?.branch?.id;
    ask('1', { branch: 'production' });
    await world.settle(minuteMs);
    expect(world.object('db')?.status?.branch?.id).toBe(present);
    expectStalled('ResetTokenReused');
  });

  test('it was made from another branch than the one asked for: it is not handed out', async () => {
    await given(allowed);
    await world.byHand('POST', 'projects/shop/branches?branch_id=staging-1', {
      spec: { source_branch: 'projects/shop/branches/production', no_expiry: true },
    });
    await world.settle(minuteMs);
    ask('1', { branch: 'production' });
    await world.settle(minuteMs);
    ask('2', { branch: 'staging-1' });
    await world.settle(minuteMs);
    expect(world.ready('db'), world.describe()).toBe('True');
    const staging = world.object('db')?.status?.branch?.id;
    ask('1', { branch: 'staging-1' });
    await world.settle(minuteMs);
    expect(world.object('db')?.status?.branch?.id).toBe(staging);
    expectStalled('ResetTokenReused');
  });

  test('it is what is asked for: it is served once more', async () => {
    await given(allowed);
    ask('1', { branch: 'production' });
    await world.settle(minuteMs);
    const first = world.object('db')?.status?.branch?.id;
    ask('2', past(hourMs));
    await world.settle(minuteMs);
    ask('1', { branch: 'production' });
    await world.settle(minuteMs);
    expect(world.object('db')?.status?.branch?.id, world.describe()).toBe(first);
    expect(world.ready('db')).toBe('True');
  });
});
