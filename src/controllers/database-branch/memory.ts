// What this process remembers about its objects. A cache that may vanish at any time; nothing is decided by it alone.
import { createHash } from 'node:crypto';
import type { Clock } from '../../kit/clock.ts';
import type { Credential } from '../../lakebase/client.ts';
import type { LakebaseError } from '../../lakebase/errors.ts';
import type { DatabaseBranch } from '../../api/v1alpha1/database-branch.ts';
import type { SecretSeen } from '../../credentials/secret.ts';
import { Pace } from './pacing.ts';
import type { FailureView, LoginView, MemoryView } from './world.ts';

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
  branchAskedAt?: number;
  firstPostAt?: number;
  postedAt?: number;
  refusal?: LakebaseError;
  deletedAt?: number;
  transition?: { kind: string; since: number };
  held?: { branchUid: string; credential: Credential; loggedIn: boolean };
  login?: { attempts: number; firstAt: number; nextAt: number; message: string; kind: LoginView['kind'] };
  mint?: Failure;
  mintSaidGone?: boolean;
  /** Name of the operation of the last change on the branch, until it was seen to be done. */
  operation?: string;
  role?: Failure;
  lease?: Failure;
  size?: Failure;
  /** The API server's refusal of the last Secret write. */
  write?: { attempts: number; nextAt: number; message: string };
  rolePostedAt?: number;
  /** `<branch uid>/<role>` */
  roleSeen?: string;
  sized?: string;
  /** The newest version that one of our own writes returned, and the versions it replaced. */
  written?: { object: DatabaseBranch; replaced: Set<string> };
}

/** A minute between reads of a Secret, longer when there are so many that 20 reads a second would not do. */
const secretIntervalMs = (objects: number): number => Math.max(60_000, (objects / 20) * 1000);
const branchIntervalMs = 10 * 60_000;
/** A held token that is not written within this time is dropped and minted again. */
const heldMs = 5 * 60_000;

export class Memory {
  readonly #clock: Clock;
  readonly #objects = new Map<string, Remembered>();
  readonly pace = new Pace();
  /** When this process began to lead. */
  readonly #leadingSince: number;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#leadingSince = clock.monotonicMs();
  }

  of(uid: string): Remembered {
    let remembered = this.#objects.get(uid);
    if (!remembered) this.#objects.set(uid, (remembered = {}));
    return remembered;
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
    const replaced = memory.written?.replaced ?? new Set();
    replaced.add(before.metadata.resourceVersion ?? '');
    memory.written = { object: after, replaced };
    return after;
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

  view({
    uid,
    branchUid,
    generation,
    username,
  }: {
    uid: string;
    branchUid: string | undefined;
    generation: number;
    username: string | undefined;
  }): MemoryView {
    const memory = this.of(uid);
    const now = this.now();
    if (memory.held && now - heldMs > this.#heldAt(memory)) delete memory.held;
    const ago = (at: number | undefined): number | undefined => (at === undefined ? undefined : now - at);
    const asked = memory.branchAskedAt ?? this.#leadingSince - branchIntervalMs * (1 - spread(uid));
    return {
      postedMsAgo: ago(memory.postedAt),
      startingMs: ago(memory.firstPostAt),
      leadingMs: now - this.#leadingSince,
      refusal: memory.refusal,
      loggedIn: memory.held?.loggedIn === true && memory.held.branchUid === branchUid,
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
      write: memory.write && { message: memory.write.message, nextInMs: memory.write.nextAt - now },
      deletedMsAgo: ago(memory.deletedAt),
      sized: memory.sized === `${branchUid ?? ''}/${generation}`,
      operationRuns: memory.operation !== undefined,
      rolePostedMsAgo: ago(memory.rolePostedAt),
      roleSeen: memory.roleSeen === `${branchUid ?? ''}/${username ?? ''}`,
      secretReadInMs: this.secretReadInMs(uid),
      branchAskedMsAgo: ago(memory.branchAskedAt),
      branchCheckInMs: asked + branchIntervalMs - now,
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

  /** What was in transition is so no more: how long it took is learned for the next one. */
  endTransition(uid: string): void {
    const memory = this.of(uid);
    if (memory.transition) this.pace.note(memory.transition.kind, this.now() - memory.transition.since);
    delete memory.transition;
  }

  /** As `failed`, for a Secret that the API server does not take. */
  writeFailed(uid: string, message: string): void {
    const memory = this.of(uid);
    const attempts = (memory.write?.attempts ?? 0) + 1;
    memory.write = { attempts, message, nextAt: this.now() + backoffMs(uid, attempts) };
  }

  /** How long the present transition of this kind has lasted; starts counting at the first call. */
  transitionMs(uid: string, kind: string): number {
    const memory = this.of(uid);
    if (memory.transition?.kind !== kind) {
      this.endTransition(uid);
      memory.transition = { kind, since: this.now() };
    }
    return this.now() - (memory.transition?.since ?? this.now());
  }

  #heldAt({ held }: Remembered): number {
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
