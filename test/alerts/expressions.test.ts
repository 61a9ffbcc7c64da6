import { expect, test } from 'vitest';
import { metricsIn, unknownIn } from './expressions.ts';

test.each([
  ['a metric that there is not', 'sum(lakebranch_branches_total)', ['lakebranch_branches_total']],
  [
    'a label that it does not have',
    'lakebranch_unleased_branches{branch="a"}',
    ['lakebranch_unleased_branches{branch}'],
  ],
  [
    'a value that the label never has',
    'lakebranch_databasebranches{state=~"ready|broken"}',
    ['lakebranch_databasebranches{broken}'],
  ],
  ['a group by what is not there', 'sum by (class, branch) (lakebranch_unleased_branches)', ['branch']],
  ['a misspelt bucket', 'rate(lakebranch_restore_time_seconds_bucket[5m])', ['lakebranch_restore_time_seconds']],
])('finds %s', (_what, expr, unknown) => {
  expect(unknownIn(expr)).toEqual(unknown);
});

test('has nothing against what there is', () => {
  const expr =
    'histogram_quantile(0.9, sum by (le, outcome) (rate(lakebranch_restore_duration_seconds_bucket{outcome="Restored"}[5m])))';
  expect(metricsIn(expr)).toEqual(['lakebranch_restore_duration_seconds']);
  expect(unknownIn(expr)).toEqual([]);
});
