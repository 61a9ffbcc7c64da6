// How objects can end for good: API, because people wait for these and alert on them.
import { Reason } from './reasons.ts';

/** The past that was asked for was not made, cannot be made any more, or may not be asked for. */
export const pastEnds = [
  Reason.TimeSkewTooLarge,
  Reason.RestoreWindowExceeded,
  Reason.RestoreTimeInFuture,
  Reason.CreateRefused,
] as const;
export type PastEnd = (typeof pastEnds)[number];

/** Of a branch that was there. */
export const lifeEnds = [Reason.Expired, Reason.LeaseLapsed, Reason.DeletedExternally] as const;

/** Of a DatabaseBranch. */
export const branchEnds = [...lifeEnds, ...pastEnds] as const;
export type BranchEnd = (typeof branchEnds)[number];

/** Of a PointInTimeRestore. */
export const restoreEnds = [
  Reason.Restored,
  ...pastEnds,
  Reason.RestoreSourceNotFound,
  Reason.RestoredBranchGone,
] as const;
export type RestoreEnd = (typeof restoreEnds)[number];
