// One budget of requests for all clients of a workspace.
import type { Clock } from '../kit/clock.ts';
import { unlessAborted } from './deadline.ts';
import { LakebaseError } from './errors.ts';
import type { Transport } from './transport.ts';

export interface RequestBudget {
  /** Default 15. */
  readonly perSecond?: number;
  /** Requests that may go out at once after a quiet time. Default 30. */
  readonly burst?: number;
}

/**
 * Holds requests back until they fit the budget, in the order in which they came. A request whose signal aborts before
 * its turn was not sent, and is `throttled`. Share the result between all clients of one workspace.
 */
export function limited(
  transport: Transport,
  clock: Clock,
  { perSecond = 15, burst = 30 }: RequestBudget = {},
): Transport {
  const bucket = new TokenBucket(clock, perSecond, burst);
  return async (request, signal) => {
    try {
      await bucket.take(signal);
    } catch {
      throw new LakebaseError('throttled', `not sent: our own limit of ${perSecond} requests per second is used up`);
    }
    return transport(request, signal);
  };
}

class TokenBucket {
  readonly #clock: Clock;
  readonly #perSecond: number;
  readonly #burst: number;
  /** Those who wait, first come first; called when it is their turn. */
  readonly #waiting = new Set<() => void>();
  #tokens: number;
  #countedAtMs: number;
  #timerRuns = false;

  constructor(clock: Clock, perSecond: number, burst: number) {
    this.#clock = clock;
    this.#perSecond = perSecond;
    // With room for less than one request, none would ever go out.
    this.#burst = Math.max(1, burst);
    this.#tokens = this.#burst;
    this.#countedAtMs = clock.monotonicMs();
  }

  async take(signal: AbortSignal): Promise<void> {
    const { promise, resolve: turn } = Promise.withResolvers<void>();
    this.#waiting.add(turn);
    this.#serve();
    try {
      await unlessAborted(promise, signal);
    } finally {
      this.#waiting.delete(turn);
    }
  }

  #serve(): void {
    this.#refill();
    for (const turn of this.#waiting) {
      if (this.#tokens < 1) return this.#serveLater();
      this.#tokens -= 1;
      this.#waiting.delete(turn);
      turn();
    }
  }

  #refill(): void {
    const nowMs = this.#clock.monotonicMs();
    const gained = ((nowMs - this.#countedAtMs) / 1000) * this.#perSecond;
    this.#tokens = Math.min(this.#burst, this.#tokens + gained);
    this.#countedAtMs = nowMs;
  }

  #serveLater(): void {
    if (this.#timerRuns) return;
    this.#timerRuns = true;
    // Rounded up, or a timer that fires a hair early would find a token almost there, and come again at once.
    const waitMs = Math.ceil(((1 - this.#tokens) / this.#perSecond) * 1000);
    this.#clock.after(waitMs, () => {
      this.#timerRuns = false;
      this.#serve();
    });
  }
}
