import { expect, test } from 'vitest';
import { MemoryKube } from '../../test/fakes/memory-kube.ts';
import { ManualClock } from './clock.ts';
import { KubeEventRecorder, type Happening } from './events.ts';
import { KubeUnreachable, type KubeObject, type ResourceType } from './kube.ts';

const events: ResourceType = {
  group: 'events.k8s.io',
  version: 'v1',
  plural: 'events',
  kind: 'Event',
  namespaced: true,
};
const widgets: ResourceType = { group: 'test.dev', version: 'v1', plural: 'widgets', kind: 'Widget', namespaced: true };
const minuteMs = 60_000;

interface Event extends KubeObject {
  note: string;
  series?: { count: number; lastObservedTime: string };
}

function setup() {
  const clock = new ManualClock(new Date('2026-01-01T00:00:00Z'));
  const kube = new MemoryKube({ clock });
  kube.addNamespace('shop');
  const dropped: unknown[] = [];
  const onDropped = (error: unknown) => dropped.push(error);
  const recorder = new KubeEventRecorder({
    kube,
    clock,
    controller: 'test.dev/operator',
    instance: 'pod-1',
    onDropped,
  });
  return { clock, kube, recorder, dropped, written: () => kube.all<Event>(events) };
}

const happening = (over: Partial<Happening> = {}): Happening => ({
  type: 'Normal',
  reason: 'Painted',
  action: 'Paint',
  note: 'it is red now',
  regarding: { metadata: { namespace: 'shop', name: 'a', uid: 'uid-a', resourceVersion: '7' } },
  resource: widgets,
  ...over,
});

test('an event has everything that the API server demands', async () => {
  const { recorder, written } = setup();
  recorder.record(happening());
  await recorder.flushed();
  expect(written()).toMatchObject([
    {
      apiVersion: 'events.k8s.io/v1',
      kind: 'Event',
      metadata: { namespace: 'shop', name: expect.stringMatching(/^a\.[0-9a-f]+$/) as string },
      eventTime: '2026-01-01T00:00:00.000000Z',
      reportingController: 'test.dev/operator',
      reportingInstance: 'pod-1',
      action: 'Paint',
      reason: 'Painted',
      type: 'Normal',
      note: 'it is red now',
      regarding: {
        apiVersion: 'test.dev/v1',
        kind: 'Widget',
        namespace: 'shop',
        name: 'a',
        uid: 'uid-a',
        resourceVersion: '7',
      },
    },
  ]);
  expect(written()[0]).not.toHaveProperty('series');
});

test('repeats are counted on the first event, at once and then every five minutes', async () => {
  const { clock, kube, recorder, written } = setup();
  for (let minute = 0; minute < 12; minute += 1) {
    recorder.record(happening());
    clock.advance(minuteMs);
  }
  await recorder.flushed();
  expect(written()).toMatchObject([{ series: { count: 12, lastObservedTime: '2026-01-01T00:11:00.000000Z' } }]);
  expect(kube.calls.map(({ verb }) => verb)).toEqual(['create', 'mergePatch', 'mergePatch', 'mergePatch']);
});

test('after six minutes of silence the count is told and the next one is a new event', async () => {
  const { clock, recorder, written } = setup();
  for (let times = 0; times < 4; times += 1) recorder.record(happening());
  clock.advance(7 * minuteMs);
  recorder.record(happening());
  await recorder.flushed();
  expect(written().map(({ series }) => series?.count)).toEqual([4, undefined]);
});

test('what differs in any way is an event of its own', async () => {
  const { recorder, written } = setup();
  const others: Partial<Happening>[] = [
    {},
    { type: 'Warning' },
    { reason: 'Broken' },
    { action: 'Break' },
    { note: 'it is blue now' },
    { regarding: { metadata: { namespace: 'shop', name: 'a', uid: 'uid-b' } } },
  ];
  for (const other of others) recorder.record(happening(other));
  await recorder.flushed();
  expect(written()).toHaveLength(others.length);
});

test('events about cluster-scoped objects live in default', async () => {
  const { recorder, written } = setup();
  recorder.record(happening({ regarding: { metadata: { name: 'a', uid: 'uid-a' } } }));
  await recorder.flushed();
  expect(written().map(({ metadata }) => metadata.namespace)).toEqual(['default']);
});

test.each([
  ['long', 'x'.repeat(5_000)],
  ['long and not ASCII', 'ü€😀'.repeat(1_000)],
])('a note that is %s is cut to what the API server takes', async (_, note) => {
  const { recorder, written } = setup();
  recorder.record(happening({ note }));
  await recorder.flushed();
  const [event] = written();
  expect(Buffer.byteLength(event!.note)).toBeLessThanOrEqual(1_024);
  expect(Buffer.byteLength(event!.note)).toBeGreaterThan(1_015);
  expect(note.startsWith(event!.note.slice(0, -1))).toBe(true);
});

test('an object with the longest name still gets its events', async () => {
  const { recorder, written } = setup();
  recorder.record(happening({ regarding: { metadata: { namespace: 'shop', name: 'n'.repeat(253), uid: 'u' } } }));
  await recorder.flushed();
  expect(written()[0]?.metadata.name.length).toBeLessThanOrEqual(253);
});

test('a long name that is cut at a hyphen or a dot still makes a name', async () => {
  const { recorder, written } = setup();
  const name = `${'n'.repeat(218)}-.${'n'.repeat(30)}`;
  recorder.record(happening({ regarding: { metadata: { namespace: 'shop', name, uid: 'u' } } }));
  await recorder.flushed();
  expect(written()[0]?.metadata.name).toMatch(/^n{218}\.[0-9a-f]+$/);
});

test('an object that causes ever new events is limited, and others are not', async () => {
  const { clock, recorder, written, dropped } = setup();
  for (let index = 0; index < 100; index += 1) recorder.record(happening({ note: `change ${index}` }));
  recorder.record(happening({ regarding: { metadata: { namespace: 'shop', name: 'b', uid: 'uid-b' } } }));
  await recorder.flushed();
  expect([written().length, dropped.length]).toEqual([26, 75]);
  clock.advance(10 * minuteMs);
  for (let index = 100; index < 110; index += 1) recorder.record(happening({ note: `change ${index}` }));
  await recorder.flushed();
  expect(written().length).toBe(28);
});

test('an event that has expired is written anew when its series goes on', async () => {
  const { kube, recorder, written } = setup();
  recorder.record(happening());
  await recorder.flushed();
  kube.delete(events, written()[0]!.metadata);
  recorder.record(happening());
  await recorder.flushed();
  expect(written()).toHaveLength(1);
});

test('a namespace that is being deleted and an API server that is away are counted and hinder nothing', async () => {
  const { kube, recorder, written, dropped } = setup();
  kube.seed(widgets, { metadata: { namespace: 'shop', name: 'a', finalizers: ['x'] } });
  kube.delete(
    { group: '', version: 'v1', plural: 'namespaces', kind: 'Namespace', namespaced: false },
    { name: 'shop' },
  );
  recorder.record(happening());
  const heal = kube.failBefore(() => new KubeUnreachable('away'));
  await recorder.flushed();
  recorder.record(happening({ regarding: { metadata: { name: 'c', uid: 'uid-c' } } }));
  await recorder.flushed();
  heal();
  recorder.record(happening({ regarding: { metadata: { name: 'd', uid: 'uid-d' } } }));
  await recorder.flushed();
  expect(written().map(({ metadata }) => metadata.name.split('.')[0])).toEqual(['d']);
  expect(dropped).toHaveLength(2);
});

test('whoever waits for the last events waits no longer than it wants to', async () => {
  const { clock, kube, recorder } = setup();
  kube.failBefore(() => new Promise(() => {}));
  recorder.record(happening());
  const waiting = recorder.flushed(2_000);
  clock.advance(2_000);
  await waiting;
  expect(clock.monotonicMs()).toBe(2_000);
});

test('a limit that was not needed leaves no timer behind', async () => {
  const { clock, recorder, written } = setup();
  recorder.record(happening());
  await recorder.flushed(2_000);
  expect(written()).toHaveLength(1);
  expect(clock.nextTimer()).toBeUndefined();
});

test('an API server that never answers costs no more memory than a thousand events', () => {
  const { kube, recorder, dropped } = setup();
  kube.failBefore(() => new Promise(() => {}));
  for (let index = 0; index < 1_500; index += 1) {
    recorder.record(happening({ regarding: { metadata: { name: 'a', uid: `uid-${index}` } } }));
  }
  expect(dropped).toHaveLength(500);
});
