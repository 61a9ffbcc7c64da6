// The id of a branch is a function of the object it is made for: nothing has to be remembered to find it again.
import { shortHash } from './hash.ts';

/** Who a branch is made for. `resetToken` is '' until the first reset. */
export interface BranchIdentity {
  readonly clusterID: string;
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
  readonly resetToken: string;
}

export interface BranchIdParts {
  /** Readable and meaningless: two ids that differ only here name the same branch. */
  readonly slug: string;
  /** Says which object of which cluster: `branchTag`. */
  readonly tag: string;
  /** Says which reset of that object: `resetPart`. */
  readonly reset: string;
}

/** Ids have at most 63 characters: slug, tag (16), reset (6) and the two hyphens between them. */
const slugLength = 39;

const recogniser = /^[a-z][a-z0-9-]*-[a-z2-7]{16}-[a-z2-7]{6}$/;

/** 16 characters that all branches of one object share, and no branch of another object has. */
export const branchTag = (clusterID: string, uid: string): string =>
  shortHash(`c/${clusterID}`, 6) + shortHash(`o/${clusterID}/${uid}`, 10);

/** 6 characters that tell the branches of one object apart. */
export const resetPart = (uid: string, resetToken: string): string => shortHash(`r/${uid}/${resetToken}`, 6);

/** Marks a reset token as ended. Without the uid, so that it still counts for an object restored from a backup. */
export const endedMark = (resetToken: string): string => shortHash(`t/${resetToken}`, 6);

/** The wanted branch: at most 63 characters, matches `^[a-z][a-z0-9-]{1,61}[a-z0-9]$`. */
export const branchId = ({ clusterID, namespace, name, uid, resetToken }: BranchIdentity): string =>
  `${slugOf(namespace, name)}-${branchTag(clusterID, uid)}-${resetPart(uid, resetToken)}`;

/** Undefined for an id that this scheme did not make. An id that looks like one may still be somebody else's. */
export function parseBranchId(id: string): BranchIdParts | undefined {
  if (!recogniser.test(id)) return undefined;
  // From the end, because only the slug has no fixed length.
  return { slug: id.slice(0, -24), tag: id.slice(-23, -7), reset: id.slice(-6) };
}

/** True if both ids name the same branch of the same object; false also when either is not of this scheme. */
export function sameBranch(a: string, b: string): boolean {
  const [left, right] = [parseBranchId(a), parseBranchId(b)];
  return left !== undefined && right !== undefined && left.tag === right.tag && left.reset === right.reset;
}

function slugOf(namespace: string, name: string): string {
  const words = `${namespace}-${name}`.replaceAll(/[^a-z0-9]+/g, '-');
  const slug = /^[a-z]/.test(words) ? words : `b-${words}`;
  return slug.slice(0, slugLength).replace(/-$/, '');
}
