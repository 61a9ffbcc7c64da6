import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Memory } from '../../src/controllers/database-branch/memory.ts';
import {
  expiryOf,
  leaseDue,
  leaseLengthMs,
  nextCeilingMs,
  toleranceMs,
} from '../../src/controllers/database-branch/lease.ts';
import type { Wish } from '../../src/controllers/database-branch/wish.ts';
import { planCredential, renewTime } from '../../src/credentials/plan.ts';
import { ManualClock } from '../../src/kit/clock.ts';
import { LakebaseError } from '../../src/lakebase/errors.ts';
import { anIssuedSecret, hours, later, minutes, now, wish as usual } from '../builders/world.ts';
import { runs } from './runs.ts';

const owners = fc.uuid();
const starts = fc.integer({ min: 0, max: hours(1000) }).map(later);
const lives = fc.oneof(fc.constant(minutes(60)), fc.integer({ min: minutes(1), max: hours(2) }));
const life = (issueTime: Date, lifeMs: number) => ({ issueTime, expireTime: new Date(issueTime.getTime() + lifeMs) });
const at = (start: Date, ms: number): Date => new Date(start.getTime() + ms);

describe('the instant of renewal', () => {
  test('lies between 45 and 55 % of the granted life, and is the same for every process and pass', () => {
    fc.assert(
      fc.property(owners, starts, lives, (owner, start, lifeMs) => {
        const token = life(start, lifeMs);
        const share = (renewTime(token, owner).getTime() - start.getTime()) / lifeMs;
        expect(share).toBeGreaterThanOrEqual(0.45 - 1 / lifeMs);
        expect(share).toBeLessThanOrEqual(0.55);
        expect(renewTime(life(new Date(start), lifeMs), owner)).toEqual(renewTime(token, owner));
      }),
      runs(1000),
    );
  });

  // Two versions of the operator that disagree would both renew: these instants are part of the contract.
  test.each([
    ['u-1', minutes(60), '2026-11-25T10:28:21.311Z'],
    ['u-2', minutes(60), '2026-11-25T10:30:31.858Z'],
    ['u-1', minutes(10), '2026-11-25T10:04:43.551Z'],
  ])('is frozen: %s, %d ms', (owner, lifeMs, instant) => {
    expect(renewTime(life(now, lifeMs), owner).toISOString()).toBe(instant);
  });

  const plan = (owner: string, token: ReturnType<typeof life>, instant: Date) => {
    const secret = anIssuedSecret({ ...token, rotateTokenHash: 'r', shapeHash: 's' });
    return planCredential({ ownerUid: owner, secret, rotateTokenHash: 'r', shapeHash: 's' }, instant);
  };

  test('once come stays come, and never comes early, by any clock', () => {
    fc.assert(
      fc.property(owners, starts, lives, fc.double({ min: 0, max: 2, noNaN: true }), fc.nat(hours(1)), (...drawn) => {
        const [owner, start, lifeMs, share, laterMs] = drawn;
        const token = life(start, lifeMs);
        const instant = at(start, lifeMs * share);
        const said = plan(owner, token, instant);
        if (share < 0.45) expect(said.do).toBe('keep');
        if (share > 0.56) expect(said.do).toBe('mint');
        if (said.do === 'mint') expect(plan(owner, token, at(instant, laterMs))).toEqual(said);
        else expect(said).toEqual({ do: 'keep', renewTime: renewTime(token, owner) });
      }),
      runs(1000),
    );
  });

  test('of a clock that is wrong by up to two minutes leaves an hour’s token a third of its life', () => {
    fc.assert(
      fc.property(owners, starts, fc.integer({ min: -minutes(2), max: minutes(2) }), (owner, start, skewMs) => {
        const token = life(start, minutes(60));
        const leftMs = token.expireTime.getTime() - (renewTime(token, owner).getTime() + skewMs);
        expect(leftMs).toBeGreaterThanOrEqual(minutes(60) / 3);
      }),
      runs(500),
    );
  });

  test('comes early enough that an outage of 25 minutes at the worst instant, and the retries after it, leave no dead token', () => {
    fc.assert(
      fc.property(owners, starts, fc.integer({ min: 0, max: minutes(60) }), (owner, start, outageAtMs) => {
        const token = life(start, minutes(60));
        const [from, to] = [start.getTime() + outageAtMs, start.getTime() + outageAtMs + minutes(25)];
        const clock = new ManualClock(renewTime(token, owner));
        const memory = new Memory(clock);
        const error = new LakebaseError('unreachable', 'no answer');
        let failure: ReturnType<Memory['failed']> | undefined;
        const isDown = (): boolean => clock.now().getTime() >= from && clock.now().getTime() < to;
        while (isDown()) {
          failure = memory.failed(failure, error, owner);
          const pauseMs = failure.nextAt - clock.monotonicMs();
          expect(pauseMs).toBeGreaterThan(0);
          clock.advance(pauseMs);
        }
        expect(clock.now().getTime()).toBeLessThan(token.expireTime.getTime());
      }),
      runs(500),
    );
  });
});

describe('the lease', () => {
  const leases = fc.integer({ min: 24, max: 720 }).map(hours);
  const ends = fc.option(fc.integer({ min: minutes(10), max: hours(720) }).map(later), { nil: undefined });
  const ceilings = fc.option(fc.constantFrom(hours(24), hours(100), hours(168)), { nil: undefined });
  const aWish = (life_: Wish['life'], leaseMs: number, expireTime: Date | undefined): Wish => ({
    ...usual,
    life: life_,
    leaseMs,
    expiration: expireTime ? { expireTime } : {},
  });
  const dueOf = (
    uid: string,
    wish: Wish,
    expireTime: Date | undefined,
    ceilingMs: number | undefined,
    instant: Date,
  ) => {
    const target = expiryOf(wish, true, { ceilingMs, now: instant });
    return { target, due: leaseDue(uid, expireTime, target, leaseLengthMs(wish, true, ceilingMs), instant) };
  };

  test('of a branch whose every due instant is honoured never runs below its length less 12 hours, nor beyond the end', () => {
    fc.assert(
      fc.property(owners, leases, ends, ceilings, starts, (uid, leaseMs, end, ceilingMs, start) => {
        const wish = aWish('leased', leaseMs, end && at(start, end.getTime() - now.getTime()));
        const last = (wish.expiration.expireTime?.getTime() ?? Infinity) + minutes(10);
        const fullMs = Math.min(leaseMs, ceilingMs ?? Infinity);
        let instant = start;
        let expireTime = expiryOf(wish, false, { ceilingMs, now: instant }).at;
        for (let extensions = 0; extensions < 12 && instant.getTime() < last; extensions += 1) {
          const { due } = dueOf(uid, wish, expireTime, ceilingMs, instant);
          if (!due) break;
          instant = new Date(Math.max(due.getTime(), instant.getTime()));
          const leftMs = (expireTime?.getTime() ?? 0) - instant.getTime();
          const least = Math.min(fullMs - hours(12), last - instant.getTime()) - toleranceMs;
          expect(leftMs).toBeGreaterThanOrEqual(least);
          const { target, due: again } = dueOf(uid, wish, expireTime, ceilingMs, instant);
          // An instant that has come asks for something, or names a later one: time goes on.
          if (again && again <= instant) {
            expect(target.at?.getTime()).toBeLessThanOrEqual(Math.min(last, instant.getTime() + fullMs));
            expireTime = target.at;
          } else instant = new Date(instant.getTime() + 1);
        }
      }),
      runs(500),
    );
  });

  test('is extended at most every 12 hours, and once it has its final value no more', () => {
    fc.assert(
      fc.property(owners, leases, ends, ceilings, starts, (uid, leaseMs, end, ceilingMs, start) => {
        const wish = aWish('leased', leaseMs, end && at(start, end.getTime() - now.getTime()));
        const { target } = dueOf(uid, wish, undefined, ceilingMs, start);
        const { due } = dueOf(uid, wish, target.at, ceilingMs, start);
        const final = (wish.expiration.expireTime?.getTime() ?? Infinity) + minutes(10) === target.at?.getTime();
        if (final && target.at!.getTime() < start.getTime() + Math.min(leaseMs, ceilingMs ?? Infinity) - toleranceMs)
          expect(due).toBeUndefined();
        else expect(due?.getTime()).toBeGreaterThan(start.getTime());
      }),
      runs(500),
    );
  });

  test('of a branch that would outlive its object is pulled back at once', () => {
    fc.assert(
      fc.property(
        owners,
        leases,
        ends,
        fc.integer({ min: minutes(2), max: hours(900) }),
        (uid, leaseMs, end, beyondMs) => {
          fc.pre(end !== undefined);
          const wish = aWish('leased', leaseMs, end);
          const { target, due } = dueOf(uid, wish, at(end, minutes(10) + beyondMs), undefined, now);
          expect(due?.getTime()).toBeLessThanOrEqual(now.getTime());
          expect(target.at?.getTime()).toBeLessThanOrEqual(end.getTime() + minutes(10));
        },
      ),
      runs(300),
    );
  });

  test('of a retained branch is its whole life at once, and is never shortened, even when the provider is found to allow less', () => {
    fc.assert(
      fc.property(owners, leases, ends, ceilings, starts, (uid, leaseMs, end, ceilingMs, start) => {
        fc.pre(end !== undefined);
        const wish = aWish('retained', leaseMs, at(start, end.getTime() - now.getTime()));
        const full = (wish.expiration.expireTime?.getTime() ?? 0) + minutes(10);
        expect(expiryOf(wish, true, { ceilingMs: undefined, now: start }).at?.getTime()).toBe(full);
        for (const expireTime of [full, full - hours(1), start.getTime() + hours(24)].filter((ms) => ms <= full)) {
          const { target, due } = dueOf(uid, wish, new Date(expireTime), ceilingMs, start);
          if (due && due <= start) expect(target.at?.getTime()).toBeGreaterThan(expireTime - toleranceMs);
        }
      }),
      runs(500),
    );
  });

  test('that was refused as too far is tried ever shorter, by what is usual, and then no more', () => {
    fc.assert(
      fc.property(leases, ceilings, fc.integer({ min: hours(1), max: hours(2000) }), (leaseMs, history, refusedMs) => {
        const wish = { ...aWish('leased', leaseMs, undefined), historyRetentionMs: history };
        const usualOnes = [leaseMs, history, hours(168), hours(24)];
        let refused = refusedMs;
        for (let tries = 0; tries <= usualOnes.length; tries += 1) {
          const next = nextCeilingMs(refused, wish);
          if (next === undefined) return;
          expect(next).toBeLessThan(refused - toleranceMs);
          expect(usualOnes).toContain(next);
          refused = next;
        }
        throw new Error('the ladder has no end');
      }),
      runs(500),
    );
  });
});
