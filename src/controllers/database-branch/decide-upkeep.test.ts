// What a branch needs while it lives: its lease pushed on, its size and role as asked for; and what a pause leaves of it.
import { expect, test } from 'vitest';
import { idOf, told } from '../../../test/builders/plan.ts';
import {
  aBranch,
  absent,
  anEndpoint,
  anIssuedSecret,
  aRole,
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
  wishIn,
  servedIn,
} from '../../../test/builders/world.ts';
import type { DatabaseBranch } from '../../api/v1alpha1/database-branch.ts';
import { Reason } from '../../api/v1alpha1/reasons.ts';
import { expiryToAsk, leaseDueMs, park, upkeep } from './decide-upkeep.ts';
import { nextLeaseInstant } from './lease.ts';
import type { Wish } from './wish.ts';

type Recorded = NonNullable<NonNullable<DatabaseBranch['status']>['expiration']>;
const withLease = (expiration: Recorded) => ({ object: { ...object, status: { ...object.status, expiration } } });
const leaseOf = (ms: number) => withLease({ leaseTime: later(ms).toISOString(), enforcedBy: 'Provider' });

/** It lives as long as its lease is extended; the default would end it within one. */
const endless: Partial<Wish> = { expiration: { pinnedFrom: 'p' } };
const fresh = hours(96);
const failure = (nextInMs: number) => ({ attempts: 1, sinceMs: 1, nextInMs, error: unknown('invalid').error });
const withBranch = (change: Parameters<typeof aBranch>[0]) => present(aBranch(change));
const endlessBranch = present((({ expireTime: _none, ...branch }) => branch)(aBranch()));

/** A world in which the branch is served, its lease was just extended, and nothing is due. */
const servedWorld = ({ wanted, ...change }: WorldChange) =>
  aWorld({
    ...leaseOf(fresh),
    served: 'wanted',
    ...change,
    wanted: { uid: 'br-1', ...wanted },
    wish: { ...endless, ...change.wish },
  });
function step(change: WorldChange): string {
  const world = servedWorld(change);
  return told(upkeep(world, wishIn(world), now));
}

test.each<[string, WorldChange, string]>([
  ['when nothing is due', {}, 'nothing'],
  ['when its lease is', leaseOf(hours(80)), 'look branch of wanted'],
  [
    'unless that was refused a moment ago',
    { ...leaseOf(hours(80)), wanted: { memory: { lease: failure(1) } } },
    'nothing',
  ],
  ['then it is', { ...leaseOf(hours(80)), wanted: { memory: { lease: failure(0) } } }, 'look branch of wanted'],
  [
    'unless it was looked at within the minute',
    { ...leaseOf(hours(80)), wanted: { memory: { askedMsAgo: 59_999 } } },
    'nothing',
  ],
  ['then it is again', { ...leaseOf(hours(80)), wanted: { memory: { askedMsAgo: 60_000 } } }, 'look branch of wanted'],
  ['when a mint did not find it', { wanted: { memory: { mintSaidGone: true } } }, 'look branch of wanted'],
  [
    'when a LIST does not show it',
    { family: family([relative(aBranch({ id: idOf('former') }))]) },
    'look branch of wanted',
  ],
  [
    'unless the LIST shows it',
    { family: family([relative(aBranch({ id: idOf('former') })), relative(aBranch())]) },
    'nothing',
  ],
  ['when the spec was edited', { specSeen: false }, 'look branch of wanted'],
  ['never once it is known to be gone', { specSeen: false, wanted: { memory: { gone: true } } }, 'nothing'],
])('the branch is looked at: %s', (_sentence, change, expected) => expect(step(change)).toBe(expected));

const reset = (wanted: ViewChange, served: ViewChange = {}): WorldChange => ({
  wanted,
  served: { id: idOf('former'), uid: 'br-0', ...served },
});
const lagging = withBranch({ expireTime: later(hours(80)) });

test.each<[string, WorldChange, string]>([
  ['is pushed on when due', { wanted: { branch: lagging } }, 'setExpiry lease of wanted 96 h'],
  ['is set when there is none', { wanted: { branch: endlessBranch } }, 'setExpiry lease of wanted 96 h'],
  [
    'is left alone until then, also of a candidate that is to be retained',
    {
      ...reset({ branch: withBranch({ expireTime: later(fresh - minutes(2)) }) }),
      ...leaseOf(hours(400) + minutes(10)),
      wish: { life: 'retained', expiration: { pinnedFrom: 'p', expireTime: later(hours(400)) } },
    },
    'nothing',
  ],
  ['is left alone until then', { wanted: { branch: withBranch({ expireTime: later(fresh) }) } }, 'nothing'],
  [
    'is left alone at its final value',
    { wanted: { branch: withBranch({}) }, wish: { expiration: wish.expiration } },
    'nothing',
  ],
  [
    'is lifted when the branch is to live on',
    { wanted: { branch: lagging }, wish: { life: 'unleased' } },
    'setExpiry lease of wanted never',
  ],
  [
    'is not for a protected branch',
    { wanted: { branch: withBranch({ expireTime: later(1), isProtected: true }) } },
    'nothing',
  ],
  [
    'is not for the branch of somebody else',
    { wanted: { branch: withBranch({ expireTime: later(1), uid: 'br-9' }) } },
    'nothing',
  ],
  [
    'is not for what is gone',
    { wanted: { branch: withBranch({ expireTime: later(1), state: 'DELETED' }) } },
    'nothing',
  ],
  ['is not set in an outage', { wanted: { branch: unknown() } }, 'nothing'],
  ['waits when it was refused', { wanted: { branch: lagging, memory: { lease: failure(1) } } }, 'nothing'],
  [
    'and is tried again',
    { wanted: { branch: lagging, memory: { lease: failure(0) } } },
    'setExpiry lease of wanted 96 h',
  ],
  [
    'is shortened at once when it was refused as too far',
    {
      wanted: {
        branch: withBranch({ expireTime: later(hours(1)) }),
        memory: { lease: failure(1), refusedAheadMs: hours(96) },
      },
    },
    'setExpiry lease of wanted 24 h instead of 96 h',
  ],
  [
    'waits when there is nothing shorter',
    {
      wanted: {
        branch: withBranch({ expireTime: later(hours(1)) }),
        memory: { lease: failure(1), refusedAheadMs: hours(24) },
      },
    },
    'nothing',
  ],
  ['is pushed on for the next branch too', reset({ uid: 'br-1', branch: lagging }), 'setExpiry lease of wanted 96 h'],
  [
    'also when the served one is gone',
    reset({ uid: 'br-1', branch: lagging }, { memory: { gone: true } }),
    'setExpiry lease of wanted 96 h',
  ],
  [
    'but first for the served one',
    reset(
      { uid: 'br-1', branch: lagging },
      { branch: present(aBranch({ id: idOf('former'), uid: 'br-0', expireTime: later(hours(80)) })) },
    ),
    'setExpiry lease of former 96 h',
  ],
  [
    'is kept on a next branch that will need none',
    { ...reset({ uid: 'br-1', branch: lagging }, { memory: { gone: true } }), wish: { life: 'unleased' } },
    'setExpiry lease of wanted 96 h',
  ],
  ["of a branch that is gone is nobody's", { wanted: { branch: lagging, memory: { gone: true } } }, 'nothing'],
])('a lease: %s', (_sentence, change, expected) => expect(step(change)).toBe(expected));

test('a served branch is kept up also while it is not known what is wanted', () => {
  const served = { uid: 'br-1', branch: withBranch({ expireTime: later(fresh) }) };
  expect(told(upkeep(aWorld({ wish: undefined, served }), { ...wish, ...endless }, now))).toBe('nothing');
});

test.each<[string, WorldChange, number]>([
  ['the whole lease', {}, hours(96)],
  ['less, if the provider of the class allows less', { memory: { ceilingMs: hours(30) } }, hours(30)],
  ['less, if as much was refused', { wanted: { memory: { refusedAheadMs: hours(96) } } }, hours(24)],
  [
    'the shorter of both',
    { memory: { ceilingMs: hours(12) }, wanted: { memory: { refusedAheadMs: hours(96) } } },
    hours(12),
  ],
])('what is asked for: %s', (_sentence, change, expected) => {
  const world = servedWorld(change);
  expect(expiryToAsk(world, wishIn(world), servedIn(world), now).at).toEqual(later(expected));
});

const soon = nextLeaseInstant('u-1', now).getTime() - now.getTime();
const never = 8.64e15 - now.getTime();
const byOperator = withLease({ enforcedBy: 'Operator' });

test.each<[string, WorldChange, number]>([
  ['at its next instant', {}, soon],
  ['now, when it lags', leaseOf(hours(80)), 0],
  ['now, when there is none on record', withLease({}), 0],
  ['not before its backoff is over', { ...leaseOf(hours(80)), wanted: { memory: { lease: failure(700) } } }, 700],
  [
    'a minute after the branch was looked at',
    { ...leaseOf(hours(80)), wanted: { memory: { askedMsAgo: 20_000 } } },
    40_000,
  ],
  [
    'sooner, if it has to be lifted',
    { ...leaseOf(hours(80)), wish: { life: 'unleased' }, wanted: { memory: { askedMsAgo: 200 } } },
    800,
  ],
  [
    'every ten minutes, where the provider takes none',
    { ...byOperator, wanted: { memory: { askedMsAgo: 0 } } },
    minutes(10),
  ],
  ['never at its final value', { ...leaseOf(hours(72) + minutes(5)), wish: { expiration: wish.expiration } }, never],
  ['never where the branch is known to need none', { ...byOperator, wish: { life: 'unleased' } }, never],
  ['now where that is not known', { ...withLease({}), wish: { life: 'unleased' } }, 0],
  ['as ever where only the instant is known', withLease({ leaseTime: later(fresh).toISOString() }), soon],
  ['as ever without a served branch', { served: undefined }, soon],
])('when the lease is due: %s', (_sentence, change, expected) => {
  const world = servedWorld(change);
  expect(leaseDueMs(world, wishIn(world), now)).toBe(expected);
});

const ours = withBranch({ expireTime: later(fresh) });
const wrong = present(anEndpoint({ maxCU: 1 }));
const sized: Partial<Wish> = { size: { maxCU: 2 } };
const due = { endpointCheckDue: true };
const reasons = (...all: Reason[]) => ({ problems: all.map((reason) => ({ reason, message: 'm' })) });
const resize = 'resize wanted {"maxCU":2}';

test.each<[string, WorldChange, string]>([
  [
    'an edit of the spec has the endpoint looked at',
    { specSeen: false, wanted: { branch: ours } },
    'look endpoint of wanted',
  ],
  ['once', { specSeen: false, wanted: { branch: ours, memory: { sized: true } } }, 'nothing'],
  ['a new lease too', { wanted: { memory: due } }, 'look endpoint of wanted'],
  ['and a change that failed', { wanted: { memory: { size: failure(0) } } }, 'look endpoint of wanted'],
  ['after its backoff', { wanted: { memory: { size: failure(1) } } }, 'nothing'],
  ['otherwise it is left alone', { wanted: { branch: ours } }, 'nothing'],
  ['what is right stays', { wanted: { branch: ours, endpoint: present(anEndpoint({ maxCU: 2 })) } }, 'nothing'],
  ['what is wrong has the branch looked at first', { wanted: { endpoint: wrong } }, 'look branch of wanted'],
  ['and is changed', { wanted: { branch: ours, endpoint: wrong } }, resize],
  ['not in a pause', { paused: 'changes', wanted: { branch: ours, endpoint: wrong } }, 'nothing'],
  [
    'not while the spec has a problem',
    { ...reasons(Reason.EndpointSizeNotAllowed), wanted: { branch: ours, endpoint: wrong } },
    'nothing',
  ],
  [
    'unless it is one of the source, or of a class that goes',
    {
      ...reasons(
        Reason.SourceNotAllowed,
        Reason.SourceRefNotFound,
        Reason.SourceRefNotReady,
        Reason.SourceRefNotAllowed,
        Reason.ClassTerminating,
      ),
      wanted: { branch: ours, endpoint: wrong },
    },
    resize,
  ],
  ['not in an outage', { wanted: { branch: ours, endpoint: unknown(), memory: due } }, 'nothing'],
  [
    'not on the branch of somebody else',
    { wanted: { branch: withBranch({ uid: 'br-9' }), endpoint: wrong } },
    'nothing',
  ],
  ['not when the branch is gone', { wanted: { branch: absent, endpoint: wrong, memory: due } }, 'nothing'],
  ['not in a reset', reset({}, { endpoint: wrong }), 'nothing'],
])('a size: %s', (_sentence, change, expected) => expect(step({ ...change, wish: sized })).toBe(expected));

const check = { roleCheckDue: true, roleSeen: true };
const lacking = present(aRole({ membershipRoles: [] }));

test.each<[string, ViewChange, string]>([
  ['is looked at when that is due', { memory: check }, 'look role of wanted'],
  ['not before', { memory: { roleSeen: true } }, 'nothing'],
  ['not while it is refused', { memory: { ...check, role: failure(1), operationRuns: true } }, 'nothing'],
  ['after its backoff it is', { memory: { ...check, role: failure(0) } }, 'look role of wanted'],
  ['after a change that is under way', { memory: { ...check, operationRuns: true } }, 'look operation of wanted'],
  ['not before that is done', { memory: { ...check, operationRuns: true }, operationDone: present(false) }, 'nothing'],
  ['when dropped has the branch looked at', { memory: check, role: absent }, 'look branch of wanted'],
  ['and is made again', { memory: check, role: absent, branch: ours }, 'createRole app on wanted'],
  ['gets what it lacks', { memory: check, role: lacking, branch: ours }, 'extendRole app on wanted'],
  ['that is right stays', { memory: check, role: present(aRole()), branch: ours }, 'nothing'],
  [
    'of another kind is for a person',
    { memory: check, role: present(aRole({ identityType: 'USER' })), branch: ours },
    'nothing',
  ],
  [
    'is not looked at on the branch of somebody else',
    { memory: check, branch: withBranch({ uid: 'br-9' }) },
    'nothing',
  ],
])('a role: %s', (_sentence, wanted, expected) => expect(step({ wanted })).toBe(expected));

const token = (ms: number): WorldChange => ({
  secret: { is: 'ours', secret: anIssuedSecret({ expireTime: later(ms) }) },
});
const ends = { expiration: { pinnedFrom: 'p', expireTime: later(hours(200)) } };
const known = leaseOf(hours(200) + minutes(10));
const fullLife = 'setExpiry lease of wanted 12010 min';
const parked = 'wait PausedByAnnotation, for ever';

test.each<[string, WorldChange, string]>([
  ['what is done stays as it is', known, parked],
  ['that the token runs out is seen', { ...known, ...token(1) }, 'wait PausedByAnnotation, 1 ms'],
  ['then nothing more is to be seen', { ...known, ...token(0) }, parked],
  ['nothing is done for what is not served', { served: undefined, wanted: { branch: lagging } }, parked],
  ['nor for what is gone', { wanted: { memory: { gone: true }, branch: lagging } }, parked],
  ['a lease is looked at, because nobody will extend it', {}, 'look branch of wanted'],
  ['also without a record of it', withLease({}), 'look branch of wanted'],
  ['and made as long as the branch is to live', { wanted: { branch: lagging } }, fullLife],
  [
    'a lease that reaches so far stays',
    { wanted: { branch: withBranch({ expireTime: later(hours(200) + minutes(10)) }) } },
    parked,
  ],
  ['what never ends stays so', { ...byOperator, wish: { life: 'unleased' } }, parked],
  ['an outage is waited for', { wanted: { branch: unknown() } }, 'wait PausedByAnnotation, 10 s'],
  [
    'a refusal is tried again',
    { wanted: { branch: lagging, memory: { lease: failure(1) } } },
    'wait PausedByAnnotation, 10 s',
  ],
])('a pause of everything: %s', (_sentence, change, expected) => {
  const world = servedWorld({ ...change, wish: { ...ends, ...change.wish } });
  expect(told(park(world, wishIn(world), now))).toBe(expected);
});
