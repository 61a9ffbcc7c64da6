// Says what is known of a class, as its status. Pure.
import type { BranchClass, BranchClassStatus } from '../../api/v1alpha1/branch-class.ts';
import { formatDuration } from '../../api/duration.ts';
import { ConditionType } from '../../api/v1alpha1/conditions.ts';
import { Reason } from '../../api/v1alpha1/reasons.ts';
import { removeCondition, setCondition, type ConditionChange } from '../../kit/conditions.ts';
import type { Condition } from '../../kit/kube.ts';
import type { LakebaseError } from '../../lakebase/errors.ts';
import { notAccepted } from '../identities.ts';
import { limitOf } from './counts.ts';
import type { World } from './decide.ts';

interface Verdict {
  readonly ready: boolean;
  readonly stalled: boolean;
  readonly reason: Reason;
  readonly message: string;
}

export function report(world: World, now: Date): BranchClassStatus {
  const { bclass, project, counts } = world;
  const seconds = project.seen === 'present' ? project.value.historyRetentionSeconds : undefined;
  const historyRetention = seconds === undefined ? bclass.status?.historyRetention : formatDuration(seconds * 1000);
  return {
    observedGeneration: generationOf(bclass),
    conditions: conditionsOf(world, now),
    used: { branches: counts.used, limit: limitOf(bclass, world.projectLimit) },
    queued: counts.queued,
    unleased: counts.unleased.length,
    ...(historyRetention === undefined ? {} : { historyRetention }),
  };
}

const generationOf = ({ metadata }: BranchClass): number => metadata.generation ?? 0;

/** `Ready` is always there, the others only while they hold. */
function conditionsOf(world: World, now: Date): Condition[] {
  const { bclass, counts } = world;
  const { ready, stalled, reason, message } = verdict(world);
  const changes: readonly (readonly [holds: boolean, ConditionChange])[] = [
    [true, { type: ConditionType.Ready, status: ready ? 'True' : 'False', reason, message }],
    [!ready && !stalled, { type: ConditionType.Reconciling, status: 'True', reason, message }],
    [stalled, { type: ConditionType.Stalled, status: 'True', reason, message }],
    [counts.unleased.length > 0, unleased(counts.unleased)],
  ];
  return changes.reduce<Condition[]>(
    (conditions, [holds, change]) =>
      holds ? setCondition(conditions, change, generationOf(bclass), now) : removeCondition(conditions, change.type),
    [...(bclass.status?.conditions ?? [])],
  );
}

const mostNames = 10;

function unleased(names: readonly string[]): ConditionChange {
  const more = names.length - mostNames;
  const named = names.slice(0, mostNames).join(', ') + (more > 0 ? ` and ${more} more` : '');
  return {
    type: ConditionType.Unleased,
    status: 'True',
    reason: Reason.UnleasedBranches,
    message: `only the operator removes the branches of ${named} in time, because these ask for never, children: Allow or deletionPolicy: Retain: delete them before the operator is removed for good`,
  };
}

function verdict({ bclass, deleting, users, project }: World): Verdict {
  if (deleting)
    return {
      ready: false,
      stalled: false,
      reason: Reason.ClassTerminating,
      message: `the class is being deleted; ${users} DatabaseBranch objects still use it: delete them first`,
    };
  switch (project.seen) {
    case 'present':
      return {
        ready: true,
        stalled: false,
        reason: Reason.Available,
        message: `project ${project.value.id} can be reached`,
      };
    case 'unusable':
      return { ready: false, stalled: true, reason: project.reason, message: project.message };
    case 'unknown':
      return unknown(project.error, bclass.spec.provider.project);
    case 'notAsked':
      return { ready: false, stalled: false, reason: Reason.Pending, message: 'looking for the project' };
  }
}

function unknown(error: LakebaseError, project: string): Verdict {
  const person = (reason: Reason, message: string): Verdict => ({ ready: false, stalled: true, reason, message });
  if (error.code === 'notFound')
    return person(
      Reason.ProjectNotFound,
      `project ${project} does not exist in this workspace, or the service principal may not see it`,
    );
  if (error.code === 'unauthenticated') {
    const { reason, message } = notAccepted(error, 'provider');
    return person(reason, message);
  }
  if (error.code === 'denied')
    return person(
      Reason.PermissionDenied,
      `the provider forbids it: ${error.message}. The service principal needs CAN_MANAGE on the project`,
    );
  return {
    ready: false,
    stalled: false,
    reason: Reason.ProviderUnreachable,
    message: `the provider does not answer as it should: ${error.message}`,
  };
}
