// Room for one more branch: the line of a project, held against what the provider shows of it. Writes nothing.
import type { BranchClass } from '../../api/v1alpha1/branch-class.ts';
import type { DatabaseBranch } from '../../api/v1alpha1/database-branch.ts';
import type { Cache } from '../../kit/cache.ts';
import {
  forWaiters,
  projectKey,
  type Freshness,
  type Lister,
  type ProjectName,
  type Projects,
  type Snapshot,
} from '../projects.ts';
import { mayGo, nextInLine, nextSlotTime, type Line, type Verdict } from './line.ts';
import { lineOf } from './standing.ts';

export interface SlotsDeps {
  readonly projects: Projects;
  /** With the index `class`. */
  readonly objects: Pick<Cache<DatabaseBranch>, 'byIndex'>;
  readonly classes: Pick<Cache<BranchClass>, 'list'>;
  /** How many unarchived branches the provider allows in a project. */
  readonly projectLimit: number;
  /** The object as our own last write returned it, if the cache has not caught up. */
  readonly newest: (object: DatabaseBranch) => DatabaseBranch;
  /** This process saw that it cannot ask for a branch now, for another reason than the line. */
  readonly aside: (object: DatabaseBranch) => boolean;
  /** Its wanted branch was asked for by this process and not refused, though no status tells of it yet. */
  readonly started: (object: DatabaseBranch) => boolean;
  /** The PointInTimeRestore that made the object, if it is there. */
  readonly restoreOf: (object: DatabaseBranch) => unknown;
}

/** What was seen of the line and of the project. */
export interface SlotSeen {
  readonly verdict: Verdict;
  /** When a slot that the object could have is free again, as far as expiries tell; only for one that waits. */
  readonly nextSlotTime?: Date;
  /** When one that waits looks again, unless it is woken. */
  readonly lookInMs: number;
  /** What the verdict rests on; for `mayStillGo`. */
  readonly snapshot: Snapshot;
}

export class Slots {
  readonly #deps: SlotsDeps;

  constructor(deps: SlotsDeps) {
    this.#deps = deps;
  }

  /**
   * Whether `asking`, of class `bclass`, may ask for its branch now. Asks the provider only if no LIST is fresh enough.
   * Throws LakebaseError, and the signal's reason; and for an object that stands in no line.
   */
  async look(
    asking: DatabaseBranch,
    bclass: BranchClass,
    client: Lister,
    signal: AbortSignal,
    wanted: Freshness = forWaiters,
  ): Promise<SlotSeen> {
    const project = this.#deps.projects.of(bclass.spec.provider);
    const snapshot = await project.snapshot(client, wanted, signal);
    const line = this.#lineOf(bclass, asking);
    const verdict = this.#judge(asking, line, project.unarchived(snapshot));
    const waiter = line.waiters.find(({ uid }) => uid === asking.metadata.uid);
    const time = waiter && !verdict.go ? nextSlotTime(waiter, verdict.because, line) : undefined;
    return { verdict, lookInMs: project.nextLookMs(), snapshot, ...(time ? { nextSlotTime: time } : {}) };
  }

  /**
   * The same question again, of the same LIST and of everything that has happened in this process since. Ask right before
   * the POST, with nothing awaited in between: so two never take one slot.
   */
  mayStillGo(asking: DatabaseBranch, bclass: BranchClass, snapshot: Snapshot): boolean {
    const unarchived = this.#deps.projects.of(bclass.spec.provider).unarchived(snapshot);
    return this.#judge(asking, this.#lineOf(bclass, asking), unarchived).go;
  }

  /** Keys of those who go next in a project, at most `most` of them: whom to wake when a slot was freed. */
  next(project: ProjectName, most: number): string[] {
    return nextInLine(this.#line(projectKey(project)), most).map(({ namespace, name }) => `${namespace}/${name}`);
  }

  /** Whose branch was asked for has its slot: it only asks again because the answer was lost. */
  #judge(asking: DatabaseBranch, line: Line, unarchived: number): Verdict {
    return this.#deps.started(asking) ? { go: true } : mayGo(asking.metadata.uid ?? '', line, unarchived);
  }

  #lineOf({ spec }: BranchClass, asking: DatabaseBranch): Line {
    return this.#line(projectKey(spec.provider), asking);
  }

  #line(key: string, asking?: DatabaseBranch): Line {
    const { objects, classes, projectLimit, newest, aside, started, restoreOf } = this.#deps;
    const restored = (object: DatabaseBranch): boolean => restoreOf(object) !== undefined;
    const sharing = classes.list().filter(({ spec }) => projectKey(spec.provider) === key);
    const all = sharing.flatMap(({ metadata }) => objects.byIndex('class', metadata.name)).map(newest);
    return lineOf({ classes: sharing, objects: all, projectLimit, aside, started, restored, asking });
  }
}
