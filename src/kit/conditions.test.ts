import { expect, test } from 'vitest';
import { findCondition, removeCondition, setCondition, type ConditionChange } from './conditions.ts';
import type { Condition } from './kube.ts';

const before = new Date('2026-01-01T00:00:00Z');
const later = new Date('2026-01-02T03:04:05.678Z');

const change = (over: Partial<ConditionChange> = {}): ConditionChange => ({
  type: 'Ready',
  status: 'True',
  reason: 'AsAsked',
  message: 'all is well',
  ...over,
});
const present: readonly Condition[] = setCondition([], change(), 1, before);

test.each<[string, Partial<ConditionChange>, string]>([
  [
    'another reason and message leave the time alone',
    { reason: 'Other', message: 'still well' },
    '2026-01-01T00:00:00Z',
  ],
  ['the same again leaves the time alone', {}, '2026-01-01T00:00:00Z'],
  ['another status moves the time, in whole seconds', { status: 'False' }, '2026-01-02T03:04:05Z'],
  ['Unknown is a status of its own', { status: 'Unknown' }, '2026-01-02T03:04:05Z'],
])('%s', (_, over, lastTransitionTime) => {
  expect(setCondition(present, change(over), 2, later)).toEqual([
    { ...change(over), lastTransitionTime, observedGeneration: 2 },
  ]);
});

test('the list stays sorted by type, with one condition of each, and the old list is left as it was', () => {
  const three = ['Stalled', 'Expiring', 'Ready'].reduce(
    (list, type) => setCondition(list, change({ type }), 3, later),
    present as Condition[],
  );
  expect(three.map(({ type, lastTransitionTime }) => [type, lastTransitionTime])).toEqual([
    ['Expiring', '2026-01-02T03:04:05Z'],
    ['Ready', '2026-01-01T00:00:00Z'],
    ['Stalled', '2026-01-02T03:04:05Z'],
  ]);
  expect(present).toHaveLength(1);
});

test('a condition is found and removed by its type', () => {
  expect(findCondition(present, 'Ready')?.status).toBe('True');
  expect(findCondition(present, 'Stalled')).toBeUndefined();
  expect(removeCondition(present, 'Stalled')).toEqual(present);
  expect(removeCondition(present, 'Ready')).toEqual([]);
});
