// The application of a preview, which does what the README tells applications to do: it mounts the Secret and reads it
// anew for each connection. It keeps what it has seen, for the test to ask: tokens as hashes only.

import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { hostname } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import type { Diary, Login } from './diary.ts';
import { productionLogin } from './lakebase.ts';

const folder = process.env['DATABASE_DIR'] ?? '/var/run/db';
const lookEveryMs = 50;

const read = (key: string): string => readFileSync(join(folder, key), 'utf8');
const hash = (text: string): string => createHash('sha256').update(text).digest('hex').slice(0, 12);

const mounted = (): pg.ClientConfig => ({
  host: read('host'),
  port: Number(read('port')),
  database: read('database'),
  user: read('username'),
  password: read('password'),
  ssl: { ca: read('certificates') },
});

async function production(): Promise<pg.ClientConfig> {
  const login = await productionLogin(process.env);
  return { ...login, port: 5432, database: 'databricks_postgres', ssl: { ca: process.env['CA'] ?? '' } };
}

async function query(config: pg.ClientConfig, sql: string): Promise<Record<string, unknown>> {
  const client = new pg.Client({ connectionTimeoutMillis: 30_000, ...config });
  await client.connect();
  try {
    const [result] = [await client.query<Record<string, unknown>>(sql)].flat(); // several statements, several results
    return result?.rows[0] ?? {};
  } finally {
    await client.end();
  }
}

/** `migrated`: the table of the preview's own migration is there. `products`: rows that production had. */
const look = `SELECT current_user AS user, to_regclass('notes') IS NOT NULL AS migrated,
  (SELECT count(*)::int FROM products) AS products`;

async function logIn(token: string): Promise<Login> {
  const { host = '', ...config } = mounted();
  const seen = await query({ host, ...config }, look);
  return {
    at: Date.now(),
    token,
    host,
    user: String(seen['user']),
    migrated: seen['migrated'] === true,
    products: Number(seen['products']),
  };
}

async function serve(): Promise<void> {
  const diary: Diary = { pod: hostname(), files: [], logins: [], failures: [] };
  createServer((_request, response) => response.end(JSON.stringify(diary))).listen(8080);
  process.on('SIGTERM', () => process.exit(0));
  for (let used = ''; ; await new Promise((resolve) => setTimeout(resolve, lookEveryMs))) {
    const token = hash(read('password'));
    if (token !== diary.files.at(-1)?.token) diary.files.push({ at: Date.now(), token });
    if (token === used) continue;
    try {
      diary.logins.push(await logIn(token));
      used = token;
    } catch (error) {
      diary.failures.push({ at: Date.now(), token, message: (error as Error).message });
    }
  }
}

const seed = `
  CREATE TABLE products (name text PRIMARY KEY);
  INSERT INTO products SELECT 'product ' || n FROM generate_series(1, 1000) AS n`;

const commands: Readonly<Record<string, () => Promise<unknown>>> = {
  serve,
  // For a preview:
  migrate: () => query(mounted(), 'CREATE TABLE IF NOT EXISTS notes (text text NOT NULL)'),
  count: async () => console.log((await query(mounted(), look))['products']),
  // For production:
  seed: async () => query(await production(), seed),
  wipe: async () => query(await production(), 'DELETE FROM products'),
};
await commands[process.argv[2] ?? 'serve']?.();
