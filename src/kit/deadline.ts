// One signal for "the caller gave up or the time is over", so that an await has only one thing to listen to.
import type { Clock } from './clock.ts';

/** The reason with which a deadline's signal aborts when its own time is over. */
export class DeadlineExceeded extends Error {
  override readonly name = 'DeadlineExceeded';
}

export interface Deadline extends Disposable {
  readonly signal: AbortSignal;
  readonly expired: boolean;
  leftMs(): number;
}

/** Aborts after `ms`, or with `signal`. Must be disposed of, so that a long-lived signal collects no listeners. */
export function deadline(clock: Clock, ms: number, signal?: AbortSignal): Deadline {
  const controller = new AbortController();
  const endMs = clock.monotonicMs() + ms;
  const onAbort = (): void => controller.abort(signal?.reason);
  const cancel = clock.after(ms, () => controller.abort(new DeadlineExceeded(`not done within ${ms} ms`)));
  if (signal?.aborted) onAbort();
  else signal?.addEventListener('abort', onAbort, { once: true });
  return {
    signal: controller.signal,
    get expired() {
      return controller.signal.reason instanceof DeadlineExceeded;
    },
    leftMs: () => Math.max(0, endMs - clock.monotonicMs()),
    [Symbol.dispose]() {
      cancel();
      signal?.removeEventListener('abort', onAbort);
    },
  };
}

/** Rejects with the signal's reason if it aborts first; the promise itself runs on unheard. */
export function orAbort<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const onAbort = (): void => reject(signal.reason as Error);
    if (signal.aborted) onAbort();
    signal.addEventListener('abort', onAbort, { once: true });
    void promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', onAbort));
  });
}
