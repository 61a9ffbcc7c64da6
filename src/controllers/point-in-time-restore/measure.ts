// What the end of a restore adds to counters and histograms. Pure.
import { ConditionType } from '../../api/v1alpha1/conditions.ts';
import { restoreEnds } from '../../api/v1alpha1/ends.ts';
import type { PointInTimeRestore } from '../../api/v1alpha1/point-in-time-restore.ts';
import { findCondition } from '../../kit/conditions.ts';
import type { Condition } from '../../kit/kube.ts';
import type { Measurement } from '../../metrics/measurement.ts';
import { isFromBackup, type World } from './world.ts';

/** Once, when its end is first said; nothing that a backup only repeats. */
export function measure(world: World, after: PointInTimeRestore): Measurement[] {
  const [was, is] = [succeeded(world.restore)?.status ?? 'Unknown', succeeded(after)];
  if (was !== 'Unknown' || !is || is.status === 'Unknown' || isFromBackup(world)) return [];
  const { durationMilliseconds, skewSeconds } = after.status ?? {};
  const seconds = durationMilliseconds === undefined ? undefined : durationMilliseconds / 1000;
  return restoreEnds.flatMap((outcome) =>
    outcome === is.reason ? [{ is: 'restored', outcome, seconds, skewSeconds }] : [],
  );
}

const succeeded = ({ status }: PointInTimeRestore): Condition | undefined =>
  findCondition(status?.conditions ?? [], ConditionType.Succeeded);
