import fc from 'fast-check';
import { expect, test } from 'vitest';
import { sourceAllowed } from './pattern.ts';

test.each<[string, string[], string]>([
  ['an id allows itself', ['production'], 'production'],
  ['a star stands for any end', ['staging-*'], 'staging-eu-1'],
  ['a star stands for nothing too', ['staging*'], 'staging'],
  ['a star may stand at the beginning', ['*-eu'], 'staging-eu'],
  ['a star may stand in the middle', ['a*z'], 'a-to-z'],
  ['several stars', ['a*b*c'], 'a-x-b-y-c'],
  ['a star alone allows every branch that people made', ['*'], 'anything'],
  ['one of several suffices', ['production', 'staging-*'], 'staging-1'],
  ['a piece is found at its last chance', ['a*bc'], 'abcbc'],
])('%s', (_what, allow, id) => expect(sourceAllowed(allow, id)).toBe(true));

test.each<[string, string[], string]>([
  ['nothing is allowed by nothing', [], 'production'],
  ['a prefix is not the whole', ['prod'], 'production'],
  ['a suffix is not the whole', ['ion'], 'production'],
  ['a letter cannot serve two pieces', ['ab*ba'], 'aba'],
  ['pieces keep their order', ['a*b*c*d'], 'a-c-b-d'],
  ['a dot is only a dot', ['st.ging'], 'staging'],
  ['case matters', ['Production'], 'production'],
  ['no pattern opens the branch of another object', ['*'], 'shop-preview-abcdefghijklmnop-234567'],
  ['not even its full name does', ['shop-preview-abcdefghijklmnop-234567'], 'shop-preview-abcdefghijklmnop-234567'],
])('%s', (_what, allow, id) => expect(sourceAllowed(allow, id)).toBe(false));

test('a tag of another length is no tag', () => {
  expect(sourceAllowed(['*'], 'shop-preview-abcdefghijklmno-234567')).toBe(true);
  expect(sourceAllowed(['*'], 'shop-preview-abcdefghijklmnop-234561')).toBe(true);
});

test('agrees with the regular expression that means the same', () => {
  const piece = fc
    .array(fc.constantFrom('a', 'b', '*'), { minLength: 1, maxLength: 8 })
    .map((letters) => letters.join(''));
  const id = fc.array(fc.constantFrom('a', 'b'), { maxLength: 8 }).map((letters) => letters.join(''));
  fc.assert(
    fc.property(piece, id, (pattern, text) => {
      const meaning = new RegExp(`^${pattern.replaceAll('*', '.*')}$`);
      expect(sourceAllowed([pattern], text)).toBe(meaning.test(text));
    }),
  );
});
