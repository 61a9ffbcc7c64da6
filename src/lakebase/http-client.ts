// The port to the provider over HTTP: which path, which mask, which body. No decisions.
import type { Clock } from '../kit/clock.ts';
import type { TokenSource } from './token-source.ts';
import type { CreateBranch, CreateRole, Credential, EndpointSize, LakebaseClient } from './client.ts';
import { ClockOffset } from './clock-offset.ts';
import { type Deadline, withDeadline } from './deadline.ts';
import { hasCode, LakebaseError } from './errors.ts';
import { exchange, harmlessToRepeat, onlyIfThrottled, repeating } from './exchange.ts';
import type { Branch, BranchRef, Endpoint, EndpointRef, Operation, Project, Role } from './model.ts';
import type { Token } from './token.ts';
import type { HttpRequest, Transport } from './transport.ts';
import {
  branchFrom,
  credentialFrom,
  endpointFrom,
  jsonFrom,
  operationFrom,
  pageFrom,
  projectFrom,
  roleFrom,
} from './wire.ts';

export interface HttpClientOptions {
  /** `https://…` of the workspace. */
  readonly host: string;
  readonly transport: Transport;
  readonly tokens: TokenSource;
  readonly clock: Clock;
  /** `lakebranch/<version>` */
  readonly userAgent: string;
  /** In [0, 1); for the jitter of waits. */
  readonly random?: () => number;
}

export const httpLakebaseClient = (options: HttpClientOptions): LakebaseClient => new HttpLakebaseClient(options);

const callTimeoutMs = 30_000;

/** A list that does not end is a provider in trouble, not a list. */
const maxPages = 1000;

interface Call {
  readonly method: HttpRequest['method'];
  /** Below `/api/2.0/postgres/`. */
  readonly path: string;
  readonly query?: Readonly<Record<string, string>>;
  readonly body?: object;
  /** True if a second arrival of the request does no harm. Default: GET. */
  readonly repeatable?: boolean;
}

interface Answer {
  readonly json: unknown;
  /** When the request that was answered was sent, in our clock. */
  readonly sentAt: Date;
}

class HttpLakebaseClient implements LakebaseClient {
  readonly host: string;
  readonly #options: HttpClientOptions;
  readonly #offset = new ClockOffset();

  constructor(options: HttpClientOptions) {
    this.host = options.host.replace(/\/+$/, '');
    this.#options = options;
  }

  async getProject(project: string, signal?: AbortSignal): Promise<Project> {
    const { json } = await this.#call({ method: 'GET', path: projectPath(project) }, signal);
    return projectFrom(json);
  }

  async listBranches(project: string, options?: { showDeleted?: boolean }, signal?: AbortSignal): Promise<Branch[]> {
    const query: Record<string, string> = options?.showDeleted ? { show_deleted: 'true' } : {};
    const items = await this.#list(`${projectPath(project)}/branches`, 'branches', query, signal);
    return items.map((item) => branchFrom(item, this.#offset.toOurs));
  }

  async getBranch(ref: BranchRef, signal?: AbortSignal): Promise<Branch> {
    const { json } = await this.#call({ method: 'GET', path: branchPath(ref) }, signal);
    return branchFrom(json, this.#offset.toOurs);
  }

  createBranch({ project, id, source, past, expireTime }: CreateBranch, signal?: AbortSignal): Promise<Operation> {
    const path = `${projectPath(project)}/branches`;
    const spec = {
      source_branch: branchPath({ project, branch: source }),
      ...(past && 'time' in past ? { source_branch_time: past.time.toISOString() } : {}),
      ...(past && 'lsn' in past ? { source_branch_lsn: past.lsn } : {}),
      expire_time: this.#offset.toTheirs(expireTime).toISOString(),
    };
    return this.#change({ method: 'POST', path, query: { branch_id: id }, body: { spec } }, signal);
  }

  setExpiration(ref: BranchRef, expireTime: Date | undefined, signal?: AbortSignal): Promise<Operation> {
    const spec = expireTime ? { expire_time: this.#offset.toTheirs(expireTime).toISOString() } : { no_expiry: true };
    return this.#change(patch(branchPath(ref), ['spec.expiration'], spec), signal);
  }

  deleteBranch(ref: BranchRef, signal?: AbortSignal): Promise<Operation> {
    return this.#change({ method: 'DELETE', path: branchPath(ref) }, signal);
  }

  async listEndpoints(ref: BranchRef, signal?: AbortSignal): Promise<Endpoint[]> {
    const items = await this.#list(`${branchPath(ref)}/endpoints`, 'endpoints', {}, signal);
    return items.map(endpointFrom);
  }

  async resizeEndpoint(
    ref: EndpointRef,
    { minCU, maxCU, suspendAfterSeconds }: EndpointSize,
    signal?: AbortSignal,
  ): Promise<Operation> {
    const mask: string[] = [];
    if (minCU !== undefined) mask.push('spec.autoscaling_limit_min_cu');
    if (maxCU !== undefined) mask.push('spec.autoscaling_limit_max_cu');
    if (suspendAfterSeconds !== undefined) mask.push('spec.suspension');
    // An empty mask would mean "all fields".
    if (mask.length === 0) throw new LakebaseError('invalid', 'no size to set was given');
    const spec = {
      autoscaling_limit_min_cu: minCU,
      autoscaling_limit_max_cu: maxCU,
      suspend_timeout_duration: suspendAfterSeconds === undefined ? undefined : `${suspendAfterSeconds}s`,
    };
    return this.#change(patch(endpointPath(ref), mask, spec), signal);
  }

  async listRoles(ref: BranchRef, signal?: AbortSignal): Promise<Role[]> {
    const items = await this.#list(`${branchPath(ref)}/roles`, 'roles', {}, signal);
    return items.map(roleFrom);
  }

  createRole(
    ref: BranchRef,
    { roleId, postgresRole, membershipRoles }: CreateRole,
    signal?: AbortSignal,
  ): Promise<Operation> {
    const spec = {
      postgres_role: postgresRole,
      identity_type: 'SERVICE_PRINCIPAL',
      auth_method: 'LAKEBASE_OAUTH_V1',
      membership_roles: membershipRoles,
    };
    const path = `${branchPath(ref)}/roles`;
    return this.#change({ method: 'POST', path, query: { role_id: roleId }, body: { spec } }, signal);
  }

  setRoleMembership(
    ref: BranchRef,
    roleId: string,
    membershipRoles: readonly string[],
    signal?: AbortSignal,
  ): Promise<Operation> {
    const path = `${branchPath(ref)}/roles/${encodeURIComponent(roleId)}`;
    return this.#change(patch(path, ['spec.membership_roles'], { membership_roles: membershipRoles }), signal);
  }

  async mintCredential(ref: EndpointRef, ttlSeconds: number, signal?: AbortSignal): Promise<Credential> {
    const body = { endpoint: endpointPath(ref), ttl: `${ttlSeconds}s` };
    // Repeatable: a token whose answer was lost is known to nobody and dies by itself.
    const { json, sentAt } = await this.#call({ method: 'POST', path: 'credentials', body, repeatable: true }, signal);
    return { ...credentialFrom(json, this.#offset.toOurs), issueTime: sentAt };
  }

  async getOperation(name: string, signal?: AbortSignal): Promise<Operation> {
    return this.#change({ method: 'GET', path: name.split('/').map(encodeURIComponent).join('/') }, signal);
  }

  principal(signal?: AbortSignal): Promise<string> {
    const { clock, tokens } = this.#options;
    return withDeadline(clock, callTimeoutMs, signal, (deadline) => tokens.principal(deadline.signal));
  }

  clockOffsetMs(): number | undefined {
    return this.#offset.ms;
  }

  async #change(call: Call, signal: AbortSignal | undefined): Promise<Operation> {
    const { json } = await this.#call(call, signal);
    return operationFrom(json);
  }

  /** All items of all pages; the deadline of a call holds for all of them together. */
  #list(
    path: string,
    plural: string,
    query: Readonly<Record<string, string>>,
    signal: AbortSignal | undefined,
  ): Promise<unknown[]> {
    return withDeadline(this.#options.clock, callTimeoutMs, signal, async (deadline) => {
      const all: unknown[] = [];
      let next: string | undefined;
      for (let pages = 0; pages < maxPages; pages++) {
        const paging: Record<string, string> = next === undefined ? {} : { page_token: next };
        const { json } = await this.#perform({ method: 'GET', path, query: { ...query, ...paging } }, deadline);
        const page = pageFrom(json, plural);
        all.push(...page.items);
        if (page.next === undefined) return all;
        next = page.next;
      }
      throw new LakebaseError('unavailable', `the list of ${plural} does not end`);
    });
  }

  #call(call: Call, signal: AbortSignal | undefined): Promise<Answer> {
    return withDeadline(this.#options.clock, callTimeoutMs, signal, (deadline) => this.#perform(call, deadline));
  }

  async #perform(call: Call, deadline: Deadline): Promise<Answer> {
    const { clock, tokens, random = Math.random } = this.#options;
    const repeatable = call.repeatable ?? call.method === 'GET';
    const send = (token: Token): Promise<Answer> =>
      repeating({ clock, random }, deadline, repeatable ? harmlessToRepeat : onlyIfThrottled, () =>
        this.#send(call, token, deadline.signal),
      );
    const token = await tokens.accessToken(deadline.signal);
    try {
      return await send(token);
    } catch (error) {
      if (!hasCode(error, 'unauthenticated')) throw error;
      // Revoked before its time, perhaps: one more try with a new one.
      tokens.refuse(token);
      return await send(await tokens.accessToken(deadline.signal));
    }
  }

  async #send(call: Call, token: Token, signal: AbortSignal): Promise<Answer> {
    const { clock, transport } = this.#options;
    const sentAt = clock.now();
    const sentAtMs = clock.monotonicMs();
    const timed: Transport = async (request) => {
      const response = await transport(request, signal);
      const receivedMs = sentAt.getTime() + clock.monotonicMs() - sentAtMs;
      this.#offset.observe(response.headers['date'], { sentMs: sentAt.getTime(), receivedMs });
      return response;
    };
    const { body } = await exchange(timed, this.#request(call, token), { signal, clock, secrets: [token] });
    return { json: jsonFrom(body), sentAt };
  }

  #request({ method, path, query = {}, body }: Call, token: Token): HttpRequest {
    const parameters = new URLSearchParams(query).toString();
    const headers = {
      accept: 'application/json',
      authorization: `Bearer ${token.reveal()}`,
      'user-agent': this.#options.userAgent,
    };
    const url = `${this.host}/api/2.0/postgres/${path}${parameters && `?${parameters}`}`;
    if (!body) return { method, url, headers };
    return { method, url, headers: { ...headers, 'content-type': 'application/json' }, body: JSON.stringify(body) };
  }
}

const projectPath = (project: string): string => `projects/${encodeURIComponent(project)}`;
const branchPath = ({ project, branch }: BranchRef): string =>
  `${projectPath(project)}/branches/${encodeURIComponent(branch)}`;
const endpointPath = (ref: EndpointRef): string => `${branchPath(ref)}/endpoints/${encodeURIComponent(ref.endpoint)}`;

/** Exactly the masked fields, or the provider refuses it. */
const patch = (path: string, mask: readonly string[], spec: object): Call => ({
  method: 'PATCH',
  path,
  query: { update_mask: mask.join(',') },
  body: { spec },
});
