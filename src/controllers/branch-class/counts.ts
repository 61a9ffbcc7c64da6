// What the objects of a class add up to, for its status. Pure.
import type { BranchClass, BranchClassStatus } from '../../api/v1alpha1/branch-class.ts';
import { ConditionType } from '../../api/v1alpha1/conditions.ts';
import type { DatabaseBranch } from '../../api/v1alpha1/database-branch.ts';
import { Reason } from '../../api/v1alpha1/reasons.ts';
import { findCondition, removeCondition } from '../../kit/conditions.ts';
import { holdsSlot } from '../database-branch/standing.ts';

export interface Counts {
  /** Objects with a branch, or with their first one in the making. */
  readonly used: number;
  /** Objects that wait for room. */
  readonly queued: number;
  /** `namespace/name` of objects whose branch only the operator removes in time, sorted. */
  readonly unleased: readonly string[];
}

export function countsOf(objects: readonly DatabaseBranch[]): Counts {
  return {
    used: objects.filter(isUsing).length,
    queued: objects.filter(isQueued).length,
    unleased: objects
      .filter(isUnleased)
      .map(({ metadata }) => `${metadata.namespace ?? ''}/${metadata.name}`)
      .sort(),
  };
}

/** Whether two versions of an object add the same to the counts. */
export const countTheSame = (a: DatabaseBranch, b: DatabaseBranch): boolean =>
  [isUsing, isQueued, isUnleased].every((counts) => counts(a) === counts(b));

/** Without a limit of the class: one branch of every project is its root, which no object makes. */
export const limitOf = ({ spec }: BranchClass, projectLimit: number): number => spec.limits?.total ?? projectLimit - 1;

/** `next` with what it counts taken from `old`: for the time in which no new counts are written. */
export function withCountsOf(old: BranchClassStatus, next: BranchClassStatus): BranchClassStatus {
  const { used: _, queued: __, unleased: ___, ...rest } = next;
  const { used, queued, unleased } = old;
  const condition = findCondition(old.conditions ?? [], ConditionType.Unleased);
  const conditions = removeCondition(next.conditions ?? [], ConditionType.Unleased);
  return {
    ...rest,
    ...(used ? { used } : {}),
    ...(queued === undefined ? {} : { queued }),
    ...(unleased === undefined ? {} : { unleased }),
    // Of all its names this one is the last, so the list stays sorted.
    conditions: [...conditions, ...(condition ? [condition] : [])],
  };
}

const isUsing = (object: DatabaseBranch): boolean => holdsSlot(object, () => false);

const waiting = new Set<string | undefined>([
  Reason.WaitingForBranchSlot,
  Reason.ClassLimitReached,
  Reason.NamespaceLimitReached,
]);

const isQueued = ({ status }: DatabaseBranch): boolean =>
  status?.queue !== undefined ||
  waiting.has(findCondition(status?.conditions ?? [], ConditionType.Reconciling)?.reason);

const isUnleased = ({ status }: DatabaseBranch): boolean =>
  status?.branch !== undefined && status.expiration?.enforcedBy === 'Operator';
