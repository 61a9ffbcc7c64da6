// Which objects wake which keys, and the parts of the loop put together.
import { isDeepStrictEqual } from 'node:util';
import { branchClassResource, databaseBranchResource } from '../../api/names.ts';
import type { BranchClass } from '../../api/v1alpha1/branch-class.ts';
import type { DatabaseBranch } from '../../api/v1alpha1/database-branch.ts';
import type { PointInTimeRestore } from '../../api/v1alpha1/point-in-time-restore.ts';
import type { Cache } from '../../kit/cache.ts';
import type { Clock } from '../../kit/clock.ts';
import { findCondition } from '../../kit/conditions.ts';
import type { EventRecorder } from '../../kit/events.ts';
import { isNotFound, keyOf, type Kube } from '../../kit/kube.ts';
import type { Logger } from '../../kit/log.ts';
import type { WorkQueue } from '../../kit/queue.ts';
import { lookAgain, settled, type Next } from '../../kit/result.ts';
import { isWritten, writeStatus } from '../../kit/status.ts';
import type { Login } from '../../lakebase/login.ts';
import type { Measure } from '../../metrics/measurement.ts';
import type { Namespaces } from '../namespaces.ts';
import type { Projects } from '../projects.ts';
import type { Providers } from '../providers.ts';
import { branchNameOf, isMadeBy } from '../restores.ts';
import { act } from './act.ts';
import { Memory } from './memory.ts';
import { look, lookAround } from './look.ts';
import { observe } from './observe.ts';
import type { Left } from './plan.ts';
import { reconciler } from './reconcile.ts';
import { Slots } from './slots.ts';
import { Turns, type Due } from './turns.ts';
import { secretNameOf } from './wish.ts';

export interface DatabaseBranchDeps {
  readonly kube: Kube;
  readonly clock: Clock;
  readonly objects: Cache<DatabaseBranch>;
  readonly classes: Cache<BranchClass>;
  /** With the index `branch`: by what `branchKeysOf` gives. */
  readonly restores: Cache<PointInTimeRestore>;
  readonly providers: Providers;
  readonly namespaces: Namespaces;
  readonly login: Login;
  readonly events: EventRecorder;
  readonly log: Logger;
  /** The present one, then those that it replaced. */
  readonly clusterIDs: readonly string[];
  /** Ms after which a deletion stops waiting for a provider that cannot be reached, if a lease removes the branch. */
  readonly maxWaitMs: number;
  readonly projects: Projects;
  /** How many unarchived branches the provider allows in a project. */
  readonly projectLimit: number;
  /** Puts a key into the queue, before others. */
  readonly wake: (key: string) => void;
  /** Told of every object that was let go although its branch is still there. */
  readonly onLeft: (left: Left) => void;
  readonly measured: Measure;
}

/** The index under which objects are found that ask for the same Secret. */
export const secretKeyOf = (object: DatabaseBranch): string =>
  `${object.metadata.namespace ?? ''}/${secretNameOf(object)}`;

/** The index under which objects are found that are to be forked from the branch of another. */
export const parentKeysOf = ({ metadata, spec }: DatabaseBranch): string[] => {
  const name = spec.source?.databaseBranchRef?.name;
  return name === undefined ? [] : [`${metadata.namespace ?? ''}/${name}`];
};

/** The index under which restores are found that made an object, or would. */
export const branchKeysOf = (restore: PointInTimeRestore): string[] => [
  `${restore.metadata.namespace ?? ''}/${branchNameOf(restore)}`,
];

/** Call when leadership begins: the memory counts from here. */
export function databaseBranchController(deps: DatabaseBranchDeps): {
  reconcile: (key: string, signal: AbortSignal) => Promise<Next>;
} {
  const { kube, clock, objects } = deps;
  const memory = new Memory(clock);
  const restoreOf = (object: DatabaseBranch): PointInTimeRestore | undefined =>
    deps.restores.byIndex('branch', keyOf(object.metadata)).find((restore) => isMadeBy(object, restore));
  const slots = new Slots({
    ...deps,
    restoreOf,
    newest: (object) => memory.newest(object),
    aside: (object) => memory.standsAside(object),
    started: ({ metadata }) => memory.hasPosted(metadata.uid ?? ''),
  });
  // A slot that our own deletion has freed wakes those who are next in line, so that they need not look for it.
  deps.projects.onFreed((project) => slots.next(project, wokenAtOnce).forEach(deps.wake));
  const turns = new Turns({ nowMs: () => clock.monotonicMs(), wake: deps.wake });
  turns.expect(objects.list().flatMap((object) => dueOf(object, clock.now())));
  objects.subscribe((change, { metadata }) => {
    if (change !== 'delete') return;
    memory.forget(metadata.uid ?? '');
    turns.forget(metadata.uid ?? '');
  });
  const pass = reconciler({
    observe: (object, signal) => observe({ ...deps, restoreOf, memory, slots, turns }, object, signal),
    look: (sighting, at, of, signal) => look({ ...deps, restoreOf, memory, slots, turns }, sighting, at, of, signal),
    lookAround: (sighting, at, signal) =>
      lookAround({ ...deps, restoreOf, memory, slots, turns }, sighting, at, signal),
    act: (sighting, plan, signal) => act({ ...deps, memory, slots }, sighting, plan, signal),
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
    left: (object, left) => sayLeft(deps, object, left),
    measured: deps.measured,
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
      } finally {
        turns.passed(object.metadata.uid ?? '');
      }
    },
  };
}

/** By its status; what its Secret says is read before anything is done. */
function dueOf({ metadata, status }: DatabaseBranch, now: Date): Due[] {
  const { credentials, branch } = status ?? {};
  if (!credentials?.renewTime || !credentials.expireTime || !branch?.workspace) return [];
  if (now < new Date(credentials.renewTime)) return [];
  const expireTime = new Date(credentials.expireTime);
  return [{ uid: metadata.uid ?? '', key: keyOf(metadata), workspace: branch.workspace, expireTime, inMs: 0 }];
}

/** One slot, one object; the next two in case the first cannot. */
const wokenAtOnce = 3;

/** Said on the class, because the object is gone and its namespace may be. */
function sayLeft({ classes, events, log, onLeft }: DatabaseBranchDeps, object: DatabaseBranch, left: Left): void {
  const { namespace, name } = object.metadata;
  const branch = object.status?.branch?.id ?? 'unknown';
  const until = left.until?.toISOString() ?? 'nobody does';
  log.warn({ namespace, name, branch, how: left.how, until }, 'the object is gone, its branch is not');
  onLeft(left);
  const regarding = classes.get(object.spec.className);
  if (!regarding) return;
  const note =
    left.how === 'Retained'
      ? `branch ${branch} of ${namespace}/${name} is retained (deletionPolicy: Retain); the provider removes it: ${until}`
      : `${namespace}/${name} was let go while the provider could not be reached; the lease of its branch ${branch} ends at ${until}, then the provider removes it`;
  const type = left.how === 'Retained' ? 'Normal' : 'Warning';
  events.record({ type, reason: left.how, action: 'Release', note, regarding, resource: branchClassResource });
}

/** Objects wake themselves; a class wakes all that name it. */
export function wakeDatabaseBranches(
  { objects, classes, restores }: Pick<DatabaseBranchDeps, 'objects' | 'classes' | 'restores'>,
  queue: WorkQueue,
): void {
  objects.subscribe((change, object, old) => {
    // Whoever waited for the name of its Secret may have it now.
    if (change === 'delete')
      for (const rival of objects.byIndex('secretName', secretKeyOf(object))) queue.add(keyOf(rival.metadata));
    if (old === undefined || mayBeParent(object) !== mayBeParent(old))
      for (const child of objects.byIndex('parent', keyOf(object.metadata))) queue.add(keyOf(child.metadata));
    if (change === 'update' && old !== undefined && !asksForMore(object, old)) return;
    queue.add(keyOf(object.metadata), objects.synced ? 'high' : 'low');
  });
  // Without its restore an object has no claim to what only restores may have.
  restores.subscribe((change, restore) => {
    if (change !== 'update') for (const key of branchKeysOf(restore)) if (objects.get(key)) queue.add(key);
  });
  classes.subscribe((change, bclass, old) => {
    if (change === 'update' && old !== undefined && !matters(bclass, old)) return;
    for (const object of objects.byIndex('class', bclass.metadata.name)) queue.add(keyOf(object.metadata), 'low');
  });
}

/** What those wait for that are to be forked from the object's branch. */
const mayBeParent = ({ metadata, spec, status }: DatabaseBranch): string =>
  JSON.stringify([metadata.deletionTimestamp, spec.children, status?.branch?.id, status?.expiration?.enforcedBy]);

/**
 * A change of status wakes nobody: it was written by us, or by another process that believes to lead, and two that
 * wake each other never rest. Only that it was lost does, which neither of them causes.
 */
function asksForMore(object: DatabaseBranch, before: DatabaseBranch): boolean {
  if (!isWritten(object.status) && isWritten(before.status)) return true;
  const asked = ({ generation, deletionTimestamp, annotations, finalizers }: DatabaseBranch['metadata']): unknown[] => [
    generation,
    deletionTimestamp,
    annotations,
    finalizers,
  ];
  return !isDeepStrictEqual(asked(object.metadata), asked(before.metadata));
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
