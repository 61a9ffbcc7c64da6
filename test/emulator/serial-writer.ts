// One client that commits one row after the other and notes when and where in the WAL each was made, so that what a
// restored branch holds can be judged row by row.
import { setTimeout as pause } from 'node:timers/promises';
import pg from 'pg';
import { parseLsn } from '../../src/emulator/lsn.ts';

export interface WrittenRow {
  readonly id: number;
  /** Milliseconds since the epoch. */
  readonly sent: number;
  readonly acknowledged: number;
  /** Where the WAL ended before and after. */
  readonly before: bigint;
  readonly after: bigint;
}

export interface SerialWriter {
  readonly rows: readonly WrittenRow[];
  stop(): Promise<void>;
}

/** Commits rows into the new table `t` until it is stopped, now faster and now slower. */
export async function startSerialWriter(config: pg.ClientConfig, random: () => number): Promise<SerialWriter> {
  const client = new pg.Client(config);
  await client.connect();
  await client.query('CREATE TABLE t (id int)');
  const rows: WrittenRow[] = [];
  let writing = true;
  const written = (async () => {
    for (let id = 1; writing; id++) {
      rows.push(await writeRow(client, id));
      if (random() < 0.1) await pause(random() * 400);
    }
  })();
  return {
    rows,
    async stop() {
      writing = false;
      await written;
      await client.end();
    },
  };
}

async function writeRow(client: pg.Client, id: number): Promise<WrittenRow> {
  const before = await positionOf(client);
  const sent = Date.now();
  await client.query('INSERT INTO t VALUES ($1)', [id]);
  const acknowledged = Date.now();
  return { id, sent, acknowledged, before, after: await positionOf(client) };
}

async function positionOf(client: pg.Client): Promise<bigint> {
  const { rows } = await client.query<{ lsn: string }>('SELECT pg_current_wal_insert_lsn() AS lsn');
  return parseLsn(rows[0]?.lsn ?? '') ?? 0n;
}

/**
 * What is wrong with the rows of a branch that claims to show the moment `reached`; undefined when nothing is. The row
 * that was under way at that moment may be there or not.
 */
export function complaintAbout(
  ids: readonly number[],
  rows: readonly WrittenRow[],
  reached: { readonly time: number } | { readonly lsn: bigint },
): string | undefined {
  const isBefore = (row: WrittenRow): boolean =>
    'time' in reached ? row.acknowledged < reached.time : row.after <= reached.lsn;
  const isAfter = (row: WrittenRow): boolean =>
    'time' in reached ? row.sent > reached.time : row.before >= reached.lsn;
  const held = new Set(ids);
  const missing = rows.filter((row) => isBefore(row) && !held.has(row.id)).map(({ id }) => id);
  const surplus = rows.filter((row) => isAfter(row) && held.has(row.id)).map(({ id }) => id);
  if (missing.length > 0) return `rows ${missing.join()} were acknowledged before and are missing`;
  if (surplus.length > 0) return `rows ${surplus.join()} were sent after and are there`;
  return ids.length === held.size && ids.length === Math.max(0, ...ids) ? undefined : 'rows are there twice, or gaps';
}
