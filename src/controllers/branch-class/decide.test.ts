import { expect, test } from 'vitest';
import { aBranchClass } from '../../../test/builders/branch-class.ts';
import { aDatabaseBranch } from '../../../test/builders/database-branch.ts';
import type { Change } from '../../../test/builders/merge.ts';
import { databaseBranchFinalizer } from '../../api/names.ts';
import type { DatabaseBranch } from '../../api/v1alpha1/database-branch.ts';
import { decide, holdsClass, type Plan, type World } from './decide.ts';

const bclass = aBranchClass();
const world: World = {
  bclass,
  deleting: false,
  held: false,
  users: 0,
  projectLimit: 10,
  counts: { used: 0, queued: 0, unleased: [] },
  project: { seen: 'notAsked' },
};

test.each<[string, Partial<World>, Plan['do']]>([
  ['a class that nobody uses is only told about', {}, 'report'],
  ['before the first branch the class is held', { users: 1 }, 'hold'],
  ['once is enough', { users: 1, held: true }, 'report'],
  ['a class that is being deleted takes no new finalizer', { users: 1, deleting: true }, 'report'],
  ['it stays while branches need it to be deleted', { users: 1, held: true, deleting: true }, 'report'],
  ['it goes with the last of them', { held: true, deleting: true }, 'release'],
  ['one that is not being deleted is let go too', { held: true }, 'release'],
])('%s', (_sentence, change, expected) => expect(decide({ ...world, ...change }).do).toBe(expected));

const condition = (type: string, reason: string) => ({
  type,
  status: 'True' as const,
  reason,
  message: 'm',
  lastTransitionTime: '2026-11-25T09:00:00Z',
});
const stalled = (reason: string): Change<DatabaseBranch['status']> => ({
  conditions: [
    condition('CredentialsFresh', 'TokenMissing'),
    condition('Stalled', reason),
    condition('WhoeverElse', 'Else'),
  ],
});
const identity = { id: 'b', uid: 'br' };
const claimed = (status: Change<DatabaseBranch['status']>): DatabaseBranch =>
  aDatabaseBranch({ metadata: { finalizers: ['another/finalizer', databaseBranchFinalizer] }, status });

test.each<[string, DatabaseBranch, boolean]>([
  ['an object that was not claimed needs no class', aDatabaseBranch({ status: { branch: identity } }), false],
  ['nor does one whose finalizer is gone', aDatabaseBranch({ metadata: { finalizers: ['another'] } }), false],
  ['a claimed one does, for the POST may be under way', claimed({}), true],
  ['also before anything was said of it', claimed(undefined), true],
  ['a branch has to be deleted', claimed({ branch: identity, ...stalled('Expired') }), true],
  ['and so has a candidate', claimed({ candidate: identity, ...stalled('ClassNotReady') }), true],
  ['and so has what was replaced', claimed({ superseded: [identity], ...stalled('ClassTerminating') }), true],
  ['a create that was refused may have made one', claimed(stalled('CreateRefused')), true],
])('%s', (_sentence, object, expected) => expect(holdsClass(object)).toBe(expected));

test.each([
  'ClassNotFound',
  'ClassNotReady',
  'ClassTerminating',
  'CredentialsNotFound',
  'AudienceNotConfigured',
  'NamespaceNotAllowed',
  'SourceNotAllowed',
  'SourceRefNotAllowed',
  'SecretNotOwned',
  'ExpirationExceedsMaximum',
  'NeverExpireNotAllowed',
  'EndpointSizeNotAllowed',
  'TemplateInvalid',
  'Expired',
  'LeaseLapsed',
  'DeletedExternally',
])('an object without a branch that says %s does not keep its class from going', (reason) => {
  expect(holdsClass(claimed(stalled(reason)))).toBe(false);
});
