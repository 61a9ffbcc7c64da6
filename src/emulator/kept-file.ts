// Small files of the state folder that must never be seen half written.
import { readFile, rename, writeFile } from 'node:fs/promises';

/** The text of a file, or undefined when there is none. */
export async function readIfThere(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

/** A reader sees the old file or the whole new one, also if this process dies in between. */
export async function replaceFile(path: string, text: string, mode = 0o600): Promise<void> {
  const half = `${path}.${process.pid}`;
  await writeFile(half, text, { mode });
  await rename(half, path);
}
