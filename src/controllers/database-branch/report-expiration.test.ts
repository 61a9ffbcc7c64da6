import { expect, test } from 'vitest';
import {
  aBranch,
  anIssuedSecret,
  aWorld,
  hours,
  later,
  minutes,
  now,
  object,
  present,
  unknown,
  wish,
  type WorldChange,
} from '../../../test/builders/world.ts';
import type { DatabaseBranchStatus } from '../../api/v1alpha1/database-branch.ts';
import { LakebaseError } from '../../lakebase/errors.ts';
import { done, type Outcome } from './outcome.ts';
import type { Plan } from './plan.ts';
import { expirationFields } from './report-expiration.ts';

type Expiration = DatabaseBranchStatus['expiration'];

interface Scene extends WorldChange {
  /** What the status said of the expiration before. */
  readonly before?: NonNullable<Expiration>;
  readonly plan?: Plan;
  readonly outcome?: Outcome;
  /** Id of the branch that the Secret opens after the step. */
  readonly opened?: string;
}

function shown({ before, plan = { do: 'record' }, outcome = done, opened, ...change }: Scene): Expiration {
  const status = { ...object.status, ...(before ? { expiration: before } : {}) };
  const world = aWorld({ object: { ...object, status }, ...change });
  const secret = anIssuedSecret();
  const issued = opened === undefined ? undefined : { ...secret, binding: { ...secret.binding, branchId: opened } };
  return expirationFields({ world, plan, outcome, secret: world.secret, now }, issued).expiration;
}

const text = (ms: number): string => later(ms).toISOString();
const pinned = { pinnedFrom: wish.expiration.pinnedFrom ?? '', expireTime: text(hours(72) - minutes(5)) };
const byProvider = (ms: number) => ({ ...pinned, enforcedBy: 'Provider' as const, leaseTime: text(ms) });
const byOperator = { ...pinned, enforcedBy: 'Operator' as const };

const expiring = (ms: number) => ({ branch: present(aBranch({ expireTime: later(ms) })) });
const { expireTime: _, ...endless } = aBranch();
const old = { id: 'old', uid: 'br-0', branch: present(aBranch({ id: 'old', uid: 'br-0', expireTime: later(7) })) };
/** Asked for by a create whose branch is not seen yet. */
const posted = { memory: { postedExpireTime: later(3) } };
const failed: Outcome = { is: 'failed', error: new LakebaseError('unreachable', 'no answer') };
const clamped = { ...byProvider(5), clampedFrom: text(9) };

const create: Plan = {
  do: 'createBranch',
  wish,
  expiry: { at: later(3) },
  snapshot: { at: 0, step: 0, branches: [] },
};
const push = (branch = aBranch(), at = later(3)): Plan => ({ do: 'setExpiry', branch, expiry: { at }, why: 'lease' });

test.each<[string, Scene, Expiration]>([
  ['before anything was seen, the end alone is known', {}, pinned],
  ['a branch without an end has none', { wish: { expiration: { pinnedFrom: 'p' } } }, { pinnedFrom: 'p' }],
  ['without its class nothing is known', { wish: undefined }, undefined],
  ['an object that has ended has no end before it', { ended: { reason: 'Expired', time: text(0) } }, undefined],
  ['an end that the class refuses is none', { wish: { expiration: {} } }, undefined],

  ['what the provider has is who sees to it', { wanted: expiring(5) }, byProvider(5)],
  [
    'a branch whose expiry was taken away is for the operator',
    { wanted: { branch: present(endless) }, before: clamped },
    byOperator,
  ],
  [
    'a protected branch does not expire',
    { wanted: { branch: present(aBranch({ isProtected: true })) }, before: byProvider(5) },
    byOperator,
  ],
  ['what was seen before stays while nothing is seen', { before: clamped }, clamped],
  ['and while the provider does not answer', { before: clamped, wanted: { branch: unknown() } }, clamped],
  ['what is seen now replaces it', { before: clamped, wanted: expiring(6) }, byProvider(6)],
  ['a clamped expiry that did not move stays clamped', { before: clamped, wanted: expiring(5) }, clamped],
  ['one that was not clamped does not become so', { before: byProvider(5), wanted: expiring(5) }, byProvider(5)],

  ['a create tells the provider the expiry', { plan: create }, byProvider(3)],
  ['also if its answer is lost', { plan: create, outcome: failed }, byProvider(3)],
  ['it is remembered while the branch cannot be seen', { wanted: posted }, byProvider(3)],
  ['but is no news of one that was seen before', { wanted: posted, before: clamped }, clamped],
  ['nor of the served one', { served: { ...old, branch: unknown(), ...posted }, wanted: posted }, pinned],
  ['the create of the next branch says nothing of the served one', { plan: create, served: old }, byProvider(7)],
  ['an expiry that was set is the new one', { plan: push(), wanted: expiring(5) }, byProvider(3)],
  [
    'one that could not be set is not',
    { plan: push(), outcome: failed, wanted: expiring(5), before: byProvider(5) },
    byProvider(5),
  ],
  [
    'one that the provider cut short says so',
    { plan: { do: 'setExpiry', branch: aBranch(), expiry: { at: later(5), clampedFrom: later(9) }, why: 'lease' } },
    clamped,
  ],
  [
    'the end of a branch that was replaced is not the end of this one',
    { plan: push(aBranch({ id: 'old' })), wanted: expiring(5) },
    byProvider(5),
  ],

  ['during a reset the served branch counts', { served: old, wanted: expiring(5) }, byProvider(7)],
  [
    'after the switch the one that the Secret opens',
    { served: old, wanted: expiring(5), opened: wish.branchId },
    byProvider(5),
  ],
])('%s', (_sentence, scene, expected) => expect(shown(scene)).toStrictEqual(expected));
