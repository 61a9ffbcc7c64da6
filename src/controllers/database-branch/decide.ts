// What to do next. Pure: one step per pass, then look again.
import { ConditionType } from '../../api/v1alpha1/conditions.ts';
import { Reason } from '../../api/v1alpha1/reasons.ts';
import { lifeLeft, renewTime, worryShare } from '../../credentials/plan.ts';
import type { IssuedSecret } from '../../credentials/secret.ts';
import { findCondition } from '../../kit/conditions.ts';
import { credentialStep, rotationStopped } from './decide-credential.ts';
import { decideCreation, heal } from './decide-creation.ts';
import { decideDeletion } from './decide-deletion.ts';
import { decideLeftovers, leftoversDueMs } from './decide-leftovers.ts';
import { leaseDueMs, park, upkeep } from './decide-upkeep.ts';
import { decideEnded, expiry, goneInDoubt, lost } from './ended.ts';
import { endpointMoved, isAway } from './ours.ts';
import { idleMs } from './pacing.ts';
import { available, hold, look, trouble, waitFor, writeRefused, type Plan, type Wait } from './plan.ts';
import type { Problem, Wish } from './wish.ts';
import { isReset, type BranchView, type World } from './world.ts';

/** An object of which nothing is due within this time by its status need not have its Secret read yet. */
export const quietForMs = 60_000;

export function decide(world: World, now: Date): Plan {
  if (world.deleting) return decideDeletion(world, now);
  if (!world.claimed) return { do: 'claim' };
  if (world.ended) return decideEnded(world, world.ended);
  return inTime(alive(world, now), world, now);
}

/** Whatever it waits for: what the status says of the token and of the branch is said anew when they come to their end. */
function inTime(plan: Plan, { secret, wish }: World, now: Date): Plan {
  if (plan.do !== 'wait' || plan.transition) return plan;
  const ends = [secret.is === 'ours' ? secret.secret.expireTime : undefined, wish?.expiration.expireTime];
  const aheadMs = ends.map((end) => (end ? end.getTime() - now.getTime() : 0)).filter((ms) => ms > 0);
  const soonestMs = Math.min(Infinity, ...aheadMs);
  return soonestMs < (plan.lookInMs ?? idleMs) ? { ...plan, lookInMs: soonestMs } : plan;
}

function alive(world: World, now: Date): Plan {
  const { wish, wanted } = world;
  if (world.secret.is === 'notRead') return { do: 'idle', lookInMs: quietMs(world, now) };
  if (!wish || !wanted) return hold(world.problems[0] ?? unusableClass);
  if (world.paused === 'all') return park(world, wish, now);
  return live(world, wish, wanted, now);
}

/** Until the Secret is to be read: in its turn, or before anything is due by the status. */
function quietMs({ memory, object }: World, now: Date): number {
  const { credentials, expiration } = object.status ?? {};
  const dueMs = [credentials?.renewTime, expiration?.expireTime].map((time) =>
    time === undefined ? Infinity : new Date(time).getTime() - now.getTime() - quietForMs,
  );
  return Math.max(1000, Math.min(memory.secretReadInMs, ...dueMs));
}

const unusableClass: Problem = {
  reason: Reason.ClassNotReady,
  message: 'the class cannot be used yet: kubectl describe bclass says why',
};

/** The order is that of what cannot wait: an end, a wrong Secret, a token that dies, a lease that runs out, the rest. */
function live(world: World, wish: Wish, wanted: BranchView, now: Date): Plan {
  const doubt = endpointInDoubt(world);
  if (doubt) return doubt;
  const secret = servedSecret(world);
  const end = ending(world, wish, secret, now);
  if (end) return end;
  const care =
    (secret && credentialStep(world, wish, secret, now)) ??
    upkeep(world, wish, now) ??
    decideLeftovers(world, wish, now);
  if (care) return care;
  if (secret && !isReset(world)) return settled(world, wish, secret, now);
  return make(world, wish, wanted, secret, now);
}

/** What another process found to be the endpoint of somebody else is looked at before a token is written for it again. */
function endpointInDoubt({ secret, served, object }: World): Plan | undefined {
  if (secret.is !== 'ours' || !served || served.memory.endpoint !== undefined) return undefined;
  const ready = findCondition(object.status?.conditions ?? [], ConditionType.Ready);
  if (ready?.reason !== Reason.EndpointMismatch) return undefined;
  return served.endpoint.seen === 'unknown' ? trouble(served.endpoint.error) : look('endpoint', served);
}

/** Until it is sure that the end has come, the credential is kept fresh. */
function ending(world: World, wish: Wish, secret: IssuedSecret | undefined, now: Date): Plan | undefined {
  const end = missed(world) ?? expiry(world, wish, now) ?? lost(world, wish, now) ?? withdrawal(world, wish);
  const care = end?.do === 'wait' && secret ? credentialStep(world, wish, secret, now) : undefined;
  return care ?? end;
}

/** What was not found once is looked for until that is certain, or found to be wrong. */
function missed(world: World): Plan | undefined {
  const { served, secret } = world;
  if (!served?.memory.gone || served.branch.seen !== 'notAsked') return undefined;
  return isReset(world) && secret.is !== 'ours' && secret.is !== 'damaged' ? undefined : look('branch', served);
}

/** In a reset what is served comes first, and goes on being looked after while the next one is made. */
function make(world: World, wish: Wish, wanted: BranchView, secret: IssuedSecret | undefined, now: Date): Plan {
  const healing = isReset(world) && !secret ? heal(world, wish, now) : undefined;
  if (healing && healing.do !== 'wait') return healing;
  const plan = decideCreation(world, wish, wanted, now);
  if (plan.do !== 'wait') return plan;
  const dueMs = secret ? nextDueMs(world, wish, secret, now) : (healing?.lookInMs ?? Infinity);
  return dueMs < (plan.lookInMs ?? idleMs) ? { ...plan, lookInMs: dueMs } : plan;
}

/** A Secret that may not stay: from a backup, or naming a branch that is gone or not this object's. */
function withdrawal(world: World, wish: Wish): Plan | undefined {
  const { secret, served } = world;
  if (secret.is === 'leaving')
    return waitFor(Reason.SecretPending, 'the old Secret is being deleted; a new one is written when it is gone', {
      lookInMs: 2_000,
    });
  if (secret.is === 'restored') return { do: 'deleteSecret', secret, why: 'it comes from a backup of another object' };
  if (secret.is !== 'ours' && secret.is !== 'damaged') return undefined;
  if (!served || served.uid === undefined) return undefined;
  const identity = secret.is === 'ours' ? secret.secret : secret;
  const { branch } = served;
  // A branch that is gone while the object wants another one is no loss; whose Secret it was has to go all the same.
  if (isAway(served))
    return goneInDoubt(world, wish) ?? { do: 'deleteSecret', secret: identity, why: `branch ${served.id} is gone` };
  if (branch.seen !== 'present' || branch.value.uid === served.uid) return undefined;
  return {
    do: 'deleteSecret',
    secret: identity,
    why: `branch ${served.id} is another one than the Secret was written for`,
  };
}

/** The Secret that opens the served branch, unless its user, host or endpoint moved: that needs a new proof. */
function servedSecret(world: World): IssuedSecret | undefined {
  const { secret, served } = world;
  if (secret.is !== 'ours' || !served || bindingMoved(world, served, secret.secret)) return undefined;
  return secret.secret;
}

const bindingMoved = ({ username }: World, view: BranchView, { binding }: IssuedSecret): boolean =>
  (username !== undefined && username !== binding.username) || endpointMoved(view, binding);

/** Nothing can be done now for a branch that is served: what is wrong, if anything, and when something is due. */
function settled(world: World, wish: Wish, secret: IssuedSecret, now: Date): Wait {
  const lookInMs = nextDueMs(world, wish, secret, now);
  const { problems, memory, served } = world;
  const [problem] = problems;
  const mint = served?.memory.mint;
  if (problem) return { ...hold(problem), lookInMs };
  if (memory.write) return { ...hold(writeRefused(memory.write.message)), lookInMs };
  if (mint && lifeLeft(secret, now) < worryShare) return { ...trouble(mint.error, 'login'), lookInMs };
  if (now >= secret.expireTime) return waitFor(Reason.SecretPending, 'a new token is being written', { lookInMs });
  return available({ lookInMs });
}

const lookForTurnMs = 60_000;

function nextDueMs(world: World, wish: Wish, secret: IssuedSecret, now: Date): number {
  const { memory, uid, served } = world;
  const until = (instant: Date | undefined): number =>
    instant ? Math.max(0, instant.getTime() - now.getTime()) : Infinity;
  const held = [served?.memory.mint, memory.write].map((failure) => failure?.nextInMs ?? 0);
  const heldMs = Math.max(0, ...held);
  // Whoever waits for others is woken when it is its turn.
  const turnMs = world.turn === 'waiting' && heldMs === 0 ? lookForTurnMs : heldMs;
  const renewMs = rotationStopped(world, now) ? Infinity : Math.max(until(renewTime(secret, uid)), turnMs);
  const size = served?.memory.size;
  const next = Math.min(
    renewMs,
    leaseDueMs(world, wish, now),
    world.specSeen || !size ? Infinity : size.nextInMs,
    until(wish.expiration.expireTime),
    nextWarningMs(wish, now),
    memory.secretReadInMs,
    memory.checkInMs,
    leftoversDueMs(world, now),
  );
  // What was due was decided on above. Should something be due all the same, it waits: a pass must never chase the next.
  return next > 0 ? next : 1000;
}

const nextWarningMs = ({ warnings }: Wish, now: Date): number =>
  Math.min(Infinity, ...warnings.map((instant) => instant.getTime() - now.getTime()).filter((ms) => ms > 0));
