import { expect, test } from 'vitest';
import { failureOf, ok, refusal, scriptedTransport, settled, type Reply } from '../../test/fakes/scripted-transport.ts';
import { ManualClock } from '../kit/clock.ts';
import { LakebaseError } from './errors.ts';
import { Token } from './token.ts';
import { exchangeTokenSource, type SubjectToken } from './token-exchange.ts';
import type { TokenSource } from './token-source.ts';
import type { HttpRequest } from './transport.ts';

const host = 'https://dbc.example';
const clientId = '7d5f2a1e-4b0c-4c8e-9a3d-2f6b1c0e8d7a';
const patience = new AbortController().signal;

interface Scene {
  readonly clock: ManualClock;
  readonly tokens: TokenSource;
  readonly asked: HttpRequest[];
  readonly next: Reply[];
  subject: SubjectToken | LakebaseError;
}

const subjectOf = (token: string): SubjectToken => ({
  token: new Token(token),
  issuer: 'https://cluster',
  subject: 'system:serviceaccount:lakebranch-system:lakebranch',
  audience: 'lakebase',
});

function scene(): Scene {
  const clock = new ManualClock(new Date('2026-03-01T12:00:00Z'));
  const endpoint = scriptedTransport(ok({ access_token: 'access-1', expires_in: 3600 }));
  const discovery = scriptedTransport(ok({ token_endpoint: `${host}/oidc/v1/token` }));
  const { transport, requests } = scriptedTransport((request, signal) =>
    (request.method === 'GET' ? discovery : endpoint).transport(request, signal),
  );
  const it: Scene = {
    clock,
    asked: requests,
    next: endpoint.next,
    subject: subjectOf('projected-s3same-1'),
    tokens: exchangeTokenSource({
      host,
      transport,
      clock,
      userAgent: 'lakebranch/test',
      random: () => 0,
      clientId,
      subjectToken: () =>
        it.subject instanceof LakebaseError ? Promise.reject(it.subject) : Promise.resolve(it.subject),
    }),
  };
  return it;
}

const exchanges = ({ asked }: Scene): HttpRequest[] => asked.filter(({ method }) => method === 'POST');
const oauth =
  (status: number, error: string, words = 'no such thing'): Reply =>
  () => ({
    status,
    headers: {},
    body: JSON.stringify({ error, error_description: words }),
  });

test('the token is exchanged as RFC 8693 has it: no secret, no Basic header', async () => {
  const it = scene();
  expect((await settled(it.clock, it.tokens.accessToken(patience))).reveal()).toBe('access-1');
  expect(exchanges(it)).toEqual([
    {
      method: 'POST',
      url: `${host}/oidc/v1/token`,
      headers: {
        accept: 'application/json',
        'content-type': 'application/x-www-form-urlencoded',
        'user-agent': 'lakebranch/test',
      },
      body: new URLSearchParams({
        grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange',
        subject_token_type: 'urn:ietf:params:oauth:token-type:jwt',
        subject_token: 'projected-s3same-1',
        client_id: clientId,
        scope: 'all-apis',
      }).toString(),
    },
  ]);
  expect(await settled(it.clock, it.tokens.principal(patience))).toBe(clientId);
});

test('who it is made out to is known before the first exchange', async () => {
  const it = scene();
  expect(await settled(it.clock, it.tokens.principal(patience))).toBe(clientId);
  expect(it.asked).toEqual([]);
});

test('the life is that of the answer, and each exchange takes the projected token of then', async () => {
  const it = scene();
  it.next.push(ok({ access_token: 'short', expires_in: 600 }));
  await settled(it.clock, it.tokens.accessToken(patience));
  it.subject = subjectOf('projected-s3same-2');
  it.clock.advance(600_000);
  await settled(it.clock, it.tokens.accessToken(patience));
  expect(exchanges(it).map(({ body }) => new URLSearchParams(body).get('subject_token'))).toEqual([
    'projected-s3same-1',
    'projected-s3same-2',
  ]);
});

test.each<[string, Reply]>([
  ['what RFC 8693 says', oauth(400, 'invalid_request')],
  ['another code of OAuth', oauth(400, 'invalid_grant')],
  ['a client that is not known', oauth(401, 'invalid_client')],
  ['a refusal that is a 403', oauth(403, 'access_denied')],
  ['the errors of the API', refusal(400, 'INVALID_PARAMETER_VALUE', 'no such thing')],
])('a policy that does not match says what it would have to name: %s', async (_sentence, reply) => {
  const it = scene();
  it.next.push(reply);
  expect(await failureOf(it.clock, it.tokens.accessToken(patience))).toMatchObject({
    code: 'unauthenticated',
    message: `cannot get an access token: service principal ${clientId} is not given for a token with issuer https://cluster, subject system:serviceaccount:lakebranch-system:lakebranch and audience lakebase: no such thing`,
    details: { subjectToken: 'notAccepted' },
  });
});

test.each<[string, Reply, string]>([
  ['an address that is not on the access list', refusal(403, 'PERMISSION_DENIED'), 'denied'],
  ['an outage', refusal(500, 'INTERNAL_ERROR'), 'unavailable'],
  ['a moved endpoint', refusal(404, 'NOT_FOUND'), 'unavailable'],
])('%s is no matter of the policy', async (_sentence, reply, code) => {
  const it = scene();
  it.next.push(reply);
  const error = await failureOf(it.clock, it.tokens.accessToken(patience));
  expect(error).toMatchObject({ code });
  expect((error as LakebaseError).details.subjectToken).toBeUndefined();
});

test('a projected token that cannot be used is sent to nobody, and what is wrong with it is told', async () => {
  const it = scene();
  it.subject = new LakebaseError('unauthenticated', 'the file is not there', { subjectToken: 'notFound' });
  expect(await failureOf(it.clock, it.tokens.accessToken(patience))).toMatchObject({
    code: 'unauthenticated',
    message: 'cannot get an access token: the file is not there',
    details: { subjectToken: 'notFound' },
  });
  expect(it.asked).toEqual([]);
});

test('while the projected token cannot be used, the access token that is left serves', async () => {
  const it = scene();
  await settled(it.clock, it.tokens.accessToken(patience));
  it.subject = new LakebaseError('unauthenticated', 'gone', { subjectToken: 'notFound' });
  it.clock.advance(50 * 60_000);
  expect((await settled(it.clock, it.tokens.accessToken(patience))).reveal()).toBe('access-1');
});

test('words that repeat the projected token do not carry it on', async () => {
  const it = scene();
  it.next.push(oauth(400, 'invalid_request', 'cannot parse projected-s3same-1'));
  const error = await failureOf(it.clock, it.tokens.accessToken(patience));
  expect(String(error)).toContain('cannot parse [token]');
  expect(JSON.stringify(error)).not.toContain('s3same');
});
