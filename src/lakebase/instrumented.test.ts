import { expect, test } from 'vitest';
import { failureOf, ok, refusal, scriptedTransport, settled, type Reply } from '../../test/fakes/scripted-transport.ts';
import { ManualClock } from '../kit/clock.ts';
import type { TokenSource } from './token-source.ts';
import type { LakebaseClient } from './client.ts';
import { httpLakebaseClient } from './http-client.ts';
import { type CallFailure, type CallRecord, instrumented, type Verb } from './instrumented.ts';
import { Token } from './token.ts';

const trace = '0af7651916cd43dd8448eb211c80319c';
const branch = { project: 'shop', branch: 'pr-1' };

function scene(reply: Reply): {
  clock: ManualClock;
  client: LakebaseClient;
  calls: CallRecord[];
  failures: CallFailure[];
} {
  const clock = new ManualClock(new Date('2026-03-01T12:00:00Z'));
  const calls: CallRecord[] = [];
  const failures: CallFailure[] = [];
  const { transport } = scriptedTransport((request, signal) => {
    clock.advance(250);
    return reply(request, signal);
  });
  const tokens: TokenSource = {
    accessToken: async () => new Token('t'),
    refuse: () => {},
    principal: async () => 'app-1',
  };
  const inner = httpLakebaseClient({
    host: 'https://dbc.example',
    transport,
    tokens,
    clock,
    userAgent: 'x',
    random: () => 0,
  });
  const client = instrumented(inner, clock, {
    onCall: (record) => void calls.push(record),
    onFailure: (failure) => void failures.push(failure),
  });
  return { clock, client, calls, failures };
}

const everyVerb: Record<Verb, (client: LakebaseClient) => Promise<unknown>> = {
  getProject: (client) => client.getProject('shop'),
  listBranches: (client) => client.listBranches('shop'),
  getBranch: (client) => client.getBranch(branch),
  createBranch: (client) =>
    client.createBranch({ project: 'shop', id: 'x', source: 'production', expireTime: new Date() }),
  setExpiration: (client) => client.setExpiration(branch, new Date()),
  deleteBranch: (client) => client.deleteBranch(branch),
  listEndpoints: (client) => client.listEndpoints(branch),
  resizeEndpoint: (client) => client.resizeEndpoint({ ...branch, endpoint: 'primary' }, { maxCU: 1 }),
  listRoles: (client) => client.listRoles(branch),
  createRole: (client) => client.createRole(branch, { roleId: 'r', postgresRole: 'r', membershipRoles: [] }),
  setRoleMembership: (client) => client.setRoleMembership(branch, 'r', []),
  mintCredential: (client) => client.mintCredential({ ...branch, endpoint: 'primary' }, 900),
  getOperation: (client) => client.getOperation('projects/shop/operations/1'),
  principal: (client) => client.principal(),
};

test.each(Object.entries(everyVerb))('%s is recorded under its name', async (verb, call) => {
  const { clock, client, calls } = scene(refusal(403, 'PERMISSION_DENIED'));
  const outcome = await settled(
    clock,
    call(client).then(
      () => 'ok',
      () => 'denied',
    ),
  );
  expect(calls).toEqual([{ verb, outcome, seconds: verb === 'principal' ? 0 : 0.25 }]);
});

test('a success is passed on and recorded, repetitions included', async () => {
  const name = 'projects/shop/branches/pr-1';
  const replies: Reply[] = [refusal(503, 'UNAVAILABLE', '', { 'retry-after': '1' }), ok({ name, uid: 'br-1' })];
  const { clock, client, calls, failures } = scene((request, signal) => replies.shift()!(request, signal));
  expect(await settled(clock, client.getBranch(branch))).toMatchObject({ id: 'pr-1', uid: 'br-1' });
  expect(calls).toEqual([{ verb: 'getBranch', outcome: 'ok', seconds: 1.5 }]);
  expect(failures).toEqual([]);
});

test('a failure is passed on, and what support asks for goes to the log', async () => {
  const { clock, client, failures } = scene(refusal(400, 'BAD_REQUEST', `no such size [TraceId: ${trace}]`));
  const error = await failureOf(clock, client.resizeEndpoint({ ...branch, endpoint: 'primary' }, { maxCU: 99 }));
  expect(error).toMatchObject({ code: 'invalid', message: 'no such size' });
  expect(failures).toEqual([
    { verb: 'resizeEndpoint', code: 'invalid', message: 'no such size', status: 400, traceId: trace },
  ]);
});

test('host and clock are those of the client', async () => {
  const { clock, client } = scene(ok({ name: 'projects/shop' }, { date: 'Sun, 01 Mar 2026 12:01:00 GMT' }));
  expect([client.host, client.clockOffsetMs()]).toEqual(['https://dbc.example', undefined]);
  await settled(clock, client.getProject('shop'));
  expect(client.clockOffsetMs()).toBe(59_750);
});
