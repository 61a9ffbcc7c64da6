// Who may ask for a branch now, and who waits for which slot. Pure: the order follows from what the objects say in this
// very pass, so nothing about it is stored, and every process comes to the same.

/**
 * - `replace` a reset that gives up its branch first; the slot that this frees is its own
 * - `restore` may take the slots that its class reserves
 * - `reset`   a second branch for an object that is served meanwhile
 * - `create`  the first branch of an object
 */
export type Errand = 'replace' | 'restore' | 'reset' | 'create';

/** An object that could ask for a branch if there were room. */
export interface Waiter {
  readonly uid: string;
  readonly namespace: string;
  readonly name: string;
  readonly className: string;
  readonly errand: Errand;
  /** RFC 3339, as the API server writes it. */
  readonly creationTimestamp: string;
}

/** An object with a branch that is served, or whose first branch is under way. */
export interface Holder {
  readonly className: string;
  readonly namespace: string;
  /** Made by a restore: it does not count towards `perNamespace`. */
  readonly restored: boolean;
  /** When its slot is free again; absent: nobody knows. */
  readonly expireTime?: Date;
}

/** Of one class; Infinity where it sets none. */
export interface Limits {
  readonly total: number;
  readonly perNamespace: number;
  /** Slots that only restores may take. */
  readonly reserve: number;
}

export interface LineParts {
  readonly waiters: readonly Waiter[];
  readonly holders: readonly Holder[];
  /** By name of the class. Every class of a waiter must be there. */
  readonly limits: ReadonlyMap<string, Limits>;
  /** How many unarchived branches the provider allows in the project, whoever made them. */
  readonly projectLimit: number;
}

/** All waiters of one project, first come first; made by `lineUp`. */
export interface Line extends LineParts {
  readonly held: Tally;
}

/** Why somebody waits: for the project, for the `total` of the class, or for `perNamespace`. */
export type Because = 'project' | 'classTotal' | 'namespace';

/** `position` counts from 1, among those that only the project keeps waiting. */
export type Verdict =
  { readonly go: true } | { readonly go: false; readonly position: number; readonly because: Because };

export function lineUp({ waiters, holders, limits, projectLimit }: LineParts): Line {
  const held = new Tally();
  for (const holder of holders) held.add(holder, !holder.restored);
  return { waiters: [...waiters].sort(inOrder(held)), holders, limits, projectLimit, held };
}

/**
 * Whether the waiter `uid` may ask for its branch now. `unarchived` counts the unarchived branches of the project in a
 * LIST that began after our last POST and DELETE there. Whoever its own class or namespace holds up keeps nobody else.
 * Throws for a uid that does not wait.
 */
export function mayGo(uid: string, line: Line, unarchived: number): Verdict {
  const ahead = new Tally();
  let position = 1;
  let rivals = 0;
  for (const waiter of line.waiters) {
    const because = heldUpBy(waiter, line, ahead);
    if (waiter.uid === uid) {
      if (!because && rivals < room(waiter, line, unarchived)) return { go: true };
      return { go: false, position, because: because ?? 'project' };
    }
    if (because) continue;
    position++;
    count(waiter, ahead);
    if (!isHopeless(waiter, line, unarchived)) rivals++;
  }
  throw new Error(`object ${uid} does not stand in line`);
}

/** Those who go next, at most `most` of them: whom to wake when a slot has become free. */
export function nextInLine(line: Line, most: number): Waiter[] {
  const ahead = new Tally();
  const next: Waiter[] = [];
  for (const waiter of line.waiters) {
    if (next.length >= most) break;
    if (heldUpBy(waiter, line, ahead)) continue;
    count(waiter, ahead);
    next.push(waiter);
  }
  return next;
}

/** When the first of the slots that the waiter could have is free again, as far as expiries tell. */
export function nextSlotTime({ className, namespace }: Waiter, because: Because, { holders }: Line): Date | undefined {
  const ends = holders.filter((holder) => {
    if (because === 'project') return true;
    if (holder.className !== className) return false;
    return because === 'classTotal' || (holder.namespace === namespace && !holder.restored);
  });
  const times = ends.flatMap(({ expireTime }) => (expireTime ? [expireTime.getTime()] : []));
  return times.length === 0 ? undefined : new Date(Math.min(...times));
}

// Whoever replaces comes before the restores too: the slot it waits for was its own.
const ranks: Readonly<Record<Errand, number>> = { replace: 0, restore: 1, reset: 2, create: 3 };

/** Then the namespace with the fewest branches of the class, the oldest, and the uid: never two alike. */
const inOrder =
  (held: Tally) =>
  (a: Waiter, b: Waiter): number =>
    ranks[a.errand] - ranks[b.errand] ||
    held.ofNamespace(a) - held.ofNamespace(b) ||
    compare(a.creationTimestamp, b.creationTimestamp) ||
    compare(a.uid, b.uid);

const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

/** By what of its own class the waiter is held up, if those ahead of it go first. A reset only needs room in the project. */
function heldUpBy(waiter: Waiter, { limits, held }: Line, ahead: Tally): 'classTotal' | 'namespace' | undefined {
  const { errand, className } = waiter;
  if (errand === 'replace' || errand === 'reset') return undefined;
  const { total, perNamespace, reserve } = limitsOf(limits, className);
  const used = held.ofClass(waiter) + ahead.ofClass(waiter);
  if (used >= (errand === 'restore' ? total : total - reserve)) return 'classTotal';
  if (errand === 'restore') return undefined;
  return held.ofNamespace(waiter) + ahead.ofNamespace(waiter) >= perNamespace ? 'namespace' : undefined;
}

/** How many branches the project has room for, as far as this waiter may use them; may be negative. */
const room = (waiter: Waiter, { limits, projectLimit }: Line, unarchived: number): number =>
  projectLimit - unarchived - keptFree(waiter, limits);

const keptFree = ({ errand, className }: Waiter, limits: Line['limits']): number =>
  errand === 'replace' || errand === 'restore' ? 0 : limitsOf(limits, className).reserve;

// A class that reserves more than others leave it must not keep the classes waiting that share its project.
const isHopeless = (waiter: Waiter, { limits, holders, projectLimit }: Line, unarchived: number): boolean =>
  projectLimit - (unarchived - holders.length) <= keptFree(waiter, limits);

function limitsOf(limits: Line['limits'], className: string): Limits {
  const found = limits.get(className);
  if (!found) throw new Error(`the limits of class ${className} are not known`);
  return found;
}

/** A reset takes no slot of its class, and a restore none of its namespace. */
function count(waiter: Waiter, ahead: Tally): void {
  const { errand } = waiter;
  if (errand === 'create' || errand === 'restore') ahead.add(waiter, errand === 'create');
}

interface Place {
  readonly className: string;
  readonly namespace: string;
}

/** Counts by class, and by namespace within each class. */
class Tally {
  readonly #classes = new Map<string, number>();
  readonly #namespaces = new Map<string, number>();

  add({ className, namespace }: Place, inNamespace: boolean): void {
    increment(this.#classes, className);
    if (inNamespace) increment(this.#namespaces, `${className}/${namespace}`);
  }

  ofClass({ className }: Place): number {
    return this.#classes.get(className) ?? 0;
  }

  ofNamespace({ className, namespace }: Place): number {
    return this.#namespaces.get(`${className}/${namespace}`) ?? 0;
  }
}

const increment = (counts: Map<string, number>, key: string): void => void counts.set(key, (counts.get(key) ?? 0) + 1);
