// Status is lost, or everything comes back from a backup: what the object asks for decides, and nothing is doubled, lost
// or revived. Each test is a row of the table of what may have been before.
import { afterEach, expect, test } from 'vitest';
import { annotationKey, databaseBranchResource, secretResource } from '../../src/api/names.ts';
import type { DatabaseBranch } from '../../src/api/v1alpha1/database-branch.ts';
import type { Secret } from '../../src/credentials/secret.ts';
import { Scenario, type ScenarioOptions } from '../scenario.ts';

const hourMs = 3_600_000;
const minuteMs = 60_000;
let world: Scenario;
const begin = (options: ScenarioOptions = slow): Scenario => (world = new Scenario(options));
afterEach(() => world.stop());

const slow = { behaviour: { initMs: 900, operationMs: 300, deleteMs: 400, notFoundAfterCreateMs: 500 } };
const db = { namespace: 'pr-1', name: 'db' };
const edit = (change: (object: DatabaseBranch) => void): void =>
  void world.kube.edit<DatabaseBranch>(databaseBranchResource, db, change);
const reset = (token: string): void =>
  edit(({ spec }) => void (spec.reset = { strategy: 'Switch', drain: '5m', token }));
const servedId = (): string | undefined => world.object('db')?.status?.branch?.id;
const ids = (): string[] => world.branches().map(({ id }) => id);
const writesAtProvider = (): number =>
  world.emulator.admin.log().filter(({ what }) => /^branch\.(create|update|delete)$/.test(what)).length;

async function given(spec: Partial<DatabaseBranch['spec']> = { expiration: { ttl: '300h' } }): Promise<string> {
  begin().launch();
  world.apply('db', spec);
  await world.until('the branch is served', () => world.ready('db') === 'True');
  await world.settle(2000);
  return servedId() ?? '';
}

/** The operator dies, the status is lost, another operator starts. */
function wipeStatus(): void {
  for (const { kill } of world.processes) kill();
  edit((object) => void delete object.status);
  world.launch();
}

/**
 * As Velero does it: objects come back with another uid, without status and owner, with their annotations and finalizers;
 * Secrets come back without an owner.
 */
function restoreBackup(): void {
  for (const { kill } of world.processes) kill();
  const object = structuredClone(world.object('db'));
  const secret = structuredClone(world.kube.peek<Secret>(secretResource, db));
  if (!object) throw new Error('there is nothing to back up');
  edit(({ metadata }) => void delete metadata.finalizers);
  world.kube.delete(databaseBranchResource, db);
  if (world.kube.peek(secretResource, db)) world.kube.delete(secretResource, db);
  const { annotations = {}, finalizers = [] } = object.metadata;
  world.kube.seed<DatabaseBranch>(databaseBranchResource, {
    metadata: { ...db, annotations, finalizers },
    spec: object.spec,
  });
  if (secret) {
    const { labels = {}, annotations: own = {} } = secret.metadata;
    world.kube.seed<Secret>(secretResource, {
      metadata: { ...db, labels, annotations: own },
      ...(secret.type ? { type: secret.type } : {}),
      data: secret.data ?? {},
    });
  }
  world.launch();
}

test('Ready, status wiped: the Secret names the branch, and nothing is written at the provider', async () => {
  const first = await given();
  const [before, password] = [writesAtProvider(), world.secret('db')?.['password']];
  wipeStatus();
  await world.settle(5 * minuteMs);
  expect(world.ready('db')).toBe('True');
  expect(servedId()).toBe(first);
  expect(writesAtProvider()).toBe(before);
  expect(world.secret('db')?.['password']).toBe(password);
});

test('Ready, status and Secret gone: the branch is found by its name, proved and served again', async () => {
  const first = await given();
  for (const { kill } of world.processes) kill();
  world.kube.delete(secretResource, db);
  edit((object) => void delete object.status);
  world.launch();
  await world.settle(5 * minuteMs);
  expect(world.ready('db')).toBe('True');
  expect(ids()).toEqual([first]);
  expect(await world.opens('db')).toBe(true);
});

test('Ready, restored: a new branch and a new Secret; the Secret from the backup is never taken for good', async () => {
  const first = await given();
  restoreBackup();
  await world.settle(5 * minuteMs);
  expect(world.ready('db')).toBe('True');
  expect(servedId()).not.toBe(first);
  expect(await world.opens('db')).toBe(true);
  expect(ids()).toContain(first);
  await world.settle(97 * hourMs);
  expect(ids()).not.toContain(first);
});

test('ended, status wiped: said again at once, and nothing is made', async () => {
  await given({ expiration: { ttl: '10m' } });
  await world.settle(20 * minuteMs);
  expect(world.ready('db')).toBe('False Expired');
  const before = world.emulator.admin.log().length;
  edit((object) => void delete object.status);
  await world.settle(minuteMs);
  expect(world.ready('db')).toBe('False Expired');
  expect(world.emulator.admin.log()).toHaveLength(before);
});

test('the third branch live, status wiped: nothing happens', async () => {
  await given();
  for (const token of ['4', '5']) {
    reset(token);
    await world.settle(10 * minuteMs);
  }
  const third = servedId();
  const before = writesAtProvider();
  wipeStatus();
  await world.settle(5 * minuteMs);
  expect(servedId()).toBe(third);
  expect(ids()).toEqual([third]);
  expect(writesAtProvider()).toBe(before);
  expect(world.object('db')?.status?.branch?.resetToken).toBe('5');
});

test('the third branch live, restored: the first branch of the new object is made for the token at once', async () => {
  await given();
  reset('5');
  await world.settle(10 * minuteMs);
  restoreBackup();
  await world.settle(5 * minuteMs);
  expect(world.object('db')?.status?.branch?.resetToken).toBe('5');
  expect(world.object('db')?.status?.superseded).toBeUndefined();
  expect(ids()).toHaveLength(2);
});

test('a create under way, status wiped: its branch is found, and no second one is made', async () => {
  begin({ behaviour: { initMs: 20_000, notFoundAfterCreateMs: 3000 } }).launch();
  world.apply('db');
  await world.until('the branch was asked for', () => ids().length === 1);
  wipeStatus();
  await world.settle(2 * minuteMs);
  expect(world.ready('db')).toBe('True');
  expect(ids()).toHaveLength(1);
});

/** A branch that may have children has no end at the provider: nobody but the operator removes it. */
const forks = { className: 'other', children: 'Allow' as const, expiration: { ttl: '300h' } };
/** Objects of this one are looked at eight and a half minutes after a start: too late for these stories. */
const other = { metadata: { name: 'other' } };

test('a candidate given up while its record is lost is found, and goes', async () => {
  begin({ behaviour: { initMs: 20_000 }, classes: [other] }).launch();
  world.apply('db', forks);
  await world.until('the candidate is on record', () => world.object('db')?.status?.candidate !== undefined);
  const [first] = ids();
  wipeStatus();
  reset('1');
  await world.settle(7 * minuteMs);
  expect(world.ready('db')).toBe('True');
  expect(ids()).toEqual([servedId()]);
  expect(ids()).not.toContain(first);
});

test('a branch asked for by an operator that died before it said so, and given up then, is found, and goes', async () => {
  begin({ behaviour: { initMs: 900, notFoundAfterCreateMs: 5000 }, classes: [other] }).launch();
  world.apply('db', forks);
  await world.until('the branch was asked for', () => ids().length === 1);
  expect(world.object('db')?.status?.candidate).toBeUndefined();
  const [first] = ids();
  for (const { kill } of world.processes) kill();
  reset('1');
  world.launch();
  // Two minutes until the provider surely shows it, and its drain.
  await world.settle(9 * minuteMs);
  expect(ids()).toEqual([servedId()]);
  expect(ids()).not.toContain(first);
});

test('a reset under way, status wiped: the Secret says what is served, the spec what is wanted, and it goes on', async () => {
  const first = await given();
  world.emulator.faults.set({ initMs: 60_000 });
  reset('1');
  await world.settle(10_000);
  wipeStatus();
  await world.settle(10_000);
  expect(servedId()).toBe(first);
  expect(world.ready('db')).toBe('True');
  await world.settle(15 * minuteMs);
  expect(servedId()).not.toBe(first);
  expect(ids()).toEqual([servedId()]);
});

test('an old branch draining, status wiped: its end is known to the provider, and it goes', async () => {
  const first = await given();
  reset('1');
  await world.settle(minuteMs);
  expect(ids()).toHaveLength(2);
  wipeStatus();
  await world.settle(2 * minuteMs);
  expect(world.ready('db')).toBe('True');
  await world.settle(10 * minuteMs);
  expect(ids()).not.toContain(first);
});

test('a switch whose status was lost before the old branch had an end: it is found by its tag, and drains', async () => {
  const first = await given();
  world.emulator.faults.inject({
    method: 'PATCH',
    path: '/api/2.0/postgres/projects/*/branches/*',
    trouble: { kind: 'answer', status: 503 },
  });
  reset('1');
  await world.until('the switch', () => servedId() !== first);
  for (const { kill } of world.processes) kill();
  world.emulator.faults.clear();
  edit((object) => void delete object.status);
  world.launch();
  await world.settle(30 * minuteMs);
  expect(ids()).toEqual([servedId()]);
  expect(ids()).not.toContain(first);
});

test.each([
  ['expired by ttl', { expiration: { ttl: '1h' } }],
  ['expired by the default of the class', {}],
])('%s, status wiped or restored: it stays expired', async (_what, spec) => {
  await given(spec);
  await world.settle(73 * hourMs);
  expect(world.ready('db')).toBe('False Expired');
  wipeStatus();
  await world.settle(10 * minuteMs);
  expect(world.ready('db')).toBe('False Expired');
  restoreBackup();
  await world.settle(10 * minuteMs);
  expect(world.ready('db')).toBe('False Expired');
  expect(ids()).toEqual([]);
  reset('1');
  await world.settle(10 * minuteMs);
  expect(world.ready('db')).toBe('True');
});

test('expired at an instant, restored without its annotation: it is expired all the same', async () => {
  await given({ expiration: { at: '2026-11-25T12:00:00Z' } });
  await world.settle(3 * hourMs);
  edit(({ metadata }) => void delete metadata.annotations);
  restoreBackup();
  await world.settle(10 * minuteMs);
  expect(world.ready('db')).toBe('False Expired');
  expect(ids()).toEqual([]);
});

test('deleted outside, status wiped or restored: it is not made again in silence', async () => {
  const first = await given();
  await world.removeBranch(first);
  await world.settle(40 * minuteMs);
  expect(world.ready('db')).toBe('False DeletedExternally');
  for (const lose of [wipeStatus, restoreBackup]) {
    lose();
    await world.settle(10 * minuteMs);
    expect(world.ready('db')).toBe('False DeletedExternally');
    expect(ids()).toEqual([]);
  }
});

test('two clusters from one etcd snapshot: with another cluster id the second one makes its own and touches nothing', async () => {
  const first = await given();
  for (const { kill } of world.processes) kill();
  edit((object) => {
    delete object.status;
  });
  world.kube.delete(secretResource, db);
  world.launch(undefined, 'second-cluster');
  await world.settle(10 * minuteMs);
  expect(world.ready('db')).toBe('True');
  expect(ids()).toHaveLength(2);
  expect(servedId()).not.toBe(first);
});

test('a cluster id that moved on: what was made under the one before is served and deleted as ever', async () => {
  const first = await given();
  for (const { kill } of world.processes) kill();
  world.launch(undefined, 'moved-on');
  await world.settle(hourMs);
  expect(world.ready('db')).toBe('False ClusterIDChanged');
  expect(ids()).toEqual([first]);
  for (const { kill } of world.processes) kill();
  world.launch(undefined, 'moved-on', ['test-cluster']);
  await world.settle(10 * minuteMs);
  expect(world.ready('db')).toBe('True');
  expect(ids()).toEqual([first]);
  world.kube.delete(databaseBranchResource, db);
  await world.settle(2 * minuteMs);
  expect(ids()).toEqual([]);
  expect(world.object('db')).toBeUndefined();
});

test('without an operator a restored finalizer holds the object, and a new operator lets it go', async () => {
  await given();
  restoreBackup();
  for (const { kill } of world.processes) kill();
  world.kube.delete(databaseBranchResource, db);
  await world.settle(minuteMs);
  expect(world.object('db')?.metadata.finalizers).toEqual([expect.stringContaining('lakebranch.dev')]);
  world.launch();
  await world.settle(5 * minuteMs);
  expect(world.object('db')).toBeUndefined();
});

test('the annotation that marks an end knows nothing of the uid, so that it survives a backup', async () => {
  const first = await given();
  await world.removeBranch(first);
  await world.settle(40 * minuteMs);
  const before = world.object('db')?.metadata.annotations?.[annotationKey.ended];
  restoreBackup();
  await world.settle(10 * minuteMs);
  expect(world.object('db')?.metadata.annotations?.[annotationKey.ended]).toBe(before);
});
