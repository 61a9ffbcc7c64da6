// Which objects wake which keys, and the parts of the loop put together.
import { isDeepStrictEqual } from 'node:util';
import { databaseBranchResource } from '../../api/names.ts';
import type { BranchClass } from '../../api/v1alpha1/branch-class.ts';
import type { DatabaseBranch } from '../../api/v1alpha1/database-branch.ts';
import type { Cache } from '../../kit/cache.ts';
import type { Clock } from '../../kit/clock.ts';
import { findCondition } from '../../kit/conditions.ts';
import type { EventRecorder } from '../../kit/events.ts';
import { isNotFound, keyOf, type Kube } from '../../kit/kube.ts';
import type { Logger } from '../../kit/log.ts';
import type { WorkQueue } from '../../kit/queue.ts';
import { lookAgain, settled, type Next } from '../../kit/result.ts';
import { writeStatus } from '../../kit/status.ts';
import type { Login } from '../../lakebase/login.ts';
import type { Namespaces } from '../namespaces.ts';
import type { Providers } from '../providers.ts';
import { act } from './act.ts';
import { Memory } from './memory.ts';
import { look } from './look.ts';
import { observe } from './observe.ts';
import { reconciler } from './reconcile.ts';
import { secretNameOf } from './wish.ts';

export interface DatabaseBranchDeps {
  readonly kube: Kube;
  readonly clock: Clock;
  readonly objects: Cache<DatabaseBranch>;
  readonly classes: Cache<BranchClass>;
  readonly providers: Providers;
  readonly namespaces: Namespaces;
  readonly login: Login;
  readonly events: EventRecorder;
  readonly log: Logger;
  readonly clusterID: string;
}

/** The index under which objects are found that ask for the same Secret. */
export const secretKeyOf = (object: DatabaseBranch): string =>
  `${object.metadata.namespace ?? ''}/${secretNameOf(object)}`;

/** Call when leadership begins: the memory counts from here. */
export function databaseBranchController(deps: DatabaseBranchDeps): {
  reconcile: (key: string, signal: AbortSignal) => Promise<Next>;
} {
  const { kube, clock, objects } = deps;
  const memory = new Memory(clock);
  objects.subscribe((change, { metadata }) => {
    if (change === 'delete') memory.forget(metadata.uid ?? '');
  });
  const pass = reconciler({
    observe: (object, signal) => observe({ ...deps, memory }, object, signal),
    look: (sighting, at, signal) => look({ ...deps, memory }, sighting, at, signal),
    act: (sighting, plan, signal) => act({ ...deps, memory }, sighting, plan, signal),
    writeStatus: (object, status, signal) => writeStatus(kube, databaseBranchResource, object, status, { signal }),
    tell: (object, announcements) => {
      for (const announcement of announcements)
        deps.events.record({ ...announcement, regarding: object, resource: databaseBranchResource });
    },
    log: (object, plan, outcome) => {
      if (plan.do === 'wait' || plan.do === 'idle') return;
      const fields = {
        namespace: object.metadata.namespace,
        name: object.metadata.name,
        plan: plan.do,
        outcome: outcome.is,
      };
      deps.log.info(
        outcome.is === 'failed'
          ? {
              ...fields,
              code: outcome.error.code,
              traceId: outcome.error.details.traceId,
              error: outcome.error.message,
            }
          : fields,
        'step',
      );
    },
    memory,
    now: () => clock.now(),
  });
  return {
    reconcile: async (key, signal) => {
      const object = objects.get(key);
      if (!object) return settled;
      try {
        return await pass(object, signal);
      } catch (error) {
        // The object or its namespace went while it was worked on; the cache is about to say so.
        if (isNotFound(error)) return lookAgain(1000, 'gone meanwhile');
        throw error;
      }
    },
  };
}

/** Objects wake themselves; a class wakes all that name it. */
export function wakeDatabaseBranches(
  { objects, classes }: Pick<DatabaseBranchDeps, 'objects' | 'classes'>,
  queue: WorkQueue,
): void {
  objects.subscribe((change, object, old) => {
    // Whoever waited for the name of its Secret may have it now.
    if (change === 'delete')
      for (const rival of objects.byIndex('secretName', secretKeyOf(object))) queue.add(keyOf(rival.metadata));
    if (change === 'update' && old !== undefined && !asksForMore(object, old)) return;
    queue.add(keyOf(object.metadata), objects.synced ? 'high' : 'low');
  });
  classes.subscribe((change, bclass, old) => {
    if (change === 'update' && old !== undefined && !matters(bclass, old)) return;
    for (const object of objects.byIndex('class', bclass.metadata.name)) queue.add(keyOf(object.metadata), 'low');
  });
}

/**
 * A change of status wakes nobody: it was written by us, or by another process that believes to lead, and two that
 * wake each other never rest. A status that somebody wiped is written again at the next pass.
 */
function asksForMore({ metadata }: DatabaseBranch, { metadata: old }: DatabaseBranch): boolean {
  const asked = ({ generation, deletionTimestamp, annotations, finalizers }: DatabaseBranch['metadata']): unknown[] => [
    generation,
    deletionTimestamp,
    annotations,
    finalizers,
  ];
  return !isDeepStrictEqual(asked(metadata), asked(old));
}

/** A class that only repeats its status wakes nobody. */
function matters(bclass: BranchClass, old: BranchClass): boolean {
  const ready = ({ status }: BranchClass): string | undefined =>
    findCondition(status?.conditions ?? [], 'Ready')?.reason;
  const terminating = ({ metadata }: BranchClass): boolean => metadata.deletionTimestamp !== undefined;
  return (
    bclass.metadata.generation !== old.metadata.generation ||
    terminating(bclass) !== terminating(old) ||
    ready(bclass) !== ready(old)
  );
}
