import { expect, test } from 'vitest';
import type { Base } from './bases.ts';
import { planReplay, type Stretch } from './replay.ts';
import { segmentNamed, startOfSegment } from './segments.ts';

const at = (segment: number): bigint => startOfSegment(BigInt(segment)) + 100n;
const base = (of: string, segment: number): Base => ({
  folder: `${of}/base-${segment}`,
  start: at(segment),
  end: at(segment) + 50n,
});
const nameOf = (segment: number, timeline = 1): string =>
  `0000000${timeline}00000000${segment.toString(16).toUpperCase().padStart(8, '0')}`;
const files = (place: string, from: number, to: number, timeline?: number): Stretch['files'] =>
  Array.from({ length: to - from + 1 }, (_, index) => nameOf(from + index, timeline)).map((name) => ({
    name,
    path: `${place}/${name}`,
  }));

test('the newest base that is whole before the target is taken, with all WAL from there on', () => {
  const bases = [base('a', 10), base('a', 20), base('a', 30)];
  const plan = planReplay([{ upTo: at(25), bases, files: files('a/wal', 10, 40) }]);
  expect(plan.base.folder).toBe('a/base-20');
  expect([...plan.files.keys()].map(segmentNamed).map(Number)).toEqual(Array.from({ length: 21 }, (_, n) => 20 + n));
});

test('a base copy that is not whole at the target is too young', () => {
  const bases = [base('a', 10), base('a', 20)];
  expect(planReplay([{ upTo: at(20) + 49n, bases, files: [] }]).base.folder).toBe('a/base-10');
  expect(planReplay([{ upTo: at(20) + 50n, bases, files: [] }]).base.folder).toBe('a/base-20');
});

test('a child without a base goes back to its parent, whose later WAL is not its past', () => {
  const child = { upTo: at(28), bases: [], files: files('child/wal', 25, 30) };
  const parent = { upTo: at(25), bases: [base('parent', 20)], files: files('parent/wal', 15, 40) };
  const plan = planReplay([child, parent]);
  expect(plan.base.folder).toBe('parent/base-20');
  expect([...plan.files].map(([name, paths]) => `${Number(segmentNamed(name))} ${paths.join()}`)).toEqual([
    ...[25, 26, 27, 28, 29, 30].map((segment) => `${segment} child/wal/${nameOf(segment)}`),
    ...[20, 21, 22, 23, 24].map((segment) => `${segment} parent/wal/${nameOf(segment)}`),
  ]);
});

test('a segment that is in two places of one branch may come from either; timelines bring their histories', () => {
  const [file] = files('a/data/pg_wal', 20, 20, 2);
  const [archived] = files('a/wal', 20, 20, 2);
  const history = { name: '00000002.history', path: 'a/wal/00000002.history' };
  const other = { name: 'archive_status', path: 'a/data/pg_wal/archive_status' };
  const plan = planReplay([{ upTo: at(20), bases: [base('a', 19)], files: [file!, archived!, history, other] }]);
  expect(Object.fromEntries(plan.files)).toEqual({
    [nameOf(20, 2)]: [file!.path, archived!.path],
    '00000002.history': [history.path],
  });
});

test('without a base there is no way', () => {
  expect(() => planReplay([{ upTo: 0x1_0000_0010n, bases: [base('a', 5000)], files: [] }])).toThrow(
    'no base copy is old enough to restore 1/10 from',
  );
});
