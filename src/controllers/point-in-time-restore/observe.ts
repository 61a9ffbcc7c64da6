// Looks, and writes nothing.
import { annotationKey, databaseBranchResource } from '../../api/names.ts';
import type { BranchClass } from '../../api/v1alpha1/branch-class.ts';
import type { DatabaseBranch } from '../../api/v1alpha1/database-branch.ts';
import { restoreEnds } from '../../api/v1alpha1/ends.ts';
import type { PointInTimeRestore } from '../../api/v1alpha1/point-in-time-restore.ts';
import { Reason } from '../../api/v1alpha1/reasons.ts';
import type { Cache } from '../../kit/cache.ts';
import { isNotFound, keyOf, type Kube } from '../../kit/kube.ts';
import { endedOf } from '../database-branch/observe.ts';
import type { Namespaces } from '../namespaces.ts';
import { branchNameOf, isMadeBy } from '../restores.ts';
import type { Ended } from './plan.ts';
import type { ClassSeen, TargetSeen, World } from './world.ts';

export interface ObserveDeps {
  readonly kube: Kube;
  readonly objects: Cache<DatabaseBranch>;
  readonly classes: Cache<BranchClass>;
  readonly namespaces: Namespaces;
  /** Uids of restores whose object this process has seen. */
  readonly made: Set<string>;
}

/** Throws KubeError or KubeUnreachable: without the API server nothing is decided. */
export async function observe(deps: ObserveDeps, restore: PointInTimeRestore, signal: AbortSignal): Promise<World> {
  const { uid = '', namespace = '' } = restore.metadata;
  const ended = endedAs(restore);
  const target = await targetSeen(deps, restore, ended !== undefined, signal);
  if (target.is === 'ours') deps.made.add(uid);
  return {
    restore,
    ended,
    made: deps.made.has(uid) || restore.status?.branchRef !== undefined,
    target,
    bclass: await classSeen(deps, restore, { over: ended !== undefined, signal }),
    namespace: await deps.namespaces.read(namespace),
  };
}

/** What was marked as over never makes anything again, whatever became of the rest of the mark. */
function endedAs({ metadata }: PointInTimeRestore): Ended | undefined {
  const mark = endedOf(metadata.annotations?.[annotationKey.ended], '');
  if (!mark) return undefined;
  const reason = restoreEnds.find((known) => known === mark.reason) ?? Reason.RestoredBranchGone;
  const time = new Date(mark.time);
  return Number.isNaN(time.getTime()) ? { reason } : { reason, time };
}

async function targetSeen(
  { kube, objects }: ObserveDeps,
  restore: PointInTimeRestore,
  over: boolean,
  signal: AbortSignal,
): Promise<TargetSeen> {
  const key = { namespace: restore.metadata.namespace, name: branchNameOf(restore) };
  const object = await named({ kube, objects }, key, over, signal);
  if (!object) return { is: 'absent' };
  return { is: isMadeBy(object, restore) ? 'ours' : 'foreign', object };
}

/** The cache may be behind: that an object is not there is believed of the API server only. */
async function named(
  { kube, objects }: Pick<ObserveDeps, 'kube' | 'objects'>,
  key: { namespace: string | undefined; name: string },
  over: boolean,
  signal: AbortSignal,
): Promise<DatabaseBranch | undefined> {
  return objects.get(keyOf(key)) ?? (over ? undefined : await fetched(kube, key, signal));
}

async function fetched(
  kube: Kube,
  key: { namespace: string | undefined; name: string },
  signal: AbortSignal,
): Promise<DatabaseBranch | undefined> {
  try {
    return await kube.get<DatabaseBranch>(databaseBranchResource, key, { signal });
  } catch (error) {
    if (isNotFound(error)) return undefined;
    throw error;
  }
}

async function classSeen(
  { kube, objects, classes }: ObserveDeps,
  { metadata: { namespace }, spec }: PointInTimeRestore,
  { over, signal }: { over: boolean; signal: AbortSignal },
): Promise<ClassSeen> {
  const source = spec.source.databaseBranchRef?.name;
  const parent =
    source === undefined ? undefined : await named({ kube, objects }, { namespace, name: source }, over, signal);
  if (source !== undefined && !parent) return { is: 'sourceUnknown', source };
  const name = parent?.spec.className ?? spec.source.className ?? 'default';
  const value = classes.get(name);
  return value ? { is: 'known', value } : { is: 'unknown', name };
}
