import { expect, test } from 'vitest';
import {
  aBranch,
  absent,
  anEndpoint,
  anIssuedSecret,
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
import type { DatabaseBranchStatus } from '../../api/v1alpha1/database-branch.ts';
import { Reason } from '../../api/v1alpha1/reasons.ts';
import type { Condition } from '../../kit/kube.ts';
import { LakebaseError } from '../../lakebase/errors.ts';
import { available, stall, waitFor, type Plan } from './plan.ts';
import { conditionsOf, type Said } from './report-conditions.ts';

interface Scene extends WorldChange, Partial<Omit<Said, 'world'>> {
  /** The status as it was; absent: nothing was said of the object yet. */
  readonly before?: DatabaseBranchStatus;
}

function say(scene: Scene): Condition[] {
  const { before, plan, state, issued, serving, leaseTime, resetting, generation, now: at, ...change } = scene;
  const { status: _, ...unspoken } = object;
  return conditionsOf({
    world: aWorld({ object: before ? { ...object, status: before } : unspoken, ...change }),
    plan: plan ?? { do: 'record' },
    state: state ?? available(),
    issued,
    serving: serving ?? issued !== undefined,
    leaseTime,
    resetting: resetting ?? false,
    generation: generation ?? 1,
    now: at ?? now,
  });
}

const short = ({ status, reason }: Condition): string => `${status} ${reason}`;
const find = (scene: Scene, type: string): Condition | undefined => say(scene).find((one) => one.type === type);
const told = (scene: Scene, type: string): string | undefined => {
  const condition = find(scene, type);
  return condition && short(condition);
};
const words = (scene: Scene, type: string): string => find(scene, type)?.message ?? '';

const was = (type: string, reason: string, message = 'm', status: 'True' | 'False' = 'True'): Condition => ({
  type,
  status,
  reason,
  message,
  lastTransitionTime: '2026-11-25T09:00:00Z',
});

const fine: Scene = { issued: anIssuedSecret(), served: 'wanted' };
/** Of an hour's life so much is left. */
const left = (ms: number, lifeMs = hours(1)): Scene => ({
  issued: anIssuedSecret({ issueTime: later(ms - lifeMs), expireTime: later(ms) }),
  serving: ms > 0,
});
const failing = { attempts: 1, sinceMs: 1, nextInMs: 1, error: new LakebaseError('denied', 'no such right') };
const mintFails: Scene = { served: 'wanted', wanted: { memory: { mint: failing } } };
const writeFails: Scene = { memory: { write: { message: 'a webhook says no', nextInMs: 1 } } };
const wait = (reason: Reason): Scene => ({ state: waitFor(reason, 'so it is') });
const stalled = (reason: Reason): Scene => ({ state: stall({ reason, message: 'so it is' }) });
const ended: Scene = { ended: { reason: 'Expired', time: later(0).toISOString() } };
const deleting: Scene = { deleting: true };

test('a branch that is served and fine', () => {
  expect(say(fine).map((one) => `${one.type}=${short(one)}`)).toEqual([
    'BranchProvisioned=True BranchReady',
    'CredentialsFresh=True TokenFresh',
    'EndpointAvailable=True EndpointReady',
    'Ready=True Available',
  ]);
});

test('an object that begins', () => {
  expect(say(wait(Reason.Claiming)).map((one) => `${one.type}=${short(one)}`)).toEqual([
    'BranchProvisioned=False Claiming',
    'CredentialsFresh=False TokenMissing',
    'EndpointAvailable=False Claiming',
    'Ready=False Claiming',
    'Reconciling=True Claiming',
  ]);
});

test('what others have said stays, and what has not changed keeps its time', () => {
  const before = { conditions: [was('Others', 'R'), was('Ready', 'Older'), was('Stalled', 'Older')] };
  const conditions = say({ ...fine, before, generation: 7 });
  expect(conditions.map(({ type }) => type)).toEqual([
    'BranchProvisioned',
    'CredentialsFresh',
    'EndpointAvailable',
    'Others',
    'Ready',
  ]);
  expect(conditions.at(-1)).toEqual({
    ...was('Ready', 'Available', available().message),
    observedGeneration: 7,
  });
  expect(conditions[0]?.lastTransitionTime).toBe('2026-11-25T10:00:00Z');
});

/** Ready, then Reconciling or Stalled. */
const summary = (scene: Scene): string =>
  say(scene)
    .filter(({ type }) => ['Ready', 'Reconciling', 'Stalled'].includes(type))
    .map((one) => `${one.type}=${short(one)}`)
    .join(', ');

const refused = [
  Reason.TemplateInvalid,
  Reason.ExpirationExceedsMaximum,
  Reason.NeverExpireNotAllowed,
  Reason.EndpointSizeNotAllowed,
  Reason.ResetTokenReused,
  Reason.SourceExpires,
  Reason.RestoreNotAllowed,
  Reason.RestoreGone,
  Reason.RestoreWindowExceeded,
  Reason.RestoreTimeInFuture,
  Reason.TimeSkewTooLarge,
];
const ofSource = [Reason.SourceNotAllowed, Reason.SourceNotFound, Reason.SourceRefNotAllowed];
const resetting: Scene = { ...fine, resetting: true };

test.each<[string, Scene, string]>([
  ['a wait passes', wait(Reason.BranchCreating), 'Ready=False BranchCreating, Reconciling=True BranchCreating'],
  ['or is for a person', stalled(Reason.CreateRefused), 'Ready=False CreateRefused, Stalled=True CreateRefused'],
  ['a token that is dead', left(0), 'Ready=False Available, Reconciling=True Available'],
  ['a blip turns nothing red', { ...fine, ...wait(Reason.ProviderUnreachable) }, 'Ready=True Available'],
  ['nor does what a person should change', { ...fine, ...stalled(Reason.ProjectNotFound) }, 'Ready=True Available'],
  ...refused.map((reason): [string, Scene, string] => [
    `a spec that asks for what cannot be had (${reason})`,
    { ...fine, ...stalled(reason) },
    `Ready=False ${reason}, Stalled=True ${reason}`,
  ]),
  ...ofSource.map((reason): [string, Scene, string] => [
    `a source that is not to be had any more (${reason})`,
    { ...fine, ...stalled(reason) },
    'Ready=True Available',
  ]),
  ...ofSource.map((reason): [string, Scene, string] => [
    `a reset to such a source (${reason})`,
    { ...resetting, ...stalled(reason) },
    `Ready=False ${reason}, Stalled=True ${reason}`,
  ]),

  ['a reset is told beside Ready', resetting, 'Ready=True Available, Reconciling=True Resetting'],
  [
    'whatever it does at the moment',
    { ...resetting, ...wait(Reason.BranchCreating) },
    'Ready=True Available, Reconciling=True Resetting',
  ],
  ...[
    Reason.WaitingForBranchSlot,
    Reason.ClassLimitReached,
    Reason.NamespaceLimitReached,
    Reason.PausedByAnnotation,
  ].map((reason): [string, Scene, string] => [
    `but who waits for long sees for what (${reason})`,
    { ...resetting, ...wait(reason) },
    `Ready=True Available, Reconciling=True ${reason}`,
  ]),

  ['a renewal that fails has time', { ...mintFails, ...left(minutes(20)) }, 'Ready=True Available'],
  [
    'until a third of the life is left',
    { ...mintFails, ...left(minutes(20) - 1) },
    'Ready=True Available, Reconciling=True MintFailed',
  ],
  [
    'or the Secret cannot be written',
    { ...writeFails, ...left(minutes(19)) },
    'Ready=True Available, Reconciling=True MintFailed',
  ],
  ['a short rest alone is no trouble', left(minutes(19)), 'Ready=True Available'],
  [
    'which is said before a reset',
    { ...mintFails, ...left(minutes(19)), resetting: true },
    'Ready=True Available, Reconciling=True MintFailed',
  ],
])('%s', (_sentence, scene, expected) => expect(summary(scene)).toBe(expected));

test.each<[string, Scene, string, string]>([
  ['what one waits for is told', wait(Reason.BranchCreating), 'Ready', 'so it is'],
  ['the same while it is under way', wait(Reason.BranchCreating), 'Reconciling', 'so it is'],
  ['the same when it is for a person', stalled(Reason.CreateRefused), 'Stalled', 'so it is'],
  ['a reset that has just begun', resetting, 'Reconciling', 'a fresh branch is being prepared. Until then the Secret'],
  [
    'a reset tells its step',
    { ...resetting, ...wait(Reason.BranchCreating) },
    'Reconciling',
    'so it is. Until then the Secret opens the branch from before',
  ],
  [
    'or what it waits for',
    { ...resetting, ...wait(Reason.ClassLimitReached) },
    'Reconciling',
    'so it is. Until then the Secret opens the branch from before',
  ],
  [
    'why a token is not renewed',
    { ...mintFails, ...left(1) },
    'Reconciling',
    'is not renewed: the provider forbids it: no such right. The service principal of spec.login.auth needs CAN_USE',
  ],
  ['which may be two things', { ...mintFails, ...writeFails, ...left(1) }, 'Reconciling', 'a webhook says no'],
])('%s', (_sentence, scene, type, expected) => expect(words(scene, type)).toContain(expected));

const ready: Scene = { wanted: { branch: present(aBranch()) }, ...wait(Reason.RolePending) };
const reachable: Scene = { ...ready, wanted: { branch: present(aBranch()), endpoint: present(anEndpoint()) } };
const { host: _host, ...hostless } = anEndpoint();

test.each<[string, Scene, branch: string, endpoint: string]>([
  ['nothing is there yet', wait(Reason.BranchCreating), 'False BranchCreating', 'False BranchCreating'],
  [
    'the branch is not there',
    { ...wait(Reason.BranchCreating), wanted: { branch: absent } },
    'False BranchCreating',
    'False BranchCreating',
  ],
  [
    'it is being made',
    { ...wait(Reason.BranchCreating), wanted: { branch: present(aBranch({ state: 'INIT' })) } },
    'False BranchCreating',
    'False BranchCreating',
  ],
  ['it is ready, its endpoint was not seen', ready, 'True BranchReady', 'False RolePending'],
  [
    'its endpoint has no host yet',
    { ...ready, wanted: { branch: present(aBranch()), endpoint: present(hostless) } },
    'True BranchReady',
    'False RolePending',
  ],
  ['it has one', reachable, 'True BranchReady', 'True EndpointReady'],
  ['the Secret says so, unseen', fine, 'True BranchReady', 'True EndpointReady'],
  ['even without the class', { issued: anIssuedSecret(), wish: undefined }, 'True BranchReady', 'True EndpointReady'],
  [
    'without class and Secret',
    { ...wait(Reason.ClassNotFound), wish: undefined },
    'False ClassNotFound',
    'False ClassNotFound',
  ],
  ['it is not ours', { ...reachable, ...stalled(Reason.BranchNotOurs) }, 'False BranchNotOurs', 'False BranchNotOurs'],
  ['it has ended', { ...reachable, ...stalled(Reason.Expired), ...ended }, 'False Expired', 'False Expired'],
])('branch and endpoint: %s', (_sentence, scene, branch, endpoint) => {
  expect([told(scene, 'BranchProvisioned'), told(scene, 'EndpointAvailable')]).toEqual([branch, endpoint]);
});

test('a branch that is missing is one that has gone or one that is still to come', () => {
  expect(words(wait(Reason.BranchCreating), 'BranchProvisioned')).toContain('there is no branch yet');
  expect(words({ ...wait(Reason.Deleting), ...deleting }, 'BranchProvisioned')).toContain(
    'not there any more, or goes',
  );
  expect(words({ ...stalled(Reason.Expired), ...ended }, 'BranchProvisioned')).toContain('not there any more, or goes');
  expect(words(wait(Reason.BranchCreating), 'EndpointAvailable')).toBe('there is no endpoint without a branch');
  expect(words(ready, 'EndpointAvailable')).toContain('has no host');
});

const failed = 'the last renewal failed: the provider forbids it';
test.each<[string, Scene, string, string]>([
  ['there is no Secret', {}, 'False TokenMissing', 'no Secret with a token'],
  ['it is young', left(minutes(59)), 'True TokenFresh', 'at about half of its life'],
  ['it could not be renewed, and there is time', { ...mintFails, ...left(minutes(20)) }, 'True TokenFresh', failed],
  ['there is little time', { ...mintFails, ...left(minutes(19)) }, 'False MintFailed', failed],
  ['there is little time, and nothing is wrong', left(minutes(19)), 'True TokenFresh', 'at about half of its life'],
  ['it lives for another millisecond', left(1), 'True TokenFresh', ''],
  ['it is dead', left(0), 'False TokenExpired', 'has expired'],
  ['it is dead, and it is known why', { ...mintFails, ...left(-1) }, 'False TokenExpired', failed],
  ['it is granted for a quarter of an hour', left(minutes(14), minutes(14)), 'True TokenFresh', ''],
  ['it is granted for less', left(minutes(14) - 1, minutes(14) - 1), 'False ShortLived', 'tokens of 840 s only'],
  ['for less, and not renewed', { ...mintFails, ...left(minutes(9), minutes(10)) }, 'False ShortLived', failed],
])('the token: %s', (_sentence, scene, expected, message) => {
  expect(told(scene, 'CredentialsFresh')).toBe(expected);
  expect(words(scene, 'CredentialsFresh')).toContain(message);
});
test('a token that nothing is wrong with names no failure', () => {
  expect(words(left(minutes(59)), 'CredentialsFresh')).toBe('the token is renewed at about half of its life');
  expect(words(left(0), 'CredentialsFresh')).toBe('the token in the Secret has expired');
});

test('a namespace that is not allowed any more is told until when its token is renewed', () => {
  const problems = [
    { reason: Reason.SourceNotAllowed, message: 'another' },
    { reason: Reason.NamespaceNotAllowed, message: 'label it' },
  ];
  const scene = { ...fine, problems, notAllowedSince: later(1999) };
  expect(told(scene, 'NamespaceAllowed')).toBe('False NamespaceNotAllowed');
  expect(words(scene, 'NamespaceAllowed')).toMatch(/^label it\. .* until 2026-11-26T10:00:01.000Z,/);
  expect(told({ ...scene, notAllowedSince: undefined }, 'NamespaceAllowed')).toBeUndefined();
});

const onSource = { conditions: [was('LoginReachesSource', 'RoleOnSource')] };
test.each<[string, Scene, boolean]>([
  ['a role that was made on the branch reaches nothing else', fine, false],
  ['one that came along with the fork does', { ...fine, wish: { roleOnBranch: false } }, true],
  ['before the Secret nobody can log in', { wish: { roleOnBranch: false } }, false],
  ['one that is on the source too does', { ...fine, wanted: { roleOnSource: present(true) } }, true],
  ['not one that is not', { ...fine, before: onSource, wanted: { roleOnSource: present(false) } }, false],
  ['what was seen once holds', { ...fine, before: onSource }, true],
  ['also while the provider does not answer', { ...fine, before: onSource, wanted: { roleOnSource: unknown() } }, true],
  ['without its class nobody knows', { issued: anIssuedSecret(), before: onSource, wish: undefined }, false],
])('the login and the source: %s', (_sentence, scene, expected) => {
  expect(told(scene, 'LoginReachesSource')).toBe(expected ? 'True RoleOnSource' : undefined);
});

/** Ends in so many ms, with a warning a day and an hour before. */
const ends = (ms: number): Scene => ({
  ...fine,
  wish: {
    expiration: { pinnedFrom: 'p', expireTime: later(ms) },
    warnings: [later(ms - hours(24)), later(ms - hours(1))],
  },
});
/** Made for less than an hour, so that there are no warnings. */
const brief = (ms: number): Scene => ({
  wish: { expiration: { pinnedFrom: 'p', expireTime: later(ms) }, warnings: [] },
});
const skewed = { conditions: [was('Expiring', 'ClockSkewed')] };

test.each<[string, Scene, string | undefined, string]>([
  ['more than a day before', ends(hours(24) + 1), undefined, ''],
  ['a day before', ends(hours(24)), 'True ExpiresSoon', `within 24 hours, at ${later(hours(24)).toISOString()}`],
  ['more than an hour before', ends(hours(1) + 1), 'True ExpiresSoon', 'within 24 hours'],
  ['an hour before', ends(hours(1)), 'True ExpiresSoon', 'within the hour'],
  ['at the end it is gone', ends(0), undefined, ''],
  [
    'unless the clocks disagree',
    { ...ends(0), ...wait(Reason.ClockSkewed) },
    'True ClockSkewed',
    later(0).toISOString(),
  ],
  ['which holds while something else is done', { ...ends(-1), before: skewed }, 'True ClockSkewed', 'is kept until'],
  [
    'a warning from before does not',
    { ...ends(-1), before: { conditions: [was('Expiring', 'ExpiresSoon')] } },
    undefined,
    '',
  ],
  ['a short life is not warned', brief(1), undefined, ''],
  [
    'but it may be kept by clocks too',
    { ...brief(0), ...wait(Reason.ClockSkewed) },
    'True ClockSkewed',
    'is kept until',
  ],
  ['a branch without an end has none', { ...fine, wish: { expiration: { pinnedFrom: 'p' } } }, undefined, ''],
  ['without its class nobody knows', { wish: undefined, ...wait(Reason.ClockSkewed) }, undefined, ''],
  ['an object that has ended', { ...ends(1), ...ended }, undefined, ''],
  ['an object that goes', { ...ends(1), ...deleting }, undefined, ''],
])('before the end: %s', (_sentence, scene, expected, message) => {
  expect(told(scene, 'Expiring')).toBe(expected);
  expect(words(scene, 'Expiring')).toContain(message);
});

const push = (clampedFrom?: Date): Plan => ({
  do: 'setExpiry',
  branch: aBranch(),
  expiry: { at: later(1), ...(clampedFrom ? { clampedFrom } : {}) },
  why: 'lease',
});
const clamped = { expiration: { clampedFrom: later(2).toISOString() } };
test.each<[string, Scene, string | undefined]>([
  ['an expiry as wished', { ...fine, plan: push() }, undefined],
  ['one that is cut short', { ...fine, plan: push(later(2)) }, 'True LeaseClamped'],
  ['one that was cut short before', { ...fine, before: clamped }, 'True LeaseClamped'],
  ['of an object that has ended', { ...ended, before: clamped }, undefined],
  ['of one that goes', { ...deleting, before: clamped }, undefined],
])('the lease: %s', (_sentence, scene, expected) => expect(told(scene, 'ExpirationClamped')).toBe(expected));

const id = `${wish.branchId.slice(0, -6)}bbbbbb`;
const old = aBranch({ id, uid: 'br-0' });
const isProtected = { isProtected: true };
const seen = (change = {}, ...others: Parameters<typeof relative>[0][]): Scene => ({
  ...fine,
  wanted: { uid: 'br-1', branch: present(aBranch(change)) },
  family: family([aBranch(change), ...others].map((branch) => relative(branch))),
});
const { served: _served, ...unserved } = seen();
const drift = { conditions: [was('Drifted', 'DriftFound', 'as it was')] };
const superseded = { superseded: [{ id, uid: 'br-x' }] };
test.each<[string, Scene, string | undefined]>([
  ['all is as it should be', seen(), undefined],
  ['the branch is protected', seen(isProtected), `branch ${wish.branchId} is protected (spec.is_protected)`],
  ['the next one is not served', { ...seen(isProtected), served: old }, undefined],
  ['an old one goes by itself', seen({}, old), undefined],
  ['unless it is protected', seen({}, { ...old, ...isProtected }), `branch ${id}, which was replaced, is protected`],
  ['somebody made one in its place', { ...seen({}, old), before: superseded }, `branch ${id} is another one`],
  ['both at once', { ...seen(isProtected, old), before: superseded }, `cannot be deleted; branch ${id} is another one`],
  ['nothing was seen yet', fine, undefined],
  ['what was found stays while nothing is seen', { ...fine, before: drift }, 'as it was'],
  ['and while only the branch is', { ...seen(), family: unknown(), before: drift }, 'as it was'],
  ['and while only the LIST is', { ...seen(), wanted: {}, before: drift }, 'as it was'],
  ['found by half the first time is told', { ...seen(isProtected), family: unknown() }, 'is protected'],
  ['it is taken back by looking at everything', { ...seen(), before: drift }, undefined],
  ['without a served branch nothing is taken back', { ...unserved, before: drift }, 'as it was'],
  ['an object that has ended', { ...seen(isProtected), ...ended }, undefined],
  ['an object that goes', { ...seen(isProtected), ...deleting }, undefined],
])('at the provider: %s', (_sentence, scene, expected) => {
  expect(told(scene, 'Drifted')).toBe(expected && 'True DriftFound');
  expect(words(scene, 'Drifted')).toContain(expected ?? '');
});

test.each<[string, Scene, string | undefined]>([
  ['not at all', {}, undefined],
  ['for changes', { paused: 'changes' }, 'creates, resets and changes of size are held up'],
  ['for everything', { paused: 'all' }, 'also the renewal of the token. To go on'],
  [
    'for everything, until the lease ends',
    { paused: 'all', leaseTime: 'tomorrow' },
    'also the renewal of the token. Unless it is removed before, the provider removes the branch at tomorrow. To',
  ],
  ['and deleted', { paused: 'all', ...deleting }, undefined],
])('paused: %s', (_sentence, scene, expected) => {
  expect(told({ ...fine, ...scene }, 'Paused')).toBe(expected && 'True PausedByAnnotation');
  expect(words({ ...fine, ...scene }, 'Paused')).toContain(expected ?? '');
});
