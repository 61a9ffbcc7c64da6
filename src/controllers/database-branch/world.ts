// One look at everything that a decision may rest on. Built by observe.ts, read by decide.ts and report.ts.
import type { BranchClass } from '../../api/v1alpha1/branch-class.ts';
import type { DatabaseBranch } from '../../api/v1alpha1/database-branch.ts';
import type { SecretSeen } from '../../credentials/secret.ts';
import type { LakebaseError } from '../../lakebase/errors.ts';
import type { Branch, Endpoint, Role } from '../../lakebase/model.ts';
import type { SlotSeen } from './slots.ts';
import type { Asker } from './past.ts';
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
  readonly paused: Paused;
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
  /** The branch that the Secret opens, or that it last opened. With neither Secret nor status, nothing is served. */
  readonly served: BranchView | undefined;
  /** The branch that the object asks for. The very same view as `served` unless a create or a reset is under way. */
  readonly wanted: BranchView | undefined;
  /** Every branch that carries the object's tag, and who was forked from them; absent: the project is not there. */
  readonly family: Seen<Family>;
  /** Whether the provider remembers the wanted id as deleted. */
  readonly rememberedAsDeleted: Seen<boolean>;
  /** Whether a PointInTimeRestore asked for the object. */
  readonly asker: Asker;
  /** Whether there is a slot for the wanted branch, and whose turn it is. */
  readonly place: Seen<Place>;
  /** Whether the token of the object may be renewed now, where many are due at once. */
  readonly turn: 'notAsked' | 'mine' | 'waiting';
  /** How long a deletion waits for a provider that cannot be reached before the lease is trusted, in ms. */
  readonly maxWaitMs: number;
  /** The Postgres user of the login. */
  readonly username: string | undefined;
  readonly memory: MemoryView;
  /** Largest disagreement of our clock with API server and provider, in ms; undefined when one of them was not heard. */
  readonly clockSkewMs: number | undefined;
}

/** `all`: nothing but deletion goes on. */
export type Paused = 'no' | 'changes' | 'all';

/** One of the object's branches: what is on record of it, and what this pass has seen. */
export interface BranchView {
  readonly id: string;
  /** On record; undefined: never seen. */
  readonly uid: string | undefined;
  readonly branch: Seen<Branch>;
  readonly endpoint: Seen<Endpoint>;
  /** Role of the login on the branch. */
  readonly role: Seen<Role>;
  /** Whether the last change that was asked for on the branch is done. */
  readonly operationDone: Seen<boolean>;
  /** The branch that it is made from, where its past is asked for. */
  readonly source: Seen<Branch>;
  readonly sourceEndpoints: Seen<readonly Endpoint[]>;
  /** Whether the role of the login is on the source too, asked to say what the login reaches. */
  readonly roleOnSource: Seen<boolean>;
  readonly memory: BranchMemoryView;
}

export interface Family {
  readonly branches: readonly BranchView[];
  /** Ids of branches without the tag whose parent carries it. */
  readonly children: readonly string[];
}

/** Whether the object may ask for its branch now, or how long the line before it is. */
export type Place = SlotSeen;

/** What this process remembers about an object. All of it may vanish at any time. */
export interface MemoryView {
  readonly leadingMs: number;
  /** Milliseconds since the last POST by this process that led to nothing visible, for whichever of the object's ids. */
  readonly postedMsAgo: number | undefined;
  readonly write: { readonly message: string; readonly nextInMs: number } | undefined;
  /** Milliseconds until the Secret is read again. */
  readonly secretReadInMs: number;
  /** Milliseconds until the object's branches are looked at again although nothing is due. */
  readonly checkInMs: number;
  /** There may be branches of the object that no status tells of. */
  readonly untold: boolean;
  /** Milliseconds since they were last looked at together. */
  readonly checkedMsAgo: number;
  /** Ids that this process asked the provider for, and of which no status tells yet. */
  readonly unnoted: readonly string[];
  /** How often in a row the provider could not be asked while the object was being deleted. */
  readonly deletionFailures: number;
  /** How far ahead of now the provider of this class lets a branch expire, where it was seen to refuse more. */
  readonly ceilingMs: number | undefined;
}

/** The same for one of its branches. */
export interface BranchMemoryView {
  /** Milliseconds since the last POST for the id by this process. */
  readonly postedMsAgo: number | undefined;
  /** Milliseconds since the first POST of the present attempt that led to nothing visible. */
  readonly startingMs: number | undefined;
  /** The expiry that the last POST by this process told the provider, while the branch is not visible. */
  readonly postedExpireTime: Date | undefined;
  /** The provider's refusal of the last POST. */
  readonly refusal: LakebaseError | undefined;
  /** The shortest expiry, in ms ahead of now, that the provider has refused for it. */
  readonly refusedAheadMs: number | undefined;
  /** A token for the branch is held that has logged in. */
  readonly loggedIn: boolean;
  readonly login: LoginView | undefined;
  /** The last mint said that endpoint or branch is not there. */
  readonly mintSaidGone: boolean;
  readonly mint: FailureView | undefined;
  readonly role: FailureView | undefined;
  readonly lease: FailureView | undefined;
  readonly size: FailureView | undefined;
  /** Milliseconds since the last DELETE sent for the branch. */
  readonly deletedMsAgo: number | undefined;
  /** The sizes of the present spec were already set on this branch by this process, or found right. */
  readonly sized: boolean;
  /** The lease was extended, or a mint was refused: time to see whether somebody changed the endpoint. */
  readonly endpointCheckDue: boolean;
  /** Time to see whether somebody dropped the role of the login. */
  readonly roleCheckDue: boolean;
  /** The endpoint as this process last saw it; undefined: not yet. */
  readonly endpoint: EndpointSeen | undefined;
  /** A change of the branch was asked for whose end was not seen yet. */
  readonly operationRuns: boolean;
  /** Milliseconds since a role was asked for on the branch. */
  readonly rolePostedMsAgo: number | undefined;
  /** The role was seen on the branch, usable and with all memberships, by this process. */
  readonly roleSeen: boolean;
  /** Milliseconds since the branch was last asked for by this process. */
  readonly askedMsAgo: number | undefined;
  /** This process saw that the id is not taken and never was, and has not asked for it since. */
  readonly vacant: boolean;
  /** This process saw that a branch of this id, once seen, is gone. */
  readonly gone: boolean;
}

export type EndpointSeen = 'none' | { readonly uid: string; readonly host: string | undefined };

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

/** What was seen of one branch goes into every view of it. */
export function withView(world: World, view: BranchView): World {
  const put = (other: BranchView | undefined): BranchView | undefined => (other?.id === view.id ? view : other);
  return { ...world, served: put(world.served), wanted: put(world.wanted) };
}

export const viewOf = ({ served, wanted }: Pick<World, 'served' | 'wanted'>, id: string): BranchView | undefined =>
  [served, wanted].find((view) => view?.id === id);

/** Another branch than the served one is asked for. */
export const isReset = ({ served, wanted }: World): boolean =>
  served !== undefined && wanted !== undefined && served.id !== wanted.id;
