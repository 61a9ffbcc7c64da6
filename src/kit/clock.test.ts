import { expect, test } from 'vitest';
import { ManualClock, sleep, systemClock } from './clock.ts';
import { deadline, DeadlineExceeded, orAbort } from './deadline.ts';

const start = new Date('2026-01-01T00:00:00Z');

test('timers run in the order of their instants, also those that a timer adds, and see their own instant', () => {
  const clock = new ManualClock(start);
  const seen: [string, number][] = [];
  const note = (name: string) => (): void => void seen.push([name, clock.monotonicMs()]);
  clock.after(30, note('c'));
  clock.after(10, () => {
    note('a')();
    clock.after(10, note('b'));
  });
  const cancel = clock.after(15, note('never'));
  cancel();
  clock.after(100, note('later'));
  expect(clock.nextTimer()).toEqual(new Date(start.getTime() + 10));
  clock.advance(50);
  expect(seen).toEqual([
    ['a', 10],
    ['b', 20],
    ['c', 30],
  ]);
  expect(clock.now()).toEqual(new Date(start.getTime() + 50));
  expect(clock.nextTimer()).toEqual(new Date(start.getTime() + 100));
});

test('a sleep ends with its time or with the signal, and leaves neither timer nor listener behind', async () => {
  const clock = new ManualClock(start);
  const abort = new AbortController();
  const first = sleep(clock, 10, abort.signal);
  clock.advance(10);
  await first;
  const second = sleep(clock, 10, abort.signal);
  const reason = new Error('enough');
  abort.abort(reason);
  await expect(second).rejects.toBe(reason);
  await expect(sleep(clock, 10, abort.signal)).rejects.toBe(reason);
  expect(clock.nextTimer()).toBeUndefined();
});

test('the real clock does not fire a timer of fifty days at once', async () => {
  let fired = false;
  const cancel = systemClock.after(50 * 86_400_000, () => (fired = true));
  await sleep(systemClock, 20);
  cancel();
  expect(fired).toBe(false);
});

test('a deadline tells its own end from that of the signal it follows', () => {
  const clock = new ManualClock(start);
  const abort = new AbortController();
  using late = deadline(clock, 100, abort.signal);
  clock.advance(60);
  expect([late.leftMs(), late.signal.aborted]).toEqual([40, false]);
  clock.advance(40);
  expect([late.leftMs(), late.expired]).toEqual([0, true]);
  expect(late.signal.reason).toBeInstanceOf(DeadlineExceeded);
  using followed = deadline(clock, 100, abort.signal);
  abort.abort(new Error('enough'));
  expect([followed.signal.aborted, followed.expired]).toEqual([true, false]);
  using born = deadline(clock, 100, abort.signal);
  expect(born.signal.aborted).toBe(true);
});

test('a deadline that was disposed of never fires', () => {
  const clock = new ManualClock(start);
  const { signal } = (() => {
    using limit = deadline(clock, 100);
    return limit;
  })();
  clock.advance(200);
  expect(signal.aborted).toBe(false);
  expect(clock.nextTimer()).toBeUndefined();
});

test('waiting for a promise ends with the signal, whatever becomes of the promise', async () => {
  const abort = new AbortController();
  const late = Promise.withResolvers<string>();
  expect(await orAbort(Promise.resolve('in time'), abort.signal)).toBe('in time');
  const waiting = orAbort(late.promise, abort.signal);
  abort.abort(new Error('enough'));
  await expect(waiting).rejects.toThrow('enough');
  late.reject(new Error('nobody hears this'));
  await expect(orAbort(new Promise(() => {}), abort.signal)).rejects.toThrow('enough');
});
