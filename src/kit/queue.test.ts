import fc from 'fast-check';
import { expect, test } from 'vitest';
import { ManualClock } from './clock.ts';
import { WorkQueue, type Priority } from './queue.ts';

const keys = ['a', 'b', 'c', 'd'];

/** What the promises say, written as plainly as possible. */
class Model {
  now = 0;
  high: string[] = [];
  low: string[] = [];
  running = new Set<string>();
  again = new Map<string, Priority>();
  wakeUps: { key: string; at: number }[] = [];
  failures = new Map<string, number>();

  add(key: string, priority: Priority): void {
    if (this.running.has(key)) {
      if (this.again.get(key) !== 'high') this.again.set(key, priority);
    } else this.enqueue(key, priority);
  }

  enqueue(key: string, priority: Priority): void {
    if (this.high.includes(key)) return;
    if (priority === 'low') {
      if (!this.low.includes(key)) this.low.push(key);
      return;
    }
    this.low = this.low.filter((other) => other !== key);
    this.high.push(key);
  }

  addAfter(key: string, ms: number): void {
    const at = this.now + ms;
    const present = this.wakeUps.find((wakeUp) => wakeUp.key === key);
    if (present && present.at <= at) return;
    this.wakeUps = [...this.wakeUps.filter((wakeUp) => wakeUp.key !== key), { key, at }];
  }

  advance(ms: number): void {
    this.now += ms;
    const due = this.wakeUps.filter(({ at }) => at <= this.now).toSorted((a, b) => a.at - b.at);
    this.wakeUps = this.wakeUps.filter(({ at }) => at > this.now);
    for (const { key } of due) this.add(key, 'high');
  }

  done(key: string): void {
    this.running.delete(key);
    const priority = this.again.get(key);
    this.again.delete(key);
    if (priority) this.enqueue(key, priority);
  }
}

interface Real {
  queue: WorkQueue;
  clock: ManualClock;
}

type Step = fc.AsyncCommand<Model, Real>;

const step = (
  name: string,
  check: (model: Model) => boolean,
  run: (model: Model, real: Real) => void | Promise<void>,
): Step => ({
  check,
  run: async (model, real) => {
    await run(model, real);
    expect(real.queue.depth).toBe(model.high.length + model.low.length);
    expect(real.queue.running).toBe(model.running.size);
  },
  toString: () => name,
});

const always = (): boolean => true;
const key = fc.constantFrom(...keys);

const steps = [
  fc.tuple(key, fc.constantFrom<Priority>('high', 'low')).map(([k, priority]) =>
    step(`add ${k} ${priority}`, always, (model, { queue }) => {
      model.add(k, priority);
      queue.add(k, priority);
    }),
  ),
  fc.tuple(key, fc.integer({ min: 1, max: 50 })).map(([k, ms]) =>
    step(`add ${k} after ${ms}`, always, (model, { queue }) => {
      model.addAfter(k, ms);
      queue.addAfter(k, ms);
    }),
  ),
  fc.integer({ min: 1, max: 60 }).map((ms) =>
    step(`advance ${ms}`, always, (model, { clock }) => {
      model.advance(ms);
      clock.advance(ms);
    }),
  ),
  fc.constant(
    step(
      'take',
      ({ high, low }) => high.length + low.length > 0,
      async (model, { queue }) => {
        const expected = model.high.shift() ?? model.low.shift();
        model.running.add(expected!);
        expect(await queue.take()).toBe(expected);
      },
    ),
  ),
  key.map((k) =>
    step(
      `done ${k}`,
      ({ running }) => running.has(k),
      (model, { queue }) => {
        model.done(k);
        queue.done(k);
      },
    ),
  ),
  key.map((k) =>
    step(
      `fail ${k}`,
      ({ running }) => running.has(k),
      (model, { queue }) => {
        const failures = (model.failures.get(k) ?? 0) + 1;
        model.failures.set(k, failures);
        const wait = queue.retry(k);
        const plain = Math.min(1_000, 10 * 2 ** (failures - 1));
        expect(wait).toBeGreaterThanOrEqual(plain * 0.8);
        expect(wait).toBeLessThanOrEqual(plain * 1.2);
        model.addAfter(k, wait);
        model.done(k);
        queue.done(k);
      },
    ),
  ),
  key.map((k) =>
    step(`forget ${k}`, always, (model, { queue }) => {
      model.failures.delete(k);
      queue.forget(k);
    }),
  ),
];

const newQueue = (): Real => {
  const clock = new ManualClock(new Date(0));
  return { clock, queue: new WorkQueue({ clock, baseBackoffMs: 10, maxBackoffMs: 1_000 }) };
};

test('the promises hold for any sequence of calls', async () => {
  await fc.assert(
    fc.asyncProperty(fc.commands(steps, { maxCommands: 60, size: 'max' }), async (commands) => {
      const real = newQueue();
      const model = new Model();
      await fc.asyncModelRun(() => ({ model, real }), commands);
      await runDry(model, real);
    }),
    { numRuns: 500 },
  );
});

/** Whatever happened: once everything ran and nothing fails any more, the queue remembers nothing. */
async function runDry(model: Model, { queue, clock }: Real): Promise<void> {
  for (const k of model.running) queue.done(k);
  for (;;) {
    clock.advance(10_000);
    if (queue.depth === 0) break;
    const taken = (await queue.take())!;
    queue.forget(taken);
    queue.done(taken);
  }
  for (const k of keys) queue.forget(k);
  expect(queue.remembered).toBe(0);
}

test('workers see the last state of every key, and never one key at once', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.tuple(key, fc.integer({ min: 0, max: 5 })), { maxLength: 60 }),
      fc.scheduler(),
      async (edits, scheduler) => {
        const { queue } = newQueue();
        const state = new Map<string, number>();
        const seen = new Map<string, number>();
        const active = new Set<string>();
        const worker = async (): Promise<void> => {
          for (let k = await queue.take(); k !== undefined; k = await queue.take()) {
            expect(active.has(k)).toBe(false);
            active.add(k);
            seen.set(k, state.get(k) ?? 0);
            await scheduler.schedule(Promise.resolve(), `run ${k}`);
            active.delete(k);
            queue.done(k);
          }
        };
        const workers = [worker(), worker(), worker()];
        const editing = edits.map(async ([k, value]) => {
          await scheduler.schedule(Promise.resolve(), `edit ${k}`);
          state.set(k, value);
          queue.add(k);
        });
        await scheduler.waitFor(Promise.all(editing));
        await scheduler.waitIdle();
        expect(seen).toEqual(state);
        await queue.shutDown();
        await Promise.all(workers);
      },
    ),
    { numRuns: 100 },
  );
});

test('a taker that waits gets the key as soon as it is added', async () => {
  const { queue } = newQueue();
  const first = queue.take();
  const second = queue.take();
  queue.add('a');
  queue.add('a');
  queue.add('b');
  expect(await Promise.all([first, second])).toEqual(['a', 'b']);
  expect(queue.depth).toBe(0);
});

test('a wake-up further away than any timer still comes, and not before', async () => {
  const { queue, clock } = newQueue();
  const monthMs = 40 * 86_400_000;
  queue.addAfter('a', monthMs);
  clock.advance(monthMs - 1);
  expect(queue.depth).toBe(0);
  clock.advance(1);
  expect(await queue.take()).toBe('a');
});

test('two keys that fail together do not come back together', () => {
  const { queue } = newQueue();
  const waits = Array.from({ length: 20 }, (_, index) => {
    for (let failures = 0; failures < 6; failures += 1) queue.retry(`key-${index}`);
    return queue.retry(`key-${index}`);
  });
  expect(new Set(waits).size).toBeGreaterThan(15);
});

test('the seconds that a key waited are told', async () => {
  const clock = new ManualClock(new Date(0));
  const waited: number[] = [];
  const queue = new WorkQueue({ clock, onTake: (seconds) => waited.push(seconds) });
  queue.add('a');
  clock.advance(3_000);
  await queue.take();
  expect(waited).toEqual([3]);
});

test('each wish is told once, and each putting off', async () => {
  const clock = new ManualClock(new Date(0));
  const told: string[] = [];
  const queue = new WorkQueue({ clock, onAdd: () => told.push('add'), onPutOff: () => told.push('put off') });
  const since = (): string[] => told.splice(0);
  queue.add('a', 'low');
  queue.add('a', 'high');
  expect(since()).toEqual(['add']);
  await queue.take();
  queue.add('a');
  queue.add('a');
  expect(since()).toEqual(['add']);
  queue.done('a');
  expect([queue.depth, since()]).toEqual([1, []]);
  queue.addAfter('b', 1_000);
  queue.retry('c');
  expect(since()).toEqual(['put off', 'put off']);
  clock.advance(1_000);
  expect([queue.depth, since()]).toEqual([3, ['add', 'add']]);
});

test('how long keys run is told while they do', async () => {
  const { queue, clock } = newQueue();
  queue.add('a');
  await queue.take();
  clock.advance(2_000);
  queue.add('b');
  await queue.take();
  clock.advance(1_000);
  expect(queue.runningSeconds).toEqual([3, 1]);
  queue.done('a');
  expect(queue.runningSeconds).toEqual([1]);
});

test('shutting down forgets what waits, sends takers home and waits for what runs', async () => {
  const { queue, clock } = newQueue();
  queue.add('a');
  queue.add('b');
  queue.addAfter('c', 10);
  expect(await queue.take()).toBe('a');
  queue.add('a');
  let drained = false;
  const shutDown = queue.shutDown().then(() => (drained = true));
  expect(await queue.take()).toBeUndefined();
  queue.add('d');
  clock.advance(100);
  expect(drained).toBe(false);
  queue.done('a');
  await shutDown;
  expect(queue.remembered).toBe(0);
});

test('a taker that waits is sent home by the shutdown', async () => {
  const { queue } = newQueue();
  const taken = queue.take();
  await queue.shutDown();
  expect(await taken).toBeUndefined();
});
