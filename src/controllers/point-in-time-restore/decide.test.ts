import { describe, expect, test } from 'vitest';
import type { Change } from '../../../test/builders/merge.ts';
import { aPointInTimeRestore } from '../../../test/builders/point-in-time-restore.ts';
import {
  aCondition,
  aRestoreWorld,
  aRestoringClass,
  restoreNow as now,
  served,
  theBranchOf,
} from '../../../test/builders/restore-world.ts';
import { annotationKey } from '../../api/names.ts';
import type { DatabaseBranch } from '../../api/v1alpha1/database-branch.ts';
import type { PointInTimeRestore } from '../../api/v1alpha1/point-in-time-restore.ts';
import type { Condition } from '../../kit/kube.ts';
import { endedMark } from '../../lakebase/ids.ts';
import { decide } from './decide.ts';
import type { Plan } from './plan.ts';
import type { World } from './world.ts';

/** In one line. */
function told(plan: Plan): string {
  switch (plan.do) {
    case 'create':
      return `create in ${plan.className}`;
    case 'end':
      return `end ${plan.reason}`;
    case 'nothing':
      return 'nothing';
    case 'say':
      return plan.state.is === 'restored' ? 'restored' : `${plan.state.is} ${plan.state.reason}`;
  }
}

const at = (time: string): World['restore'] => aPointInTimeRestore({ spec: { target: { time } } });
const known = (change: Parameters<typeof aRestoringClass>[0]): Partial<World> => ({
  bclass: { is: 'known', value: aRestoringClass(change) },
});
const stranger = theBranchOf(aPointInTimeRestore({ metadata: { uid: 'another' } }));
const gone = { metadata: { deletionTimestamp: '2026-09-21T12:00:00Z' } };

const createdAgo = (ms: number): PointInTimeRestore =>
  aPointInTimeRestore({ metadata: { creationTimestamp: new Date(now.getTime() - ms).toISOString() } });

describe('before anything was made', () => {
  test.each<[sentence: string, Partial<World>, told: string]>([
    ['all is well', {}, 'create in default'],
    ['nothing was said of it yet', { restore: aPointInTimeRestore({ status: undefined }) }, 'create in default'],
    [
      'a position of the log needs no window',
      { restore: aPointInTimeRestore({ spec: { target: { time: undefined, lsn: '0/1' } } }) },
      'create in default',
    ],
    [
      'what had passed when it was asked for has passed, though our clock is behind',
      {
        restore: aPointInTimeRestore({
          metadata: { creationTimestamp: '2026-09-21T12:05:00Z' },
          spec: { target: { time: undefined, ago: '1m' } },
        }),
      },
      'create in default',
    ],
    [
      'also as an instant, to the second',
      {
        restore: aPointInTimeRestore({
          metadata: { creationTimestamp: '2026-09-21T12:05:00Z' },
          spec: { target: { time: '2026-09-21T12:05:00Z' } },
        }),
      },
      'create in default',
    ],
    [
      'and not later than that',
      {
        restore: aPointInTimeRestore({
          metadata: { creationTimestamp: '2026-09-21T12:05:00Z' },
          spec: { target: { time: '2026-09-21T12:05:00.001Z' } },
        }),
      },
      'end RestoreTimeInFuture',
    ],
    ['the restore is being deleted', { restore: aPointInTimeRestore(gone) }, 'nothing'],
    [
      'and its object is ready',
      {
        restore: aPointInTimeRestore(gone),
        target: { is: 'ours', object: theBranchOf(aPointInTimeRestore(), { status: served() }) },
      },
      'nothing',
    ],
    ['the namespace goes', { namespace: { labels: {}, terminating: true } }, 'underWay NamespaceTerminating'],
    ['the class is not there', { bclass: { is: 'unknown', name: 'x' } }, 'stalled ClassNotFound'],
    [
      'the source is not there yet',
      { bclass: { is: 'sourceUnknown', source: 'x' }, restore: createdAgo(119_999) },
      'underWay SourceRefNotFound',
    ],
    [
      'the source does not come',
      { bclass: { is: 'sourceUnknown', source: 'x' }, restore: createdAgo(120_000) },
      'end RestoreSourceNotFound',
    ],
    ['the class goes', known(gone), 'stalled ClassTerminating'],
    [
      'the class does not allow the namespace',
      { namespace: { labels: {}, terminating: false } },
      'stalled NamespaceNotAllowed',
    ],
    ['the class says nothing of restores', known({ spec: { restore: undefined } }), 'stalled RestoreNotAllowed'],
    ['the class forbids restores', known({ spec: { restore: { allowed: false } } }), 'stalled RestoreNotAllowed'],
    [
      'the class wants restores only',
      known({ spec: { restore: { via: 'PointInTimeRestoreOnly' } } }),
      'create in default',
    ],
    ['an instant to come', { restore: at('2026-09-21T12:05:00Z') }, 'end RestoreTimeInFuture'],
    ['an instant that clocks may differ about', { restore: at('2026-09-21T12:00:30Z') }, 'create in default'],
    ['an instant at the edge of the window', { restore: at('2026-09-14T12:00:00.250Z') }, 'create in default'],
    ['an instant before it', { restore: at('2026-09-14T12:00:00.249Z') }, 'end RestoreWindowExceeded'],
    [
      'an instant before what the project keeps',
      { restore: at('2026-09-21T09:00:00Z'), ...known({ status: { historyRetention: '2h' } }) },
      'end RestoreWindowExceeded',
    ],
    [
      'a class that forbids comes before an instant that is too old',
      { restore: at('2026-01-01T00:00:00Z'), ...known({ spec: { restore: undefined } }) },
      'stalled RestoreNotAllowed',
    ],
    ['somebody has the name', { target: { is: 'foreign', object: stranger } }, 'stalled TargetExists'],
    ['it was made once and is gone', { made: true }, 'end RestoredBranchGone'],
    [
      'it was made once and another has its place',
      { made: true, target: { is: 'foreign', object: stranger } },
      'end RestoredBranchGone',
    ],
  ])('%s', (_sentence, part, expected) => {
    expect(told(decide(aRestoreWorld(part), now))).toBe(expected);
  });
});

const waits: Change<DatabaseBranch['status']> = {
  conditions: [
    aCondition('Ready', 'False', 'WaitingForBranchSlot', 'there is no room'),
    aCondition('Reconciling', 'True', 'WaitingForBranchSlot', 'there is no room'),
  ],
};
const stalled: Change<DatabaseBranch['status']> = {
  conditions: [
    aCondition('Ready', 'False', 'SourceExpires', 'it expires'),
    aCondition('Stalled', 'True', 'SourceExpires', 'it expires'),
  ],
};
const unheardOf: Change<DatabaseBranch['status']> = {
  conditions: [
    aCondition('Ready', 'False', 'OfTomorrow', 'who knows'),
    aCondition('Stalled', 'True', 'OfTomorrow', 'who knows'),
  ],
};
const ended = (reason: string, token = ''): Change<DatabaseBranch['metadata']> => ({
  annotations: { [annotationKey.ended]: `${endedMark(token)}/${reason}/2026-09-21T12:00:05.000Z` },
});
const skewed: Change<DatabaseBranch['status']> = {
  conditions: [
    aCondition('Ready', 'False', 'TimeSkewTooLarge', 'm'),
    aCondition('Stalled', 'True', 'TimeSkewTooLarge', 'm'),
  ],
};
const restored = { restored: { actualTime: '2026-09-21T11:00:00.000Z' } };

test('the refusal names the namespace', () => {
  const plan = decide(aRestoreWorld({ namespace: { labels: {}, terminating: false } }), now);
  expect(plan).toMatchObject({ state: { message: expect.stringContaining('does not allow namespace preview-42:') } });
});

describe('once the object is there', () => {
  test.each<[sentence: string, Change<DatabaseBranch>, told: string, words?: RegExp]>([
    ['nobody has looked at it yet', {}, 'underWay Restoring', /^DatabaseBranch undo: Pending: Waiting for controller$/],
    ['it has no status at all', { status: undefined }, 'underWay Restoring', /^DatabaseBranch undo: Pending: /],
    [
      'it waits for room',
      { status: waits },
      'underWay Restoring',
      /^DatabaseBranch undo: WaitingForBranchSlot: there is no room$/,
    ],
    ['a person has to help it', { status: stalled }, 'stalled SourceExpires', /^DatabaseBranch undo: it expires$/],
    [
      'a person has to help it, for a reason that only a newer operator knows',
      { status: unheardOf },
      'underWay Restoring',
      /^DatabaseBranch undo: OfTomorrow: who knows$/,
    ],
    ['it is ready', { status: served() }, 'end Restored'],
    ['it is ready and goes', { ...gone, status: served() }, 'end RestoredBranchGone'],
    ['it goes', gone, 'end RestoredBranchGone'],
    ['it has expired', { metadata: ended('Expired') }, 'end RestoredBranchGone'],
    [
      'it had ended before it was reset',
      { metadata: ended('Expired'), spec: { reset: { token: '1' } } },
      'underWay Restoring',
    ],
    [
      'it is about to say how far it is off',
      { metadata: ended('TimeSkewTooLarge') },
      'underWay Restoring',
      /about to say/,
    ],
    ['it says how far it is off', { metadata: ended('TimeSkewTooLarge'), status: restored }, 'end TimeSkewTooLarge'],
    [
      'it is too old a past',
      { metadata: ended('RestoreWindowExceeded'), status: restored },
      'end RestoreWindowExceeded',
    ],
    ['or one to come', { metadata: ended('RestoreTimeInFuture'), status: restored }, 'end RestoreTimeInFuture'],
    ['or the provider refuses it', { metadata: ended('CreateRefused'), status: restored }, 'end CreateRefused'],
    [
      'it says that it is off, and nothing is left to tell by how much',
      { metadata: ended('TimeSkewTooLarge'), status: skewed },
      'end TimeSkewTooLarge',
    ],
    [
      'it is off, and goes',
      { metadata: { ...ended('TimeSkewTooLarge'), ...gone.metadata }, status: restored },
      'end TimeSkewTooLarge',
    ],
  ])('%s', (_sentence, change, expected, words) => {
    const restore = aPointInTimeRestore();
    const target: World['target'] = { is: 'ours', object: theBranchOf(restore, change) };
    // What the class says now matters no more.
    for (const bclass of [aRestoreWorld().bclass, { is: 'unknown', name: 'default' } as const]) {
      const plan = decide(aRestoreWorld({ restore, target, bclass, made: true }), now);
      expect(told(plan)).toBe(expected);
      expect(plan.do === 'say' ? plan.state.message : '').toMatch(words ?? /^/);
    }
  });
});

test('a mark that somebody took away is put back as it was, by what the status says', () => {
  const completionTime = '2026-09-21T12:00:04.750Z';
  const status = (conditions: Condition[]): Change<PointInTimeRestore> => ({ status: { completionTime, conditions } });
  const over = aPointInTimeRestore(status([aCondition('Succeeded', 'True', 'Restored', 'm')]));
  expect(decide(aRestoreWorld({ restore: over }), now)).toEqual({
    do: 'end',
    reason: 'Restored',
    time: new Date(completionTime),
  });
  const edited = aPointInTimeRestore({ status: { conditions: over.status?.conditions ?? [] } });
  expect(told(decide(aRestoreWorld({ restore: edited }), now))).toBe('create in default');
  const underWay = aPointInTimeRestore(status([aCondition('Succeeded', 'Unknown', 'Restoring', 'm')]));
  expect(told(decide(aRestoreWorld({ restore: underWay }), now))).toBe('create in default');
});

describe('once it is over, nothing is made or ended again', () => {
  const ours: World['target'] = { is: 'ours', object: theBranchOf(aPointInTimeRestore()) };
  test.each<[World['target']]>([[{ is: 'absent' }], [{ is: 'foreign', object: stranger }], [ours]])('%o', (target) => {
    const over = (reason: NonNullable<World['ended']>['reason']): string =>
      told(decide(aRestoreWorld({ ended: { reason, time: now }, target }), now));
    expect(over('Restored')).toBe('restored');
    for (const reason of [
      'RestoreTimeInFuture',
      'RestoreWindowExceeded',
      'TimeSkewTooLarge',
      'RestoredBranchGone',
    ] as const)
      expect(over(reason)).toBe(`failed ${reason}`);
  });
});
