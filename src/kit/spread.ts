// Spreads instants without a dice: the same text always falls on the same share, in every process.
import { createHash } from 'node:crypto';

/** A number in [0, 1) computed from `text`. */
export function shareOf(text: string): number {
  return createHash('sha1').update(text).digest().readUInt32BE(0) / 2 ** 32;
}
