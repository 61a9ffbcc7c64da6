// deploy/restore-rows.sh, as the page on restores tells people to use it: on a restored branch and the production from
// which the rows are gone.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdir, writeFile } from 'node:fs/promises';
import { delimiter, dirname, join } from 'node:path';
import { text } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { withConnection, type Login } from '../../scripts/demo/database.ts';
import { productionLogin } from '../../scripts/demo/production.ts';
import { pointInTimeRestoreResource, secretResource } from '../../src/api/names.ts';
import type { Secret } from '../../src/credentials/secret.ts';
import type { KubeObject } from '../../src/kit/kube.ts';
import { findPgDump, findPsql } from '../postgres-clients.ts';
import { kubectlEnvironment } from '../stack/kubectl.ts';
import { base64, World } from '../stack/world.ts';

vi.setConfig({ testTimeout: 120_000, hookTimeout: 300_000 });

const namespace = 'incident';
const [from, to] = [`${namespace}/undo`, `${namespace}/production`];

/** Each test has tables of its own. */
const asItWas = `
  CREATE TABLE orders (id serial PRIMARY KEY, note text);
  CREATE TABLE items (order_id int REFERENCES orders, "What" text);
  INSERT INTO orders (note) VALUES ('tab' || chr(9) || 'and quote'''), (NULL), ('three');
  INSERT INTO items VALUES (1, 'pen'), (3, 'ink');
  CREATE TABLE changed (id int PRIMARY KEY, note text);
  INSERT INTO changed SELECT n, 'old' FROM generate_series(1, 4) AS n;
  CREATE TABLE kept AS SELECT 1 AS id;
  CREATE TABLE good AS SELECT n FROM generate_series(1, 5) AS n;
  CREATE TABLE refusing AS SELECT n FROM generate_series(1, 5) AS n;
  CREATE TABLE cut AS SELECT n FROM generate_series(1, 50) AS n;
  CREATE TABLE asked AS SELECT 1 AS id;
  CREATE TABLE doubtful AS SELECT 1 AS id`;
const theHarm = `
  INSERT INTO orders (note) VALUES ('came later');
  DELETE FROM items; DELETE FROM orders;
  DELETE FROM changed WHERE id > 2; UPDATE changed SET note = 'new' WHERE id = 1;
  DELETE FROM good; DELETE FROM refusing; ALTER TABLE refusing ADD CHECK (n < 4);
  DELETE FROM cut; DELETE FROM asked; DELETE FROM doubtful;
  CREATE FUNCTION die() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_terminate_backend(pg_backend_pid()); RETURN NULL; END';
  CREATE CONSTRAINT TRIGGER die AFTER INSERT ON doubtful DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION die()`;

let world: World;
let production: Login;
let programs: string;

beforeAll(async () => {
  [world] = await Promise.all([World.start(), findPsql()]);
  programs = [dirname(world.stack.cluster.kubectl), dirname(await findPgDump()), process.env['PATH']].join(delimiter);
  production = await productionLogin(world.stack);
  await query(asItWas);
  // The emulator notes a moment once a second.
  await sleep(2000);
  const time = new Date().toISOString();
  await query(theHarm);
  await world.namespace(namespace);
  await world.bclass('default', { restore: { allowed: true } });
  await world.stack.kube.create<KubeObject>(pointInTimeRestoreResource, {
    metadata: { namespace, name: 'undo' },
    spec: { source: { branch: 'production' }, target: { time } },
  } as KubeObject);
  const { host, port, database, user, password, ca } = production;
  const fields = { host, port: String(port), database, username: user, password, sslmode: 'require', certificates: ca };
  await world.stack.kube.create<Secret>(secretResource, {
    metadata: { namespace, name: 'production' },
    data: Object.fromEntries(Object.entries(fields).map(([key, value]) => [key, base64(value)])),
  });
  await world.stack.kubectl('-n', namespace, 'wait', '--for=condition=Succeeded', '--timeout=180s', 'pitr/undo');
});
afterAll(() => world?.stop());

const query = (sql: string): Promise<Record<string, unknown>[]> =>
  withConnection(production, async (client) => (await client.query<Record<string, unknown>>(sql)).rows);
const countIn = async (table: string): Promise<number> =>
  Number((await query(`SELECT count(*)::int AS count FROM ${table}`))[0]?.['count']);

interface Result {
  readonly code: number;
  readonly output: string;
}

/** What it printed holds no password, whatever it was asked for. */
async function restoreRows(args: readonly string[], { input = '', path = programs } = {}): Promise<Result> {
  const child = spawn('deploy/restore-rows.sh', args, {
    env: { ...kubectlEnvironment(world.stack.cluster.adminKubeconfig), PATH: path, PGHOSTADDR: '192.0.2.1' },
  });
  child.stdin.on('error', () => undefined).end(input);
  const [said, complained, [code]] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    once(child, 'close') as Promise<[number]>,
  ]);
  const output = said + complained;
  const restored = await world.secret({ namespace, name: 'undo' });
  const passwords = [production.password, Buffer.from(restored?.data?.['password'] ?? '', 'base64').toString()];
  for (const password of passwords) {
    expect(password.length).toBeGreaterThan(20);
    expect(output.includes(password), 'a password is printed').toBe(false);
  }
  return { code, output };
}

test('wiped tables come back with all their rows, and no sequence is set back', async () => {
  const tables = ['--table', 'items', '--table', 'public.orders'];
  const { code, output } = await restoreRows(['--from', from, '--to', to, ...tables, '--yes']);
  expect(output).toMatch(/public\.orders +3 rows at the source, 0 rows at the target/);
  expect(output).toMatch(/public\.orders +0 rows before, 3 rows now/);
  expect(output).toMatch(/public\.items +0 rows before, 2 rows now/);
  expect(code).toBe(0);
  expect(await query('SELECT id, note FROM orders ORDER BY id')).toEqual([
    { id: 1, note: "tab\tand quote'" },
    { id: 2, note: null },
    { id: 3, note: 'three' },
  ]);
  expect(await query('SELECT * FROM items ORDER BY 1')).toEqual([
    { order_id: 1, What: 'pen' },
    { order_id: 3, What: 'ink' },
  ]);
  expect(await query("INSERT INTO orders (note) VALUES ('next') RETURNING id")).toEqual([{ id: 5 }]);
});

test('a table that has rows is left alone, unless only the missing ones are asked for', async () => {
  const args = ['--from', from, '--to', to, '--table', 'changed', '--yes'];
  const refused = await restoreRows(args);
  expect(refused.output).toMatch(/public\.changed has 2 rows at the target already.*--only-missing/);
  expect(refused.code).toBe(1);
  expect(await countIn('changed')).toBe(2);

  expect(await restoreRows([...args, '--only-missing'])).toMatchObject({ code: 0 });
  expect(await query('SELECT id, note FROM changed ORDER BY id')).toEqual([
    { id: 1, note: 'new' },
    { id: 2, note: 'old' },
    { id: 3, note: 'old' },
    { id: 4, note: 'old' },
  ]);

  const keyless = await restoreRows(['--from', from, '--to', to, '--table', 'kept', '--yes', '--only-missing']);
  expect(keyless.output).toContain('public.kept has no primary key at the target');
  expect(keyless.code).toBe(1);
  expect(await countIn('kept')).toBe(1);
});

test('the first error takes back everything', async () => {
  const tables = ['--table', 'good', '--table', 'refusing'];
  const { code, output } = await restoreRows(['--from', from, '--to', to, ...tables, '--yes']);
  expect(output).toContain('violates check constraint');
  expect(output).toContain('nothing was written');
  expect(code).toBe(1);
  expect(await Promise.all([countIn('good'), countIn('refusing')])).toEqual([0, 0]);
});

test('a dump that breaks off leaves nothing behind', async () => {
  const folder = join(world.stack.dir, 'breaking');
  await mkdir(folder);
  const whole = await findPgDump();
  // With all the rows, so that nothing but its end tells that it failed.
  await writeFile(join(folder, 'pg_dump'), `#!/bin/sh\n'${whole}' "$@"\nexit 1\n`);
  await chmod(join(folder, 'pg_dump'), 0o755);
  const path = `${folder}${delimiter}${programs}`;
  const { code, output } = await restoreRows(['--from', from, '--to', to, '--table', 'cut', '--yes'], { path });
  expect(output).toContain('nothing was written');
  expect(code).toBe(1);
  expect(await countIn('cut')).toBe(0);
});

test('a connection that is lost during COMMIT leaves in doubt what was written, and it says so', async () => {
  const { code, output } = await restoreRows(['--from', from, '--to', to, '--table', 'doubtful', '--yes']);
  expect(output).toContain('it is not known whether the rows were written');
  expect(output).not.toContain('nothing was written:');
  expect(code).toBe(1);
});

test('nor does anybody know when psql is killed during COMMIT', async () => {
  const folder = join(world.stack.dir, 'dying');
  await mkdir(folder);
  // As if no memory were left: the connection is lost, and psql with it before it can say so.
  await writeFile(join(folder, 'psql'), `#!/bin/sh\n'${await findPsql()}' "$@" || kill -9 $$\n`);
  await chmod(join(folder, 'psql'), 0o755);
  const path = `${folder}${delimiter}${programs}`;
  const { code, output } = await restoreRows(['--from', from, '--to', to, '--table', 'doubtful', '--yes'], { path });
  expect(output).toContain('it is not known whether the rows were written');
  expect(output).not.toContain('nothing was written:');
  expect(code).toBe(1);
});

test('it asks before it writes, and takes nothing but yes', async () => {
  const args = ['--from', from, '--to', to, '--table', 'asked'];
  for (const input of ['', 'y\n', 'no\n']) {
    const { code, output } = await restoreRows(args, { input });
    expect(output).toContain(`Copy these rows to ${production.host}? Type yes`);
    expect(output).toContain('nothing was written');
    expect(code).toBe(1);
  }
  expect(await countIn('asked')).toBe(0);
  expect(await restoreRows(args, { input: 'yes\n' })).toMatchObject({ code: 0 });
  expect(await countIn('asked')).toBe(1);
});

test.each([
  ['both Secrets lead to the same host', ['--from', to, '--to', to, '--table', 'orders'], /both Secrets lead to 127/],
  [
    'a Secret is not there',
    ['--from', 'incident/none', '--to', to, '--table', 'orders'],
    /incident\/none cannot be read/,
  ],
  ['a table is not there', ['--from', from, '--to', to, '--table', 'nothing'], /table nothing cannot be found/],
  ['no table is named', ['--from', from, '--to', to], /at least one --table is needed/],
  ['an option is misspelt', ['--form', from], /--form is not known/],
  ['a Secret is named without its namespace', ['--from', 'undo', '--to', to], /NAMESPACE\/SECRET/],
])('refused with a sentence: %s', async (_what, args, words) => {
  const { code, output } = await restoreRows([...args, '--yes']);
  expect(output).toMatch(words);
  expect(code).toBe(1);
});
