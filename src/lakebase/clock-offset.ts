// How far the provider's clock is from ours, from the Date header of its answers.

/** When a request was sent and its answer had come, in our clock, in ms. */
export interface RoundTrip {
  readonly sentMs: number;
  readonly receivedMs: number;
}

/**
 * A Date header names only the second, so each answer leaves a range open: the true offset lies somewhere between
 * `date − received` and `date + 1 s − sent`. Zero, and later the offset in use, is kept while it is in the range;
 * otherwise it moves to the nearer end. So clocks that agree are never corrected, and an instant of the provider reads
 * the same in every pass, unless a clock really moved.
 */
export class ClockOffset {
  #ms: number | undefined;

  /** Provider's clock minus ours, in ms; undefined before the first answer with a date. */
  get ms(): number | undefined {
    return this.#ms;
  }

  observe(dateHeader: string | undefined, { sentMs, receivedMs }: RoundTrip): void {
    const dateMs = Date.parse(dateHeader ?? '');
    if (Number.isNaN(dateMs)) return;
    this.#ms = Math.min(Math.max(this.#ms ?? 0, dateMs - receivedMs), dateMs + 1000 - sentMs);
  }

  toOurs = (theirs: Date): Date => new Date(theirs.getTime() - (this.#ms ?? 0));

  toTheirs = (ours: Date): Date => new Date(ours.getTime() + (this.#ms ?? 0));
}
