// The way of a branch that is not served yet, and the way back for one whose Secret is gone.
import { expect, test } from 'vitest';
import { idOf, told } from '../../../test/builders/plan.ts';
import {
  aBranch,
  absent,
  aWorld,
  bclass,
  family,
  hours,
  later,
  minutes,
  now,
  object,
  present,
  unknown,
  wish,
  type ViewChange,
  type WorldChange,
  wishIn,
  wantedIn,
} from '../../../test/builders/world.ts';
import { LakebaseError } from '../../lakebase/errors.ts';
import { decideCreation, heal } from './decide-creation.ts';
import type { Past } from './past.ts';
import type { Place } from './world.ts';

const problems = [{ reason: 'SourceNotAllowed', message: 'm' }] as const;
const full = present<Place>({
  verdict: { go: false, position: 3, because: 'project' },
  lookInMs: 30_000,
  snapshot: { at: 0, step: 0, branches: [] },
});
const former: ViewChange = { id: idOf('former'), uid: 'br-0' };
const replacing: WorldChange = { served: former, wish: { strategy: 'Replace' } };
const vacant = { memory: { vacant: true } };
const starting = present(aBranch({ state: 'INIT' }));
const asked = { postedMsAgo: 1000, startingMs: 1000 };

function step(change: WorldChange): string {
  const world = aWorld(change);
  return told(decideCreation(world, wishIn(world), wantedIn(world), now));
}

test.each<[string, WorldChange, string]>([
  ['by name', {}, 'look branch of wanted'],
  ['known to be vacant, it only stands in the line', { wanted: vacant }, 'look around place'],
  ['and waits there', { wanted: vacant, place: full }, 'wait WaitingForBranchSlot, 30 s, place 3'],
  [
    'until there is a slot',
    { wanted: vacant, place: present({ ...full.value, verdict: { go: true } }) },
    'look branch of wanted',
  ],
  [
    'a first branch gives nothing up for its slot',
    { wanted: vacant, wish: { strategy: 'Replace' } },
    'look around place',
  ],
  ['a reset beside the served branch neither', { wanted: vacant, served: former }, 'look around place'],
  ['one that replaces it first has to give it up', { ...replacing, wanted: vacant }, 'look branch of wanted'],
  ['in an outage nothing is concluded', { wanted: { branch: unknown() } }, 'wait ProviderUnreachable, 10 s'],
  [
    'what was deleted under that name is not made again',
    { wanted: { branch: present(aBranch({ state: 'DELETED' })) } },
    'markEnded DeletedExternally',
  ],
  ['what is there is put on record', { wanted: { branch: starting } }, 'record'],
  ['and then prepared', { wanted: { uid: 'br-1', branch: starting } }, 'wait BranchStarting, for the branch'],
])('a branch is looked for: %s', (_sentence, change, expected) => expect(step(change)).toBe(expected));

test.each<[string, WorldChange, string]>([
  ['a problem', { problems }, 'stalled SourceNotAllowed'],
  [
    'in a reset too, though its branch is there',
    { problems, served: former, wanted: { uid: 'br-1', branch: starting } },
    'stalled SourceNotAllowed',
  ],
  [
    'but not once a first branch is accepted',
    { problems, wanted: { uid: 'br-1', branch: starting } },
    'wait BranchStarting, for the branch',
  ],
  [
    'unless that is gone, and would be made anew',
    { problems, wanted: { uid: 'br-1', branch: absent } },
    'stalled SourceNotAllowed',
  ],
  [
    'not yet while it may still become visible',
    { problems, wanted: { branch: absent, memory: asked } },
    'wait BranchCreating, for the branch',
  ],
  [
    'which a refusal rules out',
    { problems, wanted: { branch: absent, memory: { ...asked, refusal: new LakebaseError('invalid', 'no') } } },
    'stalled SourceNotAllowed',
  ],
  ['a pause, until it is taken back', { paused: 'changes' }, 'wait PausedByAnnotation'],
  [
    'but not for what is served',
    { paused: 'changes', served: 'wanted', wanted: { uid: 'br-1', branch: starting } },
    'wait BranchStarting, for the branch',
  ],
  [
    'nor does a problem',
    { problems, served: 'wanted', wanted: { uid: 'br-1', branch: starting } },
    'wait BranchStarting, for the branch',
  ],
  ['a namespace that goes', { namespaceTerminating: true }, 'wait NamespaceTerminating, 10 s'],
  ['a Secret of somebody else', { secret: { is: 'foreign', controller: undefined } }, 'stalled SecretNotOwned'],
  ['an older object with the same Secret', { secretNameTakenBy: 'older' }, 'stalled SecretNotOwned'],
])('what holds up a branch: %s', (_sentence, change, expected) => expect(step(change)).toBe(expected));

const instant: Past = { is: 'time', requested: later(-hours(48)), maxSkewMs: 60_000 };
const position: Past = { is: 'lsn', requested: '1/A0' };
const restoring = {
  ...bclass,
  spec: { ...bclass.spec, restore: { allowed: true, maxAge: '24h', via: 'Any' } },
} as const;
const inThePast = (past: Past, wanted: ViewChange, change: WorldChange = {}): WorldChange => ({
  bclass: restoring,
  family: family([]),
  wish: { past },
  wanted,
  ...change,
});

test.each<[string, WorldChange, string]>([
  ['the class allows none', inThePast(position, {}, { bclass }), 'stalled RestoreNotAllowed'],
  ['without its class nobody can say so', inThePast(position, {}, { bclass: undefined }), 'look branch of wanted'],
  ['an instant has gone', inThePast(instant, { branch: absent }), 'markEnded RestoreWindowExceeded'],
  [
    'without its class nobody can say that either',
    inThePast(instant, { branch: absent }, { bclass: undefined }),
    'look source of wanted',
  ],
  [
    'it had not gone when the branch was asked for',
    inThePast(instant, { branch: absent, memory: asked }),
    'wait BranchCreating, for the branch',
  ],
  ['nor when the branch was accepted', inThePast(instant, { uid: 'br-1', branch: absent }), 'look source of wanted'],
])('a branch of the past is asked for: %s', (_sentence, change, expected) => expect(step(change)).toBe(expected));

test.each<[string, WorldChange, string]>([
  ['whose Secret it is', { secret: { is: 'foreign', controller: 'Deployment/shop' } }, 'belongs to Deployment/shop'],
  ['or that this is not known', { secret: { is: 'foreign', controller: undefined } }, 'belongs to somebody else'],
  ['how to end a protection', { wanted: { branch: present(aBranch({ isProtected: true })) } }, 'End its protection'],
  ['or whom to look for', { wanted: { branch: present(aBranch({ isDefault: true })) } }, 'Find out who made it'],
])('a person is told: %s', (_sentence, change, words) => {
  const world = aWorld(change);
  const plan = decideCreation(world, wish, wantedIn(world), now);
  expect(plan).toHaveProperty('message', expect.stringContaining(words));
});

const old = present(aBranch({ createTime: later(-minutes(17)) }));
const ageless = { ...object, metadata: (({ creationTimestamp: _none, ...rest }) => rest)(object.metadata) };
const elsewhere = present(aBranch({ sourceBranch: 'staging' }));
const once = { object: { ...object, status: { ...object.status, superseded: [{ id: wish.branchId, uid: 'br-1' }] } } };

test.each<[string, WorldChange, string]>([
  ['one that is older than the object', { wanted: { branch: old } }, 'stalled BranchNotOurs'],
  ['unless clocks differ by so much', { wanted: { branch: old }, clockSkewMs: minutes(2) }, 'record'],
  [
    'a clock that was not heard makes no difference',
    { wanted: { branch: old }, clockSkewMs: undefined },
    'stalled BranchNotOurs',
  ],
  [
    'to the millisecond',
    { wanted: { branch: present(aBranch({ createTime: later(-minutes(15) - 1) })) }, clockSkewMs: undefined },
    'stalled BranchNotOurs',
  ],
  ['an object that does not tell its age takes any', { object: ageless, wanted: { branch: old } }, 'record'],
  ['one from another source', { wanted: { branch: elsewhere } }, 'stalled BranchNotOurs'],
  [
    'another one in the place of a candidate is as good',
    { wanted: { uid: 'br-9', branch: present(aBranch()) } },
    'record',
  ],
  [
    'but not in the place of what is served',
    { served: 'wanted', wanted: { uid: 'br-9', branch: present(aBranch()) } },
    'stalled BranchNotOurs',
  ],
  [
    'what is served may have come from where it likes',
    { served: 'wanted', wanted: { uid: 'br-1', branch: present(aBranch({ sourceBranch: 'staging', state: 'INIT' })) } },
    'wait BranchStarting, for the branch',
  ],
  [
    'so may what was served once',
    {
      ...once,
      served: former,
      wanted: { uid: 'br-1', branch: present(aBranch({ sourceBranch: 'staging', state: 'INIT' })) },
    },
    'wait BranchStarting, for the branch',
  ],
  [
    'if it was that one',
    {
      object: { ...object, status: { ...object.status, superseded: [{ id: 'x', uid: 'br-7' }] } },
      served: former,
      wanted: { uid: 'br-1', branch: elsewhere },
    },
    'stalled BranchNotOurs',
  ],
  [
    'also without a status',
    { object: (({ status: _none, ...rest }) => rest)(object), wanted: { branch: elsewhere } },
    'stalled BranchNotOurs',
  ],
])('a branch that is not ours: %s', (_sentence, change, expected) => expect(step(change)).toBe(expected));

type Made = Parameters<typeof aBranch>[0];
const named = { ...once.object, spec: { ...object.spec, source: { branch: 'production' } } };
const ofThePast = (ms: number): Made => ({ createTime: now, sourceTime: later(-ms) });
/** A reset goes back to a branch that was served once, and still drains. */
const backTo = (made: Made, change: WorldChange = {}): WorldChange => ({
  object: named,
  served: former,
  wanted: { uid: 'br-1', branch: present(aBranch({ state: 'INIT', ...made })) },
  ...change,
});
const fits = 'wait BranchStarting, for the branch';
const another = 'stalled ResetTokenReused';

test.each<[string, WorldChange, string]>([
  ['it comes from the source that is asked for', backTo({}), fits],
  ['it comes from another one', backTo({ sourceBranch: 'staging' }), another],
  ['no source is asked for', backTo({ sourceBranch: 'staging' }, once), fits],
  ['it is the served one, which stays', backTo({ sourceBranch: 'staging' }, { served: 'wanted' }), fits],
  ['it holds the position that is asked for', backTo({ sourceLsn: '1/A0' }, { wish: { past: position } }), fits],
  ['it holds another one', backTo({ sourceLsn: '1/9F' }, { wish: { past: position } }), another],
  [
    'it was never served, so its preparation is what judges its position',
    backTo({ sourceLsn: '1/9F' }, { object, wish: { past: position } }),
    fits,
  ],
  ['it holds the present of then', backTo(ofThePast(10_000)), fits],
  ['it holds the past', backTo(ofThePast(10_001)), another],
  ['by a clock that is ahead', backTo(ofThePast(10_001), { clockSkewMs: -1 }), fits],
  ['by a clock that was not heard', backTo(ofThePast(10_000), { clockSkewMs: undefined }), fits],
  ['which tells no less that it is the past', backTo(ofThePast(10_001), { clockSkewMs: undefined }), another],
])('a former token is set again while its branch is there: %s', (_sentence, change, expected) =>
  expect(step(change)).toBe(expected),
);

const formerBranch = (change: Made = {}) =>
  present(aBranch({ id: idOf('former'), uid: 'br-0', state: 'INIT', ...change }));

test.each<[string, WorldChange, string]>([
  ['it is looked at', {}, 'look branch of former'],
  ['and prepared', { served: { ...former, branch: formerBranch() } }, 'wait BranchStarting, for the branch'],
  ['an outage is waited for', { served: { ...former, branch: unknown() } }, 'wait ProviderUnreachable, 10 s'],
  ['what is gone is not looked for again', { served: { ...former, memory: { gone: true } } }, 'nothing'],
  ['what is not there is not missed', { served: { ...former, branch: absent } }, 'nothing'],
  ['nor what was deleted', { served: { ...former, branch: formerBranch({ state: 'DELETED' }) } }, 'nothing'],
  ['what makes room is not helped back', { wish: { strategy: 'Replace' } }, 'nothing'],
  ['a Secret of somebody else is in the way', { secret: { is: 'foreign', controller: undefined } }, 'nothing'],
  ['and an older object that uses it', { secretNameTakenBy: 'older' }, 'nothing'],
  ['without a served branch there is nothing to do', { served: undefined }, 'nothing'],
])('in a reset the Secret of what is served is gone: %s', (_sentence, change, expected) => {
  const world = aWorld({ served: former, ...change });
  expect(told(heal(world, wishIn(world), now))).toBe(expected);
});
