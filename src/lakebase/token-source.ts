// The access token of the workspace: fetched once for all callers, kept, renewed before anyone has to wait for it. What
// a client proves itself with is not known here: auth.ts and token-exchange.ts ask in their own way.
import type { Clock } from '../kit/clock.ts';
import { type Deadline, unlessAborted, withDeadline } from './deadline.ts';
import { LakebaseError, type LakebaseErrorCode } from './errors.ts';
import { exchange, harmlessToRepeat, repeating } from './exchange.ts';
import type { Token } from './token.ts';
import type { HttpRequest, Transport } from './transport.ts';
import { accessTokenFrom, jsonFrom, tokenEndpointFrom } from './wire.ts';

/** How a client proves who it is, whatever the way the token was come by. */
export interface TokenSource {
  /** A token that lives long enough for one call. Throws LakebaseError, never `notFound`. */
  accessToken(signal: AbortSignal): Promise<Token>;
  /** The provider did not accept `token`: it is not handed out again. */
  refuse(token: Token): void;
  /** The application id that the tokens are made out to. */
  principal(signal: AbortSignal): Promise<string>;
}

export interface TokenSourceOptions {
  /** `https://…` of the workspace. */
  readonly host: string;
  readonly transport: Transport;
  readonly clock: Clock;
  readonly userAgent: string;
  /** In [0, 1); for the jitter of waits. */
  readonly random?: () => number;
}

/** One request for a token, as far as the ways differ. */
export interface TokenQuestion {
  /** The application id that the token will be made out to. */
  readonly clientId: string;
  readonly form: Readonly<Record<string, string>>;
  /** Value of the Authorization header; none when the form says it all. */
  readonly authorization?: Token;
  /** Struck from the words of an answer that echoes them. */
  readonly secrets: readonly Token[];
  /** What a refusal of this question means, if the way knows better than the words of the token endpoint. */
  readonly explain?: (refusal: LakebaseError) => LakebaseError;
}

export interface TokenWay {
  /** Made anew for every fetch of a token, so that what was rotated is picked up. Its errors must hold no secret. */
  readonly question: () => Promise<TokenQuestion>;
  readonly principal: () => Promise<string>;
}

export const tokenSource = (options: TokenSourceOptions, way: TokenWay): TokenSource => new KeptTokens(options, way);

interface Grant {
  readonly token: Token;
  readonly clientId: string;
  /** Monotonic: from then on a new one is fetched in the background. */
  readonly renewAtMs: number;
  /** Monotonic: from then on it is not handed out any more. */
  readonly deadAtMs: number;
}

const fetchTimeoutMs = 30_000;
const longestRenewalLeadMs = 20 * 60_000;
/** Some front doors refuse tokens in their last 30 s. */
const longestDeathLeadMs = 40_000;
/** For that long after a failed fetch its error is the answer: thousands of callers are not to ask again each. */
const failureKeptMs = 5_000;

class KeptTokens implements TokenSource {
  readonly #options: TokenSourceOptions;
  readonly #way: TokenWay;
  #grant: Grant | undefined;
  #fetching: Promise<Grant> | undefined;
  #failure: { readonly error: unknown; readonly untilMs: number } | undefined;
  #tokenEndpoint: string | undefined;

  constructor(options: TokenSourceOptions, way: TokenWay) {
    this.#options = options;
    this.#way = way;
  }

  async accessToken(signal: AbortSignal): Promise<Token> {
    const nowMs = this.#options.clock.monotonicMs();
    const grant = this.#grant;
    if (!grant || nowMs >= grant.deadAtMs) return (await unlessAborted(this.#fetch(), signal)).token;
    // A failure is no news as long as the old token lives.
    if (nowMs >= grant.renewAtMs) this.#fetch().catch(() => {});
    return grant.token;
  }

  refuse(token: Token): void {
    if (this.#grant?.token === token) this.#grant = undefined;
  }

  async principal(signal: AbortSignal): Promise<string> {
    return this.#grant?.clientId ?? (await unlessAborted(this.#way.principal(), signal));
  }

  /** Under a deadline of its own: it serves many callers, none of which may break it off. */
  #fetch(): Promise<Grant> {
    const { clock } = this.#options;
    if (this.#failure && clock.monotonicMs() < this.#failure.untilMs)
      return Promise.reject(this.#failure.error as Error);
    this.#fetching ??= withDeadline(clock, fetchTimeoutMs, undefined, (deadline) => this.#request(deadline))
      .then(
        (grant) => {
          this.#failure = undefined;
          this.#grant = grant;
          return grant;
        },
        (error: unknown) => {
          this.#failure = { error: asLoginError(error), untilMs: clock.monotonicMs() + failureKeptMs };
          throw this.#failure.error;
        },
      )
      .finally(() => (this.#fetching = undefined));
    return this.#fetching;
  }

  async #request(deadline: Deadline): Promise<Grant> {
    const question = await this.#way.question();
    const url = await this.#endpoint(deadline);
    const request = tokenRequest(url, question, this.#options.userAgent);
    const { body, sentAtMs } = await this.#exchange(request, deadline, question.secrets).catch((error: unknown) => {
      if (!(error instanceof LakebaseError)) throw error;
      // The workspace has moved it: ask again where it is.
      if (error.details.status === 404) this.#tokenEndpoint = undefined;
      throw question.explain?.(error) ?? error;
    });
    const { token, lifeSeconds } = accessTokenFrom(jsonFrom(body));
    const lifeMs = lifeSeconds * 1000;
    const expiresAtMs = sentAtMs + lifeMs;
    return {
      token,
      clientId: question.clientId,
      renewAtMs: expiresAtMs - Math.min(lifeMs / 2, longestRenewalLeadMs),
      deadAtMs: expiresAtMs - Math.min(lifeMs / 4, longestDeathLeadMs),
    };
  }

  async #endpoint(deadline: Deadline): Promise<string> {
    this.#tokenEndpoint ??= await this.#discover(deadline);
    return this.#tokenEndpoint;
  }

  async #discover(deadline: Deadline): Promise<string> {
    const { host, userAgent } = this.#options;
    const url = `${host}/oidc/.well-known/oauth-authorization-server`;
    const headers = { accept: 'application/json', 'user-agent': userAgent };
    try {
      const { body } = await this.#exchange({ method: 'GET', url, headers }, deadline, []);
      const endpoint = tokenEndpointFrom(jsonFrom(body));
      if (host.startsWith('https:') && !endpoint.startsWith('https:'))
        throw new LakebaseError('unavailable', 'the workspace names a token endpoint without TLS');
      return endpoint;
    } catch (error) {
      if (error instanceof LakebaseError && error.details.status === 404) return `${host}/oidc/v1/token`;
      throw error;
    }
  }

  async #exchange(
    request: HttpRequest,
    deadline: Deadline,
    secrets: readonly Token[],
  ): Promise<{ body: string; sentAtMs: number }> {
    const { clock, transport, random = Math.random } = this.#options;
    return repeating({ clock, random }, deadline, harmlessToRepeat, async () => {
      const sentAtMs = clock.monotonicMs();
      const { body } = await exchange(transport, request, { signal: deadline.signal, clock, secrets });
      return { body, sentAtMs };
    });
  }
}

const tokenRequest = (url: string, { form, authorization }: TokenQuestion, userAgent: string): HttpRequest => ({
  method: 'POST',
  url,
  headers: {
    accept: 'application/json',
    ...(authorization ? { authorization: authorization.reveal() } : {}),
    'content-type': 'application/x-www-form-urlencoded',
    'user-agent': userAgent,
  },
  body: new URLSearchParams(form).toString(),
});

const clientRefused = new Set<string | undefined>(['invalid_client', 'unauthorized_client', 'access_denied']);

/** What a token endpoint means is not what the API means by the same status: above all, nothing is `notFound` here. */
const loginCodes: Partial<Record<LakebaseErrorCode, LakebaseErrorCode>> = {
  notFound: 'unavailable',
  exists: 'unavailable',
  conflict: 'unavailable',
};

function asLoginError(error: unknown): unknown {
  if (!(error instanceof LakebaseError)) return error;
  const code = clientRefused.has(error.details.providerCode)
    ? 'unauthenticated'
    : (loginCodes[error.code] ?? error.code);
  return new LakebaseError(code, `cannot get an access token: ${error.message}`, error.details);
}
