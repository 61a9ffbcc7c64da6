// Says what is known of a class, as its status. Pure.
import type { BranchClassStatus } from '../../api/v1alpha1/branch-class.ts';
import { formatDuration } from '../../api/duration.ts';
import { Reason } from '../../api/v1alpha1/reasons.ts';
import { removeCondition, setCondition } from '../../kit/conditions.ts';
import type { LakebaseError } from '../../lakebase/errors.ts';
import type { World } from './decide.ts';

interface Verdict {
  readonly ready: boolean;
  readonly stalled: boolean;
  readonly reason: Reason;
  readonly message: string;
}

export function report(world: World, now: Date): BranchClassStatus {
  const { bclass, project } = world;
  const generation = bclass.metadata.generation ?? 0;
  const { ready, stalled, reason, message } = verdict(world);
  let conditions = setCondition(
    bclass.status?.conditions ?? [],
    { type: 'Ready', status: ready ? 'True' : 'False', reason, message },
    generation,
    now,
  );
  for (const [type, holds] of [
    ['Reconciling', !ready && !stalled],
    ['Stalled', stalled],
  ] as const) {
    conditions = holds
      ? setCondition(conditions, { type, status: 'True', reason, message }, generation, now)
      : removeCondition(conditions, type);
  }
  const seconds = project.seen === 'present' ? project.value.historyRetentionSeconds : undefined;
  const historyRetention = seconds === undefined ? bclass.status?.historyRetention : formatDuration(seconds * 1000);
  return {
    observedGeneration: generation,
    conditions,
    ...(historyRetention === undefined ? {} : { historyRetention }),
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
  if (error.code === 'unauthenticated')
    return person(
      Reason.Unauthenticated,
      `the provider does not accept the credential of the class: ${error.message}. Check the Secret that spec.provider.auth names`,
    );
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
