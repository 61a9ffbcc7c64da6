// Takes keys from a queue and runs a pass for each, some at once, each under a deadline. Turns how a pass ended into the
// next wake-up of its key, and counts it. Knows nothing of what a pass does.
import type { Clock } from './clock.ts';
import { deadline } from './deadline.ts';
import type { WorkQueue } from './queue.ts';
import type { Next } from './result.ts';

/** controller-runtime's words, so that dashboards made for it fit. */
export type PassResult = 'success' | 'requeue_after' | 'error';

/** Looks at the object under `key` and does what is needed; must stop soon after `signal` aborts. */
export type Reconcile = (key: string, signal: AbortSignal) => Promise<Next>;

export interface ControllerOptions {
  readonly clock: Clock;
  readonly queue: WorkQueue;
  readonly reconcile: Reconcile;
  /** How many passes may run at once. */
  readonly workers: number;
  /** Of one pass. Default 90 000. */
  readonly deadlineMs?: number;
  /** Called when a pass has ended; `error` is what it threw. */
  readonly onPass?: (pass: { key: string; result: PassResult; seconds: number; error?: unknown }) => void;
}

const defaultDeadlineMs = 90_000;

/**
 * Runs passes until it is stopped. A pass that throws, or is not done at its deadline, is tried again after the backoff
 * of its key. A pass that ignores its deadline keeps its key and its worker until it ends, because two passes over one
 * key must never run at once.
 */
export class Controller {
  readonly #options: ControllerOptions;
  readonly #stopping = new AbortController();
  #workers: Promise<unknown> | undefined;

  constructor(options: ControllerOptions) {
    this.#options = options;
  }

  start(): void {
    this.#workers ??= Promise.all(Array.from({ length: this.#options.workers }, () => this.#work()));
  }

  /**
   * Takes in nothing more and waits for the passes that run. After `graceMs` their signals abort; without it they are
   * left until their own deadlines.
   */
  async stop(graceMs?: number): Promise<void> {
    const { clock, queue } = this.#options;
    const abort = (): void => this.#stopping.abort(new Error('the controller stops'));
    const cancel = graceMs === undefined ? undefined : clock.after(graceMs, abort);
    await queue.shutDown();
    await this.#workers;
    cancel?.();
  }

  async #work(): Promise<void> {
    const { queue } = this.#options;
    for (let key = await queue.take(); key !== undefined; key = await queue.take()) {
      await this.#pass(key);
      queue.done(key);
    }
  }

  async #pass(key: string): Promise<void> {
    const { clock, queue, reconcile, deadlineMs = defaultDeadlineMs } = this.#options;
    const startedMs = clock.monotonicMs();
    const took = (): number => (clock.monotonicMs() - startedMs) / 1000;
    using limit = deadline(clock, deadlineMs, this.#stopping.signal);
    try {
      const next = await reconcile(key, limit.signal);
      queue.forget(key);
      if (next.kind === 'lookAgain') queue.addAfter(key, next.inMs);
      this.#report(key, next.kind === 'lookAgain' ? 'requeue_after' : 'success', took());
    } catch (error) {
      queue.retry(key);
      this.#report(key, 'error', took(), error);
    }
  }

  /** A hook that throws must not take the worker with it. */
  #report(key: string, result: PassResult, seconds: number, error?: unknown): void {
    try {
      this.#options.onPass?.({ key, result, seconds, ...(result === 'error' ? { error } : {}) });
    } catch {
      // There is nobody left to tell.
    }
  }
}
