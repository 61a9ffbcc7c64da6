import { expect, test } from 'vitest';
import { ManualClock } from '../../src/kit/clock.ts';
import {
  isAlreadyExists,
  isConflict,
  isGone,
  isNamespaceTerminating,
  isNotFound,
  KubeUnreachable,
  type KubeObject,
  type ResourceType,
  type WatchEvent,
} from '../../src/kit/kube.ts';
import { MemoryKube } from './memory-kube.ts';
import { namespaces } from './memory-objects.ts';

const widgets: ResourceType = { group: 'test.dev', version: 'v1', plural: 'widgets', kind: 'Widget', namespaced: true };
const secrets: ResourceType = { group: '', version: 'v1', plural: 'secrets', kind: 'Secret', namespaced: true };

interface Widget extends KubeObject {
  spec?: { size?: number; color?: string };
  status?: { observed?: number; conditions?: { type: string; status: string }[] };
}
interface Secret extends KubeObject {
  data?: Record<string, string>;
  stringData?: Record<string, string>;
}

function setup() {
  const clock = new ManualClock(new Date('2026-01-01T00:00:00Z'));
  const rules = [
    {
      type: widgets,
      defaults: (object: Widget) => {
        object.status ??= { observed: -1 };
      },
      validate: (object: Widget) => (object.spec?.size === 13 ? 'spec.size: unlucky' : undefined),
    },
  ];
  return { clock, kube: new MemoryKube({ clock, rules }) };
}

const key = { namespace: 'default', name: 'a' };
const widget = (over: Partial<Widget> = {}, metadata: Partial<Widget['metadata']> = {}): Widget => ({
  metadata: { ...key, ...metadata },
  ...over,
});
const failed = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    () => 'no error',
    (error: unknown) => error,
  );

test('a created object gets identity, defaults and generation 1, and loses the status it came with', async () => {
  const { kube } = setup();
  const made = await kube.create<Widget>(widgets, widget({ spec: { size: 1 }, status: { observed: 7 } }));
  expect(made).toMatchObject({
    apiVersion: 'test.dev/v1',
    kind: 'Widget',
    metadata: { generation: 1, creationTimestamp: '2026-01-01T00:00:00Z' },
    status: { observed: -1 },
  });
  expect(made.metadata.uid).toBeTruthy();
  expect(isAlreadyExists(await failed(kube.create(widgets, widget())))).toBe(true);
});

test('an object in a namespace that does not exist is refused', async () => {
  const { kube } = setup();
  expect(isNotFound(await failed(kube.create(widgets, widget({}, { namespace: 'nowhere' }))))).toBe(true);
});

test('generation counts changes of the spec, not of status or metadata', async () => {
  const { kube } = setup();
  const made = await kube.create<Widget>(widgets, widget({ spec: { size: 1 } }));
  const stated = await kube.replace<Widget>(
    widgets,
    { ...made, spec: { size: 9 }, status: { observed: 1 } },
    { subresource: 'status' },
  );
  expect(stated).toMatchObject({ spec: { size: 1 }, status: { observed: 1 }, metadata: { generation: 1 } });
  const labelled = await kube.mergePatch<Widget>(widgets, key, { metadata: { labels: { x: 'y' } } });
  expect(labelled.metadata.generation).toBe(1);
  const resized = await kube.replace<Widget>(widgets, { ...labelled, spec: { size: 2 }, status: { observed: 99 } });
  expect(resized).toMatchObject({ spec: { size: 2 }, status: { observed: 1 }, metadata: { generation: 2 } });
});

test('a stale resourceVersion or a foreign uid is a conflict for every kind of write', async () => {
  const { kube } = setup();
  const old = await kube.create<Widget>(widgets, widget({ spec: { size: 1 } }));
  await kube.mergePatch(widgets, key, { spec: { size: 2 } });
  const { resourceVersion } = old.metadata;
  const stale = { metadata: { ...key, resourceVersion: resourceVersion! }, spec: { size: 3 } };
  const foreign = { metadata: { ...key, uid: 'other' }, spec: { size: 3 } };
  const options = { fieldManager: 'me' };
  for (const attempt of [
    () => kube.replace(widgets, old),
    () => kube.mergePatch(widgets, key, stale),
    () => kube.mergePatch(widgets, key, foreign),
    () => kube.apply(widgets, stale, options),
    () => kube.apply(widgets, foreign, options),
    () => kube.apply(widgets, { ...foreign, metadata: { ...foreign.metadata, name: 'absent' } }, options),
    () => kube.remove(widgets, key, { uid: 'other' }),
    () => kube.remove(widgets, key, { resourceVersion: resourceVersion! }),
  ]) {
    expect(isConflict(await failed(attempt())), attempt.toString()).toBe(true);
  }
  expect(kube.peek<Widget>(widgets, key)?.spec).toEqual({ size: 2 });
  const { resourceVersion: _without, ...metadata } = old.metadata;
  expect(await failed(kube.replace(widgets, { ...old, metadata }))).toMatchObject({ code: 422 });
});

test('a write that changes nothing leaves no new version', async () => {
  const { kube } = setup();
  const made = await kube.create<Widget>(widgets, widget({ spec: { size: 1 } }));
  const patched = await kube.mergePatch<Widget>(widgets, key, { spec: { size: 1 } });
  expect(patched.metadata.resourceVersion).toBe(made.metadata.resourceVersion);
  const first = await kube.apply<Widget>(widgets, widget({ spec: { color: 'red' } }), { fieldManager: 'me' });
  const second = await kube.apply<Widget>(widgets, widget({ spec: { color: 'red' } }), { fieldManager: 'me' });
  expect(second.metadata.resourceVersion).toBe(first.metadata.resourceVersion);
  expect(kube.history(widgets, key)).toHaveLength(2);
});

test('apply creates, merges, takes back what it no longer wants, and leaves the rest to its owners', async () => {
  const { kube } = setup();
  const me = { fieldManager: 'me' };
  await kube.apply<Secret>(
    secrets,
    { metadata: { ...key, labels: { mine: '1' } }, data: { a: 'MQ==', b: 'Mg==' } },
    me,
  );
  await kube.mergePatch(secrets, key, { metadata: { labels: { theirs: '2' } }, data: { c: 'Mw==' } });
  const applied = await kube.apply<Secret>(secrets, { metadata: { ...key }, data: { a: 'NA==' } }, me);
  expect(applied.data).toEqual({ a: 'NA==', c: 'Mw==' });
  expect(applied.metadata.labels).toEqual({ theirs: '2' });
  const refused = await failed(
    kube.apply<Secret>(secrets, { metadata: { ...key }, data: { c: 'NQ==' } }, { fieldManager: 'me', force: false }),
  );
  expect(refused).toMatchObject({ code: 409, status: { details: { causes: [{ reason: 'FieldManagerConflict' }] } } });
});

test('finalizers and conditions merge by item under apply', async () => {
  const { kube } = setup();
  await kube.create<Widget>(widgets, widget({ spec: { size: 1 } }, { finalizers: ['theirs'] }));
  const me = { fieldManager: 'me' };
  const held = await kube.apply<Widget>(widgets, widget({}, { finalizers: ['mine'] }), me);
  expect(held.metadata.finalizers).toEqual(['theirs', 'mine']);
  const released = await kube.apply<Widget>(widgets, widget(), me);
  expect(released.metadata.finalizers).toEqual(['theirs']);
  const status = (type: string): Widget => widget({ status: { conditions: [{ type, status: 'True' }] } });
  await kube.apply(widgets, status('A'), { fieldManager: 'a', subresource: 'status' });
  const both = await kube.apply<Widget>(widgets, status('B'), { fieldManager: 'b', subresource: 'status' });
  expect(both.status?.conditions?.map(({ type }) => type)).toEqual(['A', 'B']);
  expect(both.metadata.finalizers).toEqual(['theirs']);
});

test('apply to the status of an absent object is not found, and never creates', async () => {
  const { kube } = setup();
  const attempt = kube.apply(widgets, widget(), { fieldManager: 'me', subresource: 'status' });
  expect(isNotFound(await failed(attempt))).toBe(true);
});

test('a finalizer holds a deleted object until it is taken away, and none can be added meanwhile', async () => {
  const { kube } = setup();
  const made = await kube.create<Widget>(widgets, widget({}, { finalizers: ['mine'] }));
  await kube.remove(widgets, key);
  const held = await kube.get<Widget>(widgets, key);
  expect(held.metadata).toMatchObject({ deletionTimestamp: '2026-01-01T00:00:00Z', generation: 2 });
  const more = { metadata: { finalizers: ['mine', 'more'] } };
  expect(await failed(kube.mergePatch(widgets, key, more))).toMatchObject({ code: 422 });
  await kube.mergePatch(widgets, key, { metadata: { finalizers: [] } });
  expect(isNotFound(await failed(kube.get(widgets, key)))).toBe(true);
  expect(kube.history(widgets, key).map(({ event }) => event)).toEqual(['ADDED', 'MODIFIED', 'DELETED']);
  const again = await kube.create<Widget>(widgets, widget());
  expect(again.metadata.uid).not.toBe(made.metadata.uid);
});

test('what an object owns goes with it', async () => {
  const { kube } = setup();
  const owner = await kube.create<Widget>(widgets, widget());
  const ownerReferences = [{ apiVersion: 'test.dev/v1', kind: 'Widget', name: 'a', uid: owner.metadata.uid! }];
  await kube.create<Secret>(secrets, { metadata: { ...key, ownerReferences } });
  await kube.remove(widgets, key);
  expect(kube.all(secrets)).toEqual([]);
});

test('a deleted namespace takes its content, admits nothing new, and goes when the last finalizer does', async () => {
  const { kube } = setup();
  kube.addNamespace('shop');
  const inShop = { namespace: 'shop', name: 'a' };
  await kube.create(widgets, widget({}, { ...inShop, finalizers: ['mine'] }));
  await kube.create(secrets, { metadata: { ...inShop } });
  await kube.remove(namespaces, { name: 'shop' });
  expect(kube.all(secrets)).toEqual([]);
  const refused = await failed(kube.create(widgets, widget({}, { ...inShop, name: 'b' })));
  expect(isNamespaceTerminating(refused)).toBe(true);
  const applied = await failed(kube.apply(secrets, { metadata: { ...inShop } }, { fieldManager: 'me' }));
  expect(isNamespaceTerminating(applied)).toBe(true);
  await kube.mergePatch(widgets, inShop, { metadata: { finalizers: null } });
  expect(kube.peek(namespaces, { name: 'shop' })).toBeUndefined();
});

test('a Secret is stored encoded, and validation speaks as 422', async () => {
  const { kube } = setup();
  const made = await kube.create<Secret>(secrets, { metadata: { ...key }, stringData: { user: 'me' } });
  expect(made).not.toHaveProperty('stringData');
  expect(made.data).toEqual({ user: 'bWU=' });
  expect(await failed(kube.create(widgets, widget({ spec: { size: 13 } })))).toMatchObject({ code: 422 });
});

async function take<T>(events: AsyncIterable<T>, count: number): Promise<T[]> {
  const taken: T[] = [];
  for await (const event of events) if (taken.push(event) === count) break;
  return taken;
}

const summary = (events: WatchEvent<Widget>[]): string[] =>
  events.map(({ type, object }) => `${type} ${object.metadata.name}`);

test('a watch brings the present state, its end, and then what a selector sees', async () => {
  const { kube } = setup();
  const { signal } = new AbortController();
  await kube.create(widgets, widget({}, { labels: { on: 'yes' } }));
  await kube.create(widgets, widget({}, { name: 'b' }));
  const events = take(kube.watch<Widget>(widgets, { signal, sendInitialEvents: true, labelSelector: 'on=yes' }), 5);
  await Promise.resolve();
  await kube.list(widgets);
  await kube.mergePatch(widgets, { ...key, name: 'b' }, { metadata: { labels: { on: 'yes' } } });
  await kube.mergePatch(widgets, key, { metadata: { labels: { on: 'no' } } });
  await kube.remove(widgets, { ...key, name: 'b' });
  expect(summary(await events)).toEqual(['ADDED a', 'BOOKMARK ', 'ADDED b', 'DELETED a', 'DELETED b']);
});

test('a watch from a version replays what came after it, or is gone when that was forgotten', async () => {
  const { kube } = setup();
  const { signal } = new AbortController();
  const made = await kube.create<Widget>(widgets, widget({ spec: { size: 1 } }));
  await kube.mergePatch(widgets, key, { spec: { size: 2 } });
  await kube.remove(widgets, key);
  const resourceVersion = made.metadata.resourceVersion!;
  expect(summary(await take(kube.watch<Widget>(widgets, { signal, resourceVersion }), 2))).toEqual([
    'MODIFIED a',
    'DELETED a',
  ]);
  kube.compact();
  expect(isGone(await failed(take(kube.watch(widgets, { signal, resourceVersion }), 1)))).toBe(true);
});

test('a watch sends a bookmark a minute and ends at its timeout; an abort breaks it', async () => {
  const { kube, clock } = setup();
  const abort = new AbortController();
  const options = { signal: abort.signal, resourceVersion: '1000', timeoutSeconds: 90 };
  const ended = take(kube.watch<Widget>(widgets, options), 9);
  await kube.list(widgets);
  clock.advance(100_000);
  expect(summary(await ended)).toEqual(['BOOKMARK ']);
  const broken = failed(take(kube.watch<Widget>(widgets, options), 9));
  await kube.list(widgets);
  abort.abort(new Error('enough'));
  expect(await broken).toMatchObject({ message: 'enough' });
});

test('a list comes in pages that all show the same moment', async () => {
  const { kube } = setup();
  for (const name of ['c', 'a', 'b']) await kube.create(widgets, widget({}, { name }));
  const first = await kube.list<Widget>(widgets, { limit: 2 });
  await kube.remove(widgets, { ...key, name: 'c' });
  const token = first.metadata.continue!;
  const second = await kube.list<Widget>(widgets, { limit: 2, continue: token });
  expect([...first.items, ...second.items].map(({ metadata }) => metadata.name)).toEqual(['a', 'b', 'c']);
  kube.compact();
  expect(isGone(await failed(kube.list(widgets, { limit: 2, continue: token })))).toBe(true);
});

test('faults strike before or after a call takes effect, and a stalled call ends with its timeout', async () => {
  const { kube, clock } = setup();
  const lost = new KubeUnreachable('lost');
  const undo = kube.failBefore(({ verb }) => (verb === 'create' ? lost : undefined));
  expect(await failed(kube.create(widgets, widget()))).toBe(lost);
  expect(kube.all(widgets)).toEqual([]);
  undo();
  const undoAfter = kube.failAfter(({ verb }) => (verb === 'create' ? lost : undefined));
  expect(await failed(kube.create(widgets, widget()))).toBe(lost);
  expect(kube.all(widgets)).toHaveLength(1);
  undoAfter();
  kube.failBefore(() => new Promise(() => {}));
  const stalled = failed(kube.get(widgets, key));
  await Promise.resolve().then(() => Promise.resolve());
  clock.advance(30_000);
  expect(await stalled).toBeInstanceOf(KubeUnreachable);
  expect(kube.calls.map(({ verb }) => verb)).toEqual(['create', 'create', 'get']);
});

test('answers are copies: changing one changes nothing in the store', async () => {
  const { kube } = setup();
  const made = await kube.create<Widget>(widgets, widget({ spec: { size: 1 } }));
  made.spec!.size = 2;
  expect(kube.peek<Widget>(widgets, key)?.spec).toEqual({ size: 1 });
});
