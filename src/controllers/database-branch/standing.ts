// Who holds a slot of a project and who stands in line for one, by what the objects and classes say. Pure. The only place
// where objects become waiters and holders.
import { annotationKey, pausedValue } from '../../api/names.ts';
import type { BranchClass } from '../../api/v1alpha1/branch-class.ts';
import { ConditionType } from '../../api/v1alpha1/conditions.ts';
import type { DatabaseBranch } from '../../api/v1alpha1/database-branch.ts';
import { findCondition } from '../../kit/conditions.ts';
import { endedMark } from '../../lakebase/ids.ts';
import { lineUp, type Errand, type Holder, type Limits, type Line, type Waiter } from './line.ts';

export interface Scene {
  /** The classes that share a project. */
  readonly classes: readonly BranchClass[];
  /** How many unarchived branches the provider allows in a project. */
  readonly projectLimit: number;
  /** All objects of these classes. */
  readonly objects: readonly DatabaseBranch[];
  /**
   * The object that asks, as new as it is known. Whoever asks has seen that its branch is not there, so it stands in line
   * although its last status calls it stalled, or tells of a candidate.
   */
  readonly asking?: DatabaseBranch | undefined;
  /** This process saw that it cannot ask for a branch now, for another reason than the line. */
  readonly aside: (object: DatabaseBranch) => boolean;
  /** Its wanted branch was asked for by this process and not refused, though no status tells of it yet. */
  readonly started: (object: DatabaseBranch) => boolean;
  /** A PointInTimeRestore made it, which is there to say so. */
  readonly restored: (object: DatabaseBranch) => boolean;
}

export function lineOf({ classes, objects, projectLimit, asking, aside, started, restored }: Scene): Line {
  const others = asking ? objects.filter(({ metadata }) => metadata.uid !== asking.metadata.uid) : objects;
  const present = asking ? [...others, asking] : others;
  const open = new Set(
    classes.filter(({ metadata }) => !metadata.deletionTimestamp).map(({ metadata }) => metadata.name),
  );
  const waiters = present.flatMap((object) => {
    if (!open.has(object.spec.className) || (object !== asking && (isOccupied(object) || aside(object)))) return [];
    const errand = started(object) ? undefined : errandOf(object, restored);
    return errand ? [waiter(object, errand)] : [];
  });
  const holders = present
    .filter((object) => holdsSlot(object, started))
    .map((object) => holder(object, restored(object)));
  const limits = new Map(classes.map((bclass) => [bclass.metadata.name, limitsOf(bclass)]));
  return lineUp({ waiters, holders, limits, projectLimit });
}

/** A branch that is served, or a first create under way; also of an object that goes, until its branch is gone. */
export function holdsSlot(object: DatabaseBranch, started: Scene['started']): boolean {
  const { branch, candidate } = object.status ?? {};
  return branch !== undefined || candidate !== undefined || started(object);
}

/** What the object would ask the provider for, if anything. */
export function errandOf(object: DatabaseBranch, restored: Scene['restored']): Errand | undefined {
  const { metadata, status } = object;
  if (metadata.deletionTimestamp !== undefined || hasEnded(object) || isPaused(object)) return undefined;
  if (!status?.branch) return restored(object) ? 'restore' : 'create';
  if ((status.branch.resetToken ?? '') === wantedToken(object)) return undefined;
  // Its Secret goes first, then its branch: with a Secret, its slot is not given up yet.
  const gaveUp = object.spec.reset?.strategy === 'Replace' && status.credentials === undefined;
  return gaveUp ? 'replace' : 'reset';
}

/** Its next branch is in the making, or only a person can help it. */
const isOccupied = (object: DatabaseBranch): boolean => object.status?.candidate !== undefined || isStalled(object);

const wantedToken = ({ spec }: DatabaseBranch): string => spec.reset?.token ?? '';

const hasEnded = (object: DatabaseBranch): boolean =>
  object.metadata.annotations?.[annotationKey.ended]?.split('/')[0] === endedMark(wantedToken(object));

const pausing: ReadonlySet<string | undefined> = new Set(Object.values(pausedValue));
const isPaused = ({ metadata }: DatabaseBranch): boolean => pausing.has(metadata.annotations?.[annotationKey.paused]);

/** By the present generation: an edit may have mended what was wrong. */
function isStalled({ metadata, status }: DatabaseBranch): boolean {
  const stalled = findCondition(status?.conditions ?? [], ConditionType.Stalled);
  return stalled?.status === 'True' && stalled.observedGeneration === metadata.generation;
}

function waiter({ metadata, spec }: DatabaseBranch, errand: Errand): Waiter {
  const { uid = '', namespace = '', name, creationTimestamp = '' } = metadata;
  return { uid, namespace, name, className: spec.className, errand, creationTimestamp };
}

function holder({ metadata, spec, status }: DatabaseBranch, restored: boolean): Holder {
  const { expireTime } = status?.expiration ?? {};
  return {
    className: spec.className,
    namespace: metadata.namespace ?? '',
    restored,
    ...(expireTime === undefined ? {} : { expireTime: new Date(expireTime) }),
  };
}

function limitsOf({ spec }: BranchClass): Limits {
  const { total = Infinity, perNamespace = Infinity, reserve = 0 } = spec.limits ?? {};
  return { total, perNamespace, reserve };
}
