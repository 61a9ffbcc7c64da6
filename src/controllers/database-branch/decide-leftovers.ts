// Branches of the object that are neither served nor wanted: given up by a reset, or never come to be served. Pure.
import type { Branch } from '../../lakebase/model.ts';
import { leaseStep } from './decide-upkeep.ts';
import { toleranceMs } from './lease.ts';
import { isBeingDeleted, isStranger, isThere, mayBeDeleted, type ThereView } from './ours.ts';
import { lookAround, type Plan } from './plan.ts';
import type { Wish } from './wish.ts';
import type { World } from './world.ts';

/** After the instant at which the provider removes a branch by itself, it is given this long before we do. */
const sweepMs = 60_000;
/** What is left over is looked at again after this time. */
const againMs = 5_000;

/**
 * A candidate that is not wanted any more goes at once. A branch that was served gets an end by the provider, so that
 * pods have the time to take up the new Secret, and it goes even if this process dies now.
 */
export function decideLeftovers(world: World, wish: Wish, now: Date): Plan | undefined {
  const { family } = world;
  if (family.seen === 'notAsked') {
    if (leftoversDueMs(world, now) <= 0) return lookAround('freshFamily');
    if (world.memory.checkInMs > 0) return undefined;
    return lookAround(world.memory.untold ? 'freshFamily' : 'family');
  }
  for (const view of leftovers(world)) {
    const plan = leftoverStep(world, wish, view, now);
    if (plan) return plan;
  }
  return undefined;
}

/** Branches of the object that are there and are neither served nor wanted, as this pass saw them. */
export const leftovers = (world: World): ThereView[] =>
  others(world).filter(({ branch }) => !isStranger(world, branch.value));

/** Branches that somebody made under the id of one of ours. */
export const strangers = (world: World): ThereView[] =>
  others(world).filter(({ branch }) => isStranger(world, branch.value));

function others({ family, served, wanted }: World): ThereView[] {
  if (family.seen !== 'present') return [];
  return family.value.branches.filter(isThere).filter(({ id }) => id !== served?.id && id !== wanted?.id);
}

function leftoverStep(world: World, wish: Wish, view: ThereView, now: Date): Plan | undefined {
  const { branch, memory } = view;
  if (!mayBeDeleted(branch.value) || isBeingDeleted(view)) return undefined;
  if (neverServed(world, branch.value))
    return { do: 'deleteBranch', branch: branch.value, why: 'its reset.token is not asked for any more' };
  if (isStillNeeded(world, wish, branch.value)) return leaseStep(world, wish, view, now);
  const until = drainEnd(world, wish, branch.value, now);
  if (now.getTime() > until.getTime() + sweepMs)
    return { do: 'deleteBranch', branch: branch.value, why: 'its time to drain is over' };
  if (memory.lease && memory.lease.nextInMs > 0) return undefined;
  const { expireTime } = branch.value;
  if (expireTime && expireTime.getTime() <= until.getTime() + toleranceMs) return undefined;
  return { do: 'setExpiry', branch: branch.value, expiry: { at: until }, why: 'drain' };
}

const neverServed = ({ object }: World, { uid }: Branch): boolean => object.status?.candidate?.uid === uid;

/**
 * Secret and status are both lost, and with them which branch was served: it may be this one, so it is leased until the
 * wanted one is served. One that was to be given up to make room is given up all the same.
 */
const isStillNeeded = ({ served, object }: World, { strategy }: Wish, { uid }: Branch): boolean =>
  served === undefined && strategy !== 'Replace' && endOnRecord(object, uid) === undefined;

/** When a branch that was replaced goes, as the status says. */
export const endOnRecord = ({ status }: World['object'], uid: string): string | undefined =>
  status?.superseded?.find((entry) => entry.uid === uid)?.until;

/** As it was once said, or from now on. */
export function drainEnd({ object }: World, wish: Wish, { uid }: Branch, now: Date): Date {
  const until = endOnRecord(object, uid);
  return until === undefined ? new Date(now.getTime() + wish.drainMs) : new Date(until);
}

/** Milliseconds until the leftovers on record want to be looked at. */
export function leftoversDueMs({ object, served, wanted, memory }: World, now: Date): number {
  const { candidate, superseded = [], branch } = object.status ?? {};
  // A reset may come after the POST and before the status that would tell of it: nothing else remembers that one.
  const begun = [...memory.unnoted, ...(candidate ? [candidate.id] : [])];
  const unwanted = begun.some((id) => id !== wanted?.id && id !== served?.id);
  const replaced = branch !== undefined && served !== undefined && branch.uid !== served.uid;
  // While nothing is served, one without an end is not to get one yet.
  const unendedMs = served === undefined ? Infinity : 0;
  const ends = superseded
    .filter(({ id }) => id !== wanted?.id && id !== served?.id)
    .map(({ until }) => (until === undefined ? unendedMs : new Date(until).getTime() + againMs - now.getTime()))
    // What is still there long after its end, because it is protected say, is seen at the usual checks.
    .filter((ms) => ms > -5 * sweepMs);
  const dueMs = Math.min(unwanted || replaced ? 0 : Infinity, ...ends);
  return Math.max(dueMs, againMs - memory.checkedMsAgo);
}
