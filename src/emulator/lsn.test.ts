import { expect, test } from 'vitest';
import { formatLsn, parseLsn } from './lsn.ts';

test.each([
  ['0/0', 0n],
  ['0/1A2B3C', 0x1a2b3cn],
  ['16/B374D848', 0x16_b374_d848n],
  ['FFFFFFFF/FFFFFFFF', 0xffff_ffff_ffff_ffffn],
])('%s is a position and is written so again', (text, lsn) => {
  expect(parseLsn(text)).toBe(lsn);
  expect(formatLsn(lsn)).toBe(text);
});

test('small letters are read as well', () => expect(parseLsn('a/b')).toBe(0xa_0000_000bn));

test.each(['', '0', '0/', '/0', '0/1G', '0x0/1', '0/123456789', '0/1A2B3C ', '-1/0', '0/1/2'])(
  '%j is no position',
  (text) => {
    expect(parseLsn(text)).toBeUndefined();
  },
);
