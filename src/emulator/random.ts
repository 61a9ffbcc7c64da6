// Everything the emulator makes up (uids, trace ids, passwords) comes from one source, so that a test can fix it.
import { randomInt } from 'node:crypto';

/** A number in [0, 1), like Math.random. */
export type Random = () => number;

const range = 2 ** 32;

/** Unpredictable: passwords are made from it. */
export const secureRandom: Random = () => randomInt(range) / range;

const hexDigits = '0123456789abcdef';
const letters = 'abcdefghijklmnopqrstuvwxyz0123456789';
const adjectives = [
  'amber',
  'brisk',
  'calm',
  'dusty',
  'early',
  'frosty',
  'gentle',
  'hidden',
  'ivory',
  'jolly',
  'lucky',
];
const nouns = ['brook', 'cloud', 'delta', 'field', 'grove', 'harbor', 'island', 'lake', 'meadow', 'river', 'stone'];

const pick = (random: Random, from: string | readonly string[]): string =>
  from[Math.floor(random() * from.length)] ?? '';

const text = (random: Random, from: string, length: number): string =>
  Array.from({ length }, () => pick(random, from)).join('');

/** 32 hex digits, as in ` [TraceId: …]`. */
export const newTraceId = (random: Random): string => text(random, hexDigits, 32);

/** A version 4 UUID. */
export function newUuid(random: Random): string {
  const hex = (length: number): string => text(random, hexDigits, length);
  return `${hex(8)}-${hex(4)}-4${hex(3)}-${pick(random, '89ab')}${hex(3)}-${hex(12)}`;
}

/** `br-early-river-x3k9…`: eight random characters make a repetition unthinkable even after a million branches. */
export const newUid = (random: Random, prefix: 'br' | 'ep'): string =>
  `${prefix}-${pick(random, adjectives)}-${pick(random, nouns)}-${text(random, letters, 8)}`;

/** Of a Postgres role with a password: 24 characters out of 36. */
export const newPassword = (random: Random): string => text(random, letters, 24);
