// The closed list of steps that a pass can take, and the words for waiting. Pure.
import { Reason } from '../../api/v1alpha1/reasons.ts';
import type { Binding } from '../../credentials/proof.ts';
import type { IssuedSecret } from '../../credentials/secret.ts';
import type { EndpointSize } from '../../lakebase/client.ts';
import type { LakebaseError } from '../../lakebase/errors.ts';
import type { Branch, Endpoint, Role } from '../../lakebase/model.ts';
import type { Problem, Wish } from './wish.ts';

/** What a decision may ask to see before it can be made. */
export type Sight =
  'branch' | 'deletedIds' | 'room' | 'operation' | 'endpoint' | 'role' | 'roleOnSource' | 'sourceEndpoints' | 'tagged';

export type Plan =
  /** Not decidable yet: look at this, then decide again in the same pass. */
  | { readonly do: 'look'; readonly at: Sight }
  /** Nothing is known to be due; the status stays as it is. */
  | { readonly do: 'idle'; readonly lookInMs: number }
  | { readonly do: 'claim' }
  | { readonly do: 'createBranch'; readonly wish: Wish; readonly expireTime: Date }
  /** Nothing but the status: what was seen must be on record before the next step rests on it. */
  | { readonly do: 'record' }
  | { readonly do: 'resize'; readonly endpoint: Endpoint; readonly size: EndpointSize }
  | { readonly do: 'createRole'; readonly postgresRole: string }
  | { readonly do: 'extendRole'; readonly role: Role }
  | { readonly do: 'login'; readonly endpoint: Endpoint; readonly username: string }
  /** Write a token into the Secret, minted anew unless the one that logged in is young. */
  | {
      readonly do: 'issue';
      readonly why: IssueReason;
      readonly binding: Binding;
      /** Why no login was tried before, if so. */
      readonly loginSkipped?: string;
      readonly replaces: SecretIdentity | IssuedSecret | undefined;
    }
  | { readonly do: 'render'; readonly secret: IssuedSecret }
  | { readonly do: 'extendLease'; readonly branch: Branch; readonly expireTime: Date }
  | { readonly do: 'markEnded'; readonly reason: EndReason }
  | { readonly do: 'deleteSecret'; readonly secret: SecretIdentity; readonly why: string }
  | { readonly do: 'deleteBranch'; readonly branch: Branch; readonly project: string }
  /** Remove the finalizer. */
  | { readonly do: 'release'; readonly why: string }
  | Wait;

/** Nothing to do but wait: for the provider, for a person, or for an instant. */
export interface Wait {
  readonly do: 'wait';
  readonly reason: Reason;
  readonly message: string;
  /** Only a person can change it. */
  readonly stalled: boolean;
  /** Look again after so many ms; absent: after a while, because what a person repairs elsewhere wakes nobody. */
  readonly lookInMs?: number;
  /** Something at the provider is in transition: look as often as the pace of such changes says. */
  readonly transition?: 'branch' | 'endpoint' | 'role' | 'delete';
}

export type IssueReason = 'First' | 'RotationRequested' | 'RenewalDue' | 'Healing' | 'BindingChanged';
export type EndReason = 'Expired' | 'LeaseLapsed' | 'DeletedExternally';
export interface SecretIdentity {
  readonly uid: string;
  readonly resourceVersion: string;
}

export const look = (at: Sight): Plan => ({ do: 'look', at });
export const waitFor = (reason: Reason, message: string, more: Partial<Wait> = {}): Wait => ({
  do: 'wait',
  reason,
  message,
  stalled: false,
  ...more,
});
export const stall = ({ reason, message }: Problem): Wait => ({ do: 'wait', reason, message, stalled: true });

export const writeRefused = (message: string): Problem => ({
  reason: Reason.SecretWriteRefused,
  message: `the API server does not take the Secret: ${message}`,
});

/** Who of the class was refused: the one that manages branches, or the one whose tokens applications get. */
export type Identity = 'provider' | 'login';

/** The provider's trouble, in words: transient unless only a person can end it. */
export function trouble(error: LakebaseError, who: Identity = 'provider'): Wait {
  const lookInMs = error.details.retryAfterMs ?? 10_000;
  switch (error.code) {
    case 'unauthenticated':
    case 'denied':
    case 'notFound':
    case 'invalid':
      return { ...stall(refusalOf(error.code, error.message, who)), lookInMs };
    case 'throttled':
      return waitFor(Reason.ProviderThrottled, 'the provider asks for fewer requests; trying again when it allows', {
        lookInMs,
      });
    case 'conflict':
    case 'exists': {
      const message = `another change is under way at the provider: ${error.message}`;
      return waitFor(Reason.ProviderConflict, message, { lookInMs: Math.min(lookInMs, 2000) });
    }
    case 'unreachable': {
      const message = `no answer from the provider (${error.details.unreachable ?? 'other'}): ${error.message}`;
      return waitFor(Reason.ProviderUnreachable, message, { lookInMs });
    }
    case 'unavailable':
      return waitFor(Reason.ProviderUnavailable, `the provider answers with an error: ${error.message}`, { lookInMs });
  }
}

const rights: Readonly<Record<Identity, string>> = { provider: 'CAN_MANAGE', login: 'CAN_USE' };

function refusalOf(code: 'unauthenticated' | 'denied' | 'notFound' | 'invalid', said: string, who: Identity): Problem {
  switch (code) {
    case 'unauthenticated':
      return {
        reason: Reason.Unauthenticated,
        message: `the provider does not accept the credential of the class: ${said}. Check the Secret that spec.${who}.auth of the class names`,
      };
    case 'denied':
      return {
        reason: Reason.PermissionDenied,
        message: `the provider forbids it: ${said}. The service principal of spec.${who}.auth needs ${rights[who]} on the project`,
      };
    case 'notFound':
      return {
        reason: Reason.ProjectNotFound,
        message: `the provider knows no such project or branch: ${said}. Check spec.provider of the class and the source`,
      };
    case 'invalid':
      return {
        reason: Reason.RequestRefused,
        message: `the provider refuses the request as it is: ${said}. Change what the message names in the object or the class`,
      };
  }
}
