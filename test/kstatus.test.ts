import { describe, expect, test } from 'vitest';
import type { Condition } from '../src/kit/kube.ts';
import { statusBeforeFirstLook } from '../src/api/v1alpha1/schema.ts';
import { aDatabaseBranch } from './builders/database-branch.ts';
import { expectLawfulStatus, kstatusOf, type StatusObject } from './kstatus.ts';

const condition = (
  type: string,
  status: Condition['status'],
  reason: string,
  more: Partial<Condition> = {},
): Condition => ({
  type,
  status,
  reason,
  message: 'in words',
  lastTransitionTime: '2026-09-21T12:00:10Z',
  observedGeneration: 1,
  ...more,
});

const ready = condition('Ready', 'True', 'Available');
const waiting = (reason: string): Condition[] => [
  condition('Ready', 'False', reason),
  condition('Reconciling', 'True', reason),
];
const stalled = (reason: string): Condition[] => [
  condition('Ready', 'False', reason),
  condition('Stalled', 'True', reason),
];

const fresh = condition('CredentialsFresh', 'True', 'TokenFresh');
const servedAnd = (reason: string): Condition[] => [ready, fresh, condition('Reconciling', 'True', reason)];

/** As a status that was written for generation 1, on an object that was edited since. */
const edited = (object: StatusObject): StatusObject => ({ ...object, metadata: { ...object.metadata, generation: 2 } });

function withStatus(conditions: Condition[], observedGeneration = 1): StatusObject {
  return aDatabaseBranch({ status: { observedGeneration, conditions } });
}

describe('lawful', () => {
  test.each<[string, StatusObject]>([
    ['nobody has looked yet', aDatabaseBranch({ status: statusBeforeFirstLook() })],
    ['served', withStatus([ready, condition('CredentialsFresh', 'True', 'TokenFresh')])],
    ['waiting for the provider', withStatus(waiting('BranchStarting'))],
    ['restored', withStatus([condition('Ready', 'True', 'Restored'), condition('Succeeded', 'True', 'Restored')])],
    ['on the way to it', withStatus([...waiting('Restoring'), condition('Succeeded', 'Unknown', 'Restoring')])],
    ['never to be', withStatus([...stalled('TargetExists'), condition('Succeeded', 'False', 'TargetExists')])],
    ['waiting for a person', withStatus(stalled('ClassNotFound'))],
    ['stuck for an hour', withStatus(stalled('BranchStuckInInit'))],
    [
      'served, and the token runs out',
      withStatus([
        ready,
        condition('CredentialsFresh', 'False', 'MintFailed'),
        condition('Reconciling', 'True', 'ProviderUnreachable'),
      ]),
    ],
    ...[
      'Resetting',
      'WaitingForBranchSlot',
      'NamespaceLimitReached',
      'ClassLimitReached',
      'PausedByAnnotation',
    ].flatMap((reason): [string, StatusObject][] => [
      [`served, and a reset: ${reason}`, withStatus(servedAnd(reason))],
      [`served, and a reset that is not seen through: ${reason}`, edited(withStatus(servedAnd(reason)))],
      [`not served: ${reason}`, withStatus(waiting(reason))],
    ]),
    ['served, and trouble while an edit is followed', edited(withStatus(servedAnd('ProviderUnreachable')))],
    ['served, and a candidate that starts', edited(withStatus(servedAnd('BranchStarting')))],
    [
      'all that may be said beside',
      withStatus([
        ready,
        condition('Expiring', 'True', 'ExpiresSoon'),
        condition('ExpirationClamped', 'True', 'LeaseClamped'),
        condition('Drifted', 'True', 'DriftFound'),
        condition('Paused', 'True', 'PausedByAnnotation'),
      ]),
    ],
    ['a class with unleased branches', withStatus([ready, condition('Unleased', 'True', 'UnleasedBranches')])],
    [
      'held by children while it is deleted',
      aDatabaseBranch({
        metadata: { deletionTimestamp: '2026-09-21T14:00:00Z' },
        status: { observedGeneration: 1, conditions: stalled('DeletionBlockedByChildren') },
      }),
    ],
  ])('%s', (_what, object) => expectLawfulStatus(object));
});

describe('unlawful', () => {
  test.each<[string, StatusObject, string]>([
    ['no conditions at all', withStatus([]), 'Ready is missing'],
    ['two of a type', withStatus([ready, ready]), 'there twice'],
    [
      'a status without observedGeneration',
      aDatabaseBranch({ status: { conditions: [ready], observedGeneration: undefined } }),
      'observedGeneration is missing',
    ],
    [
      'a generation from the future',
      withStatus([condition('Ready', 'True', 'Available', { observedGeneration: 2 })], 2),
      'not a generation up to 1',
    ],
    [
      'a condition newer than the status',
      withStatus([condition('Ready', 'True', 'Available', { observedGeneration: 7 })]),
      'Ready has observedGeneration 7',
    ],
    [
      'a summary older than the status',
      { ...withStatus([ready], 2), metadata: { name: 'x', generation: 2 } },
      'Ready has observedGeneration 1, the status 2',
    ],
    [
      'a reason that is in no catalogue',
      withStatus([condition('Ready', 'False', 'CreateFailed'), condition('Reconciling', 'True', 'CreateFailed')]),
      'CreateFailed of Ready is not in the catalogue',
    ],
    [
      'a condition nobody documented',
      withStatus([ready, condition('Synced', 'True', 'Available')]),
      'Synced is not a condition of ours',
    ],
    ['an empty message', withStatus([condition('Ready', 'True', 'Available', { message: ' ' })]), 'no message'],
    [
      'a time without a zone',
      withStatus([condition('Ready', 'True', 'Available', { lastTransitionTime: '2026-09-21T12:00:10' })]),
      'lastTransitionTime 2026',
    ],
    [
      'Reconciling kept as False',
      withStatus([ready, condition('Reconciling', 'False', 'Available')]),
      'Reconciling is there although False',
    ],
    [
      'Reconciling and Stalled at once',
      withStatus([...stalled('Expired'), condition('Reconciling', 'True', 'Expired')]),
      'at once',
    ],
    [
      'Stalled although Ready',
      withStatus([ready, condition('Stalled', 'True', 'ClassNotFound')]),
      'Stalled although Ready',
    ],
    [
      'Reconciling although all is fresh',
      withStatus([
        ready,
        condition('CredentialsFresh', 'True', 'TokenFresh'),
        condition('Reconciling', 'True', 'Deleting'),
      ]),
      'Reconciling although Ready',
    ],
    [
      'served, and trouble that no edit explains',
      withStatus(servedAnd('ProviderUnreachable')),
      'Reconciling although Ready',
    ],
    [
      'served, and a candidate that no edit explains',
      withStatus(servedAnd('BranchStarting')),
      'Reconciling although Ready',
    ],
    [
      'served, and a matter for a person called work',
      edited(withStatus(servedAnd('ResetTokenReused'))),
      'Reconciling although Ready',
    ],
    ['a reset that claims to stall', withStatus(stalled('Resetting')), 'passes by itself'],
    ['a queue that claims to stall', withStatus(stalled('WaitingForBranchSlot')), 'passes by itself'],
    ...['Expiring', 'ExpirationClamped', 'Drifted', 'Paused', 'Unleased'].map(
      (type): [string, StatusObject, string] => [
        `${type} kept as False`,
        withStatus([ready, condition(type, 'False', 'Available')]),
        `${type} is there although False`,
      ],
    ),
    [
      'not Ready and no word why',
      withStatus([condition('Ready', 'False', 'BranchStarting')]),
      'neither Reconciling nor Stalled',
    ],
    [
      'a summary that says something else',
      withStatus([condition('Ready', 'False', 'Pending'), condition('Reconciling', 'True', 'BranchStarting')]),
      'Ready says Pending',
    ],
    ['not Ready with good news', withStatus(waiting('Available')), 'Ready=False with reason Available'],
    [
      'Succeeded for another reason than Ready',
      withStatus([...stalled('TargetExists'), condition('Succeeded', 'False', 'ClassNotFound')]),
      'Succeeded says ClassNotFound, Ready says TargetExists',
    ],
    [
      'Ready, and not known whether Succeeded',
      withStatus([condition('Ready', 'True', 'Restored'), condition('Succeeded', 'Unknown', 'Restored')]),
      'Succeeded=Unknown with Ready=True',
    ],
    [
      'never to be, and still at it',
      withStatus([...waiting('Restoring'), condition('Succeeded', 'False', 'Restoring')]),
      'Succeeded=False, and not Stalled',
    ],
    [
      'a restore with the good news of a branch',
      withStatus([ready, condition('Succeeded', 'True', 'Available')]),
      'Ready=True with reason Available',
    ],
    ['Stalled for what passes', withStatus(stalled('ProviderUnreachable')), 'passes by itself'],
    ['Reconciling for what only a person ends', withStatus(waiting('SecretNotOwned')), 'only a person can end'],
    [
      'NamespaceAllowed while allowed',
      withStatus([ready, condition('NamespaceAllowed', 'True', 'Available')]),
      'NamespaceAllowed is there',
    ],
    [
      'a token in a message',
      withStatus([condition('Ready', 'True', 'Available', { message: 'refused: eyJhbGciOiJSUzI1NiJ9.e30' })]),
      'shows a token',
    ],
  ])('%s', (_what, object, breach) => expect(() => expectLawfulStatus(object)).toThrow(breach));

  test('a transition time that moves while the status stays', () => {
    const later = withStatus([condition('Ready', 'True', 'Available', { lastTransitionTime: '2026-09-21T13:00:00Z' })]);
    expect(() => expectLawfulStatus(later, withStatus([ready]))).toThrow('lastTransitionTime of Ready moved');
    expect(() => expectLawfulStatus(later, withStatus(waiting('BranchStarting')))).not.toThrow();
  });
});

test.each<[string, StatusObject, ReturnType<typeof kstatusOf>]>([
  ['an object that nobody looked at', aDatabaseBranch({ status: statusBeforeFirstLook() }), 'InProgress'],
  ['a served object', withStatus([ready]), 'Current'],
  ['an edited object', { ...withStatus([ready]), metadata: { name: 'x', generation: 2 } }, 'InProgress'],
  ['a served object that is reset', withStatus(servedAnd('Resetting')), 'InProgress'],
  ['a waiting object', withStatus(waiting('BranchStarting')), 'InProgress'],
  ['a stalled object', withStatus(stalled('ClassNotFound')), 'Failed'],
  [
    'an object on its way out',
    aDatabaseBranch({ metadata: { deletionTimestamp: '2026-09-21T14:00:00Z' } }),
    'Terminating',
  ],
  ['an object with no status at all', aDatabaseBranch({ status: undefined }), 'Current'],
])('waiters see %s as %s', (_what, object, result) => expect(kstatusOf(object)).toBe(result));
