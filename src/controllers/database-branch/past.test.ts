import { expect, test } from 'vitest';
import {
  aBranch,
  anIssuedSecret,
  aRoot,
  aWorld,
  bclass,
  family,
  hours,
  later,
  minutes,
  now,
  object,
  present,
  relative,
  unknown,
  wish,
  type WorldChange,
} from '../../../test/builders/world.ts';
import type { BranchClass } from '../../api/v1alpha1/branch-class.ts';
import type { DatabaseBranch } from '../../api/v1alpha1/database-branch.ts';
import { LakebaseError, type LakebaseErrorCode } from '../../lakebase/errors.ts';
import { endedMark } from '../../lakebase/ids.ts';
import { decide } from './decide.ts';
import { done } from './outcome.ts';
import {
  holdsAnotherPast,
  isTold,
  missed,
  tooOld,
  pastOf,
  restoredFields,
  sentPast,
  sentTime,
  sourceTooYoung,
  type Asker,
  type Past,
} from './past.ts';
import type { Plan } from './plan.ts';
import { report } from './report.ts';
import { absent } from './world.ts';

const requested = later(-minutes(30));
const past: Past = { is: 'time', requested, maxSkewMs: 60_000 };
const atLsn: Past = { is: 'lsn', requested: '1/A0' };
const before = (ms: number): Date => new Date(requested.getTime() - ms);

type Restore = NonNullable<BranchClass['spec']['restore']>;
const classWith = (restore: Partial<Restore> | undefined, historyRetention = '168h'): BranchClass => ({
  ...bclass,
  spec: { ...bclass.spec, ...(restore ? { restore: { allowed: true, maxAge: '24h', via: 'Any', ...restore } } : {}) },
  status: { historyRetention },
});
const allowing = classWith({});

const short = (plan: Plan): string => {
  if (plan.do === 'look' || plan.do === 'lookAround') return `look ${plan.at}`;
  if (plan.do === 'wait') return `${plan.stalled ? 'stalled' : 'wait'} ${plan.reason}`;
  return plan.do === 'markEnded' ? `ended ${plan.reason}` : plan.do;
};
const decided = (change: WorldChange): string =>
  short(decide(aWorld({ bclass: allowing, ...change, wish: { past, ...change.wish } }), now));

test.each<[string, DatabaseBranch['spec']['source'], Past | undefined]>([
  ['nothing', undefined, undefined],
  ['the present of a branch', { branch: 'production' }, undefined],
  ['an instant', { branch: 'production', time: requested.toISOString() }, past],
  [
    'an instant and how far before it will do',
    { branch: 'production', time: requested.toISOString(), maxSkew: '5s' },
    { ...past, maxSkewMs: 5000 },
  ],
  ['a position', { branch: 'production', lsn: '1/A0' }, atLsn],
])('asked for is %s', (_what, source, expected) => {
  expect(pastOf({ ...object.spec, ...(source ? { source } : {}) })).toEqual(expected);
});

test('a whole minute is sent as the instant before it, because the provider fails on those', () => {
  expect(sentTime(new Date('2026-09-21T22:56:00Z'))).toEqual(new Date('2026-09-21T22:55:59.999Z'));
  expect(sentTime(new Date('2026-09-21T22:57:00Z'))).toEqual(new Date('2026-09-21T22:56:59.999Z'));
  expect(sentTime(new Date('2026-09-21T22:56:00.001Z'))).toEqual(new Date('2026-09-21T22:56:00.001Z'));
  expect(sentTime(new Date('2026-09-21T22:56:02Z'))).toEqual(new Date('2026-09-21T22:56:02Z'));
});

test('sent is the instant or the position', () => {
  expect(sentPast({ ...past, requested: new Date('2026-09-21T22:56:00Z') })).toEqual({
    time: new Date('2026-09-21T22:55:59.999Z'),
  });
  expect(sentPast(atLsn)).toEqual({ lsn: '1/A0' });
});

test.each<[string, BranchClass, Asker, Past, string]>([
  ['a class that says nothing of restores', classWith(undefined), 'nobody', past, 'stalled RestoreNotAllowed'],
  ['a class that forbids them', classWith({ allowed: false }), 'restore', past, 'stalled RestoreNotAllowed'],
  ['a class that allows them', allowing, 'nobody', past, 'look branch'],
  [
    'one that wants a restore, and there is none',
    classWith({ via: 'PointInTimeRestoreOnly' }),
    'nobody',
    past,
    'stalled RestoreNotAllowed',
  ],
  [
    'one that wants a restore, which is gone',
    classWith({ via: 'PointInTimeRestoreOnly' }),
    'restoreGone',
    atLsn,
    'stalled RestoreGone',
  ],
  ['one that wants a restore', classWith({ via: 'PointInTimeRestoreOnly' }), 'restore', past, 'look branch'],
  [
    'whose branch may be there, whatever the instant',
    allowing,
    'nobody',
    { ...past, requested: later(-hours(24) - 1) },
    'look branch',
  ],
])('before anything is asked for: %s', (_what, theClass, asker, asked, expected) => {
  expect(decided({ bclass: theClass, asker, wish: { past: asked } })).toBe(expected);
});

const tooOldInstant = { ...past, requested: later(-hours(24) - 1) };
const noneLeft = { family: present({ branches: [], children: [] }) };
const oneLeft = { family: family([relative(aBranch({ id: `${wish.branchId.slice(0, -6)}former`, uid: 'br-0' }))]) };

test.each<[string, WorldChange & { asked: Past }, string]>([
  ['before the maximum age', { asked: tooOldInstant, ...noneLeft }, 'ended RestoreWindowExceeded'],
  ['at the maximum age', { asked: { ...past, requested: later(-hours(24)) }, ...noneLeft }, 'look source'],
  [
    'before the history that the provider keeps',
    { asked: past, bclass: classWith({}, '20m'), ...noneLeft },
    'ended RestoreWindowExceeded',
  ],
  [
    'of a position, for the provider to judge',
    { asked: atLsn, bclass: classWith({}, '20m'), ...noneLeft },
    'look source',
  ],
  ['to come', { asked: { ...past, requested: later(minutes(2)) }, ...noneLeft }, 'ended RestoreTimeInFuture'],
  ['by a clock that is behind by a moment', { asked: { ...past, requested: later(2000) }, ...noneLeft }, 'look source'],
  ['once all branches are looked at', { asked: tooOldInstant }, 'look freshFamily'],
  ['as long as they can be seen', { asked: tooOldInstant, family: unknown() }, 'wait ProviderUnreachable'],
  ['and the project with them', { asked: tooOldInstant, family: absent }, 'stalled RestoreWindowExceeded'],
  [
    'not while one is left, which would go with the end',
    { asked: tooOldInstant, ...oneLeft },
    'stalled RestoreWindowExceeded',
  ],
])('there is no branch, and ends is who asks for an instant %s', (_what, { asked, ...change }, expected) => {
  expect(decided({ ...change, wanted: { branch: absent, ...change.wanted }, wish: { past: asked } })).toBe(expected);
});

test('what is served does not end for an instant that cannot be had', () => {
  const served = { id: 'former', uid: 'br-0', branch: present(aBranch({ id: 'former', uid: 'br-0' })) };
  const change = { served, wanted: { branch: absent }, wish: { past: tooOldInstant }, secret: { is: 'none' } } as const;
  expect(decided({ ...change, ...noneLeft })).not.toMatch(/^ended/);
});

test('whoever waits for a slot does not wait for an instant that has gone', () => {
  const waiting = { wanted: { memory: { vacant: true } }, ...noneLeft };
  expect(decided({ ...waiting, wish: { past: tooOldInstant } })).toBe('look branch');
  expect(decided(waiting)).toBe('look place');
});

test('a branch that was asked for once is looked for, though the window has passed meanwhile', () => {
  const tooLate = { past: { ...past, requested: later(-hours(48)) } };
  expect(decided({ wish: tooLate, wanted: { memory: { postedMsAgo: 1000, startingMs: 1000 } } })).toBe('look branch');
  expect(decided({ wish: tooLate, wanted: { uid: 'br-1' } })).toBe('look branch');
});

const { createTime: _createTime, ...withoutCreateTime } = aRoot();

test.each<[string, WorldChange['wanted'], string]>([
  ['the source is looked at first', {}, 'look source'],
  ['a root that was there then', { source: present(aRoot()) }, 'look deletedIds'],
  ['a source that expires', { source: present(aRoot({ expireTime: later(hours(9)) })) }, 'stalled SourceExpires'],
  ['a source that was made later', { source: present(aRoot({ createTime: before(-1) })) }, 'look freshFamily'],
  ['a source of which nobody says since when it exists', { source: present(withoutCreateTime) }, 'look deletedIds'],
  ['a source that was made at that instant', { source: present(aRoot({ createTime: requested })) }, 'look deletedIds'],
  ['a source that is not there', { source: absent }, 'stalled SourceNotFound'],
])('before the create: %s', (_what, wanted, expected) => {
  expect(decided({ wanted: { branch: absent, ...wanted } })).toBe(expected);
});

test('an instant before its source was made will never be had', () => {
  const young = present(aRoot({ createTime: before(-1) }));
  expect(decided({ wanted: { branch: absent, source: young }, ...noneLeft })).toBe('ended RestoreWindowExceeded');
});

const refused = (code: LakebaseErrorCode): LakebaseError => new LakebaseError(code, 'the LSN is beyond the end');
const stalledBy = (reason: string): DatabaseBranch => ({
  ...object,
  status: {
    observedGeneration: 1,
    conditions: [{ type: 'Stalled', status: 'True', reason, message: 'm', lastTransitionTime: now.toISOString() }],
  },
});

test.each<[string, { code?: LakebaseErrorCode; asked?: Past | undefined; said?: string; startingMs?: number }, string]>(
  [
    ['its words are said first', { said: 'BranchCreating' }, 'stalled CreateRefused'],
    ['then it is over', {}, 'ended CreateRefused'],
    ['also for an instant', { asked: past }, 'ended CreateRefused'],
    ['not for the present of the source', { asked: undefined }, 'stalled CreateRefused'],
    ['not within two minutes', { startingMs: minutes(2) - 1 }, 'wait BranchCreating'],
    ['not for what may pass', { code: 'unavailable' }, 'stalled CreateRefused'],
  ],
)('a past that the provider refuses: %s', (_what, scene, expected) => {
  const { code = 'invalid', said = 'CreateRefused', startingMs = minutes(2) } = scene;
  const asked = 'asked' in scene ? scene.asked : atLsn;
  const memory = { postedMsAgo: 1000, startingMs, refusal: refused(code) };
  const place = { seen: 'absent' } as const;
  const world = { object: stalledBy(said), place, wanted: { branch: absent, memory }, ...noneLeft };
  expect(decided({ ...world, wish: { past: asked } })).toBe(expected);
});

test('a position says nothing of when the source was made', () => {
  const young = present(aRoot({ createTime: later(-1) }));
  expect(decided({ wish: { past: atLsn }, wanted: { branch: absent, source: young } })).toBe('look deletedIds');
});

type Made = Parameters<typeof aBranch>[0];

test.each<[string, Past, Made]>([
  ['exactly the instant', past, { sourceTime: requested }],
  ['as far before it as allowed', past, { sourceTime: before(60_000) }],
  ['exactly the position', atLsn, { sourceLsn: '1/000000a0' }],
  ['a position before it', atLsn, { sourceLsn: '0/FFFFFFFF' }],
])('will do: %s', (_what, asked, made) => expect(missed(asked, aBranch(made))).toBeUndefined());

test.each<[string, Past, Made, string]>([
  ['further before it than allowed', past, { sourceTime: before(60_001) }, '61 s before that; allowed are 60 s'],
  ['after it', past, { sourceTime: before(-1) }, 'later'],
  ['an instant that is not told', past, {}, 'does not say'],
  ['a position after it', atLsn, { sourceLsn: '1/A1' }, 'later'],
  ['no position', atLsn, { sourceTime: requested }, 'does not say'],
  ['a position that is none', atLsn, { sourceLsn: 'elsewhere' }, 'later'],
  ['a position with something before it', atLsn, { sourceLsn: 'x0/1' }, 'later'],
  ['a position with something behind it', atLsn, { sourceLsn: '0/1x' }, 'later'],
])('will not do: %s', (_what, asked, made, why) => expect(missed(asked, aBranch(made))).toContain(why));

const wrong = aBranch({ sourceTime: before(120_000), sourceLsn: '0/77' });

test('the verdict comes once the branch is ready, and before its endpoint is looked at', () => {
  const seen = (change: Parameters<typeof aBranch>[0]) => ({
    wanted: { uid: 'br-1', branch: present({ ...wrong, ...change }) },
  });
  expect(decided(seen({ state: 'INIT' }))).toBe('wait BranchStarting');
  expect(decided(seen({}))).toBe('ended TimeSkewTooLarge');
  expect(decided(seen({ sourceTime: requested }))).toBe('look endpoint');
});

test('a reset that missed its instant leaves what is served alone', () => {
  const served = { id: 'pr-1-db-old', uid: 'br-old', branch: present(aBranch({ id: 'pr-1-db-old', uid: 'br-old' })) };
  const binding = { ...anIssuedSecret().binding, branchId: 'pr-1-db-old', branchUid: 'br-old' };
  const secret = { is: 'ours', secret: anIssuedSecret({ binding }) } as const;
  const specSeen = { family: present({ branches: [], children: [] }), memory: { checkInMs: minutes(5) } };
  expect(decided({ ...specSeen, secret, served, wanted: { uid: 'br-1', branch: present(wrong) } })).toBe(
    'stalled TimeSkewTooLarge',
  );
});

test('what is served is not judged again', () => {
  const wanted = { uid: 'br-1', branch: present(wrong) };
  expect(decided({ served: 'wanted', wanted })).toBe('look endpoint');
});

const mark = { reason: 'TimeSkewTooLarge', time: now.toISOString() };
const endedObject: DatabaseBranch = {
  ...object,
  metadata: {
    ...object.metadata,
    annotations: { 'lakebranch.dev/ended': `${endedMark('')}/TimeSkewTooLarge/${mark.time}` },
  },
};
const made = { requestedTime: requested.toISOString(), actualTime: before(120_000).toISOString(), actualLSN: '0/77' };
const listed = present({
  branches: [aWorld({ wanted: { id: wish.branchId, uid: 'br-1', branch: present(wrong) } }).wanted!],
  children: [],
});

test('what was made instead goes on record before it is deleted', () => {
  const world = { object: endedObject, ended: mark, family: listed };
  expect(decided(world)).toBe('record');
  const recorded = { ...endedObject, status: { ...endedObject.status, restored: made } };
  expect(decided({ ...world, object: recorded })).toBe('deleteBranch');
  const earlier = {
    ...recorded,
    status: { ...object.status, restored: { ...made, requestedTime: '2026-01-01T00:00:00.000Z' } },
  };
  expect(decided({ ...world, object: earlier })).toBe('record');
  expect(decided({ ...world, family: present({ branches: [], children: [] }) })).toBe('stalled TimeSkewTooLarge');
});

test.each<[string, WorldChange, Plan]>([
  [
    'when it is given up',
    { wanted: { uid: 'br-1', branch: present(wrong) } },
    { do: 'markEnded', reason: 'TimeSkewTooLarge' },
  ],
  ['and later', { object: endedObject, ended: mark, family: listed }, { do: 'record' }],
])('the status tells what was asked for and what was made: %s', (_when, change, plan) => {
  const world = aWorld({ bclass: allowing, ...change, wish: { past } });
  const status = report({ world, plan, outcome: done, secret: { is: 'none' }, now });
  expect(status.restored).toEqual(made);
  expect(status.conditions?.find(({ type }) => type === 'Stalled')?.reason).toBe('TimeSkewTooLarge');
});

test('what the provider does not tell is not remembered', () => {
  expect(restoredFields(past, aBranch({ sourceTime: requested }))).toStrictEqual({
    requestedTime: requested.toISOString(),
    actualTime: requested.toISOString(),
  });
  expect(restoredFields(atLsn, aBranch({ sourceLsn: '1/9F' }))).toStrictEqual({
    requestedLSN: '1/A0',
    actualLSN: '1/9F',
  });
});

test('without a past nothing is kept of one', () => {
  const world = aWorld({ object: { ...object, status: { ...object.status, restored: made } } });
  const status = report({ world, plan: { do: 'record' }, outcome: done, secret: { is: 'none' }, now });
  expect(status.restored).toBeUndefined();
});

test.each<[string, Past | undefined, Made, skewMs: number, boolean]>([
  ['made of the present, as it is asked for', undefined, { sourceTime: later(-10_000), createTime: now }, 0, false],
  [
    'made of the past, and the present is asked for',
    undefined,
    { sourceTime: later(-10_001), createTime: now },
    0,
    true,
  ],
  ['our clock is ahead', undefined, { sourceTime: later(-minutes(5)), createTime: now }, -minutes(5), false],
  ['our clock is behind', undefined, { sourceTime: now, createTime: now }, minutes(5), true],
  ['the provider does not tell', undefined, { createTime: now }, 0, false],
  ['nor how old it is', undefined, { sourceTime: before(0) }, 0, false],
  ['an instant is judged by how far off it is', past, { sourceTime: before(minutes(9)), createTime: now }, 0, false],
  ['the position itself', atLsn, { sourceLsn: '1/a0' }, 0, false],
  ['an earlier position', atLsn, { sourceLsn: '1/9F' }, 0, true],
  ['a position that is not told', atLsn, {}, 0, true],
])('a branch of an earlier spec: %s', (_sentence, asked, made, skewMs, expected) => {
  const { createTime: _none, sourceTime: _neither, ...branch } = aBranch();
  expect(holdsAnotherPast(asked, { ...branch, ...made }, skewMs)).toBe(expected);
});

test('of an object that asks for no past nothing is to be told, though its mark says so', () => {
  const world = aWorld({ bclass: allowing, object: endedObject, ended: mark, family: listed });
  expect(short(decide(world, now))).toBe('deleteBranch');
});

test.each<[string, Past, Made, skewMs: number, boolean]>([
  ['as old as the class allows', atLsn, { sourceTime: later(-hours(24)), createTime: now }, 0, false],
  ['older', atLsn, { sourceTime: later(-hours(24) - 1), createTime: now }, 0, true],
  ['our clock is ahead', atLsn, { sourceTime: later(-hours(24) - 1), createTime: now }, -1, false],
  ['our clock is behind', atLsn, { sourceTime: later(-hours(24)), createTime: now }, 1, true],
  ['an instant was checked before', past, { sourceTime: later(-hours(25)), createTime: now }, 0, false],
  ['the provider does not tell of when it is', atLsn, { createTime: now }, 0, false],
  ['nor how old the branch is', atLsn, { sourceTime: later(-hours(25)) }, 0, false],
])('a position: %s', (_sentence, asked, change, skewMs, expected) => {
  const { createTime: _none, sourceTime: _neither, ...branch } = aBranch();
  expect(tooOld(asked, allowing, { ...branch, ...change }, skewMs) !== undefined).toBe(expected);
});

test('a class that says nothing of restores sets no age', () => {
  const ancient = aBranch({ sourceTime: later(-hours(9000)), createTime: now });
  expect(tooOld(atLsn, classWith(undefined), ancient, 0)).toBeUndefined();
});

test.each<[string, Past, Parameters<typeof isTold>[1], boolean]>([
  ['nothing', past, undefined, false],
  ['nothing of a position', atLsn, undefined, false],
  ['this instant', past, { requestedTime: requested.toISOString() }, true],
  ['another instant', past, { requestedTime: now.toISOString() }, false],
  ['this position', atLsn, { requestedLSN: '1/A0' }, true],
  ['another position', atLsn, { requestedLSN: '1/9F' }, false],
  ['an instant, and asked for is a position', atLsn, { requestedTime: requested.toISOString() }, false],
  ['a position, and asked for is an instant', past, { requestedLSN: '1/A0' }, false],
])('the status tells of %s', (_sentence, asked, restored, expected) => expect(isTold(asked, restored)).toBe(expected));

test('a position that is too old ends the object before any login', () => {
  const branch = present(aBranch({ sourceLsn: '1/A0', sourceTime: later(-hours(30)), createTime: now }));
  const wanted = { uid: 'br-1', branch };
  expect(decided({ wanted, wish: { past: atLsn } })).toBe('ended RestoreWindowExceeded');
  expect(decided({ wanted, wish: { past: atLsn }, served: 'wanted' })).toBe('look endpoint');
});

test.each([
  ['by more than the clocks may differ', 5001, 5000, true],
  ['by as much', 5000, 5000, false],
  ['by as much, with a clock that is behind', 5000, -5000, false],
])('a source is too young, if it is so %s', (_sentence, youngerMs, skewMs, expected) => {
  expect(sourceTooYoung(past, aRoot({ createTime: before(-youngerMs) }), skewMs) !== undefined).toBe(expected);
});

test.each<[string, WorldChange, string]>([
  ['within what the clocks differ it is for the provider', { clockSkewMs: 5000 }, 'look deletedIds'],
  ['without having heard of the clocks it is left open', { clockSkewMs: undefined }, 'wait ClockSkewed'],
])('a source that was made 5 s later: %s', (_sentence, change, expected) => {
  const source = present(aRoot({ createTime: before(-5000) }));
  expect(decided({ ...change, ...noneLeft, wanted: { branch: absent, source } })).toBe(expected);
});

test.each([
  ['later by a moment', before(-1), 'wait ClockSkewed'],
  ['before that', before(1), 'look deletedIds'],
])('the clocks were not heard, and a source that was made %s', (_sentence, createTime, expected) => {
  const source = present(aRoot({ createTime }));
  expect(decided({ clockSkewMs: undefined, ...noneLeft, wanted: { branch: absent, source } })).toBe(expected);
});
