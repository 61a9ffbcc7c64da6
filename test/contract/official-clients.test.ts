// The clients that Databricks publishes for JavaScript, as they come from npm, against the emulator as people run it.
// None of them is treated specially on either side.
import { createLakebasePool, generateDatabaseCredential, getUsernameWithApiLookup } from '@databricks/lakebase';
import { ApiError, WorkspaceClient } from '@databricks/sdk-experimental';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { developmentPrincipal } from '../../src/emulator/settings.ts';
import { newStateDir, removeEmulatorProcess, startEmulatorProcess, type EmulatorProcess } from '../emulator/process.ts';

const { name: clientId, secret: clientSecret } = developmentPrincipal;
const branches = 'projects/shop/branches';

let emulator: EmulatorProcess;
let workspace: WorkspaceClient;

beforeAll(async () => {
  const users = ['--service-principal', `${clientId}:${clientSecret}`, '--user', 'ann@example.com:dapi-ann'];
  emulator = await startEmulatorProcess(await newStateDir(), ['--admin', ...users]);
  workspace = new WorkspaceClient({ host: emulator.url, clientId, clientSecret, authType: 'oauth-m2m' });
});

afterEach(() => admin('DELETE', 'faults'));
afterAll(() => removeEmulatorProcess(emulator));

async function admin(method: string, path: string, body?: object): Promise<void> {
  await fetch(`${emulator.url}/admin/${path}`, { method, ...(body ? { body: JSON.stringify(body) } : {}) });
}

type Method = 'GET' | 'POST' | 'PATCH' | 'DELETE';

interface Answer {
  readonly name: string;
  readonly uid: string;
  readonly done?: boolean;
  readonly error?: unknown;
  readonly response?: unknown;
  readonly branches?: readonly { readonly branch_id: string }[];
  readonly status: { readonly current_state?: string; readonly hosts?: { readonly host?: string } };
}

/** The SDK has no service for branches yet; its API client carries any request. */
const call = (method: Method, path: string, query: Record<string, string> = {}, payload?: object): Promise<Answer> =>
  workspace.apiClient.request({
    path: `/api/2.0/postgres/${path}`,
    method,
    query,
    headers: new Headers({ Accept: 'application/json', 'Content-Type': 'application/json' }),
    raw: false,
    ...(payload ? { payload } : {}),
  }) as Promise<Answer>;

/** As official clients wait: ask for the operation until it is done. */
async function finished(operation: Answer): Promise<Answer> {
  const now = await call('GET', operation.name);
  return now.done ? now : finished(now);
}

async function aBranch(id: string): Promise<string> {
  const operation = await call('POST', branches, { branch_id: id }, { spec: { ttl: '3600s' } });
  expect((await finished(operation)).error).toBeUndefined();
  const { status } = await call('GET', `${branches}/${id}/endpoints/primary`);
  return String(status.hosts?.host);
}

test('sdk: who I am, by client secret and by personal access token', async () => {
  expect(await workspace.currentUser.me()).toMatchObject({ userName: clientId, active: true });
  const ann = new WorkspaceClient({ host: emulator.url, token: 'dapi-ann' });
  expect(await ann.currentUser.me()).toMatchObject({ userName: 'ann@example.com' });
});

test('sdk: a wrong secret is an error at once', async () => {
  const wrong = new WorkspaceClient({ host: emulator.url, clientId, clientSecret: 'guess', authType: 'oauth-m2m' });
  await expect(wrong.currentUser.me()).rejects.toThrow(/401|invalid_client|Client authentication failed/);
});

test('sdk: a branch is made, found, listed and deleted', async () => {
  await aBranch('sdk');
  expect((await call('GET', `${branches}/sdk`)).status.current_state).toBe('READY');
  const listed = (await call('GET', branches)).branches ?? [];
  expect(listed.map((branch) => branch.branch_id)).toContain('sdk');
  const operation = await finished(await call('DELETE', `${branches}/sdk`));
  expect(operation.response).toEqual({ '@type': 'type.googleapis.com/google.protobuf.Empty' });
});

test('sdk: an error has its code, status and words', async () => {
  const error = await call('GET', `${branches}/nope`).catch((reason: unknown) => reason);
  expect(error).toBeInstanceOf(ApiError);
  expect(error).toMatchObject({ statusCode: 404, errorCode: 'NOT_FOUND' });
  expect((error as ApiError).message).toMatch(/^branch id not found \[TraceId: [0-9a-f]{32}\]$/);
});

test('sdk: what is not there is an error at once', async () => {
  const error = await call('GET', 'catalogs/x').catch((reason: unknown) => reason);
  expect(error).toMatchObject({ statusCode: 404, errorCode: 'ENDPOINT_NOT_FOUND' });
});

test('sdk: a 429 is waited for', async () => {
  const trouble = { kind: 'answer', status: 429, retryAfterSeconds: 1 };
  await admin('POST', 'faults', { method: 'GET', path: '/api/2.0/postgres/projects/*', times: 1, trouble });
  expect((await call('GET', 'projects/shop')).name).toBe('projects/shop');
});

test('lakebase: a credential, and the name that goes with it', async () => {
  const endpoint = `${branches}/production/endpoints/primary`;
  const { token, expire_time } = await generateDatabaseCredential(workspace, { endpoint });
  expect(token).toMatch(/^ey/);
  expect(Date.parse(expire_time)).toBeGreaterThan(Date.now());
  expect(await getUsernameWithApiLookup({ workspaceClient: workspace })).toBe(clientId);
});

test('lakebase: a pool logs in with tokens that it mints, and sees only its branch', async () => {
  const poolOf = async (branch: string, host: string): Promise<ReturnType<typeof createLakebasePool>> =>
    createLakebasePool({
      workspaceClient: workspace,
      endpoint: `${branches}/${branch}/endpoints/primary`,
      host,
      port: emulator.pgPort,
      user: clientId,
      database: 'databricks_postgres',
      ssl: { ca: emulator.ca },
    });
  const production = await poolOf(
    'production',
    String((await call('GET', `${branches}/production/endpoints/primary`)).status.hosts?.host),
  );
  await production.query('CREATE TABLE entities AS SELECT generate_series(1, 32) AS id');
  const preview = await poolOf('pool', await aBranch('pool'));
  try {
    expect((await preview.query('SELECT count(*)::int AS count FROM entities')).rows).toEqual([{ count: 32 }]);
    await preview.query('DELETE FROM entities');
    expect((await production.query('SELECT count(*)::int AS count FROM entities')).rows).toEqual([{ count: 32 }]);
  } finally {
    await preview.end();
    await production.end();
  }
});

test('lakebase: tokens that live thirty seconds are minted for every new connection', async () => {
  await admin('PATCH', 'behaviour', { grantedSeconds: 30 });
  const host = await aBranch('short');
  const pool = createLakebasePool({
    workspaceClient: workspace,
    endpoint: `${branches}/short/endpoints/primary`,
    host,
    port: emulator.pgPort,
    user: clientId,
    database: 'databricks_postgres',
    ssl: { ca: emulator.ca },
    max: 2,
  });
  try {
    const both = await Promise.all([pool.query('SELECT 1 AS one'), pool.query('SELECT 1 AS one')]);
    expect(both.map(({ rows }) => rows)).toEqual([[{ one: 1 }], [{ one: 1 }]]);
  } finally {
    await pool.end();
  }
});
