// What is said of a restore that is over. Pure.
import { annotationKey } from '../../api/names.ts';
import { ConditionType } from '../../api/v1alpha1/conditions.ts';
import { Reason } from '../../api/v1alpha1/reasons.ts';
import { findCondition } from '../../kit/conditions.ts';
import { endedOf } from '../database-branch/observe.ts';
import { secretNameOf } from '../database-branch/wish.ts';
import { branchNameOf, instantProblem } from '../restores.ts';
import type { Ended, State } from './plan.ts';
import { pastFields, requestedTimeOf, type PastFields } from './report-past.ts';
import type { World } from './world.ts';

/** What was said once stands: it is the record, and what it was said of may have changed since, or be gone. */
export function endedState(world: World, ended: Ended): State {
  const said = findCondition(world.restore.status?.conditions ?? [], ConditionType.Succeeded);
  const message = said?.reason === ended.reason ? said.message : messageOf(world, ended);
  return ended.reason === Reason.Restored
    ? { is: 'restored', message }
    : { is: 'failed', reason: ended.reason, message };
}

function messageOf(world: World, ended: Ended): string {
  switch (ended.reason) {
    case Reason.Restored:
      return restored(world);
    case Reason.RestoreTimeInFuture:
    case Reason.RestoreWindowExceeded:
      return untimely(world, ended);
    case Reason.TimeSkewTooLarge:
      return missed(world);
    case Reason.CreateRefused:
      return refused(world);
    case Reason.RestoreSourceNotFound:
      return `the DatabaseBranch named in spec.source.databaseBranchRef did not exist. ${again}`;
    case Reason.RestoredBranchGone:
      return gone(world);
  }
}

function restored(world: World): string {
  const { restore, target } = world;
  const name = branchNameOf(restore);
  if (target.is !== 'ours')
    return `the restore is done; its DatabaseBranch ${name} is not there any more, or is that of another restore. To bring the past back once more, create another restore`;
  return `DatabaseBranch ${name} holds ${whatIsHeld(pastFields(world))}; its login is in Secret ${secretNameOf(target.object)}`;
}

function whatIsHeld({ requestedTime, actualTime, skewSeconds, actualLSN }: PastFields): string {
  if (requestedTime === undefined)
    return actualLSN === undefined
      ? 'the source at the position that was asked for; the provider does not say which it reached'
      : `the source at ${actualLSN}`;
  if (actualTime === undefined) return `the source as of ${requestedTime}; the provider does not say what it made`;
  if (skewSeconds === undefined)
    return `the source as of ${actualTime}: not verified, because the provider may only have repeated what was asked for`;
  return `the source as of ${actualTime}, ${skewSeconds} s before the instant that was asked for`;
}

/** As it was when the restore ended. */
function untimely(world: World, { reason, time }: Ended): string {
  const { bclass, restore } = world;
  const { creationTimestamp: created } = restore.metadata;
  const { lsn } = restore.spec.target;
  if (lsn !== undefined) {
    const { actualTime = 'an instant that is not known' } = pastFields(world);
    return `${lsn} is the source as of ${actualTime}, further back than spec.restore.maxAge of the class allows; the branch was deleted without a login for it. Create another restore with a later position`;
  }
  const requested = requestedTimeOf(world);
  const problem =
    bclass.is === 'known' && requested && time
      ? instantProblem(requested, bclass.value, { now: time, created })
      : undefined;
  if (problem?.reason === reason) return `${problem.message}. Create another restore`;
  return reason === Reason.RestoreTimeInFuture
    ? 'the instant had not come yet: create another restore with one that has passed'
    : 'the instant was too long ago, or before its source was made: create another restore with a later one';
}

/** In the provider's words, which the object that was made has kept. */
function refused({ target }: World): string {
  const said =
    target.is === 'ours' ? findCondition(target.object.status?.conditions ?? [], ConditionType.Stalled) : undefined;
  return said?.reason === Reason.CreateRefused
    ? said.message
    : 'the provider refused to make the past that was asked for: create another restore with another target';
}

const again = 'If the data is still needed, create another restore';

function missed(world: World): string {
  const { requestedTime, actualTime, actualLSN } = pastFields(world);
  const { lsn } = world.restore.spec.target;
  const [asked, made, remedy] =
    lsn === undefined
      ? [
          `as of ${requestedTime ?? 'an instant'}`,
          actualTime && `as of ${actualTime}`,
          'an instant nearer to that, or a larger maxSkew',
        ]
      : [`at ${lsn}`, actualLSN && `at ${actualLSN}`, 'a position at or after that'];
  return `asked for was the source ${asked}, the provider made it ${made ?? 'as of an instant that is not known'}; the branch was deleted without a login for it. Create another restore with ${remedy}`;
}

function gone({ restore, target }: World): string {
  const name = branchNameOf(restore);
  if (target.is === 'absent') return `DatabaseBranch ${name} was deleted before it was ready. ${again}`;
  if (target.is === 'foreign')
    return `the DatabaseBranch ${name} that this restore made is gone or was changed to something else before it was ready. ${again}`;
  const { metadata, spec } = target.object;
  const hasEnded = endedOf(metadata.annotations?.[annotationKey.ended], spec.reset?.token ?? '');
  if (!hasEnded) return `DatabaseBranch ${name} was deleted before it was ready. ${again}`;
  return `DatabaseBranch ${name} ended (${hasEnded.reason}) before it was ready. ${again}`;
}
