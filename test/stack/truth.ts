// Whether what Kubernetes was told agrees with what the provider has in its books. Pure.
import { annotationKey } from '../../src/api/names.ts';
import type { Secret } from '../../src/credentials/secret.ts';
import type { BranchFacts } from '../../src/emulator/emulator.ts';
import { branchTag, parseBranchId } from '../../src/lakebase/ids.ts';
import type { Sighting } from './recorder.ts';

/** Everything that is wrong with any version of any Secret that was ever seen: each must open the branch of its object. */
export function untrueSecrets(
  sightings: readonly Sighting<Secret>[],
  branches: readonly BranchFacts[],
  clusterID: string,
): string[] {
  return sightings.flatMap(({ object }) => {
    const { namespace = '', name, ownerReferences, annotations } = object.metadata;
    const host = Buffer.from(object.data?.['host'] ?? '', 'base64').toString();
    const owner = ownerReferences?.find(({ controller }) => controller)?.uid ?? '';
    const opened = branches.filter(({ endpoints }) => Object.values(endpoints).some((each) => each.host === host));
    const [branch] = opened;
    const wrong = (what: string): string[] => [`Secret ${namespace}/${name} with host ${host}: ${what}`];
    if (!branch || opened.length > 1) return wrong(`${opened.length} branches have this host`);
    if (parseBranchId(branch.id)?.tag !== branchTag(clusterID, owner))
      return wrong(`it opens ${branch.id}, which was not made for its owner ${owner}`);
    if (annotations?.[annotationKey.branchUid] !== branch.uid) return wrong(`it says to open another uid`);
    return [];
  });
}

/** Ids of branches by the object that they were made for, deleted ones included. */
export function branchesByOwner(branches: readonly BranchFacts[]): Map<string, string[]> {
  const byOwner = new Map<string, string[]>();
  for (const { id, uid } of branches) {
    const tag = parseBranchId(id)?.tag;
    if (tag !== undefined) byOwner.set(tag, [...(byOwner.get(tag) ?? []), uid]);
  }
  return byOwner;
}
