// Asks a running instance where it is now.
import { readLsn } from '../lsn.ts';
import type { AdminClient } from './administer.ts';
import type { Moment } from './time-log.ts';

const milliseconds = 'floor(extract(epoch from clock_timestamp()) * 1000)::text';

// The columns are computed from left to right.
const question = `SELECT ${milliseconds} AS before, pg_current_wal_insert_lsn() AS lsn,
  pg_current_wal_flush_lsn() AS flushed, ${milliseconds} AS after`;

/** On a loaded machine both readings of the clock may differ again and again. */
const attempts = 20;

/**
 * A moment whose WAL is on disk, so that no crash can give the position to other commits later. Undefined when the
 * clock could not be read often enough within one millisecond.
 */
export async function momentOf(client: AdminClient): Promise<Moment | undefined> {
  for (let attempt = 0; attempt < attempts; attempt++) {
    const { rows } = await client.query<{ before: string; after: string; lsn: string; flushed: string }>(question);
    const [row] = rows;
    if (!row || row.before !== row.after) continue;
    const lsn = readLsn(row.lsn);
    if (readLsn(row.flushed) < lsn) await writeMark(client);
    return { time: Number(row.before), lsn };
  }
  return undefined;
}

/** Writes a record that changes nothing, and with it everything before to disk. */
export async function writeMark(client: AdminClient): Promise<void> {
  await client.query(`SELECT pg_logical_emit_message(false, 'lakebranch', '', true)`);
}

/** After it the WAL up to now lies in finished segments, with a record behind the last commit. */
export async function finishSegment(client: AdminClient): Promise<void> {
  await writeMark(client);
  await client.query('SELECT pg_switch_wal()');
}
