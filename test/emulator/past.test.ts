// A branch from the past holds exactly what was committed at or before its moment, whatever has become of the source.
import { access, readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import pg from 'pg';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import type { PastTarget, Point } from '../../src/emulator/data-plane.ts';
import { formatLsn, readLsn } from '../../src/emulator/lsn.ts';
import { ManualClock } from '../../src/kit/clock.ts';
import { eventually, loginTo, makeRoot, postmastersIn, query, removePlane, startPlane } from './plane.ts';
import type { Plane } from './plane.ts';
import { complaintAbout, startSerialWriter } from './serial-writer.ts';

const clock = new ManualClock(new Date('2026-01-01T00:00:00Z'));
const made: string[] = [];
let plane: Plane;
let root: pg.ClientConfig;

beforeAll(async () => {
  plane = await startPlane({ clock });
  root = loginTo(plane, await makeRoot(plane));
});
afterEach(async () => {
  for (const uid of made.splice(0).reverse()) await plane.destroy(uid);
  await plane.setSuspend('ep-root', undefined);
  await query(root, 'DROP TABLE IF EXISTS t');
});
afterAll(() => removePlane(plane));

async function open(name: string): Promise<pg.ClientConfig> {
  made.push(`br-${name}`);
  return loginTo(plane, await plane.openEndpoint(`ep-${name}`, `br-${name}`));
}

async function fork(name: string, source = 'br-root'): Promise<pg.ClientConfig> {
  await plane.fork(`br-${name}`, source);
  return open(name);
}

async function restore(name: string, { lsn }: Point, source = 'br-root'): Promise<pg.ClientConfig> {
  await plane.restore(`br-${name}`, source, lsn);
  return open(name);
}

async function pointOf(target: PastTarget, source = 'br-root'): Promise<Point> {
  const point = await plane.pointAt(source, target);
  if (typeof point === 'string') throw new Error(`${JSON.stringify(target)} of ${source}: ${point}`);
  return point;
}

/** A point that shows everything acknowledged before the call and nothing that is sent after it. */
async function markedPoint(source = 'br-root'): Promise<Point> {
  await pause(2);
  // Noted at once, because somebody asks.
  await plane.pointAt(source, { time: Date.now() });
  const time = Date.now();
  await pause(2);
  return pointOf({ time }, source);
}

const idsOf = async (config: pg.ClientConfig): Promise<number[]> =>
  (await query<{ id: number }>(config, 'SELECT id FROM t ORDER BY id')).map(({ id }) => id);

const add = (config: pg.ClientConfig, id: number): Promise<unknown> => query(config, `INSERT INTO t VALUES (${id})`);

test('row by row at six moments and three positions, while a writer is at work', async () => {
  const writer = await startSerialWriter(root, Math.random);
  await pause(7_000);
  const [first, last] = [writer.rows[0]!, writer.rows.at(-1)!];
  const between = (from: number, to: number): number => Math.floor(from + Math.random() * (to - from));
  const times = Array.from({ length: 6 }, () => ({ time: between(first.acknowledged + 1000, last.sent) }));
  const lsns = Array.from({ length: 3 }, () => ({
    lsn: formatLsn(BigInt(between(Number(first.after), Number(last.before)))),
  }));
  const complaints: string[] = [];
  for (const [index, target] of [...times, ...lsns].entries()) {
    const point = await pointOf(target);
    const ids = await idsOf(await restore(`p${index}`, point));
    const reached = 'time' in target ? { time: point.time } : { lsn: readLsn(point.lsn) };
    const complaint = complaintAbout(ids, writer.rows, reached);
    const isLate = 'time' in target ? point.time > target.time : point.lsn !== target.lsn;
    if (complaint !== undefined || isLate) complaints.push(JSON.stringify({ target, point, complaint }));
    await plane.destroy(`br-p${index}`);
  }
  await writer.stop();
  expect(complaints).toEqual([]);
  expect(writer.rows.length).toBeGreaterThan(100);
});

test('an instance that runs notes its moments though nobody asks and nothing is written', async () => {
  const log = join(plane.stateDir, 'branches', 'br-root', 'times');
  const { size } = await stat(log);
  await eventually(async () => (await stat(log)).size >= size + 3 * 33, 'three more moments are noted');
});

test('a commit that begins at the position is not in the branch', async () => {
  await query(root, 'CREATE TABLE t AS SELECT 1 AS id');
  const client = new pg.Client(root);
  await client.connect();
  await client.query('BEGIN; INSERT INTO t VALUES (2)');
  const { rows } = await client.query<{ lsn: string }>('SELECT pg_current_wal_insert_lsn() AS lsn');
  await client.query('COMMIT');
  await client.end();
  expect(await idsOf(await restore('a', await pointOf({ lsn: rows[0]!.lsn })))).toEqual([1]);
});

test('of a quiet source, where no commit follows the moment', async () => {
  await query(root, 'CREATE TABLE t AS SELECT 1 AS id');
  const point = await markedPoint();
  expect(await idsOf(await restore('a', point))).toEqual([1]);
  const head = await query<{ lsn: string }>(root, 'SELECT pg_current_wal_insert_lsn() AS lsn');
  expect(await idsOf(await restore('b', await pointOf({ lsn: head[0]!.lsn })))).toEqual([1]);
});

test('of a sleeping source, which sleeps on: moments before its sleep, and in it', async () => {
  await query(root, 'CREATE TABLE t AS SELECT 1 AS id');
  const before = await markedPoint();
  await add(root, 2);
  await plane.setSuspend('ep-root', 60);
  await eventually(async () => {
    clock.advance(60_000);
    return (await postmastersIn(plane.stateDir)).length === 0;
  }, 'the instance sleeps');
  await pause(2_200);
  const asked = Date.now() - 100;
  const asleep = await pointOf({ time: asked });
  expect(asked - asleep.time).toBeGreaterThanOrEqual(0);
  expect(asked - asleep.time).toBeLessThan(1_000);
  expect(await idsOf(await restore('a', before))).toEqual([1]);
  expect(await idsOf(await restore('b', asleep))).toEqual([1, 2]);
  expect(await postmastersIn(plane.stateDir)).toHaveLength(2);
  await add(root, 3);
  expect(await idsOf(await restore('c', await pointOf({ time: asked })))).toEqual([1, 2]);
});

function isThere(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

test('of a source whose postmaster was killed', async () => {
  await query(root, 'CREATE TABLE t AS SELECT 1 AS id');
  const point = await markedPoint();
  await add(root, 2);
  const killed = await postmastersIn(plane.stateDir);
  for (const { pid } of killed) process.kill(pid, 'SIGKILL');
  // A restore that begins while it dies may still reach it, and fails then as any other request would.
  await eventually(() => killed.every(({ pid }) => !isThere(pid)), 'the postmaster is gone');
  expect(await idsOf(await restore('a', point))).toEqual([1]);
  expect(await idsOf(root)).toEqual([1, 2]);
});

test('a moment whose WAL the instance had not yet written when it was noted stays what it was after a kill', async () => {
  await query(root, 'CREATE TABLE t AS SELECT 1 AS id');
  const client = new pg.Client(root);
  client.on('error', () => undefined);
  await client.connect();
  await client.query('BEGIN; INSERT INTO t SELECT 100 FROM generate_series(1, 2000)');
  await plane.pointAt('br-root', { time: Date.now() });
  for (const { pid } of await postmastersIn(plane.stateDir)) process.kill(pid, 'SIGKILL');
  const time = Date.now();
  await eventually(async () => (await add(root, 2).catch(() => 'refused')) !== 'refused', 'the instance is back');
  await add(root, 3);
  expect(await idsOf(await restore('a', await pointOf({ time })))).toEqual([1]);
  expect(await idsOf(root)).toEqual([1, 2, 3]);
});

test('children of children: each has its own past and that of nobody else', async () => {
  await query(root, 'CREATE TABLE t AS SELECT 1 AS id');
  const inRoot = await markedPoint();
  await add(root, 2);
  // Both continue the timeline of the root, each in its own way; so does what is forked of them.
  const [a, b] = [await restore('a', inRoot), await restore('b', inRoot)];
  await add(a, 11);
  await add(b, 21);
  const [inA, inB] = [await markedPoint('br-a'), await markedPoint('br-b')];
  await add(a, 12);
  await add(b, 22);
  const c = await restore('c', inA, 'br-a');
  expect(await idsOf(c)).toEqual([1, 11]);
  expect(await idsOf(await restore('d', inB, 'br-b'))).toEqual([1, 21]);
  const e = await fork('e', 'br-b');
  await add(e, 31);
  const inE = await markedPoint('br-e');
  await add(e, 32);
  await add(c, 41);
  const inC = await markedPoint('br-c');
  await add(c, 42);
  expect(await idsOf(await restore('f', inE, 'br-e'))).toEqual([1, 21, 22, 31]);
  expect(await idsOf(await restore('g', inC, 'br-c'))).toEqual([1, 11, 41]);
  expect(await idsOf(await restore('i', await pointOf({ lsn: inRoot.lsn }, 'br-a'), 'br-a'))).toEqual([1]);
  expect(await idsOf(await restore('h', await pointOf({ time: inA.time }, 'br-a'), 'br-a'))).toEqual([1, 11]);
});

test('forks of a running and of a sleeping source have a past of their own, which begins with them', async () => {
  await query(root, 'CREATE TABLE t AS SELECT 1 AS id');
  const before = Date.now();
  const a = await fork('a');
  await add(root, 2);
  await add(a, 11);
  const inA = await markedPoint('br-a');
  await add(a, 12);
  await plane.closeEndpoint('ep-a');
  const b = await fork('b', 'br-a');
  await add(b, 21);
  const inB = await markedPoint('br-b');
  await add(b, 22);
  expect(await idsOf(await restore('c', inA, 'br-a'))).toEqual([1, 11]);
  expect(await idsOf(await restore('d', inB, 'br-b'))).toEqual([1, 11, 12, 21]);
  expect(await plane.pointAt('br-a', { time: before })).toBe('beforeHistory');
});

test('a position before the branch, and one that its WAL has not reached', async () => {
  await query(root, 'CREATE TABLE t AS SELECT 1 AS id');
  const { lsn } = await markedPoint();
  await add(root, 2);
  await fork('a');
  expect(await plane.pointAt('br-a', { lsn })).toBe('beforeHistory');
  expect(await plane.pointAt('br-a', { lsn: 'FFFF/0' })).toBe('beyondHead');
});

test('a branch that is gone leaves what its descendants need, until they are gone too', async () => {
  await query(root, 'CREATE TABLE t AS SELECT 1 AS id');
  const a = await fork('a');
  await add(a, 11);
  const b = await fork('b', 'br-a');
  await add(b, 21);
  const inB = await markedPoint('br-b');
  await add(b, 22);
  await plane.destroy('br-a');
  await plane.destroy('br-a');
  const folder = join(plane.stateDir, 'branches');
  expect((await readdir(join(folder, 'br-a'))).sort()).toEqual(['base', 'ended', 'origin.json', 'wal']);
  expect(await idsOf(await restore('c', inB, 'br-b'))).toEqual([1, 11, 21]);
  await plane.destroy('br-b');
  await access(join(folder, 'br-a'));
  await plane.destroy('br-c');
  expect(await readdir(folder)).toEqual(['br-root']);
});

test('nothing of the way to a restored branch is left in its folder', async () => {
  await query(root, 'CREATE TABLE t AS SELECT 1 AS id');
  const a = await restore('a', await markedPoint());
  expect(await idsOf(a)).toEqual([1]);
  const names = await readdir(join(plane.stateDir, 'branches', 'br-a'));
  expect(names.sort()).toEqual(['base', 'data', 'origin.json', 'postgres.log', 'times', 'wal']);
});
