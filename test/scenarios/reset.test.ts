// A new reset.token makes a fresh branch under the same Secret; what is served goes on until then.
import { afterEach, expect, test } from 'vitest';
import { annotationKey, branchClassResource, databaseBranchResource, secretResource } from '../../src/api/names.ts';
import type { BranchClass } from '../../src/api/v1alpha1/branch-class.ts';
import type { DatabaseBranch } from '../../src/api/v1alpha1/database-branch.ts';
import type { Secret } from '../../src/credentials/secret.ts';
import { Scenario, type ScenarioOptions } from '../scenario.ts';

const hourMs = 3_600_000;
const minuteMs = 60_000;
let world: Scenario;
const begin = (options?: ScenarioOptions): Scenario => (world = new Scenario(options));
afterEach(() => world.stop());

const db = { namespace: 'pr-1', name: 'db' };
const edit = (change: (object: DatabaseBranch) => void): void =>
  void world.kube.edit<DatabaseBranch>(databaseBranchResource, db, change);
const editClass = (change: (bclass: BranchClass) => void): void =>
  void world.kube.edit<BranchClass>(branchClassResource, { name: 'default' }, change);
const reset = (token: string, more: Partial<NonNullable<DatabaseBranch['spec']['reset']>> = {}): void =>
  edit(({ spec }) => void (spec.reset = { strategy: 'Switch', drain: '5m', ...spec.reset, ...more, token }));

const slow = { behaviour: { initMs: 900, operationMs: 400, deleteMs: 500, notFoundAfterCreateMs: 700 } };
const servedId = (name = 'db'): string | undefined => world.object(name)?.status?.branch?.id;
const ids = (): string[] => world.branches().map(({ id }) => id);
/** Until the provider removes the branch. */
const minutesLeft = (id: string): number =>
  ((world.branches().find((branch) => branch.id === id)?.expiresAt ?? Infinity) - world.clock.now().getTime()) /
  minuteMs;

/** An object that is served, and the id of its branch. */
async function given(options: ScenarioOptions = slow): Promise<string> {
  begin(options).launch();
  world.apply('db', { expiration: { ttl: '300h' } });
  await world.until('the first branch is served', () => world.ready('db') === 'True', hourMs);
  await world.settle(1000);
  return servedId() ?? '';
}

/** The Secret opens the branch `id` and no other. */
async function expectServed(id: string): Promise<void> {
  expect(servedId(), world.describe()).toBe(id);
  expect(world.kube.peek<Secret>(secretResource, db)?.metadata.annotations?.[annotationKey.branchId]).toBe(id);
  expect(await world.opens('db')).toBe(true);
}

test('a new token switches the Secret to a fresh branch, and the old one drains by the provider', async () => {
  const first = await given();
  const host = world.secret('db')?.['host'];
  reset('1');
  await world.until('the switch', () => servedId() !== first);
  await world.settle(5000);
  const second = servedId() ?? '';
  await expectServed(second);
  expect(world.secret('db')?.['host']).not.toBe(host);
  expect(ids().sort()).toEqual([first, second].sort());
  expect(world.object('db')?.status).toMatchObject({
    branch: { id: second, resetToken: '1' },
    superseded: [{ id: first }],
    observedGeneration: world.object('db')?.metadata.generation,
  });
  const old = world.branches().find(({ id }) => id === first);
  const leftMs = (old?.expiresAt ?? Infinity) - world.clock.now().getTime();
  expect(leftMs).toBeLessThanOrEqual(5 * minuteMs);
  expect(leftMs).toBeGreaterThan(4 * minuteMs);
  await world.settle(10 * minuteMs);
  expect(ids()).toEqual([second]);
  expect(world.object('db')?.status?.superseded).toBeUndefined();
  expect(world.ready('db')).toBe('True');
});

test('the old branch drains even if the operator dies right after the switch was noted', async () => {
  const first = await given();
  reset('1');
  await world.until('the old one has an end', () =>
    world
      .branches()
      .some(({ id, expiresAt }) => id === first && (expiresAt ?? Infinity) < Date.parse('2026-11-25T12:00:00Z')),
  );
  for (const { kill } of world.processes) kill();
  await world.settle(20 * minuteMs);
  expect(ids()).toHaveLength(1);
  expect(ids()).not.toContain(first);
});

test('the old branch drains soon even if the status is lost at the very moment of the switch', async () => {
  const old = await given();
  const before = world.secret('db')?.['host'];
  let lost = false;
  world.kube.failBefore(({ subresource }) => {
    if (lost || subresource !== 'status' || world.secret('db')?.['host'] === before) return;
    lost = true;
    edit((object) => void delete object.status);
  });
  reset('1');
  await world.settle(2 * minuteMs);
  expect(lost).toBe(true);
  const left = world.branches().find(({ id }) => id === old);
  expect((left?.expiresAt ?? Infinity) - world.clock.now().getTime()).toBeLessThanOrEqual(5 * minuteMs);
  await world.settle(10 * minuteMs);
  expect(ids()).toEqual([servedId()]);
});

test('while the fresh branch is made, the object stays Ready and says so; kubectl wait does not return early', async () => {
  const first = await given({ behaviour: { initMs: 30_000 } });
  reset('1');
  await world.settle(20_000);
  expect(world.ready('db')).toBe('True');
  expect(world.condition('db', 'Reconciling')?.reason).toBe('Resetting');
  const { metadata, status } = world.object('db') ?? {};
  expect(status?.observedGeneration).toBeLessThan(metadata?.generation ?? 0);
  await expectServed(first);
  await world.settle(60_000);
  expect(world.condition('db', 'Reconciling')).toBeUndefined();
  expect(servedId()).not.toBe(first);
});

test('a full project: the reset waits, the old branch is served, rotated and leased', async () => {
  const first = await given();
  for (let n = 0; n < 8; n++) world.apply(`other-${n}`);
  await world.settle();
  expect(world.branches()).toHaveLength(9);
  reset('1');
  await world.settle(13 * hourMs);
  expect(world.condition('db', 'Reconciling')?.reason).toBe('WaitingForBranchSlot');
  expect(world.object('db')?.status?.queue).toMatchObject({ position: 1 });
  await expectServed(first);
  const leftMs = (world.branches().find(({ id }) => id === first)?.expiresAt ?? 0) - world.clock.now().getTime();
  expect(leftMs).toBeGreaterThan(80 * hourMs);
  world.kube.delete(databaseBranchResource, { namespace: 'pr-1', name: 'other-0' });
  await world.settle(2 * minuteMs);
  expect(servedId()).not.toBe(first);
  expect(world.object('db')?.status?.queue).toBeUndefined();
});

test('Replace gives up the old branch first, and takes the slot that this frees', async () => {
  const first = await given();
  for (let n = 0; n < 8; n++) world.apply(`other-${n}`);
  await world.settle();
  world.apply('waiting');
  await world.settle();
  reset('1', { strategy: 'Replace' });
  await world.settle(3 * minuteMs);
  const second = servedId() ?? '';
  expect(second).not.toBe(first);
  await expectServed(second);
  expect(ids()).not.toContain(first);
  expect(world.ready('waiting')).toBe('False WaitingForBranchSlot');
});

test('Replace gives up nothing before there is something to fork from', async () => {
  const first = await given();
  edit((object) => {
    object.spec.source = { branch: 'staging-gone' };
    object.spec.reset = { token: '1', strategy: 'Replace', drain: '5m' };
  });
  await world.settle(3 * minuteMs);
  await expectServed(first);
  expect(world.condition('db', 'Stalled')?.reason).toBe('SourceNotFound');
});

test('a token that is taken back before the switch deletes its candidate at once', async () => {
  const first = await given({ behaviour: { initMs: 60_000 } });
  reset('1');
  await world.settle(5000);
  expect(ids()).toHaveLength(2);
  reset('');
  await world.settle(30_000);
  expect(ids()).toEqual([first]);
  expect(world.object('db')?.status?.candidate).toBeUndefined();
  await expectServed(first);
});

test('a token that is taken back while its branch drains switches back to that branch, and its lease is whole again', async () => {
  const first = await given();
  reset('1');
  await world.settle(minuteMs);
  const second = servedId() ?? '';
  reset('');
  await world.settle(minuteMs);
  await expectServed(first);
  await world.settle(10 * minuteMs);
  expect(ids()).toEqual([first]);
  expect(ids()).not.toContain(second);
  const leftMs = (world.branches()[0]?.expiresAt ?? 0) - world.clock.now().getTime();
  expect(leftMs).toBeGreaterThan(80 * hourMs);
});

test('a draining branch that was wanted back, and is not after all, drains anew', async () => {
  const first = await given();
  reset('1');
  await world.settle(minuteMs);
  const second = servedId() ?? '';
  // Its role cannot be seen, so no login is tried and nothing is switched.
  world.emulator.faults.inject({
    method: 'GET',
    path: `/api/2.0/postgres/projects/*/branches/${first}/roles**`,
    trouble: { kind: 'answer', status: 503 },
  });
  reset('');
  await world.settle(minuteMs);
  await expectServed(second);
  // What is wanted goes nowhere, and the status does not say that it does.
  expect(minutesLeft(first)).toBeGreaterThan(80 * 60);
  expect(world.object('db')?.status?.superseded).toEqual([{ id: first, uid: expect.any(String) }]);

  reset('1');
  await world.settle(30_000);
  expect(minutesLeft(first)).toBeLessThanOrEqual(5);
  await world.settle(10 * minuteMs);
  expect(ids()).toEqual([second]);
});

test('a token whose branch was deleted is not used again; what is served stays', async () => {
  const first = await given();
  reset('1');
  await world.settle(15 * minuteMs);
  const second = servedId() ?? '';
  reset('');
  await world.settle(minuteMs);
  expect(world.ready('db')).toBe('False ResetTokenReused');
  await expectServed(second);
  expect(ids()).toEqual([second]);
  reset('2');
  await world.settle(15 * minuteMs);
  expect(world.ready('db')).toBe('True');
  expect(servedId()).not.toBe(second);
  expect(ids()).not.toContain(first);
});

test('three tokens in quick succession leave one branch, the last', async () => {
  await given();
  for (const token of ['1', '2', '3']) {
    reset(token);
    await world.settle(600);
  }
  await world.settle(15 * minuteMs);
  expect(ids()).toHaveLength(1);
  expect(world.object('db')?.status?.branch?.resetToken).toBe('3');
  await expectServed(ids()[0] ?? '');
});

test('source and token change together, and the class must allow the source', async () => {
  const first = await given();
  edit(({ spec }) => {
    spec.source = { branch: 'elsewhere' };
    spec.reset = { token: '1', strategy: 'Switch', drain: '5m' };
  });
  await world.settle(minuteMs);
  expect(world.ready('db')).toBe('False SourceNotAllowed');
  await expectServed(first);
  editClass(({ spec }) => void spec.sources.allow.push('elsewhere'));
  await world.settle(3 * minuteMs);
  expect(world.condition('db', 'Stalled')?.reason).toBe('SourceNotFound');
  await expectServed(first);
});

test('a Secret that is deleted while the reset waits is healed with the old branch', async () => {
  const first = await given({ behaviour: { initMs: 10 * minuteMs } });
  await world.settle(10 * minuteMs);
  const branch = servedId() ?? first;
  reset('1');
  await world.settle(5000);
  world.kube.delete(secretResource, db);
  await world.settle(2 * minuteMs);
  await expectServed(branch);
  expect(ids()).toHaveLength(2);
});

test('a served branch that goes during a reset is no loss: the Secret goes, and the fresh one becomes the first', async () => {
  const first = await given({ behaviour: { initMs: 5 * minuteMs } });
  await world.settle(6 * minuteMs);
  const branch = servedId() ?? first;
  reset('1');
  await world.settle(5000);
  await world.removeBranch(branch);
  await world.settle(minuteMs);
  await world.settle(45 * minuteMs);
  expect(servedId()).not.toBe(branch);
  expect(world.object('db')?.metadata.annotations?.[annotationKey.ended]).toBeUndefined();
  await expectServed(ids()[0] ?? '');
});

test('an object that expired comes back with a later expiration and a new token, and only with both', async () => {
  begin(slow).launch();
  world.apply('db', { expiration: { ttl: '1h' } });
  await world.settle(2 * hourMs);
  expect(world.ready('db')).toBe('False Expired');
  edit(({ spec }) => void (spec.expiration = { ttl: '20h' }));
  await world.settle(5 * minuteMs);
  expect(world.ready('db')).toBe('False Expired');
  expect(ids()).toEqual([]);
  reset('1');
  await world.settle(5 * minuteMs);
  expect(world.ready('db')).toBe('True');
  await expectServed(ids()[0] ?? '');
});

test('an object whose branch was deleted outside comes back with a new token', async () => {
  const first = await given();
  await world.removeBranch(first);
  await world.settle(45 * minuteMs);
  expect(world.ready('db')).toBe('False DeletedExternally');
  reset('1');
  await world.settle(5 * minuteMs);
  expect(world.ready('db')).toBe('True');
  expect(ids()).toHaveLength(1);
});

test('deletion half-way through a reset deletes every branch of the object', async () => {
  await given({ behaviour: { initMs: 20_000, deleteMs: 500 } });
  await world.settle(minuteMs);
  reset('1');
  await world.settle(5000);
  expect(ids()).toHaveLength(2);
  world.kube.delete(databaseBranchResource, db);
  await world.settle(3 * minuteMs);
  expect(ids()).toEqual([]);
  expect(world.object('db')).toBeUndefined();
});

test('a replaced branch that is protected is named, is not deleted, and does not block Ready', async () => {
  const first = await given();
  await world.protectBranch(first);
  reset('1');
  await world.settle(15 * minuteMs);
  expect(world.ready('db')).toBe('True');
  expect(world.condition('db', 'Drifted')?.message).toContain(first);
  expect(ids()).toContain(first);
});

test('a fork of another object: the parent must allow children, and the child follows the reset of nobody', async () => {
  begin(slow).launch();
  world.apply('parent');
  await world.settle();
  world.apply('child', { source: { databaseBranchRef: { name: 'parent' } } });
  await world.settle();
  expect(world.ready('child')).toBe('False SourceRefNotAllowed');
  world.kube.edit<DatabaseBranch>(databaseBranchResource, { namespace: 'pr-1', name: 'parent' }, ({ spec }) => {
    spec.children = 'Allow';
  });
  await world.settle(3 * minuteMs);
  expect(world.ready('child'), world.describe()).toBe('True');
  expect(world.branches().find(({ id }) => id === servedId('child'))?.source?.id).toBe(servedId('parent'));
  expect(world.object('parent')?.status?.expiration?.enforcedBy).toBe('Operator');
  world.kube.delete(databaseBranchResource, { namespace: 'pr-1', name: 'parent' });
  await world.settle(minuteMs);
  expect(world.ready('parent')).toBe('False DeletionBlockedByChildren');
  expect(world.condition('parent', 'Stalled')?.message).toContain(servedId('child'));
  world.kube.delete(databaseBranchResource, { namespace: 'pr-1', name: 'child' });
  await world.settle(2 * minuteMs);
  expect(world.objects()).toEqual([]);
  expect(ids()).toEqual([]);
});

test('a branch that was asked for and given up before any status told of it is not left behind', async () => {
  begin({ behaviour: { initMs: 900, notFoundAfterCreateMs: 5000 } }).launch();
  world.apply('db', { expiration: { ttl: '300h' } });
  await world.until('the first POST', () => ids().length === 1);
  const [first] = ids();
  expect(world.object('db')?.status?.candidate).toBeUndefined();
  reset('1');
  await world.until('the second branch is served', () => world.ready('db') === 'True', hourMs);
  await world.settle(20_000);
  expect(world.object('db')?.status?.superseded).toMatchObject([{ id: first }]);
  // Much sooner than the look around that is due every ten minutes.
  await world.settle(7 * minuteMs);
  expect(ids()).toEqual([servedId()]);
});

test('while a reset waits for a slot, status and Secret are both lost: the old branch is leased, not drained', async () => {
  const first = await given();
  for (let n = 0; n < 8; n++) world.apply(`other-${n}`);
  await world.settle();
  reset('1');
  await world.settle(minuteMs);
  for (const { kill } of world.processes) kill();
  edit((object) => void delete object.status);
  world.kube.delete(secretResource, db);
  world.launch();
  await world.settle(30 * minuteMs);
  expect(ids()).toContain(first);
  world.kube.delete(databaseBranchResource, { namespace: 'pr-1', name: 'other-0' });
  await world.settle(20 * minuteMs);
  await expectServed(servedId() ?? '');
  expect(servedId()).not.toBe(first);
  expect(ids()).not.toContain(first);
});
