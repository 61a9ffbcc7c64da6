// What was asked for and what was made, in the fields of the status. Pure.
import type { DatabaseBranch } from '../../api/v1alpha1/database-branch.ts';
import type { PointInTimeRestore, PointInTimeRestoreStatus } from '../../api/v1alpha1/point-in-time-restore.ts';
import { sentTime } from '../database-branch/past.ts';
import { requestedTime } from '../restores.ts';
import { isFromBackup, type World } from './world.ts';

export type PastFields = Pick<
  PointInTimeRestoreStatus,
  'requestedTime' | 'actualTime' | 'skewSeconds' | 'actualLSN' | 'branchRef'
>;

/** In an object from a backup `ago` counts from another creation. */
export function requestedTimeOf(world: World): Date | undefined {
  const { ago } = world.restore.spec.target;
  return ago !== undefined && isFromBackup(world) ? undefined : requestedTime(world.restore);
}

/** By the object that was made; without it as they were said before. */
export function pastFields(world: World): PastFields {
  const { restore, target } = world;
  const requested = requestedTimeOf(world);
  return known({
    requestedTime: requested?.toISOString(),
    ...(target.is === 'ours' ? fieldsOf(target.object, requested) : saidBefore(restore)),
  });
}

function fieldsOf({ metadata, status }: DatabaseBranch, requested: Date | undefined): Fields {
  const { actualTime, actualLSN } = status?.restored ?? {};
  return {
    actualTime,
    skewSeconds: requested && actualTime ? skewOf(requested, new Date(actualTime)) : undefined,
    actualLSN,
    branchRef: { name: metadata.name },
  };
}

function saidBefore({ status = {} }: PointInTimeRestore): Fields {
  const { actualTime, skewSeconds, actualLSN, branchRef } = status;
  return { actualTime, skewSeconds, actualLSN, branchRef };
}

type Fields = { [K in keyof PastFields]: PastFields[K] | undefined };

const known = (fields: Fields): PastFields =>
  Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined));

/** Away from zero, in seconds; undefined where the provider may only have repeated what it was asked for. */
function skewOf(requested: Date, actual: Date): number | undefined {
  const ms = requested.getTime() - actual.getTime();
  if (ms === 0 || actual.getTime() === sentTime(requested).getTime()) return undefined;
  return Math.sign(ms) * Math.ceil(Math.abs(ms) / 1000);
}
