import { expect, test } from 'vitest';
import type { Judged, Verdict } from './judge.ts';
import { tableOf, troubleOf, troubleText } from './result.ts';

const judged = (id: string, verdict: Verdict, file = 'a.ts'): Judged => ({
  file,
  id,
  verdict,
  line: 7,
  code: '',
  tests: [],
});
const accepted = (id: string, file = 'a.ts') => ({ file, id, why: 'it is the same' });

test('the score is the share of what was noticed', () => {
  const all = [judged('1', 'killed'), judged('2', 'timeout'), judged('3', 'survived'), judged('4', 'killed', 'b.ts')];
  expect(tableOf(all)).toBe(
    [
      'file  mutants  killed  timeout  survived    score',
      'a.ts        3       1        1         1   66.7 %',
      'b.ts        1       1        0         0  100.0 %',
      'all         4       2        1         1   75.0 %',
    ].join('\n'),
  );
});

test('a survivor is named with its place, unless it is accepted', () => {
  const run = [judged('x', 'survived'), judged('y', 'survived')];
  const trouble = troubleOf(run, run, [accepted('y')]);
  expect(troubleText(trouble, 'list')).toMatch(/^1 changes that no test notices.*list.*\n {2}a\.ts:7 {2}x$/);
});

test.each([
  ['that was killed', [judged('x', 'killed')], [accepted('x')], 1],
  ['that does not exist', [judged('x', 'killed')], [accepted('y')], 1],
  ['that survived', [judged('x', 'survived')], [accepted('x')], 0],
  ['of a file that was not chosen', [judged('x', 'killed')], [accepted('x', 'b.ts')], 0],
])('an accepted mutant %s', (_sentence, run, list, stale) => {
  expect(troubleOf(run, run, list).stale).toHaveLength(stale);
});

test('an accepted mutant of another shard is not stale', () => {
  expect(
    troubleOf([judged('x', 'killed'), judged('y', 'killed')], [judged('x', 'killed')], [accepted('y')]).stale,
  ).toEqual([]);
});

test('without trouble there is nothing to say', () => {
  expect(troubleText({ survivors: [], stale: [] }, 'list')).toBe('');
});
