import { expect, test } from 'vitest';
import * as z from 'zod';
import { structural } from './structural.ts';

const text = z.string().max(5);
const field = (schema: z.ZodType): z.ZodType => z.object({ it: schema.describe('what it is') });
const converted = (schema: z.ZodType): unknown => structural(field(schema)).properties?.['it'];

test.each<[string, z.ZodType, object]>([
  ['a text', text, { type: 'string', maxLength: 5 }],
  ['an enum needs no bound', z.enum(['A', 'B']), { type: 'string', enum: ['A', 'B'] }],
  ['an integer loses the bounds of a double', z.int(), { type: 'integer', format: 'int64' }],
  [
    'an integer keeps bounds of its own',
    z.int().min(1).max(9),
    { type: 'integer', format: 'int64', minimum: 1, maximum: 9 },
  ],
  [
    'int-or-string',
    z.union([z.int(), text]).meta({ 'x-kubernetes-int-or-string': true }),
    { 'x-kubernetes-int-or-string': true },
  ],
  [
    'a map',
    z.record(z.string(), text).meta({ maxProperties: 2 }),
    { type: 'object', maxProperties: 2, additionalProperties: { type: 'string', maxLength: 5 } },
  ],
  ['a list', z.array(text).max(2), { type: 'array', maxItems: 2, items: { type: 'string', maxLength: 5 } }],
  ['a default', text.default('a'), { type: 'string', maxLength: 5, default: 'a' }],
  [
    'a rule',
    text.meta({ 'x-kubernetes-validations': [{ rule: 'true', message: 'm' }] }),
    { type: 'string', maxLength: 5, 'x-kubernetes-validations': [{ rule: 'true', message: 'm' }] },
  ],
])('%s', (_what, schema, expected) => expect(converted(schema)).toEqual({ ...expected, description: 'what it is' }));

test('a field with a default may be left out, one without may not', () => {
  const schema = z.object({
    b: text.describe('b'),
    a: text.describe('a'),
    c: text.default('x').describe('c'),
    d: text.exactOptional().describe('d'),
  });
  expect(structural(schema).required).toEqual(['a', 'b']);
});

test.each<[string, z.ZodType, string]>([
  ['a text without a bound', z.string(), 'it: set an upper bound (maxLength)'],
  ['a list without a bound', z.array(text), 'it: set an upper bound (maxItems)'],
  ['a map without a bound', z.record(z.string(), text), 'it: set an upper bound (maxProperties)'],
  ['a text without a bound in a list', z.array(z.string()).max(2), 'it[]: set an upper bound (maxLength)'],
  [
    'a text without a bound in a map',
    z.record(z.string(), z.string()).meta({ maxProperties: 2 }),
    'it{}: set an upper bound',
  ],
  ['a union', z.union([text, z.boolean()]), 'it: a union is not structural'],
  [
    'a discriminated union',
    z.discriminatedUnion('k', [z.object({ k: z.literal('a') }), z.object({ k: z.literal('b') })]),
    'it: a union is not structural',
  ],
  ['null', text.nullable(), 'it: null is pruned'],
  ['a float', z.number(), 'it: floats lose digits'],
  ['anything', z.unknown(), 'it: a CRD needs a type here'],
  ['a strict object', z.strictObject({}), 'it: the API server prunes unknown fields'],
  ['a refinement', text.refine((value) => value !== 'x'), 'it: a refinement is not seen by the API server'],
  ['a catch', text.catch('x'), 'it: catch() would become a default'],
  ['a look-ahead', text.regex(/^(?=a)/), 'it: pattern ^(?=a) is not RE2'],
  ['a back-reference', text.regex(/(a)\1/), 'is not RE2'],
  [
    'a format that the API server does not check',
    text.meta({ format: 'hostname' }),
    'it: the API server does not check format "hostname"',
  ],
  ['an unknown keyword', text.meta({ examples: ['a'] }), 'it: a CRD has no examples'],
  ['an id', z.object({ a: text.meta({ id: 'A', description: 'a' }) }), 'a reference is not allowed'],
])('%s is refused', (_what, schema, message) => expect(() => converted(schema)).toThrow(message));

test('a field without a description is refused', () => {
  expect(() => structural(z.object({ outer: z.object({ inner: text }).describe('outer') }))).toThrow(
    'outer.inner: describe the field',
  );
});

test('what cannot be written as JSON is refused', () => {
  expect(() => converted(z.date())).toThrow();
  expect(() => converted(text.transform((value) => value.length))).toThrow('it: the API server does not transform');
});
