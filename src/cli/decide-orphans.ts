// Which branches at the provider have no object. Pure. An id carries a hash of the cluster and a hash of the object, so that
// a branch of another cluster can be told from one of ours, but not whether that cluster still exists.
import type { Branch } from '../lakebase/model.ts';
import { branchTag, parseBranchId } from '../lakebase/ids.ts';
import { defined } from './branch.ts';

/**
 * - `orphan`   made by this cluster, for an object that is not there
 * - `unclear`  of our kind, but made under a cluster id that we do not know
 */
export interface Found {
  readonly is: 'orphan' | 'unclear';
  readonly project: string;
  readonly host: string;
  readonly branchId: string;
  readonly createTime?: string;
  /** When the provider removes it; absent: never. */
  readonly expireTime?: string;
}

export interface Inventory {
  readonly host: string;
  readonly project: string;
  readonly branches: readonly Branch[];
  /** Of every DatabaseBranch in the cluster. */
  readonly uids: readonly string[];
  /** The present one and those before it, as far as they are known. */
  readonly clusterIDs: readonly string[];
}

/** The part of a tag that the cluster alone decides. */
const clusterPart = (tag: string): string => tag.slice(0, 6);

export function decideOrphans({ host, project, branches, uids, clusterIDs }: Inventory): Found[] {
  const owned = new Set(clusterIDs.flatMap((clusterID) => uids.map((uid) => branchTag(clusterID, uid))));
  const clusters = new Set(clusterIDs.map((clusterID) => clusterPart(branchTag(clusterID, ''))));
  return branches.flatMap((branch) => {
    const parts = parseBranchId(branch.id);
    if (!parts || branch.state === 'DELETED' || owned.has(parts.tag)) return [];
    const is = clusters.has(clusterPart(parts.tag)) ? 'orphan' : 'unclear';
    return [
      defined({
        is,
        project,
        host,
        branchId: branch.id,
        createTime: branch.createTime?.toISOString(),
        expireTime: branch.expireTime?.toISOString(),
      }) as Found,
    ];
  });
}
