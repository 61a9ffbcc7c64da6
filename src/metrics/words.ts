// The closed sets of values that labels have.
import { ConditionType } from '../api/v1alpha1/conditions.ts';
import { Reason } from '../api/v1alpha1/reasons.ts';

/** The loops, by the names that their metrics have. */
export const controllers = ['databasebranch', 'branchclass', 'pointintimerestore'] as const;

/**
 * - `deleting` has a deletion timestamp
 * - `ended`    expired, lapsed, or deleted at the provider by somebody; not made again by itself
 * - `ready`    the Secret holds a login that works
 * - `stalled`  goes on only when a person does something
 * - `progressing` all else: the operator is at work, or waits for something that passes
 */
export const objectStates = ['ready', 'progressing', 'stalled', 'ended', 'deleting'] as const;
export type State = (typeof objectStates)[number];

export const toldConditions = [
  ConditionType.Drifted,
  ConditionType.Expiring,
  ConditionType.ExpirationClamped,
  ConditionType.LoginReachesSource,
  ConditionType.Paused,
] as const;

export const restoreStates = ['running', 'succeeded', 'failed'] as const;

/** Reasons that say: what is there could not be proved to be the object's own, so nothing is handed out or touched. */
export const refusalReasons = [
  Reason.BranchNotOurs,
  Reason.EndpointMismatch,
  Reason.RoleUnusable,
  Reason.SecretNotOwned,
  Reason.ClusterIDChanged,
  Reason.ClassMoved,
  Reason.ClockSkewed,
  Reason.TimeSkewTooLarge,
] as const;
