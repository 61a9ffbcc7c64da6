// Which spec.expiration a new end needs, and whether it may be. Pure.
import type { BranchClass } from '../api/v1alpha1/branch-class.ts';
import type { DatabaseBranch } from '../api/v1alpha1/database-branch.ts';
import { endedReason, endOf, latestEnd, nameOf } from './branch.ts';
import { CommandError } from './command.ts';
import { formatInstant, formatWhen } from './times.ts';

export type EndWish =
  | { readonly kind: 'later' | 'fromNow'; readonly ms: number }
  | { readonly kind: 'at'; readonly instant: Date }
  | { readonly kind: 'never' };

/** As a merge patch of `spec.expiration`: what it does not want to be there is null. */
export interface ExpirationPatch {
  readonly at: string | null;
  readonly ttl: null;
  readonly never: true | null;
}

export interface EndAsked {
  readonly object: DatabaseBranch;
  /** Undefined: cannot be read, and is not checked. */
  readonly bclass: BranchClass | undefined;
  readonly wish: EndWish;
  readonly now: Date;
}

const never: ExpirationPatch = { at: null, ttl: null, never: true };

/** A later end of a branch that lives. Throws CommandError to refuse. */
export function decideExtension(asked: EndAsked): ExpirationPatch {
  const { object, bclass, wish, now } = asked;
  const ended = endedReason(object);
  if (ended !== undefined)
    throw new CommandError(
      `${nameOf(object)} has ended (${ended}): its branch and its data are gone, and nothing can extend it. For a new branch: kubectl lakebranch -n ${object.metadata.namespace} reset ${object.metadata.name}${ended === 'Expired' ? ' --for 24h' : ''}`,
    );
  if (object.metadata.deletionTimestamp !== undefined)
    throw new CommandError(`${nameOf(object)} is being deleted, and nothing can extend it`);
  const before = endOf(object, bclass);
  const patch = decideEnd(asked);
  if (wish.kind === 'never' || patch.at === null) return patch;
  if (before === undefined && object.spec.expiration?.never)
    throw new CommandError(
      `${nameOf(object)} never expires; an end would shorten its life. If that is meant: kubectl edit dbb ${object.metadata.name}, spec.expiration`,
    );
  const end = new Date(patch.at);
  if (before !== undefined && end < before)
    throw new CommandError(
      `${nameOf(object)} lives until ${formatWhen(before, now)} already, ${formatInstant(end)} would shorten that. If it is meant: kubectl edit dbb ${object.metadata.name}, spec.expiration.at`,
    );
  return patch;
}

/** An end of the branch, for a new one too. Throws CommandError to refuse. */
export function decideEnd({ object, bclass, wish, now }: EndAsked): ExpirationPatch {
  if (wish.kind === 'never') {
    if (bclass && !bclass.spec.expiration.allowNever)
      throw new CommandError(
        `class ${bclass.metadata.name} does not allow branches without an end; the latest for ${nameOf(object)} is --until ${formatInstant(latestEnd(object, bclass))}`,
      );
    return never;
  }
  const end = endWished(object, bclass, wish, now);
  if (end <= now)
    throw new CommandError(
      `${formatWhen(end, now)} has passed: that would end ${nameOf(object)} at once. Nothing was changed`,
    );
  if (bclass) checkMaximum(object, bclass, end, now);
  return { at: formatInstant(end), ttl: null, never: null };
}

function endWished(
  object: DatabaseBranch,
  bclass: BranchClass | undefined,
  wish: Exclude<EndWish, { kind: 'never' }>,
  now: Date,
): Date {
  if (wish.kind === 'at') return wish.instant;
  if (wish.kind === 'fromNow') return new Date(now.getTime() + wish.ms);
  const before = endOf(object, bclass);
  if (before !== undefined) return new Date(before.getTime() + wish.ms);
  throw new CommandError(
    object.spec.expiration?.never
      ? `${nameOf(object)} never expires, so there is nothing to extend`
      : `when ${nameOf(object)} ends is not known yet; say --for or --until instead of --by`,
  );
}

function checkMaximum(object: DatabaseBranch, bclass: BranchClass, end: Date, now: Date): void {
  // As it is written: whole seconds.
  const latest = latestEnd(object, bclass);
  if (Math.floor(end.getTime() / 1000) <= Math.floor(latest.getTime() / 1000)) return;
  const { name } = bclass.metadata;
  const { max } = bclass.spec.expiration;
  const way =
    latest > now
      ? `The latest is --until ${formatInstant(latest)} (${formatWhen(latest, now).split('(')[1]}.`
      : 'It cannot live on under this class: delete the object and create it again, or ask the platform team to raise spec.expiration.max of the class.';
  throw new CommandError(
    `class ${name} lets a branch live for ${max} from the creation of its object, and ${formatInstant(end)} is later. ${way} Nothing was changed`,
  );
}
