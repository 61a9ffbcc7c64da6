// The same seed is the same run.
import { expect, test } from 'vitest';
import { kinds } from './kinds.ts';
import { script, type ScriptOptions } from './script.ts';
import { troubleKinds } from './troubles.ts';

const written = (change: Partial<ScriptOptions> = {}) => [
  ...script({ seed: 1, operations: 3000, without: [], ...change }),
];

test('a seed always stands for the same operations, and another seed for others', () => {
  expect(written()).toEqual(written());
  expect(written({ seed: 2 })).not.toEqual(written());
});

test('a shorter run is the beginning of a longer one', () => {
  expect(written({ operations: 100 })).toEqual(written().slice(0, 100));
});

test('every kind is drawn', () => {
  const drawn = new Set(written({ operations: 10_000 }).map(({ kind }) => kind));
  expect(drawn).toEqual(new Set([...kinds, ...troubleKinds].map(({ kind }) => kind)));
});

test('what is left out is not drawn', () => {
  const kindsOf = new Set(written({ without: ['kill', 'secret.tamper'] }).map(({ kind }) => kind));
  expect([...kindsOf].filter((kind) => kind.startsWith('kill.') || kind === 'secret.tamper')).toEqual([]);
  expect(kindsOf).toContain('secret.delete');
});
