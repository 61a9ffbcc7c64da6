// Whether the object may have branches at the provider that no status tells of. Pure.
import { ConditionType } from '../../api/v1alpha1/conditions.ts';
import type { DatabaseBranch } from '../../api/v1alpha1/database-branch.ts';
import { findCondition } from '../../kit/conditions.ts';

/** As the schema has it before the operator has said anything. */
export const isBlank = ({ status }: DatabaseBranch): boolean => (status?.observedGeneration ?? -1) < 0;

/**
 * Without a status, or with a Secret that no status explains, something was lost. And where something was under way when
 * this process took over, the one before may have asked for a branch and died before it said so. `met`: this process has
 * looked at the object before.
 */
export function mayHaveUntold(
  object: DatabaseBranch,
  { hasSecret, met }: { hasSecret: boolean; met: boolean },
): boolean {
  if (isBlank(object) || (hasSecret && !object.status?.branch)) return true;
  return !met && isUnderWay(object);
}

const isUnderWay = ({ status, metadata }: DatabaseBranch): boolean =>
  status?.observedGeneration !== metadata.generation ||
  findCondition(status?.conditions ?? [], ConditionType.Reconciling) !== undefined;
