import { expect, test } from 'vitest';
import {
  failureOf,
  fails,
  ok,
  refusal,
  scriptedTransport,
  settled,
  silence,
  type Reply,
} from '../../test/fakes/scripted-transport.ts';
import { ManualClock } from '../kit/clock.ts';
import { type ClientCredentials, oauthTokenSource } from './auth.ts';
import { Token } from './token.ts';
import type { TokenSource } from './token-source.ts';
import { type HttpRequest, TransportError } from './transport.ts';

const start = new Date('2026-03-01T12:00:00Z');
const host = 'https://dbc.example';
const discovery = `${host}/oidc/.well-known/oauth-authorization-server`;
const tokenUrl = `${host}/tokens/here`;
const patience = new AbortController().signal;

const grant = (access_token: string, expires_in: unknown = 3600): Reply =>
  ok({ access_token, token_type: 'Bearer', expires_in });
const invalidClient: Reply = () => ({
  status: 401,
  headers: {},
  body: '{"error":"invalid_client","error_description":"no such client"}',
});

interface Scene {
  readonly clock: ManualClock;
  readonly tokens: TokenSource;
  /** Replies of the token endpoint, in order; then tokens named t1, t2, … */
  readonly next: Reply[];
  readonly discoveries: Reply[];
  readonly asked: HttpRequest[];
  credentials: ClientCredentials;
  credentialsRead: number;
  readonly token: () => Promise<string>;
}

function scene(): Scene {
  const clock = new ManualClock(start);
  let minted = 0;
  const tokenEndpoint = scriptedTransport((request, signal) => grant(`t${++minted}`)(request, signal));
  const discoveryEndpoint = scriptedTransport(ok({ token_endpoint: tokenUrl }));
  const { transport, requests } = scriptedTransport((request, signal) =>
    (request.url === discovery ? discoveryEndpoint : tokenEndpoint).transport(request, signal),
  );
  const it: Scene = {
    clock,
    next: tokenEndpoint.next,
    discoveries: discoveryEndpoint.next,
    asked: requests,
    credentials: { clientId: 'app-1', clientSecret: new Token('s3same') },
    credentialsRead: 0,
    tokens: oauthTokenSource({
      host,
      transport,
      clock,
      userAgent: 'lakebranch/test',
      random: () => 0,
      credentials: async () => {
        it.credentialsRead += 1;
        return it.credentials;
      },
    }),
    token: async () => (await settled(clock, it.tokens.accessToken(patience))).reveal(),
  };
  return it;
}

const tokenRequests = ({ asked }: Scene): HttpRequest[] => asked.filter(({ method }) => method === 'POST');

test('a token is asked for as OAuth wants it', async () => {
  const it = scene();
  expect(await it.token()).toBe('t1');
  expect(it.asked).toEqual([
    { method: 'GET', url: discovery, headers: { accept: 'application/json', 'user-agent': 'lakebranch/test' } },
    {
      method: 'POST',
      url: tokenUrl,
      headers: {
        accept: 'application/json',
        authorization: `Basic ${Buffer.from('app-1:s3same').toString('base64')}`,
        'content-type': 'application/x-www-form-urlencoded',
        'user-agent': 'lakebranch/test',
      },
      body: 'grant_type=client_credentials&scope=all-apis',
    },
  ]);
});

test('many callers share one request, and the token is kept', async () => {
  const it = scene();
  const tokens = await settled(
    it.clock,
    Promise.all(Array.from({ length: 50 }, () => it.tokens.accessToken(patience))),
  );
  expect(new Set(tokens.map((token) => token.reveal()))).toEqual(new Set(['t1']));
  expect(await it.token()).toBe('t1');
  expect(tokenRequests(it)).toHaveLength(1);
});

test('a token with less than 20 minutes left is renewed behind the callers', async () => {
  const it = scene();
  await it.token();
  it.clock.advance(39 * 60_000);
  expect(await it.token()).toBe('t1');
  expect(tokenRequests(it)).toHaveLength(1);
  it.clock.advance(2 * 60_000);
  expect(await it.token(), 'nobody waits for the new one').toBe('t1');
  expect(await it.token()).toBe('t2');
  expect(tokenRequests(it)).toHaveLength(2);
});

test('one that lives shorter is renewed at half its life', async () => {
  const it = scene();
  it.next.push(grant('short', '600'));
  await it.token();
  it.clock.advance(299_000);
  expect([await it.token(), await it.token()]).toEqual(['short', 'short']);
  it.clock.advance(2_000);
  await it.token();
  expect(await it.token()).toBe('t1');
});

test('one with less than 40 s left is not handed out', async () => {
  const it = scene();
  await it.token();
  it.clock.advance(3600_000 - 39_000);
  expect(await it.token()).toBe('t2');
});

test('the life is counted from when the request was sent, not from when the answer came', async () => {
  const it = scene();
  it.next.push(async (request, signal) => {
    it.clock.advance(10_000);
    return grant('slow', 100)(request, signal);
  });
  await it.token();
  // At 10 s. A quarter of 100 s is kept back, so it is dead at 75 s; from the answer it would be 85 s.
  it.clock.advance(66_000);
  expect(await it.token()).toBe('t1');
});

test('while renewing fails, the old token serves; it is tried again every few seconds', async () => {
  const it = scene();
  await it.token();
  it.clock.advance(50 * 60_000);
  it.next.push(refusal(500, 'INTERNAL_ERROR'), refusal(500, 'INTERNAL_ERROR'));
  for (let count = 0; count < 10; count++) expect(await it.token()).toBe('t1');
  expect(tokenRequests(it), 'no hot loop').toHaveLength(2);
  it.clock.advance(5_000);
  expect(await it.token()).toBe('t1');
  it.clock.advance(5_000);
  await it.token();
  expect(await it.token()).toBe('t2');
});

test('a refused token is not handed out again, whatever its age', async () => {
  const it = scene();
  const refused = await settled(it.clock, it.tokens.accessToken(patience));
  it.tokens.refuse(refused);
  expect(await it.token()).toBe('t2');
  it.tokens.refuse(refused);
  expect(await it.token(), 'refusing an old one does not hit the new one').toBe('t2');
});

test('a refused client reads its credential again, so a rotated Secret is picked up', async () => {
  const it = scene();
  it.next.push(invalidClient);
  const error = await failureOf(it.clock, it.tokens.accessToken(patience));
  expect(error).toMatchObject({ code: 'unauthenticated', message: 'cannot get an access token: no such client' });
  expect(await failureOf(it.clock, it.tokens.accessToken(patience)), 'for five seconds it is not asked again').toBe(
    error,
  );
  expect(it.credentialsRead).toBe(1);

  it.credentials = { clientId: 'app-2', clientSecret: new Token('new') };
  it.clock.advance(5_000);
  expect(await it.token()).toBe('t1');
  expect(tokenRequests(it).at(-1)?.headers['authorization']).toBe(
    `Basic ${Buffer.from('app-2:new').toString('base64')}`,
  );
  expect(await settled(it.clock, it.tokens.principal(patience))).toBe('app-2');
});

test('the principal is whom the tokens at hand are made out to, until they are renewed', async () => {
  const it = scene();
  expect(await settled(it.clock, it.tokens.principal(patience))).toBe('app-1');
  await it.token();
  it.credentials = { clientId: 'app-2', clientSecret: new Token('new') };
  expect(await settled(it.clock, it.tokens.principal(patience))).toBe('app-1');
  it.clock.advance(3600_000);
  await it.token();
  expect(await settled(it.clock, it.tokens.principal(patience))).toBe('app-2');
});

test.each([
  ['an empty id', { clientId: '', clientSecret: new Token('s3same') }],
  ['an empty secret', { clientId: 'app-1', clientSecret: new Token('') }],
])('%s is not tried', async (_, credentials) => {
  const it = scene();
  it.credentials = credentials;
  expect(await failureOf(it.clock, it.tokens.accessToken(patience))).toMatchObject({ code: 'unauthenticated' });
  expect(it.asked).toEqual([]);
});

test('a credential that cannot be read is trouble on our side, not a refusal', async () => {
  const clock = new ManualClock(start);
  const { transport } = scriptedTransport(ok({}));
  const credentials = (): Promise<never> => Promise.reject(new Error('the API server is away'));
  const tokens = oauthTokenSource({ host, transport, clock, credentials, userAgent: 'x' });
  expect(await failureOf(clock, tokens.accessToken(patience))).toMatchObject({
    code: 'unavailable',
    message: "cannot get an access token: the client's own credential cannot be read",
    cause: new Error('the API server is away'),
  });
});

test('a workspace without discovery has its token endpoint at the usual place', async () => {
  const it = scene();
  it.discoveries.push(() => ({ status: 404, headers: {}, body: '<html>' }));
  await it.token();
  expect(tokenRequests(it)[0]?.url).toBe(`${host}/oidc/v1/token`);
});

test('discovery is asked once, and again when the token endpoint has gone', async () => {
  const it = scene();
  const first = await settled(it.clock, it.tokens.accessToken(patience));
  it.tokens.refuse(first);
  await it.token();
  expect(it.asked.filter(({ url }) => url === discovery)).toHaveLength(1);
  it.next.push(refusal(404, 'NOT_FOUND'));
  it.clock.advance(3600_000);
  expect(await failureOf(it.clock, it.tokens.accessToken(patience))).toMatchObject({ code: 'unavailable' });
  it.clock.advance(5_000);
  await it.token();
  expect(it.asked.filter(({ url }) => url === discovery)).toHaveLength(2);
});

test('the secret is not sent where TLS is not spoken', async () => {
  const it = scene();
  it.discoveries.push(ok({ token_endpoint: 'http://dbc.example/oidc/v1/token' }));
  expect(await failureOf(it.clock, it.tokens.accessToken(patience))).toMatchObject({ code: 'unavailable' });
  expect(tokenRequests(it)).toEqual([]);
});

test.each<[what: string, reply: Reply, code: string]>([
  ['404 of the token endpoint', refusal(404, 'NOT_FOUND'), 'unavailable'],
  ['409 of the token endpoint', refusal(409, 'ALREADY_EXISTS'), 'unavailable'],
  [
    'a client without the right to ask',
    () => ({ status: 400, headers: {}, body: '{"error":"unauthorized_client"}' }),
    'unauthenticated',
  ],
  ['an address that is not on the access list', refusal(403, 'PERMISSION_DENIED'), 'denied'],
  ['an answer that is not JSON', () => ({ status: 200, headers: {}, body: '<html>' }), 'unavailable'],
  ['an answer without a token', ok({ token_type: 'Bearer' }), 'unavailable'],
  ['a broken TLS chain', fails(new TransportError('tls', 'no')), 'unreachable'],
])('%s → %s', async (_, reply, code) => {
  const it = scene();
  it.next.push(reply);
  expect(await failureOf(it.clock, it.tokens.accessToken(patience))).toMatchObject({ name: 'LakebaseError', code });
});

test.each<[what: string, reply: Reply]>([
  ['429', refusal(429, 'RESOURCE_EXHAUSTED')],
  ['503', refusal(503, 'UNAVAILABLE')],
  ['a lost connection', fails(new TransportError('reset', 'gone'))],
])('%s is got over by asking again', async (_, reply) => {
  const it = scene();
  it.next.push(reply, reply);
  expect(await it.token()).toBe('t1');
});

test('a caller that breaks off does not break off the others', async () => {
  const it = scene();
  const impatient = new AbortController();
  const given = it.tokens.accessToken(impatient.signal);
  const other = it.tokens.accessToken(patience);
  impatient.abort(new Error('enough'));
  await expect(given).rejects.toThrow('enough');
  expect((await settled(it.clock, other)).reveal()).toBe('t1');
});

test('a token endpoint that never answers is given up after 30 s', async () => {
  const it = scene();
  it.next.push(silence);
  expect(await failureOf(it.clock, it.tokens.accessToken(patience))).toMatchObject({
    code: 'unreachable',
    message: 'cannot get an access token: no answer within 30 s',
    details: { unreachable: 'timeout' },
  });
  expect(it.clock.monotonicMs()).toBe(30_000);
});
