// Logging in to databases of the demo with node-postgres, as an application does.
import pg from 'pg';
import type { Secret } from '../../src/credentials/secret.ts';

export interface Login {
  readonly host: string;
  readonly port: number;
  readonly database: string;
  readonly user: string;
  readonly password: string;
  /** PEM. */
  readonly ca: string;
}

/** Everything that a pod finds in the files of the mounted Secret. */
export function loginOf({ data = {} }: Secret): Login {
  const read = (key: string): string => Buffer.from(data[key] ?? '', 'base64').toString();
  return {
    host: read('host'),
    port: Number(read('port')),
    database: read('database'),
    user: read('username'),
    password: read('password'),
    ca: read('certificates'),
  };
}

export async function connect({ ca, ...login }: Login): Promise<pg.Client> {
  const client = new pg.Client({ ...login, ssl: { ca } });
  await client.connect();
  return client;
}

export async function withConnection<T>(login: Login, work: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = await connect(login);
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}

/** The database's words when it refuses the login; undefined when it does not. */
export async function refusalOf(login: Login): Promise<string | undefined> {
  try {
    await (await connect(login)).end();
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

export async function countEntities(client: pg.Client): Promise<number> {
  const { rows } = await client.query<{ count: number }>('SELECT count(*)::int AS count FROM final_entities');
  return rows[0]?.count ?? 0;
}
