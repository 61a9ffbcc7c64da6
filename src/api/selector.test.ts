import { expect, test } from 'vitest';
import { describeSelector, selectorMatches, type Labels, type LabelSelector } from './selector.ts';

test.each<[string, LabelSelector, Labels]>([
  ['an empty selector selects everything', {}, {}],
  ['equal labels', { matchLabels: { preview: 'true' } }, { preview: 'true', team: 'shop' }],
  ['an empty value is a value', { matchLabels: { preview: '' } }, { preview: '' }],
  [
    'In with one of its values',
    { matchExpressions: [{ key: 'team', operator: 'In', values: ['a', 'b'] }] },
    { team: 'b' },
  ],
  [
    'NotIn with another value',
    { matchExpressions: [{ key: 'team', operator: 'NotIn', values: ['a'] }] },
    { team: 'b' },
  ],
  ['NotIn without the label', { matchExpressions: [{ key: 'team', operator: 'NotIn', values: ['a'] }] }, {}],
  ['Exists with any value', { matchExpressions: [{ key: 'team', operator: 'Exists' }] }, { team: '' }],
  ['DoesNotExist without the label', { matchExpressions: [{ key: 'team', operator: 'DoesNotExist' }] }, {}],
])('matches: %s', (_what, selector, labels) => expect(selectorMatches(selector, labels)).toBe(true));

test.each<[string, LabelSelector, Labels]>([
  ['a missing label', { matchLabels: { preview: 'true' } }, {}],
  ['another value', { matchLabels: { preview: 'true' } }, { preview: 'false' }],
  ['one of two labels', { matchLabels: { a: '1', b: '2' } }, { a: '1' }],
  ['In without the label', { matchExpressions: [{ key: 'team', operator: 'In', values: ['a'] }] }, {}],
  ['In without values', { matchExpressions: [{ key: 'team', operator: 'In' }] }, { team: 'a' }],
  [
    'NotIn with a listed value',
    { matchExpressions: [{ key: 'team', operator: 'NotIn', values: ['a'] }] },
    { team: 'a' },
  ],
  ['Exists without the label', { matchExpressions: [{ key: 'team', operator: 'Exists' }] }, {}],
  ['DoesNotExist with the label', { matchExpressions: [{ key: 'team', operator: 'DoesNotExist' }] }, { team: '' }],
  [
    'labels equal, expression not',
    { matchLabels: { a: '1' }, matchExpressions: [{ key: 'b', operator: 'Exists' }] },
    { a: '1' },
  ],
  ['what every object inherits is no label', { matchExpressions: [{ key: 'constructor', operator: 'Exists' }] }, {}],
])('does not match: %s', (_what, selector, labels) => expect(selectorMatches(selector, labels)).toBe(false));

test('a selector in words', () => {
  const selector: LabelSelector = {
    matchLabels: { preview: 'true' },
    matchExpressions: [
      { key: 'team', operator: 'In', values: ['a', 'b'] },
      { key: 'locked', operator: 'DoesNotExist' },
    ],
  };
  expect(describeSelector(selector)).toBe('preview=true, team In (a, b), locked DoesNotExist');
  expect(describeSelector({})).toBe('(any)');
});
