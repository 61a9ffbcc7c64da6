// The closed list of steps that a pass can take, and of what it can say. Pure.
import type { RestoreEnd } from '../../api/v1alpha1/ends.ts';
import { Reason } from '../../api/v1alpha1/reasons.ts';

export type Plan =
  /** The restore is being deleted: nothing is made, and nothing is left to say. */
  | { readonly do: 'nothing' }
  | { readonly do: 'create'; readonly className: string }
  /** Note on the restore itself that it is over, since now unless a time is named: a status can be lost. */
  | { readonly do: 'end'; readonly reason: RestoreEnd; readonly time?: Date }
  | { readonly do: 'say'; readonly state: State };

/**
 * - `restored` over, and well
 * - `failed`   over: it will never be
 * - `stalled`  a person has to do something; it then goes on by itself
 * - `underWay` it goes on by itself
 */
export type State =
  | { readonly is: 'restored'; readonly message: string }
  | { readonly is: 'failed' | 'stalled' | 'underWay'; readonly reason: Reason; readonly message: string };

/** How the restore ended, as its annotation says. */
export interface Ended {
  readonly reason: RestoreEnd;
  /** Absent: somebody edited the annotation. */
  readonly time?: Date;
}

export const say = (is: 'stalled' | 'underWay', reason: Reason, message: string): Plan => ({
  do: 'say',
  state: { is, reason, message },
});

export const namespaceTerminating: State = {
  is: 'underWay',
  reason: Reason.NamespaceTerminating,
  message: 'the namespace is being deleted: nothing new is made in it',
};

export const end = (reason: RestoreEnd): Plan => ({ do: 'end', reason });
