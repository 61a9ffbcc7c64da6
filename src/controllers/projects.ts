// What all objects and classes of one project share: one LIST, the memory of what was just asked for there, and the turn of
// those whom the provider does not allow to go at the same time. A cache that may vanish at any time.
import type { Clock } from '../kit/clock.ts';
import { orAbort } from '../kit/deadline.ts';
import type { LakebaseClient } from '../lakebase/client.ts';
import type { Branch } from '../lakebase/model.ts';
import { isGone } from './database-branch/ours.ts';

/** Those who wait for a slot look this often, and at once when a deletion of ours is done. */
const waitersLookMs = 30_000;
/** How long a branch that was asked for counts although no LIST shows it. */
const unseenMs = 2 * 60_000;
const oneByOneMs = 60_000;
/** Never chase a LIST that fails. */
const shortestLookMs = 1_000;

/** All branches of a project but the soft-deleted, as one LIST showed them. */
export interface Snapshot {
  /** Monotonic ms when the LIST began. */
  readonly at: number;
  /** Its place among our own LISTs, answers and writes, which a clock could not always tell apart. */
  readonly step: number;
  readonly branches: readonly Branch[];
}

/** The client of any class of the project. */
export type Lister = Pick<LakebaseClient, 'listBranches'>;

/** What a snapshot must satisfy; without `maxAgeMs` it may be 30 s old. */
export interface Freshness {
  readonly maxAgeMs?: number;
  /** The LIST began after our last POST, after our last DELETE, and after our last deletion was done. */
  readonly afterOurLastWrite?: boolean;
}

/** What those who wait for a slot need. */
export const forWaiters: Freshness = { maxAgeMs: waitersLookMs, afterOurLastWrite: true };

export interface ProjectName {
  /** Address of the workspace, as a class has it: `https://…`. */
  readonly host: string;
  readonly project: string;
}

export class Projects {
  readonly #clock: Clock;
  readonly #projects = new Map<string, Project>();
  readonly #onFreed = new Set<(project: ProjectName) => void>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  of({ host, project }: ProjectName): Project {
    const key = projectKey({ host, project });
    let known = this.#projects.get(key);
    if (!known) {
      const freed = (): void => this.#onFreed.forEach((tell) => tell({ host, project }));
      known = new Project(this.#clock, project, freed);
      this.#projects.set(key, known);
    }
    return known;
  }

  /** `tell` hears of every slot that a deletion of ours has freed; the returned function ends that. */
  onFreed(tell: (project: ProjectName) => void): () => void {
    this.#onFreed.add(tell);
    return () => this.#onFreed.delete(tell);
  }
}

/** The same for two classes exactly if they share their project, however they spell its host. */
export const projectKey = ({ host, project }: ProjectName): string =>
  `${URL.canParse(host) ? new URL(host).origin : host}/${project}`;

/** Something that was asked for and that no LIST has shown yet. */
interface Pending {
  /** Monotonic ms of the last POST. */
  at: number;
  /** POSTs of which it is not known that they did nothing. */
  open: number;
  /** The step at which the answer of a LIST first showed it. */
  seenAt?: number;
}

/** A LIST that runs. */
interface Flight {
  readonly client: Lister;
  readonly step: number;
  readonly answer: Promise<Snapshot>;
}

export class Project {
  readonly #clock: Clock;
  readonly #project: string;
  readonly #tellFreed: () => void;
  #newest: Snapshot | undefined;
  #flight: Flight | undefined;
  #askedAt = -Infinity;
  /** Counts our LISTs, their answers, and our writes as they begin. */
  #step = 0;
  #lastWrite = 0;
  readonly #posted = new Map<string, Pending>();
  /** Id → step of its DELETE. */
  readonly #deleted = new Map<string, number>();
  #oneByOneUntil = -Infinity;
  #turn: Promise<void> = Promise.resolve();

  constructor(clock: Clock, project: string, tellFreed: () => void) {
    this.#clock = clock;
    this.#project = project;
    this.#tellFreed = tellFreed;
  }

  /**
   * The newest LIST if it is fresh enough, else one that runs already, else a new one. A failure is thrown, to all who
   * waited for that LIST with the same client, and not kept.
   */
  async snapshot(client: Lister, wanted: Freshness, signal: AbortSignal): Promise<Snapshot> {
    if (this.#newest && this.#isFresh(this.#newest, wanted)) return this.#newest;
    const flight = this.#joinable(wanted) ?? this.#list(client);
    try {
      return await orAbort(flight.answer, signal);
    } catch (error) {
      // What another class was refused says nothing about this one.
      if (flight.client === client || signal.aborted) throw error;
      const own = this.#flight?.client === client ? this.#joinable(wanted) : undefined;
      return await orAbort((own ?? this.#list(client)).answer, signal);
    }
  }

  /** Nothing of ours was asked for in the project since this LIST began. */
  isCurrent({ step }: Pick<Snapshot, 'step'>): boolean {
    return step > this.#lastWrite;
  }

  /**
   * Branches that count against the provider's limit: those that the LIST shows, those that we asked for and that it does
   * not show yet, and those that we delete until a LIST that began afterwards does not show them.
   */
  unarchived(snapshot: Snapshot): number {
    const ids = new Set(
      snapshot.branches.filter((branch) => branch.state !== 'ARCHIVED' && !isGone(branch)).map(({ id }) => id),
    );
    for (const [id, pending] of this.#posted) if (this.#isUnseen(pending, snapshot)) ids.add(id);
    for (const [id, deletedAt] of this.#deleted) if (deletedAt > snapshot.step) ids.add(id);
    return ids.size;
  }

  /** Call before each POST for a branch. */
  willPost(id: string): void {
    this.#write();
    const open = (this.#posted.get(id)?.open ?? 0) + 1;
    this.#posted.set(id, { at: this.#clock.monotonicMs(), open });
  }

  /** Call when the provider has refused a POST: it did nothing. Not when there was no answer. */
  postFailed(id: string): void {
    const pending = this.#posted.get(id);
    if (!pending) return;
    pending.open--;
    if (pending.open === 0) this.#posted.delete(id);
  }

  /** Call before each DELETE of a branch. */
  willDelete(id: string): void {
    this.#deleted.set(id, this.#write());
  }

  /** Call after a change of a branch that a LIST shows, lest the next decision rest on how it was before. */
  changed(): void {
    this.#write();
  }

  /** Call when a branch that we deleted was seen to be gone: whoever is first in line is told at once. */
  freed(id: string): void {
    this.#posted.delete(id);
    this.#deleted.delete(id);
    // A LIST that began before may show it still.
    this.#write();
    this.#tellFreed();
  }

  /** Milliseconds until somebody who waits for a slot should look again: 30 s after the last LIST began. */
  nextLookMs(): number {
    return Math.max(shortestLookMs, this.#askedAt + waitersLookMs - this.#clock.monotonicMs());
  }

  /** Call when the provider said that something else is under way in the project. */
  conflictSeen(): void {
    this.#oneByOneUntil = this.#clock.monotonicMs() + oneByOneMs;
  }

  /**
   * Runs `change` at once, but one after another for a minute after the provider saw a conflict. `change` must not call
   * this again. Rejects with the signal's reason if it aborts before the turn has come.
   */
  async exclusively<T>(change: () => Promise<T>, signal: AbortSignal): Promise<T> {
    if (this.#clock.monotonicMs() >= this.#oneByOneUntil) return change();
    const before = this.#turn;
    const { promise: done, resolve: end } = Promise.withResolvers<void>();
    // Whoever leaves the line before its turn must not let the next one go early.
    this.#turn = Promise.all([before, done]).then(() => undefined);
    try {
      await orAbort(before, signal);
      return await change();
    } finally {
      end();
    }
  }

  #write(): number {
    return (this.#lastWrite = ++this.#step);
  }

  #isFresh(snapshot: Snapshot, { maxAgeMs = waitersLookMs, afterOurLastWrite = false }: Freshness): boolean {
    if (afterOurLastWrite && !this.isCurrent(snapshot)) return false;
    return this.#clock.monotonicMs() - snapshot.at < maxAgeMs;
  }

  /** One that runs is taken whatever its age, lest a slow provider be asked more and more often. */
  #joinable({ afterOurLastWrite = false }: Freshness): Flight | undefined {
    return this.#flight && afterOurLastWrite && !this.isCurrent(this.#flight) ? undefined : this.#flight;
  }

  // Without anybody's signal: others may wait for it. The client ends it within 30 s.
  #list(client: Lister): Flight {
    const at = this.#clock.monotonicMs();
    const step = ++this.#step;
    this.#askedAt = at;
    const answer = client.listBranches(this.#project).then((branches) => this.#saw({ at, step, branches }));
    const flight = { client, step, answer };
    this.#flight = flight;
    const end = (): void => {
      if (this.#flight === flight) this.#flight = undefined;
    };
    answer.then(end, end);
    return flight;
  }

  #saw(snapshot: Snapshot): Snapshot {
    const { step, branches } = snapshot;
    if (!this.#newest || step > this.#newest.step) this.#newest = snapshot;
    // Now, not when it began: of two LISTs that run at the same time, the later one may have read earlier.
    const seenAt = ++this.#step;
    for (const { id } of branches) {
      const pending = this.#posted.get(id);
      if (pending) pending.seenAt ??= seenAt;
    }
    this.#forget(step);
    return snapshot;
  }

  #forget(step: number): void {
    for (const [id, pending] of this.#posted) if (this.#isOld(pending)) this.#posted.delete(id);
    for (const [id, deletedAt] of this.#deleted) if (deletedAt < step) this.#deleted.delete(id);
  }

  #isUnseen(pending: Pending, { step }: Snapshot): boolean {
    return !this.#isOld(pending) && step < (pending.seenAt ?? Infinity);
  }

  #isOld({ at }: Pending): boolean {
    return this.#clock.monotonicMs() - at >= unseenMs;
  }
}
