// The way out, whatever stands in it: outages, classes that are gone, parents, protection, Retain.
import { afterEach, expect, test } from 'vitest';
import { annotationKey, branchClassResource, databaseBranchResource } from '../../src/api/names.ts';
import type { BranchClass } from '../../src/api/v1alpha1/branch-class.ts';
import type { DatabaseBranch } from '../../src/api/v1alpha1/database-branch.ts';
import { KubeError } from '../../src/kit/kube.ts';
import { Scenario, type ScenarioOptions } from '../scenario.ts';

const hourMs = 3_600_000;
const minuteMs = 60_000;
let world: Scenario;
const begin = (options: ScenarioOptions = {}): Scenario => (world = new Scenario(options));
afterEach(() => world.stop());

const db = { namespace: 'pr-1', name: 'db' };
const namespaces = { group: '', version: 'v1', plural: 'namespaces', kind: 'Namespace', namespaced: false };
const edit = (change: (object: DatabaseBranch) => void): void =>
  void world.kube.edit<DatabaseBranch>(databaseBranchResource, db, change);
const ids = (): string[] => world.branches().map(({ id }) => id);
const servedId = (): string => world.object('db')?.status?.branch?.id ?? '';
const outage = (): void => {
  world.emulator.faults.inject({ trouble: { kind: 'answer', status: 503 } });
};
const classEvents = (): string[] =>
  world.kube
    .versions()
    .filter(({ type }) => type.plural === 'events')
    .map(({ object }) => object as unknown as { reason: string; note: string; regarding: { kind: string } })
    .filter(({ regarding }) => regarding.kind === 'BranchClass')
    .map(({ reason, note }) => `${reason}: ${note}`);

async function given(spec: Partial<DatabaseBranch['spec']> = {}, options: ScenarioOptions = {}): Promise<string> {
  begin(options).launch();
  world.apply('db', spec);
  await world.settle();
  expect(world.ready('db'), world.describe()).toBe('True');
  return servedId();
}

const remove = (): void => world.kube.delete(databaseBranchResource, db);

test('an outage of the provider: after a quarter of an hour the lease is trusted, said aloud, and ends the branch', async () => {
  const first = await given({ expiration: { ttl: '300h' } });
  outage();
  remove();
  await world.settle(14 * minuteMs);
  expect(world.ready('db')).toBe('False DeletionWaiting');
  await world.settle(3 * minuteMs);
  expect(world.object('db')).toBeUndefined();
  expect(world.left).toEqual([expect.objectContaining({ how: 'LeftToLease' })]);
  expect(classEvents()).toEqual([expect.stringContaining(first)]);
  expect(ids()).toEqual([first]);
  world.emulator.faults.clear();
  await world.settle(97 * hourMs);
  expect(ids()).toEqual([]);
});

const reset = (token: string): void =>
  edit(({ spec }) => void (spec.reset = { token, strategy: 'Switch', drain: '5m' }));

test('in an outage, a branch that was replaced and is wanted back is left to its lease as well', async () => {
  const first = await given({ expiration: { ttl: '300h' } });
  reset('1');
  await world.settle(minuteMs);
  world.emulator.faults.inject({
    method: 'GET',
    path: `/api/2.0/postgres/projects/*/branches/${first}/roles**`,
    trouble: { kind: 'answer', status: 503 },
  });
  reset('');
  await world.settle(minuteMs);
  expect(servedId()).not.toBe(first);
  outage();
  remove();
  await world.settle(17 * minuteMs);
  expect(world.object('db')).toBeUndefined();
  world.emulator.faults.clear();
  await world.settle(97 * hourMs);
  expect(ids()).toEqual([]);
});

test('in an outage, an object with a replaced branch that is protected is not let go by itself', async () => {
  const first = await given({ expiration: { ttl: '300h' } });
  await world.protectBranch(first);
  reset('1');
  await world.settle(90 * minuteMs);
  outage();
  remove();
  await world.settle(5 * hourMs);
  expect(world.ready('db')).toBe('False DeletionWaiting');
  expect(ids()).toHaveLength(2);
});

test('an outage that ends in time: the branch is deleted as ever', async () => {
  await given();
  outage();
  remove();
  await world.settle(13 * minuteMs);
  world.emulator.faults.clear();
  await world.settle(2 * minuteMs);
  expect(world.object('db')).toBeUndefined();
  expect(world.left).toEqual([]);
  expect(ids()).toEqual([]);
});

test('an operator that starts into an outage does not let go before it has failed three times itself', async () => {
  await given();
  for (const { kill } of world.processes) kill();
  outage();
  remove();
  await world.settle(hourMs);
  expect(world.object('db')).toBeDefined();
  world.launch();
  await world.settle(5000);
  expect(world.object('db')).toBeDefined();
  await world.settle(2 * minuteMs);
  expect(world.object('db')).toBeUndefined();
});

test.each<[string, Partial<DatabaseBranch['spec']>]>([
  ['children: Allow', { children: 'Allow' }],
  ['expiration.never', { expiration: { never: true } }],
])('an unleased branch (%s) is never let go by itself; the annotation does it', async (_what, spec) => {
  const first = await given(spec, { classes: [{ spec: { expiration: { allowNever: true } } }] });
  await world.settle(minuteMs);
  expect(world.object('db')?.status?.expiration?.enforcedBy).toBe('Operator');
  outage();
  remove();
  await world.settle(5 * hourMs);
  expect(world.ready('db')).toBe('False DeletionWaiting');
  edit(({ metadata }) => void (metadata.annotations = { [annotationKey.release]: 'not-this-uid' }));
  await world.settle(minuteMs);
  expect(world.object('db')).toBeDefined();
  edit(({ metadata }) => void (metadata.annotations = { [annotationKey.release]: metadata.uid ?? '' }));
  await world.settle(minuteMs);
  expect(world.object('db')).toBeUndefined();
  world.emulator.faults.clear();
  expect(ids()).toEqual([first]);
});

test('a protected branch is never let go by itself, and its object says what to do', async () => {
  const first = await given();
  await world.protectBranch(first);
  await world.settle(15 * minuteMs);
  remove();
  await world.settle(hourMs);
  expect(world.ready('db')).toBe('False DeletionBlocked');
  expect(ids()).toEqual([first]);
  await world.protectBranch(first, false);
  await world.settle(2 * minuteMs);
  expect(world.object('db')).toBeUndefined();
  expect(ids()).toEqual([]);
});

test('Retain: the object goes when the provider knows the end, and the branch lives until then', async () => {
  const first = await given({ deletionPolicy: 'Retain', expiration: { ttl: '200h' } });
  await world.settle(minuteMs);
  const end = world.clock.now().getTime() + 200 * hourMs;
  expect(world.branches()[0]?.expiresAt).toBeGreaterThan(end - 10 * minuteMs);
  remove();
  await world.settle(minuteMs);
  expect(world.object('db')).toBeUndefined();
  expect(world.left).toEqual([expect.objectContaining({ how: 'Retained' })]);
  expect(classEvents()[0]).toContain('Retain');
  await world.settle(190 * hourMs);
  expect(ids()).toEqual([first]);
  await world.settle(20 * hourMs);
  expect(ids()).toEqual([]);
});

test('Retain: an expiry that somebody shortened is put right before the object goes', async () => {
  const first = await given({ deletionPolicy: 'Retain', expiration: { ttl: '200h' } });
  await world.byHand('PATCH', `projects/shop/branches/${first}?update_mask=spec.expiration`, {
    spec: { ttl: '3600s' },
  });
  remove();
  await world.settle(minuteMs);
  expect(world.object('db')).toBeUndefined();
  expect((world.branches()[0]?.expiresAt ?? 0) - world.clock.now().getTime()).toBeGreaterThan(190 * hourMs);
});

test('Retain: a refusal that passes costs nothing of the life that was asked for', async () => {
  const first = await given({ deletionPolicy: 'Retain', expiration: { ttl: '200h' } });
  await world.byHand('PATCH', `projects/shop/branches/${first}?update_mask=spec.expiration`, {
    spec: { ttl: '3600s' },
  });
  world.emulator.faults.inject({
    method: 'PATCH',
    times: 2,
    trouble: { kind: 'answer', status: 400, errorCode: 'INVALID_PARAMETER_VALUE', message: 'not now' },
  });
  remove();
  await world.settle(2 * minuteMs);
  expect(world.object('db')).toBeUndefined();
  expect((world.branches()[0]?.expiresAt ?? 0) - world.clock.now().getTime()).toBeGreaterThan(190 * hourMs);
});

test('Retain: what the provider refuses again and again is clamped, said, and lets the object go', async () => {
  const first = await given({ deletionPolicy: 'Retain', expiration: { ttl: '200h' } });
  await world.byHand('PATCH', `projects/shop/branches/${first}?update_mask=spec.expiration`, {
    spec: { ttl: '3600s' },
  });
  world.emulator.faults.set({ limits: { expirationSeconds: 100 * 3600 } });
  remove();
  await world.settle(5 * minuteMs);
  expect(world.object('db')).toBeUndefined();
  const leftMs = (world.branches()[0]?.expiresAt ?? 0) - world.clock.now().getTime();
  expect(leftMs).toBeGreaterThan(90 * hourMs);
  expect(classEvents()[0]).toContain(new Date(world.branches()[0]?.expiresAt ?? 0).toISOString());
});

test('Retain: an outage keeps the object, because nobody else would know the end', async () => {
  await given({ deletionPolicy: 'Retain', expiration: { ttl: '200h' } });
  outage();
  remove();
  await world.settle(3 * hourMs);
  expect(world.object('db')).toBeDefined();
  world.emulator.faults.clear();
  await world.settle(2 * minuteMs);
  expect(world.object('db')).toBeUndefined();
  expect(ids()).toHaveLength(1);
});

test('Retain is about deletion: an expiration deletes the branch all the same', async () => {
  await given({ deletionPolicy: 'Retain', expiration: { ttl: '2h' } });
  await world.settle(2 * hourMs + minuteMs);
  expect(world.ready('db')).toBe('False Expired');
  expect(ids()).toEqual([]);
});

test('children first: a namespace with a family of branches goes as a whole', async () => {
  begin({ behaviour: { deleteMs: 500 } }).launch();
  world.apply('parent', { children: 'Allow' });
  await world.settle(3 * minuteMs);
  for (const name of ['a', 'b']) world.apply(name, { source: { databaseBranchRef: { name: 'parent' } } });
  await world.settle(3 * minuteMs);
  expect(ids()).toHaveLength(3);
  world.kube.delete(namespaces, { name: 'pr-1' });
  await world.settle(minuteMs);
  expect(ids()).toEqual([]);
  expect(world.objects()).toEqual([]);
});

test('a child that somebody made by hand is named, and goes by no hand of ours', async () => {
  const first = await given({ children: 'Allow' });
  await world.settle(3 * minuteMs);
  await world.byHand('POST', 'projects/shop/branches?branch_id=by-hand', {
    spec: { source_branch: `projects/shop/branches/${first}`, ttl: '86400s' },
  });
  await world.settle(minuteMs);
  remove();
  await world.settle(10 * minuteMs);
  expect(world.ready('db')).toBe('False DeletionBlockedByChildren');
  expect(world.condition('db', 'Ready')?.message).toContain('by-hand');
  await world.removeBranch('by-hand');
  await world.settle(minuteMs);
  expect(world.object('db')).toBeUndefined();
});

test('a namespace that was deleted while the operator was away is emptied by the next one', async () => {
  await given();
  for (const { kill } of world.processes) kill();
  world.kube.delete(namespaces, { name: 'pr-1' });
  await world.settle(hourMs);
  expect(ids()).toHaveLength(1);
  world.launch();
  await world.settle(2 * minuteMs);
  expect(ids()).toEqual([]);
  expect(world.objects()).toEqual([]);
});

test('a namespace that was deleted while the provider is down, and the class is gone too', async () => {
  await given();
  outage();
  world.kube.edit<BranchClass>(
    branchClassResource,
    { name: 'default' },
    ({ metadata }) => void delete metadata.finalizers,
  );
  world.kube.delete(branchClassResource, { name: 'default' });
  world.kube.delete(namespaces, { name: 'pr-1' });
  await world.settle(10 * minuteMs);
  expect(world.ready('db')).toBe('False DeletionWaiting');
  expect(world.condition('db', 'Ready')?.message).toContain('lakebranch.dev/release');
  await world.settle(10 * minuteMs);
  expect(world.objects()).toEqual([]);
  expect(world.left).toEqual([expect.objectContaining({ how: 'LeftToLease' })]);
});

test('a class that now names another project: nothing is concluded from its 404s', async () => {
  const first = await given();
  world.kube.edit<BranchClass>(branchClassResource, { name: 'default' }, ({ spec }) => {
    spec.provider.project = 'elsewhere';
  });
  await world.settle(5 * minuteMs);
  remove();
  await world.settle(10 * minuteMs);
  expect(world.object('db')).toBeDefined();
  expect(ids()).toEqual([first]);
  world.kube.edit<BranchClass>(branchClassResource, { name: 'default' }, ({ spec }) => {
    spec.provider.project = 'shop';
  });
  await world.settle(3 * minuteMs);
  expect(world.object('db')).toBeUndefined();
  expect(ids()).toEqual([]);
});

test('what is left of a namespace that is gone is tidied up all the same', async () => {
  begin().launch();
  // As after a crash of the API server while it emptied the namespace.
  world.apply('db', {}, 'ghost');
  await world.settle();
  expect(world.ready('db', 'ghost')).toBe('False NamespaceNotAllowed');
  world.kube.delete(databaseBranchResource, { namespace: 'ghost', name: 'db' });
  await world.settle(2 * minuteMs);
  expect(world.objects()).toEqual([]);
  expect(ids()).toEqual([]);
});

test('an outage right after the POST: no status was written yet, but the lease that it told is known', async () => {
  begin({ behaviour: { notFoundAfterCreateMs: 5000 } }).launch();
  world.apply('db');
  await world.until('the POST', () => world.branches().length === 1);
  world.emulator.faults.inject({ trouble: { kind: 'answer', status: 503 } });
  await world.settle();
  world.kube.delete(databaseBranchResource, { namespace: 'pr-1', name: 'db' });
  await world.settle(30 * minuteMs);
  expect(world.objects()).toEqual([]);
  expect(world.left).toMatchObject([{ how: 'LeftToLease' }]);
});

test('the finalizer that another leader holds up for a moment by a write of status goes all the same', async () => {
  begin().launch();
  world.apply('db', { deletionPolicy: 'Retain' });
  await world.settle();
  let refused = 0;
  world.kube.failBefore(({ key, body }) => {
    const finalizers = (body as Partial<DatabaseBranch> | undefined)?.metadata?.finalizers;
    if (refused > 0 || key !== 'pr-1/db' || !finalizers) return undefined;
    refused++;
    return new KubeError('patch', 409, { reason: 'Conflict', message: 'the object has been modified' });
  });
  world.kube.delete(databaseBranchResource, { namespace: 'pr-1', name: 'db' });
  await world.until('the refusal', () => refused === 1);
  await world.settle(2000);
  expect(world.objects()).toEqual([]);
  expect(world.left).toHaveLength(1);
});
