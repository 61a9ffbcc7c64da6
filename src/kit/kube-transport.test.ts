import type { TLSSocket } from 'node:tls';
import { expect, test } from 'vitest';
import { newAuthority } from '../../test/fakes/certificates.ts';
import { blackHole, json, refuse, reset, startFaultServer, type Answer } from '../../test/fakes/fault-server.ts';
import { failureOf, kubeFor } from '../../test/fakes/http-kube.ts';
import { ManualClock } from './clock.ts';
import { isConflict, KubeUnreachable, type ResourceType } from './kube.ts';

const secrets: ResourceType = { group: '', version: 'v1', plural: 'secrets', kind: 'Secret', namespaced: true };
const key = { namespace: 'shop', name: 'a' };
const found: Answer = json({ metadata: { ...key } });

test('a refusal is a KubeError with code, reason and causes, and without anything of the request', async () => {
  await using server = await startFaultServer(refuse(409, 'Conflict'));
  const { kube, answers } = kubeFor(server);
  const error = await failureOf(kube.get(secrets, key));
  expect(isConflict(error)).toBe(true);
  expect(error).toMatchObject({ message: 'GET /api/v1/namespaces/shop/secrets/a: 409 Conflict Conflict happened' });
  expect(JSON.stringify(error) + String(error)).not.toContain('Bearer');
  expect(answers).toMatchObject([{ verb: 'GET', code: 409, host: new URL(server.url).host }]);
  server.otherwise = (response) => void response.writeHead(502).end('<html>bad gateway</html>');
  expect(await failureOf(kube.get(secrets, key))).toMatchObject({ code: 502, reason: '' });
  await kube.close();
});

test.each<[string, Answer, boolean]>([
  ['429 with Retry-After is sent again', refuse(429, 'TooManyRequests', { 'retry-after': '0' }), true],
  ['503 with Retry-After is sent again', refuse(503, 'ServiceUnavailable', { 'retry-after': '0' }), true],
  ['429 whose Status says when is sent again', json({ code: 429, details: { retryAfterSeconds: 0 } }, 429), true],
  ['500 without Retry-After is not', refuse(500, 'InternalError'), false],
  ['404 with Retry-After is not', refuse(404, 'NotFound', { 'retry-after': '0' }), false],
])('%s', async (_, answer, retried) => {
  await using server = await startFaultServer(found);
  const { kube } = kubeFor(server);
  server.next.push(answer);
  const result = await failureOf(kube.get(secrets, key));
  expect(result === 'no failure').toBe(retried);
  expect(server.requests).toHaveLength(retried ? 2 : 1);
  await kube.close();
});

test('the wait that the server asks for is kept, and never outlasts the deadline of the call', async () => {
  await using server = await startFaultServer(found);
  const clock = new ManualClock(new Date('2026-01-01T00:00:00Z'));
  const { kube } = kubeFor(server, { clock });
  server.next.push(refuse(429, 'TooManyRequests', { 'retry-after': '3' }));
  const call = kube.get(secrets, key);
  await expect.poll(() => clock.nextTimer()?.toISOString(), { timeout: 30_000 }).toBe('2026-01-01T00:00:03.000Z');
  expect(server.requests).toHaveLength(1);
  clock.advance(3_000);
  await call;
  expect(server.requests).toHaveLength(2);
  server.next.push(refuse(429, 'TooManyRequests', { 'retry-after': '60' }));
  expect(await failureOf(kube.get(secrets, key))).toMatchObject({ code: 429, retryAfterMs: 60_000 });
  await kube.close();
});

test('a server that only ever says "later" is given up after a few tries', async () => {
  await using server = await startFaultServer(refuse(429, 'TooManyRequests', { 'retry-after': '0' }));
  const { kube } = kubeFor(server);
  expect(await failureOf(kube.get(secrets, key))).toMatchObject({ code: 429 });
  expect(server.requests).toHaveLength(6);
  await kube.close();
});

test('a black hole ends with the timeout, and the next call takes another connection', async () => {
  await using server = await startFaultServer(found);
  const { kube, answers } = kubeFor(server);
  server.next.push(blackHole);
  const error = await failureOf(kube.create(secrets, { metadata: { ...key } }, { timeoutMs: 100 }));
  expect(error).toBeInstanceOf(KubeUnreachable);
  expect(answers).toMatchObject([{ verb: 'POST', code: 0 }]);
  await kube.get(secrets, key);
  expect(server.connections()).toBe(2);
  await kube.close();
});

test('an answer that stalls half-way ends with the timeout too', async () => {
  await using server = await startFaultServer((response) => void response.writeHead(200).write('{"metadata":'));
  const { kube } = kubeFor(server);
  expect(await failureOf(kube.get(secrets, key, { timeoutMs: 100 }))).toBeInstanceOf(KubeUnreachable);
  await kube.close();
});

test('credentials that never come end with the timeout', async () => {
  await using server = await startFaultServer(found);
  const { kube } = kubeFor(server, { credentials: () => new Promise(() => {}) });
  expect(await failureOf(kube.get(secrets, key, { timeoutMs: 100 }))).toBeInstanceOf(KubeUnreachable);
  await kube.close();
});

test("the caller's signal ends a call with its own reason", async () => {
  await using server = await startFaultServer(blackHole);
  const { kube } = kubeFor(server);
  const abort = new AbortController();
  const call = failureOf(kube.get(secrets, key, { signal: abort.signal }));
  await expect.poll(() => server.requests.length, { timeout: 30_000 }).toBe(1);
  const reason = new Error('shutting down');
  abort.abort(reason);
  expect(await call).toBe(reason);
  await kube.close();
});

test('a read survives a connection that dies under it once; a write is not repeated', async () => {
  await using server = await startFaultServer(found);
  const { kube } = kubeFor(server);
  server.next.push(reset);
  await kube.get(secrets, key);
  expect(server.requests).toHaveLength(2);
  server.next.push(reset, reset);
  expect(await failureOf(kube.get(secrets, key))).toBeInstanceOf(KubeUnreachable);
  server.next.push(reset);
  expect(await failureOf(kube.create(secrets, { metadata: { ...key } }))).toBeInstanceOf(KubeUnreachable);
  expect(server.requests).toHaveLength(5);
  await kube.close();
});

test('nobody listening is unreachable', async () => {
  const server = await startFaultServer(found);
  const { kube } = kubeFor(server);
  await server[Symbol.asyncDispose]();
  expect(await failureOf(kube.get(secrets, key))).toMatchObject({
    message: expect.stringContaining('ECONNREFUSED') as string,
  });
  await kube.close();
});

test('a token is read again once a minute, and at once when the server no longer takes it', async () => {
  await using server = await startFaultServer(found);
  const clock = new ManualClock(new Date('2026-01-01T00:00:00Z'));
  let token = 'first';
  const credentials = () => Promise.resolve({ headers: { authorization: `Bearer ${token}` } });
  const { kube } = kubeFor(server, { clock, credentials });
  const sent = () => server.requests.map(({ headers }) => headers.authorization);
  await kube.get(secrets, key);
  token = 'second';
  clock.advance(59_000);
  await kube.get(secrets, key);
  clock.advance(1_000);
  await kube.get(secrets, key);
  token = 'third';
  server.next.push(refuse(401, 'Unauthorized'));
  await kube.get(secrets, key);
  expect(sent()).toEqual(['Bearer first', 'Bearer first', 'Bearer second', 'Bearer second', 'Bearer third']);
  server.otherwise = refuse(401, 'Unauthorized');
  expect(await failureOf(kube.get(secrets, key))).toMatchObject({ code: 401 });
  expect(server.requests).toHaveLength(7);
  await kube.close();
});

test('credentials that cannot be read any more are used as they were; without any there is no call', async () => {
  await using server = await startFaultServer(found);
  const clock = new ManualClock(new Date('2026-01-01T00:00:00Z'));
  let readable = false;
  const credentials = () => (readable ? Promise.resolve({ headers: {} }) : Promise.reject(new Error('secret path')));
  const { kube } = kubeFor(server, { clock, credentials });
  const error = await failureOf(kube.get(secrets, key));
  expect(error).toBeInstanceOf(KubeUnreachable);
  expect(String(error)).not.toContain('secret path');
  readable = true;
  await kube.get(secrets, key);
  readable = false;
  clock.advance(61_000);
  await kube.get(secrets, key);
  expect(server.requests).toHaveLength(2);
  await kube.close();
});

test("the server's clock is compared with ours in the middle of the call", async () => {
  await using server = await startFaultServer(json({ metadata: key }, 200, { date: 'Thu, 01 Jan 2026 00:01:00 GMT' }));
  const clock = new ManualClock(new Date('2026-01-01T00:00:00Z'));
  const { kube } = kubeFor(server, { clock });
  expect(kube.clockOffsetMs()).toBeUndefined();
  await kube.get(secrets, key);
  expect(kube.clockOffsetMs()).toBe(60_500);
  await kube.close();
});

test('TLS: only our authority is trusted, its replacement is noticed, and a client certificate is shown', async () => {
  const [authority, other] = await Promise.all([newAuthority(), newAuthority()]);
  const [serverCertificate, clientCertificate] = await Promise.all([
    authority.issue('server', [{ type: 'ip', value: '127.0.0.1' }]),
    authority.issue('client', []),
  ]);
  await using server = await startFaultServer(found, { ...serverCertificate, ca: authority.ca, requestCert: true });
  let ca = other.ca;
  const { kube } = kubeFor(server, { credentials: () => Promise.resolve({ headers: {}, ca, clientCertificate }) });
  expect(await failureOf(kube.get(secrets, key))).toBeInstanceOf(KubeUnreachable);
  expect(server.requests).toEqual([]);
  ca = authority.ca;
  await kube.get(secrets, key);
  const socket = server.requests[0]?.socket as unknown as TLSSocket;
  expect(socket.getPeerCertificate().subject.CN).toBe('client');
  await kube.close();
});

test('TLS: the certificate may carry another name if the kubeconfig says so', async () => {
  const authority = await newAuthority();
  const certificate = await authority.issue('server', [{ type: 'dns', value: 'api.internal' }]);
  await using server = await startFaultServer(found, { ...certificate });
  const credentials = () => Promise.resolve({ headers: {}, ca: authority.ca });
  const strict = kubeFor(server, { credentials });
  expect(await failureOf(strict.kube.get(secrets, key))).toBeInstanceOf(KubeUnreachable);
  const named = kubeFor(server, { credentials, connection: { serverName: 'api.internal' } });
  await named.kube.get(secrets, key);
  await Promise.all([strict.kube.close(), named.kube.close()]);
});
