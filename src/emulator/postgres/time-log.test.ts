import { appendFile, mkdtemp, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { TimeLog } from './time-log.ts';

const start = 1_790_000_000_000;
let folder: string;
let path: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'lakebranch-test-'));
  path = join(folder, 'times');
});
afterEach(() => rm(folder, { recursive: true }));

/** A moment each second: at `start + n` seconds the position is `100 * n`. */
function aLog(moments: number): TimeLog {
  const log = new TimeLog(path);
  for (let second = 0; second < moments; second++) log.add({ time: start + second * 1000, lsn: BigInt(second * 100) });
  return log;
}

test.each([
  ['before the first moment', -1, undefined],
  ['exactly at the first', 0, { time: start, lsn: 0n }],
  ['between two', 2999, { time: start + 2000, lsn: 200n }],
  ['exactly at one', 3000, { time: start + 3000, lsn: 300n }],
  ['after the last', 99_000, { time: start + 9000, lsn: 900n }],
])('a time %s', (_, offset, moment) => {
  const found = aLog(10).at(start + offset);
  expect(found && { time: found.time, lsn: found.lsn }).toEqual(moment);
});

test.each([
  ['before all', -1n, undefined],
  ['between two', 299n, 2000],
  ['exactly at one', 300n, 3000],
  ['after all', 5000n, 9000],
])('a position %s', (_, lsn, offset) => {
  expect(aLog(10).atLsn(lsn)?.time).toBe(offset === undefined ? undefined : start + offset);
});

test('a position that did not change was there until the last moment that had it', () => {
  const log = aLog(2);
  log.add({ time: start + 5000, lsn: 100n });
  expect(log.atLsn(100n)?.time).toBe(start + 5000);
});

test('in sleep every second is a moment, up to the one in which it wakes', () => {
  const log = aLog(2);
  log.sleep({ time: start + 1500, lsn: 150n });
  expect(log.at(start + 100_400)).toEqual({ time: start + 99_500 + 0, lsn: 150n });
  log.wake(start + 200_000);
  log.add({ time: start + 200_700, lsn: 170n });
  expect(log.at(start + 100_400)).toEqual({ time: start + 99_500, lsn: 150n });
  expect(log.at(start + 200_699)).toMatchObject({ time: start + 200_000, lsn: 150n });
  expect(log.at(start + 200_700)).toMatchObject({ lsn: 170n });
});

test('falling asleep twice, or waking without having slept, changes nothing', () => {
  const log = aLog(1);
  log.wake(start + 10);
  log.sleep({ time: start + 20, lsn: 5n });
  log.sleep({ time: start + 30, lsn: 5n });
  expect(log.last).toMatchObject({ time: start + 20, lsn: 5n });
});

test('a clock that goes back adds nothing, so that the log stays in order', () => {
  const log = aLog(3);
  log.add({ time: start + 500, lsn: 900n });
  log.add({ time: start + 3000, lsn: 150n });
  expect(log.last).toMatchObject({ time: start + 2000, lsn: 200n });
});

test('another process goes on where this one ended, also after a line that was cut short', async () => {
  aLog(3).sleep({ time: start + 2500, lsn: 250n });
  await appendFile(path, '17900000');
  const log = new TimeLog(path);
  expect(log.asleep).toBe(true);
  log.wake(start + 4000);
  log.add({ time: start + 5000, lsn: 300n });
  expect(log.at(start + 3600)).toEqual({ time: start + 3500, lsn: 250n });
  expect(log.at(start + 5000)).toMatchObject({ lsn: 300n });
  expect((await readFile(path, 'utf8')).split('\n').filter((line) => line.length !== 32)).toEqual(['']);
});

test('what is older than the window is forgotten, but for the moment that holds at its beginning', async () => {
  const log = aLog(1000);
  const { size } = await stat(path);
  log.forgetBefore(start + 900_500);
  expect(log.at(start + 899_999)).toBeUndefined();
  expect(log.at(start + 900_500)).toMatchObject({ time: start + 900_000 });
  log.add({ time: start + 1_000_000, lsn: 100_000n });
  expect(log.last).toMatchObject({ lsn: 100_000n });
  expect(log.at(start + 999_500)).toMatchObject({ lsn: 99_900n });
  expect((await stat(path)).size).toBeLessThan(size / 5);
});
