import { expect, test } from 'vitest';
import { shortHash } from './hash.ts';

// The SHA-256 of "abc" is ba7816bf8f01cfea…; its base32 was computed with coreutils (`base32`).
test.each([
  { text: 'abc', length: 1, hash: 'x' },
  { text: 'abc', length: 10, hash: 'xj4bnp4pah' },
  { text: 'abc', length: 51, hash: 'xj4bnp4pahh6uqkbidpf3lrceoyagyndsylxvhfucd7wd4qacww' },
  { text: '', length: 16, hash: '4oymiquy7qobjgx3' },
  { text: 'ü', length: 16, hash: 'mb2hjsshlklsjvzw' },
])('the first $length characters for "$text" are $hash', ({ text, length, hash }) => {
  expect(shortHash(text, length)).toBe(hash);
});
