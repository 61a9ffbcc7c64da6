import { expect, test } from 'vitest';
import { mutantsOf } from './mutants.ts';

/** What each mutant of `const x = <expression>;` makes of the expression. */
const slips = (expression: string): readonly string[] =>
  mutantsOf(`const x = ${expression};`).map(({ code }) => code.slice('const x = '.length, -1));

test.each<[string, string, readonly string[]]>([
  ['a boundary', 'a < b', ['a <= b', 'a >= b']],
  ['an equality', 'a === b', ['a !== b']],
  ['a sum', 'a + b', ['a - b']],
  ['a quotient', 'a / b', ['a * b']],
  ['prose is not touched', "a + ' and more'", []],
  ['and, or, and an operand left out', 'a && b', ['a || b', 'b', 'a']],
  ['each operand of a chain', 'a || b || c', ['a || b && c', 'b || c', 'a || c', 'a || b', 'a && b || c']],
  [
    'operands in parentheses',
    '(a && b) || c',
    ['(a && b) && c', 'c', '(a && b)', '(a || b) || c', '(b) || c', '(a) || c'],
  ],
  ['a fallback', 'a ?? b', ['b', 'a']],
  ['a mix that is no syntax is left out', 'a ?? (b || c)', ['(b || c)', 'a', 'a ?? (b && c)', 'a ?? (c)', 'a ?? (b)']],
  ['a negation', '!a', ['a']],
  ['optional chaining is left alone', 'a?.b?.(c)', []],
  ['a choice', 'a ? b : c', ['true ? b : c', 'false ? b : c', '!(a) ? b : c']],
  ['a choice by comparison', 'a === b ? c : d', ['true ? c : d', 'false ? c : d', 'a !== b ? c : d']],
  ['a number', '60_000', ['120000', '0']],
  ['nought', '0', ['1']],
  ['a truth', 'true', ['false']],
  ['a word', "'sha256'", ["''"]],
  ['the empty word', "''", ["'mutant'"]],
  ['a template that is hashed', '`a/${b}`', ["''"]],
  ['a template for people', '`a is ${b}`', []],
  ['a reason', 'Reason.Expired', ['Reason.Pending']],
  ['the reason that others become', 'Reason.Pending', ['Reason.Available']],
  ['some and every', 'a.some(b)', ['a.every(b)']],
  ['a filter', 'a.filter(b)', ['a']],
  ['the larger', 'Math.max(a, b)', ['Math.min(a, b)']],
  ['a distance', 'Math.abs(a)', ['(a)']],
  ['entries', '[a, b, c]', ['[b, c]', '[a, c]', '[a, b]']],
  ['an only entry', "['a']", ['[]']],
  ['what is spread into an object', '{ a, ...b, c }', ['{ a, c }']],
  ['keys are left alone', "{ 'a-b': c }", []],
  ['a pattern', '/^a$/g', ['/a$/g', '/^a/g', '/^a$/']],
  ['types are left alone', "a as 'b' | 1 | Record<'c', true>", []],
])('%s', (_sentence, expression, expected) => expect(slips(expression)).toEqual(expected));

const onlyIn = (body: string): readonly string[] => mutantsOf(`function f() { ${body} }`).map(({ id }) => id);

test('a guard is taken away, and a call', () => {
  expect(onlyIn('if (a) return; b();')).toEqual(['f: a → true', 'f: a → false', 'f: a → !(a)', 'f: b(); → ;']);
});

test('imports and types make no mutants', () => {
  expect(mutantsOf("import { a } from 'b';\nexport type C = 'c' | 1;\ninterface D { readonly e: true }")).toEqual([]);
});

test('a mutant is found by its function and its change, also when lines move; a second alike is counted', () => {
  const source = 'const f = () => [a < b, a < b];\n';
  const ids = mutantsOf(source).map(({ id }) => id);
  expect(ids).toContain('f: a < b → a <= b');
  expect(ids).toContain('f: a < b → a <= b (2)');
  expect(mutantsOf(`\n\n${source}`).map(({ id }) => id)).toEqual(ids);
  expect(mutantsOf(`\n\n${source}`).map(({ line }) => line)).toEqual(ids.map(() => 3));
});

test('of long code only what stands around the change is shown', () => {
  const [mutant] = mutantsOf(`export const f = () => a < ${'b'.repeat(200)};`);
  expect(mutant?.id).toBe(`f: a < ${'b'.repeat(49)}… → a <= ${'b'.repeat(49)}…`);
});
