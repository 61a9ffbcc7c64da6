// An answer that is not a success → LakebaseError. The only place that looks at the provider's texts.
import { LakebaseError, type LakebaseErrorCode } from './errors.ts';
import type { HttpResponse } from './transport.ts';
import { errorWordsFrom, type ErrorWords } from './wire.ts';

export const isSuccess = ({ status }: HttpResponse): boolean => status >= 200 && status < 300;

/** `now` counts only where an HTTP date in Retry-After comes without a Date header to compare it with. */
export function errorFrom(response: HttpResponse, now: Date): LakebaseError {
  const words = errorWordsFrom(response.body);
  return new LakebaseError(codeOf(response.status, words), messageOf(response, words), {
    status: response.status,
    providerCode: words.apiCode ?? words.oauthCode,
    traceId: words.traceId,
    retryAfterMs: retryAfterMs(response, now) ?? words.retryDelayMs,
  });
}

const fixedCodes: Readonly<Record<number, LakebaseErrorCode>> = {
  401: 'unauthenticated',
  403: 'denied',
  // A timeout or an early hang-up on the provider's side, which a repetition may get past.
  408: 'unavailable',
  425: 'unavailable',
  429: 'throttled',
  499: 'unavailable',
};

function codeOf(status: number, words: ErrorWords): LakebaseErrorCode {
  if (status === 404) return speaksOfTheResource(words) ? 'notFound' : 'unavailable';
  if (idIsTaken(status, words)) return 'exists';
  if (status === 409) return 'conflict';
  return fixedCodes[status] ?? (status >= 400 && status < 500 ? 'invalid' : 'unavailable');
}

const existsCodes: readonly (string | undefined)[] = ['ALREADY_EXISTS', 'RESOURCE_ALREADY_EXISTS'];

const idIsTaken = (status: number, { apiCode, message }: ErrorWords): boolean =>
  (status === 400 || status === 409) && (existsCodes.includes(apiCode) || /already exists/i.test(message));

const apiMissingCodes: readonly (string | undefined)[] = ['ENDPOINT_NOT_FOUND', 'FEATURE_DISABLED'];

// A gateway's 404 page, or an API that is switched off, must not make us believe that a branch is gone.
const speaksOfTheResource = ({ apiCode }: ErrorWords): boolean =>
  apiCode !== undefined && !apiMissingCodes.includes(apiCode);

function messageOf({ status }: HttpResponse, { apiCode, oauthCode, message }: ErrorWords): string {
  const code = apiCode ?? oauthCode;
  if (code !== undefined) return message || `HTTP ${status} ${code}`;
  if (status >= 300 && status < 400) return `HTTP ${status}: the host redirects, it is not the address of a workspace`;
  return `HTTP ${status} from something that is not the API${message && `: ${message}`}`;
}

const longestWaitMs = 3_600_000;

function retryAfterMs({ headers }: HttpResponse, now: Date): number | undefined {
  const value = headers['retry-after'];
  if (value === undefined) return undefined;
  const waitMs = /^\d+(\.\d+)?$/.test(value) ? Number(value) * 1000 : Date.parse(value) - sentAtMs(headers, now);
  return Number.isNaN(waitMs) ? undefined : Math.min(Math.max(0, waitMs), longestWaitMs);
}

function sentAtMs(headers: HttpResponse['headers'], now: Date): number {
  const sentMs = Date.parse(headers['date'] ?? '');
  return Number.isNaN(sentMs) ? now.getTime() : sentMs;
}
