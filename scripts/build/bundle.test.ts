import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { bundle, outputs, root } from './bundle.ts';
import { sbom } from './sbom.ts';

const names = Object.keys(outputs) as (keyof typeof outputs)[];

test.each(names)('%s has the same bytes wherever and whenever it is built', async (name) => {
  const here = await bundle(name);
  expect(here.map(({ path }) => path.slice(root.length + 1))).toEqual([`${name}.LEGAL.txt`, `${name}.map`, name]);
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
  const first = await sbom();
  expect(await sbom()).toBe(first);
  const { components } = JSON.parse(first) as { components: { name: string }[] };
  const { packages } = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8')) as {
    packages: Record<string, { dev?: boolean; devOptional?: boolean }>;
  };
  const wanted = Object.entries(packages).filter(([path, { dev, devOptional }]) => path !== '' && !dev && !devOptional);
  const names = wanted.map(([path]) => path.slice(path.lastIndexOf('node_modules/') + 'node_modules/'.length));
  expect(new Set(components.map(({ name }) => name))).toEqual(new Set(names));
  expect(names).toContain('pg');
});
