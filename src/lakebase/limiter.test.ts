import { expect, test } from 'vitest';
import { ok, scriptedTransport, settled } from '../../test/fakes/scripted-transport.ts';
import { ManualClock } from '../kit/clock.ts';
import { limited } from './limiter.ts';
import type { HttpRequest } from './transport.ts';

const start = new Date('2026-03-01T12:00:00Z');
const request = (name: string): HttpRequest => ({ method: 'GET', url: `https://host/${name}`, headers: {} });
const patience = new AbortController().signal;

function setUp(): {
  clock: ManualClock;
  send: (name: string, signal?: AbortSignal) => Promise<unknown>;
  sent: () => string[];
} {
  const clock = new ManualClock(start);
  const sent: string[] = [];
  const { transport } = scriptedTransport(({ url }, signal) => {
    sent.push(`${url.slice('https://host/'.length)} at ${clock.monotonicMs()}`);
    return ok({})({ method: 'GET', url, headers: {} }, signal);
  });
  const send = limited(transport, clock, { perSecond: 2, burst: 3 });
  return { clock, send: (name, signal = patience) => send(request(name), signal), sent: () => sent };
}

test('a burst goes out at once, the rest in the order in which it came, as fast as the budget grows', async () => {
  const { clock, send, sent } = setUp();
  await settled(clock, Promise.all(['a', 'b', 'c', 'd', 'e'].map((name) => send(name))));
  expect(sent()).toEqual(['a at 0', 'b at 0', 'c at 0', 'd at 500', 'e at 1000']);
});

test('a quiet time fills the budget again, and not beyond the burst', async () => {
  const { clock, send, sent } = setUp();
  await settled(clock, Promise.all(['a', 'b', 'c'].map((name) => send(name))));
  clock.advance(60_000);
  await settled(clock, Promise.all(['d', 'e', 'f', 'g'].map((name) => send(name))));
  expect(sent().slice(3)).toEqual(['d at 60000', 'e at 60000', 'f at 60000', 'g at 60500']);
});

test('one that gives up is not sent, and leaves its place to the next', async () => {
  const { clock, send, sent } = setUp();
  const impatient = new AbortController();
  const first = Promise.all(['a', 'b', 'c'].map((name) => send(name)));
  const given = send('d', impatient.signal);
  const last = send('e');
  impatient.abort(new Error('enough'));
  await expect(given).rejects.toMatchObject({ name: 'LakebaseError', code: 'throttled' });
  await settled(clock, Promise.all([first, last]));
  expect(sent()).toEqual(['a at 0', 'b at 0', 'c at 0', 'e at 500']);
});

test('a budget of less than one request at once still lets requests out', async () => {
  const clock = new ManualClock(start);
  const { transport } = scriptedTransport(ok({}));
  const send = limited(transport, clock, { perSecond: 0.25, burst: 0.5 });
  const patient = new AbortController();
  clock.after(60_000, () => patient.abort());
  const all = Promise.all([send(request('a'), patient.signal), send(request('b'), patient.signal)]);
  await settled(clock, all);
  expect(clock.monotonicMs()).toBe(4_000);
});

test('nothing runs while nobody waits', async () => {
  const { clock, send } = setUp();
  await settled(clock, Promise.all(['a', 'b', 'c', 'd'].map((name) => send(name))));
  expect(clock.nextTimer()).toBeUndefined();
});

test('what the transport says is passed on', async () => {
  const clock = new ManualClock(start);
  const { transport } = scriptedTransport(() => {
    throw new Error('no');
  });
  await expect(limited(transport, clock)(request('a'), patience)).rejects.toThrow('no');
});
