import fc from 'fast-check';
import { expect, test } from 'vitest';
import { formatDuration, parseDuration } from './duration.ts';

test.each([
  ['72h', 259_200_000],
  ['1h30m', 5_400_000],
  ['90m', 5_400_000],
  ['1h2m3s', 3_723_000],
  ['0s', 0],
  ['007h', 25_200_000],
])('%s is %i ms', (text, ms) => expect(parseDuration(text)).toBe(ms));

test.each(['', '3d', '1.5h', '-1h', '1h ', ' 1h', '1m1h', '1h1h', 'h', '72', '1H', '１h', '1ms', '1w', 'NaNh', '1h\n'])(
  '%j is refused',
  (text) => expect(() => parseDuration(text)).toThrow(RangeError),
);

test('the refusal says what to write', () => expect(() => parseDuration('3d')).toThrow('write for example 72h'));

test.each([
  [259_200_000, '72h'],
  [5_400_000, '1h30m'],
  [3_723_999, '1h2m3s'],
  [999, '0s'],
  [-5, '0s'],
])('%i ms are written as %s', (ms, text) => expect(formatDuration(ms)).toBe(text));

test('what is written parses back', () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 10_000_000 }), (seconds) => {
      expect(parseDuration(formatDuration(seconds * 1000))).toBe(seconds * 1000);
    }),
  );
});
