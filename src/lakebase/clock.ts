// What this folder needs of a clock. Same shape as the runtime kit's Clock, which must not be imported from here.

export interface LakebaseClock {
  /** Wall-clock time: compared with instants that the provider named. */
  now(): Date;
  /** Monotonic milliseconds. */
  monotonicMs(): number;
  /** Calls `run` once after `ms`; the returned function cancels it. */
  after(ms: number, run: () => void): () => void;
}

/** Settles as `work` does, or rejects with the signal's reason as soon as it aborts; `work` itself goes on unheard. */
export function unlessAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const onAbort = (): void => reject(signal.reason as Error);
    if (signal.aborted) onAbort();
    signal.addEventListener('abort', onAbort, { once: true });
    void work.then(resolve, reject).finally(() => signal.removeEventListener('abort', onAbort));
  });
}

/** Resolves after `ms`, or rejects with the signal's reason as soon as it aborts. */
export async function sleep(clock: LakebaseClock, ms: number, signal: AbortSignal): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const cancel = clock.after(ms, resolve);
  try {
    await unlessAborted(promise, signal);
  } finally {
    cancel();
  }
}
