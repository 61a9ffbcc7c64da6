// Edits of objects that people and GitOps write too.
import { databaseBranchResource } from '../api/names.ts';
import type { DatabaseBranch } from '../api/v1alpha1/database-branch.ts';
import { isConflict, type KubeObject } from '../kit/kube.ts';
import { getBranch, type Cluster } from './cluster.ts';
import type { Terminal } from './terminal.ts';

const attempts = 5;

export interface Patch {
  readonly metadata?: { readonly annotations?: Readonly<Record<string, string | null>> };
  readonly spec?: object;
}

/**
 * Reads, decides, writes over exactly what was read; again when somebody was faster, because then the decision may be
 * another one. A merge patch and not an apply: an apply would take back what an earlier command had set and this one does
 * not name. `decide` throws to refuse; undefined means that there is nothing to do.
 */
export async function editBranch(
  cluster: Cluster,
  name: string,
  decide: (object: DatabaseBranch) => Patch | undefined,
): Promise<DatabaseBranch> {
  for (let attempt = 1; ; attempt++) {
    const object = await getBranch(cluster, name);
    try {
      return await patchBranch(cluster, object, decide(object));
    } catch (error) {
      if (!isConflict(error) || attempt === attempts) throw error;
    }
  }
}

/** Throws KubeError Conflict when the object has changed since it was read. */
export async function patchBranch(
  { kube }: Pick<Cluster, 'kube'>,
  object: DatabaseBranch,
  patch: Patch | undefined,
): Promise<DatabaseBranch> {
  if (!patch) return object;
  const { namespace, name, resourceVersion } = object.metadata;
  const body = { ...patch, metadata: { ...patch.metadata, resourceVersion } };
  return (await kube.mergePatch<KubeObject>(databaseBranchResource, { namespace, name }, body)) as DatabaseBranch;
}

/** Tools that would write their own version of the spec over ours, by the marks that they leave. */
export function gitOpsOwner({ metadata: { annotations = {}, labels = {} } }: DatabaseBranch): string | undefined {
  if (
    annotations['argocd.argoproj.io/tracking-id'] !== undefined ||
    labels['argocd.argoproj.io/instance'] !== undefined
  )
    return 'Argo CD';
  if (labels['kustomize.toolkit.fluxcd.io/name'] !== undefined || labels['helm.toolkit.fluxcd.io/name'] !== undefined)
    return 'Flux';
  if (annotations['meta.helm.sh/release-name'] !== undefined)
    return `Helm (release ${annotations['meta.helm.sh/release-name']})`;
  return undefined;
}

export function warnOfGitOps(terminal: Terminal, object: DatabaseBranch, fields: string): void {
  const owner = gitOpsOwner(object);
  if (owner === undefined) return;
  terminal.note(
    `warning: ${owner} manages this object and may write its own ${fields} over this edit: change it there too`,
  );
}
