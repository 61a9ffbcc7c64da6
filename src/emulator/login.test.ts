import { expect, test } from 'vitest';
import { accessToken, aBench, change, given, textAt, type Bench } from '../../test/fakes/emulator-caller.ts';
import { developmentPrincipal } from './settings.ts';
import type { Principal } from './principals.ts';

const branches = 'projects/shop/branches';
const owner = developmentPrincipal.name;
const app: Principal = { kind: 'SERVICE_PRINCIPAL', name: '11111111-1111-4111-8111-111111111111', secret: 'app' };
const principals = [developmentPrincipal, app, { kind: 'USER', name: 'ann@example.com', secret: 'dapi-ann' }] as const;

const opened = { ok: true };
const notAuthorized = { ok: false, sqlState: '28000', message: 'OAuth: User is not authorized' };
const notYet = { ok: false, sqlState: '28000', message: 'External authorization failed' };

const endpointOf = (branch: string): string => `${branches}/${branch}/endpoints/primary`;

async function mint(bench: Bench, branch: string, life: object = {}): Promise<string> {
  return textAt((await bench.send('POST', 'credentials', { endpoint: endpointOf(branch), ...life })).body, 'token');
}

async function login(bench: Bench, branch: string, user: string, password: string): Promise<unknown> {
  const { body } = await bench.send('GET', endpointOf(branch));
  const endpoint = { uid: textAt(body, 'uid') };
  return bench.emulator.authorizeLogin({ endpoint, user, password, database: 'databricks_postgres' });
}

async function aBenchWithDev(): Promise<Bench> {
  const bench = await aBench({ settings: { principals } });
  await given.dev(bench);
  return bench;
}

test('a token opens the branch it was minted for', async () => {
  const bench = await aBenchWithDev();
  expect(await login(bench, 'dev', owner, await mint(bench, 'dev'))).toEqual(opened);
});

test('a token is found by the host as well', async () => {
  const bench = await aBenchWithDev();
  const host = textAt((await bench.send('GET', endpointOf('dev'))).body, 'status.hosts.host');
  const password = await mint(bench, 'dev');
  expect(await bench.emulator.authorizeLogin({ endpoint: { host }, user: owner, password, database: 'x' })).toEqual(
    opened,
  );
});

test.each([
  ['workspace', opened],
  ['endpoint', notAuthorized],
] as const)('under token scope %s a token minted for dev opens production: %o', async (tokenScope, verdict) => {
  const bench = await aBenchWithDev();
  bench.emulator.faults.set({ tokenScope });
  expect(await login(bench, 'production', owner, await mint(bench, 'dev'))).toEqual(verdict);
});

test('a token is good until its last second, judged only at the login', async () => {
  const bench = await aBenchWithDev();
  const token = await mint(bench, 'dev', { ttl: '300s' });
  bench.clock.advance(299_000);
  expect(await login(bench, 'dev', owner, token)).toEqual(opened);
  bench.clock.advance(1000);
  expect(await login(bench, 'dev', owner, token)).toEqual(notAuthorized);
});

test('a token is good for nobody else', async () => {
  const bench = await aBenchWithDev();
  await change(bench, 'POST', `${branches}/dev/roles?role_id=other`, {
    spec: { postgres_role: 'ann@example.com', identity_type: 'USER' },
  });
  expect(await login(bench, 'dev', 'ann@example.com', await mint(bench, 'dev'))).toEqual(notAuthorized);
});

test('a role made on a branch opens that branch and not its source', async () => {
  const bench = await aBenchWithDev();
  await change(bench, 'POST', `${branches}/dev/roles?role_id=app`, {
    spec: { postgres_role: app.name, identity_type: 'SERVICE_PRINCIPAL', auth_method: 'LAKEBASE_OAUTH_V1' },
  });
  const token = await accessToken(bench.emulator, app);
  expect(await login(bench, 'dev', app.name, token)).toEqual(opened);
  expect(await login(bench, 'production', app.name, token)).toEqual(notAuthorized);
});

test('a role that SQL made for an identity opens to its token as well', async () => {
  const bench = await aBenchWithDev();
  const production = textAt((await bench.send('GET', `${branches}/production`)).body, 'uid');
  bench.dataPlane.isIdentityRole = (uid, name) => Promise.resolve(uid === production && name === app.name);
  const token = await accessToken(bench.emulator, app);
  expect(await login(bench, 'production', app.name, token)).toEqual(opened);
  expect(await login(bench, 'dev', app.name, token)).toEqual(notAuthorized);
});

test('a role that logs in by password takes no token', async () => {
  const bench = await aBenchWithDev();
  await change(bench, 'POST', `${branches}/dev/roles?role_id=app`, { spec: { postgres_role: app.name } });
  expect(await login(bench, 'dev', app.name, await accessToken(bench.emulator, app))).toEqual(notAuthorized);
});

test.each([
  ['a personal access token', 'dapi-ann'],
  ['a token that others signed', 'eyJhbGciOiJub25lIn0.eyJzdWIiOiJhbm5AZXhhbXBsZS5jb20ifQ.x'],
])('%s is no password', async (_, password) => {
  const bench = await aBenchWithDev();
  expect(await login(bench, 'dev', 'ann@example.com', password)).toEqual(notAuthorized);
});

test('a password is good where native login is on, for the role it belongs to', async () => {
  const bench = await aBenchWithDev();
  await change(bench, 'POST', `${branches}/dev/roles?role_id=app`, { spec: { postgres_role: 'app' } });
  const { body } = await bench.send('POST', `${branches}/dev/roles/app/password`, {});
  const password = textAt(body, 'password');
  expect(await login(bench, 'dev', 'app', password)).toEqual({
    ok: false,
    sqlState: '28000',
    message: 'native postgres login is disabled for this endpoint',
  });
  await change(bench, 'PATCH', 'projects/shop?update_mask=spec.enable_pg_native_login', {
    spec: { enable_pg_native_login: true },
  });
  expect(await login(bench, 'dev', 'app', password)).toEqual(opened);
  const wrong = { ok: false, sqlState: '28P01', message: 'password authentication failed for user "app"' };
  expect(await login(bench, 'dev', 'app', 'guess')).toEqual(wrong);
});

test('a fresh branch refuses logins for a while, if told so', async () => {
  const bench = await aBench();
  bench.emulator.faults.set({ loginRefusedMs: 20_000 });
  await given.dev(bench);
  const token = await mint(bench, 'dev');
  expect(await login(bench, 'dev', owner, token)).toEqual(notYet);
  bench.clock.advance(20_000);
  expect(await login(bench, 'dev', owner, token)).toEqual(opened);
});

test('a disabled endpoint takes nobody', async () => {
  const bench = await aBenchWithDev();
  const token = await mint(bench, 'dev');
  await change(bench, 'PATCH', `${endpointOf('dev')}?update_mask=spec.disabled`, { spec: { disabled: true } });
  expect(await login(bench, 'dev', owner, token)).toMatchObject({ ok: false, sqlState: '57P03' });
});

test('the endpoint of a deleted branch takes nobody', async () => {
  const bench = await aBenchWithDev();
  const token = await mint(bench, 'dev');
  const uid = textAt((await bench.send('GET', endpointOf('dev'))).body, 'uid');
  await change(bench, 'DELETE', `${branches}/dev`);
  const verdict = await bench.emulator.authorizeLogin({
    endpoint: { uid },
    user: owner,
    password: token,
    database: 'x',
  });
  expect(verdict).toMatchObject({ ok: false });
});

test('a login leaves a trace without the password', async () => {
  const bench = await aBenchWithDev();
  const token = await mint(bench, 'dev');
  await login(bench, 'dev', owner, token);
  await login(bench, 'dev', owner, `${token}x`);
  const entries = bench.emulator.admin.log().filter(({ what }) => what.startsWith('login.'));
  expect(entries).toMatchObject([
    { what: 'login.accepted', by: owner },
    { what: 'login.refused', by: owner, why: 'OAuth: User is not authorized' },
  ]);
  expect(JSON.stringify(bench.emulator.admin.log())).not.toContain(token);
});
