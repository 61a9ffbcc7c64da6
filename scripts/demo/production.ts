// The database that previews get a copy of: shaped like the catalog of a Backstage, 32 entities and much around them.
import { databaseName, entities } from './catalog.ts';
import { withConnection, type Login } from './database.ts';
import type { Stack } from '../../test/stack/stack.ts';

const megabyte = 1_000_000;
const wantedBytes = 63 * megabyte;

/** How the platform team logs in to production: with a token of the service principal that owns the project. */
export async function productionLogin({ emulator, manager }: Stack): Promise<Login> {
  const { client, close } = emulator.as(manager);
  try {
    const branch = { project: emulator.project, branch: 'production' };
    const [endpoint] = await client.listEndpoints(branch);
    const { token } = await client.mintCredential({ ...branch, endpoint: endpoint?.id ?? '' }, 3600);
    return {
      host: endpoint?.host ?? '',
      port: emulator.pgPort,
      database: databaseName,
      user: manager.clientId,
      password: token.reveal(),
      ca: emulator.ca,
    };
  } finally {
    await close();
  }
}

/** Resolves with the size of the database in bytes. */
export function seedProduction(login: Login): Promise<number> {
  return withConnection(login, async (client) => {
    const sizeNow = async (): Promise<number> => {
      const { rows } = await client.query<{ bytes: number }>(
        'SELECT pg_database_size(current_database())::int AS bytes',
      );
      return rows[0]?.bytes ?? 0;
    };
    await client.query(schema);
    await client.query('INSERT INTO final_entities SELECT * FROM json_populate_recordset(NULL::final_entities, $1)', [
      JSON.stringify(entities),
    ]);
    const rows = Math.ceil((wantedBytes - (await sizeNow())) / bytesPerRow);
    await client.query(filler, [rows]);
    await client.query('CHECKPOINT').catch(() => undefined);
    return sizeNow();
  });
}

const schema = `
  CREATE TABLE final_entities (entity_id text PRIMARY KEY, entity_ref text UNIQUE, hash text, final_entity jsonb);
  CREATE TABLE refresh_state (entity_id bigint, unprocessed_entity text)`;

/** Text of 15 × 32 characters: 16 rows of 505 bytes fit on a page of 8 kB. */
const bytesPerRow = 8192 / 15;
const filler = `
  INSERT INTO refresh_state
  SELECT n, repeat(md5(n::text), 15) FROM generate_series(1, $1::int) AS n`;
