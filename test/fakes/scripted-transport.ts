// A provider without a network: a test says, request by request, what is answered.
import type { ManualClock } from '../../src/kit/clock.ts';
import type { HttpRequest, HttpResponse, Transport } from '../../src/lakebase/transport.ts';

/** What comes of a request; may throw what a Transport may throw. */
export type Reply = (request: HttpRequest, signal: AbortSignal) => HttpResponse | Promise<HttpResponse>;

export interface ScriptedTransport {
  readonly transport: Transport;
  readonly requests: HttpRequest[];
  /** Replies to the coming requests, in order. */
  readonly next: Reply[];
  /** What is replied once `next` is used up. */
  otherwise: Reply;
}

export function scriptedTransport(otherwise: Reply, ...next: Reply[]): ScriptedTransport {
  const requests: HttpRequest[] = [];
  const script: ScriptedTransport = {
    requests,
    next,
    otherwise,
    transport: async (request, signal) => {
      requests.push(request);
      return (next.shift() ?? script.otherwise)(request, signal);
    },
  };
  return script;
}

export const ok =
  (body: unknown, headers: Record<string, string> = {}): Reply =>
  () => ({ status: 200, headers, body: JSON.stringify(body) });

export const refusal =
  (status: number, error_code: string, message = '', headers: Record<string, string> = {}): Reply =>
  () => ({ status, headers, body: JSON.stringify({ error_code, message }) });

export const fails =
  (error: Error): Reply =>
  () => {
    throw error;
  };

/** Never answers, and does not care for the signal either. */
export const silence: Reply = () => new Promise(() => {});

/** Moves the clock from timer to timer until `work` is done. */
export async function settled<T>(clock: ManualClock, work: Promise<T>): Promise<T> {
  let pending = true;
  const done = (): void => void (pending = false);
  work.then(done, done);
  for (;;) {
    await new Promise((resolve) => setImmediate(resolve));
    if (!pending) return work;
    const next = clock.nextTimer();
    if (next) clock.advanceTo(next);
  }
}

/** What `work` fails with, once the clock has been moved far enough. */
export async function failureOf(clock: ManualClock, work: Promise<unknown>): Promise<unknown> {
  try {
    await settled(clock, work);
  } catch (error) {
    return error;
  }
  throw new Error('it was expected to fail, and did not');
}
