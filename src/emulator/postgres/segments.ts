// The files that hold the WAL, by number and by name.
import type { Lsn } from '../lsn.ts';
import { walSegmentMegabytes } from './settings.ts';

const segmentBytes = BigInt(walSegmentMegabytes) << 20n;
const perLogicalFile = 0x1_0000_0000n / segmentBytes;

/** The number of the segment in which the byte at `lsn` lies; numbers go on over all timelines. */
export const segmentOf = (lsn: Lsn): bigint => lsn / segmentBytes;

export const startOfSegment = (segment: bigint): Lsn => segment * segmentBytes;

/** Undefined for files that are no segments: histories of timelines, status, half-written ones. */
export function segmentNamed(name: string): bigint | undefined {
  const [, logical, rest] = /^[0-9A-F]{8}([0-9A-F]{8})([0-9A-F]{8})$/.exec(name) ?? [];
  if (logical === undefined || rest === undefined) return undefined;
  return BigInt(`0x${logical}`) * perLogicalFile + BigInt(`0x${rest}`);
}

/** Says from which timeline a timeline branched off, and where. */
export const isTimelineHistory = (name: string): boolean => /^[0-9A-F]{8}\.history$/.test(name);
