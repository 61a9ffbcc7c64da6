// The annotation lakebranch.dev/paused: `true` holds up what is new, `all` parks the branch until it is removed.
import { afterEach, expect, test } from 'vitest';
import { annotationKey, databaseBranchResource } from '../../src/api/names.ts';
import type { DatabaseBranch } from '../../src/api/v1alpha1/database-branch.ts';
import { Scenario, type ScenarioOptions } from '../scenario.ts';

const hourMs = 3_600_000;
const minuteMs = 60_000;
const db = { namespace: 'pr-1', name: 'db' };
let world: Scenario;
afterEach(() => world.stop());

const edit = (change: (object: DatabaseBranch) => void): void =>
  void world.kube.edit<DatabaseBranch>(databaseBranchResource, db, change);
const pause = (how: string | undefined): void =>
  edit(({ metadata }) => {
    metadata.annotations = { ...metadata.annotations };
    if (how === undefined) delete metadata.annotations[annotationKey.paused];
    else metadata.annotations[annotationKey.paused] = how;
  });
const reset = (token: string): void =>
  edit(({ spec }) => void (spec.reset = { token, strategy: 'Switch', drain: '5m' }));
const servedId = (): string => world.object('db')?.status?.branch?.id ?? '';
const leftMs = (): number => (world.branches()[0]?.expiresAt ?? Infinity) - world.clock.now().getTime();
const endMs = (): number => Date.parse(world.object('db')?.status?.expiration?.expireTime ?? '');
const paused = (): string => world.condition('db', 'Paused')?.message ?? '';
const maxCU = (): number | undefined => Object.values(world.branches()[0]?.endpoints ?? {})[0]?.maxCU;
const requests = (): number =>
  Object.entries(world.emulator.admin.requests())
    .filter(([route]) => /\/postgres\/(credentials|.*\/branches)/.test(route))
    .reduce((sum, [, count]) => sum + count, 0);

async function given(ttl = '300h', options: ScenarioOptions = {}): Promise<string> {
  world = new Scenario(options);
  world.launch();
  world.apply('db', { expiration: { ttl } });
  await world.until('the branch is served', () => world.ready('db') === 'True');
  await world.settle(minuteMs);
  return servedId();
}

/** An object that is paused before anything was made for it. */
async function pausedFromTheStart(how: string): Promise<void> {
  world = new Scenario();
  world.apply('db');
  pause(how);
  world.launch();
  await world.settle(10 * minuteMs);
}

test.each(['true', 'all'])('%s: nothing is created, the object says so, and goes on when it may', async (how) => {
  await pausedFromTheStart(how);
  expect(world.branches()).toEqual([]);
  expect(world.ready('db')).toBe('False PausedByAnnotation');
  expect(world.condition('db', 'Stalled')).toBeUndefined();
  expect(world.condition('db', 'Ready')?.message).toContain('remove the annotation');
  pause(undefined);
  await world.settle(minuteMs);
  expect(world.ready('db')).toBe('True');
  expect(world.condition('db', 'Paused')).toBeUndefined();
});

test('a value that is neither "true" nor "all" pauses nothing', async () => {
  await pausedFromTheStart('false');
  expect(world.ready('db')).toBe('True');
  expect(world.condition('db', 'Paused')).toBeUndefined();
});

test('true: no reset begins, the branch from before is served, rotated and leased', async () => {
  const first = await given();
  pause('true');
  reset('1');
  await world.settle(14 * hourMs);
  expect(servedId()).toBe(first);
  expect(world.branches()).toHaveLength(1);
  expect(world.ready('db')).toBe('True');
  expect(world.condition('db', 'Reconciling')?.reason).toBe('PausedByAnnotation');
  expect(await world.opens('db')).toBe(true);
  expect(leftMs()).toBeGreaterThan(83 * hourMs);
  pause(undefined);
  await world.settle(2 * minuteMs);
  expect(servedId()).not.toBe(first);
});

test('true: a create that is under way stops, keeps its branch, and goes on with it', async () => {
  world = new Scenario({ behaviour: { initMs: 20_000 } });
  world.launch();
  world.apply('db', { expiration: { ttl: '300h' } });
  await world.until('the candidate is on record', () => world.object('db')?.status?.candidate !== undefined);
  const candidate = world.object('db')?.status?.candidate?.id;
  pause('true');
  await world.settle(100 * hourMs);
  expect(world.ready('db')).toBe('False PausedByAnnotation');
  expect(world.secret('db')).toBeUndefined();
  pause(undefined);
  await world.settle(2 * minuteMs);
  expect(world.ready('db'), world.describe()).toBe('True');
  expect(servedId()).toBe(candidate);
}, 60_000);

test('true: a size is not changed, and is changed afterwards', async () => {
  await given();
  const before = maxCU();
  pause('true');
  edit(({ spec }) => void (spec.endpoint = { maxCU: 4 }));
  await world.settle(14 * hourMs);
  expect(maxCU()).toBe(before);
  expect(world.ready('db')).toBe('True');
  pause(undefined);
  await world.settle(2 * minuteMs);
  expect(maxCU()).toBe(4);
});

test('true: expiry ends the branch as ever', async () => {
  await given('3h');
  pause('true');
  await world.settle(4 * hourMs);
  expect(world.ready('db')).toBe('False Expired');
  expect(world.branches()).toEqual([]);
});

test.each(['true', 'all'])('%s: deletion works', async (how) => {
  await given();
  pause(how);
  await world.settle(minuteMs);
  world.kube.delete(databaseBranchResource, db);
  await world.settle(minuteMs);
  expect(world.object('db')).toBeUndefined();
  expect(world.branches()).toEqual([]);
});

test('all: the provider is told the whole life first, and Paused names when it will remove the branch', async () => {
  await given();
  const end = endMs();
  pause('all');
  await world.settle(minuteMs);
  const expiresAt = world.branches()[0]?.expiresAt ?? 0;
  expect(expiresAt).toBeGreaterThanOrEqual(end);
  expect(expiresAt).toBeLessThanOrEqual(end + 11 * minuteMs);
  expect(paused()).toContain(new Date(expiresAt).toISOString());
});

test('all: then nothing is asked of the provider, the status is quiet, and Ready follows the token', async () => {
  await given();
  pause('all');
  await world.settle(2 * minuteMs);
  const before = requests();
  expect(world.ready('db')).toBe('True');
  await world.settle(3 * hourMs);
  expect(requests()).toBe(before);
  expect(world.ready('db')).toBe('False PausedByAnnotation');
  const writes = world.kube.history(databaseBranchResource, db).length;
  await world.settle(40 * hourMs);
  expect(world.kube.history(databaseBranchResource, db)).toHaveLength(writes);
  expect(paused()).toContain('the provider removes the branch at');
});

test('all: the operator may be away for longer than a lease, and nothing is lost', async () => {
  const id = await given();
  pause('all');
  await world.settle(minuteMs);
  world.processes.at(-1)?.kill();
  await world.settle(200 * hourMs);
  expect(world.branches()).toHaveLength(1);
  world.launch();
  await world.settle(minuteMs);
  pause(undefined);
  await world.settle(3 * minuteMs);
  expect(servedId()).toBe(id);
  expect(await world.opens('db')).toBe(true);
  expect(leftMs()).toBeLessThanOrEqual(96 * hourMs);
  expect(paused()).toBe('');
});

test('all: an outage while the provider is to be told delays the stop, not the branch', async () => {
  await given();
  world.emulator.faults.inject({ path: '/api/2.0/postgres/**', trouble: { kind: 'answer', status: 503 } });
  pause('all');
  await world.settle(5 * minuteMs);
  world.emulator.faults.clear();
  await world.settle(2 * minuteMs);
  expect(leftMs()).toBeGreaterThan(290 * hourMs);
});

test('all: an expiry that the provider refuses as too far is set as far as it allows', async () => {
  await given('300h', { behaviour: { limits: { expirationSeconds: 200 * 3600 } } });
  pause('all');
  await world.settle(5 * minuteMs);
  expect(leftMs()).toBeGreaterThan(160 * hourMs);
  expect(paused()).toContain(new Date(world.branches()[0]?.expiresAt ?? 0).toISOString());
});

test('all: a branch that the provider removed at its end is Expired, as soon as the annotation goes', async () => {
  await given('30h');
  pause('all');
  await world.settle(32 * hourMs);
  expect(world.branches()).toEqual([]);
  pause(undefined);
  await world.settle(2 * minuteMs);
  expect(world.ready('db')).toBe('False Expired');
  expect(world.secret('db')).toBeUndefined();
});
