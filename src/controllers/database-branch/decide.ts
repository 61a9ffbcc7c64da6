// What to do next. Pure: one step per pass, then look again.
import { Reason } from '../../api/v1alpha1/reasons.ts';
import { lifeLeft, planCredential, renewTime, worryShare } from '../../credentials/plan.ts';
import { rotateTokenHash, shapeHash, type IssuedSecret } from '../../credentials/secret.ts';
import type { Branch } from '../../lakebase/model.ts';
import { decideCreation, sizeChange } from './decide-creation.ts';
import { decideDeletion } from './decide-deletion.ts';
import { decideEnded } from './ended.ts';
import { leaseDue } from './lease.ts';
import { isGone } from './ours.ts';
import { look, stall, trouble, waitFor, writeRefused, type Plan, type Wait } from './plan.ts';
import { leaseTarget, type Problem, type Wish } from './wish.ts';
import type { World } from './world.ts';

export function decide(world: World, now: Date): Plan {
  if (world.deleting) return decideDeletion(world);
  if (!world.claimed) return { do: 'claim' };
  if (world.ended) return decideEnded(world);
  if (world.secret.is === 'notRead') return { do: 'idle', lookInMs: world.memory.secretReadInMs };
  if (!world.wish) return stall(world.problems[0] ?? unusableClass);
  return live(world, world.wish, now);
}

const unusableClass: Problem = { reason: Reason.ClassNotReady, message: 'the class cannot be used yet' };

/** The order is that of what cannot wait: an end, a wrong Secret, a token that dies, a lease that runs out, the rest. */
function live(world: World, wish: Wish, now: Date): Plan {
  const end = expiry(world, wish, now) ?? lost(world, wish, now) ?? withdrawal(world);
  if (end) return end;
  const secret = servedSecret(world);
  const care = (secret && credentialStep(world, wish, secret, now)) ?? upkeep(world, wish, now);
  if (care) return care;
  return secret ? settled(world, wish, secret, now) : decideCreation(world, wish, now);
}

/** Two minutes: beyond that our idea of "now" is worth less than a branch. */
const clockToleranceMs = 2 * 60_000;

function expiry(world: World, wish: Wish, now: Date): Plan | undefined {
  const { expireTime } = wish.expiration;
  if (!expireTime || now < expireTime || (!world.recorded && world.problems.length > 0)) return undefined;
  if (world.branch.seen === 'notAsked') return look('branch');
  const { clockSkewMs } = world;
  if (clockSkewMs === undefined)
    return waitFor(
      Reason.ClockSkewed,
      'expired by our clock; waiting to hear the clocks of the API server and the provider before anything is deleted',
      { lookInMs: 10_000 },
    );
  if (Math.abs(clockSkewMs) > clockToleranceMs)
    return waitFor(
      Reason.ClockSkewed,
      `our clock differs by ${Math.round(clockSkewMs / 1000)} s from the API server or the provider: nothing is deleted for age until the node's clock is right`,
      { lookInMs: 60_000 },
    );
  return { do: 'markEnded', reason: 'Expired' };
}

// Only a branch that was served can be lost; one that was not is asked for again, or found to be remembered as deleted.
function lost({ recorded, branch, object }: World, wish: Wish, now: Date): Plan | undefined {
  if (!recorded?.served) return undefined;
  const gone = branch.seen === 'absent' || (branch.seen === 'present' && isGone(branch.value));
  if (!gone) return undefined;
  const { expireTime } = wish.expiration;
  if (expireTime && now >= expireTime) return { do: 'markEnded', reason: 'Expired' };
  const leaseTime = object.status?.expiration?.leaseTime;
  const lapsed = leaseTime !== undefined && now >= new Date(leaseTime);
  return { do: 'markEnded', reason: lapsed ? 'LeaseLapsed' : 'DeletedExternally' };
}

/** A Secret that may not stay: from a backup, or naming a branch that is not this object's. */
function withdrawal({ secret, recorded, branch }: World): Plan | undefined {
  if (secret.is === 'leaving')
    return waitFor(Reason.SecretPending, 'the old Secret is being deleted; a new one is written when it is gone', {
      lookInMs: 2_000,
    });
  if (secret.is === 'restored') return { do: 'deleteSecret', secret, why: 'it comes from a backup of another object' };
  if (secret.is !== 'ours' && secret.is !== 'damaged') return undefined;
  if (!recorded || branch.seen !== 'present' || branch.value.uid === recorded.uid) return undefined;
  const identity = secret.is === 'ours' ? secret.secret : secret;
  return { do: 'deleteSecret', secret: identity, why: `branch ${branch.value.id} is not the one that it names` };
}

/** The Secret that opens the recorded branch, unless its user, host or endpoint moved: that needs a new proof. */
function servedSecret(world: World): IssuedSecret | undefined {
  const { secret, recorded } = world;
  if (secret.is !== 'ours' || !recorded?.served || bindingMoved(world, secret.secret)) return undefined;
  return secret.secret;
}

function bindingMoved({ username, endpoint }: World, { binding }: IssuedSecret): boolean {
  if (username !== undefined && username !== binding.username) return true;
  return (
    endpoint.seen === 'present' &&
    (endpoint.value.uid !== binding.endpointUid ||
      (endpoint.value.host !== undefined && endpoint.value.host !== binding.host))
  );
}

/** What a branch on record needs, whether it is served or still in the making. */
function upkeep(world: World, wish: Wish, now: Date): Plan | undefined {
  const { branch, recorded } = world;
  if (!recorded) return undefined;
  if (branch.seen === 'notAsked') return wantsLook(world, wish, now) ? look('branch') : undefined;
  if (branch.seen !== 'present' || branch.value.uid !== recorded.uid) return undefined;
  return leaseStep(world, wish, branch.value, now) ?? (recorded.served ? sizeStep(world, wish) : undefined);
}

function wantsLook(world: World, wish: Wish, now: Date): boolean {
  const { memory, specSeen, recorded } = world;
  if (leaseByStatus(world, wish, now) <= now && waited(memory.lease) && leaseRestMs(world) <= 0) return true;
  return recorded?.served === true && (memory.mintSaidGone || memory.branchCheckInMs <= 0 || !specSeen);
}

/** A lease that is due and cannot be extended, of a protected branch say, must not have the branch asked for without end. */
const leaseRestMs = ({ memory }: World): number => 60_000 - (memory.branchAskedMsAgo ?? Infinity);

const waited = (failure: { readonly nextInMs: number } | undefined): boolean => !failure || failure.nextInMs <= 0;

/** When the lease is next extended, by what the status remembers of it; the branch itself is asked before anything is sent. */
function leaseByStatus({ uid, object }: World, wish: Wish, now: Date): Date {
  const leaseTime = object.status?.expiration?.leaseTime;
  return (
    leaseDue(
      uid,
      leaseTime ? new Date(leaseTime) : undefined,
      leaseTarget(wish.expiration, wish.leaseMs, now),
      wish.leaseMs,
      now,
    ) ?? new Date(8.64e15)
  );
}

// A provider that refuses an expiry (of a protected branch, say) is asked again after a while, and holds up nothing else.
function leaseStep({ uid, memory }: World, wish: Wish, branch: Branch, now: Date): Plan | undefined {
  if (branch.isProtected || branch.isDefault || !waited(memory.lease)) return undefined;
  const target = leaseTarget(wish.expiration, wish.leaseMs, now);
  const due = leaseDue(uid, branch.expireTime, target, wish.leaseMs, now);
  return due && now >= due ? { do: 'extendLease', branch, expireTime: target } : undefined;
}

// Only an edit of the spec is followed here; a size that somebody changed at the provider is not.
function sizeStep(world: World, wish: Wish): Plan | undefined {
  const { specSeen, memory, endpoint, problems } = world;
  if (specSeen || memory.sized || problems.length > 0 || !waited(memory.size)) return undefined;
  if (endpoint.seen === 'notAsked') return look('endpoint');
  if (endpoint.seen !== 'present') return undefined;
  const size = sizeChange(endpoint.value, wish.size);
  return size ? { do: 'resize', endpoint: endpoint.value, size } : undefined;
}

function credentialStep(world: World, wish: Wish, secret: IssuedSecret, now: Date): Plan | undefined {
  const { memory, uid } = world;
  const shown = { rotateTokenHash: rotateTokenHash(wish.rotateToken), shapeHash: shapeHash(wish.shape) };
  const plan = planCredential({ ownerUid: uid, secret, ...shown }, now);
  if (plan.do === 'keep' || !waited(memory.write)) return undefined;
  if (plan.do === 'render') return templateProblem(world) ? undefined : { do: 'render', secret };
  if (rotationStopped(world, now) || !waited(memory.mint)) return undefined;
  return { do: 'issue', why: plan.reason, binding: secret.binding, replaces: secret };
}

const templateProblem = ({ problems }: World): boolean =>
  problems.some(({ reason }) => reason === Reason.TemplateInvalid);

/** A namespace that lost its permission keeps its credential fresh for a day, then lets it run out. */
const rotationGraceMs = 24 * 3_600_000;
const rotationStopped = ({ notAllowedSince }: World, now: Date): boolean =>
  notAllowedSince !== undefined && now.getTime() - notAllowedSince.getTime() > rotationGraceMs;

/** Nothing can be done now for a branch that is served: what is wrong, if anything, and when something is due. */
function settled(world: World, wish: Wish, secret: IssuedSecret, now: Date): Wait {
  const lookInMs = nextDueMs(world, wish, secret, now);
  const { problems, memory } = world;
  const [problem] = problems;
  if (problem) return { ...stall(problem), lookInMs };
  if (memory.write) return { ...stall(writeRefused(memory.write.message)), lookInMs };
  if (memory.mint && lifeLeft(secret, now) < worryShare) return { ...trouble(memory.mint.error, 'login'), lookInMs };
  if (now >= secret.expireTime) return waitFor(Reason.SecretPending, 'a new token is being written', { lookInMs });
  return waitFor(Reason.Available, 'the branch is served and its credential is fresh', { lookInMs });
}

function nextDueMs(world: World, wish: Wish, secret: IssuedSecret, now: Date): number {
  const { memory, uid } = world;
  const until = (instant: Date | undefined): number =>
    instant ? Math.max(0, instant.getTime() - now.getTime()) : Infinity;
  const held = [memory.mint, memory.write].map((failure) => failure?.nextInMs ?? 0);
  const renewMs = rotationStopped(world, now) ? Infinity : Math.max(until(renewTime(secret, uid)), ...held);
  const leaseMs = Math.max(until(leaseByStatus(world, wish, now)), memory.lease?.nextInMs ?? 0, leaseRestMs(world));
  const sizeMs = world.specSeen || !memory.size ? Infinity : memory.size.nextInMs;
  const checkMs = memory.branchCheckInMs;
  const next = Math.min(renewMs, leaseMs, sizeMs, until(wish.expiration.expireTime), memory.secretReadInMs, checkMs);
  // What was due was decided on above. Should something be due all the same, it waits: a pass must never chase the next.
  return next > 0 ? next : 1000;
}
