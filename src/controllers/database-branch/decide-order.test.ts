// What comes before what while an object lives, and when it is looked at again if nothing has to be done.
import { expect, test } from 'vitest';
import { idOf, told } from '../../../test/builders/plan.ts';
import {
  aBranch,
  absent,
  anIssuedSecret,
  aWorld,
  family,
  hours,
  later,
  minutes,
  now,
  object,
  present,
  unknown,
  type ViewChange,
  type WorldChange,
} from '../../../test/builders/world.ts';
import type { DatabaseBranch } from '../../api/v1alpha1/database-branch.ts';
import { renewTime } from '../../credentials/plan.ts';
import { LakebaseError } from '../../lakebase/errors.ts';
import { decide } from './decide.ts';
import { nextLeaseInstant } from './lease.ts';
import type { Place } from './world.ts';

const step = (change: WorldChange): string => told(decide(aWorld(change), now));
const ours = (change: Parameters<typeof anIssuedSecret>[0] = {}): WorldChange => ({
  secret: { is: 'ours', secret: anIssuedSecret(change) },
});
const damaged: WorldChange = { secret: { is: 'damaged', uid: 's-7', resourceVersion: '1', branchUid: undefined } };
const withStatus = (change: Partial<NonNullable<DatabaseBranch['status']>>): WorldChange => ({
  object: {
    ...object,
    status: {
      ...object.status,
      expiration: { leaseTime: later(hours(72) + minutes(5)).toISOString(), enforcedBy: 'Provider' },
      ...change,
    },
  },
});
const failure = (nextInMs: number) => ({ attempts: 1, sinceMs: 1, nextInMs, error: unknown('denied').error });

/** Nothing is due for hours but what a row says. */
const quiet = { secretReadInMs: hours(9), checkInMs: hours(9) };
const settled = ({ memory, ...change }: WorldChange): WorldChange => ({
  ...withStatus({}),
  ...ours(),
  served: 'wanted',
  ...change,
  wanted: { uid: 'br-1', ...change.wanted },
  memory: { ...quiet, ...memory },
});
const renewal = renewTime(anIssuedSecret(), 'u-1').getTime() - now.getTime();
/** Its renewal is less than a minute away. */
const soonDue = anIssuedSecret({ issueTime: later(-minutes(30)), expireTime: later(minutes(36.5)) });
const soonRenewal = renewTime(soonDue, 'u-1').getTime() - now.getTime();
const good = (ms: number): string => `wait Available, ${ms} ms`;
const dueToken = ours({ issueTime: later(-minutes(40)), expireTime: later(minutes(20)) });
const oldToken = ours({ issueTime: later(-minutes(50)), expireTime: later(minutes(10)) });
const deadToken = ours({ issueTime: later(-minutes(60)), expireTime: now });

test.each<[string, WorldChange, string]>([
  ['without a usable class a person has to look there', { wish: undefined }, 'stalled ClassNotReady'],
  ['a pause stops everything', settled({ paused: 'all', ...dueToken }), 'wait PausedByAnnotation, 20 min'],
  [
    'a Secret that was not read yet is read in its turn',
    { object: (({ status: _none, ...rest }) => rest)(object), secret: { is: 'notRead' } },
    'idle 1 min',
  ],
  ['but not an end', { ...settled({ paused: 'all' }), ended: { reason: 'Expired', time: 't' } }, 'deleteSecret s-1'],
])('first of all: %s', (_sentence, change, expected) => expect(step(change)).toBe(expected));

const mismatch = withStatus({
  conditions: [{ type: 'Ready', status: 'False', reason: 'EndpointMismatch', message: 'm', lastTransitionTime: 't' }],
});

test.each<[string, WorldChange, string]>([
  ['before a token is written for it again', settled({ ...mismatch, ...dueToken }), 'look endpoint of wanted'],
  [
    'an outage is waited for',
    settled({ ...mismatch, wanted: { endpoint: unknown() } }),
    'wait ProviderUnreachable, 10 s',
  ],
  [
    'once this process has seen it, its own eyes count',
    settled({ ...mismatch, ...dueToken, wanted: { memory: { endpoint: { uid: 'ep-1', host: 'ep-1.example' } } } }),
    'issue RenewalDue replacing s-1',
  ],
  ['a damaged Secret needs a new proof anyway', settled({ ...mismatch, ...damaged }), 'look branch of wanted'],
  [
    'so does a Secret that is not there',
    { ...settled({ ...mismatch }), secret: { is: 'none' } },
    'look branch of wanted',
  ],
  [
    'without a status there is no doubt',
    settled({ object: (({ status: _none, ...rest }) => rest)(object), ...dueToken }),
    'issue RenewalDue replacing s-1',
  ],
])("an endpoint that was found to be somebody else's is looked at: %s", (_sentence, change, expected) =>
  expect(step(change)).toBe(expected),
);

const expired = { expiration: { expireTime: later(-1), pinnedFrom: 'p' } };
const there = present(aBranch());

test.each<[string, WorldChange, string]>([
  [
    'and no token is written any more',
    settled({ ...dueToken, wish: expired, wanted: { branch: there } }),
    'markEnded Expired',
  ],
  [
    'while it is in doubt, one is',
    settled({ ...dueToken, wish: expired, wanted: { branch: there }, clockSkewMs: hours(1) }),
    'issue RenewalDue replacing s-1',
  ],
  [
    'unless it is young',
    settled({ wish: expired, wanted: { branch: there }, clockSkewMs: hours(1) }),
    'wait ClockSkewed, 1 min',
  ],
  [
    'or there is none',
    { ...settled({ wish: expired, wanted: { branch: there }, clockSkewMs: hours(1) }), secret: { is: 'none' } },
    'wait ClockSkewed, 1 min',
  ],
])('an object expires: %s', (_sentence, change, expected) => expect(step(change)).toBe(expected));

const former = { id: idOf('former'), uid: 'br-0' };
/** The Secret opens the former branch, and another one is asked for. */
const reset = ({ memory, ...change }: WorldChange, served: ViewChange = {}): WorldChange => ({
  ...withStatus({}),
  ...ours({ binding: { ...anIssuedSecret().binding, branchId: former.id, branchUid: former.uid } }),
  ...change,
  served: { ...former, ...served },
  memory: { ...quiet, ...memory },
});
const gone = { memory: { gone: true } };
const none: WorldChange = { secret: { is: 'none' } };

test.each<[string, WorldChange, string]>([
  ['it is looked for until that is sure', settled({ wanted: gone }), 'look branch of wanted'],
  ['also without a Secret', { ...settled({ wanted: gone }), ...none }, 'look branch of wanted'],
  [
    'and where no other would be made',
    { ...settled({ wanted: gone, namespaceTerminating: true }), ...none },
    'look branch of wanted',
  ],
  [
    'and then its end is told',
    settled({ wanted: { ...gone, branch: absent }, family: family([]) }),
    'markEnded DeletedExternally',
  ],
  ['in a reset too, as long as a Secret names it', reset({}, gone), 'look branch of former'],
  ['or did', reset(damaged, gone), 'look branch of former'],
  ['then it is missed no more', reset(none, gone), 'look branch of wanted'],
])('a branch was not found once: %s', (_sentence, change, expected) => expect(step(change)).toBe(expected));

const deleted = present(aBranch({ ...former, deleteTime: now }));

test.each<[string, WorldChange, string]>([
  ['one that is going is waited for', { secret: { is: 'leaving' } }, 'wait SecretPending, 2 s'],
  [
    'a damaged one stays while nothing is on record of its branch',
    settled({ ...damaged, wanted: { uid: undefined, branch: there } }),
    'record',
  ],
  ['one of a branch that is gone, when that is sure', reset({}, { branch: absent }), 'look around freshFamily'],
  ['then it goes', reset({ family: family([]) }, { branch: absent }), 'deleteSecret s-1'],
  ['also a damaged one', reset({ ...damaged, family: family([]) }, { branch: absent }), 'deleteSecret s-7'],
  ['what the provider shows as deleted is sure', reset({}, { branch: deleted }), 'deleteSecret s-1'],
  [
    'a damaged one that names another branch',
    settled({ ...damaged, wanted: { branch: present(aBranch({ uid: 'br-9' })) } }),
    'deleteSecret s-7',
  ],
  ['a damaged one of which nothing is on record stays until it is replaced', damaged, 'look branch of wanted'],
])('a Secret that may not stay: %s', (_sentence, change, expected) => expect(step(change)).toBe(expected));

const full = present<Place>({
  verdict: { go: false, position: 1, because: 'project' },
  lookInMs: 30_000,
  snapshot: { at: 0, step: 0, branches: [] },
});
const waiting = { wanted: { memory: { vacant: true } }, place: full };
const starting = { wanted: { uid: 'br-1', branch: present(aBranch({ state: 'INIT' })) } };
const slow = (retryAfterMs: number): ViewChange => ({
  branch: { seen: 'unknown', error: new LakebaseError('unavailable', 'm', { retryAfterMs }) },
});
const inLine = (rest: string): string => `wait WaitingForBranchSlot, ${rest}, place 1`;
const formerStarting = present(aBranch({ ...former, state: 'INIT' }));

test.each<[string, WorldChange, string]>([
  ['the next branch is looked for beside the served one', reset({}), 'look branch of wanted'],
  ['a Secret that is gone comes first', reset(none), 'look branch of former'],
  ['but while that waits, the next branch goes on', reset(none, slow(10_000)), 'look branch of wanted'],
  [
    'both are waited for, whichever is sooner: the served one',
    reset({ ...none, ...waiting }, slow(20_000)),
    inLine('20 s'),
  ],
  ['or the next one', reset({ ...none, ...waiting }, slow(40_000)), inLine('30 s')],
  [
    'a served branch that is in transition is seen with the next one',
    reset({ ...none, ...waiting }, { branch: formerStarting }),
    inLine('30 s'),
  ],
  [
    'what the Secret needs is not forgotten meanwhile',
    reset({ ...waiting, memory: { secretReadInMs: 29_999 } }),
    inLine('29999 ms'),
  ],
  [
    'nor in a transition',
    reset({ ...starting, memory: { secretReadInMs: 59_999 } }),
    'wait BranchStarting, for the branch, 59999 ms',
  ],
  [
    'of which the pace is kept otherwise',
    reset({ ...starting, memory: { secretReadInMs: 60_000 } }),
    'wait BranchStarting, for the branch',
  ],
  [
    'a branch that was given up before gets its end first',
    settled(withStatus({ superseded: [former] })),
    'look around freshFamily',
  ],
])('a reset: %s', (_sentence, change, expected) => expect(step(change)).toBe(expected));

test.each<[string, WorldChange, string]>([
  ['the name of the login may be unknown for a while', settled({ username: undefined }), good(renewal)],
  [
    'a problem is said, and looked at again in time',
    settled({ problems: [{ reason: 'SourceNotAllowed', message: 'm' }] }),
    `stalled SourceNotAllowed, ${renewal} ms`,
  ],
  [
    'a Secret that the API server refuses',
    settled({ ...dueToken, memory: { write: { message: 'm', nextInMs: 700 } } }),
    'stalled SecretWriteRefused, 700 ms',
  ],
  [
    'a token that is not renewed is no worry yet',
    settled({ ...dueToken, wanted: { memory: { mint: failure(700) } }, turn: 'mine' }),
    'wait Available, 700 ms',
  ],
  [
    'with less than a third of its life it is',
    settled({ ...oldToken, wanted: { memory: { mint: failure(700) } } }),
    'stalled PermissionDenied, 700 ms',
  ],
  ['unless it only waits for its turn', settled({ ...oldToken, turn: 'waiting' }), 'wait Available, 1 min'],
  ['when it is dead it opens nothing', settled({ ...deadToken, turn: 'waiting' }), 'wait SecretPending, 1 min'],
])('a served branch: %s', (_sentence, change, expected) => expect(step(change)).toBe(expected));

const endsIn = (ms: number) => ({ wish: { expiration: { expireTime: later(ms), pinnedFrom: 'p' } } });
const dying = (ms: number) => ours({ issueTime: later(-minutes(60)), expireTime: later(ms) });
const problem: WorldChange = { problems: [{ reason: 'SourceNotAllowed', message: 'm' }] };

test.each<[string, WorldChange, string]>([
  ['a token dies', settled({ ...dying(1), turn: 'waiting' }), 'wait Available, 1 ms'],
  ['an object ends, whatever holds it up', { ...problem, ...endsIn(59_999) }, 'stalled SourceNotAllowed, 59999 ms'],
  ['but it is looked at once a minute anyway', { ...problem, ...endsIn(minutes(1)) }, 'stalled SourceNotAllowed'],
  ['or sooner', { ...waiting, ...endsIn(40_000) }, inLine('30 s')],
  [
    'or often, while something is in transition',
    reset({ ...starting, ...dying(30_000), turn: 'waiting' }),
    'wait BranchStarting, for the branch',
  ],
  ['or when its Secret is read', { secret: { is: 'notRead' }, ...endsIn(500) }, 'idle 1 min'],
])('it is looked at again when %s', (_sentence, change, expected) => expect(step(change)).toBe(expected));

test('whose right is lacking when a token dies is said', () => {
  const plan = decide(aWorld(settled({ ...oldToken, wanted: { memory: { mint: failure(700) } } })), now);
  expect(plan).toHaveProperty('message', expect.stringContaining('spec.login.auth'));
});

const lost = later(-hours(25));
const endless = { expiration: { pinnedFrom: 'p' } };
const sizeFailed = { wanted: { branch: there, memory: { size: failure(700) } } };
const lease = (ms: number) =>
  withStatus({ expiration: { leaseTime: later(ms).toISOString(), enforcedBy: 'Provider' } });
const nextLease = nextLeaseInstant('u-1', now).getTime() - now.getTime();

test.each<[string, WorldChange, number]>([
  ['when the token is due', {}, renewal],
  ['though that is within a minute', { secret: { is: 'ours', secret: soonDue } }, soonRenewal],
  ['when the Secret is to be read', { memory: { secretReadInMs: 1 } }, 1],
  ['when its branches are to be checked', { memory: { checkInMs: 1 } }, 1],
  ['when a leftover ends', withStatus({ superseded: [{ ...former, until: later(1000).toISOString() }] }), 6000],
  [
    'when the object ends',
    { ...lease(minutes(10) + 1), wish: { expiration: { expireTime: later(1), pinnedFrom: 'p' } } },
    1,
  ],
  ['when people are to be warned of that', { wish: { warnings: [later(-5), now, later(700), later(900)] } }, 700],
  ['when a warning is a moment away', { wish: { warnings: [later(1)] } }, 1],
  ['when a change that failed is tried again', { ...sizeFailed, specSeen: false }, 700],
  [
    'when the token is due, if none failed',
    { wanted: { branch: there, memory: { sized: true } }, specSeen: false },
    renewal,
  ],
  ['which is due at the next lease, once the spec was followed', sizeFailed, renewal],
  ['when a token that was refused is tried again', { wanted: { memory: { mint: failure(minutes(40)) } } }, minutes(40)],
  ['after its turn', { turn: 'waiting', ...dueToken, wanted: { memory: { mint: failure(700) } } }, 700],
  ['however soon', { turn: 'waiting', ...dueToken, wanted: { memory: { mint: failure(1) } } }, 1],
  ['or its turn has come', { turn: 'waiting', ...dueToken }, minutes(1)],
  [
    'when the lease is, where no token is written any more',
    {
      ...lease(hours(96)),
      wish: endless,
      ...deadToken,
      notAllowedSince: lost,
      memory: { secretReadInMs: hours(24), checkInMs: hours(24) },
    },
    nextLease,
  ],
])('a served branch is looked at again: %s', (_sentence, change, expected) => {
  const plan = decide(aWorld(settled(change)), now);
  expect(plan).toMatchObject({ do: 'wait', lookInMs: expected });
});

test('the token of that row is due within a minute', () => {
  expect(soonRenewal).toBeGreaterThan(0);
  expect(soonRenewal).toBeLessThan(minutes(1));
});

test('a pass never chases the next: what is due and cannot be done is looked at in a second', () => {
  expect(step(settled({ memory: { secretReadInMs: 0 } }))).toBe('wait Available, 1 s');
});
