// What is to be read off a DatabaseBranch. Pure.
import { parseDuration } from '../api/duration.ts';
import { annotationKey, pausedValue } from '../api/names.ts';
import type { BranchClass } from '../api/v1alpha1/branch-class.ts';
import { ConditionType } from '../api/v1alpha1/conditions.ts';
import type { DatabaseBranch } from '../api/v1alpha1/database-branch.ts';
import { findCondition } from '../kit/conditions.ts';
import type { Condition } from '../kit/kube.ts';
import { endedMark } from '../lakebase/ids.ts';
import { instantFrom } from './times.ts';

interface WithConditions {
  readonly metadata: { readonly generation?: number };
  readonly status?: { readonly conditions?: readonly Condition[]; readonly observedGeneration?: number };
}

export const conditionOf = ({ status }: WithConditions, type: ConditionType): Condition | undefined =>
  findCondition(status?.conditions ?? [], type);

export const isTrue = (object: WithConditions, type: ConditionType): boolean =>
  conditionOf(object, type)?.status === 'True';

/** Whether the status already speaks of the spec as it is, or as it was left by an edit. */
export const isObserved = (object: WithConditions, edited: WithConditions = object): boolean =>
  (object.status?.observedGeneration ?? -1) >= (edited.metadata.generation ?? 0);

export const secretNameOf = ({ metadata, spec }: DatabaseBranch): string =>
  spec.credentials.secretName ?? metadata.name;

export const resetTokenOf = ({ spec }: DatabaseBranch): string => spec.reset?.token ?? '';

/** The reason with which the present branch ended, if it did: expired, lapsed, deleted, or not the past that was asked for. */
export function endedReason(object: DatabaseBranch): string | undefined {
  const [mark, reason = ''] = object.metadata.annotations?.[annotationKey.ended]?.split('/') ?? [];
  return mark === endedMark(resetTokenOf(object)) ? reason : undefined;
}

export type Paused = 'no' | 'changes' | 'all';

export function pausedOf({ metadata }: DatabaseBranch): Paused {
  switch (metadata.annotations?.[annotationKey.paused]) {
    case pausedValue.changes:
      return 'changes';
    case pausedValue.all:
      return 'all';
    default:
      return 'no';
  }
}

export const createdAt = ({ metadata }: DatabaseBranch): Date => new Date(metadata.creationTimestamp ?? 0);

/** When it ends: as the operator says; before it has said anything, as the spec and the class say. Undefined: never. */
export function endOf(object: DatabaseBranch, bclass: BranchClass | undefined): Date | undefined {
  const { ttl, at, never } = object.spec.expiration ?? {};
  const pinned = object.status?.expiration;
  if (pinned?.pinnedFrom !== undefined && !isEndEdited(object)) return instantFrom(pinned.expireTime);
  if (never) return undefined;
  if (at !== undefined) return new Date(at);
  const life = ttl ?? bclass?.spec.expiration.default;
  return life === undefined ? undefined : new Date(createdAt(object).getTime() + parseDuration(life));
}

/** Of an edit that the operator has not seen yet the status knows nothing; an end of the class is pinned for good. */
function isEndEdited(object: DatabaseBranch): boolean {
  const { ttl, at, never } = object.spec.expiration ?? {};
  return !isObserved(object) && (ttl !== undefined || at !== undefined || never === true);
}

/** The latest end that the class allows for this object. */
export const latestEnd = (object: DatabaseBranch, { spec }: BranchClass): Date =>
  new Date(createdAt(object).getTime() + parseDuration(spec.expiration.max));

/** The item of `list -o json`; part of what scripts rely on. */
export interface BranchRow {
  readonly namespace: string;
  readonly name: string;
  readonly className: string;
  readonly ready: Condition['status'];
  readonly reason: string;
  readonly message: string;
  readonly paused: Paused;
  readonly deleting: boolean;
  readonly resetting: boolean;
  readonly createTime: string;
  readonly source?: string;
  readonly sourceTime?: string;
  readonly branchId?: string;
  readonly host?: string;
  readonly secretName: string;
  readonly expireTime?: string;
  readonly leaseTime?: string;
  readonly enforcedBy?: 'Provider' | 'Operator';
  readonly tokenExpireTime?: string;
  readonly queuePosition?: number;
}

export function rowOf(object: DatabaseBranch): BranchRow {
  const { metadata, spec, status = {} } = object;
  const { branch } = status;
  return {
    namespace: metadata.namespace ?? '',
    name: metadata.name,
    className: spec.className,
    ...readyFields(conditionOf(object, ConditionType.Ready)),
    paused: pausedOf(object),
    deleting: metadata.deletionTimestamp !== undefined,
    resetting: branch !== undefined && (branch.resetToken ?? '') !== resetTokenOf(object),
    createTime: metadata.creationTimestamp ?? '',
    secretName: secretNameOf(object),
    ...sourceFields(object),
    ...lifeFields(status),
  };
}

const readyFields = (ready: Condition | undefined): Pick<BranchRow, 'ready' | 'reason' | 'message'> => ({
  ready: ready?.status ?? 'Unknown',
  reason: ready?.reason ?? 'Pending',
  message: ready?.message ?? '',
});

type Status = NonNullable<DatabaseBranch['status']>;

const sourceFields = ({ spec: { source }, status: { branch, endpoint } = {} }: DatabaseBranch): Partial<BranchRow> =>
  defined({
    source: branch?.source?.branch ?? source?.branch,
    sourceTime: source?.time === undefined ? undefined : branch?.source?.time,
    branchId: branch?.id,
    host: endpoint?.host,
  });

const lifeFields = ({ expiration, credentials, queue }: Status): Partial<BranchRow> =>
  defined({
    expireTime: expiration?.expireTime,
    leaseTime: expiration?.leaseTime,
    enforcedBy: expiration?.enforcedBy,
    tokenExpireTime: credentials?.expireTime,
    queuePosition: queue?.position,
  });

type Defined<T> = { [K in keyof T as undefined extends T[K] ? never : K]: T[K] } & {
  [K in keyof T as undefined extends T[K] ? K : never]?: Exclude<T[K], undefined>;
};

/** Without the fields that have no value, so that JSON has none of them either. */
export const defined = <T extends object>(fields: T): Defined<T> =>
  Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as Defined<T>;

export const nameOf = ({ metadata }: { metadata: { namespace?: string; name: string } }): string =>
  metadata.namespace === undefined ? metadata.name : `${metadata.namespace}/${metadata.name}`;
