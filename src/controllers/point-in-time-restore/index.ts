// Which changes wake which restores, and the parts of the loop put together.
import { isDeepStrictEqual } from 'node:util';
import { annotationKey, pointInTimeRestoreResource } from '../../api/names.ts';
import type { BranchClass } from '../../api/v1alpha1/branch-class.ts';
import type { DatabaseBranch } from '../../api/v1alpha1/database-branch.ts';
import type { PointInTimeRestore } from '../../api/v1alpha1/point-in-time-restore.ts';
import type { Cache } from '../../kit/cache.ts';
import type { Clock } from '../../kit/clock.ts';
import type { EventRecorder } from '../../kit/events.ts';
import { isConflict, isNotFound, keyOf, type Kube } from '../../kit/kube.ts';
import type { Logger } from '../../kit/log.ts';
import type { WorkQueue } from '../../kit/queue.ts';
import { lookAgain, settled, type Next } from '../../kit/result.ts';
import { isWritten, writeStatus } from '../../kit/status.ts';
import type { Measure } from '../../metrics/measurement.ts';
import type { Namespaces } from '../namespaces.ts';
import { reconcile, type ReconcileDeps } from './reconcile.ts';

export interface PointInTimeRestoreDeps {
  readonly kube: Kube;
  readonly clock: Clock;
  /** With the indexes `branch`, `class` and `source`. */
  readonly restores: Cache<PointInTimeRestore>;
  readonly objects: Cache<DatabaseBranch>;
  readonly classes: Cache<BranchClass>;
  readonly namespaces: Namespaces;
  readonly events: EventRecorder;
  readonly measured: Measure;
  readonly log: Logger;
}

/** The index under which restores are found that name a class. */
export const classKeysOf = ({ spec }: PointInTimeRestore): string[] =>
  spec.source.databaseBranchRef === undefined ? [spec.source.className ?? 'default'] : [];

/** The index under which restores are found that go back on the branch of another object. */
export const sourceKeysOf = ({ metadata, spec }: PointInTimeRestore): string[] => {
  const name = spec.source.databaseBranchRef?.name;
  return name === undefined ? [] : [`${metadata.namespace ?? ''}/${name}`];
};

export function pointInTimeRestoreController({ restores, clock, ...deps }: PointInTimeRestoreDeps): {
  reconcile: (key: string, signal: AbortSignal) => Promise<Next>;
} {
  const made = new Set<string>();
  restores.subscribe((change, { metadata }) => {
    if (change === 'delete') made.delete(metadata.uid ?? '');
  });
  const parts: ReconcileDeps = {
    ...deps,
    made,
    now: () => clock.now(),
    writeStatus: (restore, status, signal) =>
      writeStatus(deps.kube, pointInTimeRestoreResource, restore, status, { signal }),
    tell: (restore, announcements) => {
      for (const announcement of announcements)
        deps.events.record({ ...announcement, regarding: restore, resource: pointInTimeRestoreResource });
    },
    log: ({ metadata: { namespace, name } }, plan, outcome) =>
      deps.log.info({ kind: 'PointInTimeRestore', namespace, name, plan: plan.do, outcome }, 'step'),
  };
  return {
    reconcile: async (key, signal) => {
      const restore = restores.get(key);
      if (!restore) return settled;
      try {
        return await reconcile(parts, restore, signal);
      } catch (error) {
        // The restore or its namespace changed or went while it was worked on; the cache is about to say so.
        if (isConflict(error)) return lookAgain(200, 'changed meanwhile');
        if (isNotFound(error)) return lookAgain(1000, 'gone meanwhile');
        throw error;
      }
    },
  };
}

/** A restore wakes itself; so does the object that it made or would make, the one it goes back on, and its class. */
export function wakePointInTimeRestores(
  { restores, objects, classes }: Pick<PointInTimeRestoreDeps, 'restores' | 'objects' | 'classes'>,
  queue: WorkQueue,
): void {
  const wake = (found: readonly PointInTimeRestore[], priority: 'high' | 'low'): void => {
    for (const restore of found) if (!isOver(restore)) queue.add(keyOf(restore.metadata), priority);
  };
  restores.subscribe((change, restore, old) => {
    if (change === 'update' && old !== undefined && !asksForMore(restore, old)) return;
    queue.add(keyOf(restore.metadata), restores.synced ? 'high' : 'low');
  });
  objects.subscribe((change, object) => {
    const key = keyOf(object.metadata);
    wake(restores.byIndex('branch', key), objects.synced ? 'high' : 'low');
    if (change !== 'update') wake(restores.byIndex('source', key), 'low');
  });
  classes.subscribe((_change, { metadata: { name } }) => {
    wake(restores.byIndex('class', name), 'low');
    for (const { metadata } of objects.byIndex('class', name)) wake(restores.byIndex('source', keyOf(metadata)), 'low');
  });
}

/** It was marked as over, and its status says so. */
const isOver = ({ metadata, status }: PointInTimeRestore): boolean =>
  metadata.annotations?.[annotationKey.ended] !== undefined && status?.completionTime !== undefined;

/** A change of status wakes nobody, because we wrote it; unless it was lost. */
function asksForMore(restore: PointInTimeRestore, { metadata: old }: PointInTimeRestore): boolean {
  const asked = ({ generation, deletionTimestamp, annotations }: PointInTimeRestore['metadata']): unknown[] => [
    generation,
    deletionTimestamp,
    annotations,
  ];
  return !isWritten(restore.status) || !isDeepStrictEqual(asked(restore.metadata), asked(old));
}
