// The emulator as a process: what it says, how it stops, how it refuses to start. Without PostgreSQL, but for one test.
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { join } from 'node:path';
import pg from 'pg';
import { developmentPrincipal } from '../../src/emulator/settings.ts';
import { callEmulator, newStateDir, runEmulator, startEmulatorProcess, type EmulatorProcess } from './process.ts';
import { eventually, instancesIn } from './plane.ts';

let stateDir: string;
let running: EmulatorProcess[] = [];

beforeEach(async () => {
  stateDir = await newStateDir();
});

afterEach(async () => {
  await Promise.all(running.map((emulator) => emulator.stop('SIGKILL')));
  running = [];
  await rm(join(stateDir, '..'), { recursive: true, force: true });
});

async function start(...args: string[]): Promise<EmulatorProcess> {
  const emulator = await startEmulatorProcess(stateDir, args);
  running.push(emulator);
  return emulator;
}

const branches = 'projects/shop/branches';

test.each(['SIGTERM', 'SIGINT', 'SIGHUP'] as const)(
  'it starts, says how to connect, and ends cleanly at %s',
  async (signal) => {
    const emulator = await start('--no-postgres');
    expect(emulator.output()).toContain('projects   shop');
    expect(emulator.output()).toContain(`DATABRICKS_HOST=${emulator.url}`);
    expect((await callEmulator(emulator.url, 'GET', 'projects/shop')).status).toBe(200);
    expect(await emulator.stop(signal)).toBe(0);
  },
);

test('it comes back after a kill with what it had answered', async () => {
  const before = await start('--no-postgres');
  await callEmulator(before.url, 'POST', `${branches}?branch_id=dev`, { spec: { ttl: '3600s' } });
  await before.stop('SIGKILL');
  const after = await start('--no-postgres');
  expect((await callEmulator(after.url, 'GET', `${branches}/dev`)).status).toBe(200);
});

test('a secret that was given is not shown', async () => {
  const secrets = ['--service-principal', 'my-client:my-secret', '--user', 'ann@example.com:dapi-my-token'];
  const emulator = await start('--no-postgres', ...secrets);
  expect(emulator.output()).toContain('DATABRICKS_CLIENT_ID=my-client');
  await emulator.stop();
  expect(emulator.output()).not.toMatch(/my-secret|dapi-my-token/);
});

test('a port that is taken ends it with one line that names the setting', async () => {
  const taken = createServer();
  await new Promise<void>((resolve) => taken.listen(0, '127.0.0.1', resolve));
  const { port } = taken.address() as AddressInfo;
  try {
    expect(await runEmulator(stateDir, ['--no-postgres', '--http-port', String(port), '--https-port', '0'])).toEqual({
      code: 1,
      error: `lakebranch-emulator: --http-port (or LAKEBRANCH_EMULATOR_HTTP_PORT): port ${port} is taken, choose another one\n`,
    });
  } finally {
    await new Promise((resolve) => taken.close(resolve));
  }
});

test('a port of the databases that is taken names its setting, too', async () => {
  const taken = createServer();
  await new Promise<void>((resolve) => taken.listen(0, '0.0.0.0', resolve));
  const { port } = taken.address() as AddressInfo;
  try {
    const { code, error } = await runEmulator(stateDir, ['--pg-port', String(port)]);
    expect(code).toBe(1);
    expect(error).toMatch(/^lakebranch-emulator: [^\n]*--pg-port\n$/);
  } finally {
    await new Promise((resolve) => taken.close(resolve));
  }
});

test.each([
  ['without PostgreSQL', ['--no-postgres']],
  ['with it', []],
])('a state folder that cannot be one names its setting, %s', async (_, args) => {
  await writeFile(stateDir, 'a file');
  const { code, error } = await runEmulator(stateDir, args);
  expect(code).toBe(1);
  expect(error).toMatch(/^lakebranch-emulator: --state-dir \(or LAKEBRANCH_EMULATOR_STATE_DIR\): [^\n]*\n$/);
});

test.each(['10.99.1.2', 'no-such-host.invalid'])(
  '%s, which is no address of this machine, names its setting',
  async (listen) => {
    const names = ['--host-mode', 'names', '--host-pattern', '*.db.test', '--pg-port', '25432'];
    const { code, error } = await runEmulator(stateDir, [...names, '--listen', listen]);
    expect(code).toBe(1);
    expect(error).toMatch(/^lakebranch-emulator: this machine has no address [^\n]*--listen[^\n]*\n$/);
  },
);

test.each([
  ['control-plane.json', '{"format":1,"signingKey":{"d":"a-secret"'],
  ['control-plane.json', 'null'],
  ['addresses.json', '{"networks"'],
  ['addresses.json', '{}'],
])('a damaged %s is named with what to do, and its contents stay in it: %s', async (name, text) => {
  await mkdir(stateDir);
  await writeFile(join(stateDir, name), text);
  const { code, error } = await runEmulator(stateDir, ['--http-port', '0', '--https-port', '0', '--pg-port', '25432']);
  expect({ code, error }).toEqual({
    code: 1,
    error: expect.stringMatching(/^lakebranch-emulator: [^\n]*: remove [^\n]* or choose another --state-dir\n$/),
  });
  expect(error).toContain(join(stateDir, name));
  expect(error).not.toContain('a-secret');
});

test('a full disk does not keep it from ending, with everything it has started', async () => {
  const emulator = await start();
  await eventually(async () => (await instancesIn(stateDir)).length > 0, 'an instance runs');
  // No state can be stored any more.
  await mkdir(join(stateDir, 'control-plane.json.new'));
  await callEmulator(emulator.url, 'POST', `${branches}?branch_id=dev`, { spec: { ttl: '3600s' } });
  expect(await emulator.stop()).toBe(1);
  expect(await instancesIn(stateDir)).toEqual([]);
});

test('a bad setting ends it with one line', async () => {
  expect(await runEmulator(stateDir, ['--init-delay', 'soon'])).toEqual({
    code: 1,
    error:
      'lakebranch-emulator: --init-delay (or LAKEBRANCH_EMULATOR_INIT_DELAY): "soon" is not a duration like 500ms, 30s, 5m or 1h\n',
  });
});

test('rows outlive a kill of everything: the branch is READY again, with its host and what was committed', async () => {
  const before = await start();
  await callEmulator(before.url, 'POST', `${branches}?branch_id=dev`, { spec: { ttl: '3600s' } });
  const host = await readyHost(before);
  await query(before, host, 'CREATE TABLE kept AS SELECT 42 AS answer');
  await before.stop('SIGKILL');

  const after = await start('--pg-port', String(before.pgPort));
  expect(await readyHost(after)).toBe(host);
  expect(await query({ ...after, pgPort: before.pgPort }, host, 'SELECT answer FROM kept')).toEqual([{ answer: 42 }]);
  await after.stop();
});

interface EndpointAnswer {
  readonly status: { readonly hosts: { readonly host?: string } };
}

async function readyHost(emulator: EmulatorProcess): Promise<string> {
  let host: string | undefined;
  await eventually(async () => {
    const answer = await callEmulator(emulator.url, 'GET', `${branches}/dev/endpoints/primary`);
    host = ((await answer.json()) as EndpointAnswer).status.hosts.host;
    return host !== undefined;
  }, 'the endpoint has a host');
  return String(host);
}

async function query(emulator: EmulatorProcess, host: string, sql: string): Promise<unknown[]> {
  const endpoint = `${branches}/dev/endpoints/primary`;
  const credential = await callEmulator(emulator.url, 'POST', 'credentials', { endpoint });
  const { token } = (await credential.json()) as { token: string };
  const client = new pg.Client({
    host,
    port: emulator.pgPort,
    user: developmentPrincipal.name,
    password: token,
    database: 'databricks_postgres',
    ssl: { ca: emulator.ca },
  });
  await client.connect();
  try {
    return (await client.query(sql)).rows;
  } finally {
    await client.end();
  }
}
