import { hash } from 'node:crypto';

const alphabet = 'abcdefghijklmnopqrstuvwxyz234567';
const digestBits = 256;

/** The first `length` (1…51) characters of the SHA-256 of `text` in RFC 4648 base32, lower case. */
export function shortHash(text: string, length: number): string {
  const digest = BigInt(`0x${hash('sha256', text, 'hex')}`);
  const characterAt = (index: number): string =>
    alphabet.charAt(Number((digest >> BigInt(digestBits - 5 * (index + 1))) & 31n));
  return Array.from({ length }, (_, index) => characterAt(index)).join('');
}
