// How much a data directory holds.
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';

/** Bytes of the tables and indexes below a data directory; undefined when there is none. */
export async function sizeOfData(dataDir: string): Promise<number | undefined> {
  const files = await readdir(join(dataDir, 'base'), { recursive: true, withFileTypes: true }).catch(() => undefined);
  if (!files) return undefined;
  const sizes = await Promise.all(
    files.filter((file) => file.isFile()).map((file) => sizeOf(join(file.parentPath, file.name))),
  );
  return sizes.reduce((sum, size) => sum + size, 0);
}

/** A file that is gone by now has no size. */
const sizeOf = (path: string): Promise<number> =>
  stat(path).then(
    ({ size }) => size,
    () => 0,
  );
