// Events: for people, on transitions only. Pure.
import { ConditionType } from '../../api/v1alpha1/conditions.ts';
import type { PointInTimeRestore } from '../../api/v1alpha1/point-in-time-restore.ts';
import { findCondition } from '../../kit/conditions.ts';
import type { Condition } from '../../kit/kube.ts';
import type { Announcement } from '../database-branch/announce.ts';
import { secretNameOf } from '../database-branch/wish.ts';
import { branchNameOf, branchSourceOf } from '../restores.ts';
import { isFromBackup, type World } from './world.ts';

/** Nothing in a namespace that is being deleted: no Event can be made there; and nothing that a backup only repeats. */
export function announce(world: World, after: PointInTimeRestore, created: boolean): Announcement[] {
  if (world.namespace.terminating || isFromBackup(world)) return [];
  return [...(created ? [started(after)] : []), ...over(world, after)];
}

function started(restore: PointInTimeRestore): Announcement {
  const { branch, databaseBranchRef, time, lsn } = branchSourceOf(restore);
  const source = branch ?? `DatabaseBranch ${databaseBranchRef?.name ?? ''}`;
  const instant = time === undefined ? `at ${lsn ?? ''}` : `as of ${time}`;
  return {
    type: 'Normal',
    reason: 'RestoreStarted',
    action: 'CreateDatabaseBranch',
    note: `made DatabaseBranch ${branchNameOf(restore)}, which asks for ${source} ${instant}`,
  };
}

function over(world: World, after: PointInTimeRestore): Announcement[] {
  const was = succeeded(world.restore)?.status;
  const is = succeeded(after);
  if (!is || is.status === 'Unknown' || is.status === was) return [];
  if (is.status === 'False') return [{ type: 'Warning', reason: 'RestoreFailed', action: 'Restore', note: is.message }];
  return [{ type: 'Normal', reason: 'Restored', action: 'Restore', note: `${is.message}${howToUse(world)}` }];
}

const succeeded = ({ status }: PointInTimeRestore): Condition | undefined =>
  findCondition(status?.conditions ?? [], ConditionType.Succeeded);

function howToUse({ restore, target }: World): string {
  if (target.is !== 'ours') return '';
  const secret = `kubectl get secret -n ${restore.metadata.namespace ?? ''} ${secretNameOf(target.object)}`;
  return `. To look into it: psql "$(${secret} -o jsonpath='{.data.uri}' | base64 -d)"`;
}
