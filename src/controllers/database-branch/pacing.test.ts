import { expect, test } from 'vitest';
import { nextLookMs, Pace } from './pacing.ts';

test.each<[string, number, number | undefined, number]>([
  ['without history the first look is after 100 ms', 0, undefined, 100],
  ['then it waits a quarter of what it has waited', 2000, undefined, 500],
  ['but never more than a second', 8000, undefined, 1000],
  ['with history it looks at the usual time', 200, 900, 700],
  ['also when that is near, but not within 50 ms', 880, 900, 50],
  ['at the usual time it goes on in steps', 900, 900, 50],
  ['also when that is long', 4000, 4000, 200],
  ['of a twentieth of what it has waited', 4000, 900, 200],
  ['and never waits more than a second', 0, 60_000, 1000],
])('%s', (_sentence, waitedMs, usualMs, expected) => expect(nextLookMs(waitedMs, usualMs)).toBe(expected));

test('the usual time is the middle one of the last 15, for each kind of its own', () => {
  const pace = new Pace();
  expect(pace.usualMs('a')).toBeUndefined();
  for (const ms of [900, 100, 1000]) pace.note('a', ms);
  pace.note('b', 7);
  expect(pace.usualMs('a')).toBe(900);
  pace.note('a', 200);
  expect(pace.usualMs('a')).toBe(900);
  for (let n = 0; n < 7; n++) pace.note('a', 50);
  // Eleven by now, seven of them 50.
  expect(pace.usualMs('a')).toBe(50);
  expect(pace.usualMs('b')).toBe(7);
});

test('what is older than the last 15 is forgotten', () => {
  const pace = new Pace();
  for (let n = 0; n < 30; n++) pace.note('a', 10);
  for (let n = 0; n < 7; n++) pace.note('a', 20);
  expect(pace.usualMs('a')).toBe(10);
  pace.note('a', 20);
  expect(pace.usualMs('a')).toBe(20);
});
