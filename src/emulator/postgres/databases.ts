// Databases of the API as databases of an instance. Each function may be repeated after an answer was lost.
import { quoteName } from './administer.ts';
import type { AdminClient } from './administer.ts';
import { superuserGroup } from './names.ts';

export async function createDatabase(client: AdminClient, name: string, owner: string): Promise<void> {
  if (await databaseExists(client, name)) await setOwner(client, name, owner);
  else await client.query(`CREATE DATABASE ${quoteName(name)} OWNER ${quoteName(owner)}`);
  await client.query(`GRANT ALL ON DATABASE ${quoteName(name)} TO ${superuserGroup}`);
}

/** A new name ends the sessions of the database, which PostgreSQL demands. */
export async function alterDatabase(
  client: AdminClient,
  name: string,
  { rename, owner }: { rename?: string; owner?: string },
): Promise<void> {
  if (rename !== undefined && rename !== name) await renameDatabase(client, name, rename);
  if (owner !== undefined) await setOwner(client, rename ?? name, owner);
}

/** Ends the sessions of the database and drops it. */
export async function dropDatabase(client: AdminClient, name: string): Promise<void> {
  await client.query(`DROP DATABASE IF EXISTS ${quoteName(name)} WITH (FORCE)`);
}

/** Those that can be connected to. */
export async function databaseNames(client: AdminClient): Promise<string[]> {
  const { rows } = await client.query<{ name: string }>(
    'SELECT datname AS name FROM pg_database WHERE datallowconn ORDER BY datname',
  );
  return rows.map(({ name }) => name);
}

async function renameDatabase(client: AdminClient, name: string, rename: string): Promise<void> {
  if (!(await databaseExists(client, name)) && (await databaseExists(client, rename))) return;
  await client.query('SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = $1', [name]);
  await client.query(`ALTER DATABASE ${quoteName(name)} RENAME TO ${quoteName(rename)}`);
}

async function setOwner(client: AdminClient, name: string, owner: string): Promise<void> {
  await client.query(`ALTER DATABASE ${quoteName(name)} OWNER TO ${quoteName(owner)}`);
}

async function databaseExists(client: AdminClient, name: string): Promise<boolean> {
  const { rowCount } = await client.query('SELECT FROM pg_database WHERE datname = $1', [name]);
  return rowCount === 1;
}
