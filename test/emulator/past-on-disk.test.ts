// What the past of a branch costs, and what is left of it after a restart, a kill and the end of the branch.
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import pg from 'pg';
import { afterEach, expect, test } from 'vitest';
import { eventually, freePort, loginTo, makeRoot, query, removePlane, startPlane } from './plane.ts';
import type { Plane } from './plane.ts';
import { callEmulator, newStateDir, removeEmulatorProcess, startEmulatorProcess } from './process.ts';
import type { EmulatorProcess } from './process.ts';
import { developmentPrincipal } from '../../src/emulator/settings.ts';

const planes: Plane[] = [];
const emulators: EmulatorProcess[] = [];
afterEach(async () => {
  await Promise.all(planes.splice(0).map(removePlane));
  await Promise.all(emulators.splice(0).map(removeEmulatorProcess));
});

async function start(options: Parameters<typeof startPlane>[0] = {}): Promise<Plane> {
  const plane = await startPlane(options);
  planes.push(plane);
  return plane;
}

const idsOf = async (config: pg.ClientConfig): Promise<number[]> =>
  (await query<{ id: number }>(config, 'SELECT id FROM t ORDER BY id')).map(({ id }) => id);

/** What a restore of `br-root` to `time` shows. */
async function shownAt(plane: Plane, name: string, time: number): Promise<number[]> {
  const point = await plane.pointAt('br-root', { time });
  if (typeof point === 'string') throw new Error(point);
  await plane.restore(`br-${name}`, 'br-root', point.lsn);
  return idsOf(loginTo(plane, await plane.openEndpoint(`ep-${name}`, `br-${name}`)));
}

/** Names in a folder of `br-root`. */
const inRoot = (plane: Plane, folder: string): Promise<string[]> =>
  readdir(join(plane.stateDir, 'branches', 'br-root', folder));

test('base copies are made anew as WAL is written, and old ones go with the WAL that only they need', async () => {
  const plane = await start({ baseEveryBytes: 2 ** 22 });
  const root = loginTo(plane, await makeRoot(plane));
  await plane.keepHistory('br-root', 3);
  await query(root, 'CREATE TABLE t (id int, filler text)');
  const client = new pg.Client(root);
  await client.connect();
  const started = Date.now();
  const firstBase = (await inRoot(plane, 'base'))[0];
  const [firstSegment] = (await inRoot(plane, 'wal')).sort();
  const seen = { segments: 0, bases: 0 };
  let id = 0;
  await eventually(async () => {
    await client.query(`INSERT INTO t SELECT $1, repeat(md5(i::text), 60) FROM generate_series(1, 2000) i`, [
      (id += 1),
    ]);
    await client.query('DELETE FROM t WHERE id < $1', [id]);
    const bases = (await inRoot(plane, 'base')).filter((name) => !name.startsWith('new-'));
    seen.bases = Math.max(seen.bases, bases.length);
    seen.segments = Math.max(seen.segments, (await inRoot(plane, 'wal')).length);
    return firstBase !== undefined && !bases.includes(firstBase) && bases.length > 0;
  }, 'the first base copy is gone, and there is another one');
  await client.end();
  expect(seen.bases).toBeGreaterThan(1);
  await plane.keepHistory('br-root', 3);
  expect(await inRoot(plane, 'wal')).not.toContain(firstSegment);
  expect((await inRoot(plane, 'wal')).length).toBeLessThan(seen.segments);
  expect(await plane.pointAt('br-root', { time: started })).toBe('beforeHistory');
  await pause(5);
  expect(new Set(await shownAt(plane, 'a', Date.now()))).toEqual(new Set([id]));
});

test('finished segments are kept once: the archive and the instance share them', async () => {
  const plane = await start();
  const root = loginTo(plane, await makeRoot(plane));
  await query(root, 'CREATE TABLE t AS SELECT 1 AS id');
  await plane.fork('br-a', 'br-root');
  await eventually(async () => (await inRoot(plane, 'wal')).some((name) => /^[0-9A-F]{24}$/.test(name)), 'archived');
  const segments = (await inRoot(plane, 'wal')).filter((name) => /^[0-9A-F]{24}$/.test(name));
  const links = await Promise.all(
    segments.map((name) => stat(join(plane.stateDir, 'branches', 'br-root', 'wal', name))),
  );
  const own = new Set(await inRoot(plane, 'data/pg_wal'));
  expect(links.filter(({ nlink }, index) => own.has(segments[index]!) && nlink !== 2)).toEqual([]);
});

test('a restart in order, and then one after a kill, forget no moment', async () => {
  const stateDir = await mkdtemp(join(tmpdir(), 'lakebranch-test-'));
  const pgPort = await freePort();
  const killed = fork(join(import.meta.dirname, 'plane-process.ts'), [stateDir, String(pgPort)]);
  const [{ rows, time }] = (await once(killed, 'message')) as [{ rows: number; time: number }];
  await pause(1_500);
  killed.kill('SIGKILL');
  await once(killed, 'exit');

  const first = await startPlane({ stateDir, pgPort });
  const ids = await shownAt(first, 'a', time + 1_200);
  expect(ids).toEqual(Array.from({ length: ids.length }, (_, index) => index + 1));
  expect(ids.length).toBeGreaterThanOrEqual(rows);
  await first.stop();

  const again = await start({ stateDir, pgPort });
  expect(await shownAt(again, 'b', time + 1_200)).toEqual(ids);
});

test('an emulator that is killed in the middle of a restore makes the branch again, from the same moment', async () => {
  const stateDir = await newStateDir();
  const before = await startEmulatorProcess(stateDir);
  emulators.push(before);
  const config = await loginOf(before, 'production');
  await query(config, 'CREATE TABLE t AS SELECT 1 AS id');
  await pause(1_500);
  const time = new Date(Date.now() - (Date.now() % 60_000 === 0 ? 1 : 0)).toISOString();
  await pause(5);
  await query(config, 'INSERT INTO t VALUES (2)');
  const spec = { source_branch: 'projects/shop/branches/production', source_branch_time: time, no_expiry: true };
  const answer = await callEmulator(before.url, 'POST', 'projects/shop/branches?branch_id=past', { spec });
  expect(answer.status).toBe(200);
  const folders = join(stateDir, 'branches');
  const replays = async (): Promise<string[]> => {
    const found = await readdir(folders, { recursive: true });
    return found.filter((path) => path.endsWith('/replay') || path.endsWith('/recovery.signal'));
  };
  await eventually(async () => (await replays()).length > 0, 'the restore is under way');
  await before.stop('SIGKILL');
  expect(await replays()).not.toEqual([]);

  const after = await startEmulatorProcess(stateDir);
  emulators.splice(0, 1, after);
  let status: Record<string, string> = {};
  await eventually(async () => {
    const branch = await callEmulator(after.url, 'GET', 'projects/shop/branches/past');
    status = ((await branch.json()) as { status: Record<string, string> }).status;
    return status['current_state'] === 'READY';
  }, 'the branch is ready');
  expect(await idsOf(await loginOf(after, 'past'))).toEqual([1]);
  expect(await replays()).toEqual([]);
  expect(Date.parse(status['source_branch_time'] ?? '')).toBeLessThanOrEqual(Date.parse(time));
  expect(status['source_branch_lsn']).toMatch(/^[0-9A-F]+\/[0-9A-F]+$/);
});

/** How the development principal logs in to the database of a branch. */
async function loginOf(emulator: EmulatorProcess, branch: string): Promise<pg.ClientConfig> {
  const endpoint = `projects/shop/branches/${branch}/endpoints/primary`;
  const found = (await (await callEmulator(emulator.url, 'GET', endpoint)).json()) as {
    status: { hosts: { host: string } };
  };
  const minted = await callEmulator(emulator.url, 'POST', 'credentials', { endpoint });
  return {
    host: found.status.hosts.host,
    port: emulator.pgPort,
    user: developmentPrincipal.name,
    password: ((await minted.json()) as { token: string }).token,
    database: 'databricks_postgres',
    ssl: { ca: emulator.ca },
  };
}
