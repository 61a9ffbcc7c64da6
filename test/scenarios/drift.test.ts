// What people change at the provider behind the operator's back: what is corrected, what is named, and what is never touched.
import { afterEach, expect, test } from 'vitest';
import { annotationKey, databaseBranchResource, secretResource } from '../../src/api/names.ts';
import type { DatabaseBranch } from '../../src/api/v1alpha1/database-branch.ts';
import type { Secret } from '../../src/credentials/secret.ts';
import { appLogin, Scenario, type ScenarioOptions } from '../scenario.ts';

const hourMs = 3_600_000;
const minuteMs = 60_000;
const db = { namespace: 'pr-1', name: 'db' };
let world: Scenario;
afterEach(() => world.stop());

const edit = (change: (object: DatabaseBranch) => void): void =>
  void world.kube.edit<DatabaseBranch>(databaseBranchResource, db, change);
const servedId = (): string => world.object('db')?.status?.branch?.id ?? '';
const live = (id: string) => world.branches().find((branch) => branch.id === id);
const hostOf = (id: string): string =>
  Object.values(world.emulator.admin.branches().find((branch) => branch.id === id)?.endpoints ?? {})[0]?.host ?? '';
const drifted = (): string | undefined => world.condition('db', 'Drifted')?.message;
const mark = (): string | undefined => world.object('db')?.metadata.annotations?.[annotationKey.ended];
const secretWrites = (): number => world.kube.history<Secret>(secretResource, db).length;

/** An object that is served for `hours`, and the id of its branch. */
async function given(options: ScenarioOptions = {}, spec: Partial<DatabaseBranch['spec']> = {}): Promise<string> {
  world = new Scenario(options);
  world.launch();
  world.apply('db', { expiration: { ttl: '300h' }, ...spec });
  await world.until('the branch is served', () => world.ready('db') === 'True');
  await world.settle(minuteMs);
  return servedId();
}

/** Somebody makes a branch at the provider. */
const makeBranch = (id: string): Promise<void> =>
  world.byHand('POST', `projects/shop/branches?branch_id=${id}`, {
    spec: { source_branch: 'projects/shop/branches/production', ttl: '604800s' },
  });

/** Somebody deletes the branch and makes another one under the same id. Returns the uid of that one. */
async function swapBranch(id: string): Promise<string> {
  await world.removeBranch(id);
  await makeBranch(id);
  return live(id)?.uid ?? '';
}

/** What happened to a branch since the entry number `since` of the journal, but that it became ready by itself. */
const happenedTo = (uid: string, since: number): string[] =>
  world.emulator.admin
    .log()
    .slice(since)
    .filter((entry) => entry.uid === uid && entry.what !== 'branch.ready')
    .map(({ what }) => what);

// A branch that goes by another hand.

test('a branch that somebody deletes is missed at the next check, although its token would live on', async () => {
  const id = await given();
  await world.removeBranch(id);
  await world.settle(11 * minuteMs);
  expect(world.ready('db')).toBe('False DeletedExternally');
  expect(world.secret('db')).toBeUndefined();
  expect(mark()).toMatch(/^[a-z2-7]{6}\/DeletedExternally\//);
  await world.settle(24 * hourMs);
  expect(world.branches()).toEqual([]);
});

test('a new reset.token is the only way back from an external deletion', async () => {
  const id = await given();
  await world.removeBranch(id);
  await world.settle(11 * minuteMs);
  edit(({ spec }) => void (spec.endpoint = { maxCU: 2 }));
  await world.settle(hourMs);
  expect(world.ready('db')).toBe('False DeletedExternally');
  edit(({ spec }) => void (spec.reset = { token: '1', strategy: 'Switch', drain: '5m' }));
  await world.settle(2 * minuteMs);
  expect(world.ready('db')).toBe('True');
  expect(servedId()).not.toBe(id);
  expect(await world.opens('db')).toBe(true);
});

test('a branch that the provider removed after its lease had run out is called lapsed, not deleted', async () => {
  await given();
  world.processes.at(-1)?.kill();
  await world.settle(100 * hourMs);
  world.launch();
  await world.settle(2 * minuteMs);
  expect(world.ready('db')).toBe('False LeaseLapsed');
  expect(world.secret('db')).toBeUndefined();
});

test('a branch that is gone after its expiry is called expired, whoever removed it', async () => {
  await given({}, { expiration: { ttl: '5h' } });
  world.processes.at(-1)?.kill();
  await world.settle(6 * hourMs);
  world.launch();
  await world.settle(2 * minuteMs);
  expect(world.ready('db')).toBe('False Expired');
});

test('a branch that the provider shows as deleted is gone', async () => {
  await given();
  world.disguise('"current_state":"READY"', '"current_state":"DELETED","delete_time":"2026-11-25T10:02:00Z"');
  await world.settle(11 * minuteMs);
  expect(world.ready('db')).toBe('False DeletedExternally');
  expect(world.secret('db')).toBeUndefined();
});

test('the token dies with its branch: a mint that says 404 has the branch looked for at once', async () => {
  const id = await given();
  const renew = Date.parse(world.object('db')?.status?.credentials?.renewTime ?? '');
  await world.settle(renew - world.clock.now().getTime() - 1000);
  await world.removeBranch(id);
  await world.settle(2000);
  expect(world.ready('db')).toBe('False DeletedExternally');
});

// What is there, although one answer says that it is not.

test('a LIST that leaves the branch out proves nothing: it is asked for by name, and all stays as it is', async () => {
  const id = await given();
  const before = secretWrites();
  world.emulator.faults.inject({
    method: 'GET',
    path: '/api/2.0/postgres/projects/shop/branches',
    trouble: { kind: 'answer', status: 200, body: '{"branches":[]}', contentType: 'application/json' },
  });
  await world.settle(21 * minuteMs);
  expect(world.ready('db')).toBe('True');
  expect(secretWrites()).toBe(before);
  expect(live(id)).toBeDefined();
});

test('one 404 for a branch that a LIST still shows ends nothing', async () => {
  const id = await given();
  const before = secretWrites();
  world.emulator.faults.inject({
    method: 'GET',
    path: '/api/2.0/postgres/projects/*/branches/*',
    times: 1,
    trouble: { kind: 'answer', status: 404, errorCode: 'NOT_FOUND', message: 'branch id not found' },
  });
  edit(({ spec }) => void (spec.endpoint = { maxCU: 2 }));
  await world.settle(2 * minuteMs);
  expect(world.emulator.admin.log().filter(({ what }) => what === 'branch.delete')).toEqual([]);
  expect(world.ready('db')).toBe('True');
  expect(mark()).toBeUndefined();
  expect(secretWrites()).toBe(before);
  expect(live(id)).toBeDefined();
});

test('a project that is not found ends no branch: whoever cannot see it concludes nothing', async () => {
  const id = await given();
  world.emulator.faults.inject({
    path: '/api/2.0/postgres/**',
    trouble: { kind: 'answer', status: 404, errorCode: 'NOT_FOUND', message: 'project id not found' },
  });
  edit(({ spec }) => void (spec.endpoint = { maxCU: 2 }));
  await world.settle(2 * hourMs);
  expect(mark()).toBeUndefined();
  expect(world.ready('db')).toBe('False ProjectNotFound');
  world.emulator.faults.clear();
  await world.settle(3 * minuteMs);
  expect(world.ready('db'), world.describe()).toBe('True');
  expect(servedId()).toBe(id);
  expect(await world.opens('db')).toBe(true);
});

test('a fresh branch that is not visible for half a minute is asked for once, and waited for', async () => {
  const id = await given({ behaviour: { notFoundAfterCreateMs: 30_000, initMs: 2000 } });
  const made = world.emulator.admin.log().filter(({ what }) => what === 'branch.create');
  expect(made.map(({ name }) => name)).toContain(`projects/shop/branches/${id}`);
  expect(world.branches()).toHaveLength(1);
  expect(await world.opens('db')).toBe(true);
});

// Another branch under our id.

test('a branch of our id with another uid is never touched, and its Secret is withdrawn', async () => {
  const id = await given();
  const uid = await swapBranch(id);
  const since = world.emulator.admin.log().length;
  await world.settle(11 * minuteMs);
  expect(world.secret('db')).toBeUndefined();
  expect(world.ready('db')).toBe('False BranchNotOurs');
  expect(world.condition('db', 'Stalled')?.reason).toBe('BranchNotOurs');
  expect(world.condition('db', 'Ready')?.message).toContain('reset.token');
  await world.settle(48 * hourMs);
  expect(happenedTo(uid, since)).toEqual([]);
  expect(live(id)?.uid).toBe(uid);
});

test('a swapped branch survives its object: on deletion, at expiry and after a reset', async () => {
  const id = await given({}, { expiration: { ttl: '300h' } });
  const uid = await swapBranch(id);
  const since = world.emulator.admin.log().length;
  await world.settle(11 * minuteMs);
  edit(({ spec }) => void (spec.reset = { token: '1', strategy: 'Switch', drain: '5m' }));
  await world.settle(20 * minuteMs);
  expect(world.ready('db'), world.describe()).toBe('True');
  expect(servedId()).not.toBe(id);
  world.kube.delete(databaseBranchResource, db);
  await world.settle(5 * minuteMs);
  expect(world.object('db')).toBeUndefined();
  expect(happenedTo(uid, since)).toEqual([]);
  expect(world.branches().map((branch) => branch.uid)).toEqual([uid]);
});

test('an object whose branch was swapped can be deleted, and leaves the other branch alone', async () => {
  const id = await given();
  const uid = await swapBranch(id);
  const since = world.emulator.admin.log().length;
  await world.settle(11 * minuteMs);
  world.kube.delete(databaseBranchResource, db);
  await world.settle(5 * minuteMs);
  expect(world.object('db')).toBeUndefined();
  expect(happenedTo(uid, since)).toEqual([]);
});

test('an object whose branch was swapped expires, and leaves the other branch alone', async () => {
  const id = await given({}, { expiration: { ttl: '2h' } });
  const uid = await swapBranch(id);
  const since = world.emulator.admin.log().length;
  await world.settle(3 * hourMs);
  expect(world.ready('db')).toBe('False Expired');
  expect(happenedTo(uid, since)).toEqual([]);
});

test('a superseded branch that was swapped while it drained is left alone', async () => {
  const id = await given();
  edit(({ spec }) => void (spec.reset = { token: '1', strategy: 'Switch', drain: '30m' }));
  await world.until('the switch', () => servedId() !== id);
  await world.settle(minuteMs);
  const uid = await swapBranch(id);
  const since = world.emulator.admin.log().length;
  await world.settle(24 * hourMs);
  expect(happenedTo(uid, since)).toEqual([]);
  expect(drifted()).toContain(id);
});

// What is changed on our branch.

test('a branch that somebody protects is named, keeps its login, and is leased again when that ends', async () => {
  const id = await given();
  await world.protectBranch(id);
  await world.settle(11 * minuteMs);
  expect(world.ready('db')).toBe('True');
  expect(drifted()).toContain('protected');
  expect(drifted()).toContain(id);
  await world.settle(30 * hourMs);
  expect(await world.opens('db')).toBe(true);
  await world.protectBranch(id, false);
  await world.settle(12 * minuteMs);
  expect(drifted()).toBeUndefined();
  expect(live(id)?.expiresAt).toBeGreaterThan(world.clock.now().getTime() + 80 * hourMs);
});

test('a protected branch costs few requests for as long as it stays so', async () => {
  const id = await given();
  await world.protectBranch(id);
  await world.settle(hourMs);
  const before = requests();
  await world.settle(10 * hourMs);
  // A mint each half hour, a LIST and a GET every ten minutes.
  expect(requests() - before).toBeLessThanOrEqual(10 * 15);
});

test('a superseded branch that somebody protects is named, and does not make the object less Ready', async () => {
  const id = await given();
  edit(({ spec }) => void (spec.reset = { token: '1', strategy: 'Switch', drain: '30m' }));
  await world.until('the switch', () => servedId() !== id);
  await world.settle(minuteMs);
  await world.protectBranch(id);
  await world.settle(hourMs);
  expect(world.ready('db')).toBe('True');
  expect(drifted()).toContain(id);
  await world.protectBranch(id, false);
  await world.settle(12 * minuteMs);
  expect(live(id)).toBeUndefined();
  expect(drifted()).toBeUndefined();
});

test('a role that somebody drops on the branch is made again within a day', async () => {
  const id = await given();
  await world.byHand('DELETE', `projects/shop/branches/${id}/roles/sp-${appLogin.clientId}`);
  expect(await world.opens('db')).toBe(false);
  await world.settle(25 * hourMs);
  expect(await world.opens('db')).toBe(true);
});

test('a role that is dropped before the first login is made again at once', async () => {
  world = new Scenario({ behaviour: { loginRefusedMs: 20_000 } });
  world.launch();
  world.apply('db');
  const role = (): boolean => Object.keys(world.branches()[0]?.roles ?? {}).includes(`sp-${appLogin.clientId}`);
  await world.until('the role is there', role);
  await world.settle(3000);
  await world.byHand('DELETE', `projects/shop/branches/${world.branches()[0]?.id}/roles/sp-${appLogin.clientId}`);
  await world.settle(3 * minuteMs);
  expect(world.ready('db'), world.describe()).toBe('True');
  expect(await world.opens('db')).toBe(true);
});

test('in steady state a branch costs at most three requests an hour', async () => {
  await given();
  for (let n = 0; n < 8; n++) world.apply(`other-${n}`, { expiration: { ttl: '300h' } });
  await world.settle(hourMs);
  const before = requests();
  await world.settle(48 * hourMs);
  expect((requests() - before) / 48 / 9).toBeLessThanOrEqual(3);
});

/** Requests about branches that the operator's clients sent: neither those for access tokens nor the look at the project. */
const requests = (): number =>
  Object.entries(world.emulator.admin.requests())
    .filter(([route]) => /\/postgres\/(credentials|.*\/branches)/.test(route))
    .reduce((sum, [, count]) => sum + count, 0);

// Another endpoint behind our branch.

/** From the next lease on the operator may have noticed. */
const nextLease = 13 * hourMs;

test('an endpoint that has another host is proved anew, logged in to, and named in the Secret', async () => {
  const id = await given();
  world.disguise(hostOf(id), 'ep-moved.lakebase.test');
  await world.settle(nextLease);
  expect(world.secret('db')?.['host']).toBe('ep-moved.lakebase.test');
  expect(world.ready('db')).toBe('True');
  expect(await world.opens('db')).toBe(true);
});

test('an endpoint that is another one under the same host is proved anew', async () => {
  const id = await given();
  const endpointUid = (): string | undefined =>
    world.kube.peek<Secret>(secretResource, db)?.metadata.annotations?.[annotationKey.endpointUid];
  world.disguise(`"uid":"${endpointUid()}"`, '"uid":"ep-another-uid"');
  await world.settle(nextLease);
  expect(endpointUid()).toBe('ep-another-uid');
  expect(servedId()).toBe(id);
  expect(world.ready('db')).toBe('True');
});

test('an endpoint that has come to have the host of the source gets no token, ever', async () => {
  const id = await given();
  const source = hostOf('production');
  world.disguise(hostOf(id), source);
  await world.settle(nextLease);
  const writes = secretWrites();
  await world.settle(2 * hourMs);
  expect(secretWrites()).toBe(writes);
  expect(world.kube.history<Secret>(secretResource, db).every(({ object }) => hostIn(object) !== source)).toBe(true);
  expect(world.ready('db')).toBe('False EndpointMismatch');
  expect(world.condition('db', 'Stalled')?.message).toContain('reset.token');
  world.processes.at(-1)?.kill();
  world.launch();
  await world.settle(2 * hourMs);
  expect(secretWrites()).toBe(writes);
  expect(world.ready('db')).toBe('False EndpointMismatch');
});

test('a fresh branch whose endpoint has the host of the source gets no Secret', async () => {
  world = new Scenario({ behaviour: { initMs: 5000 } });
  world.launch();
  world.apply('db');
  await world.until('the branch is there', () => world.branches().length === 1);
  await world.until('its endpoint has a host', () => hostOf(world.branches()[0]?.id ?? '') !== '');
  world.disguise(hostOf(world.branches()[0]?.id ?? ''), 'one-host.lakebase.test');
  world.disguise(hostOf('production'), 'one-host.lakebase.test');
  await world.settle(10 * minuteMs);
  expect(world.ready('db')).toBe('False EndpointMismatch');
  expect(world.kube.history(secretResource, db)).toEqual([]);
});

test('an endpoint that the provider does not know any more is looked for when a mint says so', async () => {
  const id = await given();
  const gone = { status: 404, errorCode: 'NOT_FOUND', message: 'endpoint id not found', kind: 'answer' } as const;
  world.emulator.faults.inject({ path: '/api/2.0/postgres/credentials', trouble: gone });
  world.emulator.faults.inject({
    method: 'GET',
    path: `/api/2.0/postgres/projects/shop/branches/${id}/endpoints`,
    trouble: { kind: 'answer', status: 200, body: '{"endpoints":[]}', contentType: 'application/json' },
  });
  await world.settle(90 * minuteMs);
  expect(mark()).toBeUndefined();
  expect(world.ready('db')).toBe('False EndpointStarting');
  expect(live(id)).toBeDefined();
  world.emulator.faults.clear();
  await world.settle(5 * minuteMs);
  expect(world.ready('db')).toBe('True');
  expect(await world.opens('db')).toBe(true);
});

const hostIn = ({ data }: Secret): string => Buffer.from(data?.['host'] ?? '', 'base64').toString();
