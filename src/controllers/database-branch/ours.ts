// Is the branch under our id really the one this object asked for? Pure.
import type { Branch, Role } from '../../lakebase/model.ts';

export interface Claim {
  /** Recorded uid; undefined when the object has never seen one. */
  readonly recordedUid: string | undefined;
  readonly source: string;
  readonly objectCreated: Date;
  /** Provider's clock minus ours, already taken out of the branch's instants; what may remain of it, in ms. */
  readonly skewMs: number;
}

/** A branch made before the object existed is not the object's; the margin is for clocks that disagree. */
const createMarginMs = 10 * 60_000;

/** Undefined when the branch may be served; else the sentence that says why it is not ours. */
export function notOurs(branch: Branch, { recordedUid, source, objectCreated, skewMs }: Claim): string | undefined {
  if (recordedUid !== undefined && branch.uid !== recordedUid)
    return `branch ${branch.id} has uid ${branch.uid}, but this object made ${recordedUid}`;
  if (branch.isDefault || branch.isProtected)
    return `branch ${branch.id} is ${branch.isDefault ? 'the default branch' : 'protected'}`;
  if (branch.sourceBranch !== source)
    return `branch ${branch.id} was made from ${branch.sourceBranch ?? 'nothing (a root branch)'}, not from ${source}`;
  const earliest = objectCreated.getTime() - createMarginMs - Math.abs(skewMs);
  if (branch.createTime && branch.createTime.getTime() < earliest)
    return `branch ${branch.id} is older than this object`;
  return undefined;
}

/** To delete, the tag in the id and these suffice: the tag carries the object's uid. */
export const mayBeDeleted = (branch: Branch): boolean =>
  !branch.isDefault && !branch.isProtected && branch.sourceBranch !== undefined;

/** Soft-deleted counts as gone: the id stays in nobody's list and no endpoint serves it. */
export const isGone = (branch: Branch): boolean => branch.state === 'DELETED' || branch.deleteTime !== undefined;

/** What keeps the login from using its role, if anything: a wrong kind is for a person, a lacking membership is for us. */
export function roleDefect(role: Role, membershipRoles: readonly string[]): 'unusable' | 'lacksMembership' | undefined {
  if (role.authMethod !== 'LAKEBASE_OAUTH_V1' || role.identityType !== 'SERVICE_PRINCIPAL') return 'unusable';
  return membershipRoles.every((name) => role.membershipRoles.includes(name)) ? undefined : 'lacksMembership';
}
