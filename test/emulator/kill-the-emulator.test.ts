// What is left when the emulator goes, in order or by force, and what the next start makes of it.
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { access, mkdir, mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { afterEach, expect, test } from 'vitest';
import { runFolderOf } from '../../src/emulator/postgres/run-folder.ts';
import { eventually, freePort, instancesIn, loginTo, makeRoot, query, removePlane, startPlane } from './plane.ts';
import type { Plane } from './plane.ts';

const planes: Plane[] = [];
afterEach(async () => {
  await Promise.all(planes.splice(0).map(removePlane));
});

async function start(options: Parameters<typeof startPlane>[0] = {}): Promise<Plane> {
  const plane = await startPlane(options);
  planes.push(plane);
  return plane;
}

test('after a stop in order nothing runs, no socket is left, and a new start has the same hosts, authority and rows', async () => {
  const plane = await startPlane();
  const host = await makeRoot(plane);
  await query(loginTo(plane, host), 'CREATE TABLE t AS SELECT 1 AS id');
  await plane.stop();
  expect(await instancesIn(plane.stateDir)).toEqual([]);
  await expect(access(await runFolderOf(plane.stateDir))).rejects.toMatchObject({ code: 'ENOENT' });

  const again = await start({ stateDir: plane.stateDir, pgPort: plane.pgPort });
  expect(again.ca).toBe(plane.ca);
  expect(await again.openEndpoint('ep-root', 'br-root')).toBe(host);
  expect(again.endpointActivity('ep-root').state).toBe('IDLE');
  expect(await query(loginTo(again, host), 'SELECT id FROM t')).toEqual([{ id: 1 }]);
});

test('clients that come back at once do not wake what is being stopped', async () => {
  const plane = await startPlane();
  const host = await makeRoot(plane);
  let stopped = false;
  const clients = Array.from({ length: 4 }, async () => {
    while (!stopped) await query(loginTo(plane, host), 'SELECT pg_sleep(0.2)').catch(() => pause(1));
  });
  await eventually(() => plane.logins.length >= 4, 'all clients have come');
  await plane.stop();
  stopped = true;
  await Promise.all(clients);
  expect(await instancesIn(plane.stateDir)).toEqual([]);
  await expect(access(await runFolderOf(plane.stateDir))).rejects.toMatchObject({ code: 'ENOENT' });
  await rm(plane.stateDir, { recursive: true });
});

test('a branch that is being made when the emulator stops does not start afterwards', async () => {
  const plane = await startPlane();
  await makeRoot(plane);
  const made = ['br-a', 'br-b'].map((uid) => plane.fork(uid, 'br-root').catch(() => undefined));
  await plane.stop();
  await Promise.all(made);
  expect(await instancesIn(plane.stateDir)).toEqual([]);
  await expect(plane.createRoot('br-c')).rejects.toThrow('the emulator is stopping');
  await rm(plane.stateDir, { recursive: true });
});

test('the next start ends what a killed emulator has left, and no acknowledged row is lost', async () => {
  const stateDir = await mkdtemp(join(tmpdir(), 'lakebranch-test-'));
  const pgPort = await freePort();
  const killed = fork(join(import.meta.dirname, 'plane-process.ts'), [stateDir, String(pgPort)]);
  const [ready] = (await once(killed, 'message')) as [{ rows: number }];
  killed.kill('SIGKILL');
  await once(killed, 'exit');
  const left = await instancesIn(stateDir);
  expect(left.length).toBeGreaterThan(0);

  const plane = await start({ stateDir, pgPort });
  const survivors = (await instancesIn(stateDir)).filter(({ pid }) => left.some((each) => each.pid === pid));
  expect(survivors).toEqual([]);
  const host = await plane.openEndpoint('ep-root', 'br-root');
  const [row] = await query<{ count: number }>(loginTo(plane, host), 'SELECT count(*)::int FROM t');
  expect(row?.count).toBeGreaterThanOrEqual(ready.rows);
});

test('a second emulator on the same state folder is refused, and harms nothing', async () => {
  const plane = await start();
  const host = await makeRoot(plane);
  await expect(startPlane({ stateDir: plane.stateDir })).rejects.toThrow(
    `another emulator works in ${plane.stateDir}: stop it, or choose another --state-dir`,
  );
  expect(await query(loginTo(plane, host), 'SELECT 1 AS one')).toEqual([{ one: 1 }]);
});

test('two emulators side by side share a port and never an address', async () => {
  const first = await start();
  const second = await start({ pgPort: first.pgPort });
  const hosts = [await makeRoot(first), await makeRoot(second)] as const;
  expect(hosts[0]).not.toBe(hosts[1]);
  await query(loginTo(first, hosts[0]), 'CREATE TABLE mine AS SELECT 1 AS id');
  await expect(query(loginTo(second, hosts[1]), 'SELECT * FROM mine')).rejects.toMatchObject({ code: '42P01' });
});

test('a port that is taken is named at once, with the setting to change', async () => {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '0.0.0.0', resolve));
  const { port } = server.address() as { port: number };
  const stateDir = await mkdtemp(join(tmpdir(), 'lakebranch-test-'));
  await expect(startPlane({ stateDir, pgPort: port })).rejects.toThrow(/^port \d+ is taken on 127\..* --pg-port$/);
  server.close();
  await rm(stateDir, { recursive: true });
});

test('a branch whose making was interrupted leaves nothing that looks whole, and can be made again', async () => {
  const plane = await start();
  const half = join(plane.stateDir, 'branches', 'br-root', 'new-abc', 'base');
  await mkdir(half, { recursive: true });
  const host = await makeRoot(plane);
  expect(await query(loginTo(plane, host), 'SELECT 1 AS one')).toEqual([{ one: 1 }]);
  await expect(access(half)).rejects.toMatchObject({ code: 'ENOENT' });
});

test('endpoints share an address and are told apart by the name the client asks for', async () => {
  const plane = await start({
    hostMode: { kind: 'names', hostPattern: 'ep-{00..03}.lakebase.svc', listen: '127.0.0.1' },
  });
  const rootHost = await makeRoot(plane);
  await query(named(plane, rootHost), 'CREATE TABLE t AS SELECT 1 AS id');
  await plane.fork('br-a', 'br-root');
  const forkHost = await plane.openEndpoint('ep-a', 'br-a');
  expect([rootHost, forkHost]).toEqual(['ep-00.lakebase.svc', 'ep-01.lakebase.svc']);
  await query(named(plane, forkHost), 'INSERT INTO t VALUES (2)');
  expect(await query(named(plane, `${forkHost}.cluster.local`), 'SELECT id FROM t ORDER BY id')).toHaveLength(2);
  expect(await query(named(plane, rootHost), 'SELECT id FROM t')).toEqual([{ id: 1 }]);
  await expect(query(named(plane, 'ep-02.lakebase.svc'), 'SELECT 1')).rejects.toThrow(
    'no endpoint is known under the name',
  );
  await expect(query(loginTo(plane, '127.0.0.1'), 'SELECT 1')).rejects.toThrow('sent no server name');
  await plane.closeEndpoint('ep-a');
  await expect(query(named(plane, forkHost), 'SELECT 1')).rejects.toThrow('no endpoint is known under the name');
});

const named = (plane: Plane, servername: string) => loginTo(plane, '127.0.0.1', { ssl: { ca: plane.ca, servername } });

test('a start that fails leaves the folder free for the next one', async () => {
  const stateDir = await mkdtemp(join(tmpdir(), 'lakebranch-test-'));
  const hostMode = { kind: 'names', hostPattern: 'no pattern', listen: '127.0.0.1' } as const;
  await expect(startPlane({ stateDir, hostMode })).rejects.toThrow('is no pattern of host names');
  await pause(0);
  const plane = await start({ stateDir });
  await expect(makeRoot(plane)).resolves.toMatch(/^127\./);
});
