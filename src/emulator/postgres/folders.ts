// What is left of a branch's folder when the branch goes.
import { access, link, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { namesIn } from './bases.ts';

/** Says that the branch is gone and only its descendants need what is left. */
const endedMark = 'ended';

/** Something that is still dying in there may add a file meanwhile. */
export const removeFolder = (path: string): Promise<void> => rm(path, { recursive: true, force: true, maxRetries: 5 });

/** Leaves what descendants need to reach their own past: base copies, and WAL with that of unfinished segments. */
export async function keepOnlyArchive(folder: string): Promise<void> {
  await writeFile(join(folder, endedMark), '');
  const unfinished = join(folder, 'data', 'pg_wal');
  for (const name of await namesIn(unfinished)) {
    // What is archived already, or a folder, cannot be linked.
    await link(join(unfinished, name), join(folder, 'wal', name)).catch(() => undefined);
  }
  const kept = ['wal', 'base', 'origin.json', endedMark];
  for (const name of await namesIn(folder)) {
    if (!kept.includes(name)) await removeFolder(join(folder, name));
  }
}

export const isEnded = (folder: string): Promise<boolean> =>
  access(join(folder, endedMark)).then(
    () => true,
    () => false,
  );
