// What to do with a class. Pure.
import type { BranchClass } from '../../api/v1alpha1/branch-class.ts';
import type { DatabaseBranch } from '../../api/v1alpha1/database-branch.ts';
import { databaseBranchFinalizer } from '../../api/names.ts';
import { ConditionType } from '../../api/v1alpha1/conditions.ts';
import { Reason } from '../../api/v1alpha1/reasons.ts';
import { findCondition } from '../../kit/conditions.ts';
import type { LakebaseError } from '../../lakebase/errors.ts';
import type { Project } from '../../lakebase/model.ts';
import type { Counts } from './counts.ts';

export type ProjectSeen =
  | { readonly seen: 'notAsked' }
  | { readonly seen: 'unusable'; readonly reason: Reason; readonly message: string }
  | { readonly seen: 'unknown'; readonly error: LakebaseError }
  | { readonly seen: 'present'; readonly value: Project };

export interface World {
  readonly bclass: BranchClass;
  readonly deleting: boolean;
  /** Our finalizer is there: the class stays while branches need it to be deleted. */
  readonly held: boolean;
  readonly users: number;
  readonly counts: Counts;
  /** How many unarchived branches the provider allows in the project. */
  readonly projectLimit: number;
  readonly project: ProjectSeen;
}

export type Plan = { readonly do: 'hold' } | { readonly do: 'release' } | { readonly do: 'report' };

/** One step per pass; holding comes first, because a class that goes takes the way to its branches with it. */
export function decide({ deleting, held, users }: World): Plan {
  if (users > 0 && !held && !deleting) return { do: 'hold' };
  if (users === 0 && held) return { do: 'release' };
  return { do: 'report' };
}

/**
 * An object holds its class from its claim until its finalizer goes. One that was refused before the provider was ever
 * asked does not, so that a class with a mistake in it can be deleted; nor one that has ended and left nothing.
 */
export function holdsClass({ metadata, status }: DatabaseBranch): boolean {
  if (!metadata.finalizers?.includes(databaseBranchFinalizer)) return false;
  if (status?.branch || status?.candidate || status?.superseded) return true;
  const stalled = findCondition(status?.conditions ?? [], ConditionType.Stalled);
  return !stalled || !askedNobody.has(stalled.reason);
}

/** Reasons that come before the first request for a branch, and those of an object that has ended. */
const askedNobody = new Set<string>([
  Reason.ClassNotFound,
  Reason.ClassNotReady,
  Reason.ClassTerminating,
  Reason.CredentialsNotFound,
  Reason.AudienceNotConfigured,
  Reason.NamespaceNotAllowed,
  Reason.SourceNotAllowed,
  Reason.SourceRefNotAllowed,
  Reason.SecretNotOwned,
  Reason.ExpirationExceedsMaximum,
  Reason.NeverExpireNotAllowed,
  Reason.EndpointSizeNotAllowed,
  Reason.TemplateInvalid,
  Reason.Expired,
  Reason.LeaseLapsed,
  Reason.DeletedExternally,
]);
