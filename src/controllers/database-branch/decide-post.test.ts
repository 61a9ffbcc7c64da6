// Whether a branch is asked for: once more, at all, in whose place, and what silence and refusals mean.
import { expect, test } from 'vitest';
import { idOf, told } from '../../../test/builders/plan.ts';
import {
  aBranch,
  absent,
  anIssuedSecret,
  aRoot,
  aView,
  aWorld,
  bclass,
  hours,
  later,
  minutes,
  now,
  object,
  present,
  sourceEndpoint,
  unknown,
  wish,
  type ViewChange,
  type WorldChange,
  wishIn,
  wantedIn,
} from '../../../test/builders/world.ts';
import { LakebaseError, type LakebaseErrorCode } from '../../lakebase/errors.ts';
import { decidePost, isUnderWay, unseen } from './decide-post.ts';
import type { Because } from './line.ts';
import type { Past } from './past.ts';
import type { BranchMemoryView, Place } from './world.ts';

const refused = (code: LakebaseErrorCode, providerCode?: string) => new LakebaseError(code, 'no', { providerCode });
const snapshot = { at: 0, step: 0, branches: [] };
const free = present<Place>({ verdict: { go: true }, lookInMs: 30_000, snapshot });
const full = (because: Because, nextSlotTime?: Date) =>
  present<Place>({
    verdict: { go: false, position: 2, because },
    lookInMs: 30_000,
    snapshot,
    ...(nextSlotTime ? { nextSlotTime } : {}),
  });

/** The id may be used, and there is a slot. */
const open: WorldChange = { rememberedAsDeleted: present(false), place: free };
const remembering = (memory: Partial<BranchMemoryView>, change: WorldChange = open): WorldChange => ({
  ...change,
  wanted: { branch: absent, memory },
});

function step(change: WorldChange): string {
  const world = aWorld(change);
  return told(decidePost(world, wishIn(world), wantedIn(world), now));
}

const create = 'createBranch 4325 min';

test.each<[string, WorldChange, string]>([
  ['when its id was never used and there is a slot', open, create],
  ['an outage says neither', { rememberedAsDeleted: unknown() }, 'wait ProviderUnreachable, 10 s'],
  ['nor one while looking for a slot', { ...open, place: unknown() }, 'wait ProviderUnreachable, 10 s'],
  ['a project that is not there is named', { rememberedAsDeleted: absent }, 'stalled ProjectNotFound'],
  ['also when it goes meanwhile', { ...open, place: absent }, 'stalled ProjectNotFound'],
  [
    'an id that was used is not used again',
    { ...open, rememberedAsDeleted: present(true) },
    'markEnded DeletedExternally',
  ],
  ['a full project is waited for', { ...open, place: full('project') }, 'wait WaitingForBranchSlot, 30 s, place 2'],
  ['a full class too', { ...open, place: full('classTotal') }, 'wait ClassLimitReached, 30 s, place 2'],
  [
    'and a full namespace, with the instant at which that will end',
    { ...open, place: full('namespace', later(hours(1))) },
    'wait NamespaceLimitReached, 30 s, place 2 next 2026-11-25T11:00:00.000Z',
  ],
])('a branch is asked for: %s', (_sentence, change, expected) => expect(step(change)).toBe(expected));

test.each<[string, WorldChange, string]>([
  ['not within 10 s', remembering({ postedMsAgo: 9_999 }), 'wait BranchCreating, for the branch'],
  ['then it is', remembering({ postedMsAgo: 10_000 }), create],
  ['for two minutes', remembering({ postedMsAgo: 10_000, startingMs: minutes(2) - 1 }), create],
  ['then less often', remembering({ postedMsAgo: 59_999, startingMs: minutes(2) }), 'wait CreateUnclear, 1 ms'],
  ['each minute', remembering({ postedMsAgo: 60_000, startingMs: minutes(2) }), create],
  [
    'a refusal may mean that the project is full',
    remembering({ postedMsAgo: 1, refusal: refused('invalid') }, { place: full('project') }),
    'wait WaitingForBranchSlot, 30 s, place 2',
  ],
  [
    'an outage keeps from seeing that',
    remembering({ postedMsAgo: 1, refusal: refused('invalid') }, { ...open, place: unknown() }),
    'wait BranchCreating, 9999 ms',
  ],
  [
    'not if it came of our own credential',
    remembering({ postedMsAgo: 1, refusal: refused('unauthenticated') }, { place: full('project') }),
    'stalled Unauthenticated, 9999 ms',
  ],
  [
    'or of the source',
    remembering({ postedMsAgo: 1, refusal: refused('notFound') }, { place: full('project') }),
    'stalled SourceNotFound, 9999 ms',
  ],
  [
    'or of a branch that is being made',
    remembering({ postedMsAgo: 1, refusal: refused('exists') }, { place: full('project') }),
    'wait BranchCreating, 9999 ms',
  ],
  [
    'or of no answer',
    remembering({ postedMsAgo: 1, refusal: refused('unreachable') }, { place: full('project') }),
    'wait BranchCreating, 9999 ms',
  ],
  [
    'a shorter expiry is tried at once',
    remembering({ postedMsAgo: 1, refusal: refused('invalid'), refusedAheadMs: hours(72) }),
    'createBranch 24 h instead of 4325 min',
  ],
  [
    'not if there is none',
    remembering({ postedMsAgo: 1, refusal: refused('invalid'), refusedAheadMs: hours(24) }),
    'wait BranchCreating, 9999 ms',
  ],
  [
    'not if nothing says that it was too long',
    remembering({ postedMsAgo: 1, refusal: refused('invalid') }),
    'wait BranchCreating, 9999 ms',
  ],
  [
    'nor if another refusal came since',
    remembering({ postedMsAgo: 1, refusal: refused('conflict'), refusedAheadMs: hours(72) }),
    'wait BranchCreating, 9999 ms',
  ],
  [
    'nor while none came',
    remembering({ postedMsAgo: 1, refusedAheadMs: hours(72) }),
    'wait BranchCreating, for the branch',
  ],
])('a branch is asked for again: %s', (_sentence, change, expected) => expect(step(change)).toBe(expected));

const position: Past = { is: 'lsn', requested: '1/A0' };
const ofThePast = (source: ViewChange): WorldChange => ({ ...open, wish: { past: position }, wanted: source });

test.each<[string, WorldChange, string]>([
  ['its source is looked at', ofThePast({}), 'look source of wanted'],
  ['an outage is waited for', ofThePast({ source: unknown() }), 'wait ProviderUnreachable, 10 s'],
  ['one that is not there has none', ofThePast({ source: absent }), 'stalled SourceNotFound'],
  [
    'nor has one that was deleted softly',
    ofThePast({ source: present(aRoot({ state: 'DELETED' })) }),
    'stalled SourceNotFound',
  ],
  ['one that is there may have', ofThePast({ source: present(aRoot()) }), create],
])('a branch is asked for as it was: %s', (_sentence, change, expected) => expect(step(change)).toBe(expected));

const stalledBy = (reason: string) => ({
  ...object,
  status: {
    observedGeneration: 1,
    conditions: [{ type: 'Stalled', status: 'False', reason, message: 'm', lastTransitionTime: 't' } as const],
  },
});
const refusedPast = (startingMs: number, change: WorldChange): WorldChange => ({
  ...remembering({ postedMsAgo: 4_000, startingMs, refusal: refused('invalid') }),
  wish: { past: position },
  family: present({ branches: [], children: [] }),
  ...change,
});

test.each<[string, WorldChange, string]>([
  ['without a status', (({ status: _none, ...rest }) => ({ object: rest }))(object), 'stalled CreateRefused, 10 s'],
  ['with other words on record', { object: stalledBy('BranchCreating') }, 'stalled CreateRefused, 10 s'],
  ['with its words on record', { object: stalledBy('CreateRefused') }, 'markEnded CreateRefused'],
])('a past that is refused ends no object before that is on record: %s', (_sentence, change, expected) =>
  expect(step(refusedPast(minutes(2), change))).toBe(expected),
);

test('nor one whose branch may just be slow', () => {
  const change = refusedPast(minutes(2) - 1, { object: stalledBy('BranchCreating') });
  expect(step(change)).toBe('wait BranchCreating, 6 s');
});

test.each<[string, Partial<BranchMemoryView>, boolean]>([
  ['which nobody asked for', {}, false],
  ['within two minutes', { startingMs: minutes(2) - 1 }, true],
  ['and no longer', { startingMs: minutes(2) }, false],
  ['not if it was refused', { startingMs: 1, refusal: refused('invalid') }, false],
])('a branch may still become visible: %s', (_sentence, memory, expected) =>
  expect(isUnderWay(aView({ memory }))).toBe(expected),
);

const former = { id: idOf('former'), uid: 'br-0' };
const formerIs = (change: Partial<Parameters<typeof aBranch>[0]> = {}) => present(aBranch({ ...former, ...change }));
const source = { sourceEndpoints: present([sourceEndpoint]) };
const replacing = (served: ViewChange, change: WorldChange = {}): WorldChange => ({
  ...open,
  wish: { strategy: 'Replace' },
  wanted: source,
  served: { ...former, ...served },
  ...change,
});
const damaged = { is: 'damaged', uid: 's-7', resourceVersion: '1', branchUid: undefined } as const;
const gone = 'deleteBranch former: a fresh branch takes its place (reset.strategy: Replace)';

test.each<[string, WorldChange, string]>([
  ['first it is sure that there is a source', replacing({}, { wanted: {} }), 'look sourceEndpoints of wanted'],
  [
    'an outage gives nothing up',
    replacing({}, { wanted: { sourceEndpoints: unknown() } }),
    'wait ProviderUnreachable, 10 s',
  ],
  ['nor a source that is gone', replacing({}, { wanted: { sourceEndpoints: absent } }), 'stalled SourceNotFound'],
  ['then the Secret goes', replacing({}, { secret: { is: 'ours', secret: anIssuedSecret() } }), 'deleteSecret s-1'],
  ['a damaged one too', replacing({}, { secret: damaged }), 'deleteSecret s-7'],
  ['then its branch is looked at', replacing({}), 'look branch of former'],
  ['an outage is waited for', replacing({ branch: unknown() }), 'wait ProviderUnreachable, 10 s'],
  ['and deleted', replacing({ branch: formerIs() }), gone],
  [
    'and waited for',
    replacing({ branch: formerIs(), memory: { deletedMsAgo: 9_999 } }),
    'wait Resetting, for the delete',
  ],
  ['and deleted again', replacing({ branch: formerIs(), memory: { deletedMsAgo: 10_000 } }), gone],
  ['if that may be', replacing({ branch: formerIs({ isProtected: true }) }), 'stalled DeletionBlocked'],
  ['once it is gone its place is taken', replacing({ memory: { gone: true } }, { wanted: {} }), create],
  ['or not there', replacing({ branch: absent }), create],
  ['or deleted softly', replacing({ branch: formerIs({ state: 'DELETED' }) }), create],
  ['what somebody else made under its id stays', replacing({ branch: formerIs({ uid: 'br-9' }) }), create],
  ['a first branch replaces none', replacing({}, { served: undefined, wanted: {} }), create],
  ['nor does the served one itself', replacing({}, { served: 'wanted', wanted: {} }), create],
  ['nor does a switch', replacing({}, { wish: { strategy: 'Switch' }, wanted: {} }), create],
])('a branch makes room for another: %s', (_sentence, change, expected) => expect(step(change)).toBe(expected));

test.each<[string, Partial<BranchMemoryView>, LakebaseError | undefined, string]>([
  ['at first it may just be slow', { postedMsAgo: 1 }, undefined, 'wait BranchCreating, for the branch'],
  ['also in the very moment', {}, undefined, 'wait BranchCreating, for the branch'],
  ['for two minutes', { postedMsAgo: 1, startingMs: minutes(2) - 1 }, undefined, 'wait BranchCreating, for the branch'],
  ['then that is not clear', { postedMsAgo: 1, startingMs: minutes(2) }, undefined, 'wait CreateUnclear, 10 s'],
  [
    'nor is it after no answer',
    { postedMsAgo: 1, startingMs: minutes(2) },
    refused('unreachable'),
    'wait CreateUnclear, 10 s',
  ],
  [
    'nor if it is said to exist',
    { postedMsAgo: 1, startingMs: minutes(2) },
    refused('exists'),
    'wait CreateUnclear, 10 s',
  ],
  ['a refusal may pass', {}, refused('throttled'), 'wait BranchCreating, 10 s'],
  ['or not', { postedMsAgo: 1, startingMs: minutes(2) }, refused('throttled'), 'stalled CreateRefused, 10 s'],
  [
    'a quota is for the provider to say',
    { postedMsAgo: 59_000, startingMs: minutes(2) },
    refused('invalid', 'QUOTA_EXCEEDED'),
    'wait QuotaExceeded, 1 s',
  ],
  [
    'a credential is for a person at once',
    { postedMsAgo: 4_000 },
    refused('unauthenticated'),
    'stalled Unauthenticated, 6 s',
  ],
  ['so is a permission', { postedMsAgo: 4_000 }, refused('denied'), 'stalled PermissionDenied, 6 s'],
  ['and a source', { postedMsAgo: 12_000 }, refused('notFound'), 'stalled SourceNotFound, 0 s'],
])('a branch that was asked for is not seen: %s', (_sentence, memory, refusal, expected) =>
  expect(told(unseen(aWorld(), wish, aView({ memory }), refusal))).toBe(expected),
);

test.each<[string, Past | undefined, LakebaseErrorCode, string]>([
  ['a past that cannot be had', position, 'invalid', 'refuses to make the past that was asked for'],
  ['a create in which a past is not what is wrong', position, 'throttled', 'refuses to create the branch'],
  ['a create of the present', undefined, 'invalid', 'refuses to create the branch'],
])('a person is told of a refusal, of %s', (_sentence, past, code, words) => {
  const view = aView({ memory: { postedMsAgo: 1, startingMs: minutes(2) } });
  const { message } = unseen(aWorld(), { ...wish, past }, view, refused(code));
  expect(message).toContain(words);
});

const ready = (type: string, reason: string) => ({
  bclass: {
    ...bclass,
    status: { conditions: [{ type, status: 'False', reason, message: 'm', lastTransitionTime: 't' } as const] },
  },
});

test.each<[string, WorldChange, string, string]>([
  ['the class says which', ready('Ready', 'ProjectNotFound'), 'stalled ProjectNotFound, 10 s', 'of class default'],
  [
    'the class has another trouble',
    ready('Ready', 'Unauthenticated'),
    'stalled SourceNotFound, 10 s',
    'source branch production',
  ],
  [
    'the class says it of something else',
    ready('Other', 'ProjectNotFound'),
    'stalled SourceNotFound, 10 s',
    'project shop',
  ],
  ['the class is gone', { bclass: undefined }, 'stalled SourceNotFound, 10 s', 'project shop'],
])('is it the source that is missing or the project: %s', (_sentence, change, expected, words) => {
  const plan = unseen(aWorld(change), wish, aView({ memory: { postedMsAgo: 0 } }), new LakebaseError('notFound', 'm'));
  expect(told(plan)).toBe(expected);
  expect(plan).toHaveProperty('message', expect.stringContaining(words));
});
