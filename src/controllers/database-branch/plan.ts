// The closed list of steps that a pass can take, and the words for waiting. Pure.
import { Reason } from '../../api/v1alpha1/reasons.ts';
import type { Binding } from '../../credentials/proof.ts';
import type { IssuedSecret } from '../../credentials/secret.ts';
import type { EndpointSize } from '../../lakebase/client.ts';
import type { LakebaseError } from '../../lakebase/errors.ts';
import type { Branch, Endpoint, Role } from '../../lakebase/model.ts';
import type { Problem } from './wish.ts';

/** What a decision may ask to see before it can be made. */
export type Sight =
  'branch' | 'deletedIds' | 'room' | 'operation' | 'endpoint' | 'role' | 'roleOnSource' | 'sourceEndpoints' | 'tagged';

export type Plan =
  /** Not decidable yet: look at this, then decide again in the same pass. */
  | { readonly do: 'look'; readonly at: Sight }
  /** Nothing is known to be due; the status stays as it is. */
  | { readonly do: 'idle'; readonly lookInMs: number }
  | { readonly do: 'claim' }
  | { readonly do: 'createBranch'; readonly expireTime: Date }
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
  /** Look again after so many ms; absent: when something changes, or at the next instant that is due. */
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

/** The provider's trouble, in words: transient unless only a person can end it. */
export function trouble(error: LakebaseError): Wait {
  const lookInMs = error.details.retryAfterMs ?? 10_000;
  switch (error.code) {
    case 'unauthenticated':
      return {
        ...stall({
          reason: Reason.Unauthenticated,
          message: `the provider does not accept the credential of the class: ${error.message}. Check the Secret that the class names`,
        }),
        lookInMs,
      };
    case 'denied':
      return {
        ...stall({
          reason: Reason.PermissionDenied,
          message: `the provider forbids it: ${error.message}. The service principal needs CAN_MANAGE on the project`,
        }),
        lookInMs,
      };
    case 'notFound':
      return {
        ...stall({
          reason: Reason.ProjectNotFound,
          message: `the provider knows no such project or branch: ${error.message}. Check spec.provider of the class and the source`,
        }),
        lookInMs,
      };
    case 'throttled':
      return waitFor(Reason.ProviderThrottled, 'the provider asks for fewer requests; trying again when it allows', {
        lookInMs,
      });
    case 'conflict':
    case 'exists':
      return waitFor(Reason.ProviderConflict, `another change is under way at the provider: ${error.message}`, {
        lookInMs: Math.min(lookInMs, 2000),
      });
    case 'unreachable':
      return waitFor(
        Reason.ProviderUnreachable,
        `no answer from the provider (${error.details.unreachable ?? 'other'}): ${error.message}`,
        { lookInMs },
      );
    case 'invalid':
    case 'unavailable':
      return waitFor(Reason.ProviderUnavailable, `the provider answers with an error: ${error.message}`, { lookInMs });
  }
}
