// Every call ends: at its deadline, or when its caller breaks off, whatever the other side does.
import type { Clock } from '../kit/clock.ts';
import { LakebaseError, type UnreachableCause } from './errors.ts';

export interface Deadline {
  /** Aborts at the deadline and when the caller breaks off; its reason is a LakebaseError. */
  readonly signal: AbortSignal;
  leftMs(): number;
}

/** Settles within `ms`, or as soon as `signal` aborts, whatever `run` does. */
export async function withDeadline<T>(
  clock: Clock,
  ms: number,
  signal: AbortSignal | undefined,
  run: (deadline: Deadline) => Promise<T>,
): Promise<T> {
  const endsAtMs = clock.monotonicMs() + ms;
  const controller = new AbortController();
  const breakOff = (): void => controller.abort(noAnswer('other', 'the call was broken off'));
  const cancel = clock.after(ms, () => controller.abort(noAnswer('timeout', `no answer within ${ms / 1000} s`)));
  signal?.addEventListener('abort', breakOff, { once: true });
  if (signal?.aborted) breakOff();
  try {
    controller.signal.throwIfAborted();
    const deadline = { signal: controller.signal, leftMs: () => endsAtMs - clock.monotonicMs() };
    return await Promise.race([run(deadline), soonAfterAbort(controller.signal)]);
  } finally {
    cancel();
    signal?.removeEventListener('abort', breakOff);
  }
}

/** Rejects one turn of the event loop after the abort: who was waiting may say first what for. */
const soonAfterAbort = (signal: AbortSignal): Promise<never> =>
  new Promise((_, reject) => {
    signal.addEventListener('abort', () => setImmediate(() => reject(signal.reason as Error)), { once: true });
  });

/** Settles as `work` does, or rejects with the signal's reason as soon as it aborts; `work` itself goes on unheard. */
export function unlessAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const onAbort = (): void => reject(signal.reason as Error);
    if (signal.aborted) onAbort();
    signal.addEventListener('abort', onAbort, { once: true });
    void work.then(resolve, reject).finally(() => signal.removeEventListener('abort', onAbort));
  });
}

export const noAnswer = (unreachable: UnreachableCause, message: string): LakebaseError =>
  new LakebaseError('unreachable', message, { unreachable });
