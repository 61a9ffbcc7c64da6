// What a PointInTimeRestore asks for, and whether a DatabaseBranch is what one asked for. Pure.
import { isDeepStrictEqual } from 'node:util';
import { parseDuration } from '../api/duration.ts';
import { annotationKey } from '../api/names.ts';
import type { BranchClass } from '../api/v1alpha1/branch-class.ts';
import type { DatabaseBranch } from '../api/v1alpha1/database-branch.ts';
import type { PointInTimeRestore } from '../api/v1alpha1/point-in-time-restore.ts';
import { Reason } from '../api/v1alpha1/reasons.ts';

/** The instant that the restore goes back to, as it was written; undefined where it asks for a position of the log. */
export function requestedTime({ metadata, spec }: PointInTimeRestore): Date | undefined {
  const { time, ago } = spec.target;
  if (time !== undefined) return new Date(time);
  if (ago === undefined) return undefined;
  return new Date(Date.parse(metadata.creationTimestamp ?? '') - parseDuration(ago));
}

/** Name of the DatabaseBranch that the restore makes, in its own namespace. */
export const branchNameOf = ({ metadata, spec }: PointInTimeRestore): string =>
  spec.branchTemplate?.metadata?.name ?? metadata.name;

/** `spec.source` of that DatabaseBranch. */
export function branchSourceOf(restore: PointInTimeRestore): NonNullable<DatabaseBranch['spec']['source']> {
  const { branch, databaseBranchRef } = restore.spec.source;
  const time = requestedTime(restore)?.toISOString();
  return {
    ...(branch === undefined ? {} : { branch }),
    ...(databaseBranchRef === undefined ? {} : { databaseBranchRef }),
    ...(time === undefined ? { lsn: restore.spec.target.lsn ?? '' } : { time, maxSkew: restore.spec.maxSkew }),
  };
}

/**
 * Whether the restore is the one that made the object. The annotation alone is worth nothing, because everybody who may
 * write DatabaseBranches can write it: name, source and target have to be what the restore says, and so has the class,
 * unless that is the class of the object that the source refers to.
 */
export function isMadeBy({ metadata, spec }: DatabaseBranch, restore: PointInTimeRestore): boolean {
  const { source } = restore.spec;
  const { className = 'default' } = source;
  return (
    metadata.annotations?.[annotationKey.restore] === restore.metadata.uid &&
    metadata.namespace === restore.metadata.namespace &&
    metadata.name === branchNameOf(restore) &&
    (source.databaseBranchRef !== undefined || spec.className === className) &&
    isDeepStrictEqual(spec.source, branchSourceOf(restore))
  );
}

/** An instant may be this far ahead of our clock before it is taken for a mistake; up to there the provider decides. */
const clockToleranceMs = 60_000;

/** The earliest instant that can be asked for: by the class, and by the history that the provider keeps of the project. */
export function earliestTime({ spec, status }: BranchClass, now: Date): Date {
  const kept = [spec.restore?.maxAge, status?.historyRetention].filter((length) => length !== undefined);
  return new Date(now.getTime() - Math.min(...kept.map(parseDuration)));
}

/**
 * Why an instant cannot be gone back to, by the clock and by the class. `created`: when it was asked for by the clock of
 * the API server; what lay in the past then has come, whatever our own clock says.
 */
export function instantProblem(
  requested: Date,
  bclass: BranchClass,
  { now, created }: { now: Date; created: string | undefined },
): PastProblem | undefined {
  const asked = requested.toISOString();
  const hasPassed = created !== undefined && requested <= new Date(created);
  if (!hasPassed && requested.getTime() > now.getTime() + clockToleranceMs)
    return {
      reason: Reason.RestoreTimeInFuture,
      message: `${asked} has not come yet, it is ${now.toISOString()}: ask for an instant that has passed, and check its zone`,
    };
  const earliest = earliestTime(bclass, now);
  if (requested >= earliest) return undefined;
  const { name } = bclass.metadata;
  return {
    reason: Reason.RestoreWindowExceeded,
    message: `${asked} is too long ago: the earliest is ${earliest.toISOString()}, by spec.restore.maxAge of class ${name} (${bclass.spec.restore?.maxAge ?? ''}) and the history of its project (${bclass.status?.historyRetention ?? 'not known'})`,
  };
}

export interface PastProblem {
  readonly reason: 'RestoreTimeInFuture' | 'RestoreWindowExceeded';
  readonly message: string;
}
