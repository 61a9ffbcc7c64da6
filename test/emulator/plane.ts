// A data plane of its own in a temporary folder, and clients for it. A login is let in with the password `letMeIn`.
import { createRequire } from 'node:module';
import { mkdtemp, readdir, readFile, readlink, realpath, rm, stat } from 'node:fs/promises';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import pg from 'pg';
import type { DataPlane, PostgresRole } from '../../src/emulator/data-plane.ts';
import type { HostMode } from '../../src/emulator/postgres/endpoints.ts';
import { createPostgresDataPlane } from '../../src/emulator/postgres/postgres-data-plane.ts';
import type { LoginRequest } from '../../src/emulator/proxy/gate.ts';
import { systemClock } from '../../src/kit/clock.ts';
import type { Clock } from '../../src/kit/clock.ts';

export const letMeIn = 'let-me-in';
export const user = '5f0a1b2c-service-principal';

export interface Plane extends DataPlane {
  readonly stateDir: string;
  readonly pgPort: number;
  /** PEM of the authority that clients are to trust. */
  readonly ca: string;
  /** What the proxy asked; without the passwords. */
  readonly logins: Omit<LoginRequest, 'password'>[];
  /** What was logged, as text. */
  readonly logged: string[];
}

export interface PlaneOptions {
  readonly stateDir?: string;
  readonly pgPort?: number;
  readonly hostMode?: HostMode;
  readonly clock?: Clock;
  readonly baseEveryBytes?: number;
}

/** With `stateDir` of an earlier plane this is a restart. */
export async function startPlane(options: PlaneOptions = {}): Promise<Plane> {
  const stateDir = options.stateDir ?? (await mkdtemp(join(tmpdir(), 'lakebranch-test-')));
  const pgPort = options.pgPort ?? (await freePort());
  const logins: Omit<LoginRequest, 'password'>[] = [];
  const logged: string[] = [];
  const plane = await createPostgresDataPlane({
    stateDir,
    pgPort,
    hostMode: options.hostMode ?? { kind: 'address' },
    clock: options.clock ?? systemClock,
    ...(options.baseEveryBytes === undefined ? {} : { baseEveryBytes: options.baseEveryBytes }),
    log: (message, fields) => logged.push(JSON.stringify([message, fields])),
    authorize: ({ password, ...login }) => {
      logins.push(login);
      const verdict = { ok: false, sqlState: '28000', message: 'OAuth: User is not authorized' } as const;
      return Promise.resolve(password === letMeIn ? { ok: true } : verdict);
    },
  });
  const ca = await readFile(join(stateDir, 'ca.crt'), 'utf8');
  return { ...plane, stateDir, pgPort, ca, logins, logged };
}

export async function removePlane(plane: Plane): Promise<void> {
  await plane.stop();
  await rm(plane.stateDir, { recursive: true, force: true });
}

/** A root branch `br-root` with a login for `user`, reached by endpoint `ep-root`. Returns its host. */
export async function makeRoot(plane: Plane): Promise<string> {
  await plane.createRoot('br-root');
  await plane.putRole('br-root', aRole({ name: user, superuserMember: true }));
  return plane.openEndpoint('ep-root', 'br-root');
}

export const aRole = (differences: Partial<PostgresRole> & { name: string }): PostgresRole => ({
  login: true,
  superuserMember: false,
  createdb: false,
  createrole: false,
  bypassrls: false,
  ...differences,
});

/** What `new Client` takes to log in as `user`, trusting the plane's authority. */
export const loginTo = (plane: Plane, host: string, differences: pg.ClientConfig = {}): pg.ClientConfig => ({
  host,
  port: plane.pgPort,
  user,
  password: letMeIn,
  database: 'databricks_postgres',
  ssl: { ca: plane.ca },
  ...differences,
});

/** The rows of one query on a connection of its own. */
export async function query<Row extends pg.QueryResultRow>(
  config: pg.ClientConfig,
  sql: string,
  Client: typeof pg.Client = pg.Client,
): Promise<Row[]> {
  const client = new Client(config);
  client.on('error', () => undefined);
  await client.connect();
  try {
    return (await client.query<Row>(sql)).rows;
  } finally {
    await client.end();
  }
}

/** The version of `pg` that `@databricks/lakebase` brings along. */
export function pgOfLakebase(): typeof pg.Client {
  const require = createRequire(createRequire(import.meta.url).resolve('@databricks/lakebase'));
  return (require('pg') as typeof pg).Client;
}

export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

export interface RunningProcess {
  readonly pid: number;
  readonly uid: number;
  readonly parent: number;
}

/** The PostgreSQL processes that work in a folder below `stateDir`. */
export async function instancesIn(stateDir: string): Promise<RunningProcess[]> {
  const folder = await realpath(stateDir);
  const found: RunningProcess[] = [];
  for (const name of (await readdir('/proc')).filter((each) => /^\d+$/.test(each))) {
    try {
      if (!(await readlink(`/proc/${name}/cwd`)).startsWith(`${folder}/`)) continue;
      const status = await readFile(`/proc/${name}/status`, 'utf8');
      const parent = Number(/^PPid:\s+(\d+)/m.exec(status)?.[1]);
      found.push({ pid: Number(name), uid: (await stat(`/proc/${name}`)).uid, parent });
    } catch {
      // It ended while we looked.
    }
  }
  return found;
}

/** Those of them that others descend from: one for each instance that runs. */
export async function postmastersIn(stateDir: string): Promise<RunningProcess[]> {
  const all = await instancesIn(stateDir);
  return all.filter(({ parent }) => !all.some(({ pid }) => pid === parent));
}

/** Asks until the answer is yes. The deadline only keeps a failing test from hanging. */
export async function eventually(claim: () => Promise<boolean> | boolean, what: string): Promise<void> {
  const until = Date.now() + 60_000;
  while (!(await claim())) {
    if (Date.now() > until) throw new Error(`this never became true: ${what}`);
    await pause(20);
  }
}
