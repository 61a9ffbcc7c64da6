import fc from 'fast-check';
import { expect, test } from 'vitest';
import { MemoryKube } from '../../test/fakes/memory-kube.ts';
import { ManualClock } from './clock.ts';
import { KubeError, KubeUnreachable, type Kube, type KubeObject, type ResourceType } from './kube.ts';
import { Leader, type Ended } from './leader.ts';

const leases: ResourceType = {
  group: 'coordination.k8s.io',
  version: 'v1',
  plural: 'leases',
  kind: 'Lease',
  namespaced: true,
};
const leaseKey = { namespace: 'default', name: 'lakebranch' };

interface Lease extends KubeObject {
  spec?: { holderIdentity?: string; renewTime?: string; leaseTransitions?: number; leaseDurationSeconds?: number };
}

const quiet = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** The way of one candidate to the API server, which can be cut. */
class Line {
  state: 'up' | 'down' | 'answersLost' | 'stalled' = 'up';
  readonly kube: Kube;

  constructor(kube: MemoryKube, clock: ManualClock) {
    const through =
      <A extends unknown[], R>(call: (...args: A) => Promise<R>) =>
      async (...args: A): Promise<R> => {
        if (this.state === 'down') throw new KubeUnreachable('down');
        const result = await call(...args);
        if (this.state === 'answersLost') throw new KubeUnreachable('lost');
        // Answers only long after the caller should have given up.
        if (this.state === 'stalled') await new Promise<void>((resolve) => void clock.after(60_000, resolve));
        return result;
      };
    this.kube = {
      ...({} as Kube),
      get: through((...args: Parameters<Kube['get']>) => kube.get(...args)) as Kube['get'],
      create: through((...args: Parameters<Kube['create']>) => kube.create(...args)) as Kube['create'],
      replace: through((...args: Parameters<Kube['replace']>) => kube.replace(...args)) as Kube['replace'],
    };
  }
}

class Candidate {
  readonly line: Line;
  readonly leader: Leader;
  readonly stop = new AbortController();
  readonly ended: Promise<Ended>;
  result: Ended | undefined;
  /** How long the work needs to stop once it is told to. */
  windDownMs = 0;
  working = false;
  told: unknown;
  readonly errors: unknown[] = [];

  constructor(world: World, identity: string) {
    const { kube, clock } = world;
    this.line = new Line(kube, clock);
    this.leader = new Leader({
      kube: this.line.kube,
      clock,
      ...leaseKey,
      identity,
      onError: (error) => this.errors.push(error),
    });
    this.ended = this.leader.run(this.stop.signal, async (signal) => {
      this.working = true;
      await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
      this.told = signal.reason;
      if (this.windDownMs > 0) await new Promise<void>((resolve) => void clock.after(this.windDownMs, resolve));
      this.working = false;
    });
    void this.ended.then((result) => (this.result = result));
  }

  get mayWrite(): boolean {
    return this.working && this.told === undefined;
  }
}

class World {
  readonly clock = new ManualClock(new Date('2026-01-01T00:00:00Z'));
  readonly kube = new MemoryKube({ clock: this.clock });

  lease(): Lease | undefined {
    return this.kube.peek<Lease>(leases, leaseKey);
  }

  async pass(ms: number, each: () => void = () => {}): Promise<void> {
    for (let left = ms; left > 0; left -= 100) {
      await quiet();
      each();
      this.clock.advance(Math.min(100, left));
      each();
    }
    await quiet();
  }
}

test('the first candidate leads, renews, and the second waits', async () => {
  const world = new World();
  const first = new Candidate(world, 'first');
  await world.pass(1_000);
  const second = new Candidate(world, 'second');
  await world.pass(120_000);
  expect([first.leader.leading, second.leader.leading]).toEqual([true, false]);
  expect(world.lease()?.spec).toMatchObject({ holderIdentity: 'first', leaseTransitions: 0, leaseDurationSeconds: 15 });
  expect(world.lease()?.spec?.renewTime).toMatch(/^2026-01-01T00:0[12]:\d\d\.\d{6}Z$/);
  expect(first.leader.renewedMsAgo()).toBeLessThan(2_500);
});

test('a leader that stops hands over within seconds', async () => {
  const world = new World();
  const first = new Candidate(world, 'first');
  await world.pass(1_000);
  const second = new Candidate(world, 'second');
  await world.pass(5_000);
  first.stop.abort(new Error('SIGTERM'));
  await world.pass(4_000);
  expect([first.result, first.told]).toEqual(['stopped', new Error('SIGTERM')]);
  expect(second.mayWrite).toBe(true);
  expect(world.lease()?.spec).toMatchObject({ holderIdentity: 'second', leaseTransitions: 1 });
});

test('a stopping leader keeps its Lease until its work has come to an end', async () => {
  const world = new World();
  const first = new Candidate(world, 'first');
  first.windDownMs = 40_000;
  await world.pass(1_000);
  const second = new Candidate(world, 'second');
  first.stop.abort(new Error('SIGTERM'));
  await world.pass(39_000);
  expect([first.working, second.working]).toEqual([true, false]);
  await world.pass(5_000);
  expect([first.result, second.working]).toEqual(['stopped', true]);
});

test.each<[string, Line['state']]>([
  ['nothing gets through', 'down'],
  ['answers are lost', 'answersLost'],
  ['answers come a minute late', 'stalled'],
])(
  'when %s the leader stops 10 s after its last good renewal was sent, before anybody takes over',
  async (_, state) => {
    const world = new World();
    const first = new Candidate(world, 'first');
    await world.pass(1_000);
    const second = new Candidate(world, 'second');
    await world.pass(20_000);
    const renewedAt = world.clock.monotonicMs() - first.leader.renewedMsAgo();
    first.line.state = state;
    let stoppedAt = Infinity;
    let takenAt = Infinity;
    await world.pass(60_000, () => {
      if (!first.mayWrite) stoppedAt = Math.min(stoppedAt, world.clock.monotonicMs());
      if (second.working) takenAt = Math.min(takenAt, world.clock.monotonicMs());
    });
    expect(stoppedAt - renewedAt).toBeGreaterThan(9_800);
    expect(stoppedAt - renewedAt).toBeLessThan(10_200);
    expect(takenAt).toBeGreaterThan(stoppedAt);
    expect(first.leader.leading).toBe(false);
    await world.pass(60_000);
    expect([first.result, second.working]).toEqual(['lost', true]);
  },
);

test('a short outage costs nothing', async () => {
  const world = new World();
  const first = new Candidate(world, 'first');
  await world.pass(20_000);
  first.line.state = 'down';
  await world.pass(5_000);
  first.line.state = 'up';
  await world.pass(60_000);
  expect(first.mayWrite).toBe(true);
  expect(first.errors.length).toBeGreaterThan(0);
});

test('a leader whose Lease somebody took stops at its next renewal', async () => {
  const world = new World();
  const first = new Candidate(world, 'first');
  await world.pass(5_000);
  world.kube.edit<Lease>(leases, leaseKey, (lease) => (lease.spec!.holderIdentity = 'thief'));
  await world.pass(6_000);
  expect([first.result, world.lease()?.spec?.holderIdentity]).toEqual(['lost', 'thief']);
});

test('a Lease that was deleted is made again, and the leader goes on', async () => {
  const world = new World();
  const first = new Candidate(world, 'first');
  await world.pass(5_000);
  world.kube.delete(leases, leaseKey);
  await world.pass(60_000);
  expect([first.mayWrite, world.lease()?.spec?.holderIdentity]).toEqual([true, 'first']);
});

test('the clock of another holder is not believed: its Lease runs out 15 s after it was last seen to change', async () => {
  const world = new World();
  const renewTime = '2036-01-01T00:00:00.000000Z';
  world.kube.seed<Lease>(leases, {
    metadata: { ...leaseKey },
    spec: { holderIdentity: 'gone', renewTime, leaseDurationSeconds: 15, leaseTransitions: 4 },
  });
  const first = new Candidate(world, 'first');
  await world.pass(14_500);
  expect(first.working).toBe(false);
  await world.pass(4_000);
  expect([first.working, world.lease()?.spec?.leaseTransitions]).toEqual([true, 5]);
});

test('a candidate can be stopped while it waits', async () => {
  const world = new World();
  new Candidate(world, 'first');
  await world.pass(1_000);
  const second = new Candidate(world, 'second');
  await world.pass(5_000);
  second.stop.abort();
  expect(await second.ended).toBe('stopped');
  expect(world.lease()?.spec?.holderIdentity).toBe('first');
});

test('work that fails gives the Lease back and fails the run; refusals are reported', async () => {
  const world = new World();
  const errors: unknown[] = [];
  const forbidden = new KubeError('test', 403, { reason: 'Forbidden' });
  const heal = world.kube.failBefore(({ verb }) => (verb === 'create' ? forbidden : undefined));
  const { clock, kube } = world;
  const leader = new Leader({ kube, clock, ...leaseKey, identity: 'first', onError: (error) => errors.push(error) });
  const bug = new Error('bug');
  const run = leader.run(new AbortController().signal, () => Promise.reject(bug)).catch((error: unknown) => error);
  await world.pass(1_000);
  expect(errors).toEqual([forbidden]);
  heal();
  await world.pass(3_000);
  expect(await run).toBe(bug);
  expect(world.lease()?.spec?.holderIdentity).toBe('');
});

test('durations that cannot work are refused', () => {
  const { clock, kube } = new World();
  expect(() => new Leader({ kube, clock, ...leaseKey, identity: 'x', leaseMs: 5_000 })).toThrow(RangeError);
});

test('whatever happens to their lines, two never may write at once', async () => {
  const who = fc.integer({ min: 0, max: 2 });
  const state = fc.constantFrom<Line['state']>('up', 'up', 'down', 'answersLost', 'stalled');
  const steps = fc.array(fc.tuple(who, state, fc.integer({ min: 100, max: 20_000 })), { maxLength: 12, size: 'max' });
  await fc.assert(
    fc.asyncProperty(steps, async (script) => {
      const world = new World();
      const all = ['a', 'b', 'c'].map((identity) => new Candidate(world, identity));
      let most = 0;
      for (const [index, next, ms] of script) {
        all[index]!.line.state = next;
        await world.pass(ms, () => (most = Math.max(most, all.filter(({ mayWrite }) => mayWrite).length)));
      }
      expect(most).toBeLessThanOrEqual(1);
      for (const { stop } of all) stop.abort();
    }),
    { numRuns: 25 },
  );
});

/** Its timers do not fire any more, as in a process that is stuck. */
class StuckClock extends ManualClock {
  stuck = false;
  override after(ms: number, run: () => void): () => void {
    return super.after(ms, () => {
      if (!this.stuck) run();
    });
  }
}

test('a leader that neither renews nor gives up is wedged, and one that does either is not', async () => {
  const clock = new StuckClock(new Date('2026-01-01T00:00:00Z'));
  const leader = new Leader({
    kube: new MemoryKube({ clock }),
    clock,
    namespace: 'default',
    name: 'lakebranch',
    identity: 'a',
  });
  const stop = new AbortController();
  const ended = leader.run(
    stop.signal,
    (signal) => new Promise((resolve) => signal.addEventListener('abort', () => resolve())),
  );
  await quiet();
  expect([leader.leading, leader.wedged]).toEqual([true, false]);
  clock.stuck = true;
  clock.advance(35_000);
  expect(leader.wedged).toBe(false);
  clock.advance(1);
  expect(leader.wedged).toBe(true);
  stop.abort(new Error('the end of the test'));
  await ended;
  expect(leader.wedged).toBe(false);
});
