// Every wait and every "now" of the operator goes through a Clock, so that a test can own time.

/** The longest delay setTimeout honours; a longer one would fire at once. */
const longestTimerMs = 2 ** 31 - 1;

export interface Clock {
  /** Wall-clock time: compared with instants that other machines named. */
  now(): Date;
  /** Monotonic milliseconds: for measuring how long something took or how old something is in this process. */
  monotonicMs(): number;
  /** Calls `run` once after `ms`; the returned function cancels it. */
  after(ms: number, run: () => void): () => void;
}

export const systemClock: Clock = {
  now: () => new Date(),
  monotonicMs: () => performance.now(),
  after(ms, run) {
    let timer: NodeJS.Timeout;
    const arm = (leftMs: number): void => {
      const stepMs = Math.min(Math.max(0, leftMs), longestTimerMs);
      timer = setTimeout(() => (leftMs > stepMs ? arm(leftMs - stepMs) : run()), stepMs);
    };
    arm(ms);
    return () => clearTimeout(timer);
  },
};

/** Resolves after `ms`, or rejects with the signal's reason as soon as it aborts. */
export function sleep(clock: Clock, ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason as Error);
    const onAbort = (): void => {
      cancel();
      reject(signal?.reason as Error);
    };
    const cancel = clock.after(ms, () => {
      signal?.removeEventListener('abort', onAbort);
      resolve();
    });
    signal?.addEventListener('abort', onAbort, { once: true });
  });
}

/** A clock that stands still until told to move. Timers run in the order of their instants. */
export class ManualClock implements Clock {
  #nowMs: number;
  #startMs: number;
  #nextId = 0;
  readonly #timers = new Map<number, { at: number; run: () => void }>();

  constructor(start: Date) {
    this.#nowMs = start.getTime();
    this.#startMs = this.#nowMs;
  }

  now(): Date {
    return new Date(this.#nowMs);
  }

  monotonicMs(): number {
    return this.#nowMs - this.#startMs;
  }

  after(ms: number, run: () => void): () => void {
    const id = this.#nextId++;
    // Whole milliseconds, because a Date holds no more.
    this.#timers.set(id, { at: this.#nowMs + Math.ceil(Math.max(0, ms)), run });
    return () => this.#timers.delete(id);
  }

  /** The instant of the earliest timer, if any waits. */
  nextTimer(): Date | undefined {
    let earliest = Infinity;
    for (const { at } of this.#timers.values()) earliest = Math.min(earliest, at);
    return earliest === Infinity ? undefined : new Date(earliest);
  }

  /** Moves to `instant` and runs the timers that are due by then, earliest first; a timer may add further ones. */
  advanceTo(instant: Date): void {
    const target = instant.getTime();
    for (;;) {
      let due: [number, { at: number; run: () => void }] | undefined;
      for (const entry of this.#timers) if (entry[1].at <= target && (!due || entry[1].at < due[1].at)) due = entry;
      if (!due) break;
      this.#timers.delete(due[0]);
      this.#nowMs = Math.max(this.#nowMs, due[1].at);
      due[1].run();
    }
    this.#nowMs = Math.max(this.#nowMs, target);
  }

  advance(ms: number): void {
    this.advanceTo(new Date(this.#nowMs + ms));
  }
}
