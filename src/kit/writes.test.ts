// status.ts and finalizers.ts: what they write, what they leave alone, and what they refuse.
import { expect, test } from 'vitest';
import { MemoryKube } from '../../test/fakes/memory-kube.ts';
import { ManualClock } from './clock.ts';
import { addFinalizer, removeFinalizer } from './finalizers.ts';
import { isConflict, type KubeObject, type ResourceType } from './kube.ts';
import { writeStatus } from './status.ts';

const widgets: ResourceType = { group: 'test.dev', version: 'v1', plural: 'widgets', kind: 'Widget', namespaced: true };
const key = { namespace: 'default', name: 'a' };
const mine = 'test.dev/mine';

interface Status {
  color?: string | undefined;
  sizes?: number[];
}
interface Widget extends KubeObject {
  spec?: { size: number };
  status?: Status;
}

function setup(metadata: Partial<Widget['metadata']> = {}) {
  const kube = new MemoryKube({ clock: new ManualClock(new Date('2026-01-01T00:00:00Z')) });
  const object = kube.seed<Widget>(widgets, {
    metadata: { ...key, ...metadata },
    spec: { size: 1 },
    status: { color: 'red' },
  });
  return { kube, object, stored: () => kube.peek<Widget>(widgets, key) };
}

const failureOf = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    () => 'no failure',
    (error: unknown) => error,
  );

test('a status that says nothing new is not written', async () => {
  const { kube, object } = setup();
  expect(await writeStatus(kube, widgets, object, { color: 'red', extra: undefined } as Status)).toBe(object);
  expect(kube.calls).toEqual([]);
});

test('a new status is written, without undefined fields, and nothing else with it', async () => {
  const { kube, object, stored } = setup();
  const edited = { ...object, spec: { size: 99 } };
  const after = await writeStatus<Status, Widget>(kube, widgets, edited, { color: undefined, sizes: [1] });
  expect(after).toEqual(stored());
  expect(stored()).toMatchObject({ spec: { size: 1 }, status: { sizes: [1] } });
  expect(stored()?.status).not.toHaveProperty('color');
});

test('a status is not written over a version that was not seen', async () => {
  const { kube, object, stored } = setup();
  kube.edit<Widget>(widgets, key, (widget) => (widget.status = { color: 'blue' }));
  expect(isConflict(await failureOf(writeStatus<Status, Widget>(kube, widgets, object, { color: 'green' })))).toBe(
    true,
  );
  expect(stored()?.status).toEqual({ color: 'blue' });
});

test('a finalizer is added beside others, once', async () => {
  const { kube, object, stored } = setup({ finalizers: ['theirs'] });
  const after = await addFinalizer(kube, widgets, object, mine);
  expect(after.metadata.finalizers).toEqual(['theirs', mine]);
  expect(await addFinalizer(kube, widgets, after, mine)).toBe(after);
  expect(stored()?.metadata.finalizers).toEqual(['theirs', mine]);
  expect(kube.calls).toHaveLength(1);
});

test('a finalizer is removed from between others, once', async () => {
  const { kube, object } = setup({ finalizers: ['theirs', mine, 'others'] });
  const after = await removeFinalizer(kube, widgets, object, mine);
  expect(after.metadata.finalizers).toEqual(['theirs', 'others']);
  expect(await removeFinalizer(kube, widgets, after, mine)).toBe(after);
  expect(kube.calls).toHaveLength(1);
});

test('removing the last finalizer of a deleted object lets it go', async () => {
  const { kube, stored } = setup({ finalizers: [mine] });
  kube.delete(widgets, key);
  await removeFinalizer(kube, widgets, stored()!, mine);
  expect(stored()).toBeUndefined();
});

test('finalizers that somebody else added meanwhile are not overwritten', async () => {
  const { kube, object, stored } = setup();
  kube.edit<Widget>(widgets, key, ({ metadata }) => (metadata.finalizers = ['theirs']));
  expect(isConflict(await failureOf(addFinalizer(kube, widgets, object, mine)))).toBe(true);
  expect(stored()?.metadata.finalizers).toEqual(['theirs']);
});

test('a new object under the same name is not touched, and one that was never read is refused', async () => {
  const { kube, object, stored } = setup({ finalizers: [] });
  kube.delete(widgets, key);
  kube.seed<Widget>(widgets, { metadata: { ...key } });
  expect(isConflict(await failureOf(addFinalizer(kube, widgets, object, mine)))).toBe(true);
  expect(stored()?.metadata.finalizers).toBeUndefined();
  expect(() => addFinalizer(kube, widgets, { metadata: { ...key } }, mine)).toThrow('was never read');
});
