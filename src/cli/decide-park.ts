// Parking and its undoing, and when the provider knows enough. Pure.
import { annotationKey, pausedValue } from '../api/names.ts';
import { ConditionType } from '../api/v1alpha1/conditions.ts';
import type { DatabaseBranch } from '../api/v1alpha1/database-branch.ts';
import { conditionOf, isTrue, nameOf, pausedOf } from './branch.ts';
import { CommandError } from './command.ts';
import type { Patch } from './edit.ts';
import { formatWhen, instantFrom } from './times.ts';

/** Undefined: it is parked already. A pause of another kind is remembered, so that unpark puts it back. */
export function decidePark(object: DatabaseBranch): Patch | undefined {
  if (object.metadata.deletionTimestamp !== undefined)
    throw new CommandError(`${nameOf(object)} is being deleted, which no pause holds up`);
  const paused = pausedOf(object);
  if (paused === 'all') return undefined;
  const before = paused === 'changes' ? pausedValue.changes : null;
  return {
    metadata: { annotations: { [annotationKey.paused]: pausedValue.all, [annotationKey.pausedBefore]: before } },
  };
}

/** Undefined: it is not parked. */
export function decideUnpark({ metadata }: DatabaseBranch): Patch | undefined {
  const annotations = metadata.annotations ?? {};
  if (annotations[annotationKey.paused] !== pausedValue.all) return undefined;
  const before = annotations[annotationKey.pausedBefore] ?? null;
  return { metadata: { annotations: { [annotationKey.paused]: before, [annotationKey.pausedBefore]: null } } };
}

/** The command that ends a pause. What unpark undoes is parking; a pause of a person may be meant. */
export function goOn(object: DatabaseBranch): string {
  const { namespace, name } = object.metadata;
  return pausedOf(object) === 'all'
    ? `kubectl lakebranch -n ${namespace} unpark ${name}`
    : `kubectl -n ${namespace} annotate dbb ${name} ${annotationKey.paused}-`;
}

export type Standing =
  | { readonly is: 'waiting'; readonly state: string }
  /** The operator may be stopped; `note` says what then becomes of the branch. */
  | { readonly is: 'settled'; readonly note: string };

/** A lease may be rounded by the provider. */
const toleranceMs = 60_000;

export function parkStanding(object: DatabaseBranch, now: Date): Standing {
  if (object.metadata.deletionTimestamp !== undefined) return { is: 'settled', note: 'is being deleted' };
  if (!isTrue(object, ConditionType.Paused))
    return { is: 'waiting', state: 'waiting for the operator to see the pause' };
  if (object.status?.branch === undefined) return { is: 'settled', note: 'has no branch; none is made' };
  const note = keptNote(object.status.expiration ?? {}, now);
  if (note !== undefined) return { is: 'settled', note };
  const trouble = conditionOf(object, ConditionType.Stalled);
  return {
    is: 'waiting',
    state: trouble
      ? `${trouble.reason}: ${trouble.message}`
      : 'waiting until the provider was told the whole life of the branch',
  };
}

type Expiration = NonNullable<NonNullable<DatabaseBranch['status']>['expiration']>;

/** How long the provider keeps the branch on its own; undefined while that is not long enough yet. */
function keptNote({ leaseTime, expireTime, enforcedBy, clampedFrom }: Expiration, now: Date): string | undefined {
  const [lease, end] = [instantFrom(leaseTime), instantFrom(expireTime)];
  if (enforcedBy === 'Operator' || end === undefined)
    return 'nobody removes it meanwhile: it has no expiry at the provider';
  if (lease === undefined) return undefined;
  if (lease.getTime() >= end.getTime() - toleranceMs) return `the provider keeps it until ${formatWhen(lease, now)}`;
  if (clampedFrom === undefined) return undefined;
  return `the provider keeps it only until ${formatWhen(lease, now)}, before its own end: it allows no more`;
}

export function unparkStanding(object: DatabaseBranch): Standing {
  const paused = conditionOf(object, ConditionType.Paused);
  if (pausedOf(object) === 'all') return { is: 'settled', note: 'was parked again by somebody' };
  if (pausedOf(object) === 'changes')
    return { is: 'settled', note: 'is paused as it was before (annotation lakebranch.dev/paused: "true")' };
  if (paused?.status === 'True') return { is: 'waiting', state: 'waiting for the operator to go on' };
  const ready = conditionOf(object, ConditionType.Ready);
  if (ready?.status === 'True') return { is: 'settled', note: 'is ready' };
  if (isTrue(object, ConditionType.Stalled))
    return { is: 'settled', note: `is not ready: ${ready?.reason}, ${ready?.message}` };
  return { is: 'waiting', state: ready ? `${ready.reason}: ${ready.message}` : 'waiting' };
}
