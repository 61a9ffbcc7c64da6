// Requests to the API server over undici: credentials, connections, deadlines and the retries that are always safe.
// Knows nothing of kinds and verbs; kube-http.ts does.
import { Agent, type Dispatcher } from 'undici';
import { sleep, type Clock } from './clock.ts';
import { deadline, orAbort, type Deadline } from './deadline.ts';
import { KubeError, KubeUnreachable, type CallOptions } from './kube.ts';
import type { KubeConnection, KubeCredentials } from './kubeconfig.ts';
import { retryAfterOf, statusOf } from './kube-answers.ts';

export type Method = 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';

export interface KubeRequest {
  readonly method: Method;
  /** Absolute, already encoded, without a query. */
  readonly path: string;
  readonly query?: Readonly<Record<string, string | number | boolean | undefined>>;
  readonly body?: unknown;
  readonly contentType?: string;
}

export interface Answered {
  /** The HTTP method, or `WATCH`. */
  readonly verb: string;
  /** 0 when no answer came. */
  readonly code: number;
  readonly seconds: number;
  readonly host: string;
}

export interface TransportOptions {
  readonly connection: KubeConnection;
  readonly clock: Clock;
  readonly userAgent: string;
  /** Called for every request sent, retries included. */
  readonly onResponse?: (answer: Answered) => void;
  /** Of one connection attempt. Default 10 000. */
  readonly connectTimeoutMs?: number;
  /** In [0, 1). Default Math.random. */
  readonly random?: () => number;
}

/** What the connections of one moment are made of. The two agents keep watches from using up the pool of calls. */
interface Session {
  readonly credentials: KubeCredentials;
  readonly calls: Agent;
  readonly watches: Agent;
  readonly readAtMs: number;
}

/** Projected tokens live an hour and are renewed at four fifths of it; client-go re-reads as often. */
const credentialsLiveMs = 60_000;
const defaultTimeoutMs = 30_000;
/** client-go gives up after ten; five bounded by the call's own deadline are enough for a loop that comes again. */
const maxRetries = 5;

const tlsMaterialOf = ({ ca, clientCertificate }: KubeCredentials): string =>
  JSON.stringify([ca, clientCertificate?.cert, clientCertificate?.key]);

const codeOf = (error: unknown): string => (error as { code?: string } | undefined)?.code ?? '';

const isCertificateFailure = (error: unknown): boolean =>
  /CERT|SIGNATURE|ERR_TLS|ERR_SSL|UNABLE_TO_/.test(codeOf(error));

const isClosedConnection = (error: unknown): boolean =>
  ['UND_ERR_SOCKET', 'ECONNRESET', 'EPIPE'].includes(codeOf(error));

/** Each is done at most once per call. */
interface Tried {
  retries: number;
  authentication?: true;
  certificates?: true;
  connection?: true;
}

export class KubeTransport {
  readonly #options: TransportOptions;
  readonly #clock: Clock;
  readonly #origin: string;
  readonly #prefix: string;
  readonly #host: string;
  #session: Session | undefined;
  #opening: Promise<Session> | undefined;
  #stale = false;
  #clockOffsetMs: number | undefined;

  constructor(options: TransportOptions) {
    this.#options = options;
    this.#clock = options.clock;
    const { origin, pathname, host } = new URL(options.connection.server);
    this.#origin = origin;
    this.#prefix = pathname.replace(/\/$/, '');
    this.#host = host;
  }

  clockOffsetMs(): number | undefined {
    return this.#clockOffsetMs;
  }

  /** One call and its parsed answer. Retries what the server asks to be retried, as far as the timeout allows. */
  async call(request: KubeRequest, options: CallOptions = {}): Promise<unknown> {
    const { signal, timeoutMs = defaultTimeoutMs } = options;
    using limit = deadline(this.#clock, timeoutMs, signal);
    const tried: Tried = { retries: 0 };
    for (;;) {
      try {
        return await this.#attempt(request, limit.signal);
      } catch (error) {
        if (signal?.aborted) throw signal.reason;
        if (limit.expired) throw new KubeUnreachable(`${describe(request)}: no answer within ${timeoutMs} ms`);
        await this.#readyToRetry(error, request, tried, limit);
      }
    }
  }

  /**
   * Opens an answer without end. `timeoutMs` limits the wait for its first line only; `signal` ends it at any time.
   * Nothing is retried: whoever watches starts again anyway.
   */
  async stream(
    request: KubeRequest,
    signal: AbortSignal,
    timeoutMs = defaultTimeoutMs,
  ): Promise<AsyncIterable<Uint8Array>> {
    const controller = new AbortController();
    const cancel = this.#clock.after(timeoutMs, () => controller.abort());
    const both = AbortSignal.any([signal, controller.signal]);
    try {
      return (await this.#send(request, both, 'WATCH')).body as AsyncIterable<Uint8Array>;
    } catch (error) {
      if (signal.aborted) throw signal.reason;
      if (controller.signal.aborted)
        throw new KubeUnreachable(`${describe(request)}: no answer within ${timeoutMs} ms`);
      throw explained(error, request);
    } finally {
      cancel();
    }
  }

  /** Cuts all connections. */
  async close(): Promise<void> {
    await Promise.allSettled([this.#session?.calls.destroy(), this.#session?.watches.destroy()]);
  }

  async #attempt(request: KubeRequest, signal: AbortSignal): Promise<unknown> {
    const { body } = await this.#send(request, signal, request.method);
    const text = await body.text();
    try {
      return text === '' ? {} : (JSON.parse(text) as unknown);
    } catch {
      throw new KubeUnreachable(`${describe(request)}: the answer is not JSON`);
    }
  }

  /** Resolves with a success; any other answer is thrown as KubeError. */
  async #send(request: KubeRequest, signal: AbortSignal, verb: string): Promise<Dispatcher.ResponseData> {
    const session = await orAbort(this.#currentSession(), signal);
    const agent = verb === 'WATCH' ? session.watches : session.calls;
    const sentMs = this.#clock.monotonicMs();
    let code = 0;
    try {
      const response = await agent.request(this.#requestOptions(request, session, signal));
      code = response.statusCode;
      this.#learnClock(response.headers['date'], sentMs);
      if (code >= 200 && code < 300) return response;
      if (code === 401) this.#stale = true;
      const status = statusOf(await response.body.text());
      throw new KubeError(describe(request), code, status, retryAfterOf(status, response.headers, this.#clock.now()));
    } finally {
      const seconds = (this.#clock.monotonicMs() - sentMs) / 1000;
      this.#options.onResponse?.({ verb, code, seconds, host: this.#host });
    }
  }

  #requestOptions(request: KubeRequest, session: Session, signal: AbortSignal): Dispatcher.RequestOptions {
    const search = new URLSearchParams();
    for (const [name, value] of Object.entries(request.query ?? {})) {
      if (value !== undefined) search.set(name, String(value));
    }
    const { serverName } = this.#options.connection;
    return {
      origin: this.#origin,
      path: `${this.#prefix}${request.path}${search.size > 0 ? '?' : ''}${search.toString()}`,
      method: request.method,
      signal,
      headers: {
        accept: 'application/json',
        'user-agent': this.#options.userAgent,
        ...session.credentials.headers,
        ...(serverName ? { host: serverName } : {}),
        ...(request.body === undefined ? {} : { 'content-type': request.contentType ?? 'application/json' }),
      },
      ...(request.body === undefined ? {} : { body: JSON.stringify(request.body) }),
    };
  }

  /** Resolves when the request may be sent again; throws if it may not, or not in time. */
  async #readyToRetry(error: unknown, request: KubeRequest, tried: Tried, limit: Deadline): Promise<void> {
    const waitMs = await this.#retryIn(error, request, tried);
    if (waitMs === undefined || waitMs >= limit.leftMs()) throw explained(error, request);
    if (waitMs > 0) await sleep(this.#clock, waitMs, limit.signal).catch(() => undefined);
  }

  /** How long to wait before the same request may be sent again; undefined if it may not. */
  async #retryIn(error: unknown, { method }: KubeRequest, tried: Tried): Promise<number | undefined> {
    if (error instanceof KubeError) return this.#retryAnswerIn(error, tried);
    if (isCertificateFailure(error) && !tried.certificates) {
      tried.certificates = true;
      return (await this.#certificatesChanged()) ? 0 : undefined;
    }
    // The server may close an idle connection in the very moment we reuse it.
    if (method === 'GET' && isClosedConnection(error) && !tried.connection) {
      tried.connection = true;
      return 0;
    }
    return undefined;
  }

  #retryAnswerIn({ code, retryAfterMs }: KubeError, tried: Tried): number | undefined {
    if (code === 401 && !tried.authentication) {
      tried.authentication = true;
      return 0;
    }
    if (retryAfterMs === undefined || (code !== 429 && code < 500) || tried.retries >= maxRetries) return undefined;
    tried.retries += 1;
    const random = this.#options.random ?? Math.random;
    return retryAfterMs * (1 + 0.2 * random());
  }

  async #certificatesChanged(): Promise<boolean> {
    const before = this.#session;
    this.#stale = true;
    return (await this.#currentSession()).calls !== before?.calls;
  }

  async #currentSession(): Promise<Session> {
    const fresh = this.#session && this.#clock.monotonicMs() - this.#session.readAtMs < credentialsLiveMs;
    if (this.#session && fresh && !this.#stale) return this.#session;
    this.#opening ??= this.#openSession().finally(() => (this.#opening = undefined));
    return this.#opening;
  }

  /** Reads the credentials again; connections survive unless their certificates changed. */
  async #openSession(): Promise<Session> {
    const old = this.#session;
    const readAtMs = this.#clock.monotonicMs();
    const credentials = await this.#options.connection.credentials().catch((cause: unknown) => {
      if (old) return old.credentials;
      throw new KubeUnreachable('the credentials for the API server cannot be read', { cause });
    });
    this.#stale = false;
    const keep = old && tlsMaterialOf(old.credentials) === tlsMaterialOf(credentials);
    const agents = keep ? { calls: old.calls, watches: old.watches } : this.#newAgents(credentials);
    if (old && !keep) for (const agent of [old.calls, old.watches]) void agent.close().catch(() => undefined);
    this.#session = { credentials, ...agents, readAtMs };
    return this.#session;
  }

  #newAgents({ ca, clientCertificate }: KubeCredentials): Pick<Session, 'calls' | 'watches'> {
    const { connection, connectTimeoutMs = 10_000 } = this.#options;
    const connect = {
      timeout: connectTimeoutMs,
      keepAlive: true,
      keepAliveInitialDelay: 30_000,
      rejectUnauthorized: connection.verifyServer,
      ...(connection.serverName ? { servername: connection.serverName } : {}),
      ...(ca ? { ca } : {}),
      ...clientCertificate,
    };
    // HTTP/1.1 on purpose: an HTTP/2 session that went into a black hole is not replaced when our own signal aborts,
    // an HTTP/1.1 connection is. Our deadlines replace undici's.
    const common = { allowH2: false, headersTimeout: 0, bodyTimeout: 0, connect };
    return {
      calls: new Agent({ ...common, connections: 16, keepAliveTimeout: 30_000 }),
      watches: new Agent(common),
    };
  }

  /** The Date header is cut to the second, so the server's clock stood half a second later on average. */
  #learnClock(header: string | string[] | undefined, sentMs: number): void {
    const serverMs = Date.parse(String(header));
    if (Number.isNaN(serverMs)) return;
    const travelMs = this.#clock.monotonicMs() - sentMs;
    this.#clockOffsetMs = serverMs + 500 - (this.#clock.now().getTime() - travelMs / 2);
  }
}

const describe = ({ method, path }: KubeRequest): string => `${method} ${path}`;

/** Names the failure without the address, headers or body that it may carry. */
function explained(error: unknown, request: KubeRequest): Error {
  if (error instanceof KubeError || error instanceof KubeUnreachable) return error;
  const { name } = error as Error;
  return new KubeUnreachable(`${describe(request)}: ${codeOf(error) || name}`, { cause: error });
}
