// Takes one step: the only way in which this controller writes, but for the status. Every step may be repeated.
import { annotationKey, databaseBranchResource, pointInTimeRestoreResource } from '../../api/names.ts';
import type { DatabaseBranch } from '../../api/v1alpha1/database-branch.ts';
import type { RestoreEnd } from '../../api/v1alpha1/ends.ts';
import type { PointInTimeRestore } from '../../api/v1alpha1/point-in-time-restore.ts';
import { Reason } from '../../api/v1alpha1/reasons.ts';
import {
  isAlreadyExists,
  isConflict,
  isNamespaceTerminating,
  KubeError,
  type Kube,
  type KubeObject,
} from '../../kit/kube.ts';
import { endedMark } from '../../lakebase/ids.ts';
import { branchNameOf, branchSourceOf } from '../restores.ts';
import { namespaceTerminating, type State } from './plan.ts';

/**
 * - `made`    the object is there
 * - `stale`   what the step rested on has changed meanwhile: start again from a read
 * - `refused` the API server does not take the object
 */
export type Created =
  | { readonly is: 'made'; readonly object: DatabaseBranch }
  | { readonly is: 'stale' }
  | { readonly is: 'refused'; readonly state: State };

/**
 * The one write that matters, so the restore is read once more before it: one that was deleted, or is over since, makes
 * nothing. Throws KubeError and KubeUnreachable of answers that say nothing about the object.
 */
export async function createBranch(
  kube: Kube,
  restore: PointInTimeRestore,
  className: string,
  signal: AbortSignal,
): Promise<Created> {
  const { namespace, name, uid, resourceVersion } = restore.metadata;
  const { metadata } = await kube.get(pointInTimeRestoreResource, { namespace, name }, { signal });
  if (metadata.uid !== uid || metadata.resourceVersion !== resourceVersion) return { is: 'stale' };
  const branch = branchOf(restore, className);
  try {
    const object = await kube.create<KubeObject>(databaseBranchResource, branch, { signal });
    return { is: 'made', object: object as DatabaseBranch };
  } catch (error) {
    if (isAlreadyExists(error) || isConflict(error)) return { is: 'stale' };
    if (!(error instanceof KubeError) || !refusals.has(error.code)) throw error;
    return { is: 'refused', state: refusal(branch.metadata.name, error) };
  }
}

/** Without an owner: it outlives its restore. */
function branchOf(restore: PointInTimeRestore, className: string): KubeObject & { spec: object } {
  const { metadata: template, spec } = restore.spec.branchTemplate ?? {};
  const { namespace, uid = '' } = restore.metadata;
  return {
    metadata: {
      ...(namespace === undefined ? {} : { namespace }),
      name: branchNameOf(restore),
      ...(template?.labels ? { labels: template.labels } : {}),
      annotations: { ...template?.annotations, [annotationKey.restore]: uid },
    },
    spec: { ...spec, className, source: branchSourceOf(restore) },
  };
}

/** Invalid, forbidden by a quota or a webhook, too large: it would be refused again as it is. */
const refusals: ReadonlySet<number> = new Set([400, 403, 413, 422]);

function refusal(name: string, error: KubeError): State {
  if (isNamespaceTerminating(error)) return namespaceTerminating;
  return {
    is: 'stalled',
    reason: Reason.RequestRefused,
    message: `the API server does not take DatabaseBranch ${name}: ${error.status.message ?? error.message}. Remove what stands in the way, then it goes on by itself; or create another restore with another spec.branchTemplate`,
  };
}

/** On the restore itself, and before its status says so: a restore that comes back without a status must not begin anew. */
export function markEnded(
  kube: Kube,
  { metadata: { namespace, name, uid, resourceVersion } }: PointInTimeRestore,
  { reason, time }: { reason: RestoreEnd; time: Date },
  signal: AbortSignal,
): Promise<PointInTimeRestore> {
  const annotations = { [annotationKey.ended]: `${endedMark('')}/${reason}/${time.toISOString()}` };
  return kube.mergePatch<PointInTimeRestore>(
    pointInTimeRestoreResource,
    { namespace, name },
    { metadata: { uid, resourceVersion, annotations } },
    { signal },
  );
}
