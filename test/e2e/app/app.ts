// The application of a preview, which does what the README tells applications to do: it mounts the Secret and reads it
// anew for each connection. It keeps what it has seen, for the test to ask: tokens as hashes only.

import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { hostname } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import type { Diary, Login } from './diary.ts';

const folder = process.env['DATABASE_DIR'] ?? '/var/run/db';
const lookEveryMs = 100;

const read = (key: string): string => readFileSync(join(folder, key), 'utf8');
const hash = (text: string): string => createHash('sha256').update(text).digest('hex').slice(0, 12);

async function connect(): Promise<pg.Client> {
  const client = new pg.Client({
    host: read('host'),
    port: Number(read('port')),
    database: read('database'),
    user: read('username'),
    password: read('password'),
    ssl: { ca: read('certificates') },
    connectionTimeoutMillis: 30_000,
  });
  await client.connect();
  return client;
}

async function query(sql: string, ...values: unknown[]): Promise<Record<string, unknown>[]> {
  const client = await connect();
  try {
    return (await client.query<Record<string, unknown>>(sql, values)).rows;
  } finally {
    await client.end();
  }
}

/** Notes of this branch; undefined before the migration. */
async function notes(): Promise<number | undefined> {
  const [table] = await query(`SELECT to_regclass('public.notes') IS NOT NULL AS there`);
  if (table?.['there'] !== true) return undefined;
  const [row] = await query('SELECT count(*)::int AS notes FROM notes');
  return Number(row?.['notes']);
}

async function logIn(token: string): Promise<Login> {
  const [row] = await query('SELECT current_user AS user');
  const count = await notes();
  return {
    at: Date.now(),
    token,
    host: read('host'),
    user: String(row?.['user']),
    ...(count === undefined ? {} : { notes: count }),
  };
}

async function serve(): Promise<void> {
  const diary: Diary = { pod: hostname(), files: [], logins: [], failures: [] };
  createServer((_request, response) => response.end(JSON.stringify(diary))).listen(8080);
  process.on('SIGTERM', () => process.exit(0));
  let wanted: string | undefined;
  let done: string | undefined;
  for (;;) {
    const token = hash(read('password'));
    if (token !== wanted) diary.files.push({ at: Date.now(), token });
    wanted = token;
    if (wanted !== done) {
      try {
        diary.logins.push(await logIn(token));
        done = wanted;
      } catch (error) {
        diary.failures.push({ at: Date.now(), token, message: (error as Error).message });
      }
    }
    await new Promise((resolve) => setTimeout(resolve, lookEveryMs));
  }
}

const commands: Readonly<Record<string, () => Promise<unknown>>> = {
  serve,
  migrate: () => query('CREATE TABLE IF NOT EXISTS notes (text text NOT NULL)'),
  write: () => query(`INSERT INTO notes SELECT 'note ' || n FROM generate_series(1, 3) n`),
  wipe: () => query('DELETE FROM notes'),
  count: async () => console.log(await notes()),
};
await commands[process.argv[2] ?? 'serve']?.();
