// Small files of the state folder that must never be seen half written.
import { readFile, rename, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';

/** The text of a file, or undefined when there is none. */
export async function readIfThere(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

/** What `parse` makes of the text of a file; whatever is wrong with it, the complaint names the file and not the text. */
export function parseKept<T>(path: string, text: string, parse: (value: unknown) => T): T {
  try {
    return parse(JSON.parse(text));
  } catch {
    // The error of JSON.parse quotes the text, in which secrets may stand.
    throw new Error(
      `${path} is damaged, or of another version of the emulator: remove ${dirname(path)} to begin anew, or choose another --state-dir`,
    );
  }
}

/** A reader sees the old file or the whole new one, also if this process dies in between. */
export async function replaceFile(path: string, text: string, mode = 0o600): Promise<void> {
  const half = `${path}.${process.pid}`;
  await writeFile(half, text, { mode });
  await rename(half, path);
}
