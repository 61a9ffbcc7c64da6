// Branches that are neither served nor wanted any more: when they are looked for, and what becomes of them.
import { expect, test } from 'vitest';
import { idOf, told } from '../../../test/builders/plan.ts';
import {
  aBranch,
  absent,
  aView,
  aWorld,
  family,
  hours,
  later,
  minutes,
  now,
  object,
  relative,
  unknown,
  wish,
  type WorldChange,
  wishIn,
} from '../../../test/builders/world.ts';
import type { DatabaseBranch } from '../../api/v1alpha1/database-branch.ts';
import type { Branch } from '../../lakebase/model.ts';
import { decideLeftovers, drainEnd, leftovers, leftoversDueMs, strangers } from './decide-leftovers.ts';
import type { BranchMemoryView } from './world.ts';

type Status = NonNullable<DatabaseBranch['status']>;
const recorded = (status: Partial<Status>): WorldChange => ({
  object: { ...object, status: { ...object.status, ...status } },
});
const superseded = (untilMs?: number, id = idOf('former')): Partial<Status> => ({
  superseded: [{ id, uid: 'br-0', ...(untilMs === undefined ? {} : { until: later(untilMs).toISOString() }) }],
});
const candidate = { id: idOf('former'), uid: 'br-0' };
const served = { wanted: { uid: 'br-1' }, served: 'wanted' } as const;

/** The branch that was served before, as a LIST shows it. */
const former = (change: Partial<Branch> = {}, memory: Partial<BranchMemoryView> = {}) =>
  relative(aBranch({ id: idOf('former'), uid: 'br-0', expireTime: later(hours(72)), ...change }), memory);
const latest = relative(aBranch({ id: idOf('latest'), uid: 'br-5' }));
const failure = (nextInMs: number) =>
  ({ lease: { attempts: 1, sinceMs: 1, nextInMs, error: unknown('invalid').error } }) as const;
const withoutEnd = (({ expireTime: _none, ...branch }) => branch)(aBranch({ id: idOf('former'), uid: 'br-0' }));

function step(change: WorldChange): string {
  const world = aWorld({ ...served, ...change });
  return told(decideLeftovers(world, wishIn(world), now));
}

const drains = 'setExpiry drain of former 5 min';
const leased = 'setExpiry lease of former 4325 min';
const overdue = 'deleteBranch former: its time to drain is over';

test.each<[string, WorldChange, string]>([
  ['one that was just replaced gets its time to drain', { family: family([former()]) }, drains],
  [
    'that is as long as the object says',
    { family: family([former()]), wish: { drainMs: hours(1) } },
    drains.replace('5 min', '1 h'),
  ],
  [
    'the end that was set once is kept',
    { family: family([former()]), ...recorded(superseded(1000)) },
    drains.replace('5 min', '1 s'),
  ],
  ['one without an end gets one', { family: family([relative(withoutEnd)]) }, drains],
  [
    'one that ends in time is left to the provider',
    { family: family([former({ expireTime: later(minutes(6)) })]) },
    'nothing',
  ],
  [
    'more than a minute later is not in time',
    { family: family([former({ expireTime: later(minutes(6) + 1) })]) },
    drains,
  ],
  [
    'while nothing is served it may be the one that was: it is leased',
    { wanted: {}, served: undefined, family: family([former()]) },
    leased,
  ],
  [
    'as long as its lease holds, it is left alone',
    { wanted: {}, served: undefined, family: family([former({ expireTime: later(hours(72) + minutes(5)) })]) },
    'nothing',
  ],
  [
    'but not one that was given an end',
    { wanted: {}, served: undefined, family: family([former()]), ...recorded(superseded(1000)) },
    drains.replace('5 min', '1 s'),
  ],
  [
    'nor one that is to make room for the next',
    { wanted: {}, served: undefined, family: family([former()]), wish: { strategy: 'Replace' } },
    drains,
  ],
  ['an end that is refused is asked for again later', { family: family([former({}, failure(1))]) }, 'nothing'],
  ['and then it is', { family: family([former({}, failure(0))]) }, drains],
  [
    'a minute after its end the provider should have removed it',
    { family: family([former({ expireTime: later(-minutes(1)) })]), ...recorded(superseded(-minutes(1))) },
    'nothing',
  ],
  ['then we do', { family: family([former()]), ...recorded(superseded(-minutes(1) - 1)) }, overdue],
  [
    'a DELETE has its time',
    { family: family([former({}, { deletedMsAgo: 9_999 })]), ...recorded(superseded(-hours(1))) },
    'nothing',
  ],
  [
    'and is repeated',
    { family: family([former({}, { deletedMsAgo: 10_000 })]), ...recorded(superseded(-hours(1))) },
    overdue,
  ],
  [
    'a candidate that is not wanted any more goes at once',
    { family: family([former()]), ...recorded({ candidate }) },
    'deleteBranch former: its reset.token is not asked for any more',
  ],
  [
    'a protected one is left alone',
    { family: family([former({ isProtected: true })]), ...recorded({ candidate }) },
    'nothing',
  ],
  [
    'but not those after it',
    { family: family([former({ isProtected: true }), latest]) },
    'setExpiry drain of latest 5 min',
  ],
  ['one that is gone needs nothing', { family: family([former({ deleteTime: now })]) }, 'nothing'],
  [
    'nor what is served, wanted or not there',
    { family: family([relative(aBranch()), aView({ branch: absent })]) },
    'nothing',
  ],
  [
    'in a reset both stay',
    {
      wanted: {},
      served: { id: idOf('former'), uid: 'br-0' },
      family: family([relative(aBranch()), former()]),
    },
    'nothing',
  ],
  [
    'another branch under the id of one of ours is not touched',
    { family: family([former({ uid: 'br-9' })]), ...recorded(superseded()) },
    'nothing',
  ],
  ['a project that cannot be seen has none', { family: absent }, 'nothing'],
  ['nor is anything known in an outage', { family: unknown() }, 'nothing'],
])('a leftover: %s', (_sentence, change, expected) => expect(step(change)).toBe(expected));

test.each<[string, WorldChange, string]>([
  ['when nothing is due', {}, 'nothing'],
  ['when one is due', recorded(superseded()), 'look around freshFamily'],
  [
    'when one is due at this instant',
    { ...recorded(superseded(-5000)), memory: { checkedMsAgo: 5000 } },
    'look around freshFamily',
  ],
  ['when one is due a moment later', { ...recorded(superseded(-4999)), memory: { checkedMsAgo: 5000 } }, 'nothing'],
  ['at the usual check', { memory: { checkInMs: 0 } }, 'look around family'],
  ['at a check for what no status tells of', { memory: { checkInMs: 0, untold: true } }, 'look around freshFamily'],
  ['before the usual check', { memory: { checkInMs: 1 } }, 'nothing'],
])('leftovers are looked for: %s', (_sentence, change, expected) => expect(step(change)).toBe(expected));

const reset: WorldChange = { wanted: {}, served: { id: idOf('former'), uid: 'br-0' } };
const long = { checkedMsAgo: hours(1) };
const never = Infinity;

test.each<[string, WorldChange, number]>([
  ['nothing is on record', served, never],
  ['not even a status', { ...served, object: (({ status: _none, ...rest }) => rest)(object) }, never],
  ['a branch that is draining is seen to 5 s after its end', { ...served, ...recorded(superseded(1000)) }, 6000],
  ['one without an end is seen to now', { ...served, ...recorded(superseded()), memory: { checkedMsAgo: 5000 } }, 0],
  [
    'unless nothing is served: it may be the one that was',
    { wanted: {}, ...recorded(superseded()), memory: { checkedMsAgo: 5000 } },
    never,
  ],
  ['but not more often than every 5 s', { ...served, ...recorded(superseded()), memory: { checkedMsAgo: 100 } }, 4900],
  [
    'one that is still there five minutes later is not waited for',
    { ...served, ...recorded(superseded(-minutes(5) - 5000)), memory: long },
    never,
  ],
  ['a moment earlier it is', { ...served, ...recorded(superseded(-minutes(5) - 4999)), memory: long }, -minutes(5) + 1],
  ['one that is wanted again does not go', { ...reset, ...recorded(superseded(1000, wish.branchId)) }, never],
  ['nor one that is served again', { ...reset, ...recorded(superseded(1000)) }, never],
  [
    'a candidate that is not wanted any more is seen to now',
    { ...served, ...recorded({ candidate }), memory: { checkedMsAgo: 5000 } },
    0,
  ],
  [
    'one that is wanted is no leftover',
    { wanted: {}, ...recorded({ candidate: { id: wish.branchId, uid: 'br-1' } }) },
    never,
  ],
  ['nor one that is served', { ...reset, ...recorded({ candidate }) }, never],
  [
    'what was asked for before any status told of it',
    { ...served, memory: { unnoted: [idOf('former')], checkedMsAgo: 5000 } },
    0,
  ],
  ['unless it is what is wanted', { wanted: {}, memory: { unnoted: [wish.branchId] } }, never],
  [
    'the branch on record was just replaced',
    { ...served, ...recorded({ branch: { id: idOf('former'), uid: 'br-0' } }), memory: { checkedMsAgo: 5000 } },
    0,
  ],
  ['the branch on record is served', { ...served, ...recorded({ branch: { id: wish.branchId, uid: 'br-1' } }) }, never],
  [
    'the branch on record is not served any more, and none is',
    { wanted: {}, ...recorded({ branch: { id: idOf('former'), uid: 'br-0' } }) },
    never,
  ],
])('when leftovers are due: %s', (_sentence, change, expected) =>
  expect(leftoversDueMs(aWorld(change), now)).toBe(expected),
);

test('what is left over is told apart from what somebody else made under the id of one of ours', () => {
  const theirs = former({ uid: 'br-9' });
  const world = aWorld({ ...served, ...recorded(superseded()), family: family([relative(aBranch()), latest, theirs]) });
  expect(leftovers(world)).toEqual([latest]);
  expect(strangers(world)).toEqual([theirs]);
  expect(strangers(aWorld({ ...world, family: absent, wanted: {}, served: {} }))).toEqual([]);
});

test('the end of a drain is the one on record of that very branch', () => {
  const world = aWorld(
    recorded({
      superseded: [{ id: 'x', uid: 'br-8', until: later(1).toISOString() }, ...(superseded(2).superseded ?? [])],
    }),
  );
  expect(drainEnd(world, wish, aBranch({ uid: 'br-0' }), now)).toEqual(later(2));
});
