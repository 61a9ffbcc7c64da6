// The bundles in dist/, which the stack runs as a user would: made anew when the source is younger.
import { execFile } from 'node:child_process';
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';

const root = join(import.meta.dirname, '../..');

export interface Bundles {
  readonly operator: string;
  readonly emulator: string;
  readonly plugin: string;
}

/** Repeatable, also by several tests at once: the build replaces each file in one step. */
export async function builtBundles(): Promise<Bundles> {
  const bundles = {
    operator: join(root, 'dist/lakebranch.mjs'),
    emulator: join(root, 'dist/lakebranch-emulator.mjs'),
    plugin: join(root, 'dist/kubectl-lakebranch.mjs'),
  };
  const [built, written] = await Promise.all([oldest(Object.values(bundles)), newestSource()]);
  if (built <= written) await promisify(execFile)(process.execPath, [join(root, 'scripts/build.ts')]);
  return bundles;
}

async function oldest(files: readonly string[]): Promise<number> {
  return Math.min(...(await Promise.all(files.map(timeOf))));
}

async function newestSource(): Promise<number> {
  const source = join(root, 'src');
  const inside = (await readdir(source, { recursive: true })).map((file) => join(source, file));
  const others = ['package-lock.json', 'scripts/build.ts', 'scripts/build/bundle.ts'].map((file) => join(root, file));
  return Math.max(...(await Promise.all([...inside, ...others].map(timeOf))));
}

/** 0 for what is not there. */
const timeOf = (file: string): Promise<number> =>
  stat(file).then(
    ({ mtimeMs }) => mtimeMs,
    () => 0,
  );
