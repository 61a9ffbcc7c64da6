// The closed list of steps that a pass can take, and the words for waiting. Pure.
import type { BranchEnd } from '../../api/v1alpha1/ends.ts';
import type { IssueReason } from '../../api/v1alpha1/issue-reasons.ts';
import { Reason } from '../../api/v1alpha1/reasons.ts';
import type { Binding } from '../../credentials/proof.ts';
import type { IssuedSecret } from '../../credentials/secret.ts';
import type { EndpointSize } from '../../lakebase/client.ts';
import type { LakebaseError, UnreachableCause } from '../../lakebase/errors.ts';
import type { Branch, Endpoint, Role } from '../../lakebase/model.ts';
import { notAccepted, type Identity } from '../identities.ts';
import type { Snapshot } from '../projects.ts';
import type { Problem, Wish } from './wish.ts';
import type { BranchView } from './world.ts';

/** What a decision may ask to see of one branch, before it can be made; and of the object as a whole. */
export type BranchSight = 'branch' | 'operation' | 'endpoint' | 'role' | 'roleOnSource' | 'source' | 'sourceEndpoints';
export type ObjectSight = 'deletedIds' | 'place' | 'family' | 'freshFamily' | 'turn';

export type Plan =
  /** Not decidable yet: look at this, then decide again in the same pass. */
  | { readonly do: 'look'; readonly at: BranchSight; readonly of: BranchView }
  | { readonly do: 'lookAround'; readonly at: ObjectSight }
  /** Nothing is known to be due; the status stays as it is. */
  | { readonly do: 'idle'; readonly lookInMs: number }
  | { readonly do: 'claim' }
  /** `snapshot`: the LIST by which there was a slot for it. */
  | {
      readonly do: 'createBranch';
      readonly wish: Wish;
      readonly expiry: Expiry;
      readonly snapshot: Snapshot;
    }
  /** Nothing but the status: what was seen must be on record before the next step rests on it. */
  | { readonly do: 'record' }
  | { readonly do: 'resize'; readonly of: BranchView; readonly endpoint: Endpoint; readonly size: EndpointSize }
  | { readonly do: 'createRole'; readonly of: BranchView; readonly postgresRole: string }
  | { readonly do: 'extendRole'; readonly of: BranchView; readonly role: Role }
  | { readonly do: 'login'; readonly of: BranchView; readonly endpoint: Endpoint; readonly username: string }
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
  | { readonly do: 'setExpiry'; readonly branch: Branch; readonly expiry: Expiry; readonly why: 'lease' | 'drain' }
  | { readonly do: 'markEnded'; readonly reason: BranchEnd }
  | { readonly do: 'deleteSecret'; readonly secret: SecretIdentity; readonly why: string }
  | { readonly do: 'deleteBranch'; readonly branch: Branch; readonly why: string }
  /** Remove the finalizer. */
  | { readonly do: 'release'; readonly why: string; readonly left?: Left }
  | Wait;

/** A branch that stays at the provider although its object goes. */
export interface Left {
  readonly how: 'Retained' | 'LeftToLease';
  /** When the provider removes it; absent: never. */
  readonly until?: Date;
}

/** When the provider itself is to remove a branch. */
export interface Expiry {
  /** Absent: never. */
  readonly at?: Date;
  /** What would have been asked for, had the provider not refused it. */
  readonly clampedFrom?: Date;
}

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
  /** The place in the line for a slot, as the status shows it. */
  readonly queue?: { readonly position: number; readonly nextSlotTime?: string };
}

/** Held up by something else than the line for a slot, and not by a blip: whoever waits so keeps nobody else waiting. */
export const standsAside = ({ stalled, reason }: Wait): boolean => stalled || elsewhere.has(reason);

const elsewhere = new Set<Reason>([
  Reason.SourceRefNotFound,
  Reason.SourceRefNotReady,
  Reason.SecretPending,
  Reason.NamespaceTerminating,
  Reason.ClockSkewed,
]);

export interface SecretIdentity {
  readonly uid: string;
  readonly resourceVersion: string;
}

export const look = (at: BranchSight, of: BranchView): Plan => ({ do: 'look', at, of });
export const lookAround = (at: ObjectSight): Plan => ({ do: 'lookAround', at });
export const waitFor = (reason: Reason, message: string, more: Partial<Wait> = {}): Wait => ({
  do: 'wait',
  reason,
  message,
  stalled: false,
  ...more,
});
/** All is well. */
export const available = (more: Partial<Wait> = {}): Wait =>
  waitFor(Reason.Available, 'the Secret opens the branch of this object with a valid token', more);
export const stall = ({ reason, message }: Problem): Wait => ({ do: 'wait', reason, message, stalled: true });

/** For a person to change, or passing by itself. */
export const hold = ({ reason, message, passes = false }: Problem): Wait => ({
  do: 'wait',
  reason,
  message,
  stalled: !passes,
});

export const writeRefused = (message: string): Problem => ({
  reason: Reason.SecretWriteRefused,
  message: `the API server does not take the Secret: ${message}. Remove what stands in the way; the write is repeated by itself`,
});

/** A wait that knows when to look again. */
export interface Trouble extends Wait {
  readonly lookInMs: number;
}

/** The provider's trouble, in words: transient unless only a person can end it. */
export function trouble(error: LakebaseError, who: Identity = 'provider'): Trouble {
  // "Retry-After: 0" would have every pass chase the next.
  const lookInMs = Math.max(1000, error.details.retryAfterMs ?? 10_000);
  const passing = (reason: Reason, message: string): Trouble => ({ ...waitFor(reason, message), lookInMs });
  if (isQuota(error))
    return passing(
      Reason.QuotaExceeded,
      `a quota of the provider is used up: ${error.message}. Free what it names, or have it raised; it is tried again by itself`,
    );
  switch (error.code) {
    case 'unauthenticated':
    case 'denied':
    case 'notFound':
    case 'invalid':
      return { ...stall(refusalOf(error, error.code, who)), lookInMs };
    case 'throttled':
      return passing(Reason.ProviderThrottled, `the provider asks for fewer requests: ${error.message}. ${again}`);
    case 'conflict':
    case 'exists': {
      const message = `another change is under way at the provider: ${error.message}. ${again}`;
      return { ...waitFor(Reason.ProviderConflict, message), lookInMs: Math.min(lookInMs, 2000) };
    }
    case 'unreachable': {
      const { reason, check } = unreached[error.details.unreachable ?? 'other'];
      return passing(
        reason,
        `no answer from the provider: ${error.message}. ${again}; if that does not help, check ${check}`,
      );
    }
    case 'unavailable':
      return passing(Reason.ProviderUnavailable, `the provider answers with an error: ${error.message}. ${again}`);
  }
}

const again = 'It is tried again by itself';

/** Only the words follow from it, never a decision: which code a used-up quota has is not documented. */
export const isQuota = ({ details }: LakebaseError): boolean =>
  /QUOTA|LIMIT_EXCEEDED$/.test(details.providerCode ?? '') && details.providerCode !== 'REQUEST_LIMIT_EXCEEDED';

/** Which part of the way to the provider a person has to look at. */
const onTheWay = {
  reason: Reason.ProviderUnreachable,
  check: "the way from the operator's pod to spec.provider.host of the class",
};
const unreached: Readonly<Record<UnreachableCause, { readonly reason: Reason; readonly check: string }>> = {
  dns: {
    reason: Reason.ProviderHostUnknown,
    check: "spec.provider.host of the class, and name resolution in the operator's pod",
  },
  tls: {
    reason: Reason.ProviderTLSFailed,
    check: "spec.provider.caSecretRef of the class, and the clock of the operator's node",
  },
  proxy: { reason: Reason.ProviderProxyFailed, check: "HTTPS_PROXY and NO_PROXY in the operator's Deployment" },
  refused: onTheWay,
  reset: onTheWay,
  timeout: onTheWay,
  other: onTheWay,
};

const rights: Readonly<Record<Identity, string>> = { provider: 'CAN_MANAGE', login: 'CAN_USE' };

function refusalOf(
  error: LakebaseError,
  code: 'unauthenticated' | 'denied' | 'notFound' | 'invalid',
  who: Identity,
): Problem {
  const said = error.message;
  switch (code) {
    case 'unauthenticated':
      return notAccepted(error, who);
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
