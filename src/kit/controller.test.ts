import { expect, test } from 'vitest';
import { ManualClock, sleep } from './clock.ts';
import { Controller, type ControllerOptions, type PassResult, type Reconcile } from './controller.ts';
import { WorkQueue } from './queue.ts';
import { lookAgain, settled } from './result.ts';

const quiet = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

function setup(reconcile: Reconcile, options: Partial<ControllerOptions> = {}) {
  const clock = new ManualClock(new Date('2026-01-01T00:00:00Z'));
  const queue = new WorkQueue({ clock, baseBackoffMs: 1_000 });
  const passes: [string, PassResult, number, unknown?][] = [];
  const controller = new Controller({
    clock,
    queue,
    reconcile,
    workers: 2,
    onPass: ({ key, result, seconds, error }) =>
      passes.push(error ? [key, result, seconds, error] : [key, result, seconds]),
    ...options,
  });
  controller.start();
  return { clock, queue, controller, passes };
}

test('a settled key is left alone', async () => {
  const { clock, queue, passes } = setup(() => Promise.resolve(settled));
  queue.add('a');
  await quiet();
  clock.advance(10 * 3_600_000);
  await quiet();
  expect(passes).toEqual([['a', 'success', 0]]);
  expect(queue.remembered).toBe(0);
});

test('a key that wants another look gets it then', async () => {
  const { clock, queue, passes } = setup(() => Promise.resolve(lookAgain(5_000, 'not ready')));
  queue.add('a');
  await quiet();
  clock.advance(4_999);
  await quiet();
  expect(passes).toHaveLength(1);
  clock.advance(1);
  await quiet();
  expect(passes.map(([, result]) => result)).toEqual(['requeue_after', 'requeue_after']);
});

test('a pass that throws, at once or later, comes again after growing waits, and a success ends them', async () => {
  const failure = new Error('bug');
  const starts: number[] = [];
  const { clock, queue, passes } = setup(() => {
    starts.push(clock.monotonicMs());
    if (starts.length === 1) throw failure;
    return starts.length < 4 ? Promise.reject(failure) : Promise.resolve(settled);
  });
  queue.add('a');
  for (let tenth = 0; tenth < 150; tenth += 1) {
    await quiet();
    clock.advance(100);
  }
  const waits = starts.slice(1).map((start, index) => (start - starts[index]!) / 1_000);
  expect(waits.map((wait, index) => wait >= 0.8 * 2 ** index && wait <= 1.2 * 2 ** index + 0.1)).toEqual([
    true,
    true,
    true,
  ]);
  expect(passes.map(([, result]) => result)).toEqual(['error', 'error', 'error', 'success']);
  expect(passes[0]).toEqual(['a', 'error', 0, failure]);
  expect(queue.remembered).toBe(0);
});

test('a pass is told when its deadline is over, and its key comes again', async () => {
  const { clock, queue, passes } = setup((_, signal) => sleep(clock, 3_600_000, signal).then(() => settled));
  queue.add('a');
  await quiet();
  clock.advance(90_000);
  await quiet();
  expect(passes).toMatchObject([['a', 'error', 90, { name: 'DeadlineExceeded' }]]);
  clock.advance(2_000);
  await quiet();
  expect(queue.running).toBe(1);
});

test('as many passes run at once as there are workers, and never two over one key', async () => {
  const active: string[] = [];
  const release: (() => void)[] = [];
  const { queue } = setup(async (key) => {
    active.push(key);
    await new Promise<void>((resolve) => release.push(resolve));
    active.splice(active.indexOf(key), 1);
    return settled;
  });
  for (const key of ['a', 'b', 'c']) queue.add(key);
  await quiet();
  queue.add('a');
  await quiet();
  expect(active).toEqual(['a', 'b']);
  release.shift()?.();
  await quiet();
  expect(active).toEqual(['b', 'c']);
  release.shift()?.();
  await quiet();
  expect(active).toEqual(['c', 'a']);
});

test('a hook that throws does not stop the workers', async () => {
  const seen: string[] = [];
  const { queue } = setup((key) => Promise.resolve(seen.push(key)).then(() => settled), {
    onPass: () => {
      throw new Error('bug in a metric');
    },
  });
  for (const key of ['a', 'b', 'c']) queue.add(key);
  await quiet();
  expect(seen).toEqual(['a', 'b', 'c']);
});

test('stopping waits for running passes and begins none', async () => {
  let finish = (): void => {};
  const begun: string[] = [];
  const { queue, controller, clock } = setup(
    (key) => {
      begun.push(key);
      return new Promise((resolve) => (finish = () => resolve(lookAgain(1, 'more to do'))));
    },
    { workers: 1 },
  );
  queue.add('a');
  queue.add('b');
  await quiet();
  let stopped = false;
  const stopping = controller.stop().then(() => (stopped = true));
  await quiet();
  expect(stopped).toBe(false);
  finish();
  await stopping;
  clock.advance(1_000);
  await quiet();
  expect(begun).toEqual(['a']);
});

test('passes that outlast the grace of a stop are told to end', async () => {
  const { queue, controller, clock, passes } = setup((_, signal) =>
    sleep(clock, 3_600_000, signal).then(() => settled),
  );
  queue.add('a');
  await quiet();
  const stopping = controller.stop(5_000);
  await quiet();
  clock.advance(5_000);
  await stopping;
  expect(passes).toMatchObject([['a', 'error', 5, { message: 'the controller stops' }]]);
});
