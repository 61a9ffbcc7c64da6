// When an object ends, what holds that up, and what is then taken away.
import { expect, test } from 'vitest';
import { idOf, told } from '../../../test/builders/plan.ts';
import {
  aBranch,
  absent,
  anIssuedSecret,
  aView,
  aWorld,
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
  type ViewChange,
  type WorldChange,
} from '../../../test/builders/world.ts';
import { decideEnded, endedWait, expiry, impossible, lost, usedUp } from './ended.ts';
import type { Past } from './past.ts';

const problems = [{ reason: 'SourceNotAllowed', message: 'm' }] as const;
const reset = idOf('former');
const endsAt = (ms: number) => ({ ...wish, expiration: { expireTime: later(ms) } });
const there = { uid: 'br-1', branch: present(aBranch()) };
const served: WorldChange = { wanted: there, served: 'wanted' };
/** Another branch is asked for than the one that is served. */
const inReset = (change: ViewChange): WorldChange => ({ served: { id: reset, uid: 'br-0', ...change } });

test.each<[string, WorldChange, number, string]>([
  ['to the instant', served, 0, 'markEnded Expired'],
  ['and not before', served, 1, 'nothing'],
  ['an object in the making ends too', { wanted: { uid: 'br-1', branch: unknown() } }, 0, 'markEnded Expired'],
  [
    'also one that never came to a branch, after a look whether there is one',
    { wanted: {} },
    0,
    'look branch of wanted',
  ],
  ['and then found none', { wanted: { branch: absent } }, 0, 'markEnded Expired'],
  [
    'unless a problem is what keeps it from one: that is what its owner has to know',
    { wanted: { branch: absent }, problems },
    0,
    'nothing',
  ],
  ['a problem does not keep alive what is served', { ...served, problems }, 0, 'markEnded Expired'],
  ['in a reset what is served decides', inReset({}), 0, 'look branch of former'],
  ['and not the branch that is in the making', inReset(there), 0, 'markEnded Expired'],
  [
    'of a served branch that is gone it is first made sure that it is',
    { wanted: { uid: 'br-1', branch: absent }, served: 'wanted' },
    0,
    'nothing',
  ],
  ['but in a reset it is not missed', inReset({ branch: absent }), 0, 'markEnded Expired'],
  [
    'two minutes of disagreement with other clocks are borne',
    { ...served, clockSkewMs: minutes(2) },
    0,
    'markEnded Expired',
  ],
  ['more are not', { ...served, clockSkewMs: minutes(2) + 1 }, 0, 'wait ClockSkewed, 1 min'],
  ['in either direction', { ...served, clockSkewMs: -minutes(2) - 1 }, 0, 'wait ClockSkewed, 1 min'],
  ['a clock that was not heard yet is soon', { ...served, clockSkewMs: undefined }, 0, 'wait ClockSkewed, 10 s'],
])('an object expires: %s', (_sentence, change, inMs, expected) =>
  expect(told(expiry(aWorld(change), endsAt(inMs), now))).toBe(expected),
);

test('an object without an end never expires', () => {
  expect(told(expiry(aWorld(served), { ...wish, expiration: {} }, now))).toBe('nothing');
});

const ends = 'markEnded RestoreWindowExceeded';
const leaseUntil = (ms: number) => ({
  ...object,
  status: { ...object.status, expiration: { leaseTime: later(ms).toISOString() } },
});
const goneForSure: WorldChange = {
  wanted: { uid: 'br-1', branch: absent },
  served: 'wanted',
  family: family([]),
};

test.each<[string, WorldChange, number | undefined, string]>([
  ['who deleted it is not known', { ...goneForSure, object: leaseUntil(1) }, hours(1), 'markEnded DeletedExternally'],
  ['nor without a lease on record', goneForSure, undefined, 'markEnded DeletedExternally'],
  ['at the end of its lease the provider did', { ...goneForSure, object: leaseUntil(0) }, 1, 'markEnded LeaseLapsed'],
  [
    'at its expiry, whatever the lease, it just ended',
    { ...goneForSure, object: leaseUntil(0) },
    0,
    'markEnded Expired',
  ],
  ['a branch that is there is not lost', { ...goneForSure, ...served }, hours(1), 'nothing'],
  ['one answer is not enough', { ...goneForSure, family: { seen: 'notAsked' } }, hours(1), 'look around freshFamily'],
  ['nor half of a second one', { ...goneForSure, family: unknown() }, hours(1), 'wait ProviderUnreachable, 10 s'],
  [
    'a project that cannot be seen says nothing of its branches',
    { ...goneForSure, family: absent },
    hours(1),
    'stalled ProjectNotFound, 1 min',
  ],
  [
    'a branch that the provider itself shows as deleted needs no second answer',
    { wanted: { uid: 'br-1', branch: present(aBranch({ deleteTime: now })) }, served: 'wanted' },
    hours(1),
    'markEnded DeletedExternally',
  ],
  ['in a reset nothing is lost', { ...inReset({ branch: absent }), family: family([]) }, hours(1), 'nothing'],
  ['what was never served cannot be lost', { wanted: { branch: absent }, family: family([]) }, hours(1), 'nothing'],
])('a branch that is gone: %s', (_sentence, change, endMs, expected) => {
  const asked = endMs === undefined ? { ...wish, expiration: {} } : endsAt(endMs);
  expect(told(lost(aWorld(change), asked, now))).toBe(expected);
});

test.each<[string, WorldChange, string]>([
  ['all its branches are looked for', {}, 'look around freshFamily'],
  ['an outage is waited for', { family: unknown() }, 'wait ProviderUnreachable, 10 s'],
  ['so is a project that is not there', { family: absent }, 'stalled RestoreWindowExceeded'],
  ['one of them keeps it alive', { family: family([relative(aBranch())]) }, 'stalled RestoreWindowExceeded'],
  ['one that was deleted does not', { family: family([relative(aBranch({ deleteTime: now }))]) }, ends],
  ['with none it ends', { family: family([]) }, ends],
  ['but not what is served', { ...served, family: family([]) }, 'stalled RestoreWindowExceeded'],
])('an object asks for a past that cannot be had: %s', (_sentence, change, expected) =>
  expect(told(impossible(aWorld(change), { reason: 'RestoreWindowExceeded', message: 'm' }))).toBe(expected),
);

const withToken = (token: string) => ({
  ...object,
  spec: { ...object.spec, reset: { token, strategy: 'Switch', drain: '5m' } as const },
});

test.each<[string, WorldChange, string]>([
  ['the first branch of an object was deleted by somebody', {}, 'markEnded DeletedExternally'],
  ['a reset to it is a mistake of a person', { object: withToken('again') }, 'stalled ResetTokenReused'],
  ['also back to the first one', inReset({}), 'stalled ResetTokenReused'],
])('an id that was used before: %s', (_sentence, change, expected) =>
  expect(told(usedUp(aWorld(change), aView()))).toBe(expected),
);

test('a reset.token that was used before is named', () => {
  expect(usedUp(aWorld({ object: withToken('again') }), aView())).toHaveProperty(
    'message',
    expect.stringContaining('"again"'),
  );
});

const another = relative(aBranch({ id: idOf('second'), uid: 'br-2' }));
const kept = relative(aBranch({ id: idOf('locked'), uid: 'br-3', isProtected: true }));
const askedFor = (ms: number) => relative(aBranch(), { deletedMsAgo: ms });
const backup = { uid: 's-7', resourceVersion: '1', branchUid: undefined };

test.each<[string, WorldChange, string]>([
  ['first goes the Secret', { secret: { is: 'ours', secret: anIssuedSecret() } }, 'deleteSecret s-1'],
  ['a damaged one too', { secret: { is: 'damaged', ...backup } }, 'deleteSecret s-7'],
  ['and one from a backup', { secret: { is: 'restored', ...backup } }, 'deleteSecret s-7'],
  ['a Secret of somebody else stays', { secret: { is: 'foreign', controller: undefined } }, 'look around freshFamily'],
  ['then its branches are looked for', {}, 'look around freshFamily'],
  ['without a class there is nobody to ask', { wish: undefined }, 'stalled Expired, for ever'],
  ['an outage is waited for', { family: unknown() }, 'stalled Expired, 10 s'],
  ['a project that is gone holds none', { family: absent }, 'stalled Expired, for ever'],
  ['every branch goes', { family: family([askedFor(100), another]) }, 'deleteBranch second: its object has ended'],
  [
    'one after the other',
    { family: family([relative(aBranch()), another]) },
    'deleteBranch wanted: its object has ended',
  ],
  ['what was asked for is waited for', { family: family([askedFor(9_999)]) }, 'stalled Expired, for the delete'],
  ['and asked for again', { family: family([askedFor(10_000)]) }, 'deleteBranch wanted: its object has ended'],
  [
    'what was deleted is not deleted again',
    { family: family([relative(aBranch({ state: 'DELETED' }))]) },
    'stalled Expired, for ever',
  ],
  [
    'a branch that somebody made in the place of ours is not touched',
    { wanted: { uid: 'br-0' }, served: 'wanted', family: family([relative(aBranch())]) },
    'stalled Expired, for ever',
  ],
  [
    'one that the LIST only names is not either',
    { family: family([aView({ branch: absent })]) },
    'stalled Expired, for ever',
  ],
  ['a protected branch stays', { family: family([kept]) }, 'stalled Expired'],
  ['but does not hold up the rest', { family: family([kept, another]) }, 'deleteBranch second: its object has ended'],
])('an object that has ended keeps nothing: %s', (_sentence, change, expected) =>
  expect(told(decideEnded(aWorld(change), { reason: 'Expired', time: 't' }))).toBe(expected),
);

const past: Past = { is: 'lsn', requested: '1/A0' };
const restored = (requestedLSN: string) => ({ ...object, status: { ...object.status, restored: { requestedLSN } } });
const deleted = 'deleteBranch wanted: its object has ended';

test.each<[string, string, WorldChange, string]>([
  ['it is not what was asked for', 'TimeSkewTooLarge', {}, 'record'],
  ['it is on record', 'TimeSkewTooLarge', { object: restored('1/A0') }, deleted],
  ['another one is on record', 'TimeSkewTooLarge', { object: restored('1/9F') }, 'record'],
  ['the present was asked for', 'TimeSkewTooLarge', { wish: { past: undefined } }, deleted],
  ['it ends for its age', 'Expired', {}, deleted],
  ['it is not there yet', 'TimeSkewTooLarge', { family: family([relative(aBranch({ state: 'INIT' }))]) }, deleted],
  [
    'only the branch of another token is there',
    'TimeSkewTooLarge',
    { family: family([another]) },
    'deleteBranch second: its object has ended',
  ],
])(
  'what the provider made of a past goes on record before it is deleted: %s',
  (_sentence, reason, change, expected) => {
    const world = aWorld({ wish: { past }, family: family([relative(aBranch())]), ...change });
    expect(told(decideEnded(world, { reason, time: 't' }))).toBe(expected);
  },
);

test('of the branches that stay the first is named', () => {
  const also = relative(aBranch({ id: idOf('rooted'), uid: 'br-4', isDefault: true }));
  const plan = decideEnded(aWorld({ family: family([askedFor(1), kept, also]) }), { reason: 'Expired', time: 't' });
  expect(plan).toHaveProperty('message', expect.stringContaining(`Branch ${idOf('locked')} is still there`));
});

test.each([
  ['Expired', 'stalled Expired', 'the object expired'],
  ['LeaseLapsed', 'stalled LeaseLapsed', 'nobody extended the lease'],
  ['DeletedExternally', 'stalled DeletedExternally', 'somebody deleted the branch'],
  ['OfAnotherVersion', 'stalled Expired', 'the object expired'],
  ['TimeSkewTooLarge', 'stalled TimeSkewTooLarge', 'did not make the past'],
  ['RestoreWindowExceeded', 'stalled RestoreWindowExceeded', 'lies before what can be gone back to'],
  ['RestoreTimeInFuture', 'stalled RestoreTimeInFuture', 'had not come yet at t'],
  ['CreateRefused', 'stalled CreateRefused', 'is not asked again since t'],
])('what is said of an end: %s', (reason, expected, words) => {
  const wait = endedWait({ reason, time: 't' }, object);
  expect(told(wait)).toBe(expected);
  expect(wait.message).toContain(words);
});

test.each([
  ['CreateRefused', 'CreateRefused', 'in its own words'],
  ['SourceNotFound', 'CreateRefused', 'the provider refused'],
  ['Expired', 'Expired', 'the object expired'],
])('what was said of %s, when it ends as %s', (reason, ended, words) => {
  const said = {
    type: 'Stalled',
    status: 'True',
    reason,
    message: 'in its own words',
    lastTransitionTime: '',
  } as const;
  const before = { ...object, status: { observedGeneration: 1, conditions: [said] } };
  expect(endedWait({ reason: ended, time: 't' }, before).message).toContain(words);
});

test.each([
  [0, 1000],
  [1000, 1000],
  [5000, 5000],
])('a branch that may still come is waited for: the next look is due in %i ms', (checkInMs, lookInMs) => {
  const world = aWorld({ family: family([]), memory: { untold: true, checkInMs } });
  expect(impossible(world, { reason: 'RestoreTimeInFuture', message: 'm' })).toMatchObject({
    do: 'wait',
    reason: 'BranchCreating',
    lookInMs,
  });
});

test.each([
  ['RestoreTimeInFuture', 'wait ClockSkewed, 10 s'],
  ['RestoreWindowExceeded', 'wait ClockSkewed, 10 s'],
  ['TimeSkewTooLarge', 'wait ClockSkewed, 10 s'],
  // The provider's own word needs no clock.
  ['CreateRefused', 'markEnded CreateRefused'],
] as const)('with the clock in doubt: %s', (reason, expected) => {
  const world = aWorld({ family: family([]), clockSkewMs: undefined });
  expect(told(impossible(world, { reason, message: 'm' }))).toBe(expected);
});
