// What every request has in common: an error in our own words, and repetition where it does no harm.
import { type Clock, sleep } from '../kit/clock.ts';
import { errorFrom, isSuccess } from './classify.ts';
import { type Deadline, noAnswer } from './deadline.ts';
import { LakebaseError, type UnreachableCause } from './errors.ts';
import type { Token } from './token.ts';
import { type HttpRequest, type HttpResponse, type Transport, TransportError } from './transport.ts';

/** A successful answer, or a LakebaseError. `secrets` are struck from the words of an answer that echoes them. */
export async function exchange(
  transport: Transport,
  request: HttpRequest,
  options: { signal: AbortSignal; clock: Clock; secrets: readonly Token[] },
): Promise<HttpResponse> {
  const response = await answer(transport, request, options.signal);
  if (isSuccess(response)) return response;
  const body = options.secrets.reduce((words, secret) => words.replaceAll(secret.reveal(), '[token]'), response.body);
  throw errorFrom({ ...response, body }, options.clock.now());
}

async function answer(transport: Transport, request: HttpRequest, signal: AbortSignal): Promise<HttpResponse> {
  signal.throwIfAborted();
  try {
    return await transport(request, signal);
  } catch (error) {
    if (error instanceof LakebaseError) throw error;
    signal.throwIfAborted();
    if (error instanceof TransportError) throw noAnswer(error.reason, error.message);
    // Unknown errors are not passed on: they may quote the request.
    throw noAnswer('other', 'the request failed');
  }
}

/** For requests that may arrive twice. */
export const harmlessToRepeat = (error: LakebaseError): boolean =>
  error.code === 'throttled' || error.details.status === 503 || lostOnTheWay.has(error.details.unreachable);

/** For requests that may arrive twice only if the first was turned away unread. */
export const onlyIfThrottled = (error: LakebaseError): boolean => error.code === 'throttled';

const lostOnTheWay = new Set<UnreachableCause | undefined>(['dns', 'refused', 'reset', 'timeout']);

const maxRepetitions = 4;

/**
 * Runs `attempt` again while it throws an error that is worth it, at most four times, after the time that the provider
 * named or a growing one; gives up at once when the deadline would not allow the wait. `random` is in [0, 1).
 */
export async function repeating<T>(
  { clock, random }: { clock: Clock; random: () => number },
  deadline: Deadline,
  worthIt: (error: LakebaseError) => boolean,
  attempt: () => Promise<T>,
): Promise<T> {
  for (let repetition = 0; ; repetition++) {
    try {
      return await attempt();
    } catch (error) {
      if (!(error instanceof LakebaseError) || !worthIt(error) || repetition === maxRepetitions) throw error;
      const waitMs = waitBefore(error, repetition, random());
      if (waitMs >= deadline.leftMs()) throw error;
      await sleep(clock, waitMs, deadline.signal);
    }
  }
}

/** Answers that say "not now" deserve a longer wait than a connection that broke. */
function waitBefore({ details }: LakebaseError, repetition: number, random: number): number {
  if (details.retryAfterMs !== undefined) return details.retryAfterMs + random * 250;
  const longestMs = (details.unreachable === undefined ? 1000 : 250) * 2 ** repetition;
  return longestMs * (0.5 + random / 2);
}
