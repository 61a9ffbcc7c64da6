// What the metrics tell about a DatabaseBranch, by its status. Pure.
import type { DatabaseBranch } from '../api/v1alpha1/database-branch.ts';
import { findCondition } from '../kit/conditions.ts';
import type { ObjectState } from './registry.ts';

export function stateOf({ status }: Pick<DatabaseBranch, 'status'>): ObjectState {
  const { conditions = [], branch, credentials, expiration = {}, queue } = status ?? {};
  return {
    ready: findCondition(conditions, 'Ready')?.status === 'True',
    stalled: findCondition(conditions, 'Stalled')?.status === 'True',
    credentialExpireTime: dateOf(credentials?.expireTime),
    unleased: branch !== undefined && expiration.enforcedBy === 'Operator',
    leaseTime: leaseToExtend(expiration),
    queued: queue !== undefined,
  };
}

type Expiration = NonNullable<NonNullable<DatabaseBranch['status']>['expiration']>;

/** A lease that outlasts the object is not extended any more: its end is near when the object's is, and alarms nobody. */
function leaseToExtend({ leaseTime, expireTime }: Expiration): Date | undefined {
  const [lease, end] = [dateOf(leaseTime), dateOf(expireTime)];
  return lease && end && lease >= end ? undefined : lease;
}

const dateOf = (text: string | undefined): Date | undefined => (text === undefined ? undefined : new Date(text));
