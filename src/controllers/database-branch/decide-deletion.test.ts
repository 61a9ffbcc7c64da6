// The way out of an object: what has to go before it, what may stay, and when it goes without its branch.
import { expect, test } from 'vitest';
import { idOf, told } from '../../../test/builders/plan.ts';
import {
  aBranch,
  absent,
  aView,
  aWorld,
  bclass,
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
} from '../../../test/builders/world.ts';
import type { DatabaseBranch } from '../../api/v1alpha1/database-branch.ts';
import type { Branch } from '../../lakebase/model.ts';
import { decideDeletion } from './decide-deletion.ts';
import type { BranchMemoryView } from './world.ts';

const deleting: WorldChange = { deleting: true, wanted: { uid: 'br-1' }, served: 'wanted' };
const step = (change: WorldChange) => decideDeletion(aWorld({ ...deleting, ...change }), now);

const main = (change: Partial<Branch> = {}, memory: Partial<BranchMemoryView> = {}) =>
  relative(aBranch(change), memory);
const former = (change: Partial<Branch> = {}, memory: Partial<BranchMemoryView> = {}) =>
  relative(aBranch({ id: idOf('former'), uid: 'br-0', ...change }), memory);
const child = former({ sourceBranch: wish.branchId });
const justAsked = { deletedMsAgo: 9_999 };

test.each<[string, WorldChange, string]>([
  [
    'children before their parents',
    { family: family([main(), child]) },
    'deleteBranch former: the object is being deleted',
  ],
  [
    'also while the child is going',
    { family: family([main(), former({ sourceBranch: wish.branchId }, justAsked)]) },
    'wait Deleting, for the delete',
  ],
  [
    'a DELETE under way holds up no other',
    { family: family([main({}, justAsked), former()]) },
    'deleteBranch former: the object is being deleted',
  ],
  [
    'one that was ignored is sent again',
    { family: family([main({}, { deletedMsAgo: 10_000 })]) },
    'deleteBranch wanted: the object is being deleted',
  ],
  ['one after the other', { family: family([main(), former()]) }, 'deleteBranch wanted: the object is being deleted'],
  [
    'a branch that somebody else made under our id stays',
    { family: family([main({ uid: 'br-9' })]) },
    'release: no branch is left',
  ],
  [
    'a branch with a child of somebody else waits for a person',
    { family: family([main()], ['fork']) },
    'stalled DeletionBlockedByChildren, 5 s',
  ],
  ['unless it is going already', { family: family([main({}, justAsked)], ['fork']) }, 'wait Deleting, for the delete'],
  [
    'a protected branch waits for a person',
    { family: family([main({ isProtected: true })]) },
    'stalled DeletionBlocked, 1 min',
  ],
  [
    'but holds up no other',
    { family: family([main({ isProtected: true }), former()]) },
    'deleteBranch former: the object is being deleted',
  ],
  ['an outage is no absence', { family: unknown() }, 'wait DeletionWaiting, 10 s'],
  ['a project that is gone holds nothing', { family: absent }, 'release: no branch is left'],
])('what has to go first: %s', (_sentence, change, expected) => expect(told(step(change))).toBe(expected));

test.each<[string, WorldChange, string]>([
  [
    'a minute of silence proves that none was made',
    { memory: { leadingMs: minutes(1) } },
    'release: no branch is left',
  ],
  ['less does not', { memory: { leadingMs: minutes(1) - 1 } }, 'wait Deleting, 1 ms'],
  ['nor when we asked for one since', { memory: { postedMsAgo: 20_000 } }, 'wait Deleting, 40 s'],
  ['also when a uid is on record', { wanted: { uid: 'br-1' }, memory: { postedMsAgo: 20_000 } }, 'wait Deleting, 40 s'],
  [
    'with a uid on record a 404 is proof enough',
    { wanted: { uid: 'br-1' }, memory: { leadingMs: 0 } },
    'release: no branch is left',
  ],
])('a branch may still be on its way: %s', (_sentence, change, expected) =>
  expect(told(step({ wanted: {}, family: absent, ...change }))).toBe(expected),
);

const refused = (attempts: number, nextInMs: number): Partial<BranchMemoryView> => ({
  refusedAheadMs: hours(300),
  lease: { attempts, sinceMs: 1, nextInMs, error: unknown('invalid').error },
});
const endsIn = (ms: number) => ({ expiration: { expireTime: later(ms) } });
const retained: WorldChange['wish'] = { life: 'retained', ...endsIn(hours(200)) };
const endless = (({ expireTime: _none, ...branch }) => branch)(aBranch());
const netAfterEnd = hours(200) + minutes(10);

test.each<[string, WorldChange, string]>([
  ['the provider is told its end first', { family: family([main()]) }, 'setExpiry lease of wanted 12010 min'],
  ['also when it knows of none', { family: family([relative(endless)]) }, 'setExpiry lease of wanted 12010 min'],
  [
    'when it knows it, the object goes',
    { family: family([main({ expireTime: later(netAfterEnd) })]) },
    'release: branch wanted is retained (Retained 12010 min)',
  ],
  [
    'a minute less is rounding',
    { family: family([main({ expireTime: later(netAfterEnd - minutes(1)) })]) },
    'release: branch wanted is retained (Retained 12009 min)',
  ],
  [
    'more is not',
    { family: family([main({ expireTime: later(netAfterEnd - minutes(1) - 1) })]) },
    'setExpiry lease of wanted 12010 min',
  ],
  [
    'what never ends stays for ever',
    { wish: { life: 'retained', expiration: {} }, family: family([relative(endless)]) },
    'release: branch wanted is retained (Retained for ever)',
  ],
  [
    'what the provider ends all the same is said',
    { wish: { life: 'retained', expiration: {} }, family: family([main({ expireTime: later(hours(7)) })]) },
    'release: branch wanted is retained (Retained 7 h)',
  ],
  [
    'not while a create may still be under way',
    { family: family([main({ expireTime: later(netAfterEnd) })]), memory: { postedMsAgo: 1000 } },
    'wait Deleting, 59 s',
  ],
  [
    'so does what cannot expire',
    { family: family([main({ isProtected: true })]) },
    'release: branch wanted is retained (Retained for ever)',
  ],
  ['a refusal is waited for', { family: family([main({}, refused(1, 1))]) }, 'wait RetainPending, 1 ms'],
  [
    'and the whole end is asked for again',
    { family: family([main({}, refused(2, 0))]) },
    'setExpiry lease of wanted 12010 min',
  ],
  [
    'the third one is believed, and a shorter end is asked for',
    { family: family([main({}, refused(3, 0))]) },
    'setExpiry lease of wanted 168 h instead of 12010 min',
  ],
  [
    'what another branch was refused counts for nothing',
    { family: family([main({}, { ...refused(3, 0), refusedAheadMs: undefined })]) },
    'setExpiry lease of wanted 12010 min',
  ],
  [
    'nor a refusal that no failure goes with',
    { family: family([main({}, { refusedAheadMs: hours(300) })]) },
    'setExpiry lease of wanted 12010 min',
  ],
  [
    'all else of the object goes first',
    { family: family([main(), former()]) },
    'deleteBranch former: the object is being deleted',
  ],
  [
    'a branch that never was served goes',
    { wanted: {}, served: { id: idOf('former'), uid: 'br-0' }, family: family([main(), former()]) },
    'deleteBranch wanted: the object is being deleted',
  ],
  [
    'an object that has ended keeps nothing',
    { ended: { reason: 'Expired', time: 't' }, family: family([main()]) },
    'deleteBranch wanted: the object is being deleted',
  ],
])('a branch is retained: %s', (_sentence, change, expected) =>
  expect(told(step({ wish: retained, ...change })).replace(wish.branchId, 'wanted')).toBe(expected),
);

interface Lost {
  readonly leaseMs?: number | undefined;
  readonly deletedMsAgo?: number | undefined;
  readonly enforcedBy?: 'Provider' | 'Operator';
  readonly deletionPolicy?: 'Retain';
}

/** An object whose branch ends with its lease, that is being deleted for 15 minutes. */
function leased({
  leaseMs = hours(96),
  deletedMsAgo = minutes(15),
  enforcedBy = 'Provider',
  ...spec
}: Lost = {}): DatabaseBranch {
  return {
    ...object,
    metadata: { ...object.metadata, deletionTimestamp: later(-deletedMsAgo).toISOString() },
    spec: { ...object.spec, ...spec },
    status: { ...object.status, expiration: { leaseTime: later(leaseMs).toISOString(), enforcedBy } },
  };
}
const replacing = (until?: string, id = 'x'): DatabaseBranch => {
  const { status, ...rest } = leased();
  const former = { id, uid: 'br-0', ...(until === undefined ? {} : { until }) };
  return { ...rest, status: { ...status, superseded: [former] } };
};
const outage: WorldChange = { object: leased(), family: unknown(), memory: { deletionFailures: 3 } };
const waits = 'wait DeletionWaiting, 10 s';
const left = 'release: the provider cannot be reached, and the lease removes the branch (LeftToLease';

test.each<[string, WorldChange, string]>([
  ['it is left to its lease', outage, `${left} 96 h)`],
  ['also when its class is gone', { ...outage, family: { seen: 'notAsked' }, wish: undefined }, `${left} 96 h)`],
  ['not after two failures', { ...outage, memory: { deletionFailures: 2 } }, waits],
  ['nor before 15 minutes are over', { ...outage, object: leased({ deletedMsAgo: minutes(15) - 1 }) }, waits],
  ['nor if it is to be retained', { ...outage, object: leased({ deletionPolicy: 'Retain' }) }, waits],
  ['nor if the provider does not know its end', { ...outage, object: leased({ enforcedBy: 'Operator' }) }, waits],
  ['nor if there is no lease on record', { ...outage, object: { ...leased(), status: { ...object.status } } }, waits],
  [
    'nor if nobody knows until when',
    { ...outage, object: { ...leased(), status: { ...object.status, expiration: { enforcedBy: 'Provider' } } } },
    waits,
  ],
  ['nor if a replaced branch has no end yet', { ...outage, object: replacing() }, waits],
  ['but when it has', { ...outage, object: replacing(later(1).toISOString()) }, `${left} 96 h)`],
  ['or is wanted back', { ...outage, object: replacing(undefined, wish.branchId) }, `${left} 96 h)`],
  [
    'not while the class does not say what is wanted',
    { ...outage, wish: undefined, object: replacing(undefined, wish.branchId) },
    waits,
  ],
  [
    'an end up to 20 minutes before the deletion may have come',
    { ...outage, object: replacing(later(-minutes(35)).toISOString()) },
    `${left} 96 h)`,
  ],
  [
    'one that stayed on record longer cannot go by itself',
    { ...outage, object: replacing(later(-minutes(35) - 1).toISOString()) },
    waits,
  ],
  ['nor without any status', { ...outage, object: (({ status: _none, ...rest }) => rest)(leased()) }, waits],
  ['nor while it is not being deleted', { ...outage, object: { ...leased(), metadata: object.metadata } }, waits],
  [
    'a minute more than a lease is rounding',
    { ...outage, object: leased({ leaseMs: hours(96) + minutes(1) }) },
    `${left} 5761 min)`,
  ],
  ['what ends later is not left', { ...outage, object: leased({ leaseMs: hours(96) + minutes(1) + 1 }) }, waits],
  [
    'the lease is that of the class',
    {
      ...outage,
      bclass: { ...bclass, spec: { ...bclass.spec, expiration: { ...bclass.spec.expiration, lease: '24h' } } },
    },
    waits,
  ],
  ['of a class that is gone it is 96 h', { ...outage, bclass: undefined }, `${left} 96 h)`],
  ['and no more', { ...outage, bclass: undefined, object: leased({ leaseMs: hours(96) + minutes(1) + 1 }) }, waits],
])('the provider cannot be reached: %s', (_sentence, change, expected) => expect(told(step(change))).toBe(expected));

const classGone = [{ reason: 'ClassNotFound', message: 'class x does not exist' }] as const;
const forgotten: WorldChange = { deleting: true, wish: undefined, problems: classGone };
const withStatus = (status: Partial<NonNullable<DatabaseBranch['status']>>) => ({
  object: { ...object, status: { ...object.status, ...status } },
});
const lets = 'release: no branch was ever made, and its class does not exist';

test.each<[string, WorldChange, string]>([
  ['an object without a branch goes', {}, lets],
  ['also without a status', { object: (({ status: _none, ...rest }) => rest)(object) }, lets],
  ['one with a branch stays', { served: { uid: 'br-1' } }, waits],
  ['one with a candidate stays', withStatus({ candidate: { id: 'x', uid: 'br-0' } }), waits],
  ['one with a branch that drains stays', withStatus({ superseded: [{ id: 'x', uid: 'br-0' }] }), waits],
  ['one that may have been asked for by our predecessor waits', { memory: { leadingMs: minutes(1) - 1 } }, waits],
  ['but for a minute only', { memory: { leadingMs: minutes(1) } }, lets],
  ['one that was asked for by us stays', { memory: { postedMsAgo: hours(1) } }, waits],
  ['a class that is there may become usable again', { problems: [{ reason: 'ClassNotReady', message: 'm' }] }, waits],
  ['or nothing is said of it', { problems: [] }, waits],
])('the class cannot be used: %s', (_sentence, change, expected) =>
  expect(told(decideDeletion(aWorld({ ...forgotten, ...change }), now))).toBe(expected),
);

const forks = (count: number) => Array.from({ length: count }, (_, index) => `fork-${index + 1}`);
const letGo = 'kubectl annotate dbb db -n pr-1 lakebranch.dev/release=u-1';

test.each<[string, WorldChange, string]>([
  [
    'a parent and its children are named',
    { family: family([main()], forks(2)) },
    `branch ${wish.branchId} is the parent of fork-1, fork-2:`,
  ],
  ['five of them', { family: family([main()], forks(5)) }, 'fork-1, fork-2, fork-3, fork-4, fork-5:'],
  ['of more how many there are', { family: family([main()], forks(7)) }, 'fork-4, fork-5 and 2 more:'],
  [
    'a branch that goes',
    { family: family([main({}, justAsked), former({}, justAsked)]) },
    `branch ${wish.branchId} is`,
  ],
  [
    'the first that cannot go',
    { family: family([main({ isDefault: true }), former({ isProtected: true })]) },
    'it is the default branch',
  ],
  ['or is protected', { family: family([main({ isProtected: true })]) }, 'it is protected'],
  [
    'or has no parent',
    { family: family([relative((({ sourceBranch: _none, ...root }) => root)(aBranch()))]) },
    'it is a root branch',
  ],
  ['the problem of the class', { ...forgotten, served: { uid: 'br-1' } }, 'class x does not exist'],
  ['or that there is one', { ...forgotten, served: { uid: 'br-1' }, problems: [] }, 'its class cannot be used'],
  ['the way out', { family: unknown() }, letGo],
])('what is said: %s', (_sentence, change, words) =>
  expect(step(change)).toHaveProperty('message', expect.stringContaining(words)),
);

test('a branch on record that is gone already holds up nothing', () => {
  expect(told(step({ family: family([aView({ branch: absent }), main()]) }))).toBe(
    'deleteBranch wanted: the object is being deleted',
  );
});
