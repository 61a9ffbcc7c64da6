// A class that changes under its objects: what is served goes on, what is new follows, and every end is told.
import { afterEach, expect, test } from 'vitest';
import {
  branchClassFinalizer,
  branchClassResource,
  databaseBranchResource,
  secretResource,
} from '../../src/api/names.ts';
import type { BranchClass } from '../../src/api/v1alpha1/branch-class.ts';
import type { DatabaseBranch } from '../../src/api/v1alpha1/database-branch.ts';
import type { Secret } from '../../src/credentials/secret.ts';
import { appLogin, host, manager, operatorNamespace, Scenario, type ScenarioOptions } from '../scenario.ts';

const hourMs = 3_600_000;
const minuteMs = 60_000;
const db = { namespace: 'pr-1', name: 'db' };
const namespaces = { group: '', version: 'v1', plural: 'namespaces', kind: 'Namespace', namespaced: false };
let world: Scenario;
afterEach(() => world.stop());

const edit = (change: (object: DatabaseBranch) => void): void =>
  void world.kube.edit<DatabaseBranch>(databaseBranchResource, db, change);
const editClass = (change: (bclass: BranchClass) => void): void =>
  void world.kube.edit<BranchClass>(branchClassResource, { name: 'default' }, change);
const reset = (token: string): void =>
  edit(({ spec }) => void (spec.reset = { token, strategy: 'Switch', drain: '5m' }));
const label = (labels: Record<string, string>): void =>
  void world.kube.edit(namespaces, { name: 'pr-1' }, ({ metadata }) => void (metadata.labels = labels));
const setIdentity = (name: string, { clientId, secret }: { clientId: string; secret: string }): void =>
  void world.kube.edit<Secret>(secretResource, { namespace: operatorNamespace, name }, (stored) => {
    stored.data = { 'client-id': base64(clientId), 'client-secret': base64(secret) };
  });
const base64 = (text: string): string => Buffer.from(text).toString('base64');
const message = (type = 'Ready'): string => world.condition('db', type)?.message ?? '';
const servedId = (): string => world.object('db')?.status?.branch?.id ?? '';

async function given(spec: Partial<DatabaseBranch['spec']> = {}, options: ScenarioOptions = {}): Promise<string> {
  world = new Scenario(options);
  world.launch();
  world.apply('db', { expiration: { ttl: '300h' }, ...spec });
  await world.until('the branch is served', () => world.ready('db') === 'True');
  await world.settle(minuteMs);
  return servedId();
}

/** Takes the class away as somebody with all rights does, and leaves the finalizer no say. */
function forceAway(): void {
  editClass(
    ({ metadata }) =>
      void (metadata.finalizers = (metadata.finalizers ?? []).filter((f) => f !== branchClassFinalizer)),
  );
  world.kube.delete(branchClassResource, { name: 'default' });
}

async function expectServedAsEver(id: string): Promise<void> {
  expect(world.ready('db'), world.describe()).toBe('True');
  expect(servedId()).toBe(id);
  expect(await world.opens('db')).toBe(true);
}

// Identities.

test('the secret of the manager is rotated: the next request that is refused reads it anew', async () => {
  const id = await given();
  setIdentity('manager', { ...manager, secret: 'revoked' });
  await world.settle(3 * hourMs);
  setIdentity('manager', manager);
  await world.settle(13 * hourMs);
  await expectServedAsEver(id);
});

test('another service principal manages the branches: what is served goes on, and new ones are made by it', async () => {
  const id = await given();
  setIdentity('manager', appLogin);
  await world.settle(14 * hourMs);
  await expectServedAsEver(id);
  reset('1');
  await world.settle(5 * minuteMs);
  expect(servedId()).not.toBe(id);
  await expectServedAsEver(servedId());
  const makers = world.emulator.admin.log().filter(({ what }) => what === 'branch.create');
  expect(makers.at(-1)?.by).toBe(appLogin.clientId);
});

test('another login: role, login and Secret are made anew per object, and the old role stays', async () => {
  const id = await given({}, { classes: [{}] });
  const first = world.secret('db');
  setIdentity('login', manager);
  await world.settle(15 * minuteMs);
  expect(world.secret('db')?.['username']).toBe(manager.clientId);
  expect(world.secret('db')?.['host']).toBe(first?.['host']);
  expect(Object.keys(world.branches()[0]?.roles ?? {})).toContain(`sp-${appLogin.clientId}`);
  await expectServedAsEver(id);
});

test('while another login cannot log in yet, the old Secret stays as it is', async () => {
  await given();
  const before = world.secret('db');
  world.emulator.faults.inject({
    method: 'GET',
    path: '/api/2.0/postgres/projects/*/branches/*/roles',
    trouble: { kind: 'answer', status: 503 },
  });
  setIdentity('login', manager);
  await world.settle(20 * minuteMs);
  expect(world.secret('db')).toEqual(before);
  expect(await world.opens('db')).toBe(true);
  world.emulator.faults.clear();
  await world.settle(5 * minuteMs);
  expect(world.secret('db')?.['username']).toBe(manager.clientId);
});

test('a credential Secret that is deleted: the token runs out, the reason names the Secret, and it comes back', async () => {
  const id = await given();
  world.kube.delete(secretResource, { namespace: operatorNamespace, name: 'login' });
  await world.settle(2 * hourMs);
  expect(world.ready('db')).toBe('False CredentialsNotFound');
  expect(message()).toContain(`${operatorNamespace}/login`);
  expect(world.branches()).toHaveLength(1);
  world.addClientSecret('login', appLogin);
  await world.settle(3 * minuteMs);
  await expectServedAsEver(id);
});

// Sources and limits.

test('sources narrowed: what is served goes on and stays Ready, also when its size is edited', async () => {
  const id = await given();
  editClass(({ spec }) => void (spec.sources = { allow: ['staging-*'] }));
  await world.settle(14 * hourMs);
  await expectServedAsEver(id);
  edit(({ spec }) => void (spec.endpoint = { maxCU: 4 }));
  await world.settle(5 * minuteMs);
  expect(Object.values(world.branches()[0]?.endpoints ?? {})[0]?.maxCU).toBe(4);
  await expectServedAsEver(id);
});

test('sources narrowed: a reset is refused, and the branch from before is served on', async () => {
  const id = await given({ source: { branch: 'production' } });
  editClass(({ spec }) => void (spec.sources = { allow: ['staging-*'] }));
  reset('1');
  await world.settle(2 * hourMs);
  expect(world.ready('db')).toBe('False SourceNotAllowed');
  expect(message()).toContain('staging-*');
  expect(servedId()).toBe(id);
  expect(await world.opens('db')).toBe(true);
});

test('another default source: an object that is served keeps its own until a reset', async () => {
  const id = await given();
  editClass(({ spec }) => void (spec.sources = { allow: ['production', 'staging-*'], default: 'staging-1' }));
  await world.settle(2 * hourMs);
  await expectServedAsEver(id);
  world.apply('late');
  await world.settle(3 * minuteMs);
  expect(world.ready('late')).toBe('False SourceNotFound');
});

test('limits lowered below what is used: nobody loses a branch, and the next one waits', async () => {
  const id = await given();
  world.apply('other');
  await world.settle(minuteMs);
  editClass(({ spec }) => void (spec.limits = { ...spec.limits, total: 1 }));
  world.apply('late');
  await world.settle(hourMs);
  await expectServedAsEver(id);
  expect(world.ready('other')).toBe('True');
  expect(world.ready('late')).toBe('False ClassLimitReached');
});

test('the largest size lowered: what runs keeps its size, says so, and goes on being rotated', async () => {
  await given({ endpoint: { maxCU: 8 } }, { classes: [{ spec: { endpoint: { maxCU: 8 } } }] });
  editClass(({ spec }) => void (spec.endpoint = { ...spec.endpoint, maxCU: 4 }));
  await world.settle(14 * hourMs);
  expect(Object.values(world.branches()[0]?.endpoints ?? {})[0]?.maxCU).toBe(8);
  expect(await world.opens('db')).toBe(true);
  expect(world.ready('db')).toBe('False EndpointSizeNotAllowed');
  expect(message()).toContain('lower spec.endpoint.maxCU');
});

test('a shorter expiration in the class neither shortens nor ends what is served', async () => {
  const id = await given({ expiration: { ttl: '100h' } });
  const end = world.object('db')?.status?.expiration?.expireTime;
  editClass(({ spec }) => void (spec.expiration = { ...spec.expiration, default: '1h', max: '2h' }));
  await world.settle(20 * hourMs);
  await expectServedAsEver(id);
  expect(world.object('db')?.status?.expiration?.expireTime).toBe(end);
});

// The namespace.

test('labels removed: the token is renewed for 24 hours, then it runs out, and the branch stays', async () => {
  await given();
  label({});
  await world.settle(20 * hourMs);
  expect(world.ready('db')).toBe('True');
  expect(world.condition('db', 'NamespaceAllowed')?.status).toBe('False');
  expect(message('NamespaceAllowed')).toContain('preview=true');
  expect(await world.opens('db')).toBe(true);
  await world.settle(6 * hourMs);
  expect(world.ready('db')).toBe('False NamespaceNotAllowed');
  expect(world.condition('db', 'Stalled')?.reason).toBe('NamespaceNotAllowed');
  expect(await world.opens('db')).toBe(false);
  await world.settle(100 * hourMs);
  expect(world.branches()).toHaveLength(1);
}, 60_000);

test('labels removed: the 24 hours are counted from the first time, also across restarts', async () => {
  await given();
  label({});
  await world.settle(20 * hourMs);
  world.processes.at(-1)?.kill();
  world.launch();
  await world.settle(6 * hourMs);
  expect(world.ready('db')).toBe('False NamespaceNotAllowed');
});

test('labels removed: no reset, no healing of a Secret, but deletion', async () => {
  const id = await given();
  label({});
  // Labels are read again after ten seconds.
  await world.settle(minuteMs);
  reset('1');
  await world.settle(hourMs);
  expect(servedId()).toBe(id);
  expect(world.branches()).toHaveLength(1);
  world.kube.delete(databaseBranchResource, db);
  await world.settle(2 * minuteMs);
  expect(world.object('db')).toBeUndefined();
  expect(world.branches()).toEqual([]);
});

test('labels put back: all goes on as before', async () => {
  const id = await given();
  label({});
  await world.settle(30 * hourMs);
  label({ preview: 'true' });
  await world.settle(3 * minuteMs);
  await expectServedAsEver(id);
  expect(world.condition('db', 'NamespaceAllowed')).toBeUndefined();
});

// The class itself.

test('a class that is being deleted: no reset, but rotation, lease and deletion', async () => {
  const id = await given();
  world.kube.delete(branchClassResource, { name: 'default' });
  reset('1');
  await world.settle(14 * hourMs);
  expect(servedId()).toBe(id);
  expect(world.ready('db')).toBe('True');
  expect(await world.opens('db')).toBe(true);
  expect(world.condition('db', 'Reconciling')).toBeDefined();
  expect(world.branches()).toHaveLength(1);
  world.kube.delete(databaseBranchResource, db);
  await world.settle(2 * minuteMs);
  expect(world.branches()).toEqual([]);
  expect(world.kube.peek(branchClassResource, { name: 'default' })).toBeUndefined();
});

test('a class that was taken away by force: nothing is concluded, and the same class brings all back', async () => {
  const id = await given();
  forceAway();
  await world.settle(2 * hourMs);
  expect(world.ready('db')).toBe('False ClassNotFound');
  expect(world.branches()).toHaveLength(1);
  world.addClass();
  await world.settle(3 * minuteMs);
  await expectServedAsEver(id);
});

test.each<[string, Partial<BranchClass['spec']['provider']>]>([
  ['project', { project: 'elsewhere' }],
  ['host', { host: 'https://other.test' }],
])('a class made anew with another %s: nothing is concluded from the answers there', async (_what, provider) => {
  const id = await given();
  const deleted = (): number => world.emulator.admin.log().filter(({ what }) => what === 'branch.delete').length;
  forceAway();
  world.addClass({ spec: { provider } });
  await world.settle(2 * hourMs);
  expect(world.ready('db')).toBe('False ClassMoved');
  expect(world.condition('db', 'Stalled')?.reason).toBe('ClassMoved');
  expect(message()).toContain('shop');
  expect(message()).toContain(new URL(host).host);
  expect(deleted()).toBe(0);
  world.kube.delete(databaseBranchResource, db);
  await world.settle(5 * minuteMs);
  expect(message()).toContain('lakebranch.dev/release=');
  expect(servedId()).toBe(id);
  await world.settle(20 * minuteMs);
  expect(world.left).toMatchObject([{ how: 'LeftToLease' }]);
  expect(deleted()).toBe(0);
});

test('a class that is missing is a failure in the sense of maxWait: a leased branch is let go', async () => {
  await given();
  forceAway();
  world.kube.delete(databaseBranchResource, db);
  await world.settle(20 * minuteMs);
  expect(world.object('db')).toBeUndefined();
  expect(world.left).toMatchObject([{ how: 'LeftToLease' }]);
  await world.settle(100 * hourMs);
  expect(world.branches()).toEqual([]);
});

test('a class that goes is held by branches, not by who waits for one', async () => {
  world = new Scenario();
  world.launch();
  for (let n = 0; n < 9; n++) world.apply(`db${n}`);
  await world.settle();
  world.apply('late');
  await world.settle();
  world.kube.delete(branchClassResource, { name: 'default' });
  await world.settle();
  expect(world.ready('late')).toBe('False ClassTerminating');
  for (let n = 0; n < 9; n++) world.kube.delete(databaseBranchResource, { namespace: 'pr-1', name: `db${n}` });
  await world.settle(5 * minuteMs);
  expect(world.branches()).toEqual([]);
  expect(world.kube.peek(branchClassResource, { name: 'default' })).toBeUndefined();
});

test('a class that goes while a branch was asked for and is not visible yet is held by that branch', async () => {
  world = new Scenario({ behaviour: { notFoundAfterCreateMs: 20_000 } });
  world.launch();
  world.apply('db');
  await world.until('the POST', () => world.branches().length === 1);
  world.kube.delete(branchClassResource, { name: 'default' });
  await world.settle();
  expect(world.object('db')?.status?.candidate?.id ?? world.object('db')?.status?.branch?.id).toBeDefined();
  expect(world.kube.peek(branchClassResource, { name: 'default' })).toBeDefined();
  world.kube.delete(databaseBranchResource, { namespace: 'pr-1', name: 'db' });
  await world.settle(5 * minuteMs);
  expect(world.branches()).toEqual([]);
  expect(world.kube.peek(branchClassResource, { name: 'default' })).toBeUndefined();
});
