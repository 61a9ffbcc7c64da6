import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { bundle, outputs, root } from './bundle.ts';
import { sbom } from './sbom.ts';

const names = Object.keys(outputs) as (keyof typeof outputs)[];

test.each(names)('%s has the same bytes wherever and whenever it is built', async (name) => {
  const here = await bundle(name);
  expect(here.map(({ path }) => path.slice(root.length + 1))).toEqual([`${name}.map`, name, `${name}.LEGAL.txt`]);
  const elsewhere = hashesElsewhere(name);
  expect(here.map(({ hash }) => hash)).toEqual(elsewhere);
});

/** Of a build by another process, in another folder and time zone. */
function hashesElsewhere(name: string): unknown {
  const script = `
    const { bundle } = await import(${JSON.stringify(join(import.meta.dirname, 'bundle.ts'))});
    console.log(JSON.stringify((await bundle(${JSON.stringify(name)})).map(({ hash }) => hash)));`;
  const env = { ...process.env, TZ: 'Pacific/Auckland', LANG: 'C' };
  const args = ['--input-type=module', '--eval', script];
  return JSON.parse(execFileSync(process.execPath, args, { cwd: '/', env, encoding: 'utf8' }));
}

test.each(names)('%s says nothing of the machine that built it', async (name) => {
  for (const { text } of await bundle(name)) expect(text).not.toContain(root);
});

test('the SBOM lists the packages that are bundled, and none that only tests need', async () => {
  const [first, second] = [await sbom(), await sbom()];
  expect(second).toBe(first);
  const listed = (JSON.parse(first) as { components: { name: string }[] }).components.map(({ name }) => name);
  const { dependencies, devDependencies } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as Record<
    'dependencies' | 'devDependencies',
    Record<string, string>
  >;
  expect(listed).toEqual(expect.arrayContaining(Object.keys(dependencies)));
  expect(listed.filter((name) => name in devDependencies)).toEqual([]);
});
