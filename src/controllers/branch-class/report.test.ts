import { expect, test } from 'vitest';
import { aBranchClass } from '../../../test/builders/branch-class.ts';
import type { BranchClassStatus } from '../../api/v1alpha1/branch-class.ts';
import { Reason } from '../../api/v1alpha1/reasons.ts';
import {
  LakebaseError,
  type LakebaseErrorCode,
  type LakebaseErrorDetails,
  type SubjectTokenTrouble,
} from '../../lakebase/errors.ts';
import type { World } from './decide.ts';
import { report } from './report.ts';

const now = new Date('2026-11-25T10:00:00Z');
const present = (historyRetentionSeconds?: number): World['project'] => ({
  seen: 'present',
  value: { id: 'shop', ...(historyRetentionSeconds === undefined ? {} : { historyRetentionSeconds }) },
});
const unknown = (code: LakebaseErrorCode, details: LakebaseErrorDetails = {}): World['project'] => ({
  seen: 'unknown',
  error: new LakebaseError(code, 'so it said', details),
});
const workload = (subjectToken: SubjectTokenTrouble): Partial<World> => ({
  project: unknown('unauthenticated', { subjectToken }),
});

const say = (change: Partial<World>): BranchClassStatus =>
  report(
    {
      bclass: aBranchClass({ metadata: { generation: 4 } }),
      deleting: false,
      held: true,
      users: 3,
      projectLimit: 10,
      counts: { used: 0, queued: 0, unleased: [] },
      project: present(),
      ...change,
    },
    now,
  );

/** `Ready=False Reason`, with what else is there. */
const conditions = ({ conditions: list = [] }: BranchClassStatus): string[] =>
  list.map(({ type, status, reason }) => `${type}=${status} ${reason}`);
const message = ({ conditions: list = [] }: BranchClassStatus): string | undefined =>
  list.find(({ type }) => type === 'Ready')?.message;

const passing = (reason: string): string[] => [`Ready=False ${reason}`, `Reconciling=True ${reason}`];
const forAPerson = (reason: string): string[] => [`Ready=False ${reason}`, `Stalled=True ${reason}`];

test.each<[string, Partial<World>, string[], string]>([
  ['a project that answers is all it needs', {}, ['Ready=True Available'], 'project shop can be reached'],
  ['before the first answer', { project: { seen: 'notAsked' } }, passing('Pending'), 'looking for the project'],
  [
    'while it is deleted it says who holds it up',
    { deleting: true },
    passing('ClassTerminating'),
    '3 DatabaseBranch objects still use it: delete them first',
  ],
  [
    'an identity that cannot be used is for a person',
    { project: { seen: 'unusable', reason: Reason.CredentialsNotFound, message: 'no Secret lakebranch-manager' } },
    forAPerson('CredentialsNotFound'),
    'no Secret lakebranch-manager',
  ],
  ['a project that is not there', { project: unknown('notFound') }, forAPerson('ProjectNotFound'), 'project shop does'],
  [
    'a credential that is not accepted',
    { project: unknown('unauthenticated') },
    forAPerson('Unauthenticated'),
    'so it said. Check the service principal of spec.provider.auth',
  ],
  [
    'a token that no policy accepts',
    workload('notAccepted'),
    forAPerson('FederationPolicyMismatch'),
    'spec.provider.auth does not work: so it said. Give the service principal a federation policy',
  ],
  ['a token that is not there', workload('notFound'), forAPerson('WorkloadTokenNotFound'), 'needs a projected volume'],
  ['a token that is too old', workload('expired'), forAPerson('WorkloadTokenExpired'), 'Check the kubelet'],
  ['a token that is not for it', workload('unusable'), forAPerson('WorkloadTokenUnusable'), 'It was sent to nobody'],
  [
    'a right that is lacking',
    { project: unknown('denied') },
    forAPerson('PermissionDenied'),
    'so it said. The service principal needs CAN_MANAGE',
  ],
  ['an outage passes', { project: unknown('unavailable') }, passing('ProviderUnreachable'), 'so it said'],
])('%s', (_sentence, change, expected, words) => {
  const status = say(change);
  expect(conditions(status)).toEqual(expected);
  expect(message(status)).toContain(words);
});

test('what does not hold any more is not said any more, and what others say stays', () => {
  const others = {
    type: 'Others',
    status: 'True',
    reason: 'R',
    message: 'm',
    lastTransitionTime: '2026-11-25T09:00:00Z',
  } as const;
  const stalled = say({ project: unknown('denied') }).conditions ?? [];
  const bclass = aBranchClass({ status: { conditions: [...stalled, others] } });
  expect(conditions(say({ bclass }))).toEqual(['Others=True R', 'Ready=True Available']);
});

test('the status and its conditions name the version of the class that they answer to', () => {
  const status = say({});
  expect(status.observedGeneration).toBe(4);
  expect(status.conditions).toMatchObject([{ type: 'Ready', observedGeneration: 4 }]);
});

test('a class without a status gets one', () => {
  expect(conditions(say({ bclass: aBranchClass({ status: undefined }) }))).toEqual(['Ready=True Available']);
});

test('branches that only the operator removes are named in a warning', () => {
  const counts = { used: 1, queued: 0, unleased: ['team/db'] };
  expect(conditions(say({ counts }))).toEqual(['Ready=True Available', 'Unleased=True UnleasedBranches']);
});

test.each<[string, Partial<World>, string | undefined]>([
  ['how long the project keeps history is told as it was seen', { project: present(86_400) }, '24h'],
  ['what was seen before stays during an outage', { project: unknown('unavailable') }, '168h'],
  ['also where the provider does not say', { project: present() }, '168h'],
  ['never seen is not said', { bclass: aBranchClass(), project: present() }, undefined],
])('%s', (_sentence, change, expected) => {
  const bclass = aBranchClass({ status: { historyRetention: '168h' } });
  const status = say({ bclass, ...change });
  expect(status.historyRetention).toBe(expected);
  expect('historyRetention' in status).toBe(expected !== undefined);
});
