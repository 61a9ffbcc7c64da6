// One HTTP exchange, as plain data. Everything above works on any Transport: the network, or an emulator in-process.
import { Agent, buildConnector, type Dispatcher, EnvHttpProxyAgent, Pool, request as send } from 'undici';
import type { UnreachableCause } from './errors.ts';

export interface HttpRequest {
  readonly method: 'GET' | 'POST' | 'PATCH' | 'DELETE';
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string;
}

export interface HttpResponse {
  readonly status: number;
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** Any answer resolves, whatever its status. No answer rejects, with a TransportError where the cause is known. */
export type Transport = (request: HttpRequest, signal: AbortSignal) => Promise<HttpResponse>;

/** No answer came. Has no `cause`: errors of the network stack can hold pieces of an answer. */
export class TransportError extends Error {
  override readonly name = 'TransportError';
  readonly reason: UnreachableCause;

  constructor(reason: UnreachableCause, message: string) {
    super(message);
    this.reason = reason;
  }
}

export interface ProxySettings {
  /** May hold user and password. Used for https only, as HTTPS_PROXY is. */
  readonly url: string;
  /** As in NO_PROXY: hosts and domains that are asked directly, separated by commas. */
  readonly noProxy?: string | undefined;
}

export interface NetworkSettings {
  /** PEM of the only CAs to trust, of workspace and https proxy alike; the system's when absent. */
  readonly ca?: string | undefined;
  readonly proxy?: ProxySettings | undefined;
}

export type NetworkTransport = Transport & {
  /** Breaks off what is under way and closes all connections. */
  close(): Promise<void>;
};

const connectTimeout = 10_000;
const silenceTimeout = 15_000;
const maxConnections = 16;
const maxResponseSize = 10 * 1024 * 1024;

/** HTTP/1.1 with kept connections. Reads no environment variable. */
export function undiciTransport(settings: NetworkSettings = {}): NetworkTransport {
  const dispatcher = dispatcherFor(settings);
  const transport: Transport = async ({ method, url, headers, body }, signal) => {
    try {
      const answer = await send(url, { dispatcher, method, headers, body: body ?? null, signal });
      return { status: answer.statusCode, headers: plainHeaders(answer.headers), body: await answer.body.text() };
    } catch (error) {
      signal.throwIfAborted();
      throw transportError(error);
    }
  };
  return Object.assign(transport, { close: () => dispatcher.destroy() });
}

function dispatcherFor({ ca, proxy }: NetworkSettings): Dispatcher {
  const tls = ca === undefined ? {} : { ca };
  const options = {
    connections: maxConnections,
    // A black-holed HTTP/2 session is kept and asked again and again; a black-holed HTTP/1.1 connection is dropped.
    allowH2: false,
    connect: { ...tls, timeout: connectTimeout },
    connectTimeout,
    headersTimeout: silenceTimeout,
    bodyTimeout: silenceTimeout,
    keepAliveTimeout: 20_000,
    keepAliveMaxTimeout: 55_000,
    maxResponseSize,
  } satisfies Agent.Options;
  if (!proxy) return new Agent(options);
  const { uri, authorization } = proxyAddress(proxy.url);
  return new EnvHttpProxyAgent({
    ...options,
    // Empty strings, because for absent values the agent looks into the environment.
    httpProxy: '',
    httpsProxy: uri,
    noProxy: proxy.noProxy ?? '',
    requestTls: tls,
    proxyTls: tls,
    ...(authorization === undefined ? {} : { token: authorization }),
    clientFactory: (origin) =>
      new Pool(origin, { connect: proxyConnector(tls), allowH2: false, headersTimeout: silenceTimeout }),
  });
}

/** The proxy's password travels apart from its address, and bad addresses are not quoted: no error may hold it. */
function proxyAddress(url: string): { uri: string; authorization: string | undefined } {
  const parsed = URL.parse(url.includes('://') ? url : `http://${url}`);
  if (!parsed) throw new TypeError('the address of the proxy is not a URL');
  const { origin, username, password } = parsed;
  if (!username) return { uri: origin, authorization: undefined };
  const pair = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`;
  return { uri: origin, authorization: `Basic ${Buffer.from(pair).toString('base64')}` };
}

/** Connects to the proxy; a failure says that it was the proxy that could not be reached, not the workspace. */
function proxyConnector(tls: { ca?: string }): buildConnector.connector {
  const connect = buildConnector({ ...tls, timeout: connectTimeout, allowH2: false });
  return (options, done) =>
    connect(options, (error, socket) => {
      if (error) done(new TransportError('proxy', `cannot reach the proxy: ${transportError(error).message}`), null);
      else done(null, socket);
    });
}

function plainHeaders(headers: Record<string, string | string[] | undefined>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(headers).flatMap(([name, value]) =>
      value === undefined ? [] : [[name, [value].flat().join(', ')]],
    ),
  );
}

const reasons: readonly (readonly [pattern: RegExp, reason: UnreachableCause, words: string])[] = [
  [/^(ENOTFOUND|EAI_)/, 'dns', 'the host name cannot be resolved'],
  [/^ECONNREFUSED$/, 'refused', 'the connection was refused'],
  [/^(ECONNRESET|EPIPE|UND_ERR_SOCKET)$/, 'reset', 'the connection was closed before the answer was complete'],
  [/^(ETIMEDOUT|UND_ERR_\w+_TIMEOUT)$/, 'timeout', 'no answer in time'],
  [/^(ERR_SSL_|EPROTO$)/, 'tls', 'the other side does not speak TLS with us'],
  [/^(UND_ERR_PRX_|UND_ERR_ABORTED$)/, 'proxy', 'the proxy does not let the connection through'],
  [/^UND_ERR_RES_EXCEEDED_MAX_SIZE$/, 'other', 'the answer is longer than 10 MiB'],
];

const certificateCode = /^(ERR_TLS_|CERT_|UNABLE_TO_|SELF_SIGNED_|DEPTH_ZERO_)/;

// Messages end up in statuses: they hold no credential, and nothing that differs from one try to the next. Of the
// network stack's own messages only those about certificates are like that.
function transportError(error: unknown): TransportError {
  if (error instanceof TransportError) return error;
  const { code, message } =
    error instanceof Error ? { code: codeOf(error), message: error.message } : { code: '', message: '' };
  if (certificateCode.test(code)) return new TransportError('tls', `the TLS certificate is not accepted: ${message}`);
  const [, reason, words] =
    reasons.find(([pattern]) => pattern.test(code)) ?? ([undefined, 'other', 'the request failed'] as const);
  const proxyStatus = /^Proxy response \((\d{3})\)/.exec(message)?.[1];
  const detail = proxyStatus ? `HTTP ${proxyStatus}` : code;
  return new TransportError(reason, detail ? `${words} (${detail})` : words);
}

const codeOf = (error: Error): string => ('code' in error ? String(error.code) : '');
