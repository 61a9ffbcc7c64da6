import { describe, expect, test } from 'vitest';
import {
  failureOf,
  fails,
  ok,
  refusal,
  type Reply,
  scriptedTransport,
  settled,
  silence,
} from '../../test/fakes/scripted-transport.ts';
import { ManualClock } from '../kit/clock.ts';
import type { TokenSource } from './auth.ts';
import type { LakebaseClient } from './client.ts';
import type { UnreachableCause } from './errors.ts';
import { httpLakebaseClient } from './http-client.ts';
import { Token } from './token.ts';
import { type HttpRequest, TransportError } from './transport.ts';

const start = new Date('2026-03-01T12:00:00Z');
const host = 'https://dbc.example';
const api = `${host}/api/2.0/postgres`;

const branch = { project: 'shop', branch: 'pr-1' };
const endpoint = { ...branch, endpoint: 'primary' };
const branchName = 'projects/shop/branches/pr-1';
const operationName = `${branchName}/operations/7`;
const operation = ok({ name: operationName, done: false });
const branchJson = (more: object = {}): object => ({ name: branchName, uid: 'br-1', parent: 'projects/shop', ...more });

interface Scene {
  readonly clock: ManualClock;
  readonly client: LakebaseClient;
  readonly next: Reply[];
  readonly asked: HttpRequest[];
  readonly refused: string[];
}

function scene(otherwise: Reply): Scene {
  const clock = new ManualClock(start);
  const { transport, next, requests: asked } = scriptedTransport(otherwise);
  const refused: string[] = [];
  const tokens: TokenSource = {
    accessToken: async () => new Token(`s3same-${refused.length + 1}`),
    refuse: (token) => void refused.push(token.reveal()),
    principal: async () => 'app-1',
  };
  // Without jitter a wait is half of the longest.
  const client = httpLakebaseClient({
    host: `${host}/`,
    transport,
    tokens,
    clock,
    userAgent: 'lakebranch/test',
    random: () => 0,
  });
  return { clock, client, next, asked, refused };
}

const expiry = new Date('2026-03-03T12:00:00.500Z');

describe('what is sent', () => {
  test.each<
    [verb: string, call: (client: LakebaseClient) => Promise<unknown>, method: string, path: string, body?: unknown]
  >([
    ['getBranch', (client) => client.getBranch(branch), 'GET', `/${branchName}`],
    ['getProject', (client) => client.getProject('shop'), 'GET', '/projects/shop'],
    ['listBranches', (client) => client.listBranches('shop'), 'GET', '/projects/shop/branches'],
    [
      'listBranches with the deleted ones',
      (client) => client.listBranches('shop', { showDeleted: true }),
      'GET',
      '/projects/shop/branches?show_deleted=true',
    ],
    [
      'listBranches without them',
      (client) => client.listBranches('shop', { showDeleted: false }),
      'GET',
      '/projects/shop/branches',
    ],
    [
      'createBranch',
      (client) => client.createBranch({ project: 'shop', id: 'pr-1', source: 'production', expireTime: expiry }),
      'POST',
      '/projects/shop/branches?branch_id=pr-1',
      { spec: { source_branch: 'projects/shop/branches/production', expire_time: '2026-03-03T12:00:00.500Z' } },
    ],
    [
      'setExpiration',
      (client) => client.setExpiration(branch, expiry),
      'PATCH',
      `/${branchName}?update_mask=spec.expiration`,
      { spec: { expire_time: '2026-03-03T12:00:00.500Z' } },
    ],
    ['deleteBranch', (client) => client.deleteBranch(branch), 'DELETE', `/${branchName}`],
    ['listEndpoints', (client) => client.listEndpoints(branch), 'GET', `/${branchName}/endpoints`],
    [
      'resizeEndpoint, everything',
      (client) => client.resizeEndpoint(endpoint, { minCU: 0.5, maxCU: 2, suspendAfterSeconds: 300 }),
      'PATCH',
      `/${branchName}/endpoints/primary?update_mask=spec.autoscaling_limit_min_cu%2Cspec.autoscaling_limit_max_cu%2Cspec.suspension`,
      { spec: { autoscaling_limit_min_cu: 0.5, autoscaling_limit_max_cu: 2, suspend_timeout_duration: '300s' } },
    ],
    [
      'resizeEndpoint, one field and no other',
      (client) => client.resizeEndpoint(endpoint, { maxCU: 2 }),
      'PATCH',
      `/${branchName}/endpoints/primary?update_mask=spec.autoscaling_limit_max_cu`,
      { spec: { autoscaling_limit_max_cu: 2 } },
    ],
    [
      'resizeEndpoint, the suspend time alone',
      (client) => client.resizeEndpoint(endpoint, { suspendAfterSeconds: 60 }),
      'PATCH',
      `/${branchName}/endpoints/primary?update_mask=spec.suspension`,
      { spec: { suspend_timeout_duration: '60s' } },
    ],
    ['listRoles', (client) => client.listRoles(branch), 'GET', `/${branchName}/roles`],
    [
      'createRole',
      (client) =>
        client.createRole(branch, { roleId: 'sp-1', postgresRole: 'app-2', membershipRoles: ['DATABRICKS_SUPERUSER'] }),
      'POST',
      `/${branchName}/roles?role_id=sp-1`,
      {
        spec: {
          postgres_role: 'app-2',
          identity_type: 'SERVICE_PRINCIPAL',
          auth_method: 'LAKEBASE_OAUTH_V1',
          membership_roles: ['DATABRICKS_SUPERUSER'],
        },
      },
    ],
    [
      'setRoleMembership',
      (client) => client.setRoleMembership(branch, 'sp-1', ['A', 'B']),
      'PATCH',
      `/${branchName}/roles/sp-1?update_mask=spec.membership_roles`,
      { spec: { membership_roles: ['A', 'B'] } },
    ],
    [
      'mintCredential',
      (client) => client.mintCredential(endpoint, 900),
      'POST',
      '/credentials',
      { endpoint: `${branchName}/endpoints/primary`, ttl: '900s' },
    ],
    ['getOperation', (client) => client.getOperation(operationName), 'GET', `/${operationName}`],
  ])('%s', async (_, call, method, path, body) => {
    const it = scene((request, signal) => {
      const page = /\/(branches|endpoints|roles)(\?show_deleted=true)?$/.test(request.url) && request.method === 'GET';
      const name = request.url.endsWith('/projects/shop') ? 'projects/shop' : branchName;
      return ok(page ? {} : { name, uid: 'u', token: 't', expire_time: '2026-03-01T13:00:00Z' })(request, signal);
    });
    await settled(it.clock, call(it.client));
    const headers = { accept: 'application/json', authorization: 'Bearer s3same-1', 'user-agent': 'lakebranch/test' };
    const content = body === undefined ? {} : { 'content-type': 'application/json' };
    const { body: sent, ...request } = it.asked[0]!;
    expect(request).toEqual({ method, url: api + path, headers: { ...headers, ...content } });
    expect(sent === undefined ? undefined : JSON.parse(sent)).toEqual(body);
    expect(it.asked).toHaveLength(1);
  });

  test('an odd id cannot become another path', async () => {
    const it = scene(operation);
    await settled(it.clock, it.client.deleteBranch({ project: 'shop', branch: 'a/../production?purge=true#' }));
    expect(it.asked[0]?.url).toBe(`${api}/projects/shop/branches/a%2F..%2Fproduction%3Fpurge%3Dtrue%23`);
  });

  test('a size without a field is refused: an empty mask would mean all fields', async () => {
    const it = scene(operation);
    expect(await failureOf(it.clock, it.client.resizeEndpoint(endpoint, {}))).toMatchObject({ code: 'invalid' });
    expect(it.asked).toEqual([]);
  });
});

describe('what comes back', () => {
  test('all pages of a list', async () => {
    const it = scene(ok({}));
    const page = (id: string, next_page_token?: string): Reply =>
      ok({ branches: [{ name: `projects/shop/branches/${id}`, uid: id }], next_page_token });
    it.next.push(page('a', 'p/2'), page('b', 'p3'), page('c'));
    const branches = await settled(it.clock, it.client.listBranches('shop', { showDeleted: true }));
    expect(branches.map(({ id }) => id)).toEqual(['a', 'b', 'c']);
    expect(it.asked.map(({ url }) => url.split('?')[1])).toEqual([
      'show_deleted=true',
      'show_deleted=true&page_token=p%2F2',
      'show_deleted=true&page_token=p3',
    ]);
  });

  test('a list that does not end is an error, not a hang', async () => {
    const it = scene(ok({ next_page_token: 'again' }));
    expect(await failureOf(it.clock, it.client.listRoles(branch))).toMatchObject({
      code: 'unavailable',
      message: 'the list of roles does not end',
    });
  });

  test('half a list is no list', async () => {
    const it = scene(ok({ branches: [branchJson()], next_page_token: 'p2' }));
    it.next.push(ok({ branches: [branchJson()], next_page_token: 'p2' }), refusal(500, 'INTERNAL_ERROR'));
    expect(await failureOf(it.clock, it.client.listBranches('shop'))).toMatchObject({ code: 'unavailable' });
  });

  test('a credential is as old as its request', async () => {
    const credentialReply = ok({ token: 't', expire_time: '2026-03-01T13:00:00Z' });
    const it = scene(credentialReply);
    it.next.push(refusal(429, 'RESOURCE_EXHAUSTED', '', { 'retry-after': '2' }), (request, signal) => {
      it.clock.advance(5_000);
      return credentialReply(request, signal);
    });
    const credential = await settled(it.clock, it.client.mintCredential(endpoint, 3600));
    expect(credential.issueTime).toEqual(new Date('2026-03-01T12:00:02Z'));
    expect(credential.expireTime).toEqual(new Date('2026-03-01T13:00:00Z'));
    expect(credential.token.reveal()).toBe('t');
  });

  test('the principal, and the host without its slash', async () => {
    const it = scene(ok({}));
    expect(await settled(it.clock, it.client.principal())).toBe('app-1');
    expect(it.client.host).toBe(host);
  });

  test.each<[what: string, reply: Reply, message: string]>([
    ['a page instead of JSON', () => ({ status: 200, headers: {}, body: '<html>s3cret' }), 'the answer is not JSON'],
    ['an empty body', () => ({ status: 200, headers: {}, body: '' }), 'the answer is not JSON'],
    ['JSON of another kind', ok({ hello: 's3cret' }), 'the answer has no usable field name'],
  ])('%s is an error, not a branch', async (_, reply, message) => {
    const it = scene(reply);
    expect(await failureOf(it.clock, it.client.getBranch(branch))).toMatchObject({ code: 'unavailable', message });
    expect(it.asked).toHaveLength(1);
  });
});

describe('the clock of the provider', () => {
  const dated = (body: object, aheadMs: number, clock: ManualClock): Reply =>
    ok(body, { date: new Date(clock.now().getTime() + aheadMs).toUTCString() });

  test('is unknown until it answers', () => {
    expect(scene(operation).client.clockOffsetMs()).toBeUndefined();
  });

  test('shifts what comes and what goes', async () => {
    const it = scene(operation);
    it.next.push(dated(branchJson({ status: { expire_time: '2026-03-03T12:10:00Z' } }), 600_000, it.clock));
    const { expireTime } = await settled(it.clock, it.client.getBranch(branch));
    expect(it.client.clockOffsetMs()).toBe(600_000);
    expect(expireTime).toEqual(new Date('2026-03-03T12:00:00Z'));
    await settled(it.clock, it.client.setExpiration(branch, new Date('2026-03-03T12:00:00Z')));
    await settled(
      it.clock,
      it.client.createBranch({ ...branch, id: 'x', source: 's', expireTime: new Date('2026-03-03T12:00:00Z') }),
    );
    expect(it.asked.slice(1).map(({ body }) => body)).toEqual([
      expect.stringContaining('"2026-03-03T12:10:00.000Z"'),
      expect.stringContaining('"2026-03-03T12:10:00.000Z"'),
    ]);
  });

  test('is learnt from refusals too', async () => {
    const it = scene(operation);
    it.next.push(refusal(404, 'NOT_FOUND', '', { date: new Date(start.getTime() - 60_000).toUTCString() }));
    await failureOf(it.clock, it.client.getBranch(branch));
    expect(it.client.clockOffsetMs()).toBe(-59_000);
  });
});

describe('repetition', () => {
  const lost = (reason: UnreachableCause): Reply => fails(new TransportError(reason, 'words'));
  const read = (client: LakebaseClient): Promise<unknown> => client.getBranch(branch);
  const write = (client: LakebaseClient): Promise<unknown> => client.setExpiration(branch, expiry);
  const mint = (client: LakebaseClient): Promise<unknown> => client.mintCredential(endpoint, 900);

  test.each<[what: string, trouble: Reply, read: boolean, write: boolean]>([
    ['429', refusal(429, 'RESOURCE_EXHAUSTED'), true, true],
    ['503', refusal(503, 'UNAVAILABLE'), true, false],
    ['500', refusal(500, 'INTERNAL_ERROR'), false, false],
    ['502 from a gateway', () => ({ status: 502, headers: {}, body: '<html>' }), false, false],
    ['409', refusal(409, 'ABORTED'), false, false],
    ['404', refusal(404, 'NOT_FOUND'), false, false],
    ['a reset', lost('reset'), true, false],
    ['a refused connection', lost('refused'), true, false],
    ['silence', lost('timeout'), true, false],
    ['a name that does not resolve', lost('dns'), true, false],
    ['a certificate that is not trusted', lost('tls'), false, false],
    ['a proxy that says no', lost('proxy'), false, false],
    ['an unknown failure', fails(new Error('s3cret')), false, false],
  ])('after %s', async (_, trouble, reads, writes) => {
    for (const [call, repeated] of [
      [read, reads],
      [write, writes],
      [mint, reads],
    ] as const) {
      const it = scene(ok({ ...branchJson(), token: 't', expire_time: '2026-03-01T13:00:00Z' }));
      it.next.push(trouble);
      const outcome = await settled(
        it.clock,
        call(it.client).then(
          () => 'ok',
          () => 'failed',
        ),
      );
      expect([outcome, it.asked.length]).toEqual(repeated ? ['ok', 2] : ['failed', 1]);
    }
  });

  test('a failure that we do not know is not quoted: it may hold the request', async () => {
    const it = scene(fails(new Error('s3cret')));
    const error = await failureOf(it.clock, read(it.client));
    expect(error).toMatchObject({ name: 'LakebaseError', code: 'unreachable', message: 'the request failed' });
    expect(error).not.toHaveProperty('cause');
  });

  test.each<[what: string, trouble: Reply, waits: number[]]>([
    ['the provider says when', refusal(429, 'X', '', { 'retry-after': '3' }), [3000, 3000, 3000, 3000]],
    ['the provider does not say when', refusal(429, 'X'), [500, 1000, 2000, 4000]],
    ['a connection that broke', lost('reset'), [125, 250, 500, 1000]],
  ])('waits when %s, four times and no more', async (_, trouble, waits) => {
    const it = scene(trouble);
    const at: number[] = [];
    it.next.push(
      ...Array.from({ length: 5 }, (): Reply => (request, signal) => {
        at.push(it.clock.monotonicMs());
        return trouble(request, signal);
      }),
    );
    await failureOf(it.clock, it.client.getBranch(branch));
    expect(at.slice(1).map((ms, index) => ms - (at[index] ?? 0))).toEqual(waits);
  });

  test('a wait that the deadline does not allow is not begun', async () => {
    const it = scene(refusal(429, 'X', 'slow down', { 'retry-after': '30' }));
    const error = await failureOf(it.clock, it.client.getBranch(branch));
    expect(error).toMatchObject({ code: 'throttled', message: 'slow down', details: { retryAfterMs: 30_000 } });
    expect(it.clock.monotonicMs()).toBe(0);
  });

  test('a token that the API refuses is replaced once', async () => {
    const it = scene(ok(branchJson()));
    it.next.push(refusal(401, 'UNAUTHENTICATED'));
    await settled(it.clock, it.client.getBranch(branch));
    expect(it.refused).toEqual(['s3same-1']);
    expect(it.asked.map(({ headers }) => headers['authorization'])).toEqual(['Bearer s3same-1', 'Bearer s3same-2']);
  });

  test('a refusal of the new one too is the answer, for writes as for reads', async () => {
    const it = scene(refusal(401, 'UNAUTHENTICATED', 'no'));
    expect(await failureOf(it.clock, it.client.deleteBranch(branch))).toMatchObject({
      code: 'unauthenticated',
      message: 'no',
    });
    expect(it.asked).toHaveLength(2);
  });
});

describe('every call ends', () => {
  test.each<[verb: string, call: (client: LakebaseClient, signal?: AbortSignal) => Promise<unknown>]>([
    ['a read', (client, signal) => client.getBranch(branch, signal)],
    ['a list', (client, signal) => client.listBranches('shop', {}, signal)],
    ['a write', (client, signal) => client.deleteBranch(branch, signal)],
    ['a mint', (client, signal) => client.mintCredential(endpoint, 900, signal)],
  ])('%s: at its deadline, or when its caller breaks off', async (_, call) => {
    const it = scene(silence);
    expect(await failureOf(it.clock, call(it.client))).toMatchObject({
      code: 'unreachable',
      message: 'no answer within 30 s',
      details: { unreachable: 'timeout' },
    });
    expect(it.clock.monotonicMs()).toBe(30_000);

    const caller = new AbortController();
    const broken = call(it.client, caller.signal);
    caller.abort();
    await expect(broken).rejects.toMatchObject({
      name: 'LakebaseError',
      code: 'unreachable',
      message: 'the call was broken off',
    });
    await expect(call(it.client, caller.signal), 'a signal that has aborted before').rejects.toMatchObject({
      code: 'unreachable',
    });
    expect(it.clock.nextTimer(), 'no timer is left behind').toBeUndefined();
  });

  test('the deadline holds for all pages of a list together', async () => {
    const it = scene((request, signal) => {
      it.clock.advance(4_000);
      return ok({ next_page_token: String(it.asked.length) })(request, signal);
    });
    await expect(it.client.listBranches('shop')).rejects.toMatchObject({ code: 'unreachable' });
    expect(it.asked).toHaveLength(8);
  });

  test('the transport is told, so that it can hang up', async () => {
    let heard: AbortSignal | undefined;
    const it = scene((request, signal) => {
      heard = signal;
      return silence(request, signal);
    });
    const caller = new AbortController();
    const call = it.client.getBranch(branch, caller.signal);
    await expect.poll(() => heard).toBeDefined();
    caller.abort();
    await expect(call).rejects.toMatchObject({ code: 'unreachable' });
    expect(heard?.aborted).toBe(true);
  });
});
