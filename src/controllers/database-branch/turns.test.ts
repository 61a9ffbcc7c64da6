import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { Turns, type Due } from './turns.ts';

const day = Date.parse('2026-11-25T10:00:00Z');
/** Due for the object `n`, whose token dies in the n-th minute. */
const dueOf = (n: number, change: Partial<Due> = {}): Due => ({
  uid: `uid-${n}`,
  key: `ns/db-${n}`,
  workspace: 'here',
  expireTime: new Date(day + n * 60_000),
  inMs: 0,
  ...change,
});
const range = (count: number): number[] => Array.from({ length: count }, (_, n) => n);

function given() {
  const woken: string[] = [];
  let nowMs = 0;
  const turns = new Turns({ nowMs: () => nowMs, wake: (key) => void woken.push(key) });
  return { turns, woken, later: (ms: number): void => void (nowMs += ms) };
}

test('whoever is alone goes at once', () => {
  const { turns, woken } = given();
  expect(turns.ask(dueOf(1))).toBe(true);
  expect(turns.ask(dueOf(1))).toBe(true);
  expect(woken).toEqual([]);
});

test('sixteen go at once, the seventeenth waits and is woken when one is done', () => {
  const { turns, woken } = given();
  for (const n of range(16)) expect(turns.ask(dueOf(n))).toBe(true);
  expect(turns.ask(dueOf(16))).toBe(false);
  expect(woken).toEqual([]);
  turns.passed('uid-3');
  expect(woken).toEqual(['ns/db-16']);
  expect(turns.ask(dueOf(16))).toBe(true);
});

test('of those who wait, the one that dies soonest is next, whenever it came', () => {
  const { turns, woken } = given();
  for (const n of range(16)) turns.ask(dueOf(n));
  for (const n of [30, 20, 25]) expect(turns.ask(dueOf(n))).toBe(false);
  for (const n of range(3)) turns.passed(`uid-${n}`);
  expect(woken).toEqual(['ns/db-20', 'ns/db-25', 'ns/db-30']);
});

test('who is expected to be due goes before those who ask first', () => {
  const { turns, woken } = given();
  turns.expect(
    range(40)
      .map((n) => dueOf(n))
      .toReversed(),
  );
  expect(woken).toEqual(range(16).map((n) => `ns/db-${n}`));
  expect(turns.ask(dueOf(39))).toBe(false);
  expect(turns.ask(dueOf(2))).toBe(true);
});

test('one that has failed stands aside until it may be tried again, and then keeps its place', () => {
  const { turns, woken, later } = given();
  for (const n of range(16)) turns.ask(dueOf(n + 10));
  expect(turns.ask(dueOf(0, { inMs: 5000 }))).toBe(false);
  expect(turns.ask(dueOf(1))).toBe(false);
  turns.passed('uid-10');
  expect(woken).toEqual(['ns/db-1']);
  later(5000);
  expect(turns.ask(dueOf(2))).toBe(false);
  turns.passed('uid-11');
  expect(woken).toEqual(['ns/db-1', 'ns/db-0']);
});

test('a failure without others is not a turn', () => {
  expect(given().turns.ask(dueOf(0, { inMs: 1 }))).toBe(false);
});

test('an object that is gone holds up nobody', () => {
  const { turns, woken } = given();
  for (const n of range(18)) turns.ask(dueOf(n));
  turns.forget('uid-16');
  turns.forget('uid-0');
  expect(woken).toEqual(['ns/db-17']);
});

test('another workspace has a line of its own', () => {
  const { turns } = given();
  for (const n of range(17)) turns.ask(dueOf(n));
  expect(turns.ask(dueOf(99, { workspace: 'elsewhere' }))).toBe(true);
});

test('everybody gets a turn, at most sixteen at a time, in whatever order they ask and end', () => {
  fc.assert(
    fc.property(fc.shuffledSubarray(range(50), { minLength: 1 }), fc.infiniteStream(fc.nat()), (asking, picks) => {
      const { turns, woken } = given();
      const going = asking.filter((n) => turns.ask(dueOf(n))).map((n) => `uid-${n}`);
      const done = new Set<string>();
      while (going.length > 0) {
        expect(going.length).toBeLessThanOrEqual(16);
        const [uid = ''] = going.splice((picks.next().value ?? 0) % going.length, 1);
        done.add(uid);
        turns.passed(uid);
        going.push(...woken.splice(0).map((key) => key.replace('ns/db', 'uid')));
      }
      expect(done.size).toBe(asking.length);
    }),
  );
});
