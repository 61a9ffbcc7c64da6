// What the management API says and what PostgreSQL does are the same thing.
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import pg from 'pg';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { eventually } from './plane.ts';
import { newStateDir, removeEmulatorProcess, startEmulatorProcess, type EmulatorProcess } from './process.ts';

const owner = { name: 'owner-client', secret: 'owner-secret' };
const app = { name: 'app-client', secret: 'app-secret' };
const branches = 'projects/shop/branches';

let emulator: EmulatorProcess;

beforeAll(async () => {
  const principals = [owner, app].flatMap(({ name, secret }) => ['--service-principal', `${name}:${secret}`]);
  emulator = await startEmulatorProcess(await newStateDir(), ['--admin', ...principals]);
});
afterEach(() => fetch(`${emulator.url}/admin/faults`, { method: 'DELETE' }));
afterAll(() => removeEmulatorProcess(emulator));

interface Answer {
  readonly name: string;
  readonly uid: string;
  readonly token: string;
  readonly password: string;
  readonly done?: boolean;
  readonly error?: unknown;
  readonly status: { readonly current_state?: string; readonly hosts?: { readonly host?: string } };
}

async function call(method: string, path: string, body?: object, as = owner): Promise<Answer> {
  const issued = await fetch(`${emulator.url}/oidc/v1/token`, {
    method: 'POST',
    headers: { authorization: `Basic ${Buffer.from(`${as.name}:${as.secret}`).toString('base64')}` },
    body: new URLSearchParams({ grant_type: 'client_credentials' }),
  });
  const { access_token: token } = (await issued.json()) as { access_token: string };
  const answer = await fetch(`${emulator.url}/api/2.0/postgres/${path}`, {
    method,
    headers: { authorization: `Bearer ${token}` },
    ...(body ? { body: JSON.stringify(body) } : {}),
  });
  return (await answer.json()) as Answer;
}

/** Sends a change and waits for the end of its operation. */
async function change(method: string, path: string, body?: object): Promise<void> {
  const { name, ...refusal } = await call(method, path, body);
  if (name === undefined) throw new Error(JSON.stringify(refusal));
  let operation: Answer | undefined;
  await eventually(async () => {
    operation = await call('GET', name);
    return operation.done === true;
  }, `${method} ${path} is done`);
  expect(operation?.error).toBeUndefined();
}

const aBranch = (id: string): Promise<void> =>
  change('POST', `${branches}?branch_id=${id}`, { spec: { ttl: '3600s' } });

const mint = async (branch: string, as: typeof owner): Promise<string> =>
  (await call('POST', 'credentials', { endpoint: `${branches}/${branch}/endpoints/primary` }, as)).token;

async function connect(
  branch: string,
  user: string,
  password: string,
  database = 'databricks_postgres',
): Promise<pg.Client> {
  const { status } = await call('GET', `${branches}/${branch}/endpoints/primary`);
  const client = new pg.Client({
    host: String(status.hosts?.host),
    port: emulator.pgPort,
    user,
    password,
    database,
    ssl: { ca: emulator.ca },
  });
  // A session that the server ends is no failure of the test.
  client.on('error', () => {});
  await client.connect();
  return client;
}

/** `logged in as …`, or why not. */
async function login(branch: string, user: string, password: string): Promise<string> {
  try {
    const client = await connect(branch, user, password);
    const { rows } = await client.query<{ name: string }>('SELECT current_user AS name');
    await client.end();
    return `logged in as ${rows[0]?.name}`;
  } catch (error) {
    return (error as Error).message;
  }
}

const appRole = {
  spec: {
    postgres_role: app.name,
    identity_type: 'SERVICE_PRINCIPAL',
    auth_method: 'LAKEBASE_OAUTH_V1',
    membership_roles: ['DATABRICKS_SUPERUSER'],
  },
};

test('a role made on a branch opens it, not its source, and its sibling only by token scope', async () => {
  await aBranch('one');
  await aBranch('two');
  await change('POST', `${branches}/one/roles?role_id=app`, appRole);
  await change('POST', `${branches}/two/roles?role_id=app`, appRole);
  const token = await mint('one', app);
  expect(await login('one', app.name, token)).toBe('logged in as app-client');
  expect(await login('production', app.name, token)).toBe('OAuth: User is not authorized');
  expect(await login('two', app.name, token)).toBe('logged in as app-client');
  const tokenScope = JSON.stringify({ tokenScope: 'endpoint' });
  await fetch(`${emulator.url}/admin/behaviour`, { method: 'PATCH', body: tokenScope });
  expect(await login('two', app.name, token)).toBe('OAuth: User is not authorized');
  expect(await login('one', app.name, token)).toBe('logged in as app-client');
});

test('a plain role logs in with the password that the API reveals', async () => {
  await aBranch('native');
  await change('POST', `${branches}/native/roles?role_id=plain`, { spec: { postgres_role: 'plain' } });
  const { password } = await call('POST', `${branches}/native/roles/plain/password`, {});
  expect(await login('native', 'plain', password)).toBe('native postgres login is disabled for this endpoint');
  await change('PATCH', 'projects/shop?update_mask=spec.enable_pg_native_login', {
    spec: { enable_pg_native_login: true },
  });
  expect(await login('native', 'plain', password)).toBe('logged in as plain');
});

test('another size ends the sessions, and the next login finds the rows', async () => {
  await aBranch('sized');
  const client = await connect('sized', owner.name, await mint('sized', owner));
  await client.query('CREATE TABLE kept AS SELECT 1 AS id');
  const ended = new Promise((resolve) => client.once('end', resolve));
  await change('PATCH', `${branches}/sized/endpoints/primary?update_mask=spec.autoscaling_limit_max_cu`, {
    spec: { autoscaling_limit_max_cu: 2 },
  });
  await ended;
  const again = await connect('sized', owner.name, await mint('sized', owner));
  expect((await again.query('SELECT id FROM kept')).rows).toEqual([{ id: 1 }]);
  await again.end();
});

test('a database is one in Postgres, owned by the role it names, until both are dropped', async () => {
  await aBranch('many');
  await change('POST', `${branches}/many/roles?role_id=app`, appRole);
  await change('POST', `${branches}/many/databases?database_id=orders`, {
    spec: { postgres_database: 'orders', role: `${branches}/many/roles/app` },
  });
  const client = await connect('many', app.name, await mint('many', app), 'orders');
  await client.query('CREATE TABLE mine (id int)');
  await client.end();
  await change('DELETE', `${branches}/many/roles/app?reassign_owned_to=${branches}/many/roles/sp-${owner.name}`);
  const heir = await connect('many', owner.name, await mint('many', owner), 'orders');
  expect((await heir.query("SELECT tableowner FROM pg_tables WHERE tablename = 'mine'")).rows).toEqual([
    { tableowner: owner.name },
  ]);
  await heir.end();
  await change('DELETE', `${branches}/many/databases/orders`);
  await expect(connect('many', owner.name, await mint('many', owner), 'orders')).rejects.toMatchObject({
    code: '3D000',
  });
});

test('a deleted branch takes its sessions, its files and its address with it', async () => {
  await aBranch('gone');
  const { uid } = await call('GET', `${branches}/gone`);
  const { status } = await call('GET', `${branches}/gone/endpoints/primary`);
  const client = await connect('gone', owner.name, await mint('gone', owner));
  const ended = new Promise((resolve) => client.once('end', resolve));
  await change('DELETE', `${branches}/gone`);
  await ended;
  expect(await readdir(join(emulator.stateDir, 'branches'))).not.toContain(uid);
  const late = new pg.Client({ host: String(status.hosts?.host), port: emulator.pgPort, user: 'x', ssl: true });
  await expect(late.connect()).rejects.toMatchObject({ code: 'ECONNREFUSED' });
  await aBranch('gone');
  const again = await call('GET', `${branches}/gone/endpoints/primary`);
  expect(again.status.hosts?.host).not.toBe(status.hosts?.host);
});

test('nothing that was written out holds a token or a secret', () => {
  expect(emulator.output()).not.toMatch(/eyJ|owner-secret|app-secret/);
});
