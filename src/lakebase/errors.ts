// Errors of the provider, translated once, at the edge, into a closed set of codes. Nothing above matches on texts.

/**
 * - `notFound`      404 with an error_code that speaks of the resource; a gateway's 404 page or an API that is switched
 *                   off (`ENDPOINT_NOT_FOUND`, `FEATURE_DISABLED`) is `unavailable`: it says nothing of a branch
 * - `exists`        400 or 409 that says the id is taken
 * - `conflict`      409 otherwise: something else is under way in this branch or project; try again
 * - `throttled`     429; `retryAfterMs` when the provider named it
 * - `unauthenticated` 401, or the token endpoint refused the client (`invalid_client`)
 * - `denied`        403
 * - `invalid`       any other 4xx: the request as sent will not be accepted
 * - `unavailable`   5xx
 * - `unreachable`   no answer: DNS, refused, reset, TLS, proxy, deadline. A write may have landed
 */
export const lakebaseErrorCodes = [
  'notFound',
  'exists',
  'conflict',
  'throttled',
  'unauthenticated',
  'denied',
  'invalid',
  'unavailable',
  'unreachable',
] as const;
export type LakebaseErrorCode = (typeof lakebaseErrorCodes)[number];

/** How far an `unreachable` request got: which part of the way to the provider a person has to look at. */
export type UnreachableCause = 'dns' | 'refused' | 'reset' | 'tls' | 'proxy' | 'timeout' | 'other';

/**
 * Why the projected ServiceAccount token gave no access token:
 * - `notFound`     its file is not there or cannot be read
 * - `expired`      the file holds one whose life is over
 * - `unusable`     it is no token, not for the audience that was asked for, or for the API server
 * - `notAccepted`  the workspace has no federation policy that matches it
 */
export type SubjectTokenTrouble = 'notFound' | 'expired' | 'unusable' | 'notAccepted';

export interface LakebaseErrorDetails {
  readonly status?: number | undefined;
  /** The provider's own `error_code`, an open set; for the log and for messages only. */
  readonly providerCode?: string | undefined;
  /** 32 hex digits that the provider's support asks for. */
  readonly traceId?: string | undefined;
  readonly retryAfterMs?: number | undefined;
  readonly unreachable?: UnreachableCause | undefined;
  readonly subjectToken?: SubjectTokenTrouble | undefined;
  readonly cause?: unknown;
}

/** The message holds the provider's own words where there are any, without TraceId, and never a credential. */
export class LakebaseError extends Error {
  override readonly name = 'LakebaseError';
  readonly code: LakebaseErrorCode;
  readonly details: LakebaseErrorDetails;

  constructor(code: LakebaseErrorCode, message: string, details: LakebaseErrorDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.code = code;
    this.details = details;
  }
}

export const hasCode = (error: unknown, ...codes: LakebaseErrorCode[]): boolean =>
  error instanceof LakebaseError && codes.includes(error.code);
