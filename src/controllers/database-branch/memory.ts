// What this process remembers about its objects. A cache that may vanish at any time; nothing is decided by it alone.
import { createHash } from 'node:crypto';
import type { Clock } from '../../kit/clock.ts';
import type { Credential } from '../../lakebase/client.ts';
import type { LakebaseError } from '../../lakebase/errors.ts';
import type { DatabaseBranch } from '../../api/v1alpha1/database-branch.ts';
import type { SecretSeen } from '../../credentials/secret.ts';
import { carriedForMs, type Carried } from './carry.ts';
import { Pace } from './pacing.ts';
import { isBlank, mayHaveUntold } from './untold.ts';
import type { BranchMemoryView, EndpointSeen, FailureView, LoginView, MemoryView } from './world.ts';

export type SecretMemory = { readonly is: 'none' } | SecretSeen;

interface Failure {
  attempts: number;
  firstAt: number;
  nextAt: number;
  error: LakebaseError;
}

/** Instants are monotonic milliseconds of the clock. */
export interface Remembered {
  secret?: { value: SecretMemory; readAt: number };
  /** The API server's refusal of the last Secret write. */
  write?: { attempts: number; nextAt: number; message: string };
  /** When the branches of the object were last looked at together. */
  checkedAt?: number;
  /** Since when there may be branches that no status tells of, and that this process did not ask for. */
  untoldSince?: number;
  /** This process claimed it, and no status of it was written since: there is nothing yet that could have been lost. */
  isNew?: boolean;
  /** This process has looked at it before. */
  met?: boolean;
  deletionFailures?: number;
  /** `lookedAt`: when it was last seen to go on. */
  transition?: { kind: string; since: number; lookedAt: number };
  /** Generation of the spec for which the object was seen to be held up by something else than the line for a slot. */
  asideAt?: number;
  /** For the pass that follows at once. */
  carried?: { at: number; value: Carried };
  /** The newest version that one of our own writes returned, and the versions it replaced. */
  written?: { object: DatabaseBranch; replaced: Set<string> };
  /** By branch id. */
  branches: Map<string, RememberedBranch>;
}

export interface RememberedBranch {
  askedAt?: number;
  /** When the last GET that showed the branch was sent. */
  shownAt?: number;
  firstPostAt?: number;
  postedAt?: number;
  /** The expiry that the last POST told. */
  postedExpireTime?: Date;
  refusal?: LakebaseError;
  /** It was asked for and not refused, and no status tells of it yet: it has its slot. */
  started?: boolean;
  /** The shortest expiry, in ms ahead, that the provider has refused. */
  refusedAheadMs?: number;
  deletedAt?: number;
  gone?: boolean;
  vacant?: boolean;
  held?: { branchUid: string; credential: Credential; loggedIn: boolean };
  login?: { attempts: number; firstAt: number; nextAt: number; message: string; kind: LoginView['kind'] };
  mint?: Failure;
  mintSaidGone?: boolean;
  /** Name of the operation of the last change on the branch, until it was seen to be done. */
  operation?: string;
  role?: Failure;
  lease?: Failure;
  size?: Failure;
  rolePostedAt?: number;
  /** `<branch uid>/<role>` */
  roleSeen?: string;
  /** Generation of the spec whose size the branch has. */
  sized?: number;
  endpointCheckDue?: boolean;
  roleCheckDue?: boolean;
  /** When the role of the served branch was last to be checked. */
  roleCheckedAt?: number;
  endpoint?: EndpointSeen;
}

/** A minute between reads of a Secret, longer when there are so many that 20 reads a second would not do. */
const secretIntervalMs = (objects: number): number => Math.max(60_000, (objects / 20) * 1000);
/** A branch that a POST made is shown within this time. */
const appearsWithinMs = 2 * 60_000;
const checkIntervalMs = 10 * 60_000;
/** A check that failed is made again after this time. */
const checkAgainMs = 10_000;
const keptBranches = 8;
/** As long as it takes to extend every lease of a class once. */
const ceilingKeptMs = 12 * 3_600_000;
/** A held token that is not written within this time is dropped and minted again. */
const heldMs = 5 * 60_000;

export class Memory {
  readonly #clock: Clock;
  readonly #objects = new Map<string, Remembered>();
  readonly pace = new Pace();
  /** By class name: how far ahead, in ms, the provider lets a branch expire, where it was seen to refuse more. */
  readonly #ceilings = new Map<string, { readonly aheadMs: number; readonly at: number }>();
  /** When this process began to lead. */
  readonly #leadingSince: number;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#leadingSince = clock.monotonicMs();
  }

  of(uid: string): Remembered {
    let remembered = this.#objects.get(uid);
    if (!remembered) this.#objects.set(uid, (remembered = { branches: new Map() }));
    return remembered;
  }

  /** An object has few branches in its life; those that are gone are remembered no longer than it takes to make new ones. */
  branch(uid: string, id: string): RememberedBranch {
    const { branches } = this.of(uid);
    let remembered = branches.get(id);
    if (!remembered) {
      branches.set(id, (remembered = {}));
      const [oldest] = branches.keys();
      if (branches.size > keptBranches && oldest !== undefined) branches.delete(oldest);
    }
    return remembered;
  }

  /** A branch of the object has its slot, though no status tells of it yet. */
  hasPosted(uid: string): boolean {
    return this.#unnoted(uid).length > 0;
  }

  /** Whether the object was held up by something else than the line when it last waited; an edit may have changed that. */
  noteAside({ metadata }: DatabaseBranch, aside: boolean): void {
    const memory = this.of(metadata.uid ?? '');
    if (aside) memory.asideAt = metadata.generation ?? 0;
    else delete memory.asideAt;
  }

  standsAside({ metadata }: DatabaseBranch): boolean {
    return this.#objects.get(metadata.uid ?? '')?.asideAt === (metadata.generation ?? 0);
  }

  #unnoted(uid: string): string[] {
    const branches = this.#objects.get(uid)?.branches ?? [];
    return [...branches].flatMap(([id, { started }]) => (started ? [id] : []));
  }

  /** A LIST was tried that may show what no status tells of; what was asked for just before may show only later. */
  lookedAround(uid: string, isSeen: boolean): void {
    const memory = this.of(uid);
    if (memory.untoldSince === undefined) return;
    if (!isSeen) memory.untoldSince = this.now();
    else if (this.now() - memory.untoldSince >= appearsWithinMs) delete memory.untoldSince;
  }

  /** All branches of the object that the provider shows: one that was asked for long enough ago is not coming any more. */
  sawAll(uid: string, ids: ReadonlySet<string>): void {
    for (const [id, remembered] of this.of(uid).branches) {
      const waitedMs = this.now() - (remembered.postedAt ?? -Infinity);
      if (!ids.has(id) && waitedMs > appearsWithinMs) delete remembered.started;
    }
  }

  forget(uid: string): void {
    this.#objects.delete(uid);
  }

  /** The object as the cache has it, or as our own last write returned it while the cache has not caught up. */
  newest(object: DatabaseBranch): DatabaseBranch {
    const written = this.#objects.get(object.metadata.uid ?? '')?.written;
    if (!written) return object;
    if (written.replaced.has(object.metadata.resourceVersion ?? '')) return written.object;
    delete this.of(object.metadata.uid ?? '').written;
    return object;
  }

  /** Notes what a write of ours returned; `before` is the version it was conditional on. */
  wrote(before: DatabaseBranch, after: DatabaseBranch): DatabaseBranch {
    if (before.metadata.resourceVersion === after.metadata.resourceVersion) return after;
    const memory = this.of(after.metadata.uid ?? '');
    if (!isBlank(after)) delete memory.isNew;
    // From now on the status says so.
    const { candidate, branch, superseded = [] } = after.status ?? {};
    for (const shown of [candidate, branch, ...superseded]) if (shown) delete memory.branches.get(shown.id)?.started;
    const replaced = memory.written?.replaced ?? new Set();
    replaced.add(before.metadata.resourceVersion ?? '');
    memory.written = { object: after, replaced };
    return after;
  }

  noteStatus(object: DatabaseBranch, hasSecret: boolean): void {
    const memory = this.of(object.metadata.uid ?? '');
    const isUntold = !memory.isNew && mayHaveUntold(object, { hasSecret, met: memory.met === true });
    memory.met = true;
    if (isUntold) memory.untoldSince ??= this.now();
  }

  now(): number {
    return this.#clock.monotonicMs();
  }

  /** Milliseconds until the Secret is to be read; ≤ 0 when due. Spread by a hash, so that a start reads them one by one. */
  secretReadInMs(uid: string): number {
    const interval = secretIntervalMs(this.#objects.size);
    const last = this.#objects.get(uid)?.secret?.readAt ?? this.#leadingSince - interval * (1 - spread(uid));
    return last + interval - this.now();
  }

  view({ metadata, spec }: DatabaseBranch): MemoryView {
    const memory = this.of(metadata.uid ?? '');
    const now = this.now();
    return {
      leadingMs: now - this.#leadingSince,
      postedMsAgo: lastOf(
        [...memory.branches.values()].map(({ postedAt }) => postedAt),
        now,
      ),
      write: memory.write && { message: memory.write.message, nextInMs: memory.write.nextAt - now },
      secretReadInMs: this.secretReadInMs(metadata.uid ?? ''),
      untold: memory.untoldSince !== undefined,
      checkInMs: this.#checkInMs(spec.className, memory),
      checkedMsAgo: now - (memory.checkedAt ?? -Infinity),
      unnoted: this.#unnoted(metadata.uid ?? ''),
      deletionFailures: memory.deletionFailures ?? 0,
      ceilingMs: this.#ceilingOf(spec.className),
    };
  }

  /** All objects of a class are checked at the same instants, so that one LIST of the project does for all of them. */
  #checkInMs(className: string, { checkedAt, untoldSince }: Remembered): number {
    const now = this.now();
    if (untoldSince !== undefined) {
      const again = (checkedAt ?? -Infinity) < untoldSince ? checkAgainMs : appearsWithinMs;
      return Math.max(0, (checkedAt ?? -Infinity) + again - now);
    }
    const offset = this.#leadingSince + checkIntervalMs * spread(className);
    const last = offset + Math.floor((now - offset) / checkIntervalMs) * checkIntervalMs;
    return (checkedAt ?? this.#leadingSince) < last ? 0 : last + checkIntervalMs - now;
  }

  viewBranch(
    { metadata }: DatabaseBranch,
    { id, uid, username }: { id: string; uid: string | undefined; username: string | undefined },
  ): BranchMemoryView {
    const memory = this.branch(metadata.uid ?? '', id);
    const now = this.now();
    if (memory.held && now - heldMs > this.#heldAt(memory)) delete memory.held;
    const ago = (at: number | undefined): number | undefined => (at === undefined ? undefined : now - at);
    return {
      postedMsAgo: ago(memory.postedAt),
      startingMs: ago(memory.firstPostAt),
      postedExpireTime: memory.postedExpireTime,
      refusal: memory.refusal,
      refusedAheadMs: memory.refusedAheadMs,
      loggedIn: memory.held?.loggedIn === true && memory.held.branchUid === uid,
      login: memory.login && {
        attempts: memory.login.attempts,
        sinceMs: now - memory.login.firstAt,
        nextInMs: memory.login.nextAt - now,
        message: memory.login.message,
        kind: memory.login.kind,
      },
      mintSaidGone: memory.mintSaidGone === true,
      mint: this.#failure(memory.mint),
      role: this.#failure(memory.role),
      lease: this.#failure(memory.lease),
      size: this.#failure(memory.size),
      deletedMsAgo: ago(memory.deletedAt),
      sized: memory.sized === (metadata.generation ?? 0),
      endpointCheckDue: memory.endpointCheckDue === true,
      roleCheckDue: memory.roleCheckDue === true,
      endpoint: memory.endpoint,
      operationRuns: memory.operation !== undefined,
      rolePostedMsAgo: ago(memory.rolePostedAt),
      roleSeen: memory.roleSeen === `${uid ?? ''}/${username ?? ''}`,
      askedMsAgo: ago(memory.askedAt),
      gone: memory.gone === true,
      vacant: memory.vacant === true,
    };
  }

  /** Notes one more failure of the same thing: jittered backoff from 1 s to 60 s. */
  failed(previous: Failure | undefined, error: LakebaseError, uid: string): Failure {
    const attempts = (previous?.attempts ?? 0) + 1;
    const waitMs = backoffMs(uid, attempts);
    const now = this.now();
    return {
      attempts,
      error,
      firstAt: previous?.firstAt ?? now,
      nextAt: now + Math.max(waitMs, error.details.retryAfterMs ?? 0),
    };
  }

  /**
   * What was in transition is so no more, as a look at `seenAt` found: how long it took is learned for the next one. The
   * end came between two looks.
   */
  endTransition(uid: string, seenAt: number): void {
    const memory = this.of(uid);
    const { transition } = memory;
    if (transition) this.pace.note(transition.kind, (transition.lookedAt + seenAt) / 2 - transition.since);
    delete memory.transition;
  }

  /** Kept for the very next pass of the object, if that begins in time; `at` is when the oldest of the looks began. */
  carry(uid: string, at: number, value: Carried | undefined): void {
    if (value) this.of(uid).carried = { at, value };
  }

  /** What the pass before has left, once, and since when that was looked at; without it, the pass that begins now. */
  takeCarried(uid: string, since: number): { at: number; value?: Carried } {
    const memory = this.#objects.get(uid);
    const carried = memory?.carried;
    delete memory?.carried;
    return carried && this.now() - carried.at < carriedForMs ? carried : { at: since };
  }

  /** A class learned how far ahead its branches may expire. It is asked for more again after a while: a refusal may pass. */
  learnCeiling(className: string, aheadMs: number): void {
    this.#ceilings.set(className, { aheadMs, at: this.now() });
  }

  #ceilingOf(className: string): number | undefined {
    const known = this.#ceilings.get(className);
    return known && this.now() - known.at < ceilingKeptMs ? known.aheadMs : undefined;
  }

  /** The provider could not be asked about an object that is being deleted. */
  deletionFailed(uid: string): void {
    const memory = this.of(uid);
    memory.deletionFailures = (memory.deletionFailures ?? 0) + 1;
  }

  /** As `failed`, for a Secret that the API server does not take. */
  writeFailed(uid: string, message: string): void {
    const memory = this.of(uid);
    const attempts = (memory.write?.attempts ?? 0) + 1;
    memory.write = { attempts, message, nextAt: this.now() + backoffMs(uid, attempts) };
  }

  /** How long the transition of this kind has lasted that a look at `seenAt` found; starts counting at the first call. */
  transitionMs(uid: string, kind: string, seenAt: number): number {
    const memory = this.of(uid);
    if (memory.transition?.kind !== kind) this.endTransition(uid, seenAt);
    const since = memory.transition?.since ?? seenAt;
    memory.transition = { kind, since, lookedAt: seenAt };
    return this.now() - since;
  }

  #heldAt({ held }: RememberedBranch): number {
    return held ? this.now() - (this.#clock.now().getTime() - held.credential.issueTime.getTime()) : 0;
  }

  #failure(failure: Failure | undefined): FailureView | undefined {
    if (!failure) return undefined;
    const now = this.now();
    return {
      attempts: failure.attempts,
      error: failure.error,
      sinceMs: now - failure.firstAt,
      nextInMs: failure.nextAt - now,
    };
  }
}

/** 0…1, the same for the same text in every process. */
export const spread = (text: string): number =>
  createHash('sha256').update(text).digest().readUInt32BE(0) / 0x1_0000_0000;

/** 1 s to 60 s, doubling; jittered by a hash. */
const backoffMs = (uid: string, attempts: number): number =>
  Math.min(60_000, 1000 * 2 ** (attempts - 1)) * (0.75 + 0.25 * spread(`${uid}/${attempts}`));

/** Milliseconds since the latest of the instants. */
function lastOf(instants: readonly (number | undefined)[], now: number): number | undefined {
  const known = instants.filter((instant) => instant !== undefined);
  return known.length === 0 ? undefined : now - Math.max(...known);
}
