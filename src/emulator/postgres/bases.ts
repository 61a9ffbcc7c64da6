// The base copies of one branch: data directories of some moment, from which a later moment is reached by replaying WAL.
import { mkdtemp, readdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Lsn } from '../lsn.ts';
import type { Extent } from './copy.ts';

export interface Base extends Extent {
  readonly folder: string;
}

const digits = (lsn: Lsn): string => lsn.toString(16).padStart(16, '0');

/** Those in `folder`, oldest first. A half-made one does not count. */
export async function listBases(folder: string): Promise<Base[]> {
  const names = await namesIn(folder);
  return names.sort().flatMap((name) => {
    const [, start, end] = /^([0-9a-f]{16})-([0-9a-f]{16})$/.exec(name) ?? [];
    if (start === undefined || end === undefined) return [];
    return [{ folder: join(folder, name), start: BigInt(`0x${start}`), end: BigInt(`0x${end}`) }];
  });
}

/** Lets `copy` fill a new folder. What is in there counts only once it is whole. */
export async function addBase(folder: string, copy: (target: string) => Promise<Extent>): Promise<void> {
  const half = await mkdtemp(join(folder, 'new-'));
  try {
    const { start, end } = await copy(half);
    await rename(half, join(folder, `${digits(start)}-${digits(end)}`));
  } catch (error) {
    await rm(half, { recursive: true, force: true });
    throw error;
  }
}

/** The names in a folder; none when there is no such folder. */
export async function namesIn(folder: string): Promise<string[]> {
  try {
    return await readdir(folder);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
}

/** Removes what a killed emulator has left half-made. */
export async function dropHalfMade(folder: string): Promise<void> {
  for (const name of await namesIn(folder)) {
    if (name.startsWith('new-')) await rm(join(folder, name), { recursive: true, force: true });
  }
}

/** The one from which the way to `lsn` is shortest: a base must be whole before the target is reached. */
export const newestBase = (bases: readonly Base[], lsn: Lsn): Base | undefined =>
  bases.findLast(({ end }) => end <= lsn);
