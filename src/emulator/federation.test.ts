import { createServer } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { exportJWK, generateKeyPair, SignJWT, type JWK } from 'jose';
import { beforeAll, expect, test } from 'vitest';
import { aBench, senderFor, startOfTest, textAt, type Bench } from '../../test/fakes/emulator-caller.ts';
import { answerAdmin } from './admin.ts';
import type { FederationPolicy } from './federation.ts';
import type { Json } from './masks.ts';
import { developmentPrincipal } from './settings.ts';

const { name: clientId } = developmentPrincipal;
const issuer = 'https://cluster.example';
const subject = 'system:serviceaccount:lakebranch-system:lakebranch';
const audience = 'lakebase';
const startSeconds = startOfTest.getTime() / 1000;

type PrivateKey = Awaited<ReturnType<typeof generateKeyPair>>['privateKey'];

let privateKey: PrivateKey;
let jwks: { keys: JWK[] };
let policy: FederationPolicy;

beforeAll(async () => {
  const pair = await generateKeyPair('ES256');
  privateKey = pair.privateKey;
  jwks = { keys: [{ ...(await exportJWK(pair.publicKey)), kid: 'k1', alg: 'ES256' }] };
  policy = {
    service_principal: clientId,
    oidc_policy: { issuer, subject, audiences: [audience], subject_claim: 'sub', jwks_json: JSON.stringify(jwks) },
  };
});

const bench = (change: (policy: FederationPolicy) => FederationPolicy[] = (it) => [it]): Promise<Bench> =>
  aBench({ settings: { accessTokenSeconds: 3600, federationPolicies: change(policy) } });

const token = (claims: object = {}, key: PrivateKey = privateKey): Promise<string> =>
  new SignJWT({ iss: issuer, sub: subject, aud: [audience], exp: startSeconds + 7200, ...claims })
    .setProtectedHeader({ alg: 'ES256', kid: 'k1' })
    .sign(key);

async function exchange(
  { emulator }: Bench,
  subjectToken: string,
  change: object = {},
): Promise<{ status: number; body: Json }> {
  const form = {
    grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange',
    subject_token_type: 'urn:ietf:params:oauth:token-type:jwt',
    subject_token: subjectToken,
    client_id: clientId,
    scope: 'all-apis',
    ...change,
  };
  const request = { method: 'POST', url: '/oidc/v1/token', headers: {}, body: new URLSearchParams(form).toString() };
  const { status, body } = await emulator.handle(request);
  return { status, body: JSON.parse(body) as Json };
}

test('a token that the policy accepts gives an access token of the service principal', async () => {
  const it = await bench();
  const { status, body } = await exchange(it, await token());
  expect({ status, body }).toMatchObject({ status: 200, body: { token_type: 'Bearer', expires_in: 3600 } });
  const me = await senderFor(it.emulator, textAt(body, 'access_token'))('GET', '/api/2.0/preview/scim/v2/Me');
  expect(me.body).toMatchObject({ applicationId: clientId });
  expect(it.emulator.admin.log().at(-1)).toMatchObject({ what: 'token.exchange', name: subject, by: clientId });
});

test('it lives no longer than the token that was exchanged', async () => {
  expect((await exchange(await bench(), await token({ exp: startSeconds + 90 }))).body['expires_in']).toBe(90);
});

test.each<[string, object, RegExp]>([
  ['another issuer', { iss: 'https://other' }, /^no federation policy has the issuer https:\/\/other$/],
  [
    'another subject',
    { sub: 'system:serviceaccount:a:b' },
    /^no federation policy of this issuer has the subject system:serviceaccount:a:b$/,
  ],
  ['another audience', { aud: ['api'] }, /has the audience api$/],
  ['an end that has passed', { exp: startSeconds }, /has expired/],
  ['no end', { exp: undefined }, /does not verify: ERR_JWT_CLAIM_VALIDATION_FAILED/],
])('a token with %s', async (_sentence, claims, words) => {
  const { status, body } = await exchange(await bench(), await token(claims));
  expect({ status, body }).toEqual({
    status: 400,
    body: { error: 'invalid_request', error_description: expect.stringMatching(words) as string },
  });
});

test('a token that somebody else has signed', async () => {
  const { privateKey: stranger } = await generateKeyPair('ES256');
  const { status, body } = await exchange(await bench(), await token({}, stranger));
  expect(status).toBe(400);
  expect(body['error_description']).toBe('subject_token does not verify: ERR_JWS_SIGNATURE_VERIFICATION_FAILED');
});

test.each<[string, object, number, RegExp]>([
  ['no token', { subject_token: '' }, 400, /subject_token is required/],
  ['another type of token', { subject_token_type: 'urn:x' }, 400, /subject_token_type must be/],
  ['no service principal', { client_id: '' }, 400, /client_id is required/],
  ['a service principal that there is not', { client_id: 'somebody' }, 401, /Client authentication failed/],
  ['what is no token', { subject_token: 'abc' }, 400, /not a JSON Web Token/],
])('a request with %s', async (_sentence, change, status, words) => {
  const answer = await exchange(await bench(), await token(), change);
  expect(answer.status).toBe(status);
  expect(answer.body['error_description']).toMatch(words);
});

test('the policy of another service principal does not count, and one of several is enough', async () => {
  const other = (it: FederationPolicy): FederationPolicy => ({ ...it, service_principal: 'somebody' });
  expect((await exchange(await bench((it) => [other(it)]), await token())).status).toBe(400);
  const wrong = (it: FederationPolicy): FederationPolicy => ({
    ...it,
    oidc_policy: { ...it.oidc_policy, subject: 'x' },
  });
  expect((await exchange(await bench((it) => [wrong(it), it]), await token())).status).toBe(200);
});

test('without audiences in the policy the token has to name the account', async () => {
  const it = await bench(({ service_principal, oidc_policy: { jwks_json } }) => [
    { service_principal, oidc_policy: { issuer, subject, subject_claim: 'sub', jwks_json } },
  ]);
  const config = await it.emulator.handle({ method: 'GET', url: '/.well-known/databricks-config', headers: {} });
  const { account_id: account } = JSON.parse(config.body) as { account_id: string };
  expect((await exchange(it, await token())).status).toBe(400);
  expect((await exchange(it, await token({ aud: account }))).status).toBe(200);
});

test('keys are fetched where the policy or the issuer says, and looked for again when one is new', async () => {
  const asked: string[] = [];
  let keys = jwks;
  const server = createServer((request, response) => {
    asked.push(`${request.url} ${request.headers.authorization ?? ''}`.trim());
    response.setHeader('content-type', 'application/json');
    response.end(JSON.stringify(request.url === '/keys' ? keys : { jwks_uri: `${origin}/keys` }));
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  try {
    const it = await bench(({ service_principal }) => [
      { service_principal, oidc_policy: { issuer: origin, subject, audiences: [audience], subject_claim: 'sub' } },
    ]);
    expect((await exchange(it, await token({ iss: origin }))).status).toBe(200);
    expect((await exchange(it, await token({ iss: origin }))).status).toBe(200);
    expect(asked).toEqual(['/.well-known/openid-configuration', '/keys']);
    keys = { keys: [] };
    const given = await bench(({ service_principal }) => [
      {
        service_principal,
        oidc_policy: { issuer, subject, audiences: [audience], subject_claim: 'sub', jwks_uri: `${origin}/keys` },
      },
    ]);
    const { body } = await exchange(given, await token());
    expect(body['error_description']).toBe('subject_token does not verify: ERR_JWKS_NO_MATCHING_KEY');
  } finally {
    server.close();
    server.closeAllConnections();
  }
});

test('keys that cannot be read are said to be so', async () => {
  const it = await bench(({ service_principal }) => [
    {
      service_principal,
      oidc_policy: { issuer: 'http://127.0.0.1:1', subject, audiences: [audience], subject_claim: 'sub' },
    },
  ]);
  const { status, body } = await exchange(it, await token({ iss: 'http://127.0.0.1:1' }));
  expect({ status, words: body['error_description'] }).toEqual({
    status: 400,
    words: 'the keys of issuer http://127.0.0.1:1 cannot be read',
  });
});

test('the admin route sets policies, and refuses what is none', async () => {
  const it = await bench(() => []);
  const put = (body: unknown): Promise<{ status: number; body: string }> =>
    answerAdmin(it.emulator, { method: 'PUT', path: '/admin/federation-policies', body: JSON.stringify(body) });
  expect((await exchange(it, await token())).status).toBe(400);
  expect((await put([policy])).status).toBe(200);
  expect((await exchange(it, await token())).status).toBe(200);
  const bad = { ...policy, oidc_policy: { ...policy.oidc_policy, jwks_json: '{}' } };
  expect(await put([bad])).toMatchObject({
    status: 400,
    body: expect.stringContaining('write a JWKS as JSON') as string,
  });
  expect((await put([])).status).toBe(200);
  expect((await exchange(it, await token())).status).toBe(400);
});
