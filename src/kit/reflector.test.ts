import fc from 'fast-check';
import { expect, test } from 'vitest';
import { MemoryKube } from '../../test/fakes/memory-kube.ts';
import { ManualClock } from './clock.ts';
import { keyOf, KubeError, KubeUnreachable, type KubeObject, type ResourceType } from './kube.ts';
import { Reflector, type Change, type ReflectorOptions } from './reflector.ts';

const widgets: ResourceType = { group: 'test.dev', version: 'v1', plural: 'widgets', kind: 'Widget', namespaced: true };

interface Widget extends KubeObject {
  spec?: { size: number };
}

/** Lets everything run that waits for nothing but promises. */
const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

interface Told {
  change: Change;
  object: Widget;
  old: Widget | undefined;
}

/** A reflector beside a copy kept only from what it tells. Complains when a change does not fit that copy. */
class World {
  readonly clock = new ManualClock(new Date('2026-01-01T00:00:00Z'));
  readonly kube = new MemoryKube({ clock: this.clock });
  readonly told: Told[] = [];
  readonly copy = new Map<string, Widget>();
  readonly complaints: string[] = [];
  readonly abort = new AbortController();
  readonly reflector: Reflector<Widget>;
  readonly running: Promise<void>;

  constructor(options: Partial<ReflectorOptions<Widget>> = {}) {
    const { kube, clock } = this;
    this.reflector = new Reflector(
      { kube, clock, type: widgets, random: () => 0.5, ...options },
      (change, object, old) => this.#hear({ change, object, old }),
    );
    this.running = this.reflector.run(this.abort.signal);
  }

  #hear(told: Told): void {
    this.told.push(told);
    const { change, object, old } = told;
    const key = keyOf(object.metadata);
    const known = this.copy.get(key);
    const complain = (what: string): unknown => this.complaints.push(`${change} ${key}: ${what}`);
    if (known !== old) complain('old is not what was told before');
    if (change === 'add' && known) complain('already there');
    if (change !== 'add' && known?.metadata.uid !== object.metadata.uid) complain('not there under this uid');
    if (change === 'delete') this.copy.delete(key);
    else this.copy.set(key, object);
    const now = this.reflector.objects.get(key);
    if (change === 'delete' ? now !== undefined : now !== object) complain('told before the copy had it');
  }

  server(): string[] {
    return this.kube.all(widgets).map(fingerprint);
  }

  /** Ends all trouble, lets the longest backoff and silence pass, and compares the copy with the server. */
  async converge(): Promise<void> {
    this.kube.heal();
    for (let round = 0; round < 20; round += 1) {
      await settled();
      this.clock.advance(10_000);
    }
    await settled();
    expect([...this.reflector.objects.values()].map(fingerprint).toSorted()).toEqual(this.server().toSorted());
    expect([...this.copy.values()].map(fingerprint).toSorted()).toEqual(this.server().toSorted());
  }

  async stop(): Promise<void> {
    this.abort.abort(new Error('test over'));
    await this.running;
  }
}

const fingerprint = ({ metadata: { name, uid, resourceVersion } }: KubeObject): string =>
  `${name} ${uid} ${resourceVersion}`;

const keyFor = (name: string) => ({ namespace: 'default', name });

type Step = (world: World) => void;

const name = fc.constantFrom('a', 'b', 'c');

/** What other people do to the objects. */
const edits: fc.Arbitrary<Step>[] = [
  fc.tuple(name, fc.integer({ min: 0, max: 9 })).map(([who, size]) => ({ kube }) => {
    if (kube.peek(widgets, keyFor(who))) kube.edit<Widget>(widgets, keyFor(who), (widget) => (widget.spec = { size }));
    else kube.seed<Widget>(widgets, { metadata: keyFor(who), spec: { size } });
  }),
  name.map((who) => ({ kube }) => {
    if (kube.peek(widgets, keyFor(who))) kube.delete(widgets, keyFor(who));
  }),
  name.map((who) => ({ kube }) => {
    if (kube.peek(widgets, keyFor(who))) kube.delete(widgets, keyFor(who));
    kube.seed<Widget>(widgets, { metadata: keyFor(who), spec: { size: 0 } });
  }),
];

const errors = fc.constantFrom<() => Error>(
  () => new KubeUnreachable('reset'),
  () => new KubeError('test', 500, { reason: 'InternalError' }),
  () => new KubeError('test', 401, { reason: 'Unauthorized' }),
  () => new KubeError('test', 429, { reason: 'TooManyRequests' }, 3_000),
);

/** What goes wrong between us and the server, but leaves its memory alone. */
const troubles: fc.Arbitrary<Step>[] = [
  fc.constant(({ kube }) => kube.breakWatches()),
  errors.map(
    (error) =>
      ({ kube }) =>
        kube.breakWatches(error()),
  ),
  fc.tuple(errors, fc.integer({ min: 1, max: 3 })).map(([error, times]) => ({ kube }) => {
    let left = times;
    const undo = kube.failBefore(() => {
      if (--left === 0) undo();
      return error();
    });
  }),
  fc.integer({ min: 1, max: 3_000 }).map(
    (ms) =>
      ({ clock }) =>
        clock.advance(ms),
  ),
];

/** The server forgets its past, which ends in 410. */
const forgetting: fc.Arbitrary<Step> = fc.constant(({ kube }) => {
  kube.compact();
  kube.breakWatches();
});

const pause = fc.constant<'pause'>('pause');

const history = (...steps: fc.Arbitrary<Step>[]) => fc.array(fc.oneof(pause, ...steps), { maxLength: 40, size: 'max' });

async function play(world: World, steps: readonly (Step | 'pause')[]): Promise<void> {
  for (const step of steps) {
    if (step === 'pause') await settled();
    else step(world);
  }
}

test.each([
  ['streamed lists', true],
  ['paged lists', false],
])('with %s the copy comes to equal the server, and every change fits the one before', async (_, watchList) => {
  await fc.assert(
    fc.asyncProperty(history(...edits, ...troubles, forgetting), async (steps) => {
      const world = new World();
      world.kube.watchList = watchList;
      await play(world, steps);
      await world.converge();
      expect(world.complaints).toEqual([]);
      await world.stop();
    }),
    { numRuns: 150 },
  );
});

test('as long as the server remembers, every version is told once and in order', async () => {
  await fc.assert(
    fc.asyncProperty(history(...edits, ...troubles), async (steps) => {
      const world = new World();
      await world.converge();
      await play(world, steps);
      await world.converge();
      const stored = world.kube.versions().filter(({ type }) => type.plural === 'widgets');
      expect(world.told.map(({ change, object }) => `${change} ${fingerprint(object)}`)).toEqual(
        stored.map(({ event, object }) => `${changeOf[event]} ${fingerprint(object)}`),
      );
      await world.stop();
    }),
    { numRuns: 150 },
  );
});

const changeOf = { ADDED: 'add', MODIFIED: 'update', DELETED: 'delete' } as const;

test('synced turns true once the whole first state was told, also if it is empty', async () => {
  const world = new World();
  world.kube.seed(widgets, { metadata: keyFor('a') });
  expect(world.reflector.synced).toBe(false);
  await world.reflector.whenSynced;
  expect(world.told.map(({ change }) => change)).toEqual(['add']);
  const empty = new World();
  await empty.reflector.whenSynced;
  expect(empty.reflector.synced).toBe(true);
  await Promise.all([world.stop(), empty.stop()]);
});

test('another uid under a known name is a delete and an add', async () => {
  const world = new World();
  world.kube.seed<Widget>(widgets, { metadata: keyFor('a') });
  await world.converge();
  const undo = world.kube.failBefore(() => new KubeUnreachable('away'));
  world.kube.breakWatches(new KubeUnreachable('reset'));
  world.kube.delete(widgets, keyFor('a'));
  world.kube.seed<Widget>(widgets, { metadata: keyFor('a') });
  world.kube.compact();
  undo();
  await world.converge();
  expect(world.told.map(({ change }) => change)).toEqual(['add', 'delete', 'add']);
  await world.stop();
});

test('the noise of an object is dropped and what remains is frozen', async () => {
  const world = new World({ transform: ({ apiVersion: _apiVersion, ...widget }) => widget });
  const annotations = { 'kubectl.kubernetes.io/last-applied-configuration': '{}', mine: 'x' };
  const metadata = { ...keyFor('a'), annotations, managedFields: [{ manager: 'kubectl' }] };
  world.kube.seed<Widget>(widgets, { metadata, spec: { size: 1 } });
  await world.reflector.whenSynced;
  const kept = world.reflector.objects.get('default/a')!;
  expect(kept.metadata).not.toHaveProperty('managedFields');
  expect(kept.metadata.annotations).toEqual({ mine: 'x' });
  expect(kept).not.toHaveProperty('apiVersion');
  expect(() => (kept.spec!.size = 2)).toThrow(TypeError);
  await world.stop();
});

test('errors are reported and waited out, longer each time and as long as the server asks', async () => {
  const errorsSeen: unknown[] = [];
  const world = new World({ onError: (error) => errorsSeen.push(error) });
  const starts: number[] = [];
  world.kube.failBefore(({ verb }) => {
    if (verb !== 'watch') return undefined;
    starts.push(world.clock.monotonicMs());
    return new KubeError('test', 503, {}, starts.length === 4 ? 60_000 : undefined);
  });
  for (let tenth = 0; tenth < 800; tenth += 1) {
    await settled();
    world.clock.advance(100);
  }
  const waits = starts.slice(1).map((start, index) => start - starts[index]!);
  expect(waits.slice(0, 4)).toEqual([1_200, 2_400, 4_800, 60_000]);
  expect(errorsSeen.length).toBe(starts.length);
  await world.stop();
});

test('a handler that throws is reported and hinders nothing', async () => {
  const clock = new ManualClock(new Date(0));
  const kube = new MemoryKube({ clock });
  const failures: unknown[] = [];
  const onError = (error: unknown, during: string) => failures.push(during === 'handler' ? error : 'other');
  const bug = new Error('bug');
  const reflector = new Reflector({ kube, clock, type: widgets, onError }, () => {
    throw bug;
  });
  const abort = new AbortController();
  const running = reflector.run(abort.signal);
  kube.seed(widgets, { metadata: keyFor('a') });
  await reflector.whenSynced;
  kube.delete(widgets, keyFor('a'));
  await settled();
  expect(reflector.objects.size).toBe(0);
  expect(failures).toEqual([bug, bug]);
  abort.abort();
  await running;
});

test('an abort ends it from a list, a watch and a backoff alike', async () => {
  const listing = new World();
  await listing.stop();
  const watching = new World();
  await watching.converge();
  await watching.stop();
  const waiting = new World();
  waiting.kube.failBefore(() => new KubeUnreachable('away'));
  await settled();
  await waiting.stop();
  expect([listing, watching, waiting].map(({ kube }) => kube.calls.length <= 2)).toEqual([true, true, true]);
});
