// Forks are whole, isolated and see everything that was acknowledged; instances sleep, wake and survive accidents.
import { access } from 'node:fs/promises';
import pg from 'pg';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { ManualClock } from '../../src/kit/clock.ts';
import {
  aRole,
  eventually,
  instancesIn,
  loginTo,
  makeRoot,
  postmastersIn,
  query,
  removePlane,
  startPlane,
  user,
} from './plane.ts';
import type { Plane } from './plane.ts';

const clock = new ManualClock(new Date('2026-01-01T00:00:00Z'));
const forks: string[] = [];
let plane: Plane;
let root: pg.ClientConfig;

beforeAll(async () => {
  plane = await startPlane({ clock });
  root = loginTo(plane, await makeRoot(plane));
});
afterEach(async () => {
  for (const uid of forks.splice(0)) await plane.destroy(uid);
  await plane.setSuspend('ep-root', undefined);
  await query(root, 'DROP TABLE IF EXISTS t');
});
afterAll(() => removePlane(plane));

/** A fork with an endpoint; how to log in to it. */
async function fork(name: string, source = 'br-root'): Promise<pg.ClientConfig> {
  const uid = `br-${name}`;
  forks.push(uid);
  await plane.fork(uid, source);
  return loginTo(plane, await plane.openEndpoint(`ep-${name}`, uid));
}

const runningBranches = async (): Promise<number> => (await postmastersIn(plane.stateDir)).length;

/** Time passes again and again, because the end of a session is seen a moment later than its client thinks. */
async function letRootSleep(): Promise<void> {
  await plane.setSuspend('ep-root', 60);
  await eventually(async () => {
    clock.advance(60_000);
    return (await runningBranches()) === 0;
  }, 'the instance sleeps');
}

test('a fork has the rows, roles and databases of its source, and from then on both go their own ways', async () => {
  await plane.createDatabase('br-root', 'app', user);
  await plane.putRole('br-root', aRole({ name: 'inherited' }));
  await query(root, 'CREATE TABLE t AS SELECT 1 AS id');
  const branch = await fork('a');
  expect(await query(branch, 'SELECT id FROM t')).toEqual([{ id: 1 }]);
  expect(await query({ ...branch, database: 'app' }, 'SELECT 1 AS one')).toEqual([{ one: 1 }]);
  expect(await query({ ...branch, user: 'inherited' }, 'SELECT current_user AS me')).toEqual([{ me: 'inherited' }]);
  await query(branch, 'INSERT INTO t VALUES (2)');
  await query(root, 'INSERT INTO t VALUES (3)');
  expect(await query(branch, 'SELECT id FROM t ORDER BY id')).toEqual([{ id: 1 }, { id: 2 }]);
  expect(await query(root, 'SELECT id FROM t ORDER BY id')).toEqual([{ id: 1 }, { id: 3 }]);
});

test('a fork can be forked', async () => {
  await query(root, 'CREATE TABLE t AS SELECT 1 AS id');
  await query(await fork('a'), 'INSERT INTO t VALUES (2)');
  const branch = await fork('b', 'br-a');
  expect(await query(branch, 'SELECT id FROM t ORDER BY id')).toEqual([{ id: 1 }, { id: 2 }]);
});

test('under a running writer a fork holds every row acknowledged before the call, without a gap', async () => {
  await query(root, 'CREATE TABLE t (id int PRIMARY KEY, filler text)');
  const writer = new pg.Client(root);
  await writer.connect();
  let acknowledged = 0;
  let writing = true;
  const written = (async () => {
    while (writing) {
      await writer.query(`INSERT INTO t VALUES ($1, repeat('x', 500))`, [acknowledged + 1]);
      acknowledged += 1;
    }
  })();
  for (const name of ['a', 'b']) {
    await eventually(() => acknowledged >= 100, 'the writer writes');
    const before = acknowledged;
    const branch = await fork(name);
    const [row] = await query<{ count: number; last: number }>(branch, 'SELECT count(*)::int, max(id) AS last FROM t');
    expect(row?.count).toBe(row?.last);
    expect(row?.last).toBeGreaterThanOrEqual(before);
    expect(acknowledged).toBeGreaterThan(before);
  }
  writing = false;
  await written;
  await writer.end();
});

test('tables dropped and made during the copy do no harm', async () => {
  const writer = new pg.Client(root);
  await writer.connect();
  let rounds = 0;
  let writing = true;
  const written = (async () => {
    for (; writing; rounds++) {
      await writer.query(
        `CREATE TABLE t${rounds} AS SELECT generate_series(1, 2000) AS id; CREATE INDEX ON t${rounds} (id)`,
      );
      if (rounds > 0) await writer.query(`DROP TABLE t${rounds - 1}`);
    }
  })();
  await eventually(() => rounds > 3, 'the writer is at work');
  for (const name of ['a', 'b']) {
    const branch = await fork(name);
    const tables = await query<{ relname: string }>(branch, "SELECT relname FROM pg_class WHERE relname ~ '^t[0-9]+$'");
    for (const { relname } of tables) {
      expect(await query(branch, `SELECT count(*)::int FROM ${relname} WHERE id > 0`)).toEqual([{ count: 2000 }]);
    }
  }
  writing = false;
  await written;
  await writer.query(`DROP TABLE IF EXISTS t${rounds - 1}`);
  await writer.end();
});

test('a sleeping source is forked without being woken', async () => {
  await query(root, 'CREATE TABLE t AS SELECT 1 AS id');
  await letRootSleep();
  const branch = await fork('a');
  expect(await runningBranches()).toBe(1);
  expect(await query(branch, 'SELECT id FROM t')).toEqual([{ id: 1 }]);
});

test('a fork made again begins anew', async () => {
  await query(root, 'CREATE TABLE t AS SELECT 1 AS id');
  const branch = await fork('a');
  await query(branch, 'INSERT INTO t VALUES (2)');
  await plane.fork('br-a', 'br-root');
  expect(await query(branch, 'SELECT id FROM t')).toEqual([{ id: 1 }]);
});

test('an endpoint without sessions falls asleep after its time, and a login wakes it with the rows it had', async () => {
  await plane.setSuspend('ep-root', 60);
  await query(root, 'CREATE TABLE t AS SELECT 1 AS id');
  await eventually(() => {
    clock.advance(1);
    return plane.endpointActivity('ep-root').lastActive!.getTime() < clock.now().getTime();
  }, 'the session has ended');
  clock.advance(58_000);
  expect(plane.endpointActivity('ep-root').state).toBe('ACTIVE');
  await letRootSleep();
  expect(plane.endpointActivity('ep-root').state).toBe('IDLE');
  expect(await query(root, 'SELECT id FROM t')).toEqual([{ id: 1 }]);
  expect(plane.endpointActivity('ep-root').state).toBe('ACTIVE');
});

test('an open session keeps an endpoint awake', async () => {
  await plane.setSuspend('ep-root', 60);
  const client = new pg.Client(root);
  await client.connect();
  clock.advance(3_600_000);
  expect((await client.query('SELECT 1 AS one')).rows).toEqual([{ one: 1 }]);
  expect(plane.endpointActivity('ep-root').state).toBe('ACTIVE');
  await client.end();
});

test('many logins at once wake a sleeper once', async () => {
  await letRootSleep();
  const answers = await Promise.all(Array.from({ length: 20 }, () => query(root, 'SELECT 1 AS one')));
  expect(answers).toHaveLength(20);
  expect(await runningBranches()).toBe(1);
});

test('a change of size ends the sessions, and the next login works', async () => {
  const client = new pg.Client(root);
  const ended = new Promise<unknown>((resolve) => client.on('error', resolve));
  await client.connect();
  const [before] = await postmastersIn(plane.stateDir);
  await plane.restartEndpoint('ep-root');
  expect(await ended).toMatchObject({ code: '57P01' });
  expect(await query(root, 'SELECT 1 AS one')).toEqual([{ one: 1 }]);
  expect((await postmastersIn(plane.stateDir))[0]?.pid).not.toBe(before?.pid);
});

test('an instance whose postmaster was killed comes back with everything that was committed', async () => {
  const session = new pg.Client(root);
  session.on('error', () => undefined);
  await session.connect();
  await session.query('CREATE TABLE t AS SELECT generate_series(1, 1000) AS id');
  const [postmaster] = await postmastersIn(plane.stateDir);
  process.kill(postmaster!.pid, 'SIGKILL');
  await eventually(async () => (await query(root, 'SELECT 1').catch(() => [])).length === 1, 'the instance is back');
  expect(await query(root, 'SELECT count(*)::int FROM t')).toEqual([{ count: 1000 }]);
  await eventually(() => plane.logged.some((line) => line.includes('an instance has died')), 'the death is logged');
  await session.end().catch(() => undefined);
});

test('an instance that cannot start says so to the client in a word, and to the log in full', async () => {
  await plane.openEndpoint('ep-hollow', 'br-hollow').then(async (host) => {
    await expect(query(loginTo(plane, host), 'SELECT 1')).rejects.toMatchObject({ code: '57P03' });
  });
  expect(plane.logged.join('\n')).toContain('ep-hollow');
});

test('no process of PostgreSQL runs as root', async () => {
  await fork('a');
  const processes = await instancesIn(plane.stateDir);
  expect(processes.length).toBeGreaterThan(2);
  expect(processes.filter(({ uid }) => uid === 0)).toEqual([]);
});

test('closing an endpoint ends its sessions and its compute; its address leads nowhere, also for a later endpoint', async () => {
  const branch = await fork('a');
  const client = new pg.Client(branch);
  const ended = new Promise<unknown>((resolve) => client.on('error', resolve));
  await client.connect();
  await plane.closeEndpoint('ep-a');
  await plane.closeEndpoint('ep-a');
  await ended;
  expect(await runningBranches()).toBe(1);
  const later = await plane.openEndpoint('ep-b', 'br-a');
  expect(later).not.toBe(branch.host);
  await expect(query(branch, 'SELECT 1')).rejects.toMatchObject({ code: 'ECONNREFUSED' });
  expect(await plane.openEndpoint('ep-a', 'br-a')).toBe(branch.host);
});

test('a destroyed branch leaves no process and no file, and the source is as it was', async () => {
  await query(root, 'CREATE TABLE t AS SELECT 1 AS id');
  const branch = await fork('a');
  await plane.destroy('br-a');
  await plane.destroy('br-a');
  await expect(query(branch, 'SELECT 1')).rejects.toMatchObject({ code: 'ECONNREFUSED' });
  await expect(access(`${plane.stateDir}/branches/br-a`)).rejects.toMatchObject({ code: 'ENOENT' });
  expect(await runningBranches()).toBe(1);
  expect(await query(root, 'SELECT id FROM t')).toEqual([{ id: 1 }]);
});

test('the size of a branch grows with its rows', async () => {
  const before = (await plane.sizeOf('br-root')) ?? 0;
  await query(root, `CREATE TABLE t AS SELECT repeat(md5(i::text), 30) AS x FROM generate_series(1, 10000) i`);
  expect(((await plane.sizeOf('br-root')) ?? 0) - before).toBeGreaterThan(1_000_000);
  expect(await plane.sizeOf('br-unknown')).toBeUndefined();
});

test('the path of a branch cannot lead out of the state folder', async () => {
  await expect(plane.createRoot('../elsewhere')).rejects.toThrow('a branch uid consists of');
});
