// Events tell of transitions, once: not of what lasts, not again after a restart, and never a secret.
import { afterEach, expect, test } from 'vitest';
import { databaseBranchResource, eventResource, secretResource } from '../../src/api/names.ts';
import type { DatabaseBranch } from '../../src/api/v1alpha1/database-branch.ts';
import type { Secret } from '../../src/credentials/secret.ts';
import type { KubeObject } from '../../src/kit/kube.ts';
import { appLogin, manager, Scenario, type ScenarioOptions } from '../scenario.ts';

const hourMs = 3_600_000;
const minuteMs = 60_000;
const db = { namespace: 'pr-1', name: 'db' };
const namespaces = { group: '', version: 'v1', plural: 'namespaces', kind: 'Namespace', namespaced: false };
let world: Scenario;
afterEach(() => world.stop());

interface Event extends KubeObject {
  readonly type: 'Normal' | 'Warning';
  readonly reason: string;
  readonly note: string;
  readonly regarding: { readonly uid?: string; readonly name: string };
  readonly series?: { readonly count: number };
}

const events = (): Event[] => world.kube.all<Event>(eventResource);
const reasons = (type: Event['type']): string[] =>
  events()
    .filter((event) => event.type === type)
    .map(({ reason }) => reason);
const edit = (change: (object: DatabaseBranch) => void): void =>
  void world.kube.edit<DatabaseBranch>(databaseBranchResource, db, change);
const restart = (): void => {
  world.processes.at(-1)?.kill();
  world.launch();
};

async function given(spec: Partial<DatabaseBranch['spec']> = {}, options: ScenarioOptions = {}): Promise<void> {
  world = new Scenario(options);
  world.launch();
  world.apply('db', { expiration: { ttl: '300h' }, ...spec });
  await world.until('the branch is served', () => world.ready('db') === 'True');
  await world.settle(minuteMs);
}

/** The world goes on for `hours`, with a new operator every few hours, so that whatever is told anew is told. */
async function restless(hours: number): Promise<void> {
  for (let passed = 0; passed < hours; passed += 5) {
    restart();
    await world.settle(Math.min(5, hours - passed) * hourMs);
  }
}

test('a create tells two things: asked for, and ready with its Secret written', async () => {
  await given();
  expect(reasons('Normal').sort()).toEqual(['BranchRequested', 'CredentialIssued']);
  expect(reasons('Warning')).toEqual([]);
  expect(events().every(({ regarding }) => regarding.uid === world.object('db')?.metadata.uid)).toBe(true);
});

test('what lasts is not told again: rotations, leases and restarts of two days make no Event', async () => {
  await given();
  const before = events().length;
  await restless(48);
  expect(await world.opens('db')).toBe(true);
  expect(events()).toHaveLength(before);
});

/** Each makes one kind of warning, which then lasts. */
const lasting: readonly (readonly [warning: string, begin: () => Promise<void>])[] = [
  [
    'DriftFound',
    async () => {
      await given();
      await world.protectBranch(world.object('db')?.status?.branch?.id ?? '');
    },
  ],
  [
    'RoleOnSource',
    async () => {
      world = new Scenario();
      const role = {
        postgres_role: appLogin.clientId,
        identity_type: 'SERVICE_PRINCIPAL',
        auth_method: 'LAKEBASE_OAUTH_V1',
      };
      await world.byHand('POST', `projects/shop/branches/production/roles?role_id=sp-${appLogin.clientId}`, {
        spec: role,
      });
      world.launch();
      world.apply('db', { expiration: { ttl: '300h' } });
      await world.settle(minuteMs);
    },
  ],
  [
    'NamespaceNotAllowed',
    async () => {
      await given();
      world.kube.edit(namespaces, { name: 'pr-1' }, ({ metadata }) => void (metadata.labels = {}));
    },
  ],
  [
    'SourceNotAllowed',
    async () => {
      world = new Scenario();
      world.launch();
      world.apply('db', { source: { branch: 'secret-plans' } });
      await world.settle(minuteMs);
    },
  ],
  [
    'DeletedExternally',
    async () => {
      await given();
      await world.removeBranch(world.object('db')?.status?.branch?.id ?? '');
    },
  ],
  [
    'LeaseClamped',
    async () => {
      await given({}, { behaviour: { limits: { expirationSeconds: 48 * 3600 } } });
    },
  ],
];

test.each(lasting)('%s is told exactly once, however often the operator starts anew', async (warning, begin) => {
  await begin();
  await world.settle(30 * minuteMs);
  await restless(20);
  expect(reasons('Warning').filter((reason) => reason === warning)).toEqual([warning]);
  expect(events().filter(({ reason, series }) => reason === warning && series !== undefined)).toEqual([]);
});

test('the end is announced a day and an hour before, each once, and told when it comes', async () => {
  await given({ expiration: { ttl: '40h' } });
  await restless(45);
  expect(world.ready('db')).toBe('False Expired');
  expect(new Set(reasons('Warning'))).toEqual(new Set(['ExpiresSoon', 'Expired', 'SecretWithdrawn']));
  const notes = events().flatMap(({ reason, note }) => (reason === 'ExpiresSoon' ? [note] : []));
  expect(notes).toHaveLength(2);
  expect(notes.filter((note) => note.includes('within 24 hours'))).toHaveLength(1);
  expect(notes.filter((note) => note.includes('within the hour'))).toHaveLength(1);
});

test('a reset warns when the writes to the old branch are lost', async () => {
  await given();
  edit(({ spec }) => void (spec.reset = { token: '1', strategy: 'Switch', drain: '5m' }));
  await world.settle(10 * minuteMs);
  expect(reasons('Warning')).toEqual(['BranchSuperseded']);
  expect(events().find(({ reason }) => reason === 'BranchSuperseded')?.note).toMatch(/lost at 2026-/);
});

test('kubectl delete is no reason to warn', async () => {
  await given();
  world.kube.delete(databaseBranchResource, db);
  await world.settle(minuteMs);
  expect(world.object('db')).toBeUndefined();
  expect(reasons('Warning')).toEqual([]);
});

test('a login that is exchanged tells which role stays behind', async () => {
  await given();
  world.kube.edit<Secret>(secretResource, { namespace: 'lakebranch-system', name: 'login' }, (stored) => {
    const base64 = (text: string): string => Buffer.from(text).toString('base64');
    stored.data = { 'client-id': base64(manager.clientId), 'client-secret': base64(manager.secret) };
  });
  await world.settle(15 * minuteMs);
  const changed = events().filter(({ reason }) => reason === 'LoginChanged');
  expect(changed).toHaveLength(1);
  expect(changed[0]?.note).toContain(appLogin.clientId);
});

test('the same again within minutes is a series of one Event, not a second one', async () => {
  await given();
  for (let n = 0; n < 4; n++) {
    world.kube.delete(secretResource, db);
    await world.settle(70_000);
  }
  const healed = events().filter(({ reason, note }) => reason === 'CredentialIssued' && note.includes('missing'));
  expect(healed).toHaveLength(1);
  expect(healed[0]?.series?.count).toBeGreaterThan(1);
});

test('in a namespace that is being deleted no Event is made', async () => {
  await given();
  for (let n = 0; n < 3; n++) world.apply(`other-${n}`);
  await world.settle(minuteMs);
  const posted = (): number =>
    world.kube.calls.filter(({ verb, type }) => verb === 'create' && type.plural === 'events').length;
  world.emulator.faults.set({ deleteMs: 60_000 });
  world.kube.delete(namespaces, { name: 'pr-1' });
  await world.settle(15_000);
  const before = posted();
  await world.settle(10 * minuteMs);
  expect(posted()).toBe(before);
  expect(world.objects()).toEqual([]);
});

test('an object that was let go with its branch is told of on its class, in the namespace default', async () => {
  await given();
  world.emulator.faults.inject({ path: '/api/2.0/postgres/**', trouble: { kind: 'answer', status: 503 } });
  world.kube.delete(databaseBranchResource, db);
  await world.settle(20 * minuteMs);
  expect(world.object('db')).toBeUndefined();
  const left = events().filter(({ reason }) => reason === 'LeftToLease');
  expect(left.map(({ metadata, regarding, type }) => [metadata.namespace, regarding.name, type])).toEqual([
    ['default', 'default', 'Warning'],
  ]);
});

test('no Event, status or line of the log ever holds a token', async () => {
  await given();
  await world.settle(2 * hourMs);
  edit(({ spec }) => void (spec.reset = { token: '1', strategy: 'Switch', drain: '5m' }));
  await world.settle(10 * minuteMs);
  const tokens = new Set(
    world.kube
      .history<Secret>(secretResource, db)
      .flatMap(({ object }) =>
        object.data?.['password'] ? [Buffer.from(object.data['password'], 'base64').toString()] : [],
      ),
  );
  expect(tokens.size).toBeGreaterThan(3);
  const told = JSON.stringify([events(), world.kube.history(databaseBranchResource, db), world.logLines]);
  for (const secret of [...tokens, manager.secret, appLogin.secret]) expect(told.includes(secret)).toBe(false);
});
