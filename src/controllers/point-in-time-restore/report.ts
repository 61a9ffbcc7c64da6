// Says what is known of a restore, as its status. Pure.
import type { PointInTimeRestoreStatus } from '../../api/v1alpha1/point-in-time-restore.ts';
import { ConditionType } from '../../api/v1alpha1/conditions.ts';
import { Reason } from '../../api/v1alpha1/reasons.ts';
import { removeCondition, setCondition, type ConditionChange } from '../../kit/conditions.ts';
import type { Condition } from '../../kit/kube.ts';
import { earliestTime } from '../restores.ts';
import type { State } from './plan.ts';
import { pastFields } from './report-past.ts';
import type { World } from './world.ts';

type Status = PointInTimeRestoreStatus;

export function report(world: World, state: State, now: Date): Status {
  const startTime = startOf(world, now);
  return {
    observedGeneration: generationOf(world),
    ...pastFields(world),
    ...windowField(world, startTime),
    ...(startTime ? { startTime: startTime.toISOString() } : {}),
    ...endFields(world, startTime),
    conditions: conditionsOf(world, state, now),
  };
}

const generationOf = ({ restore }: World): number => restore.metadata.generation ?? 1;

/** Where the status has lost it, the object that was made still tells about when that was; of one that is over nothing does. */
function startOf({ restore, target, ended }: World, now: Date): Date | undefined {
  const { startTime } = restore.status ?? {};
  if (startTime !== undefined) return new Date(startTime);
  const { creationTimestamp } = target.is === 'ours' ? target.object.metadata : {};
  if (creationTimestamp !== undefined) return new Date(creationTimestamp);
  return ended ? undefined : now;
}

function windowField({ restore, bclass }: World, startTime: Date | undefined): Pick<Status, 'window'> {
  const { window } = restore.status ?? {};
  if (window) return { window };
  if (bclass.is !== 'known' || bclass.value.spec.restore === undefined || !startTime) return {};
  const earliest = earliestTime(bclass.value, startTime).toISOString();
  return { window: { earliest, latest: startTime.toISOString() } };
}

function endFields(
  { ended }: World,
  startTime: Date | undefined,
): Pick<Status, 'completionTime' | 'durationMilliseconds'> {
  if (!ended?.time) return {};
  const completionTime = ended.time.toISOString();
  if (!startTime) return { completionTime };
  return { completionTime, durationMilliseconds: Math.max(0, ended.time.getTime() - startTime.getTime()) };
}

/** `Ready` and `Succeeded` are always there, the others only while they hold. */
function conditionsOf(world: World, state: State, now: Date): Condition[] {
  const { message } = state;
  const reason = state.is === 'restored' ? Reason.Restored : state.reason;
  const over = state.is === 'restored' || state.is === 'failed';
  const claim = (type: ConditionType, status: Condition['status']): ConditionChange => ({
    type,
    status,
    reason,
    message,
  });
  const holds = state.is === 'restored' ? 'True' : 'False';
  const changes: readonly (readonly [there: boolean, ConditionChange])[] = [
    [true, claim(ConditionType.Ready, holds)],
    [true, claim(ConditionType.Succeeded, over ? holds : 'Unknown')],
    [state.is === 'underWay', claim(ConditionType.Reconciling, 'True')],
    [state.is === 'stalled' || state.is === 'failed', claim(ConditionType.Stalled, 'True')],
  ];
  return changes.reduce<Condition[]>(
    (conditions, [there, change]) =>
      there ? setCondition(conditions, change, generationOf(world), now) : removeCondition(conditions, change.type),
    [...(world.restore.status?.conditions ?? [])],
  );
}
