import { expect, test } from 'vitest';
import {
  aBranch,
  absent,
  anIssuedSecret,
  aView,
  aWorld,
  family,
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
import type { DatabaseBranchStatus } from '../../api/v1alpha1/database-branch.ts';
import type { Branch } from '../../lakebase/model.ts';
import { LakebaseError } from '../../lakebase/errors.ts';
import { done, type Outcome } from './outcome.ts';
import type { Plan } from './plan.ts';
import { branchFields } from './report-branches.ts';

type Status = DatabaseBranchStatus;

interface Scene extends WorldChange {
  /** What the status said of the branches before; absent: nothing was said of the object yet. */
  readonly before?: Pick<Status, 'branch' | 'candidate' | 'superseded'>;
  readonly plan?: Plan;
  readonly outcome?: Outcome;
  /** The branch that the Secret opens after the step. */
  readonly opens?: Identity | undefined;
}
interface Identity {
  readonly id: string;
  readonly uid: string;
}

function shown({ before, plan = { do: 'record' }, outcome = done, opens, ...change }: Scene): Partial<Status> {
  const { status: _, ...unspoken } = object;
  const world = aWorld({ object: before ? { ...object, status: before } : unspoken, ...change });
  const secret = anIssuedSecret();
  const binding = { ...secret.binding, branchId: opens?.id ?? '', branchUid: opens?.uid ?? '' };
  const issued = opens ? { ...secret, binding } : undefined;
  return branchFields({ world, plan, outcome, secret: world.secret, now }, issued);
}

const text = (ms: number): string => later(ms).toISOString();
/** Branches of the object from other resets. */
const other = (n: string): Identity => ({ id: wish.branchId.slice(0, -6) + n.repeat(6), uid: `br-${n}` });
const [old, older] = [other('b'), other('c')];
const mine: Identity = { id: wish.branchId, uid: 'br-1' };

const { sourceBranch: _source, createTime: _created, expireTime: _end, ...bare } = aBranch();
const there = (identity: Identity, change: Partial<Branch> = {}): Branch => aBranch({ ...identity, ...change });
const seen = (identity: Identity, change: Partial<Branch> = {}) => present(there(identity, change));
/** A LIST that shows these. */
const listed = (...branches: readonly Branch[]) => ({ family: family(branches.map((branch) => relative(branch))) });
const gone = { deleteTime: later(-1) };
/** Far from its end. */
const living = { expireTime: later(minutes(600)) };

const failed: Outcome = { is: 'failed', error: new LakebaseError('unreachable', 'no answer') };
const ended = { reason: 'Expired', time: text(0) };
const unusable = { wish: undefined };

test('the served branch is shown with what the provider says of it', () => {
  const origin = { sourceTime: later(-9), sourceLsn: '0/5', createTime: later(-8) };
  const { branch, endpoint } = shown({ wanted: { branch: seen(mine, origin) }, opens: mine });
  expect(branch).toStrictEqual({
    ...mine,
    name: `projects/shop/branches/${mine.id}`,
    workspace: 'dbc.example',
    project: 'shop',
    resetToken: '',
    source: { branch: 'production', time: text(-9), lsn: '0/5' },
    createTime: text(-8),
  });
  expect(endpoint).toStrictEqual({
    uid: 'ep-1',
    host: 'ep-1.example',
    name: `projects/shop/branches/${mine.id}/endpoints/primary`,
  });
});

test('what the provider does not say is not shown', () => {
  const { branch } = shown({ wanted: { branch: present(bare) }, opens: mine });
  expect(branch?.source).toStrictEqual({});
  expect(branch).not.toHaveProperty('createTime');
});

const origin = { source: { branch: 'staging' }, createTime: text(-9) };

type Origin = Pick<NonNullable<Status['branch']>, 'source' | 'createTime'>;

test.each<[string, Scene, Origin | undefined]>([
  ['before there is a Secret, no branch is served', { wanted: { branch: seen(mine) } }, undefined],
  [
    'what was seen once stays while nothing is seen',
    { before: { branch: { ...mine, ...origin } }, opens: mine },
    origin,
  ],
  [
    'of another branch nothing stays',
    { before: { branch: { ...old, ...origin } }, wanted: { branch: seen(mine) }, opens: mine },
    { source: { branch: 'production' }, createTime: text(-minutes(4)) },
  ],
  ['also while nothing is seen', { before: { branch: { ...old, ...origin } }, opens: mine }, {}],
  [
    'what has taken its id tells nothing of it',
    { wanted: { branch: seen({ ...mine, uid: 'br-x' }) }, opens: mine },
    {},
  ],
  ['while it cannot be seen, nothing new is told', { wanted: { branch: unknown() }, opens: mine }, {}],
  ['without its class nothing is told anew', { ...unusable, wanted: { branch: seen(mine) }, opens: mine }, undefined],
  ['nor of an object that has ended', { ended, wanted: { branch: seen(mine) }, opens: mine }, undefined],
])('%s', (_sentence, scene, expected) => {
  const { branch } = shown(scene);
  expect(branch && { source: branch.source, createTime: branch.createTime }).toEqual(expected);
});

test('the reset token is that of the branch that is served, not of the one that is to be', () => {
  const wished = { resetToken: 'two' };
  expect(shown({ wish: wished, opens: mine }).branch?.resetToken).toBe('two');
  const before = { branch: { ...old, resetToken: 'one' } };
  expect(shown({ before, wish: wished, served: old, opens: old }).branch?.resetToken).toBe('one');
});

test.each<[string, Scene, Identity | undefined]>([
  ['nothing was seen yet', {}, undefined],
  ['the first branch is a candidate', { wanted: { branch: seen(mine) } }, mine],
  ['until it is served', { wanted: { branch: seen(mine) }, opens: mine, before: { candidate: mine } }, undefined],
  ['also where the status says so late', { opens: mine, before: { candidate: mine } }, undefined],
  ['a served one without a Secret is none', { served: 'wanted', wanted: { ...mine, branch: seen(mine) } }, undefined],
  ['beside a served branch the next one is', { served: old, wanted: { branch: seen(mine) }, opens: old }, mine],
  [
    'one that was served before is none again',
    { served: old, wanted: { branch: seen(mine) }, opens: old, before: { superseded: [older, mine] } },
    undefined,
  ],
  [
    'nor is it while it cannot be seen',
    { served: old, wanted: { branch: unknown() }, opens: old, before: { candidate: mine, superseded: [mine] } },
    undefined,
  ],
  ['one that is gone is none', { wanted: { branch: seen(mine, gone) } }, undefined],
  [
    'nor is what somebody made under its id',
    { before: { branch: { ...mine, uid: 'br-0' } }, wanted: { branch: seen(mine) } },
    undefined,
  ],
  ['what was seen stays while it is not looked for', { before: { candidate: mine } }, mine],
  ['and while the provider does not answer', { before: { candidate: mine }, wanted: { branch: unknown() } }, mine],
  ['not when it is not there any more', { before: { candidate: mine }, wanted: { branch: absent } }, undefined],
  ['nor when it is deleted', { before: { candidate: mine }, wanted: { branch: seen(mine, gone) } }, undefined],
  [
    'a LIST that does not show it yet takes nothing back',
    { before: { candidate: mine }, wanted: { branch: unknown() }, ...listed() },
    mine,
  ],
  ['one that is not wanted any more stays on record', { before: { candidate: old } }, old],
  ['also while it is seen', { before: { candidate: old }, ...listed(there(old)) }, old],
  ['until it is seen to be gone', { before: { candidate: old }, ...listed(there(older)) }, undefined],
  ['that nobody answers tells nothing', { before: { candidate: old }, family: unknown() }, old],
  [
    'the one that is wanted instead takes its place',
    { before: { candidate: old }, wanted: { branch: seen(mine) } },
    mine,
  ],
  ['without its class nothing is told', { ...unusable, wanted: { branch: seen(mine) } }, undefined],
])('the candidate: %s', (_sentence, scene, expected) => {
  const status = shown(scene);
  expect(status.candidate).toStrictEqual(expected);
  expect('candidate' in status).toBe(expected !== undefined);
});

const drain = (branch: Branch, at = later(7)): Plan => ({ do: 'setExpiry', branch, expiry: { at }, why: 'drain' });
/** The Secret has been switched from the old branch to the wanted one. */
const switched: Scene = { served: old, wanted: { ...mine, branch: seen(mine) }, opens: mine };
const onRecord: Scene = { before: { superseded: [{ ...old, until: text(5) }] } };
const aSecond = { ...old, uid: 'br-x' };

const ending = { ...mine, until: text(5) };
/** The wanted one, as the provider has it, drained once and is on record with its end. */
const wantedBack = (change: Partial<Branch>): Scene => ({
  before: { superseded: [ending] },
  served: old,
  wanted: { ...mine, branch: seen(mine, change) },
});
const lease = (of: Identity, at = later(minutes(99))): Plan => ({
  do: 'setExpiry',
  branch: there(of),
  expiry: { at },
  why: 'lease',
});

test.each<[string, Scene, Status['superseded']]>([
  ['before a reset there is none', { wanted: { branch: seen(mine) }, opens: mine }, undefined],
  ['the Secret opens the next one, so the old one is', switched, [old]],
  ['also by the status, where that knew another one', { before: { branch: old }, opens: mine }, [old]],
  ['a first Secret replaces nothing', { wanted: { ...mine, branch: seen(mine) }, opens: mine }, undefined],
  ['while there is no Secret, nothing was replaced', { before: { branch: old }, served: mine }, undefined],
  ['before the switch the old one is served', { ...switched, opens: old }, undefined],
  ['one that was replaced twice keeps the end that it has', { ...switched, ...onRecord }, [{ ...old, until: text(5) }]],

  ['who is on record stays', onRecord, [{ ...old, until: text(5) }]],
  ['also while nobody answers', { ...onRecord, family: unknown() }, [{ ...old, until: text(5) }]],
  ['until it is seen to be gone', { ...onRecord, ...listed(there(older)), before: { superseded: [old] } }, [older]],
  ['or deleted', { ...onRecord, ...listed(there(old, gone)) }, undefined],
  ['one that is served again is none', { ...onRecord, served: old, opens: old }, undefined],
  [
    'one that is wanted again stays until it is served',
    {
      ...onRecord,
      served: older,
      wanted: { ...mine, branch: seen(mine) },
      before: { superseded: [mine] },
      ...listed(),
    },
    [mine],
  ],
  ['with its end, while the provider has that too', wantedBack({ expireTime: later(5 + minutes(1)) }), [ending]],
  ['which is over when its lease was extended', wantedBack({ expireTime: later(6 + minutes(1)) }), [mine]],
  [
    'not while it has none',
    { ...wantedBack({}), wanted: { ...mine, branch: present({ ...bare, ...mine }) } },
    [ending],
  ],
  [
    'or is, in this very step',
    { ...wantedBack({ expireTime: later(5) }), plan: lease(mine, later(minutes(99))) },
    [mine],
  ],
  ['though not by a step of another', { ...wantedBack({ expireTime: later(5) }), plan: lease(old) }, [ending]],
  ['nor by one that failed', { ...wantedBack({ expireTime: later(5) }), plan: lease(mine), outcome: failed }, [ending]],
  ['nor where another has its id', wantedBack({ uid: 'br-x' }), [ending]],
  ['nor unseen', { before: { superseded: [ending] }, wanted: { ...mine, branch: unknown() } }, [ending]],
  ['unless it is gone', { before: { superseded: [mine] }, wanted: { branch: absent }, ...listed() }, undefined],
  [
    'the old one that only its name led to is not lost',
    { ...switched, served: { ...old, branch: seen(old) }, ...listed() },
    [old],
  ],
  ['nor the one that only the LIST shows', { ...switched, ...listed(there(old)) }, [old]],
  ['nor while it is only known from before', { ...switched, ...listed(there(older, living)) }, [older]],

  ['one that nobody recorded is found', listed(there(old, living)), [old]],
  [
    'with its end, if that is near',
    listed(there(old, { expireTime: later(minutes(6)) })),
    [{ ...old, until: text(minutes(6)) }],
  ],
  ['an end further away is not of the drain', listed(there(old, { expireTime: later(minutes(6) + 1) })), [old]],
  [
    'one without an end at the provider has none',
    { ...listed(present({ ...bare, ...old, sourceBranch: 'production' }).value) },
    [old],
  ],
  ['but keeps the one that was said', { ...onRecord, ...listed(there(old, living)) }, [{ ...old, until: text(5) }]],
  [
    'what the provider has counts for more',
    { ...onRecord, ...listed(there(old, { expireTime: later(6) })) },
    [{ ...old, until: text(6) }],
  ],
  [
    'an end that is being set is told at once',
    { ...listed(there(old, living)), plan: drain(there(old)) },
    [{ ...old, until: text(7) }],
  ],
  ['not if it could not be set', { ...listed(there(old, living)), plan: drain(there(old)), outcome: failed }, [old]],
  ['nor that of another', { ...listed(there(old, living)), plan: drain(there(older)) }, [old]],
  [
    'a protected one should have gone after the drain',
    listed(there(old, { ...living, isProtected: true })),
    [{ ...old, until: text(minutes(5)) }],
  ],
  [
    'the candidate was never served',
    { before: { candidate: old }, ...listed(there(old), there(older, living)) },
    [older],
  ],
  [
    'a candidate whose place another one takes, while nobody shows what became of it, stays on record',
    { before: { candidate: old }, wanted: { branch: seen(mine) }, family: unknown() },
    [old],
  ],
  ['one that is gone was never served', { before: { candidate: mine }, wanted: { branch: absent } }, undefined],
  [
    'not when it is seen to be gone',
    { before: { candidate: old }, wanted: { branch: seen(mine) }, ...listed() },
    undefined,
  ],
  ['nor when it is itself the one', { before: { candidate: mine }, wanted: { branch: seen(mine) } }, undefined],
  [
    'nor under an id that another branch has now',
    { before: { candidate: { ...mine, uid: 'br-0' } }, wanted: { branch: seen(mine) } },
    undefined,
  ],
  [
    'a branch of somebody else under its id is the end of it',
    { before: { superseded: [old] }, ...listed(there(aSecond)) },
    [{ until: text(0), ...old }],
  ],
  ['which is not moved', { ...onRecord, ...listed(there(aSecond)) }, [{ ...old, until: text(5) }]],
  [
    'nor told of another',
    { before: { superseded: [old, older] }, ...listed(there(aSecond), there(older, living)) },
    [{ until: text(0), ...old }, older],
  ],

  ['without its class nothing is told', { ...unusable, ...listed(there(old, living)) }, undefined],
  ['nor of an object that has ended', { ended, ...listed(there(old, living)) }, undefined],
])('superseded: %s', (_sentence, scene, expected) => {
  const status = shown(scene);
  expect(status.superseded).toStrictEqual(expected);
  expect('superseded' in status).toBe(expected !== undefined);
});

test('of more than the schema allows, the newest stay', () => {
  const many = Array.from('defghijklmnopqrs', other);
  const { superseded } = shown({ ...switched, before: { superseded: many } });
  expect(superseded).toStrictEqual([...many.slice(1), old]);
});

test('a view of the object that is not its own tells nothing', () => {
  expect(shown({ family: family([aView({ ...old, branch: unknown() })]) }).superseded).toBeUndefined();
});
