// What docs/credentials.md says of libpq and of the wrapper, tried with psql.
import { execFile } from 'node:child_process';
import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { letMeIn, makeRoot, removePlane, startPlane, user, type Plane } from '../emulator/plane.ts';
import { findPsql } from '../postgres-clients.ts';
import { mountSecret } from './mounted-secret.ts';
import { examples } from './prepare.ts';

const wrapper = join(examples, 'shell', 'with-database.sh');

let plane: Plane;
let psql: string;
let folder: string;
let host: string;
let address: Readonly<Record<string, string>>;

beforeAll(async () => {
  [plane, psql, folder] = await Promise.all([startPlane(), findPsql(), mkdtemp(join(tmpdir(), 'libpq-'))]);
  host = await makeRoot(plane);
  address = { PGHOST: host, PGPORT: String(plane.pgPort), PGDATABASE: 'databricks_postgres', PGUSER: user };
});
afterAll(async () => {
  await removePlane(plane);
  await rm(folder, { recursive: true, force: true });
});

/** Standard output, or if it fails, what it complained about. */
function run(command: readonly string[], env: Readonly<Record<string, string>>): Promise<string> {
  const [program = '', ...args] = command;
  const path = `${dirname(psql)}${delimiter}${process.env['PATH'] ?? ''}`;
  return new Promise((resolve) => {
    execFile(program, args, { env: { PATH: path, LC_ALL: 'C', ...env } }, (error, stdout, stderr) =>
      resolve(error ? `failed: ${stderr.trim()}` : stdout.trim()),
    );
  });
}

const whoAmI = (env: Readonly<Record<string, string>>): Promise<string> =>
  run(['psql', '-XAtw', '-c', 'SELECT current_user'], { PGSSLMODE: 'require', ...env });

async function file(name: string, content: string, mode: number): Promise<string> {
  const path = join(folder, name);
  await writeFile(path, content);
  await chmod(path, mode);
  return path;
}

const pgpass = (mode: number): Promise<string> =>
  file('pgpass', `${host}:${plane.pgPort}:*:${user}:${letMeIn}\n`, mode);

describe('a pgpass file', () => {
  test.each([0o600, 0o400])('that only its owner can read (%o) is used', async (mode) => {
    expect(await whoAmI({ ...address, PGPASSFILE: await pgpass(mode) })).toBe(user);
  });

  test.each([0o440, 0o640, 0o644])('that others can read, as with fsGroup (%o), is ignored', async (mode) => {
    const answer = await whoAmI({ ...address, PGPASSFILE: await pgpass(mode) });
    expect(answer).toMatch(/^failed: .*has group or world access/s);
    expect(answer).toContain('no password supplied');
  });

  test('is not asked when PGPASSWORD is set', async () => {
    const answer = await whoAmI({ ...address, PGPASSFILE: await pgpass(0o600), PGPASSWORD: 'stale' });
    expect(answer).toContain('OAuth: User is not authorized');
  });
});

describe('a service file', () => {
  const service = (more: string): string =>
    `[db]\nhost=${host}\nport=${plane.pgPort}\ndbname=databricks_postgres\nuser=${user}\n${more}`;

  test('may be readable by all, and gives host, database and user', async () => {
    const env = { PGSERVICE: 'db', PGSERVICEFILE: await file('service.conf', service(''), 0o644) };
    expect(await whoAmI({ ...env, PGPASSFILE: await pgpass(0o600) })).toBe(user);
  });

  test('takes no line as long as a token can be', async () => {
    const long = service(`password=${'x'.repeat(1100)}\n`);
    const env = { PGSERVICE: 'db', PGSERVICEFILE: await file('service.conf', long, 0o600) };
    expect(await whoAmI(env)).toMatch(/^failed: .*line 6 too long/s);
  });
});

describe('with-database.sh', () => {
  const values = (letter: string): Record<string, string> => ({
    host: `host-${letter}`,
    port: '5432',
    database: `database-${letter}`,
    username: `user-${letter}`,
    password: `password-${letter}`,
  });
  const shown = ['PGHOST', 'PGPORT', 'PGDATABASE', 'PGUSER', 'PGPASSWORD', 'PGSSLMODE', 'PGSSLROOTCERT'];
  const print = ['sh', '-c', `echo ${shown.map((name) => `$${name}`).join(' ')}`];

  test('gives a program what the Secret says, and with a private authority that one', async () => {
    const mount = join(folder, 'given');
    await mountSecret(mount, values('a'));
    const given = 'host-a 5432 database-a user-a password-a verify-full';
    expect(await run([wrapper, ...print], { DATABASE_DIR: mount })).toBe(`${given} system`);
    await mountSecret(mount, { ...values('a'), certificates: 'PEM' });
    expect(await run([wrapper, ...print], { DATABASE_DIR: mount })).toBe(`${given} ${mount}/certificates`);
  });

  test('keeps the password out of the arguments, which others on the node can read', async () => {
    const mount = join(folder, 'hidden');
    await mountSecret(mount, values('a'));
    const show = ['sh', '-c', "tr '\\0' ' ' </proc/$$/cmdline"];
    const answer = await run([wrapper, ...show], { DATABASE_DIR: mount });
    expect(answer).toMatch(/^sh -c/);
    expect(answer).not.toContain('password-a');
  });

  test('says what is missing, and runs nothing', async () => {
    const answer = await run([wrapper, 'echo', 'it ran'], { DATABASE_DIR: join(folder, 'nothing') });
    expect(answer).toMatch(/^failed: .*no login in /s);
    expect(answer).not.toContain('it ran');
  });

  test('never mixes two moments when the Secret is switched after the first file was read', async () => {
    const mount = join(folder, 'switched');
    await mountSecret(mount, values('a'));
    const next = join(mount, '..next');
    await mkdir(next);
    for (const [key, value] of Object.entries(values('b'))) await writeFile(join(next, key), value);
    // A `cat` that switches as the kubelet does, once, right after it has read something.
    const tools = join(folder, 'tools');
    await mkdir(tools);
    const cat = [
      '#!/bin/sh',
      '/bin/cat "$@"',
      `cd "${mount}" && [ -d ..next ] || exit 0`,
      'mv ..next ..later',
      'ln -s ..later ..data_tmp',
      'mv -T ..data_tmp ..data',
    ].join('\n');
    await writeFile(join(tools, 'cat'), cat, { mode: 0o755 });
    const PATH = `${tools}:${process.env['PATH'] ?? ''}`;
    const given = 'host-b 5432 database-b user-b password-b verify-full system';
    expect(await run([wrapper, ...print], { DATABASE_DIR: mount, PATH })).toBe(given);
  });
});
