// Branches of the past: what may be asked for, what is sent, and whether the provider made it. Pure.
import { parseDuration } from '../../api/duration.ts';
import type { BranchClass } from '../../api/v1alpha1/branch-class.ts';
import type { DatabaseBranch } from '../../api/v1alpha1/database-branch.ts';
import { Reason } from '../../api/v1alpha1/reasons.ts';
import type { CreateBranch } from '../../lakebase/client.ts';
import type { Branch } from '../../lakebase/model.ts';
import type { PastProblem } from '../restores.ts';
import type { Problem } from './wish.ts';

/** What of the source is asked for: as it was at an instant, or at a position of its write-ahead log. */
export type Past =
  | { readonly is: 'time'; readonly requested: Date; readonly maxSkewMs: number }
  | { readonly is: 'lsn'; readonly requested: string };

/** Who asked for the object: a PointInTimeRestore that is there and says the same, one that is not there any more, or nobody. */
export type Asker = 'restore' | 'restoreGone' | 'nobody';

const usualSkew = '60s';

export function pastOf({ source }: DatabaseBranch['spec']): Past | undefined {
  if (source?.lsn !== undefined) return { is: 'lsn', requested: source.lsn };
  if (source?.time === undefined) return undefined;
  return { is: 'time', requested: new Date(source.time), maxSkewMs: parseDuration(source.maxSkew ?? usualSkew) };
}

/** The provider fails on whole minutes, seen in 2026: such an instant is moved back by the least that it can tell apart. */
export function sentTime(requested: Date): Date {
  return requested.getTime() % 60_000 === 0 ? new Date(requested.getTime() - 1) : requested;
}

export const sentPast = (past: Past): NonNullable<CreateBranch['past']> =>
  past.is === 'time' ? { time: sentTime(past.requested) } : { lsn: past.requested };

/** Why the class does not let this asker have a past. */
export function pastProblem({ metadata: { name }, spec }: BranchClass, asker: Asker): Problem | undefined {
  const { allowed = false, via } = spec.restore ?? {};
  if (!allowed)
    return {
      reason: Reason.RestoreNotAllowed,
      message: `class ${name} does not allow branches of the past: ask the platform team to set spec.restore.allowed`,
    };
  return via === 'PointInTimeRestoreOnly' && asker !== 'restore' ? notByRestore(name, asker) : undefined;
}

const notByRestore = (name: string, asker: Asker): Problem =>
  asker === 'nobody'
    ? {
        reason: Reason.RestoreNotAllowed,
        message: `class ${name} allows branches of the past only through a PointInTimeRestore (spec.restore.via): delete this object and create one`,
      }
    : {
        reason: Reason.RestoreGone,
        message: `the PointInTimeRestore that this object names is gone or asks for something else, and class ${name} allows branches of the past only through one: delete this object and create another restore`,
      };

/** Why no branch can be made of this source, for as long as that is so. */
export function sourceProblem({ id, expireTime }: Branch): Problem | undefined {
  if (!expireTime) return undefined;
  return {
    reason: Reason.SourceExpires,
    message: `source branch ${id} has an expiry at the provider, so nothing can be forked from it. If a DatabaseBranch made it, set children: Allow on that before it is needed; otherwise take the expiry away at the provider`,
  };
}

/**
 * Why there was no such past of this source. `skewMs`: by how much the clocks differ at most, one of which was taken out of
 * `createTime`; where that leaves a doubt, the provider decides.
 */
export function sourceTooYoung(past: Past, { id, createTime }: Branch, skewMs: number): PastProblem | undefined {
  if (past.is === 'lsn' || !createTime) return undefined;
  if (createTime.getTime() - Math.abs(skewMs) <= past.requested.getTime()) return undefined;
  return {
    reason: Reason.RestoreWindowExceeded,
    message: `source branch ${id} exists since ${createTime.toISOString()}, asked for is ${past.requested.toISOString()}: ask for a later instant`,
  };
}

/**
 * How old a position is shows only when the branch is made. `skewMs`: the provider's clock minus ours, which was taken out
 * of `createTime` but not of `sourceTime`. Undefined: young enough for the class, or the provider does not tell.
 */
export function tooOld(past: Past, bclass: BranchClass, branch: Branch, skewMs: number): string | undefined {
  const { sourceTime, createTime } = branch;
  const { maxAge } = bclass.spec.restore ?? {};
  if (past.is === 'time' || !sourceTime || !createTime || maxAge === undefined) return undefined;
  if (createTime.getTime() + skewMs - sourceTime.getTime() <= parseDuration(maxAge)) return undefined;
  return `${past.requested} is the source as of ${sourceTime.toISOString()}, and class ${bclass.metadata.name} allows to go back by ${maxAge} (spec.restore.maxAge)`;
}

/** Whether the status tells what was made of this past; of an earlier one it tells nothing. */
export const isTold = (past: Past, restored: Restored | undefined): boolean =>
  past.is === 'time'
    ? restored?.requestedTime === past.requested.toISOString()
    : restored?.requestedLSN === past.requested;

type Restored = NonNullable<NonNullable<DatabaseBranch['status']>['restored']>;

/** Undefined: the branch holds what was asked for, or the provider says nothing that could be checked against it. */
export function missed(past: Past, branch: Branch): string | undefined {
  return past.is === 'time' ? timeMissed(past, branch) : lsnMissed(past.requested, branch);
}

/** A branch that is made of now holds its source as it was up to this long before. */
const presentMs = 10_000;

/**
 * Whether a branch that was made for an earlier spec holds something else than what is asked for now; an instant is left
 * to `missed`. `skewMs`: the provider's clock minus ours, which was taken out of `createTime` but not of `sourceTime`.
 */
export function holdsAnotherPast(past: Past | undefined, branch: Branch, skewMs: number): boolean {
  const { sourceTime, sourceLsn, createTime } = branch;
  if (past?.is === 'time') return false;
  if (past) return sourceLsn === undefined || position(sourceLsn) !== position(past.requested);
  return (
    sourceTime !== undefined &&
    createTime !== undefined &&
    createTime.getTime() + skewMs - sourceTime.getTime() > presentMs
  );
}

function timeMissed(
  { requested, maxSkewMs }: Extract<Past, { is: 'time' }>,
  { sourceTime }: Branch,
): string | undefined {
  const asked = `asked for was the source as of ${requested.toISOString()}`;
  if (!sourceTime) return `${asked}, and the provider does not say what it made`;
  const skewMs = requested.getTime() - sourceTime.getTime();
  if (skewMs < 0) return `${asked}, the provider made it as of ${sourceTime.toISOString()}, which is later`;
  if (skewMs <= maxSkewMs) return undefined;
  return `${asked}, the provider made it as of ${sourceTime.toISOString()}, which is ${Math.ceil(skewMs / 1000)} s before that; allowed are ${maxSkewMs / 1000} s (source.maxSkew)`;
}

function lsnMissed(requested: string, { sourceLsn }: Branch): string | undefined {
  const asked = `asked for was the source at ${requested}`;
  if (sourceLsn === undefined) return `${asked}, and the provider does not say what it made`;
  return position(sourceLsn) > position(requested)
    ? `${asked}, the provider made it at ${sourceLsn}, which is later`
    : undefined;
}

/** `high/low`, in hexadecimal; what is not a position is beyond all of them. */
function position(lsn: string): bigint {
  const found = /^(?<high>[0-9a-f]{1,8})\/(?<low>[0-9a-f]{1,8})$/i.exec(lsn)?.groups;
  return found ? (BigInt(`0x${found['high']}`) << 32n) + BigInt(`0x${found['low']}`) : 1n << 64n;
}

/** What the status remembers of a branch of the past, by which a restore judges it. */
export function restoredFields(past: Past, { sourceTime, sourceLsn }: Branch): Restored {
  return {
    ...(past.is === 'time' ? { requestedTime: past.requested.toISOString() } : { requestedLSN: past.requested }),
    ...(sourceTime ? { actualTime: sourceTime.toISOString() } : {}),
    ...(sourceLsn ? { actualLSN: sourceLsn } : {}),
  };
}
