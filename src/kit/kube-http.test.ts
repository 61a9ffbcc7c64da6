import { expect, test } from 'vitest';
import {
  blackHole,
  json,
  refuse,
  startFaultServer,
  type Answer,
  type FaultServer,
} from '../../test/fakes/fault-server.ts';
import { failureOf, kubeFor } from '../../test/fakes/http-kube.ts';
import { ManualClock } from './clock.ts';
import { isConflict, isGone, KubeError, KubeUnreachable, type KubeObject, type ResourceType } from './kube.ts';
import { pathOf } from './kube-http.ts';

const secrets: ResourceType = { group: '', version: 'v1', plural: 'secrets', kind: 'Secret', namespaced: true };
const widgets: ResourceType = { group: 'test.dev', version: 'v1', plural: 'widgets', kind: 'Widget', namespaced: true };
const roles: ResourceType = {
  group: 'rbac.authorization.k8s.io',
  version: 'v1',
  plural: 'clusterroles',
  kind: 'ClusterRole',
  namespaced: false,
};
const key = { namespace: 'shop', name: 'a' };
const found: Answer = json({ metadata: { ...key } });

test.each<[string, string, string]>([
  ['a core object', pathOf(secrets, key), '/api/v1/namespaces/shop/secrets/a'],
  ['a list over all namespaces', pathOf(secrets, {}), '/api/v1/secrets'],
  ['a status', pathOf(widgets, key, 'status'), '/apis/test.dev/v1/namespaces/shop/widgets/a/status'],
  [
    'a name with capitals and signs',
    pathOf(roles, { name: 'system:My Role' }),
    '/apis/rbac.authorization.k8s.io/v1/clusterroles/system%3AMy%20Role',
  ],
])('path of %s', (_, path, expected) => expect(path).toBe(expected));

test('each verb sends the request that the API server expects', async () => {
  await using server = await startFaultServer(found);
  const { kube } = kubeFor(server);
  const object = { metadata: { ...key }, spec: {} };
  await kube.get(widgets, key);
  await kube.create(widgets, object);
  await kube.replace(widgets, object, { subresource: 'status' });
  await kube.apply(widgets, object, { fieldManager: 'me' });
  await kube.mergePatch(widgets, key, { x: 1 });
  await kube.remove(widgets, key, { uid: 'u' });
  await kube.getRaw('/version');
  const collection = '/apis/test.dev/v1/namespaces/shop/widgets';
  const whole = '{"metadata":{"namespace":"shop","name":"a"},"spec":{},"apiVersion":"test.dev/v1","kind":"Widget"}';
  const options =
    '{"apiVersion":"v1","kind":"DeleteOptions","propagationPolicy":"Background","preconditions":{"uid":"u"}}';
  expect(
    server.requests.map(({ method, path, query, headers, body }) => [
      `${method} ${path}?${query.toString()}`,
      headers['content-type'],
      body,
    ]),
  ).toEqual([
    [`GET ${collection}/a?`, undefined, ''],
    [`POST ${collection}?`, 'application/json', whole],
    [`PUT ${collection}/a/status?`, 'application/json', whole],
    [`PATCH ${collection}/a?fieldManager=me&force=true`, 'application/apply-patch+yaml', whole],
    [`PATCH ${collection}/a?`, 'application/merge-patch+json', '{"x":1}'],
    [`DELETE ${collection}/a?`, 'application/json', options],
    ['GET /version?', undefined, ''],
  ]);
  expect(server.connections()).toBeLessThan(server.requests.length);
  await kube.close();
});

test('list items get the apiVersion and kind that the server leaves out', async () => {
  await using server = await startFaultServer(json({ metadata: { resourceVersion: '7' }, items: [{ metadata: key }] }));
  const { kube } = kubeFor(server);
  const list = await kube.list(secrets, { namespace: 'shop', labelSelector: 'a=b', limit: 5 });
  expect(list).toEqual({
    metadata: { resourceVersion: '7' },
    items: [{ apiVersion: 'v1', kind: 'Secret', metadata: key }],
  });
  expect(server.requests[0]?.query.toString()).toBe('labelSelector=a%3Db&limit=5');
  await kube.close();
});

test('a patch that names another uid is a conflict, and any other invalid patch is not', async () => {
  const status = { kind: 'Status', code: 422, reason: 'Invalid', details: { causes: [{ field: 'metadata.uid' }] } };
  await using server = await startFaultServer(json(status, 422));
  const { kube } = kubeFor(server);
  expect(isConflict(await failureOf(kube.mergePatch(widgets, key, {})))).toBe(true);
  expect(isConflict(await failureOf(kube.apply(widgets, { metadata: key }, { fieldManager: 'me' })))).toBe(true);
  server.otherwise = refuse(422, 'Invalid');
  expect(await failureOf(kube.mergePatch(widgets, key, {}))).toMatchObject({ code: 422 });
  await kube.close();
});

async function collected<T>(events: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const event of events) all.push(event);
  return all;
}

const line = (type: string, object: unknown): string => `${JSON.stringify({ type, object })}\n`;

test('a watch asks for bookmarks and yields events from lines that are cut anywhere', async () => {
  const text =
    line('ADDED', { metadata: { name: 'größe' } }) + line('BOOKMARK', { metadata: { resourceVersion: '9' } });
  const bytes = Buffer.from(text);
  await using server = await startFaultServer((response) => {
    response.writeHead(200);
    for (const byte of bytes) response.write(Buffer.of(byte));
    response.end();
  });
  const { kube } = kubeFor(server);
  const options = {
    signal: new AbortController().signal,
    namespace: 'shop',
    sendInitialEvents: true,
    timeoutSeconds: 300,
  };
  const events = await collected(kube.watch(secrets, options));
  expect(events).toEqual([
    { type: 'ADDED', object: { apiVersion: 'v1', kind: 'Secret', metadata: { name: 'größe' } } },
    { type: 'BOOKMARK', object: { apiVersion: 'v1', kind: 'Secret', metadata: { resourceVersion: '9' } } },
  ]);
  const { path, query } = server.requests[0]!;
  expect(path).toBe('/api/v1/namespaces/shop/secrets');
  expect(Object.fromEntries(query)).toEqual({
    watch: 'true',
    allowWatchBookmarks: 'true',
    timeoutSeconds: '300',
    sendInitialEvents: 'true',
    resourceVersionMatch: 'NotOlderThan',
  });
  await kube.close();
});

async function watchFailure(server: FaultServer, signal = new AbortController().signal): Promise<unknown> {
  const { kube } = kubeFor(server);
  const failure = await failureOf(collected(kube.watch<KubeObject>(secrets, { signal, resourceVersion: '1' })));
  await kube.close();
  return failure;
}

test('an ERROR event, a refused watch, a broken and a garbled stream are told apart', async () => {
  await using server = await startFaultServer(json({}));
  server.next.push((response) => void response.writeHead(200).end(line('ERROR', { code: 410, reason: 'Expired' })));
  expect(isGone(await watchFailure(server))).toBe(true);
  server.next.push(refuse(410, 'Expired'));
  expect(isGone(await watchFailure(server))).toBe(true);
  server.next.push(refuse(429, 'TooManyRequests', { 'retry-after': '7' }));
  expect(await watchFailure(server)).toMatchObject({ code: 429, retryAfterMs: 7_000 });
  server.next.push((response) => {
    response.writeHead(200).write(line('ADDED', { metadata: { name: 'a' } }), () => response.destroy());
  });
  expect(await watchFailure(server)).toBeInstanceOf(KubeUnreachable);
  server.next.push((response) => void response.writeHead(200).end('{"type":\n'));
  expect(await watchFailure(server)).toBeInstanceOf(KubeUnreachable);
});

test('an abort ends a running watch with its reason and closes the connection', async () => {
  await using server = await startFaultServer(
    (response) => void response.writeHead(200).write(line('ADDED', { metadata: key })),
  );
  const abort = new AbortController();
  const failure = watchFailure(server, abort.signal);
  await expect.poll(() => server.requests.length, { timeout: 30_000 }).toBe(1);
  const reason = new Error('enough');
  abort.abort(reason);
  expect(await failure).toBe(reason);
  await expect.poll(() => server.requests[0]?.socket.destroyed, { timeout: 30_000 }).toBe(true);
});

test('a watch that is never answered is given up after its time to open', async () => {
  await using server = await startFaultServer(blackHole);
  const clock = new ManualClock(new Date('2026-01-01T00:00:00Z'));
  const { kube } = kubeFor(server, { clock });
  const { signal } = new AbortController();
  const failure = failureOf(collected(kube.watch(secrets, { signal, resourceVersion: '1' })));
  await expect.poll(() => server.requests.length, { timeout: 30_000 }).toBe(1);
  clock.advance(30_000);
  expect(await failure).toBeInstanceOf(KubeUnreachable);
  expect(await failure).not.toBeInstanceOf(KubeError);
  await kube.close();
});
