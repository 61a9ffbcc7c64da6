import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ClockOffset } from './clock-offset.ts';

const start = Date.parse('2026-03-01T12:00:00.000Z');

/** What a server whose clock is `offsetMs` ahead writes at `atMs` of our clock. */
const dateHeader = (atMs: number, offsetMs: number): string => new Date(atMs + offsetMs).toUTCString();

test('nothing is known before the first date', () => {
  const offset = new ClockOffset();
  offset.observe(undefined, { sentMs: start, receivedMs: start });
  offset.observe('yesterday', { sentMs: start, receivedMs: start });
  expect(offset.ms).toBeUndefined();
  expect(offset.toOurs(new Date(start))).toEqual(new Date(start));
});

test.each([0, 1, 500, 999])('clocks that agree are not corrected, %i ms into a second', (ms) => {
  const offset = new ClockOffset();
  offset.observe(dateHeader(start + ms, 0), { sentMs: start + ms, receivedMs: start + ms });
  expect(offset.ms).toBe(0);
});

test.each([
  ['ahead', 90_000],
  ['behind', -90_000],
])('a clock that is %s is known to the second after one answer', (_, trueMs) => {
  const offset = new ClockOffset();
  offset.observe(dateHeader(start + 300, trueMs), { sentMs: start + 300, receivedMs: start + 300 });
  expect(Math.abs((offset.ms ?? 0) - trueMs)).toBeLessThanOrEqual(1000);
});

test('instants are shifted there and back', () => {
  const offset = new ClockOffset();
  offset.observe(dateHeader(start, 90_000), { sentMs: start, receivedMs: start });
  const ours = new Date(start);
  expect(offset.toTheirs(ours).getTime() - start).toBe(offset.ms);
  expect(offset.toOurs(offset.toTheirs(ours))).toEqual(ours);
});

test('a slow answer tells little, and changes nothing that it does not refute', () => {
  const offset = new ClockOffset();
  offset.observe(dateHeader(start, 90_000), { sentMs: start, receivedMs: start });
  const before = offset.ms;
  offset.observe(dateHeader(start + 20_000, 90_000), { sentMs: start, receivedMs: start + 25_000 });
  expect(offset.ms).toBe(before);
});

describe('over many answers', () => {
  const roundTrips = fc.array(
    fc.record({
      pauseMs: fc.integer({ min: 0, max: 60_000 }),
      thereMs: fc.integer({ min: 0, max: 3000 }),
      backMs: fc.integer({ min: 0, max: 3000 }),
    }),
    { minLength: 1, maxLength: 40 },
  );
  const offsets = fc.integer({ min: -600_000, max: 600_000 });

  test('the error only shrinks, and never exceeds what the best answer leaves open', () => {
    fc.assert(
      fc.property(offsets, roundTrips, (trueMs, trips) => {
        const offset = new ClockOffset();
        let [nowMs, lastError, bestMs] = [start, Infinity, Infinity];
        for (const { pauseMs, thereMs, backMs } of trips) {
          const sentMs = nowMs + pauseMs;
          const receivedMs = sentMs + thereMs + backMs;
          offset.observe(dateHeader(sentMs + thereMs, trueMs), { sentMs, receivedMs });
          nowMs = receivedMs;
          bestMs = Math.min(bestMs, 1000 + thereMs + backMs);
          const error = Math.abs((offset.ms ?? 0) - trueMs);
          expect(error).toBeLessThanOrEqual(Math.min(lastError, bestMs));
          lastError = error;
        }
      }),
    );
  });
});
