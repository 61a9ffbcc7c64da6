import { createHash } from 'node:crypto';
import { globSync, lstatSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { builtBundles } from '../../test/stack/built.ts';
import { layOutImages, ownArchitecture } from './image-files.ts';

const folder = mkdtempSync(join(tmpdir(), 'lakebranch-image-files-'));
const images = ['one', 'other'].map((name) => join(folder, name));

beforeAll(async () => {
  await builtBundles();
  for (const image of images) await layOutImages([ownArchitecture], image);
});
afterAll(() => rmSync(folder, { recursive: true }));

/** Everything below a folder, as a layer would keep it. */
const listing = (of: string): string[] =>
  globSync('**', { cwd: of })
    .toSorted()
    .map((path) => {
      const facts = lstatSync(join(of, path));
      const text = facts.isFile()
        ? createHash('sha256')
            .update(readFileSync(join(of, path)))
            .digest('hex')
        : '';
      return `${path} ${facts.mode.toString(8)} ${facts.mtimeMs} ${text}`;
    });

test('a layer is the same each time', () => {
  const [one = '', other = ''] = images;
  expect(listing(one)).toEqual(listing(other));
});

test('the image of the operator holds the bundle and its papers, and nothing else', () => {
  const files = globSync('**', { cwd: join(images[0] ?? '', 'operator') }).toSorted();
  expect(files.filter((file) => /\.\w+$|LICENSE$/.test(file))).toEqual([
    'lakebranch.mjs',
    'usr/share/doc/lakebranch/LICENSE',
    'usr/share/doc/lakebranch/THIRD-PARTY.txt',
    'usr/share/doc/lakebranch/sbom.cdx.json',
  ]);
});

test('everybody may read everything and run the programs: the user of the image is none that the builder knows', () => {
  const [image = ''] = images;
  const entries = globSync('**', { cwd: image }).map((path) => lstatSync(join(image, path)));
  const modes = new Set(entries.filter((entry) => !entry.isSymbolicLink()).map(({ mode }) => mode & 0o777));
  expect(modes).toEqual(new Set([0o644, 0o755]));
  const postgres = join(image, 'emulator', ownArchitecture, 'opt/postgres/bin/postgres');
  expect(lstatSync(postgres).mode & 0o111).toBe(0o111);
});
