import { expect, test } from 'vitest';
import {
  aBranch,
  anEndpoint,
  anIssuedSecret,
  aWorld,
  later,
  object,
  wish,
  aView,
  type WorldChange,
} from '../../../test/builders/world.ts';
import type { DatabaseBranch, DatabaseBranchStatus } from '../../api/v1alpha1/database-branch.ts';
import { LakebaseError } from '../../lakebase/errors.ts';
import { announce, type Announcement } from './announce.ts';
import { done, stale, type Outcome } from './outcome.ts';
import type { Plan } from './plan.ts';

interface Scene {
  readonly before?: Partial<DatabaseBranchStatus>;
  readonly after?: Partial<DatabaseBranchStatus>;
  readonly world?: WorldChange;
  readonly plan?: Plan;
  readonly outcome?: Outcome;
}

const withStatus = (status: DatabaseBranchStatus): DatabaseBranch => ({ ...object, status });

const announced = ({ before = {}, after = {}, world, plan = { do: 'record' }, outcome = done }: Scene) =>
  announce({ before: withStatus(before), after: withStatus(after), world: aWorld(world), plan, outcome });
const short = ({ type, reason, action }: Announcement): string => `${type} ${reason} ${action}`;

/** `Ready=True Available`, with the words that it says if these are not `m`. */
const says = (...conditions: readonly string[]): Partial<DatabaseBranchStatus> => ({
  conditions: conditions.map((text) => {
    const [, type = '', status = 'Unknown', reason = '', message = 'm'] =
      /^(\w+)=(\w+) (\w+)(?: (.*))?$/.exec(text) ?? [];
    return { type, status: status as 'True', reason, message, lastTransitionTime: later(0).toISOString() };
  }),
});

const ready = 'Ready=True Available';
const issue = (change: Partial<Extract<Plan, { do: 'issue' }>> = {}): Plan => ({
  do: 'issue',
  why: 'First',
  binding: anIssuedSecret().binding,
  replaces: undefined,
  ...change,
});
const login = (username: string) => ({
  credentials: { secretName: 'db', username, issueTime: '', expireTime: '', revision: 1 },
});
const deleteSecret: Plan = { do: 'deleteSecret', secret: anIssuedSecret(), why: 'somebody asked for it' };

test.each<[string, Scene, string[]]>([
  ['a Secret that opens the branch for the first time is news', { after: says(ready) }, ['Normal Available Reconcile']],
  [
    'and again after a trouble',
    { before: says('Ready=False ClassNotReady'), after: says(ready) },
    ['Normal Available Reconcile'],
  ],
  ['as before is no news', { before: says(ready), after: says(ready) }, []],
  ['nor is a status of which nothing is known', { before: says(ready) }, []],
  [
    'what is under way before the first Secret is told by the condition alone',
    { after: says('Ready=False BranchCreating') },
    [],
  ],
  [
    'one step after another is no news',
    { before: says('Ready=False Claiming'), after: says('Ready=False BranchCreating') },
    [],
  ],
  [
    'ready that is lost is a warning',
    { before: says(ready), after: says('Ready=False EndpointMismatch') },
    ['Warning EndpointMismatch Reconcile'],
  ],
  [
    'unless somebody deletes the object',
    { before: says(ready), after: says('Ready=False Deleting') },
    ['Normal Deleting Reconcile'],
  ],
  ['or resets it', { before: says(ready), after: says('Ready=False Resetting') }, ['Normal Resetting Reconcile']],
  [
    'or has paused it',
    { before: says(ready), after: says('Ready=False PausedByAnnotation') },
    ['Normal PausedByAnnotation Reconcile'],
  ],
  [
    'a person is asked for',
    {
      before: says('Ready=False BranchCreating'),
      after: says('Ready=False CreateRefused', 'Stalled=True CreateRefused'),
    },
    ['Warning CreateRefused Reconcile'],
  ],
  [
    'for another reason than before',
    {
      before: says('Ready=False SourceNotFound'),
      after: says('Ready=False CreateRefused', 'Stalled=True CreateRefused'),
    },
    ['Warning CreateRefused Reconcile'],
  ],
  [
    'for the same reason is no news',
    {
      before: says('Ready=False CreateRefused'),
      after: says('Ready=False CreateRefused', 'Stalled=True CreateRefused'),
    },
    [],
  ],
  [
    'ready for another reason is told',
    { before: says('Ready=True Older'), after: says(ready) },
    ['Normal Available Reconcile'],
  ],
  [
    'the same reason with another status is told',
    { before: says('Ready=Unknown Available'), after: says(ready) },
    ['Normal Available Reconcile'],
  ],
  [
    'a Secret that is withdrawn is told once',
    { before: says(ready), after: says('Ready=False SecretPending'), plan: deleteSecret },
    ['Warning SecretWithdrawn DeleteSecret'],
  ],
  [
    'but what else goes wrong then is told too',
    { before: says(ready), after: says('Ready=False Expired'), plan: deleteSecret },
    ['Warning Expired Reconcile', 'Warning SecretWithdrawn DeleteSecret'],
  ],
  [
    'a Secret that somebody else took away is told',
    { before: says(ready), after: says('Ready=False SecretPending') },
    ['Warning SecretPending Reconcile'],
  ],
  ['the first credential is told once', { after: says(ready), plan: issue() }, ['Normal CredentialIssued WriteSecret']],
  [
    'but what is wrong with it is told too',
    { before: says(ready), after: says('Ready=False SourceNotAllowed'), plan: issue() },
    ['Warning SourceNotAllowed Reconcile', 'Normal CredentialIssued WriteSecret'],
  ],
  [
    'a Secret that is made whole again is Ready again',
    { after: says(ready), plan: issue({ why: 'Healing' }) },
    ['Normal Available Reconcile', 'Normal CredentialIssued WriteSecret'],
  ],
  [
    'in a namespace that is being deleted nothing can be told',
    { world: { namespaceTerminating: true }, after: says(ready), plan: deleteSecret },
    [],
  ],
])('%s', (_sentence, scene, expected) => expect(announced(scene).map(short)).toEqual(expected));

test('the words of the condition are those of the Event', () => {
  expect(announced({ after: says(`${ready} all is well`) })).toMatchObject([{ note: 'all is well' }]);
});

const warnings = [
  'Expiring=True ExpiresSoon',
  'ExpirationClamped=True LeaseClamped',
  'Drifted=True DriftFound',
  'LoginReachesSource=True RoleOnSource',
  'NamespaceAllowed=False NamespaceNotAllowed',
];
test.each(warnings)('%s is a warning when it comes and when its words change', (condition) => {
  const reason = condition.split(' ')[1];
  const warning = { type: 'Warning', reason, action: 'Reconcile' };
  expect(announced({ after: says(`${condition} soon`) })).toEqual([{ ...warning, note: 'soon' }]);
  expect(announced({ before: says(`${condition} soon`), after: says(`${condition} soon`) })).toEqual([]);
  expect(announced({ before: says(`${condition} soon`), after: says(`${condition} now`) })).toEqual([
    { ...warning, note: 'now' },
  ]);
  expect(announced({ before: says(`${condition} soon`) })).toEqual([]);
});

const reprieve = { pinnedFrom: 'p', expireTime: later(5), reprieved: true } as const;
const until = (ms: number) => ({ expiration: { expireTime: later(ms).toISOString() } });
test.each<[string, Scene, string[]]>([
  [
    'an end that was lost and is put off is told',
    { world: { wish: { expiration: reprieve } }, after: until(5) },
    ['Warning ExpirationPinnedAnew Expire'],
  ],
  ['not before it is on record', { world: { wish: { expiration: reprieve } }, after: until(6) }, []],
  [
    'an end that was not lost is not',
    { world: { wish: { expiration: { pinnedFrom: 'p', expireTime: later(5) } } }, after: until(5) },
    [],
  ],
  ['without its class nothing is put off', { world: { wish: undefined }, after: until(5) }, []],
])('%s', (_sentence, scene, expected) => {
  const told = announced(scene);
  expect(told.map(short)).toEqual(expected);
  for (const { note } of told) expect(note).toContain(`it ends at ${later(5).toISOString()}.`);
});

const expire = (why: 'lease' | 'drain'): Plan => ({
  do: 'setExpiry',
  branch: aBranch(),
  expiry: { at: later(5) },
  why,
});
const deleteBranch: Plan = { do: 'deleteBranch', branch: aBranch(), why: 'nobody asks for it' };
const createBranch: Plan = { do: 'createBranch', wish, expiry: {}, snapshot: { at: 0, step: 0, branches: [] } };
const failed: Outcome = { is: 'failed', error: new LakebaseError('unreachable', 'no answer') };

test.each<[string, Scene, [string, words: string][]]>([
  ['a branch is asked for', { plan: createBranch }, [['Normal BranchRequested CreateBranch', wish.branchId]]],
  ['not when that failed', { plan: createBranch, outcome: failed }, []],
  ['nor when it was not done', { plan: deleteSecret, outcome: stale }, []],
  [
    'a Secret is deleted',
    { plan: deleteSecret },
    [['Warning SecretWithdrawn DeleteSecret', ': somebody asked for it']],
  ],
  [
    'a branch that is left over is deleted',
    { plan: deleteBranch },
    [['Normal BranchDeleted DeleteBranch', ': nobody asks for it']],
  ],
  ['that of an object that goes, as one would expect', { plan: deleteBranch, world: { deleting: true } }, []],
  ['or has ended', { plan: deleteBranch, world: { ended: { reason: 'Expired', time: '' } } }, []],
  [
    'the old branch gets its end',
    { plan: expire('drain') },
    [['Warning BranchSuperseded Reset', `(${wish.branchId}) is lost at ${later(5).toISOString()}`]],
  ],
  ['a lease is extended in silence', { plan: expire('lease') }, []],
  ['and a size is set', { plan: { do: 'resize', of: aView(), endpoint: anEndpoint(), size: {} } }, []],

  [
    'the first credential',
    { plan: issue(), after: login('app') },
    [['Normal CredentialIssued WriteSecret', 'into Secret db: the branch is ready']],
  ],
  [
    'that of a fresh branch',
    { plan: issue({ why: 'Reset' }), before: login('app'), after: login('app') },
    [['Normal CredentialIssued WriteSecret', 'into Secret db: it opens the fresh branch now']],
  ],
  [
    'every half an hour a fresh one is no news',
    { plan: issue({ why: 'RenewalDue' }), before: login('former'), after: login('app') },
    [],
  ],
  [
    'that nobody could try it is',
    { plan: issue({ why: 'RenewalDue', loginSkipped: 'no route' }) },
    [['Warning LoginSkipped Login', ': no route']],
  ],
  [
    'also beside the credential itself',
    { plan: issue({ loginSkipped: 'no route' }), after: login('app') },
    [
      ['Warning LoginSkipped Login', ': no route'],
      ['Normal CredentialIssued WriteSecret', ': the branch is ready'],
    ],
  ],
  [
    'another login leaves its role behind',
    { plan: issue({ why: 'BindingChanged' }), before: login('former'), after: login('app') },
    [
      ['Normal CredentialIssued WriteSecret', 'into Secret db: the login or the endpoint has changed'],
      ['Normal LoginChanged WriteSecret', 'names app. The role former stays'],
    ],
  ],
])('of its steps: %s', (_sentence, scene, expected) => {
  const told = announced(scene);
  expect(told.map(short)).toEqual(expected.map(([event]) => event));
  for (const [index, [, words]] of expected.entries()) expect(told[index]?.note).toContain(words);
});
