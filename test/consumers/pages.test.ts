// What a page shows of an example is in that example, word for word.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';

const root = join(import.meta.dirname, '../..');
const page = readFileSync(join(root, 'docs/credentials.md'), 'utf8');

/** Blocks whose introduction, the lines since the blank line before, names an example. */
const shown = [
  ...page.matchAll(/\(\.\.\/(examples\/consumers\/[^)]+)\)(?:(?!\n\n)[^])*\n\n```(?:js|python|go|java)\n([^]*?)^```/gm),
].map(([, file = '', code = '']) => ({ file, code }));

describe('docs/credentials.md', () => {
  test.each(shown)('shows what $file says', ({ file, code }) => {
    expect(readFileSync(join(root, file), 'utf8')).toContain(code);
  });

  test('shows no other code', () => {
    expect(shown).toHaveLength(page.match(/^```(js|python|go|java)$/gm)?.length ?? 0);
    expect(shown.length).toBeGreaterThan(8);
  });
});
