import { expect, test } from 'vitest';
import {
  aBranch,
  absent,
  anEndpoint,
  anIssuedSecret,
  aRole,
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
  type WorldChange,
} from '../../../test/builders/world.ts';
import type { DatabaseBranch, DatabaseBranchStatus } from '../../api/v1alpha1/database-branch.ts';
import { Reason } from '../../api/v1alpha1/reasons.ts';
import { LakebaseError } from '../../lakebase/errors.ts';
import { done, type Outcome } from './outcome.ts';
import type { Past } from './past.ts';
import { available, stall, waitFor, type Plan } from './plan.ts';
import { report } from './report.ts';
import type { World } from './world.ts';

type Status = DatabaseBranchStatus;

interface Scene extends WorldChange {
  /** The status as it was; absent: nothing was said of the object yet. */
  readonly before?: Status;
  readonly metadata?: Partial<DatabaseBranch['metadata']>;
  readonly plan?: Plan;
  readonly outcome?: Outcome;
  /** The Secret as it stands after the step; absent: as before. */
  readonly after?: World['secret'];
}

function say({ before, metadata, plan, outcome, after, ...change }: Scene): Status {
  const { status: _, ...unspoken } = { ...object, metadata: { ...object.metadata, ...metadata } };
  const world = aWorld({ object: before ? { ...unspoken, status: before } : unspoken, ...change });
  return report({ world, plan: plan ?? available(), outcome: outcome ?? done, secret: after ?? world.secret, now });
}

/** `Ready=True Available`, then what else sums up. */
const summary = (scene: Scene): string =>
  (say(scene).conditions ?? [])
    .filter(({ type }) => ['Ready', 'Reconciling', 'Stalled'].includes(type))
    .map(({ type, status, reason }) => `${type}=${status} ${reason}`)
    .join(', ');
const message = (scene: Scene): string => say(scene).conditions?.find(({ type }) => type === 'Ready')?.message ?? '';

const ours = (change: Parameters<typeof anIssuedSecret>[0] = {}): World['secret'] => ({
  is: 'ours',
  secret: anIssuedSecret(change),
});
const served: Scene = { secret: ours(), served: 'wanted', wanted: { uid: 'br-1' } };
const failed = (code: 'denied' | 'unreachable' | 'invalid' = 'unreachable'): Outcome => ({
  is: 'failed',
  error: new LakebaseError(code, 'so it said'),
});
const refused: Outcome = { is: 'refused', state: stall({ reason: Reason.SecretWriteRefused, message: 'a webhook' }) };
const ended: Scene = { ended: { reason: 'LeaseLapsed', time: later(-1).toISOString() } };
const deleting: Scene = { deleting: true };

const branch = aBranch();
const { binding } = anIssuedSecret();
const issue: Plan = { do: 'issue', why: 'First', binding, replaces: undefined };
const deleteSecret: Plan = { do: 'deleteSecret', secret: anIssuedSecret(), why: 'a fresh one takes its place' };
const deleteBranch: Plan = { do: 'deleteBranch', branch, why: 'nobody asks for it' };
const create: Plan = { do: 'createBranch', wish, expiry: {}, snapshot: { at: 0, step: 0, branches: [] } };
const login: Plan = { do: 'login', of: aView(), endpoint: anEndpoint(), username: 'app' };
const loggedInFor = (sinceMs: number): Plan => ({
  ...login,
  of: aView({ memory: { login: { attempts: 9, sinceMs, nextInMs: 0, message: 'no', kind: 'refused' } } }),
});
const credentials = { secretName: 'db', username: 'app', issueTime: '', expireTime: '', revision: 1 };

test.each<[string, Scene, reason: string, words: string]>([
  ['it waits for what it waits for', { plan: waitFor(Reason.BranchCreating, 'soon') }, 'BranchCreating', 'soon'],
  ['it is claimed', { plan: { do: 'claim' } }, 'Claiming', 'never be left behind'],
  ['a branch is asked for', { plan: create }, 'BranchCreating', 'not visible yet'],
  [
    'it could not be asked for',
    { plan: create, outcome: failed('denied') },
    'PermissionDenied',
    'so it said. The service principal of spec.provider.auth',
  ],
  [
    'nobody knows whether it was',
    { plan: create, outcome: failed(), wanted: { memory: { startingMs: minutes(2) } } },
    'CreateUnclear',
    'for two minutes',
  ],
  ['what was seen is put on record', { plan: { do: 'record' } }, 'EndpointStarting', 'being prepared'],
  [
    'when that is ready',
    { plan: { do: 'record' }, wanted: { branch: present(branch) } },
    'EndpointStarting',
    'being prepared',
  ],
  [
    'or while it starts',
    { plan: { do: 'record' }, wanted: { branch: present(aBranch({ state: 'INIT', createTime: now })) } },
    'BranchStarting',
    'is starting',
  ],
  [
    'the endpoint gets its size',
    { plan: { do: 'resize', of: aView(), endpoint: anEndpoint(), size: {} } },
    'EndpointStarting',
    'being prepared',
  ],
  ['a role is made', { plan: { do: 'createRole', of: aView(), postgresRole: 'app' } }, 'RolePending', 'being made'],
  ['or made more of', { plan: { do: 'extendRole', of: aView(), role: aRole() } }, 'RolePending', 'being made'],
  ['the login is tried', { plan: login }, 'LoginPending', 'logging in once'],
  ['for long', { plan: loggedInFor(minutes(2)) }, 'LoginFailed', 'the login app is refused'],
  ['the Secret is about to be there', { plan: issue }, 'SecretPending', 'a new token is being written'],
  [
    'also when its dress is changed',
    { plan: { do: 'render', secret: anIssuedSecret() } },
    'SecretPending',
    'new token',
  ],
  [
    'also while the lease is extended',
    { plan: { do: 'setExpiry', branch, expiry: {}, why: 'lease' } },
    'SecretPending',
    'new token',
  ],
  ['the API server does not take it', { plan: issue, outcome: refused }, 'SecretWriteRefused', 'a webhook'],
  [
    'the provider gives no token',
    { plan: issue, outcome: failed('denied') },
    'PermissionDenied',
    'The service principal of spec.login.auth needs CAN_USE',
  ],
  [
    'nor one to try',
    { plan: login, outcome: failed('denied') },
    'PermissionDenied',
    'The service principal of spec.login.auth needs CAN_USE',
  ],
  [
    'a role cannot be made',
    { plan: { do: 'createRole', of: aView(), postgresRole: 'app' }, outcome: failed('denied') },
    'PermissionDenied',
    'The service principal of spec.provider.auth needs CAN_MANAGE',
  ],
  [
    'its end has come',
    { plan: { do: 'markEnded', reason: 'Expired' } },
    'Expired',
    `deleted since ${now.toISOString()}`,
  ],
  ['the Secret is withdrawn', { plan: deleteSecret }, 'SecretPending', 'withdrawn: a fresh one takes its place'],
  ['at the end for good', { plan: deleteSecret, ...ended }, 'LeaseLapsed', later(-1).toISOString()],
  ['the branch gives way to the next', { plan: deleteBranch }, 'Resetting', 'being deleted: nobody asks for it'],
  ['or goes for good', { plan: deleteBranch, ...ended }, 'LeaseLapsed', later(-1).toISOString()],
  ['or goes with its object', { plan: deleteBranch, ...deleting }, 'Deleting', 'as soon as it is gone'],
  [
    'or is a leftover beside a Secret that is renewed',
    { plan: deleteBranch, before: { credentials } },
    'SecretPending',
    'new token',
  ],
  [
    'it cannot be deleted',
    { plan: deleteBranch, outcome: failed(), ...deleting },
    'DeletionWaiting',
    'cannot be deleted yet: no answer from the provider: so it said.',
  ],
  ['the finalizer goes', { plan: { do: 'release', why: 'no branch is left' } }, 'Deleting', 'the branch is gone'],
  ['it is looked at', { plan: { do: 'look', at: 'branch', of: aView() } }, 'Pending', 'looking'],
  ['and around', { plan: { do: 'lookAround', at: 'family' } }, 'Pending', 'looking'],
  ['or nothing is due', { plan: { do: 'idle', lookInMs: 1 } }, 'Pending', 'looking'],
])('without a Secret: %s', (_sentence, scene, reason, words) => {
  expect(summary(scene)).toMatch(new RegExp(`^Ready=False ${reason}, (Reconciling|Stalled)=True ${reason}$`));
  expect(message(scene)).toContain(words);
});

/** The object wants another branch than the one that is served. */
const old = { id: `${wish.branchId.slice(0, -6)}bbbbbb`, uid: 'br-0' };
const oldSecret = ours({ binding: { ...binding, branchId: old.id, branchUid: old.uid } });
const reset: Scene = { secret: oldSecret, served: old, wanted: { uid: 'br-1' } };
const fresh: Plan = { ...issue, why: 'Reset' };
const underWay = 'Ready=True Available, Reconciling=True Resetting';
const refusedSource = stall({ reason: Reason.SourceNotAllowed, message: 'no' });

test.each<[string, Scene, string]>([
  ['a Secret that opens the branch is Ready', served, 'Ready=True Available'],
  ['from the moment in which it is written', { plan: issue, after: ours() }, 'Ready=True Available'],
  ['and says so while the provider is out', { ...served, plan: issue, outcome: failed() }, 'Ready=True Available'],
  [
    'a token that is dead does not',
    { ...served, secret: ours({ expireTime: now }) },
    'Ready=False SecretPending, Reconciling=True SecretPending',
  ],
  ['up to the last moment it does', { ...served, secret: ours({ expireTime: later(1) }) }, 'Ready=True Available'],
  [
    'an object that goes is not Ready',
    { ...served, ...deleting, plan: waitFor(Reason.Deleting, 'm') },
    'Ready=False Deleting, Reconciling=True Deleting',
  ],
  [
    'nor is one that has ended',
    { ...served, ...ended, plan: deleteSecret },
    'Ready=False LeaseLapsed, Stalled=True LeaseLapsed',
  ],
  [
    'nor one whose endpoint is another now',
    { ...served, wanted: { uid: 'br-1', memory: { endpoint: { uid: 'ep-2', host: 'ep-2.example' } } } },
    'Ready=False SecretPending, Reconciling=True SecretPending',
  ],
  [
    'one whose endpoint is as it was, is',
    { ...served, wanted: { uid: 'br-1', memory: { endpoint: { uid: 'ep-1', host: 'ep-1.example' } } } },
    'Ready=True Available',
  ],
  [
    'a Secret that was damaged is not Ready',
    { ...served, secret: { is: 'damaged', uid: 's', resourceVersion: '1', branchUid: 'br-1' } },
    'Ready=False SecretPending, Reconciling=True SecretPending',
  ],
  [
    'nor one that opens another branch',
    { ...served, after: oldSecret },
    'Ready=False SecretPending, Reconciling=True SecretPending',
  ],

  ['a reset leaves the old Secret as it is', { ...reset, plan: create }, underWay],
  ['also when the switch fails', { ...reset, plan: fresh, outcome: failed() }, underWay],
  ['or is refused', { ...reset, plan: fresh, outcome: refused }, underWay],
  ['with the switch it is done', { ...reset, plan: fresh, after: ours() }, 'Ready=True Available'],
  [
    'a renewal meanwhile is no switch',
    { ...reset, plan: { ...issue, why: 'RenewalDue', binding: { ...binding, branchId: old.id, branchUid: old.uid } } },
    underWay,
  ],
  [
    'a reset to a source that is not allowed is not Ready',
    { ...reset, plan: refusedSource },
    'Ready=False SourceNotAllowed, Stalled=True SourceNotAllowed',
  ],
  ['a source that is not allowed any more does not matter', { ...served, plan: refusedSource }, 'Ready=True Available'],
])('%s', (_sentence, scene, expected) => expect(summary(scene)).toBe(expected));

/** Edited from generation 4 to 6, and not answered yet. */
const edited: Scene = { ...served, metadata: { generation: 6 }, before: { observedGeneration: 4 }, specSeen: false };
const editedReset: Scene = { ...edited, ...reset };
const stalled = (reason: Reason): Plan => stall({ reason, message: 'm' });

test.each<[string, Scene, number]>([
  [
    'an edit is not answered while its steps are taken',
    { ...edited, plan: { do: 'render', secret: anIssuedSecret() }, wanted: { uid: 'br-1', memory: { sized: true } } },
    4,
  ],
  ['nor before its size was looked at', edited, 4],
  ['it is when the size was followed', { ...edited, wanted: { uid: 'br-1', memory: { sized: true } } }, 6],
  ['or was right all along', { ...edited, wanted: { uid: 'br-1', endpoint: present(anEndpoint()) } }, 6],
  [
    'not when it is another',
    { ...edited, wish: { size: { maxCU: 2 } }, wanted: { uid: 'br-1', endpoint: present(anEndpoint({ maxCU: 4 })) } },
    4,
  ],
  ['nor when it cannot be seen', { ...edited, wanted: { uid: 'br-1', endpoint: unknown() } }, 4],
  ['it is when a person has to change it', { ...edited, plan: stalled(Reason.EndpointSizeNotAllowed) }, 6],
  [
    'a step beside an edit that was answered changes nothing',
    { ...edited, specSeen: true, before: { observedGeneration: 6 }, plan: issue },
    6,
  ],
  [
    'a reset is answered by the switch only',
    { ...editedReset, plan: waitFor(Reason.BranchCreating, 'm'), served: { ...old, memory: { sized: true } } },
    4,
  ],
  ['or when it asks for what cannot be had', { ...editedReset, plan: refusedSource }, 6],
  ['not when it waits for a person to help it elsewhere', { ...editedReset, plan: stalled(Reason.CreateRefused) }, 4],
  ['nor when it waits for what may come', { ...editedReset, plan: waitFor(Reason.SourceRefNotFound, 'm') }, 4],
  ['without a Secret, every status is an answer', { ...edited, secret: { is: 'none' } }, 6],
  ['so is the first Secret', { metadata: { generation: 6 }, specSeen: false, plan: issue, after: ours() }, 6],
  ['and all that is said while it goes', { ...edited, ...deleting }, 6],
  [
    'without its class nothing better is to be said',
    { ...edited, wish: undefined, served: { ...old, uid: 'br-1' } },
    6,
  ],
  ['a lost status is one behind', { ...edited, before: { conditions: [] } }, 5],
  ['so is the one that no operator has written', { ...edited, before: { observedGeneration: -1 } }, 5],
  ['and none at all', { ...served, metadata: { generation: 6 }, specSeen: false }, 5],
  ['but never less than the first', { ...edited, metadata: { generation: 1 }, before: {} }, 1],
])('the generation: %s', (_sentence, scene, expected) => {
  const { observedGeneration, conditions } = say(scene);
  expect(observedGeneration).toBe(expected);
  expect(conditions?.map((condition) => condition.observedGeneration)).toEqual(conditions?.map(() => expected));
});

test('the credential is shown as it is in the Secret', () => {
  const { credentials: shown, binding: bound } = say(served);
  expect(shown).toStrictEqual({
    secretName: 'db',
    username: 'app',
    issueTime: later(-minutes(2)).toISOString(),
    expireTime: later(minutes(58)).toISOString(),
    renewTime: expect.stringMatching(/^2026-11-25T10:2[5-9]|30:/),
    revision: 1,
  });
  expect(bound).toStrictEqual({ name: 'db' });
});

test('when the branch ends is told anew by every pass', () => {
  const before: Status = { expiration: { pinnedFrom: 'p', expireTime: later(hours(9)).toISOString() } };
  expect(say({ ...served, before }).expiration?.expireTime).toBe(later(hours(72) - minutes(5)).toISOString());
});

test('a reset says that it goes on, also while the lease of the old branch is extended', () => {
  const scene: Scene = { ...reset, plan: { do: 'setExpiry', branch, expiry: {}, why: 'lease' } };
  const words = say(scene).conditions?.find(({ type }) => type === 'Reconciling')?.message;
  expect(words).toContain('a fresh branch is being prepared');
});

test('without a Secret none is shown, whatever was there before', () => {
  const status = say({ before: { credentials, binding: { name: 'db' } } });
  expect(status).not.toHaveProperty('credentials');
  expect(status).not.toHaveProperty('binding');
});

test('the place in the line is shown while it waits there, and only then', () => {
  const queue = { position: 3, nextSlotTime: later(5).toISOString() };
  expect(say({ plan: waitFor(Reason.WaitingForBranchSlot, 'm', { queue }) }).queue).toEqual(queue);
  expect(say({ before: { queue } })).not.toHaveProperty('queue');
  expect(say({ before: { queue }, plan: create })).not.toHaveProperty('queue');
});

const shown: Status = {
  branch: { ...old, name: 'n' },
  candidate: { id: 'c', uid: 'br-c' },
  superseded: [{ id: 's', uid: 'br-s' }],
  endpoint: { uid: 'ep-0', host: 'ep-0.example' },
  expiration: { pinnedFrom: 'p', enforcedBy: 'Provider', leaseTime: later(hours(9)).toISOString() },
};
const kept = (scene: Scene): string =>
  Object.keys(say({ before: shown, ...scene }))
    .filter((key) => key in shown)
    .toSorted()
    .join(' ');
const goneBranch = aBranch({ deleteTime: later(-1) });

test.each<[string, Scene, string]>([
  ['a pass that sees nothing takes nothing away', {}, 'branch candidate endpoint expiration superseded'],
  ['nor does one without its class', { wish: undefined }, 'branch candidate endpoint expiration superseded'],
  ['what was seen to be gone is gone', { family: family([]) }, 'branch endpoint expiration'],
  ['an object that has ended has no next branch', ended, 'branch endpoint expiration'],
  ['nothing at all when nothing is left', { ...ended, family: family([]) }, ''],
  ['or what is left is being deleted for good', { ...ended, family: family([relative(goneBranch)]) }, ''],
  ['or the project is gone', { ...ended, family: absent }, ''],
  [
    'while one is left, it is shown',
    { ...ended, family: family([relative(goneBranch), relative(branch)]) },
    'branch endpoint expiration',
  ],
  [
    'also while it cannot be seen',
    { ...ended, family: family([aView({ branch: unknown() })]) },
    'branch endpoint expiration',
  ],
  ['or nobody answers', { ...ended, family: unknown() }, 'branch endpoint expiration'],
])('%s', (_sentence, scene, expected) => expect(kept(scene)).toBe(expected));

const past: Past = { is: 'time', requested: later(-minutes(30)), maxSkewMs: 60_000 };
const askedFor = later(-minutes(30)).toISOString();
const before = { restored: { requestedTime: askedFor, actualTime: later(-minutes(31)).toISOString() } };
const reached = aBranch({ sourceTime: later(-minutes(32)) });
const reachedNow = { requestedTime: askedFor, actualTime: later(-minutes(32)).toISOString() };

test.each<[string, Scene, Status['restored']]>([
  ['nothing before a branch was seen', {}, undefined],
  ['nor while it starts', { wanted: { branch: present({ ...reached, state: 'INIT' }) } }, undefined],
  ['nor by another branch of the object', { family: family([relative({ ...reached, ...old })]) }, undefined],
  ['what was seen', { wanted: { branch: present(reached) } }, reachedNow],
  ['also in a LIST', { family: family([relative(reached)]) }, reachedNow],
  ['what was told before, while nothing is seen', { before }, before.restored],
  ['what is seen now is newer', { before, wanted: { branch: present(reached) } }, reachedNow],
])('of the past that was asked for is told: %s', (_sentence, scene, expected) => {
  expect(say({ wish: { past }, ...scene }).restored).toEqual(expected);
});

test('the lease that the provider keeps is the one that a pause names', () => {
  const paused = say({ ...served, paused: 'all', wanted: { uid: 'br-1', branch: present(branch) } });
  const words = paused.conditions?.find(({ type }) => type === 'Paused')?.message;
  expect(words).toContain(`removes the branch at ${branch.expireTime?.toISOString()}`);
});
