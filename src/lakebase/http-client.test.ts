import { describe, expect, test } from 'vitest';
import {
  branch,
  branchJson,
  branchName,
  clientScene,
  endpoint,
  host,
  operation,
  operationName,
  start,
} from '../../test/fakes/client-scene.ts';
import { failureOf, ok, refusal, type Reply, settled } from '../../test/fakes/scripted-transport.ts';
import type { ManualClock } from '../kit/clock.ts';
import type { LakebaseClient } from './client.ts';

const api = `${host}/api/2.0/postgres`;
const expiry = new Date('2026-03-03T12:00:00.500Z');
const create = { project: 'shop', id: 'pr-1', source: 'production', expireTime: expiry };
const created = { source_branch: 'projects/shop/branches/production', expire_time: '2026-03-03T12:00:00.500Z' };

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
      (client) => client.createBranch(create),
      'POST',
      '/projects/shop/branches?branch_id=pr-1',
      { spec: created },
    ],
    [
      'createBranch of an instant, by the clock of the database',
      (client) => client.createBranch({ ...create, past: { time: new Date('2026-03-01T11:55:02.5Z') } }),
      'POST',
      '/projects/shop/branches?branch_id=pr-1',
      { spec: { ...created, source_branch_time: '2026-03-01T11:55:02.500Z' } },
    ],
    [
      'createBranch of a position',
      (client) => client.createBranch({ ...create, past: { lsn: '0/1A2B' } }),
      'POST',
      '/projects/shop/branches?branch_id=pr-1',
      { spec: { ...created, source_branch_lsn: '0/1A2B' } },
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
    const it = clientScene((request, signal) => {
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
    const it = clientScene(operation);
    await settled(it.clock, it.client.deleteBranch({ project: 'shop', branch: 'a/../production?purge=true#' }));
    expect(it.asked[0]?.url).toBe(`${api}/projects/shop/branches/a%2F..%2Fproduction%3Fpurge%3Dtrue%23`);
  });

  test('a size without a field is refused: an empty mask would mean all fields', async () => {
    const it = clientScene(operation);
    expect(await failureOf(it.clock, it.client.resizeEndpoint(endpoint, {}))).toMatchObject({ code: 'invalid' });
    expect(it.asked).toEqual([]);
  });
});

describe('what comes back', () => {
  test('all pages of a list', async () => {
    const it = clientScene(ok({}));
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
    const it = clientScene(ok({ next_page_token: 'again' }));
    expect(await failureOf(it.clock, it.client.listRoles(branch))).toMatchObject({
      code: 'unavailable',
      message: 'the list of roles does not end',
    });
  });

  test('half a list is no list', async () => {
    const it = clientScene(ok({ branches: [branchJson()], next_page_token: 'p2' }));
    it.next.push(ok({ branches: [branchJson()], next_page_token: 'p2' }), refusal(500, 'INTERNAL_ERROR'));
    expect(await failureOf(it.clock, it.client.listBranches('shop'))).toMatchObject({ code: 'unavailable' });
  });

  test('a credential is as old as its request', async () => {
    const credentialReply = ok({ token: 't', expire_time: '2026-03-01T13:00:00Z' });
    const it = clientScene(credentialReply);
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
    const it = clientScene(ok({}));
    expect(await settled(it.clock, it.client.principal())).toBe('app-1');
    expect(it.client.host).toBe(host);
  });

  test.each<[what: string, reply: Reply, message: string]>([
    ['a page instead of JSON', () => ({ status: 200, headers: {}, body: '<html>s3cret' }), 'the answer is not JSON'],
    ['an empty body', () => ({ status: 200, headers: {}, body: '' }), 'the answer is not JSON'],
    ['JSON of another kind', ok({ hello: 's3cret' }), 'the answer has no usable field name'],
  ])('%s is an error, not a branch', async (_, reply, message) => {
    const it = clientScene(reply);
    expect(await failureOf(it.clock, it.client.getBranch(branch))).toMatchObject({ code: 'unavailable', message });
    expect(it.asked).toHaveLength(1);
  });
});

describe('the clock of the provider', () => {
  const dated = (body: object, aheadMs: number, clock: ManualClock): Reply =>
    ok(body, { date: new Date(clock.now().getTime() + aheadMs).toUTCString() });

  test('is unknown until it answers', () => {
    expect(clientScene(operation).client.clockOffsetMs()).toBeUndefined();
  });

  test('shifts what comes and what goes', async () => {
    const it = clientScene(operation);
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
    const it = clientScene(operation);
    it.next.push(refusal(404, 'NOT_FOUND', '', { date: new Date(start.getTime() - 60_000).toUTCString() }));
    await failureOf(it.clock, it.client.getBranch(branch));
    expect(it.client.clockOffsetMs()).toBe(-59_000);
  });
});
