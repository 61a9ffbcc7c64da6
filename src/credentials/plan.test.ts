import { expect, test } from 'vitest';
import { Token } from '../lakebase/token.ts';
import { lifeLeft, planCredential, renewTime, worryShare } from './plan.ts';
import type { IssuedSecret } from './secret.ts';

const start = new Date('2026-11-25T10:00:00Z');
const at = (minutes: number): Date => new Date(start.getTime() + minutes * 60_000);

const aSecret = (overrides: Partial<IssuedSecret> = {}): IssuedSecret => ({
  uid: 's1',
  resourceVersion: '7',
  binding: {
    branchId: 'pr-1-db-aaaaaaaaaaaaaaaa-bbbbbb',
    branchUid: 'br-1',
    endpointUid: 'ep-1',
    host: 'h',
    username: 'u',
  },
  token: new Token('t'),
  issueTime: start,
  expireTime: at(60),
  revision: 1,
  rotateTokenHash: 'r',
  shapeHash: 'shape',
  keys: { data: [], labels: [], annotations: [] },
  ...overrides,
});
const view = (secret = aSecret(), overrides: { rotateTokenHash?: string; shapeHash?: string } = {}) => ({
  ownerUid: 'uid-1',
  secret,
  rotateTokenHash: 'r',
  shapeHash: 'shape',
  ...overrides,
});

test.each([
  ['a young token is kept', view(), at(25), 'keep'],
  ['a token past 55 % of its life is renewed', view(), at(34), 'RenewalDue'],
  ['a dead token is renewed', view(), at(61), 'RenewalDue'],
  [
    'a token granted for 10 minutes is renewed at half of those',
    view(aSecret({ expireTime: at(10) })),
    at(6),
    'RenewalDue',
  ],
  ['a token granted for 10 minutes is kept until then', view(aSecret({ expireTime: at(10) })), at(4), 'keep'],
  ['a new rotateToken renews at once', view(aSecret(), { rotateTokenHash: 'other' }), at(1), 'RotationRequested'],
  ['a changed template is written with the same token', view(aSecret(), { shapeHash: 'other' }), at(1), 'render'],
  [
    'a changed template on a token that is due is one renewal',
    view(aSecret(), { shapeHash: 'other' }),
    at(40),
    'RenewalDue',
  ],
])('%s', (_sentence, given, now, expected) => {
  const plan = planCredential(given, now);
  expect(plan.do === 'mint' ? plan.reason : plan.do).toBe(expected);
});

test('every pass over one token names the same instant, between 45 and 55 % of its life', () => {
  for (let n = 0; n < 200; n++) {
    const instant = renewTime(aSecret(), `uid-${n}`);
    expect(renewTime(aSecret(), `uid-${n}`)).toEqual(instant);
    expect(instant.getTime()).toBeGreaterThanOrEqual(at(27).getTime());
    expect(instant.getTime()).toBeLessThanOrEqual(at(33).getTime());
  }
});

test('at its instant a token is renewed, and not a moment before', () => {
  const due = renewTime(aSecret(), 'uid-1');
  expect(planCredential(view(), new Date(due.getTime() - 1))).toEqual({ do: 'keep', renewTime: due });
  expect(planCredential(view(), due)).toEqual({ do: 'mint', reason: 'RenewalDue' });
});

test('an upgrade of the operator moves no instant', () => {
  expect(renewTime(aSecret(), 'uid-1')).toEqual(new Date('2026-11-25T10:31:57.552Z'));
});

test('the instants of a fleet are spread over the window', () => {
  const minutes = new Set(
    Array.from({ length: 200 }, (_, n) =>
      Math.floor((renewTime(aSecret(), `uid-${n}`).getTime() - start.getTime()) / 60_000),
    ),
  );
  expect(minutes.size).toBeGreaterThanOrEqual(6);
});

test('a share of life is between 0 and 1', () => {
  expect(lifeLeft(aSecret(), at(0))).toBe(1);
  expect(lifeLeft(aSecret(), at(45))).toBeCloseTo(0.25);
  expect(lifeLeft(aSecret(), at(90))).toBe(0);
  expect(lifeLeft(aSecret(), at(-30))).toBe(1);
  expect(lifeLeft(aSecret({ expireTime: start }), at(0))).toBe(0);
  expect(lifeLeft(aSecret({ expireTime: new Date(start.getTime() + 1) }), at(0))).toBe(1);
});

test('of an hour the last 20 minutes are a reason to worry', () => {
  expect(lifeLeft(aSecret(), at(39))).toBeGreaterThan(worryShare);
  expect(lifeLeft(aSecret(), at(41))).toBeLessThan(worryShare);
});
