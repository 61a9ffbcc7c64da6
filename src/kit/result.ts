/** What the queue should do with a key once a pass is over. Unexpected failures are thrown instead. */
export type Next =
  { readonly kind: 'settled' } | { readonly kind: 'lookAgain'; readonly inMs: number; readonly why: string };

export const settled: Next = { kind: 'settled' };

/** Wake the key up again after `inMs` milliseconds; `why` goes to the log, never to a user. */
export const lookAgain = (inMs: number, why: string): Next => ({ kind: 'lookAgain', inMs: Math.max(0, inMs), why });

/** Makes the compiler reject a switch that forgets a case. */
export function unreachable(value: never): never {
  throw new Error(`unreachable: ${JSON.stringify(value)}`);
}
