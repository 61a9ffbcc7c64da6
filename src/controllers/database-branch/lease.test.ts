import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { leaseDue, nextLeaseInstant } from './lease.ts';

const hourMs = 3_600_000;
const now = new Date('2026-11-25T10:00:00Z');
const later = (ms: number): Date => new Date(now.getTime() + ms);

test('the next instant is after the last, at most 12 hours away, and the same for everybody', () => {
  fc.assert(
    fc.property(fc.uuid(), fc.integer({ min: 0, max: 100 * hourMs }), (uid, ms) => {
      const next = nextLeaseInstant(uid, later(ms));
      expect(next.getTime()).toBeGreaterThan(later(ms).getTime());
      expect(next.getTime() - later(ms).getTime()).toBeLessThanOrEqual(12 * hourMs);
      expect(nextLeaseInstant(uid, new Date(next.getTime() - 1))).toEqual(next);
      expect(nextLeaseInstant(uid, next).getTime() - next.getTime()).toBe(12 * hourMs);
    }),
  );
});

test.each<[string, Date | undefined, Date, boolean]>([
  ['a lease that was never seen is set now', undefined, later(96 * hourMs), true],
  ['a lease beyond its target is pulled back now', later(97 * hourMs), later(96 * hourMs), true],
  ['a lease that was extended a day ago is due', later(72 * hourMs), later(96 * hourMs), true],
  ['a lease that was just extended is not', later(96 * hourMs), later(96 * hourMs), false],
  ['a lease at its final value is never due', later(5 * hourMs), later(5 * hourMs), false],
  ['an extended life is followed', later(5 * hourMs), later(90 * hourMs), true],
])('%s', (_sentence, current, target, expected) => {
  const due = leaseDue('uid', current, { at: target }, 96 * hourMs, now);
  expect(due !== undefined && due <= now).toBe(expected);
});
