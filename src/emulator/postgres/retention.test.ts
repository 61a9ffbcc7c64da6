// Segments here have the usual size, so that positions are told in segments.
import { expect, test } from 'vitest';
import type { Base } from './bases.ts';
import { disposalOf } from './retention.ts';
import { startOfSegment } from './segments.ts';

const at = (segment: number): bigint => startOfSegment(BigInt(segment)) + 100n;
const base = (segment: number): Base => ({ folder: `base-${segment}`, start: at(segment), end: at(segment) + 50n });
const bases = [base(10), base(20), base(30)];
const segments = Array.from({ length: 31 }, (_, index) => ({ name: String(10 + index), number: BigInt(10 + index) }));

interface Left {
  readonly segments: string;
  /** The parent is not needed any more. */
  readonly standsAlone: boolean;
}

/** [sentence, window start, forks, bases that go, what is left] */
test.each<[string, number | undefined, number[], string[], Left]>([
  ['the window reaches back to the beginning', undefined, [], [], { segments: '10-40', standsAlone: false }],
  ['the window begins before the second base', 19, [], [], { segments: '10-40', standsAlone: true }],
  ['the window begins after the second base', 21, [], ['base-10'], { segments: '20-40', standsAlone: true }],
  ['the window begins within a base copy', 30, [], ['base-10'], { segments: '20-40', standsAlone: true }],
  ['the window begins after the last base', 35, [], ['base-10', 'base-20'], { segments: '30-40', standsAlone: true }],
  ['no base is old enough', 9, [], [], { segments: '10-40', standsAlone: false }],
  ['a child parted long ago', 35, [13], ['base-20'], { segments: '10-13,30-40', standsAlone: true }],
  ['a child parted within the window', 35, [37], ['base-10', 'base-20'], { segments: '30-40', standsAlone: true }],
  ['two children parted long ago', 35, [13, 26], [], { segments: '10-13,20-26,30-40', standsAlone: true }],
  [
    'a child parted before all bases: it needs the parent as well',
    35,
    [5],
    ['base-10', 'base-20'],
    { segments: '30-40', standsAlone: false },
  ],
])('%s', (_, window, forks, gone, left) => {
  const windowStart = window === undefined ? undefined : at(window) + 40n;
  const disposal = disposalOf({ bases, segments }, { windowStart, forks: forks.map(at) });
  expect(disposal.bases.map(({ folder }) => folder)).toEqual(gone);
  const stay = segments.filter(({ name }) => !disposal.segments.includes(name)).map(({ number }) => Number(number));
  expect({ segments: ranges(stay), standsAlone: disposal.standsAlone }).toEqual(left);
});

/** `[1, 2, 3, 7]` as `1-3,7-7`. */
function ranges(numbers: readonly number[]): string {
  const starts = numbers.filter((number) => !numbers.includes(number - 1));
  const ends = numbers.filter((number) => !numbers.includes(number + 1));
  return starts.map((start, index) => `${start}-${ends[index]}`).join(',');
}
