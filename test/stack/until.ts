// Waiting for the world to become as a test or the demo wants it: looks again and again, and says what was waited for.
import { setTimeout as pause } from 'node:timers/promises';

/** Bounds a hang, nothing else: a busy machine is slow, not wrong. */
const deadlineMs = 180_000;
const everyMs = 50;

export interface Waiting {
  readonly deadlineMs?: number;
  readonly everyMs?: number;
  /** Added to the error when the time is up. */
  readonly describe?: () => string | Promise<string>;
}

/** Resolves with the first answer of `look` that is neither undefined nor false. An error of `look` ends the wait. */
export async function until<T>(
  what: string,
  look: () => Promise<T | undefined | false> | T | undefined | false,
  waiting: Waiting = {},
): Promise<T> {
  const giveUpAt = performance.now() + (waiting.deadlineMs ?? deadlineMs);
  for (;;) {
    const answer = await look();
    if (answer !== undefined && answer !== false) return answer;
    if (performance.now() > giveUpAt) throw new Error(await complaint(what, waiting));
    await pause(waiting.everyMs ?? everyMs);
  }
}

async function complaint(what: string, waiting: Waiting): Promise<string> {
  const seconds = (waiting.deadlineMs ?? deadlineMs) / 1000;
  const detail = await waiting.describe?.();
  return `waited ${seconds} s in vain until ${what}${detail === undefined ? '' : `\n${detail}`}`;
}
