// From a request to an answer: faults first, then who asks, then the route, then the error body. No sockets.
import { unreachable } from '../kit/result.ts';
import { authorizationServer, databricksConfig, issueAccessToken } from './oauth.ts';
import { ok, type Answer, type Call } from './call.ts';
import { Refusal, answerTo } from './errors.ts';
import { findByAccessToken, findByName, type Principal } from './principals.ts';
import { newTraceId } from './random.ts';
import { routerOf, type Router } from './router.ts';
import { branchRoutes } from './routes/branches.ts';
import { credentialRoutes } from './routes/credentials.ts';
import { databaseRoutes } from './routes/databases.ts';
import { endpointRoutes } from './routes/endpoints.ts';
import { projectRoutes } from './routes/projects.ts';
import { roleRoutes } from './routes/roles.ts';
import { apiPrefix } from './routes/route.ts';
import { workspaceRoutes } from './routes/workspace.ts';
import type { Trouble } from './faults.ts';
import type { Json } from './masks.ts';
import type { Saver } from './store.ts';
import type { Workspace } from './workspace.ts';

export interface EmulatorRequest {
  readonly method: string;
  /** Absolute, or a path with query; then the Host header says where the client thinks we are. */
  readonly url: string;
  /** Names in any case. */
  readonly headers: Readonly<Record<string, string | undefined>>;
  readonly body?: string | undefined;
}

export interface EmulatorResponse {
  readonly status: number;
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** The connection breaks instead of an answer; what the request asked for may have happened. */
export class ConnectionLost extends Error {
  override readonly name = 'ConnectionLost';
}

const resources = [
  ...projectRoutes,
  ...branchRoutes,
  ...endpointRoutes,
  ...roleRoutes,
  ...databaseRoutes,
  ...credentialRoutes,
  ...workspaceRoutes,
];

interface Asked {
  readonly method: string;
  readonly url: URL;
  readonly headers: Readonly<Record<string, string | undefined>>;
  readonly body: string;
}

export class Gateway {
  readonly #workspace: Workspace & { readonly saver: Saver };
  readonly #route: Router = routerOf(resources);

  constructor(workspace: Workspace & { readonly saver: Saver }) {
    this.#workspace = workspace;
  }

  async handle(request: EmulatorRequest): Promise<EmulatorResponse> {
    const asked = readRequest(request);
    const trouble = this.#workspace.faults.take(asked.method, asked.url.pathname);
    return this.#respond(trouble ? await this.#troubled(asked, trouble) : await this.#answer(asked));
  }

  async #troubled(asked: Asked, trouble: Trouble): Promise<Answer> {
    switch (trouble.kind) {
      case 'answer':
        return this.#scripted(trouble);
      case 'delay':
        await this.#workspace.lifecycle.pause(trouble.ms);
        return this.#answer(asked);
      case 'failAfter':
        await this.#answer(asked);
        return { ...this.#refused(new Refusal('internal')), status: trouble.status ?? 500 };
      case 'loseAnswer':
        await this.#answer(asked);
        throw new ConnectionLost('the answer was lost');
      case 'loseRequest':
        throw new ConnectionLost('the request was lost');
      default:
        return unreachable(trouble);
    }
  }

  async #answer(asked: Asked): Promise<Answer> {
    try {
      const answer = (await this.#openRoute(asked)) ?? (await this.#call(asked));
      // Reads too: a branch that was seen READY must not be INIT, and made again, after a crash.
      await this.#workspace.saver.saved();
      return answer;
    } catch (error) {
      if (error instanceof Refusal) return this.#refused(error);
      this.#workspace.log('request failed', { method: asked.method, path: asked.url.pathname, error: String(error) });
      return this.#refused(new Refusal('internal'));
    }
  }

  /** What needs no credentials. */
  async #openRoute({ method, url, headers, body }: Asked): Promise<Answer | undefined> {
    switch (`${method} ${url.pathname}`) {
      case 'HEAD /':
        return { status: 200, body: undefined };
      case 'GET /.well-known/databricks-config':
        return ok(databricksConfig(this.#workspace, url.origin));
      case 'GET /oidc/.well-known/oauth-authorization-server':
      case 'GET /oidc/.well-known/openid-configuration':
        return ok(authorizationServer(url.origin));
      case 'POST /oidc/v1/token':
        this.#workspace.journal.count('POST /oidc/v1/token');
        return issueAccessToken(this.#workspace, new URLSearchParams(body), headers['authorization']);
      case 'POST /telemetry-ext':
        return ok({});
      default:
        return undefined;
    }
  }

  async #principal({ headers }: Asked): Promise<Principal> {
    const { settings, tokens } = this.#workspace;
    const bearer = /^Bearer +(\S+)$/i.exec(headers['authorization'] ?? '')?.[1];
    if (bearer === undefined) throw new Refusal('unauthenticated');
    const user = findByAccessToken(settings.principals, bearer);
    if (user) return user;
    const claims = await tokens.read(bearer);
    const principal = claims?.use === 'workspace' ? findByName(settings.principals, claims.identity) : undefined;
    if (!claims || !principal) throw new Refusal('tokenInvalid');
    if (claims.expiresAt <= this.#workspace.now()) throw new Refusal('tokenExpired');
    return principal;
  }

  /** What is not there is 404 at once, whoever asks: clients probe for documents without credentials. */
  async #call(asked: Asked): Promise<Answer> {
    const { method, url, body } = asked;
    const path = url.pathname;
    if (method === 'GET' && isOperation(path)) {
      await this.#principal(asked);
      return this.#operation(path.slice(`${apiPrefix}/`.length));
    }
    const match = this.#route(method, path);
    if (!match) throw new Refusal('noSuchApi', { method, path: path.replace(/^\/api\/2\.0(?=\/)/, '') });
    const workspace = this.#workspace;
    const principal = await this.#principal(asked);
    workspace.journal.count(`${match.route.method} ${match.route.path}`);
    const call: Call = { workspace, principal, params: match.params, query: url.searchParams, body: parseBody(body) };
    return match.route.handle(call);
  }

  #operation(name: string): Answer {
    this.#workspace.journal.count('GET operation');
    const operation = this.#workspace.operations.poll(name);
    if (!operation) throw new Refusal('operationMissing', { name });
    return ok(operation);
  }

  #refused(refusal: Refusal): Answer {
    const { random, faults } = this.#workspace;
    return answerTo(refusal, newTraceId(random), faults.behaviour.variants);
  }

  #scripted(trouble: Extract<Trouble, { kind: 'answer' }>): Answer {
    const retryAfter = trouble.retryAfterSeconds;
    const headers: Record<string, string> = {
      ...(retryAfter === undefined ? {} : { 'retry-after': String(retryAfter) }),
      ...(trouble.contentType === undefined ? {} : { 'content-type': trouble.contentType }),
    };
    const { code, message } = usualError(trouble.status);
    const body = trouble.body ?? {
      error_code: trouble.errorCode ?? code,
      message: `${trouble.message ?? message} [TraceId: ${newTraceId(this.#workspace.random)}]`,
      details: [],
    };
    return { status: trouble.status, headers, body };
  }

  /** A string is sent as it is, everything else as JSON. */
  #respond({ status, body, headers = {} }: Answer): EmulatorResponse {
    return {
      status,
      headers: {
        'content-type': 'application/json',
        date: new Date(this.#workspace.now()).toUTCString(),
        ...headers,
      },
      body: bodyText(body),
    };
  }
}

function bodyText(body: unknown): string {
  if (body === undefined) return '';
  return typeof body === 'string' ? body : JSON.stringify(body);
}

const isOperation = (path: string): boolean =>
  path.startsWith(`${apiPrefix}/`) && path.split('/').at(-2) === 'operations';

/** What the service usually says with a status. */
function usualError(status: number): { code: string; message: string } {
  const usual: Record<number, { code: string; message: string }> = {
    401: { code: 'UNAUTHENTICATED', message: 'Invalid access token.' },
    403: { code: 'PERMISSION_DENIED', message: 'User does not have the permission for this.' },
    404: { code: 'NOT_FOUND', message: 'branch id not found' },
    409: { code: 'ABORTED', message: 'Conflicting operation.' },
    429: { code: 'RESOURCE_EXHAUSTED', message: 'Too many requests.' },
    503: { code: 'TEMPORARILY_UNAVAILABLE', message: 'The service is temporarily unavailable.' },
    504: { code: 'DEADLINE_EXCEEDED', message: 'The deadline was exceeded.' },
  };
  if (usual[status]) return usual[status];
  return status < 500
    ? { code: 'BAD_REQUEST', message: 'The request was refused.' }
    : { code: 'INTERNAL_ERROR', message: 'The request could not be processed.' };
}

function readRequest({ method, url, headers, body }: EmulatorRequest): Asked {
  const lower = Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]));
  const base = `http://${lower['host'] ?? 'localhost'}`;
  return { method: method.toUpperCase(), url: new URL(url, base), headers: lower, body: body ?? '' };
}

/** An object, {} for no body at all. In protobuf JSON null means absent. */
function parseBody(text: string): Json {
  if (text.trim() === '') return {};
  try {
    const value: unknown = JSON.parse(text, (_, member: unknown) => (member === null ? undefined : member));
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return { ...value };
  } catch {
    throw new Refusal('malformed', { problem: 'the body is not JSON' });
  }
  throw new Refusal('malformed', { problem: 'the body is not a JSON object' });
}
