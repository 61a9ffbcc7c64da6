// One look at everything that a decision may rest on. Built by observe.ts, read by decide.ts and report.ts.
import type { BranchClass } from '../../api/v1alpha1/branch-class.ts';
import type { DatabaseBranch } from '../../api/v1alpha1/database-branch.ts';
import type { SecretSeen } from '../../credentials/secret.ts';
import type { LakebaseError } from '../../lakebase/errors.ts';
import type { Branch, Endpoint, Role } from '../../lakebase/model.ts';
import type { Problem, Wish } from './wish.ts';

/** "Could not tell" is a finding of its own, never the same as "not there"; and so is "did not have to ask". */
export type Seen<T> =
  | { readonly seen: 'notAsked' }
  | { readonly seen: 'absent' }
  | { readonly seen: 'unknown'; readonly error: LakebaseError }
  | { readonly seen: 'present'; readonly value: T };

export const notAsked = { seen: 'notAsked' } as const;
export const absent = { seen: 'absent' } as const;

export interface World {
  readonly object: DatabaseBranch;
  readonly uid: string;
  readonly deleting: boolean;
  /** Our finalizer is there. */
  readonly claimed: boolean;
  /** Why the present token of the object has ended, from the annotation that survives lost status. */
  readonly ended: { readonly reason: string; readonly time: string } | undefined;
  /** Absent while its class, or the class's identity, cannot be used. */
  readonly wish: Wish | undefined;
  /** The break-glass annotation names this very object. */
  readonly releaseAsked: boolean;
  readonly bclass: BranchClass | undefined;
  /** What a person has to change; forbids a create, not the care of what is served. */
  readonly problems: readonly Problem[];
  /** Since when the namespace is not allowed by the class, if it is not. */
  readonly notAllowedSince: Date | undefined;
  /** The namespace is being deleted: nothing new may be made in it. */
  readonly namespaceTerminating: boolean;
  /** The spec is as it was when the status was last written in full. */
  readonly specSeen: boolean;
  readonly secret: { readonly is: 'none' } | { readonly is: 'notRead' } | SecretSeen;
  /** Name of an older DatabaseBranch of the namespace that uses the same Secret name. */
  readonly secretNameTakenBy: string | undefined;
  /** What this object has on record about the branch it made: from the Secret, else from status. */
  readonly recorded: { readonly uid: string; readonly served: boolean } | undefined;
  readonly branch: Seen<Branch>;
  /** When deleting: every branch that carries the object's tag. */
  readonly tagged: Seen<readonly Branch[]>;
  /** Whether the provider remembers the wanted id as deleted. */
  readonly rememberedAsDeleted: Seen<boolean>;
  /** How many branches of the project count against the provider's limit, whoever made them. */
  readonly unarchived: Seen<number>;
  /** Whether the last change that was asked for on the branch is done. */
  readonly operationDone: Seen<boolean>;
  readonly endpoint: Seen<Endpoint>;
  /** Role of the login on the branch. */
  readonly role: Seen<Role>;
  /** The same role on the source, asked once to say what the login reaches. */
  readonly roleOnSource: Seen<boolean>;
  readonly sourceEndpoints: Seen<readonly Endpoint[]>;
  /** The Postgres user of the login. */
  readonly username: string | undefined;
  readonly memory: MemoryView;
  /** Largest disagreement of our clock with API server and provider, in ms; undefined when one of them was not heard. */
  readonly clockSkewMs: number | undefined;
}

/** What this process remembers about an object. All of it may vanish at any time. */
export interface MemoryView {
  /** Milliseconds since the last POST for the wanted id by this process. */
  readonly postedMsAgo: number | undefined;
  /** Milliseconds since the first POST of the present attempt that led to nothing visible. */
  readonly startingMs: number | undefined;
  readonly leadingMs: number;
  /** The provider's refusal of the last POST. */
  readonly refusal: LakebaseError | undefined;
  /** A token for the branch is held that has logged in, and for which binding. */
  readonly loggedIn: boolean;
  readonly login: LoginView | undefined;
  /** The last mint said that endpoint or branch is not there. */
  readonly mintSaidGone: boolean;
  readonly mint: FailureView | undefined;
  readonly role: FailureView | undefined;
  readonly lease: FailureView | undefined;
  readonly size: FailureView | undefined;
  readonly write: { readonly message: string; readonly nextInMs: number } | undefined;
  /** Milliseconds since the last DELETE sent for the branch. */
  readonly deletedMsAgo: number | undefined;
  /** The sizes were already set on this branch by this process, or found right. */
  readonly sized: boolean;
  /** A change of the branch was asked for whose end was not seen yet. */
  readonly operationRuns: boolean;
  /** Milliseconds since a role was asked for on the branch. */
  readonly rolePostedMsAgo: number | undefined;
  /** The role was seen on the branch, usable and with all memberships, by this process. */
  readonly roleSeen: boolean;
  /** Milliseconds until the Secret is read again; until the branch is looked at again although nothing is due. */
  readonly secretReadInMs: number;
  readonly branchCheckInMs: number;
  /** Milliseconds since the branch was last asked for by this process. */
  readonly branchAskedMsAgo: number | undefined;
}

export interface LoginView {
  readonly attempts: number;
  readonly sinceMs: number;
  readonly nextInMs: number;
  readonly message: string;
  readonly kind: 'roleMissing' | 'refused' | 'noPath';
}

export interface FailureView {
  readonly attempts: number;
  readonly sinceMs: number;
  readonly nextInMs: number;
  readonly error: LakebaseError;
}
