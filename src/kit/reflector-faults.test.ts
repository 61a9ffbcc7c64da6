// The reflector over the real client, against a server that fails in every way a network and an API server can.
import { expect, test } from 'vitest';
import {
  blackHole,
  json,
  refuse,
  reset,
  startFaultServer,
  type Answer,
  type FaultServer,
} from '../../test/fakes/fault-server.ts';
import { kubeFor } from '../../test/fakes/http-kube.ts';
import { systemClock } from './clock.ts';
import type { KubeObject, ResourceType } from './kube.ts';
import { Reflector } from './reflector.ts';

const widgets: ResourceType = { group: 'test.dev', version: 'v1', plural: 'widgets', kind: 'Widget', namespaced: true };

type EventType = 'ADDED' | 'MODIFIED' | 'DELETED';

const line = (type: string, object: unknown): string => `${JSON.stringify({ type, object })}\n`;
const event = (type: EventType, name: string, resourceVersion: string): string =>
  line(type, { metadata: { namespace: 'shop', name, uid: `uid-${name}`, resourceVersion } });
const bookmark = (resourceVersion: string, annotations = {}): string =>
  line('BOOKMARK', { metadata: { resourceVersion, annotations } });
const complete = (resourceVersion: string): string =>
  bookmark(resourceVersion, { 'k8s.io/initial-events-end': 'true' });

/** Writes the lines and leaves the stream open. */
const stream =
  (...lines: string[]): Answer =>
  (response) => {
    response.writeHead(200, { 'content-type': 'application/json' }).write(lines.join('') || '\n');
  };

/** Writes the lines and ends the stream. */
const finished =
  (...lines: string[]): Answer =>
  (response) => {
    response.writeHead(200, { 'content-type': 'application/json' }).end(lines.join(''));
  };

/** Writes the lines and breaks the connection. */
const broken =
  (...lines: string[]): Answer =>
  (response) => {
    response.writeHead(200).write(lines.join(''), () => response.destroy());
  };

function watching(server: FaultServer) {
  const { kube } = kubeFor(server);
  const told: string[] = [];

  const reflector = new Reflector<KubeObject>(
    { kube, clock: systemClock, type: widgets, baseBackoffMs: 5, idleMs: 2_000, random: () => 0 },
    (change, { metadata }) => told.push(`${change} ${metadata.name} ${metadata.resourceVersion}`),
  );
  const abort = new AbortController();
  const running = reflector.run(abort.signal);
  const stop = async (): Promise<void> => {
    abort.abort();
    await running;
    await kube.close();
  };
  return { reflector, told, stop };
}

const versions = ({ objects }: Reflector<KubeObject>): string[] =>
  [...objects.values()].map(({ metadata }) => `${metadata.name} ${metadata.resourceVersion}`);

const faults: [string, Answer][] = [
  ['a connection that is reset', reset],
  ['a stream that breaks in the middle of a line', broken('{"type":"ADD')],
  ['a stream that ends at once', finished()],
  ['a stream that stays silent', stream()],
  ['a server that accepts and never answers', blackHole],
  ['410 as an answer', refuse(410, 'Expired')],
  ['410 as an event', finished(line('ERROR', { kind: 'Status', code: 410, reason: 'Expired' }))],
  ['another error as an event', finished(line('ERROR', { kind: 'Status', code: 500, reason: 'InternalError' }))],
  ['429 with Retry-After', refuse(429, 'TooManyRequests', { 'retry-after': '0' })],
  ['500', refuse(500, 'InternalError')],
  ['401', refuse(401, 'Unauthorized')],
  ['403', refuse(403, 'Forbidden')],
  ['an answer that is no JSON', finished('<html>\n')],
];

test.each(faults)('the first state arrives in spite of %s', async (_, fault) => {
  await using server = await startFaultServer(stream(event('ADDED', 'a', '5'), complete('9')));
  server.next.push(fault, fault);
  const { reflector, told, stop } = watching(server);
  await reflector.whenSynced;
  expect(told).toEqual(['add a 5']);
  await stop();
});

test.each(faults)('a running watch goes on after %s, and loses nothing', async (_, fault) => {
  await using server = await startFaultServer((response, request) => {
    const from = request.query.get('resourceVersion');
    if (from === '9') stream(event('MODIFIED', 'a', '12'))(response, request);
    else if (from === null) stream(event('ADDED', 'a', '12'), complete('12'))(response, request);
  });
  server.next.push(finished(event('ADDED', 'a', '5'), complete('9')), fault);
  const { reflector, told, stop } = watching(server);
  await expect.poll(() => versions(reflector), { timeout: 60_000 }).toEqual(['a 12']);
  expect(told).toEqual(['add a 5', 'update a 12']);
  await stop();
});

test('a server that was set back to an earlier time, and so is silent where the watch goes on, is asked for its state', async () => {
  await using server = await startFaultServer((response, request) => {
    const from = request.query.get('resourceVersion');
    if (from === '9') stream()(response, request);
    else stream(event('ADDED', 'b', '3'), complete('4'))(response, request);
  });
  server.next.push(finished(event('ADDED', 'a', '5'), complete('9')));
  const { reflector, told, stop } = watching(server);
  await expect.poll(() => versions(reflector), { timeout: 20_000 }).toEqual(['b 3']);
  expect(told).toEqual(['add a 5', 'delete a 5', 'add b 3']);
  await stop();
});

test('a first state that is cut off counts for nothing, and deletions inside it are kept in mind', async () => {
  await using server = await startFaultServer(blackHole);
  server.next.push(
    finished(event('ADDED', 'ghost', '1')),
    stream(
      event('ADDED', 'a', '5'),
      event('ADDED', 'b', '6'),
      event('DELETED', 'a', '7'),
      bookmark('8'),
      complete('9'),
    ),
  );
  const { reflector, told, stop } = watching(server);
  await reflector.whenSynced;
  expect(told).toEqual(['add b 6']);
  await stop();
});

test('a server that cannot stream its lists is asked for pages', async () => {
  const page = (name: string, from?: string): Answer =>
    json({
      metadata: { resourceVersion: '9', ...(from ? { continue: from } : {}) },
      items: [{ metadata: { name, resourceVersion: '5' } }],
    });
  await using server = await startFaultServer(stream());
  server.next.push(refuse(422, 'Invalid'), page('a', 'more'), page('b'));
  const { reflector, told, stop } = watching(server);
  await reflector.whenSynced;
  expect(told).toEqual(['add a 5', 'add b 5']);
  await expect.poll(() => server.requests.length, { timeout: 60_000 }).toBeGreaterThan(3);
  expect(
    server.requests
      .slice(0, 4)
      .map(({ query }) => [query.get('limit'), query.get('continue'), query.get('resourceVersion')]),
  ).toEqual([
    [null, null, null],
    ['500', null, null],
    ['500', 'more', null],
    [null, null, '9'],
  ]);
  await stop();
});

test('a bookmark moves the point at which a watch goes on', async () => {
  await using server = await startFaultServer(stream());
  server.next.push(finished(complete('9'), bookmark('40')));
  const { stop } = watching(server);
  await expect.poll(() => server.requests[1]?.query.get('resourceVersion'), { timeout: 60_000 }).toBe('40');
  await stop();
});
