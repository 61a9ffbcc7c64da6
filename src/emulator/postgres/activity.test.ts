import { expect, test } from 'vitest';
import { ManualClock } from '../../kit/clock.ts';
import { Activity } from './activity.ts';

const start = new Date('2026-01-01T00:00:00Z');

function endpoint(state: 'ACTIVE' | 'IDLE' = 'ACTIVE') {
  const clock = new ManualClock(start);
  const seen = { slept: 0 };
  const activity = new Activity(clock, state, () => void (seen.slept += 1));
  return { clock, activity, seen };
}

test('it falls asleep when nobody came for the time that was set', () => {
  const { clock, activity, seen } = endpoint();
  activity.setSuspend(60);
  clock.advance(59_999);
  expect([activity.state, seen.slept]).toEqual(['ACTIVE', 0]);
  clock.advance(1);
  expect([activity.state, seen.slept]).toEqual(['IDLE', 1]);
});

test('it stays awake as long as a session is open, and for the time that was set after the last one', () => {
  const { clock, activity } = endpoint();
  activity.setSuspend(60);
  const [endFirst, endSecond] = [activity.begin(), activity.begin()];
  endFirst();
  clock.advance(600_000);
  expect(activity.state).toBe('ACTIVE');
  expect(activity.lastActive).toEqual(clock.now());
  endSecond();
  endSecond();
  clock.advance(59_000);
  expect(activity.state).toBe('ACTIVE');
  clock.advance(1_000);
  expect(activity.state).toBe('IDLE');
  expect(activity.lastActive).toEqual(new Date(start.getTime() + 600_000));
});

test('a session wakes it, and its sleep comes again', () => {
  const { clock, activity, seen } = endpoint('IDLE');
  activity.setSuspend(60);
  clock.advance(600_000);
  expect(seen.slept).toBe(0);
  activity.begin()();
  expect(activity.state).toBe('ACTIVE');
  clock.advance(60_000);
  expect([activity.state, seen.slept]).toEqual(['IDLE', 1]);
});

test('work of the emulator counts as use', () => {
  const { clock, activity } = endpoint();
  activity.setSuspend(60);
  clock.advance(50_000);
  activity.touch();
  clock.advance(50_000);
  expect(activity.state).toBe('ACTIVE');
});

test.each([
  ['never, when no time is set', undefined],
  ['never, when the time is taken back', 60],
])('it sleeps %s', (_why, first) => {
  const { clock, activity } = endpoint();
  activity.setSuspend(first);
  activity.setSuspend(undefined);
  clock.advance(86_400_000);
  expect(activity.state).toBe('ACTIVE');
});

test('a closed one does nothing any more', () => {
  const { clock, activity, seen } = endpoint();
  activity.setSuspend(60);
  activity.stop();
  clock.advance(60_000);
  expect(seen.slept).toBe(0);
});
