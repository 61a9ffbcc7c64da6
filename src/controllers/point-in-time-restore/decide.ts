// What to do about a restore. Pure.
import { annotationKey } from '../../api/names.ts';
import { ConditionType } from '../../api/v1alpha1/conditions.ts';
import type { BranchClass } from '../../api/v1alpha1/branch-class.ts';
import type { DatabaseBranch } from '../../api/v1alpha1/database-branch.ts';
import { pastEnds, type RestoreEnd } from '../../api/v1alpha1/ends.ts';
import { isReason, Reason } from '../../api/v1alpha1/reasons.ts';
import { findCondition } from '../../kit/conditions.ts';
import { classTerminating, namespaceNotAllowed } from '../classes.ts';
import { endedOf } from '../database-branch/observe.ts';
import { branchNameOf, instantProblem, requestedTime } from '../restores.ts';
import { end, namespaceTerminating, say, type Plan } from './plan.ts';
import { endedState } from './report-end.ts';
import { endOnRecord, readiness, type World } from './world.ts';

export function decide(world: World, now: Date): Plan {
  const { restore, ended, target, made } = world;
  if (restore.metadata.deletionTimestamp) return { do: 'nothing' };
  if (ended) return { do: 'say', state: endedState(world, ended) };
  // Somebody took the mark away, as a `kubectl replace` does: the record stays what it is.
  const record = endOnRecord(restore);
  if (record) return { do: 'end', ...record };
  if (target.is === 'ours') return follow(target.object);
  // It was there: somebody has deleted it, or put another one in its place. It is not made a second time.
  if (made) return end(Reason.RestoredBranchGone);
  return begin(world, now);
}

/** The object that was made judges itself; the restore only repeats what it says. */
function follow(object: DatabaseBranch): Plan {
  const { metadata, spec } = object;
  const ended = endedOf(metadata.annotations?.[annotationKey.ended], spec.reset?.token ?? '');
  const verdict = ended && pastEnds.find((reason) => reason === ended.reason);
  if (verdict) {
    if (hasTold(object, verdict)) return end(verdict);
    const words = 'it does not hold what was asked for, or what may be asked for, and is about to say by how much';
    return say('underWay', Reason.Restoring, named(object, words));
  }
  if (ended || metadata.deletionTimestamp) return end(Reason.RestoredBranchGone);
  return readiness(object)?.status === 'True' ? end(Reason.Restored) : repeat(object);
}

const named = ({ metadata }: DatabaseBranch, words: string): string => `DatabaseBranch ${metadata.name}: ${words}`;

function repeat(object: DatabaseBranch): Plan {
  const stalled = findCondition(object.status?.conditions ?? [], ConditionType.Stalled);
  if (stalled && isReason(stalled.reason)) return say('stalled', stalled.reason, named(object, stalled.message));
  const { reason, message } = readiness(object) ?? {
    reason: Reason.Pending,
    message: 'the operator has not looked at it yet',
  };
  return say('underWay', Reason.Restoring, named(object, `${reason}: ${message}`));
}

/** Its mark comes before its status, which says what the provider made; a status that was lost says the verdict alone. */
const hasTold = (object: DatabaseBranch, verdict: RestoreEnd): boolean =>
  object.status?.restored !== undefined || readiness(object)?.reason === verdict;

function begin(world: World, now: Date): Plan {
  const { bclass, namespace } = world;
  if (namespace.terminating) return { do: 'say', state: namespaceTerminating };
  switch (bclass.is) {
    case 'unknown':
      return say(
        'stalled',
        Reason.ClassNotFound,
        `BranchClass ${bclass.name} does not exist: create it, or create another restore that names another in spec.source.className`,
      );
    case 'sourceUnknown':
      return withoutSource(world, bclass.source, now);
    case 'known':
      return (
        refused(world, bclass.value) ??
        untimely(world, bclass.value, now) ??
        taken(world) ?? {
          do: 'create',
          className: bclass.value.metadata.name,
        }
      );
  }
}

/** One that is created later has no past that this restore could mean; it may come late if both are applied together. */
function withoutSource({ restore }: World, source: string, now: Date): Plan {
  const sinceMs = now.getTime() - Date.parse(restore.metadata.creationTimestamp ?? '');
  if (sinceMs >= sourceComesMs) return end(Reason.RestoreSourceNotFound);
  return say(
    'underWay',
    Reason.SourceRefNotFound,
    `DatabaseBranch ${source}, named in spec.source.databaseBranchRef, does not exist in this namespace; the restore fails if it does not come within two minutes`,
  );
}

const sourceComesMs = 2 * 60_000;

/** What the platform team can change; the restore then goes on. */
function refused({ restore, namespace }: World, { metadata, spec }: BranchClass): Plan | undefined {
  const problem =
    classTerminating({ metadata }) ??
    namespaceNotAllowed({ metadata, spec }, restore.metadata.namespace ?? '', namespace);
  if (problem) return say('stalled', problem.reason, problem.message);
  if (spec.restore?.allowed !== true)
    return say(
      'stalled',
      Reason.RestoreNotAllowed,
      `BranchClass ${metadata.name} does not allow branches of the past: ask the platform team to set spec.restore.allowed; the restore then goes on by itself`,
    );
  return undefined;
}

/** What time does not mend: an instant that is too old gets older, and one of the future was a mistake. */
function untimely({ restore }: World, bclass: BranchClass, now: Date): Plan | undefined {
  const requested = requestedTime(restore);
  const problem = requested && instantProblem(requested, bclass, { now, created: restore.metadata.creationTimestamp });
  return problem && end(problem.reason);
}

function taken({ restore, target }: World): Plan | undefined {
  if (target.is === 'absent') return undefined;
  return say(
    'stalled',
    Reason.TargetExists,
    `DatabaseBranch ${branchNameOf(restore)} exists already, and this restore did not make it; it is not touched. Create another restore with another spec.branchTemplate.metadata.name; or delete that object, if nobody needs it: this restore then goes on by itself`,
  );
}
