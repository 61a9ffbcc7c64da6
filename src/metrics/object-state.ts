// What the metrics tell about an object, by its metadata and status. Pure.
import { annotationKey, pausedValue } from '../api/names.ts';
import type { DatabaseBranch } from '../api/v1alpha1/database-branch.ts';
import { ConditionType } from '../api/v1alpha1/conditions.ts';
import { lifeEnds } from '../api/v1alpha1/ends.ts';
import { findCondition } from '../kit/conditions.ts';
import type { Condition } from '../kit/kube.ts';
import type { State } from './words.ts';

/** A DatabaseBranch as far as metrics go. */
export interface ObjectState {
  readonly namespace: string;
  readonly name: string;
  readonly className: string;
  readonly origin: 'Branch' | 'Restore';
  readonly state: State;
  /** Of Ready, while it is not True. */
  readonly reason: string | undefined;
  readonly conditions: readonly Pick<Condition, 'type' | 'status'>[];
  readonly created: Date | undefined;
  readonly deleted: Date | undefined;
  /** When the branch ends. */
  readonly expireTime: Date | undefined;
  /** There is a branch, and only the operator ends it. */
  readonly unleased: boolean;
  /** When the provider removes the branch, as far as it was told so far. */
  readonly leaseTime: Date | undefined;
  /** The lease, if it has to be extended because the object goes on: its end, and the end that was asked for at first. */
  readonly lease: { readonly expireTime: Date; readonly wanted: Date } | undefined;
  readonly credential: CredentialState | undefined;
  /** Since when it has been at work towards a branch that it lacks, without waiting for a slot. */
  readonly working: Date | undefined;
  readonly queue: { readonly position: number; readonly since: Date | undefined } | undefined;
}

export interface CredentialState {
  readonly issueTime: Date;
  readonly expireTime: Date;
  readonly renewTime: Date | undefined;
  /** It is renewed in time, unless something is wrong; the others are left to run out. */
  readonly renewed: boolean;
}

type Seen = Pick<DatabaseBranch, 'metadata' | 'spec' | 'status'>;
type Status = NonNullable<DatabaseBranch['status']>;

export function stateOf(object: Seen): ObjectState {
  const { metadata, spec, status = {} } = object;
  const { conditions = [], branch, expiration = {} } = status;
  const state = stateIn(object, conditions);
  return {
    namespace: metadata.namespace ?? '',
    name: metadata.name,
    className: spec.className,
    origin: metadata.annotations?.[annotationKey.restore] === undefined ? 'Branch' : 'Restore',
    state,
    reason: reasonIn(conditions),
    conditions,
    created: dateOf(metadata.creationTimestamp),
    deleted: dateOf(metadata.deletionTimestamp),
    expireTime: dateOf(expiration.expireTime),
    unleased: branch !== undefined && expiration.enforcedBy === 'Operator',
    leaseTime: dateOf(expiration.leaseTime),
    lease: isOnItsWayOut(state) ? undefined : leaseToExtend(expiration),
    credential: credentialOf(object, state),
    working: state === 'progressing' && !status.queue ? workingSince(conditions) : undefined,
    queue: queueOf(status, conditions),
  };
}

const isOnItsWayOut = (state: State): boolean => state === 'deleting' || state === 'ended';

function reasonIn(conditions: readonly Condition[]): string | undefined {
  const ready = findCondition(conditions, ConditionType.Ready);
  return ready?.status === 'True' ? undefined : (ready?.reason ?? 'Pending');
}

function stateIn({ metadata }: Seen, conditions: readonly Condition[]): State {
  if (metadata.deletionTimestamp !== undefined) return 'deleting';
  const ready = findCondition(conditions, ConditionType.Ready);
  if (ready?.status === 'True') return 'ready';
  if (ready && lifeEnds.some((end) => end === ready.reason)) return 'ended';
  return findCondition(conditions, ConditionType.Stalled)?.status === 'True' ? 'stalled' : 'progressing';
}

/** A lease that outlasts the object is not extended any more: its end is near when the object's is, and alarms nobody. */
function leaseToExtend({
  leaseTime,
  expireTime,
  clampedFrom,
}: NonNullable<Status['expiration']>): ObjectState['lease'] {
  const [lease, end] = [dateOf(leaseTime), dateOf(expireTime)];
  if (!lease || (end && lease >= end)) return undefined;
  return { expireTime: lease, wanted: dateOf(clampedFrom) ?? lease };
}

function credentialOf({ metadata, status = {} }: Seen, state: State): CredentialState | undefined {
  const { credentials, conditions = [] } = status;
  const [issueTime, expireTime] = [dateOf(credentials?.issueTime), dateOf(credentials?.expireTime)];
  if (!issueTime || !expireTime) return undefined;
  const renewed = !isOnItsWayOut(state) && !isLeftToRunOut(metadata, conditions);
  return { issueTime, expireTime, renewTime: dateOf(credentials?.renewTime), renewed };
}

const isLeftToRunOut = ({ annotations }: Seen['metadata'], conditions: readonly Condition[]): boolean =>
  annotations?.[annotationKey.paused] === pausedValue.all ||
  findCondition(conditions, ConditionType.NamespaceAllowed)?.status === 'False';

const queueOf = ({ queue }: Status, conditions: readonly Condition[]): ObjectState['queue'] =>
  queue && { position: queue.position, since: workingSince(conditions) };

const workingSince = (conditions: readonly Condition[]): Date | undefined =>
  dateOf(findCondition(conditions, ConditionType.Reconciling)?.lastTransitionTime);

const dateOf = (text: string | undefined): Date | undefined => (text === undefined ? undefined : new Date(text));
