// The emulator as a process of its own: what it says, how it stops, how it refuses to start. Without PostgreSQL.
import { spawn, type ChildProcessWithoutNullStreams } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { developmentPrincipal } from './settings.ts';

let folder: string;
const running = new Set<ChildProcessWithoutNullStreams>();

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'emulator-main-'));
});

afterEach(() => {
  for (const child of running) child.kill('SIGKILL');
  running.clear();
  rmSync(folder, { recursive: true, force: true });
});

interface Emulator {
  readonly url: string;
  readonly output: () => string;
  /** Ends it and resolves with its exit code. */
  stop(signal: NodeJS.Signals): Promise<number | null>;
}

function launch(args: readonly string[]): ChildProcessWithoutNullStreams {
  const main = join(import.meta.dirname, 'main.ts');
  const child = spawn(process.execPath, [main, '--no-postgres', '--state-dir', join(folder, 'state'), ...args], {
    env: { PATH: process.env['PATH'], HOME: folder },
  });
  running.add(child);
  child.once('exit', () => running.delete(child));
  return child;
}

const exitOf = (child: ChildProcessWithoutNullStreams): Promise<number | null> =>
  new Promise((resolve) => child.once('exit', resolve));

async function start(args: readonly string[] = ['--http-port', '0', '--https-port', '0']): Promise<Emulator> {
  const child = launch(args);
  let output = '';
  const exit = exitOf(child);
  await new Promise<void>((resolve, reject) => {
    const take = (chunk: Buffer): void => {
      output += chunk.toString();
      if (output.includes('Stop it with Ctrl-C')) resolve();
    };
    child.stdout.on('data', take);
    child.stderr.on('data', take);
    void exit.then(() => reject(new Error(`the emulator ended: ${output}`)));
  });
  return {
    url: /DATABRICKS_HOST=(\S+)/.exec(output)?.[1] ?? '',
    output: () => output,
    stop(signal) {
      child.kill(signal);
      return exit;
    },
  };
}

/** Runs it to its end, which is expected to come by itself. */
async function refuse(args: readonly string[]): Promise<{ code: number | null; error: string }> {
  const child = launch(args);
  let error = '';
  child.stderr.on('data', (chunk: Buffer) => (error += chunk.toString()));
  child.stdout.resume();
  const code = await exitOf(child);
  return { code, error };
}

async function send(emulator: Emulator, method: string, path: string, body?: object): Promise<Response> {
  const { name, secret } = developmentPrincipal;
  const issued = await fetch(`${emulator.url}/oidc/v1/token`, {
    method: 'POST',
    headers: { authorization: `Basic ${Buffer.from(`${name}:${secret}`).toString('base64')}` },
    body: new URLSearchParams({ grant_type: 'client_credentials' }),
  });
  const { access_token: token } = (await issued.json()) as { access_token: string };
  return fetch(`${emulator.url}/api/2.0/postgres/${path}`, {
    method,
    headers: { authorization: `Bearer ${token}` },
    ...(body ? { body: JSON.stringify(body) } : {}),
  });
}

test.each(['SIGTERM', 'SIGINT'] as const)('it starts, says how to connect, and ends cleanly at %s', async (signal) => {
  const emulator = await start();
  expect(emulator.output()).toContain('projects   shop');
  expect((await send(emulator, 'GET', 'projects/shop')).status).toBe(200);
  expect(await emulator.stop(signal)).toBe(0);
});

test('it comes back after a kill with what it had answered', async () => {
  const before = await start();
  await send(before, 'POST', 'projects/shop/branches?branch_id=dev', { spec: { ttl: '3600s' } });
  await before.stop('SIGKILL');
  const after = await start();
  expect((await send(after, 'GET', 'projects/shop/branches/dev')).status).toBe(200);
  await after.stop('SIGTERM');
});

test('a secret that was given is not shown', async () => {
  const emulator = await start([
    ...['--http-port', '0', '--https-port', '0'],
    ...['--service-principal', 'my-client:my-secret', '--user', 'ann@example.com:dapi-my-token'],
  ]);
  expect(emulator.output()).toContain('DATABRICKS_CLIENT_ID=my-client');
  await emulator.stop('SIGTERM');
  expect(emulator.output()).not.toMatch(/my-secret|dapi-my-token/);
});

test('a port that is taken ends it with one line that names the setting', async () => {
  const taken = createServer();
  await new Promise<void>((resolve) => taken.listen(0, '127.0.0.1', resolve));
  const { port } = taken.address() as AddressInfo;
  try {
    expect(await refuse(['--http-port', String(port), '--https-port', '0'])).toEqual({
      code: 1,
      error: `lakebranch-emulator: --http-port (or LAKEBRANCH_EMULATOR_HTTP_PORT): port ${port} is taken, choose another one\n`,
    });
  } finally {
    await new Promise((resolve) => taken.close(resolve));
  }
});

test('a state folder that cannot be one ends it with one line that names the setting', async () => {
  writeFileSync(join(folder, 'state'), 'a file');
  const { code, error } = await refuse([]);
  expect(code).toBe(1);
  expect(error).toMatch(/^lakebranch-emulator: --state-dir \(or LAKEBRANCH_EMULATOR_STATE_DIR\): .*\n$/);
});

test('a bad setting ends it with one line', async () => {
  expect(await refuse(['--init-delay', 'soon'])).toEqual({
    code: 1,
    error:
      'lakebranch-emulator: --init-delay (or LAKEBRANCH_EMULATOR_INIT_DELAY): "soon" is not a duration like 500ms, 30s, 5m or 1h\n',
  });
});
