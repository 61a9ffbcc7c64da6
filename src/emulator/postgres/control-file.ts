// What the control file of a data directory says, for an instance that does not run. The layout is that of PostgreSQL
// 17 and 18.
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Lsn } from '../lsn.ts';

export interface ControlFile {
  /** The instance ended in order: all its WAL is on disk and nothing has to be replayed. */
  readonly shutDown: boolean;
  /** Where its last checkpoint begins; of an instance that ended in order its last record. */
  readonly checkpoint: Lsn;
  readonly timeline: number;
}

const offsets = { state: 16, checkpoint: 32, timeline: 48 } as const;
const shutDownState = 1;

/** Undefined when there is no data directory. */
export async function readControlFile(dataDir: string): Promise<ControlFile | undefined> {
  try {
    const bytes = await readFile(join(dataDir, 'global', 'pg_control'));
    return {
      shutDown: bytes.readUInt32LE(offsets.state) === shutDownState,
      checkpoint: bytes.readBigUInt64LE(offsets.checkpoint),
      timeline: bytes.readUInt32LE(offsets.timeline),
    };
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}
