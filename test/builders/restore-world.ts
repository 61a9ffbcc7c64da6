// What a restore sees, as far as its tests have to say.
import { annotationKey } from '../../src/api/names.ts';
import type { BranchClass } from '../../src/api/v1alpha1/branch-class.ts';
import type { DatabaseBranch } from '../../src/api/v1alpha1/database-branch.ts';
import type { PointInTimeRestore } from '../../src/api/v1alpha1/point-in-time-restore.ts';
import type { World } from '../../src/controllers/point-in-time-restore/world.ts';
import { branchNameOf, branchSourceOf } from '../../src/controllers/restores.ts';
import type { Condition } from '../../src/kit/kube.ts';
import { aBranchClass } from './branch-class.ts';
import { aDatabaseBranch } from './database-branch.ts';
import { changed, type Change } from './merge.ts';
import { aPointInTimeRestore } from './point-in-time-restore.ts';

export const restoreNow = new Date('2026-09-21T12:00:00.250Z');

export const aRestoringClass = (change: Change<BranchClass> = {}): BranchClass =>
  changed(aBranchClass({ spec: { restore: { allowed: true, maxAge: '168h', via: 'Any' } } }), change);

/** Nothing was made yet, and nothing stands in the way. */
export const aRestoreWorld = (part: Partial<World> = {}): World => ({
  restore: aPointInTimeRestore(),
  ended: undefined,
  made: false,
  target: { is: 'absent' },
  bclass: { is: 'known', value: aRestoringClass() },
  namespace: { labels: { preview: 'true' }, terminating: false },
  ...part,
});

export const aCondition = (type: string, status: Condition['status'], reason: string, message: string): Condition => ({
  type,
  status,
  reason,
  message,
  lastTransitionTime: '2026-09-21T12:00:00Z',
  observedGeneration: 1,
});

/** The DatabaseBranch of a restore, a second later than the restore itself. */
export const theBranchOf = (restore: PointInTimeRestore, change: Change<DatabaseBranch> = {}): DatabaseBranch =>
  changed(
    aDatabaseBranch({
      metadata: {
        namespace: restore.metadata.namespace,
        name: branchNameOf(restore),
        creationTimestamp: '2026-09-21T12:00:01Z',
        annotations: { [annotationKey.restore]: restore.metadata.uid ?? '' },
      },
      spec: { source: branchSourceOf(restore) },
    }),
    change,
  );

/** What such an object says when it is served. */
export const served = (actualTime?: string): NonNullable<DatabaseBranch['status']> => ({
  observedGeneration: 1,
  conditions: [aCondition('Ready', 'True', 'Available', 'the Secret opens it')],
  ...(actualTime === undefined ? {} : { restored: { requestedTime: '2026-09-21T11:59:02.000Z', actualTime } }),
});
