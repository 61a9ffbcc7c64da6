// What to do next. Pure: one step per pass, then look again.
import { Reason } from '../../api/v1alpha1/reasons.ts';
import { planCredential, renewTime } from '../../credentials/plan.ts';
import { rotateTokenHash, shapeHash, type IssuedSecret } from '../../credentials/secret.ts';
import type { Branch } from '../../lakebase/model.ts';
import { claimOf, decideCreation, sizeChange } from './decide-creation.ts';
import { decideDeletion } from './decide-deletion.ts';
import { leaseDue } from './lease.ts';
import { isGone, mayBeDeleted, notOurs } from './ours.ts';
import { look, stall, trouble, waitFor, type Plan, type Wait } from './plan.ts';
import { leaseTarget, type Problem, type Wish } from './wish.ts';
import type { World } from './world.ts';

export function decide(world: World, now: Date): Plan {
  if (world.deleting) return decideDeletion(world);
  if (!world.claimed) return { do: 'claim' };
  if (world.ended) return tidyUp(world);
  if (world.secret.is === 'notRead') return { do: 'idle', lookInMs: world.memory.secretReadInMs };
  if (!world.wish) return stall(world.problems[0] ?? unusableClass);
  return (
    expiry(world, world.wish, now) ??
    lost(world, world.wish, now) ??
    withdrawal(world, world.wish) ??
    care(world, world.wish, now) ??
    decideCreation(world, world.wish, now)
  );
}

const unusableClass: Problem = { reason: Reason.ClassNotReady, message: 'the class cannot be used yet' };

/** Two minutes: beyond that our idea of "now" is worth less than a branch. */
const clockToleranceMs = 2 * 60_000;

function expiry(world: World, wish: Wish, now: Date): Plan | undefined {
  const { expireTime } = wish.expiration;
  if (!expireTime || now < expireTime || (!world.recorded && world.problems.length > 0)) return undefined;
  if (world.branch.seen === 'notAsked') return look('branch');
  if (world.clockSkewMs === undefined)
    return waitFor(
      Reason.ClockSkewed,
      'expired by our clock; waiting to hear the clocks of the API server and the provider before anything is deleted',
      { lookInMs: 10_000 },
    );
  if (Math.abs(world.clockSkewMs) > clockToleranceMs)
    return waitFor(
      Reason.ClockSkewed,
      `our clock differs by ${Math.round(world.clockSkewMs / 1000)} s from the API server or the provider: nothing is deleted for age until the node's clock is right`,
      { lookInMs: 60_000 },
    );
  return { do: 'markEnded', reason: 'Expired' };
}

// Only an id whose uid we have on record can be lost; anything else was perhaps never made.
function lost(world: World, wish: Wish, now: Date): Plan | undefined {
  const { recorded, branch } = world;
  if (!recorded) return undefined;
  if (branch.seen === 'present' && !isGone(branch.value)) return undefined;
  if (branch.seen !== 'present' && branch.seen !== 'absent') return undefined;
  const { expireTime } = wish.expiration;
  if (expireTime && now >= expireTime) return { do: 'markEnded', reason: 'Expired' };
  const leaseTime = world.object.status?.expiration?.leaseTime;
  const lapsed = leaseTime !== undefined && now >= new Date(leaseTime);
  return { do: 'markEnded', reason: lapsed ? 'LeaseLapsed' : 'DeletedExternally' };
}

/** A Secret that may not stay: from a backup, or naming a branch that is not this object's. */
function withdrawal({ secret, recorded, branch }: World, _wish: Wish): Plan | undefined {
  if (secret.is === 'restored') return { do: 'deleteSecret', secret, why: 'it comes from a backup of another object' };
  if (
    recorded &&
    branch.seen === 'present' &&
    branch.value.uid !== recorded.uid &&
    (secret.is === 'ours' || secret.is === 'damaged')
  ) {
    const identity = secret.is === 'ours' ? secret.secret : secret;
    return { do: 'deleteSecret', secret: identity, why: `branch ${branch.value.id} is not the one that it names` };
  }
  return undefined;
}

/** The care of a branch that is served: its lease, its size and its credential. Goes on whatever else is wrong. */
function care(world: World, wish: Wish, now: Date): Plan | undefined {
  const { secret, recorded } = world;
  if (secret.is !== 'ours' || !recorded?.served) return undefined;
  const step = careOfBranch(world, wish, now);
  if (step) return step;
  if (bindingMoved(world, secret.secret)) return undefined;
  return credentialStep(world, wish, secret.secret, now) ?? settled(world, wish, secret.secret, now);
}

function careOfBranch(world: World, wish: Wish, now: Date): Plan | undefined {
  const { branch } = world;
  if (branch.seen === 'notAsked') return wantsLook(world, wish, now) ? look('branch') : undefined;
  if (branch.seen !== 'present') return undefined;
  const foreign = notOurs(branch.value, claimOf(world, wish));
  if (foreign) return stall({ reason: Reason.BranchNotOurs, message: foreign });
  return leaseStep(world, wish, branch.value, now) ?? sizeStep(world, wish);
}

function wantsLook(world: World, wish: Wish, now: Date): boolean {
  const { memory, specSeen } = world;
  return memory.mintSaidGone || memory.branchCheckInMs <= 0 || !specSeen || leaseByStatus(world, wish, now) <= now;
}

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

// Only an edit of the spec is followed here; a size that somebody changed at the provider is not.
function sizeStep({ specSeen, memory, endpoint, problems }: World, wish: Wish): Plan | undefined {
  if (specSeen || memory.sized || problems.length > 0) return undefined;
  if (endpoint.seen === 'notAsked') return look('endpoint');
  if (endpoint.seen !== 'present') return undefined;
  const size = sizeChange(endpoint.value, wish.size);
  return size ? { do: 'resize', endpoint: endpoint.value, size } : undefined;
}

function leaseStep(world: World, wish: Wish, branch: Branch, now: Date): Plan | undefined {
  const target = leaseTarget(wish.expiration, wish.leaseMs, now);
  const due = leaseDue(world.uid, branch.expireTime, target, wish.leaseMs, now);
  return due && now >= due ? { do: 'extendLease', branch, expireTime: target } : undefined;
}

// Another user, host or endpoint than the Secret's: not a rotation. It needs a new proof and a new login.
function bindingMoved({ username, endpoint }: World, { binding }: IssuedSecret): boolean {
  if (username !== undefined && username !== binding.username) return true;
  return (
    endpoint.seen === 'present' &&
    (endpoint.value.uid !== binding.endpointUid ||
      (endpoint.value.host !== undefined && endpoint.value.host !== binding.host))
  );
}

function credentialStep(world: World, wish: Wish, secret: IssuedSecret, now: Date): Plan | undefined {
  const plan = planCredential(
    {
      ownerUid: world.uid,
      secret,
      rotateTokenHash: rotateTokenHash(wish.rotateToken),
      shapeHash: shapeHash(wish.shape),
    },
    now,
  );
  if (plan.do === 'keep') return undefined;
  if (plan.do === 'render') return templateProblem(world) ? undefined : { do: 'render', secret };
  if (rotationStopped(world, now)) return undefined;
  if (world.memory.mint && world.memory.mint.nextInMs > 0) return undefined;
  return { do: 'issue', why: plan.reason, binding: secret.binding, replaces: secret };
}

const templateProblem = ({ problems }: World): boolean =>
  problems.some(({ reason }) => reason === Reason.TemplateInvalid);

/** A namespace that lost its permission keeps its credential fresh for a day, then lets it run out. */
const rotationGraceMs = 24 * 3_600_000;
const rotationStopped = ({ notAllowedSince }: World, now: Date): boolean =>
  notAllowedSince !== undefined && now.getTime() - notAllowedSince.getTime() > rotationGraceMs;

function settled(world: World, wish: Wish, secret: IssuedSecret, now: Date): Wait {
  const { problems, memory, uid } = world;
  const [problem] = problems;
  const until = (instant: Date | undefined): number =>
    instant ? Math.max(0, instant.getTime() - now.getTime()) : Infinity;
  const renewMs = memory.mint
    ? memory.mint.nextInMs
    : rotationStopped(world, now)
      ? Infinity
      : until(renewTime(secret, uid));
  const lookInMs = Math.min(
    renewMs,
    until(wish.expiration.expireTime),
    until(leaseByStatus(world, wish, now)),
    memory.secretReadInMs,
    Math.max(1000, memory.branchCheckInMs),
  );
  return problem
    ? { ...stall(problem), lookInMs }
    : waitFor(Reason.Available, 'the branch is served and its credential is fresh', { lookInMs });
}

/** An ended object keeps nothing: first the Secret, so that pods fail to start, then the branch. */
function tidyUp(world: World): Plan {
  const { secret, ended, tagged } = world;
  if (secret.is === 'ours') return { do: 'deleteSecret', secret: secret.secret, why: 'its branch has ended' };
  if (secret.is === 'damaged' || secret.is === 'restored')
    return { do: 'deleteSecret', secret, why: 'its branch has ended' };
  if (tagged.seen === 'notAsked' && world.wish) return look('tagged');
  if (tagged.seen === 'unknown') return { ...trouble(tagged.error), lookInMs: 30_000 };
  const rest =
    tagged.seen === 'present' ? tagged.value.filter((branch) => !isGone(branch) && mayBeDeleted(branch)) : [];
  const [first] = rest;
  if (first) {
    const { deletedMsAgo } = world.memory;
    if (deletedMsAgo === undefined || deletedMsAgo >= 10_000)
      return { do: 'deleteBranch', branch: first, project: first.project };
    return { ...endedWait(ended), transition: 'delete' };
  }
  return endedWait(ended);
}

function endedWait(ended: World['ended']): Wait {
  const reason =
    ended?.reason === 'LeaseLapsed'
      ? Reason.LeaseLapsed
      : ended?.reason === 'DeletedExternally'
        ? Reason.DeletedExternally
        : Reason.Expired;
  return stall({ reason, message: endedMessage(reason, ended?.time ?? '') });
}

function endedMessage(reason: Reason, time: string): string {
  const again = 'Delete this object and create it again for a new branch';
  if (reason === Reason.Expired)
    return `the branch expired and was removed at ${time}. ${again}, with a later spec.expiration`;
  if (reason === Reason.LeaseLapsed)
    return `the operator was away for longer than the lease, and the provider removed the branch; seen at ${time}. ${again}`;
  return `somebody deleted the branch at the provider; seen at ${time}. Nothing was made in its place, because its data is gone. ${again}`;
}
