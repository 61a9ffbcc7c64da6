// Keys in, keys out. What the queue promises, in the words that queue.test.ts checks:
//
//  1. One runner per key: a key that was taken is not handed out again before `done`.
//  2. Nothing added is lost: every `add` is followed by a run that begins after it.
//  3. However often a key is added while it runs, it runs exactly once more.
//  4. The earliest wake-up wins, and none comes early. A wake-up stands until its instant, also if the key runs before.
//  5. Keys added with high priority go before the others; keys of one priority in the order in which they came.
//  6. Each failure of a key doubles its wait, up to a cap, until `forget`; how much is added or taken off follows from
//     the key and the number of failures, so that many failing keys do not return together.
//  7. A key that neither waits, runs nor fails takes no memory.
//  8. After `shutDown` nothing is handed out; it resolves when the last runner is done.
import type { Clock } from './clock.ts';
import { shareOf } from './spread.ts';

/** High: somebody waits for it. Low: the first list after a start, and resyncs. */
export type Priority = 'high' | 'low';

export interface QueueOptions {
  readonly clock: Clock;
  /** Wait after the first failure. Default 20. */
  readonly baseBackoffMs?: number;
  /** Longest wait after failures. Default 5 minutes. */
  readonly maxBackoffMs?: number;
  /** Called with the seconds that a key waited for a runner. */
  readonly onTake?: (waitedSeconds: number) => void;
  /** Called for every wish that is not one already. */
  readonly onAdd?: () => void;
  /** Called for every key that is put off, whether after a failure or until an instant. */
  readonly onPutOff?: () => void;
}

interface Wish {
  readonly priority: Priority;
  readonly sinceMs: number;
}

export class WorkQueue {
  readonly #options: QueueOptions;
  readonly #clock: Clock;
  readonly #ready = { high: new Map<string, Wish>(), low: new Map<string, Wish>() };
  /** Key → monotonic ms since which it runs. */
  readonly #running = new Map<string, number>();
  /** Added while running: these run once more. */
  readonly #again = new Map<string, Wish>();
  readonly #wakeUps = new Map<string, { readonly atMs: number; readonly cancel: () => void }>();
  readonly #failures = new Map<string, number>();
  readonly #takers: ((key: string | undefined) => void)[] = [];
  readonly #onDrained: (() => void)[] = [];
  #closed = false;

  constructor(options: QueueOptions) {
    this.#options = options;
    this.#clock = options.clock;
  }

  /** Keys that wait for a runner. */
  get depth(): number {
    return this.#ready.high.size + this.#ready.low.size;
  }

  get running(): number {
    return this.#running.size;
  }

  /** Seconds that each key which runs has been running. */
  get runningSeconds(): number[] {
    const nowMs = this.#clock.monotonicMs();
    return [...this.#running.values()].map((sinceMs) => (nowMs - sinceMs) / 1000);
  }

  /** Keys of which the queue knows anything at all. */
  get remembered(): number {
    const parts = [this.#ready.high, this.#ready.low, this.#running, this.#again, this.#wakeUps, this.#failures];
    return new Set(parts.flatMap((part) => [...part.keys()])).size;
  }

  /** Wants a run of `key` as soon as there is a runner. A high wish raises a low one that still waits. */
  add(key: string, priority: Priority = 'high'): void {
    if (this.#closed) return;
    const wish = { priority, sinceMs: this.#clock.monotonicMs() };
    if (this.#running.has(key)) {
      if (!this.#again.has(key)) this.#options.onAdd?.();
      if (this.#again.get(key)?.priority !== 'high') this.#again.set(key, wish);
    } else this.#enqueue(key, wish);
  }

  /** Wants a run of `key` after `ms`; changes nothing if an earlier one is due. */
  addAfter(key: string, ms: number): void {
    if (this.#closed) return;
    this.#options.onPutOff?.();
    if (ms <= 0) return this.add(key);
    const atMs = this.#clock.monotonicMs() + ms;
    const present = this.#wakeUps.get(key);
    if (present && present.atMs <= atMs) return;
    present?.cancel();
    const cancel = this.#clock.after(ms, () => {
      this.#wakeUps.delete(key);
      this.add(key);
    });
    this.#wakeUps.set(key, { atMs, cancel });
  }

  /** Counts a failure of `key` and wants a run after its backoff. Returns the wait in ms. */
  retry(key: string): number {
    const failures = (this.#failures.get(key) ?? 0) + 1;
    if (!this.#closed) this.#failures.set(key, failures);
    const { baseBackoffMs = 20, maxBackoffMs = 300_000 } = this.#options;
    const plainMs = Math.min(maxBackoffMs, baseBackoffMs * 2 ** Math.min(failures - 1, 30));
    const waitMs = Math.round(plainMs * (0.8 + 0.4 * shareOf(`${key}/${failures}`)));
    this.addAfter(key, waitMs);
    return waitMs;
  }

  /** The key did well: its next failure counts as the first. */
  forget(key: string): void {
    this.#failures.delete(key);
  }

  /** The next key, as soon as there is one; undefined after `shutDown`. Whoever takes a key must call `done`. */
  take(): Promise<string | undefined> {
    if (this.#closed) return Promise.resolve(undefined);
    const key = this.#takeReady();
    return key === undefined ? new Promise((resolve) => this.#takers.push(resolve)) : Promise.resolve(key);
  }

  done(key: string): void {
    this.#running.delete(key);
    const again = this.#again.get(key);
    this.#again.delete(key);
    if (again) this.#enqueue(key, again, 'counted');
    if (this.#closed && this.#running.size === 0) for (const drained of this.#onDrained.splice(0)) drained();
  }

  /** Forgets everything that has not begun, and waits for what has. */
  async shutDown(): Promise<void> {
    this.#closed = true;
    for (const { cancel } of this.#wakeUps.values()) cancel();
    for (const part of [this.#ready.high, this.#ready.low, this.#again, this.#wakeUps, this.#failures]) part.clear();
    for (const taker of this.#takers.splice(0)) taker(undefined);
    if (this.#running.size > 0) await new Promise<void>((resolve) => this.#onDrained.push(resolve));
  }

  #enqueue(key: string, wish: Wish, counted?: 'counted'): void {
    const { high, low } = this.#ready;
    if (high.has(key)) return;
    if (!counted && !low.has(key)) this.#options.onAdd?.();
    if (wish.priority === 'high') {
      high.set(key, low.get(key) ?? wish);
      low.delete(key);
    } else if (!low.has(key)) low.set(key, wish);
    const taker = this.#takers.shift();
    taker?.(this.#takeReady());
  }

  #takeReady(): string | undefined {
    for (const line of [this.#ready.high, this.#ready.low]) {
      for (const [key, { sinceMs }] of line) {
        line.delete(key);
        this.#running.set(key, this.#clock.monotonicMs());
        this.#options.onTake?.((this.#clock.monotonicMs() - sinceMs) / 1000);
        return key;
      }
    }
    return undefined;
  }
}
