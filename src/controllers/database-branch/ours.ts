// Is the branch under our id really the one this object asked for? Pure.
import type { Binding } from '../../credentials/proof.ts';
import { parseBranchId } from '../../lakebase/ids.ts';
import type { Branch, Role } from '../../lakebase/model.ts';
import { deleteAgainMs } from './pacing.ts';
import type { BranchView, World } from './world.ts';

export interface Claim {
  /** Recorded uid; undefined when the branch was never served. */
  readonly recordedUid: string | undefined;
  /** The id of the source that was asked for, and whether another will do as well; asked only before the branch is served. */
  readonly source: string;
  readonly mayComeFrom: ((source: string | undefined) => boolean) | undefined;
  readonly objectCreated: Date;
  /** Provider's clock minus ours, already taken out of the branch's instants; what may remain of it, in ms. */
  readonly skewMs: number;
}

/** A branch made before the object existed is not the object's; the margin is for clocks that disagree. */
const createMarginMs = 10 * 60_000;

/** Undefined when the branch may be served; else the sentence that says why it is not ours. */
export function notOurs(
  branch: Branch,
  { recordedUid, source, mayComeFrom, objectCreated, skewMs }: Claim,
): string | undefined {
  if (recordedUid !== undefined && branch.uid !== recordedUid)
    return `branch ${branch.id} has uid ${branch.uid}, but this object made ${recordedUid}`;
  if (branch.isDefault || branch.isProtected)
    return `branch ${branch.id} is ${branch.isDefault ? 'the default branch' : 'protected'}`;
  if (!mayComeFrom) return undefined;
  if (!mayComeFrom(branch.sourceBranch))
    return `branch ${branch.id} was made from ${branch.sourceBranch ?? 'nothing (a root branch)'}, not from ${source}`;
  const earliest = objectCreated.getTime() - createMarginMs - Math.abs(skewMs);
  if (branch.createTime && branch.createTime.getTime() < earliest)
    return `branch ${branch.id} is older than this object`;
  return undefined;
}

/** To delete, the tag in the id and these suffice: the tag carries the object's uid. */
export const mayBeDeleted = (branch: Branch): boolean =>
  !branch.isDefault && !branch.isProtected && branch.sourceBranch !== undefined;

/**
 * A branch under the id of one that was served, with another uid: somebody made it in the place of ours. It is never
 * touched, although it carries our tag. Nor is one without the tag, which only a status that somebody edited can name.
 */
export function isStranger({ served, wish, object: { status } }: World, { id, uid }: Branch): boolean {
  if (wish && parseBranchId(id)?.tag !== parseBranchId(wish.branchId)?.tag) return true;
  const known = [served, status?.branch, ...(status?.superseded ?? [])];
  return known.some((one) => one?.id === id && one.uid !== undefined && one.uid !== uid);
}

/** Soft-deleted counts as gone: the id stays in nobody's list and no endpoint serves it. */
export const isGone = (branch: Branch): boolean => branch.state === 'DELETED' || branch.deleteTime !== undefined;

export type ThereView = BranchView & { readonly branch: { readonly seen: 'present'; readonly value: Branch } };

export const isThere = (view: BranchView): view is ThereView =>
  view.branch.seen === 'present' && !isGone(view.branch.value);

/** A DELETE was sent so lately that it need not be sent again. */
export const isBeingDeleted = ({ memory: { deletedMsAgo } }: Pick<BranchView, 'memory'>): boolean =>
  deletedMsAgo !== undefined && deletedMsAgo < deleteAgainMs;

/** What keeps the login from using its role, if anything: a wrong kind is for a person, a lacking membership is for us. */
export function roleDefect(role: Role, membershipRoles: readonly string[]): 'unusable' | 'lacksMembership' | undefined {
  if (role.authMethod !== 'LAKEBASE_OAUTH_V1' || role.identityType !== 'SERVICE_PRINCIPAL') return 'unusable';
  return membershipRoles.every((name) => role.membershipRoles.includes(name)) ? undefined : 'lacksMembership';
}

/** The endpoint is not the one that was proved, as far as this process has looked at it. */
export function endpointMoved({ memory: { endpoint } }: Pick<BranchView, 'memory'>, proved: Binding): boolean {
  if (endpoint === undefined) return false;
  if (endpoint === 'none') return true;
  return endpoint.uid !== proved.endpointUid || (endpoint.host !== undefined && endpoint.host !== proved.host);
}

/** Looked for, and not there any more. */
export const isAway = ({ branch }: Pick<BranchView, 'branch'>): boolean =>
  branch.seen === 'absent' || (branch.seen === 'present' && isGone(branch.value));
