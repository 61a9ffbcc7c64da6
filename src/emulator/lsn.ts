// Positions in the WAL: numbers that only grow, written as two hexadecimal halves like `0/1A2B3C`.

export type Lsn = bigint;

/** Undefined for anything that is no position. */
export function parseLsn(text: string): Lsn | undefined {
  const [, high, low] = /^([0-9A-F]{1,8})\/([0-9A-F]{1,8})$/i.exec(text) ?? [];
  return high === undefined || low === undefined ? undefined : (BigInt(`0x${high}`) << 32n) | BigInt(`0x${low}`);
}

const hex = (number: bigint): string => number.toString(16).toUpperCase();

export const formatLsn = (lsn: Lsn): string => `${hex(lsn >> 32n)}/${hex(lsn & 0xffff_ffffn)}`;

/** Of a text that PostgreSQL or this emulator wrote; throws for any other. */
export function readLsn(text: string): Lsn {
  const lsn = parseLsn(text);
  if (lsn === undefined) throw new Error(`"${text}" is no position in the WAL`);
  return lsn;
}
