// The main job and its ways out, as stories about the state of the world.
import { afterEach, expect, test } from 'vitest';
import { annotationKey, databaseBranchResource, secretResource } from '../../src/api/names.ts';
import type { DatabaseBranch } from '../../src/api/v1alpha1/database-branch.ts';
import type { Secret } from '../../src/credentials/secret.ts';
import { appLogin, host, manager, Scenario, type ScenarioOptions } from '../scenario.ts';

const hourMs = 3_600_000;
const minuteMs = 60_000;
let world: Scenario;
const begin = (options?: ScenarioOptions): Scenario => (world = new Scenario(options));
afterEach(() => world.stop());

const db = { namespace: 'pr-1', name: 'db' };
const edit = (change: (object: DatabaseBranch) => void): void =>
  void world.kube.edit<DatabaseBranch>(databaseBranchResource, db, change);

test('an applied object becomes Ready with a Secret that opens its own branch', async () => {
  begin({ behaviour: { initMs: 900, operationMs: 300 } }).launch();
  world.apply('db');
  await world.settle();
  expect(world.ready('db')).toBe('True');
  expect(await world.opens('db')).toBe(true);
  const [branch] = world.branches();
  expect(world.branches()).toHaveLength(1);
  expect(branch).toMatchObject({
    id: world.object('db')?.status?.branch?.id,
    uid: world.object('db')?.status?.branch?.uid,
  });
  expect(world.secret('db')).toMatchObject({
    type: 'postgresql',
    username: appLogin.clientId,
    database: 'databricks_postgres',
    sslmode: 'require',
  });
  expect(world.object('db')?.status?.binding).toEqual({ name: 'db' });
  expect(world.object('db')?.status?.candidate).toBeUndefined();
});

test('a create costs few requests: what was seen a moment ago is not asked for again', async () => {
  begin().launch();
  await world.settle();
  const kubeBefore = world.kube.calls.length;
  const asked = (): number => Object.values(world.emulator.admin.requests()).reduce((sum, count) => sum + count, 0);
  const askedBefore = asked();
  world.apply('db');
  await world.settle(2000);
  expect(world.ready('db')).toBe('True');
  const ours = world.kube.calls.slice(kubeBefore).filter(({ key }) => key.startsWith('pr-1/'));
  expect(ours.map(({ verb, type, subresource = '' }) => `${verb} ${type.plural} ${subresource}`.trim()).sort()).toEqual(
    [
      'create events',
      'create events',
      'create secrets',
      'get secrets',
      'mergePatch databasebranches',
      'replace databasebranches status',
      'replace databasebranches status',
    ],
  );
  expect(asked() - askedBefore).toBeLessThanOrEqual(15);
});

test('the login does not open the source; a sibling only under token scope workspace', async () => {
  begin().launch();
  world.apply('db');
  world.apply('sibling');
  await world.settle();
  const { username = '', password = '' } = world.secret('db') ?? {};
  const tryHost = async (address: string): Promise<boolean> =>
    (
      await world.emulator.authorizeLogin({
        endpoint: { host: address },
        user: username,
        password,
        database: 'databricks_postgres',
      })
    ).ok;
  const source = world.emulator.admin.branches().find(({ id }) => id === 'production');
  const sourceHost = Object.values(source?.endpoints ?? {})[0]?.host ?? '';
  expect(await tryHost(sourceHost)).toBe(false);
  expect(await tryHost(world.secret('sibling')?.['host'] ?? '')).toBe(true);
  world.emulator.faults.set({ tokenScope: 'endpoint' });
  expect(await tryHost(world.secret('sibling')?.['host'] ?? '')).toBe(false);
  expect(await tryHost(world.secret('db')?.['host'] ?? '')).toBe(true);
  expect(world.condition('db', 'LoginReachesSource')).toBeUndefined();
});

test('a token is renewed at about half of its life, and always opens the branch', async () => {
  begin().launch();
  world.apply('db', { expiration: { ttl: '72h' } });
  await world.settle();
  let last = world.secret('db')?.['password'];
  for (let n = 0; n < 6; n++) {
    await world.settle(35 * minuteMs);
    expect(world.secret('db')?.['password']).not.toBe(last);
    expect(await world.opens('db')).toBe(true);
    last = world.secret('db')?.['password'];
  }
  const revisions = new Set(
    world.kube
      .history<Secret>(secretResource, db)
      .map(({ object }) => object.metadata.annotations?.[annotationKey.revision]),
  );
  expect([...revisions]).toEqual(Array.from({ length: revisions.size }, (_, n) => String(n + 1)));
  expect(new Set(world.kube.history<Secret>(secretResource, db).map(({ object }) => object.data?.['host'])).size).toBe(
    1,
  );
});

test('rotateToken renews at once, a changed template only writes', async () => {
  begin().launch();
  world.apply('db');
  await world.settle();
  const before = world.secret('db');
  edit((object) => void (object.spec.credentials.rotateToken = 'now'));
  await world.settle(5000);
  const rotated = world.secret('db');
  expect(rotated?.['password']).not.toBe(before?.['password']);
  edit(
    (object) =>
      void (object.spec.credentials.template = { data: { DATABASE_URL: '{{ .uri }}' }, labels: { team: 'shop' } }),
  );
  await world.settle(5000);
  expect(world.secret('db')).toMatchObject({ DATABASE_URL: rotated?.['uri'], password: rotated?.['password'] });
  edit((object) => void delete object.spec.credentials.template);
  await world.settle(5000);
  expect(world.secret('db')).not.toHaveProperty('DATABASE_URL');
  expect(world.kube.peek(secretResource, db)?.metadata.labels).not.toHaveProperty('team');
});

test('a deleted, emptied or edited Secret is healed at its next read, keys of others stay', async () => {
  begin().launch();
  world.apply('db');
  await world.settle();
  world.kube.edit<Secret>(secretResource, db, (secret) => void (secret.data!['theirs'] = 'eA=='));
  for (const harm of [
    () => world.kube.edit<Secret>(secretResource, db, (secret) => void (secret.data = { theirs: 'eA==' })),
    () =>
      world.kube.edit<Secret>(
        secretResource,
        db,
        (secret) => void (secret.data!['host'] = Buffer.from('elsewhere').toString('base64')),
      ),
    () => world.kube.edit<Secret>(secretResource, db, (secret) => void (secret.metadata.annotations = {})),
  ]) {
    harm();
    await world.settle(2 * minuteMs);
    expect(await world.opens('db')).toBe(true);
    expect(world.secret('db')).toHaveProperty('theirs', 'x');
    expect(world.ready('db')).toBe('True');
  }
  world.kube.delete(secretResource, db);
  await world.settle(2 * minuteMs);
  expect(await world.opens('db')).toBe(true);
  expect(world.branches()).toHaveLength(1);
});

test('at expiry the Secret goes, then the branch; the object stays and says so', async () => {
  begin().launch();
  world.apply('db', { expiration: { ttl: '2h' } });
  await world.settle(2 * hourMs - minuteMs);
  expect(world.ready('db')).toBe('True');
  await world.settle(2 * minuteMs);
  expect(world.ready('db')).toBe('False Expired');
  expect(world.condition('db', 'Stalled')?.status).toBe('True');
  expect(world.secret('db')).toBeUndefined();
  expect(world.branches()).toHaveLength(0);
  const secretGone = world.kube.history(secretResource, db).at(-1);
  const branchGone = world.emulator.admin.log().find(({ what }) => what === 'branch.delete');
  expect(secretGone?.event).toBe('DELETED');
  expect(secretGone!.at.getTime()).toBeLessThanOrEqual(branchGone!.at.getTime());
  await world.settle(24 * hourMs);
  expect(world.branches()).toHaveLength(0);
});

test('a clock that is off deletes nothing for age', async () => {
  begin().launch();
  world.apply('db', { expiration: { ttl: '2h' } });
  await world.settle();
  world.kube.offsetMs = 10 * minuteMs;
  await world.settle(2 * hourMs + 5 * minuteMs);
  expect(world.branches()).toHaveLength(1);
  world.kube.offsetMs = 0;
  await world.settle(5 * minuteMs);
  expect(world.branches()).toHaveLength(0);
});

test('the lease is pushed forward for as long as the object lives, and never beyond its end', async () => {
  begin().launch();
  world.apply('db', { expiration: { ttl: '200h' } });
  await world.settle();
  const end = world.clock.now().getTime() + 200 * hourMs;
  for (let day = 0; day < 8; day++) {
    await world.settle(24 * hourMs);
    const [branch] = world.branches();
    const leftMs = (branch?.expiresAt ?? 0) - world.clock.now().getTime();
    expect(Math.min(leftMs, end - world.clock.now().getTime())).toBeGreaterThanOrEqual(
      Math.min(84 * hourMs, end - world.clock.now().getTime()),
    );
    expect(branch?.expiresAt).toBeLessThanOrEqual(end + 11 * minuteMs);
  }
}, 120_000);

test('an operator that is gone for good leaves nothing: the lease ends every branch', async () => {
  const { kill } = begin().launch();
  world.apply('db', { expiration: { ttl: '300h' } });
  await world.settle();
  kill();
  await world.settle(97 * hourMs);
  expect(world.branches()).toHaveLength(0);
});

test('a branch that somebody deletes at the provider is not made again; its Secret is withdrawn', async () => {
  begin().launch();
  world.apply('db');
  await world.settle();
  await asManager('DELETE', `/api/2.0/postgres/${world.object('db')?.status?.branch?.name}`);
  await world.settle(40 * minuteMs);
  expect(world.ready('db')).toBe('False DeletedExternally');
  expect(world.secret('db')).toBeUndefined();
  expect(world.branches()).toHaveLength(0);
  expect(world.object('db')?.metadata.annotations?.[annotationKey.ended]).toMatch(/^[a-z2-7]{6}\/DeletedExternally\//);
});

test('kubectl delete: the branch goes, then the object, then its Secret', async () => {
  begin({ behaviour: { deleteMs: 700 } }).launch();
  world.apply('db');
  await world.settle();
  world.kube.delete(databaseBranchResource, db);
  await world.settle(5000);
  expect(world.object('db')).toBeUndefined();
  expect(world.branches()).toHaveLength(0);
  expect(world.secret('db')).toBeUndefined();
});

test('a namespace with five branches goes as a whole', async () => {
  begin({ behaviour: { deleteMs: 700 } }).launch();
  for (let n = 0; n < 5; n++) world.apply(`db-${n}`);
  await world.settle();
  expect(world.branches()).toHaveLength(5);
  world.kube.delete(
    { group: '', version: 'v1', plural: 'namespaces', kind: 'Namespace', namespaced: false },
    { name: 'pr-1' },
  );
  await world.settle(10_000);
  expect(world.branches()).toHaveLength(0);
  expect(world.objects()).toHaveLength(0);
});

test('deletion during an outage waits, says why, and goes on by itself', async () => {
  begin().launch();
  world.apply('db');
  await world.settle();
  world.emulator.faults.inject({ trouble: { kind: 'answer', status: 503 } });
  world.kube.delete(databaseBranchResource, db);
  await world.settle(5 * minuteMs);
  expect(world.object('db')).toBeDefined();
  expect(world.ready('db')).toBe('False DeletionWaiting');
  world.emulator.faults.clear();
  await world.settle(2 * minuteMs);
  expect(world.object('db')).toBeUndefined();
  expect(world.branches()).toHaveLength(0);
});

test('a DELETE that the provider ignores during INIT is sent again', async () => {
  begin({ behaviour: { initMs: 15_000, deleteIgnoredDuringInit: true } }).launch();
  world.apply('db');
  await world.until('the branch is there', () => world.branches().length === 1);
  world.kube.delete(databaseBranchResource, db);
  await world.settle(2 * minuteMs);
  expect(world.branches()).toHaveLength(0);
  expect(world.object('db')).toBeUndefined();
});

test('a fresh branch that refuses logins for 40 s becomes Ready afterwards, with one Secret write', async () => {
  begin({ behaviour: { loginRefusedMs: 40_000 } }).launch();
  world.apply('db');
  await world.settle(20_000);
  expect(world.ready('db')).toBe('False LoginPending');
  expect(world.secret('db')).toBeUndefined();
  await world.settle(60_000);
  expect(world.ready('db')).toBe('True');
  expect(world.kube.history(secretResource, db)).toHaveLength(1);
});

test('a full project is a wait that ends by itself', async () => {
  begin().launch();
  for (let n = 0; n < 9; n++) world.apply(`db-${n}`);
  await world.settle();
  world.apply('late');
  await world.settle(3 * minuteMs);
  expect(world.ready('late')).toBe('False WaitingForBranchSlot');
  expect(world.condition('late', 'Stalled')).toBeUndefined();
  world.kube.delete(databaseBranchResource, { namespace: 'pr-1', name: 'db-0' });
  await world.settle(2 * minuteMs);
  expect(world.ready('late')).toBe('True');
});

test('an operator that is away for 40 minutes finds dead tokens and renews them at once', async () => {
  const { kill } = begin().launch();
  world.apply('db');
  await world.settle();
  await world.settle(25 * minuteMs);
  kill();
  await world.settle(65 * minuteMs);
  expect(await world.opens('db')).toBe(false);
  world.launch();
  await world.settle(2 * minuteMs);
  expect(await world.opens('db')).toBe(true);
});

test('an outage of 25 minutes begun at the worst instant leaves no dead token', async () => {
  begin().launch();
  world.apply('db');
  await world.settle();
  const renew = new Date(world.object('db')?.status?.credentials?.renewTime ?? 0).getTime();
  await world.settle(renew - world.clock.now().getTime() - 10);
  world.emulator.faults.inject({ path: '/api/2.0/postgres/**', trouble: { kind: 'answer', status: 503 } });
  for (let minute = 0; minute < 25; minute++) {
    await world.settle(minuteMs);
    const expires = new Date(world.secret('db')?.['expires-at'] ?? 0);
    expect(expires.getTime()).toBeGreaterThan(world.clock.now().getTime());
    expect(world.ready('db')).toBe('True');
  }
  world.emulator.faults.clear();
  await world.settle(2 * minuteMs);
  expect(await world.opens('db')).toBe(true);
});

/** What a person does at the provider. */
async function asManager(method: 'DELETE' | 'PATCH', path: string): Promise<void> {
  const basic = Buffer.from(`${manager.clientId}:${manager.secret}`).toString('base64');
  const token = await world.emulator.handle({
    method: 'POST',
    url: `${host}/oidc/v1/token`,
    headers: { authorization: `Basic ${basic}`, 'content-type': 'application/x-www-form-urlencoded' },
    body: 'grant_type=client_credentials&scope=all-apis',
  });
  const { access_token: accessToken } = JSON.parse(token.body) as { access_token: string };
  const answer = await world.emulator.handle({
    method,
    url: `${host}${path}`,
    headers: { authorization: `Bearer ${accessToken}` },
  });
  expect(answer.status).toBe(200);
}
