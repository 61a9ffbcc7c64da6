// A DatabaseBranch of the past: made as it was, judged before anybody gets a login for it.
import { afterEach, expect, test } from 'vitest';
import { annotationKey, branchClassResource, databaseBranchResource } from '../../src/api/names.ts';
import type { BranchClass } from '../../src/api/v1alpha1/branch-class.ts';
import type { DatabaseBranch } from '../../src/api/v1alpha1/database-branch.ts';
import { Scenario, type ScenarioOptions } from '../scenario.ts';

const secondMs = 1000;
const minuteMs = 60_000;
const hourMs = 3_600_000;
let world: Scenario;
afterEach(() => world.stop());

const db = { namespace: 'pr-1', name: 'db' };
const edit = (change: (object: DatabaseBranch) => void): void =>
  void world.kube.edit<DatabaseBranch>(databaseBranchResource, db, change);
const editClass = (change: (bclass: BranchClass) => void): void =>
  void world.kube.edit<BranchClass>(branchClassResource, { name: 'default' }, change);
const agoMs = (ms: number): Date => new Date(world.clock.now().getTime() - ms);
const message = (): string => world.condition('db', 'Ready')?.message ?? '';
const status = (): DatabaseBranch['status'] => world.object('db')?.status;
const creates = () => world.emulator.admin.log().filter(({ what }) => what === 'branch.create');
const mints = () => world.emulator.admin.log().filter(({ what }) => what === 'credential.mint');

const restores = { allowed: true, maxAge: '24h', via: 'Any' } as const;

/** A project whose production is a day and more old, and a class that allows to go back a day. */
async function given(options: ScenarioOptions = {}): Promise<void> {
  world = new Scenario({ classes: [{ spec: { restore: restores } }], ...options });
  world.launch();
  await world.settle(25 * hourMs);
}

const ask = (time: Date, more: Partial<NonNullable<DatabaseBranch['spec']['source']>> = {}): void =>
  void world.apply('db', { source: { branch: 'production', time: time.toISOString(), ...more } });

test('a branch of an instant becomes Ready, and tells what was asked for and what was made', async () => {
  await given({ behaviour: { sourceTimeSnapMs: 12_000, initMs: 900 } });
  const time = new Date(Math.floor(agoMs(hourMs).getTime() / minuteMs) * minuteMs + 2_000);
  ask(time);
  await world.settle(5 * secondMs);
  expect(world.ready('db'), world.describe()).toBe('True');
  expect(await world.opens('db')).toBe(true);
  expect(status()?.restored?.requestedTime).toBe(time.toISOString());
  expect(Date.parse(status()?.restored?.actualTime ?? '')).toBe(time.getTime() - 2_000);
  expect(status()?.branch?.source?.time).toBe(status()?.restored?.actualTime);
});

test('a whole minute is asked for as the instant before it', async () => {
  await given({ behaviour: { wholeMinuteFails: true } });
  const time = new Date(Math.floor(agoMs(hourMs).getTime() / minuteMs) * minuteMs);
  ask(time);
  await world.settle(5 * secondMs);
  expect(world.ready('db'), world.describe()).toBe('True');
  expect(Date.parse(status()?.restored?.actualTime ?? '')).toBe(time.getTime() - 1);
  expect(status()?.restored?.requestedTime).toBe(time.toISOString());
});

test('a branch that lies too far back is never opened to anybody: told, then deleted, and not made again', async () => {
  await given({ behaviour: { sourceTimeSnapMs: 5 * minuteMs } });
  const time = new Date(Math.floor(agoMs(hourMs).getTime() / (5 * minuteMs)) * 5 * minuteMs + 3 * minuteMs + 1000);
  ask(time, { maxSkew: '30s' });
  await world.settle(10 * secondMs);
  expect(world.ready('db')).toBe('False TimeSkewTooLarge');
  expect(world.condition('db', 'Stalled')?.reason).toBe('TimeSkewTooLarge');
  expect(status()?.restored).toMatchObject({
    requestedTime: time.toISOString(),
    actualTime: new Date(time.getTime() - 3 * minuteMs - 1000).toISOString(),
  });
  expect(world.branches()).toEqual([]);
  expect(mints()).toEqual([]);
  expect(world.secret('db')).toBeUndefined();
  await world.settle(2 * hourMs);
  expect(creates()).toHaveLength(1);
  edit((object) => void delete object.status);
  await world.settle(hourMs);
  expect(world.ready('db')).toBe('False TimeSkewTooLarge');
  expect(creates()).toHaveLength(1);
});

test('the verdict survives a death at every write: no login, and nothing is left', async () => {
  for (let number = 1; number < 12; number++) {
    for (const how of ['before', 'after', 'answerLost'] as const) {
      world = new Scenario({ classes: [{ spec: { restore: restores } }], behaviour: { sourceTimeSnapMs: hourMs } });
      await world.settle(25 * hourMs);
      world.launch({ write: number, how });
      ask(new Date(Math.floor(agoMs(hourMs).getTime() / hourMs) * hourMs + 30 * minuteMs));
      await world.settle(10 * secondMs);
      world.launch();
      await world.settle(minuteMs);
      expect(world.ready('db'), world.describe()).toBe('False TimeSkewTooLarge');
      expect(status()?.restored?.actualTime, `write ${number}`).toBeDefined();
      expect(world.branches()).toEqual([]);
      expect(mints()).toEqual([]);
      await world.stop();
    }
  }
});

test.each([
  ['the class says nothing of restores', undefined, hourMs, 'RestoreNotAllowed'],
  ['the class wants a PointInTimeRestore', { ...restores, via: 'PointInTimeRestoreOnly' }, hourMs, 'RestoreNotAllowed'],
  ['further back than the class allows', { ...restores, maxAge: '30m' }, hourMs, 'RestoreWindowExceeded'],
  ['the future', restores, -hourMs, 'RestoreTimeInFuture'],
] as const)('refused before the provider is asked: %s', async (_why, restore, backMs, reason) => {
  await given({ classes: [restore ? { spec: { restore } } : {}] });
  ask(agoMs(backMs));
  await world.settle(minuteMs);
  expect(world.ready('db')).toBe(`False ${reason}`);
  expect(world.condition('db', 'Stalled')?.reason).toBe(reason);
  expect(creates()).toEqual([]);
  // Not when the instant comes either.
  await world.settle(3 * hourMs);
  expect(world.ready('db')).toBe(`False ${reason}`);
  expect(creates()).toEqual([]);
});

test('what the class comes to allow goes on by itself', async () => {
  await given({ classes: [{}] });
  ask(agoMs(hourMs));
  await world.settle(minuteMs);
  editClass(({ spec }) => void (spec.restore = { ...restores }));
  await world.settle(10 * secondMs);
  expect(world.ready('db'), world.describe()).toBe('True');
});

test('the branch of an object that says children: Forbid cannot be gone back on; with Allow it can', async () => {
  await given();
  world.apply('parent', { children: 'Forbid', expiration: { ttl: '48h' } });
  await world.settle(minuteMs);
  const time = world.clock.now().toISOString();
  await world.settle(10 * minuteMs);
  world.apply('db', { source: { databaseBranchRef: { name: 'parent' }, time } });
  await world.settle(minuteMs);
  expect(world.ready('db')).toBe('False SourceRefNotAllowed');
  world.kube.edit<DatabaseBranch>(
    databaseBranchResource,
    { namespace: 'pr-1', name: 'parent' },
    ({ spec }) => void (spec.children = 'Allow'),
  );
  await world.settle(2 * minuteMs);
  expect(world.ready('db'), world.describe()).toBe('True');
});

test('a source that has an expiry at the provider: the reason names what to do', async () => {
  await given();
  await world.byHand('POST', 'projects/shop/branches?branch_id=staging-1', {
    spec: { source_branch: 'projects/shop/branches/production', ttl: '864000s' },
  });
  await world.settle(10 * minuteMs);
  world.apply('db', { source: { branch: 'staging-1', time: agoMs(minuteMs).toISOString() } });
  await world.settle(minuteMs);
  expect(world.ready('db')).toBe('False SourceExpires');
  expect(message()).toContain('children: Allow');
});

test('what is served stays served when its instant has left the window', async () => {
  await given();
  world.apply('db', {
    source: { branch: 'production', time: agoMs(hourMs).toISOString() },
    expiration: { ttl: '300h' },
  });
  await world.settle(minuteMs);
  expect(world.ready('db'), world.describe()).toBe('True');
  await world.settle(30 * hourMs);
  expect(world.ready('db')).toBe('True');
  expect(world.condition('db', 'Stalled')).toBeUndefined();
  expect(await world.opens('db')).toBe(true);
});

test('a reset to an instant that the provider misses leaves what is served alone', async () => {
  await given({ behaviour: { sourceTimeSnapMs: hourMs } });
  world.apply('db', { expiration: { ttl: '300h' } });
  await world.settle(minuteMs);
  const served = status()?.branch?.id;
  const time = new Date(Math.floor(agoMs(2 * hourMs).getTime() / hourMs) * hourMs + 30 * minuteMs).toISOString();
  edit(({ spec }) => {
    spec.source = { branch: 'production', time };
    spec.reset = { token: '1', strategy: 'Switch', drain: '5m' };
  });
  await world.settle(10 * minuteMs);
  expect(world.condition('db', 'Reconciling')?.reason ?? world.condition('db', 'Stalled')?.reason).toBeDefined();
  expect(status()?.branch?.id).toBe(served);
  expect(await world.opens('db')).toBe(true);
  edit(({ spec }) => {
    spec.source = { branch: 'production' };
    spec.reset = { token: '2', strategy: 'Switch', drain: '5m' };
  });
  await world.settle(20 * minuteMs);
  expect(world.ready('db')).toBe('True');
  expect(world.branches().map(({ id }) => id)).toEqual([status()?.branch?.id]);
});

/** The API server and the provider agree, and are behind the clock of the node by so much. */
function nodeAheadBy(ms: number): void {
  world.kube.offsetMs = -ms;
  world.emulator.faults.set({ clockSkewMs: -ms });
}

test('by a clock of the node that is wrong, nothing ends: it waits, says why, and goes on when that is right', async () => {
  await given({ classes: [{ spec: { restore: { ...restores, maxAge: '1h' } } }] });
  nodeAheadBy(30 * minuteMs);
  ask(agoMs(70 * minuteMs));
  await world.settle(10 * minuteMs);
  expect(world.ready('db'), world.describe()).toBe('False ClockSkewed');
  expect(world.object('db')?.metadata.annotations?.[annotationKey.ended]).toBeUndefined();
  nodeAheadBy(0);
  editClass(({ spec }) => void (spec.restore = { ...restores, maxAge: '2h' }));
  await world.settle(10 * minuteMs);
  expect(world.ready('db'), world.describe()).toBe('True');
});

test('a source is as old as the provider says, by its own clock', async () => {
  await given({ behaviour: { clockSkewMs: -110 * secondMs } });
  world.kube.offsetMs = -110 * secondMs;
  world.apply('parent', { children: 'Allow' });
  await world.settle(10 * minuteMs);
  const made = Date.parse(world.object('parent')?.status?.branch?.createTime ?? '') - 110 * secondMs;
  const time = new Date(made + 30 * secondMs).toISOString();
  world.apply('db', { source: { databaseBranchRef: { name: 'parent' }, time } });
  await world.settle(minuteMs);
  expect(world.ready('db'), world.describe()).toBe('True');
});

test('a branch that an operator asked for before it died is found, though the window passes before it shows', async () => {
  await given({
    behaviour: { notFoundAfterCreateMs: 100 * secondMs },
    classes: [{ spec: { restore: { ...restores, maxAge: '1h' } } }],
  });
  ask(agoMs(hourMs - 20 * secondMs));
  await world.until('the branch was asked for', () => creates().length === 1);
  for (const { kill } of world.processes) kill();
  await world.settle(30 * secondMs);
  world.launch();
  await world.settle(10 * minuteMs);
  expect(creates()).toHaveLength(1);
  expect(world.ready('db'), world.describe()).toBe('True');
});
