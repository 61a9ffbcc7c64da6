import { expect, test } from 'vitest';
import { aBench, senderFor, textAt } from '../../test/fakes/emulator-caller.ts';
import { developmentPrincipal } from './settings.ts';
import type { Json } from './masks.ts';
import type { EmulatorResponse } from './gateway.ts';

const { name: id, secret } = developmentPrincipal;
const basic = (pair: string): string => `Basic ${Buffer.from(pair).toString('base64')}`;
const jsonOf = ({ body }: EmulatorResponse): Json => JSON.parse(body) as Json;

test.each<[string, string, string | undefined, number, object]>([
  [
    'id and secret in a Basic header',
    'grant_type=client_credentials&scope=all-apis',
    basic(`${id}:${secret}`),
    200,
    { token_type: 'Bearer', scope: 'all-apis', expires_in: 3600 },
  ],
  [
    'the form fields in the other order',
    'scope=all-apis&grant_type=client_credentials',
    basic(`${id}:${secret}`),
    200,
    { token_type: 'Bearer' },
  ],
  [
    'id and secret in the form',
    `grant_type=client_credentials&client_id=${id}&client_secret=${secret}`,
    undefined,
    200,
    { token_type: 'Bearer' },
  ],
  [
    'halves that are form-encoded',
    'grant_type=client_credentials',
    basic(`${id}:${secret.replaceAll('-', '%2D')}`),
    200,
    { token_type: 'Bearer' },
  ],
  ['a wrong secret', 'grant_type=client_credentials', basic(`${id}:guess`), 401, { error: 'invalid_client' }],
  ['nobody', 'grant_type=client_credentials', undefined, 401, { error: 'invalid_client' }],
  ['another grant', 'grant_type=password', basic(`${id}:${secret}`), 400, { error: 'unsupported_grant_type' }],
  ['no grant', '', basic(`${id}:${secret}`), 400, { error: 'invalid_request' }],
])('a token request with %s', async (_, body, authorization, status, expected) => {
  const { emulator } = await aBench({ settings: { accessTokenSeconds: 3600 } });
  const answer = await emulator.handle({ method: 'POST', url: '/oidc/v1/token', headers: { authorization }, body });
  expect(answer.status).toBe(status);
  expect(answer.headers['content-type']).toBe('application/json');
  expect(jsonOf(answer)).toMatchObject(expected);
});

test.each([
  ['http://127.0.0.1:7080', {}, 'http://127.0.0.1:7080'],
  ['https://lakebase.example:7443', {}, 'https://lakebase.example:7443'],
  ['', { Host: 'emulator.local:7080' }, 'http://emulator.local:7080'],
])('discovery names the address that the client used: %s', async (origin, headers, expected) => {
  const { emulator } = await aBench();
  const get = async (path: string): Promise<Json> =>
    jsonOf(await emulator.handle({ method: 'GET', url: origin + path, headers }));
  expect(await get('/.well-known/databricks-config')).toMatchObject({
    oidc_endpoint: `${expected}/oidc`,
    workspace_id: expect.stringMatching(/^\d{10}$/) as string,
    host_type: 'workspace',
  });
  expect(await get('/oidc/.well-known/oauth-authorization-server')).toMatchObject({
    authorization_endpoint: `${expected}/oidc/v1/authorize`,
    token_endpoint: `${expected}/oidc/v1/token`,
  });
});

test('who I am', async () => {
  const users = [developmentPrincipal, { kind: 'USER', name: 'ann@example.com', secret: 'dapi-ann' }] as const;
  const { send, emulator } = await aBench({ settings: { principals: users } });
  const me = '/api/2.0/preview/scim/v2/Me';
  expect(await send('GET', me)).toMatchObject({ status: 200, body: { userName: id, applicationId: id } });
  const ann = await senderFor(emulator, 'dapi-ann')('GET', me);
  expect(ann.body).toMatchObject({ userName: 'ann@example.com', emails: [{ value: 'ann@example.com' }] });
  expect(ann.headers['x-databricks-org-id']).toMatch(/^\d{10}$/);
});

test.each([
  ['no credentials', {}, 'Credential was not sent or was of an unsupported type for this API.'],
  [
    'a Basic header',
    { authorization: basic('a:b') },
    'Credential was not sent or was of an unsupported type for this API.',
  ],
  ['an unknown token', { authorization: 'Bearer dapi-unknown' }, 'Invalid access token.'],
])('the API with %s', async (_, headers, message) => {
  const { emulator } = await aBench();
  const answer = await emulator.handle({ method: 'GET', url: '/api/2.0/postgres/projects', headers });
  expect(answer.status).toBe(401);
  expect(jsonOf(answer)).toEqual({ error_code: 'UNAUTHENTICATED', message, details: expect.any(Array) as unknown });
});

test('an access token runs out', async () => {
  const { send, clock } = await aBench({ settings: { accessTokenSeconds: 3600 } });
  clock.advance(3_599_000);
  expect((await send('GET', 'projects')).status).toBe(200);
  clock.advance(1000);
  expect(await send('GET', 'projects')).toMatchObject({ status: 401, body: { message: 'Access token expired.' } });
});

test('a password for a database is no access token', async () => {
  const { send, emulator } = await aBench();
  const endpoint = 'projects/shop/branches/production/endpoints/primary';
  const password = textAt((await send('POST', 'credentials', { endpoint })).body, 'token');
  expect((await senderFor(emulator, password)('GET', 'projects')).status).toBe(401);
});

test.each([
  ['HEAD', '/', 200, ''],
  ['POST', '/telemetry-ext', 200, '{}'],
])('%s %s is answered to anybody', async (method, url, status, body) => {
  const { emulator } = await aBench();
  expect(await emulator.handle({ method, url, headers: {} })).toMatchObject({ status, body });
});

test('where permissions are enforced, only whom the owner names may look, and only managers may change', async () => {
  const users = [developmentPrincipal, { kind: 'USER', name: 'ann@example.com', secret: 'dapi-ann' }] as const;
  const { send, emulator } = await aBench({ settings: { principals: users, permissions: 'enforced' } });
  const ann = senderFor(emulator, 'dapi-ann');
  const acl = '/api/2.0/permissions/database-projects/shop';
  const refused = await ann('GET', 'projects/shop');
  expect(refused).toMatchObject({ status: 403, body: { error_code: 'PERMISSION_DENIED' } });
  expect(textAt(refused.body, 'message')).toContain('Please assign the user "Can Use" for the Database project shop.');
  const may = (level: string): object => ({
    access_control_list: [{ user_name: 'ann@example.com', permission_level: level }],
  });
  expect((await ann('GET', 'projects')).body).toEqual({ projects: [] });
  await send('PATCH', acl, may('CAN_USE'));
  expect((await ann('GET', 'projects/shop')).status).toBe(200);
  expect((await ann('GET', 'projects')).body).toMatchObject({ projects: [{ project_id: 'shop' }] });
  expect((await ann('DELETE', 'projects/shop')).status).toBe(403);
  await send('PUT', acl, may('CAN_MANAGE'));
  expect((await ann('DELETE', 'projects/shop/branches/x')).status).toBe(404);
  expect((await send('PUT', acl, may('CAN_CREATE'))).status).toBe(400);
  expect((await send('GET', '/api/2.0/permissions/database-projects/nope')).status).toBe(404);
});
