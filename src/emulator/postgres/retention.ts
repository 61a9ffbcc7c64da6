// What of a branch's archive can go. Pure.
import type { Lsn } from '../lsn.ts';
import { newestBase, type Base } from './bases.ts';
import { segmentOf } from './segments.ts';

export interface Archive {
  /** Oldest first. */
  readonly bases: readonly Base[];
  readonly segments: readonly { readonly name: string; readonly number: bigint }[];
}

export interface Needs {
  /** Where the window of history begins; undefined when it reaches back to the branch's own beginning. */
  readonly windowStart: Lsn | undefined;
  /** Where branches parted that have no base of their own yet. */
  readonly forks: readonly Lsn[];
}

export interface Disposal {
  readonly bases: readonly Base[];
  readonly segments: readonly string[];
  /** The branch's own bases reach as far back as anybody may ask: what its parent keeps is not needed any more. */
  readonly standsAlone: boolean;
}

/** Keeps the newest base from which the window can be reached and what follows, and the way to every fork. */
export function disposalOf({ bases, segments }: Archive, { windowStart, forks }: Needs): Disposal {
  const first = windowStart === undefined ? undefined : newestBase(bases, windowStart);
  if (!first) return { bases: [], segments: [], standsAlone: false };
  const ways = forks.flatMap((fork) => {
    const base = newestBase(bases, fork);
    return [{ base, from: segmentOf(base?.start ?? 0n), to: segmentOf(fork) }];
  });
  const keptBases = new Set(ways.map(({ base }) => base));
  const isOnWay = (number: bigint): boolean => ways.some(({ from, to }) => number >= from && number <= to);
  return {
    bases: bases.filter((base) => base.start < first.start && !keptBases.has(base)),
    segments: segments
      .filter(({ number }) => number < segmentOf(first.start) && !isOnWay(number))
      .map(({ name }) => name),
    // A fork older than all bases of this branch was reached through its parent.
    standsAlone: ways.every(({ base }) => base !== undefined),
  };
}
