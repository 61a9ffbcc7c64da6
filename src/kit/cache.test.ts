import { expect, test } from 'vitest';
import { MemoryKube } from '../../test/fakes/memory-kube.ts';
import { Cache, type CacheOptions } from './cache.ts';
import { ManualClock } from './clock.ts';
import type { KubeObject, ResourceType } from './kube.ts';

const widgets: ResourceType = { group: 'test.dev', version: 'v1', plural: 'widgets', kind: 'Widget', namespaced: true };

interface Widget extends KubeObject {
  spec: { colors: string[] };
}

const quiet = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
const widget = (namespace: string, name: string, ...colors: string[]): Widget => ({
  metadata: { namespace, name },
  spec: { colors },
});
const names = (objects: Widget[]): string[] =>
  objects.map(({ metadata: { namespace, name } }) => `${namespace}/${name}`).toSorted();

function setup(options: Partial<CacheOptions<Widget>> = {}) {
  const clock = new ManualClock(new Date('2026-01-01T00:00:00Z'));
  const kube = new MemoryKube({ clock });
  for (const namespace of ['one', 'two', 'three']) kube.addNamespace(namespace);
  const indexes = { color: ({ spec }: Widget) => spec.colors };
  const cache = new Cache<Widget>({ kube, type: widgets, clock, indexes, ...options });
  const abort = new AbortController();
  const start = () => void cache.run(abort.signal);
  return { clock, kube, cache, start, stop: () => abort.abort() };
}

test('objects are found by key and by every value of an index, which follows their changes', async () => {
  const { kube, cache, start, stop } = setup();
  kube.seed(widgets, widget('one', 'a', 'red', 'blue'));
  kube.seed(widgets, widget('two', 'a', 'red'));
  start();
  await cache.whenSynced();
  expect(cache.get('one/a')?.spec.colors).toEqual(['red', 'blue']);
  expect(cache.get('one/b')).toBeUndefined();
  expect(names(cache.byIndex('color', 'red'))).toEqual(['one/a', 'two/a']);
  kube.edit<Widget>(widgets, { namespace: 'one', name: 'a' }, ({ spec }) => (spec.colors = ['blue', 'green']));
  kube.delete(widgets, { namespace: 'two', name: 'a' });
  await quiet();
  expect(names(cache.byIndex('color', 'red'))).toEqual([]);
  expect(names(cache.byIndex('color', 'blue'))).toEqual(['one/a']);
  expect(names(cache.byIndex('color', 'green'))).toEqual(['one/a']);
  expect(cache.byIndex('color', 'green')[0]).toBe(cache.get('one/a'));
  expect([names(cache.list()), cache.size]).toEqual([['one/a'], 1]);
  expect(() => cache.byIndex('shape', 'round')).toThrow('no index shape');
  stop();
});

test('it is synced when every namespace is, and holds only those', async () => {
  const { kube, cache, start, stop, clock } = setup({ namespaces: ['one', 'two'], random: () => 0 });
  for (const namespace of ['one', 'two', 'three']) kube.seed(widgets, widget(namespace, 'a', 'red'));
  const undo = kube.failBefore(({ key }) => (key === 'two' ? new Error('away') : undefined));
  start();
  await quiet();
  expect([cache.synced, names(cache.list()), cache.lastContactMs]).toEqual([false, ['one/a'], undefined]);
  undo();
  clock.advance(1_000);
  await quiet();
  expect([cache.synced, names(cache.byIndex('color', 'red')), cache.lastContactMs]).toEqual([
    true,
    ['one/a', 'two/a'],
    0,
  ]);
  stop();
});

test('subscribers hear each change once the cache has it, and one that throws hinders nobody', async () => {
  const errors: unknown[] = [];
  const { kube, cache, start, stop } = setup({ onError: (error) => errors.push(error) });
  const bug = new Error('bug');
  cache.subscribe(() => {
    throw bug;
  });
  const heard: unknown[] = [];
  const unsubscribe = cache.subscribe((change, { metadata }, old) => {
    heard.push([change, metadata.name, old?.spec.colors, names(cache.byIndex('color', 'red')), cache.synced]);
  });
  kube.seed(widgets, widget('one', 'a', 'red'));
  start();
  await quiet();
  kube.edit<Widget>(widgets, { namespace: 'one', name: 'a' }, ({ spec }) => (spec.colors = []));
  await quiet();
  unsubscribe();
  kube.delete(widgets, { namespace: 'one', name: 'a' });
  await quiet();
  expect(heard).toEqual([
    ['add', 'a', undefined, ['one/a'], false],
    ['update', 'a', ['red'], [], true],
  ]);
  expect(errors).toEqual([bug, bug, bug]);
  stop();
});

test('nobody waits for the first state after giving up', async () => {
  const { cache } = setup();
  const abort = new AbortController();
  const waiting = cache.whenSynced(abort.signal);
  abort.abort(new Error('SIGTERM'));
  await expect(waiting).rejects.toThrow('SIGTERM');
});
