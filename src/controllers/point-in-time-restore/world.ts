// All that a decision about a restore may rest on.
import { ConditionType } from '../../api/v1alpha1/conditions.ts';
import type { BranchClass } from '../../api/v1alpha1/branch-class.ts';
import type { DatabaseBranch } from '../../api/v1alpha1/database-branch.ts';
import { restoreEnds } from '../../api/v1alpha1/ends.ts';
import type { PointInTimeRestore } from '../../api/v1alpha1/point-in-time-restore.ts';
import { findCondition } from '../../kit/conditions.ts';
import type { Condition } from '../../kit/kube.ts';
import type { Ended } from './plan.ts';

export interface World {
  readonly restore: PointInTimeRestore;
  readonly ended: Ended | undefined;
  /** The status, or this process, has seen the object that the restore made. */
  readonly made: boolean;
  readonly target: TargetSeen;
  readonly bclass: ClassSeen;
  readonly namespace: { readonly labels: Readonly<Record<string, string>>; readonly terminating: boolean };
}

/** The DatabaseBranch that has the name; it is `ours` if this restore made it. */
export type TargetSeen =
  { readonly is: 'absent' } | { readonly is: 'ours' | 'foreign'; readonly object: DatabaseBranch };

export type ClassSeen =
  | { readonly is: 'known'; readonly value: BranchClass }
  | { readonly is: 'unknown'; readonly name: string }
  /** The class is that of a DatabaseBranch, which does not exist. */
  | { readonly is: 'sourceUnknown'; readonly source: string };

export const readiness = ({ status }: DatabaseBranch): Condition | undefined =>
  findCondition(status?.conditions ?? [], ConditionType.Ready);

/** How the restore ended, as its status says. */
export function endOnRecord({ status }: PointInTimeRestore): Ended | undefined {
  const succeeded = findCondition(status?.conditions ?? [], ConditionType.Succeeded);
  const reason = restoreEnds.find((known) => known === succeeded?.reason);
  if (!reason || status?.completionTime === undefined) return undefined;
  return { reason, time: new Date(status.completionTime) };
}

/** As much as the clocks of the API server and of the operator's node may differ. */
const clockToleranceMs = 60_000;

/** It had ended before it was created: it comes from a backup, and what follows from its creation means nothing. */
export function isFromBackup({ restore, ended }: Pick<World, 'restore' | 'ended'>): boolean {
  const created = Date.parse(restore.metadata.creationTimestamp ?? '');
  return ended?.time !== undefined && ended.time.getTime() < created - clockToleranceMs;
}
