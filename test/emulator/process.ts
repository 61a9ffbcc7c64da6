// The emulator as a process of its own, as a user starts it: for tests from the outside.
import { spawn, type ChildProcessWithoutNullStreams } from 'node:child_process';
import { chmod, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { developmentPrincipal } from '../../src/emulator/settings.ts';
import { freePort } from './plane.ts';

export interface EmulatorProcess {
  readonly url: string;
  readonly httpsUrl: string;
  readonly pgPort: number;
  readonly stateDir: string;
  /** PEM of its authority. */
  readonly ca: string;
  /** Everything it has written to standard output and standard error. */
  readonly output: () => string;
  /** Ends it and resolves with its exit code. The state folder stays. */
  stop(signal?: NodeJS.Signals): Promise<number | null>;
}

/** A folder that PostgreSQL's user can enter, for `--state-dir`. */
export async function newStateDir(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'emulator-'));
  await chmod(folder, 0o755);
  return join(folder, 'state');
}

/** On free ports. Without PostgreSQL where `args` say so. */
export async function startEmulatorProcess(stateDir: string, args: readonly string[] = []): Promise<EmulatorProcess> {
  const pgPort = await freePort();
  const ports = ['--http-port', '0', '--https-port', '0', '--pg-port', String(pgPort)];
  const child = launchEmulator(stateDir, [...ports, ...args]);
  const exit = exitOf(child);
  let output = '';
  await new Promise<void>((resolve, reject) => {
    const take = (chunk: Buffer): void => {
      output += chunk.toString();
      if (output.includes('Stop it with Ctrl-C')) resolve();
    };
    child.stdout.on('data', take);
    child.stderr.on('data', take);
    void exit.then(() => reject(new Error(`the emulator ended: ${output}`)));
  });
  const [, url = '', httpsUrl = ''] = /API +(\S+) +and +(\S+)/.exec(output) ?? [];
  return {
    url,
    httpsUrl,
    pgPort,
    stateDir,
    ca: await readFile(join(stateDir, 'ca.crt'), 'utf8'),
    output: () => output,
    stop(signal = 'SIGTERM') {
      child.kill(signal);
      return exit;
    },
  };
}

export async function removeEmulatorProcess(emulator: EmulatorProcess): Promise<void> {
  await emulator.stop();
  await rm(join(emulator.stateDir, '..'), { recursive: true, force: true });
}

/** Runs it to its end, which is expected to come by itself. */
export async function runEmulator(
  stateDir: string,
  args: readonly string[],
): Promise<{ code: number | null; error: string }> {
  const child = launchEmulator(stateDir, args);
  let error = '';
  child.stderr.on('data', (chunk: Buffer) => (error += chunk.toString()));
  child.stdout.resume();
  return { code: await exitOf(child), error };
}

function launchEmulator(stateDir: string, args: readonly string[]): ChildProcessWithoutNullStreams {
  const main = join(import.meta.dirname, '../../src/emulator/main.ts');
  const child = spawn(process.execPath, [main, '--state-dir', stateDir, ...args], {
    env: { PATH: process.env['PATH'], HOME: join(stateDir, '..') },
  });
  // Also when the test run is ended from outside.
  const end = (): void => void child.kill('SIGKILL');
  process.once('exit', end);
  child.once('exit', () => process.off('exit', end));
  return child;
}

/** After the exit the rest of the output has come in as well. */
const exitOf = (child: ChildProcessWithoutNullStreams): Promise<number | null> =>
  new Promise((resolve) => child.once('close', resolve));

/** Calls the API as the service principal the emulator has when none is given. */
export async function callEmulator(url: string, method: string, path: string, body?: object): Promise<Response> {
  const { name, secret } = developmentPrincipal;
  const issued = await fetch(`${url}/oidc/v1/token`, {
    method: 'POST',
    headers: { authorization: `Basic ${Buffer.from(`${name}:${secret}`).toString('base64')}` },
    body: new URLSearchParams({ grant_type: 'client_credentials' }),
  });
  const { access_token: token } = (await issued.json()) as { access_token: string };
  return fetch(`${url}/api/2.0/postgres/${path}`, {
    method,
    headers: { authorization: `Bearer ${token}` },
    ...(body ? { body: JSON.stringify(body) } : {}),
  });
}
