// The way to a moment of the past: which base copy to begin with, and where each file of WAL comes from.
import { link } from 'node:fs/promises';
import { join } from 'node:path';
import { formatLsn } from '../lsn.ts';
import type { Lsn } from '../lsn.ts';
import { listBases, namesIn, newestBase, type Base } from './bases.ts';
import { isTimelineHistory, segmentNamed, segmentOf } from './segments.ts';

/** What one branch on the way back has. */
export interface Stretch {
  /** Its WAL is followed up to here. */
  readonly upTo: Lsn;
  readonly bases: readonly Base[];
  readonly files: readonly { readonly name: string; readonly path: string }[];
}

export interface Replay {
  readonly base: Base;
  /** Where each file may be had: the later places where it has gone from the earlier ones. */
  readonly files: ReadonlyMap<string, readonly string[]>;
}

/** What a branch in `folder` has, its unfinished segments included. */
export async function stretchOf(folder: string, upTo: Lsn): Promise<Stretch> {
  const files = [];
  // In this order: a segment that leaves pg_wal meanwhile is in the archive before.
  for (const place of [join(folder, 'data', 'pg_wal'), join(folder, 'wal')]) {
    for (const name of await namesIn(place)) files.push({ name, path: join(place, name) });
  }
  return { upTo, bases: await listBases(join(folder, 'base')), files };
}

/**
 * `stretches`: the source first, then its parent and so on. A file of a child goes before one of the same name of its
 * parent: children continue on the timeline of their parent with other contents. Throws when no base reaches back so far.
 */
export function planReplay(stretches: readonly Stretch[]): Replay {
  const found = stretches.findIndex(({ bases, upTo }) => newestBase(bases, upTo) !== undefined);
  const beginning = stretches[found];
  const base = beginning && newestBase(beginning.bases, beginning.upTo);
  if (!base) {
    const target = stretches[0]?.upTo ?? 0n;
    throw new Error(`no base copy is old enough to restore ${formatLsn(target)} from`);
  }
  const files = new Map<string, string[]>();
  for (const [generation, stretch] of stretches.slice(0, found + 1).entries()) {
    const own = new Map<string, string[]>();
    for (const { name, path } of stretch.files) {
      if (!files.has(name) && isWanted(name, segmentOf(base.start), generation === 0 ? undefined : stretch.upTo))
        own.set(name, [...(own.get(name) ?? []), path]);
    }
    for (const [name, paths] of own) files.set(name, paths);
  }
  return { base, files };
}

/** Of the source itself also what follows the target: the record that begins there may be a long one. */
function isWanted(name: string, from: bigint, upTo: Lsn | undefined): boolean {
  if (isTimelineHistory(name)) return true;
  const number = segmentNamed(name);
  return number !== undefined && number >= from && (upTo === undefined || number <= segmentOf(upTo));
}

/** Gives every file a second name in `target`. */
export async function layOut({ files }: Replay, target: string): Promise<void> {
  for (const [name, paths] of files) await linkFirst(paths, join(target, name));
}

async function linkFirst(paths: readonly string[], target: string): Promise<void> {
  for (const path of paths) {
    try {
      return await link(path, target);
    } catch (error) {
      // It has left pg_wal; the archive has it.
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    }
  }
}
