import { beforeEach, expect, test } from 'vitest';
import { Reviews } from '../../test/fakes/reviews.ts';
import { Access } from './access.ts';
import { ManualClock } from './clock.ts';
import { KubeUnreachable } from './kube.ts';

let reviews: Reviews;
let clock: ManualClock;
let access: Access;

beforeEach(() => {
  reviews = new Reviews();
  reviews.users.set('good', 'prometheus').set('other', 'somebody');
  reviews.allowed.add('prometheus get /metrics');
  clock = new ManualClock(new Date('2026-11-25T10:00:00Z'));
  access = new Access({ kube: reviews, clock, path: '/metrics' });
});

test.each([
  ['good', 'allowed'],
  ['other', 'forbidden'],
  ['made-up', 'unauthenticated'],
])('token %s is %s', async (token, verdict) => {
  expect(await access.of(token)).toBe(verdict);
});

test('nobody is let in while the API server is away, and the failure is not remembered', async () => {
  reviews.away = true;
  await expect(access.of('good')).rejects.toThrow(KubeUnreachable);
  reviews.away = false;
  expect(await access.of('good')).toBe('allowed');
});

test('a right that was taken away ends within a minute, one that was given counts within ten seconds', async () => {
  expect([await access.of('good'), await access.of('other')]).toEqual(['allowed', 'forbidden']);
  reviews.allowed.delete('prometheus get /metrics');
  reviews.allowed.add('somebody get /metrics');
  clock.advance(9_999);
  expect([await access.of('good'), await access.of('other')]).toEqual(['allowed', 'forbidden']);
  clock.advance(1);
  expect([await access.of('good'), await access.of('other')]).toEqual(['allowed', 'allowed']);
  clock.advance(50_000);
  expect(await access.of('good')).toBe('forbidden');
});

test('a scrape asks the API server once a minute', async () => {
  for (let second = 0; second < 60; second += 15) {
    await access.of('good');
    clock.advance(15_000);
  }
  expect(reviews.asked).toBe(2);
});

test('whoever comes with ever new tokens does not flood the API server, and the known one still gets in', async () => {
  await access.of('good');
  reviews.asked = 0;
  const { promise, resolve } = Promise.withResolvers<void>();
  reviews.gate = promise;
  const flood = Array.from({ length: 1000 }, (_, n) => access.of(`token-${n}`).catch((error: unknown) => error));
  expect(await access.of('good')).toBe('allowed');
  resolve();
  const ends = await Promise.all(flood);
  expect(reviews.asked).toBeLessThan(10);
  expect(ends.filter((end) => end === 'allowed')).toEqual([]);
});

test('ever new tokens, one after the other, do not push out the known one', async () => {
  await access.of('good');
  for (let n = 0; n < 1000; n++) await access.of(`token-${n}`);
  reviews.asked = 0;
  expect([await access.of('good'), reviews.asked]).toEqual(['allowed', 0]);
});

test('the known one is reviewed again although others take all the places', async () => {
  await access.of('good');
  clock.advance(60_000);
  const { promise, resolve } = Promise.withResolvers<void>();
  reviews.gate = promise;
  const flood = Array.from({ length: 8 }, (_, n) => access.of(`token-${n}`));
  const known = access.of('good');
  resolve();
  expect(await known).toBe('allowed');
  await Promise.all(flood);
});

test('those who come at once with one token ask once', async () => {
  expect(await Promise.all([access.of('good'), access.of('good')])).toEqual(['allowed', 'allowed']);
  expect(reviews.asked).toBe(2);
});
