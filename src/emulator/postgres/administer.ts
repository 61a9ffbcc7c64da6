// SQL as the superuser of an instance, over its private socket.
import pg from 'pg';
import { instanceSuperuser } from './names.ts';

export type AdminClient = pg.Client;

/** A name as SQL writes it: whatever it holds, it stays one name. */
export const quoteName = (name: string): string => pg.escapeIdentifier(name);

/** A connection to `database`; who opens it ends it. */
export async function openAdmin(socketDir: string, database: string): Promise<AdminClient> {
  const client = new pg.Client({ host: socketDir, port: 5432, user: instanceSuperuser, database, ssl: false });
  // A connection that breaks between two queries makes the next one fail, which is where it is dealt with.
  client.on('error', () => undefined);
  await client.connect();
  return client;
}

/** Runs `work` on one connection to `database`, which is closed afterwards. */
export async function administer<T>(
  socketDir: string,
  database: string,
  work: (client: AdminClient) => Promise<T>,
): Promise<T> {
  const client = await openAdmin(socketDir, database);
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}
