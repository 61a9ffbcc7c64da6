// The conditions of a DatabaseBranch: one summary, and what it is made of. Pure.
import { ConditionType } from '../../api/v1alpha1/conditions.ts';
import { Reason } from '../../api/v1alpha1/reasons.ts';
import { lifeLeft, worryShare } from '../../credentials/plan.ts';
import type { IssuedSecret } from '../../credentials/secret.ts';
import { findCondition, removeCondition, setCondition } from '../../kit/conditions.ts';
import type { Condition } from '../../kit/kube.ts';
import { rotationGraceMs } from './decide-credential.ts';
import { leftovers, strangers } from './decide-leftovers.ts';
import { cannotExpire } from './lease.ts';
import { available, trouble, writeRefused, type Plan, type Wait } from './plan.ts';
import { viewOf, type World } from './world.ts';

export interface Said {
  readonly world: World;
  readonly plan: Plan;
  /** What the pass means for somebody who waits. */
  readonly state: Wait;
  /** The credential in the Secret, if there is one. */
  readonly issued: IssuedSecret | undefined;
  /** The Secret opens the object's branch, and its token lives. */
  readonly serving: boolean;
  /** When the provider removes the branch, by its own clock; absent: never, or not known. */
  readonly leaseTime: string | undefined;
  /** Another branch than the served one is asked for. */
  readonly resetting: boolean;
  /** Of the spec that the status answers to. */
  readonly generation: number;
  readonly now: Date;
}

/** A condition as it should be; absent: it should not be there. */
type Finding = Pick<Condition, 'status' | 'reason' | 'message'> | undefined;

export function conditionsOf(said: Said): Condition[] {
  const { world, generation, now } = said;
  const findings: readonly (readonly [ConditionType, Finding])[] = [
    [ConditionType.Ready, readiness(said)],
    [ConditionType.Reconciling, reconciling(said)],
    [ConditionType.Stalled, !isReady(said) && said.state.stalled ? positive(said.state) : undefined],
    [ConditionType.BranchProvisioned, provisioned(said)],
    [ConditionType.EndpointAvailable, reachable(said)],
    [ConditionType.CredentialsFresh, freshness(said)],
    [ConditionType.NamespaceAllowed, world.notAllowedSince && notAllowed(said, world.notAllowedSince)],
    [ConditionType.LoginReachesSource, loginReachesSource(said) ? reachesSource : undefined],
    [ConditionType.Expiring, expiring(said)],
    [ConditionType.ExpirationClamped, clamped(said)],
    [ConditionType.Drifted, drifted(said)],
    [ConditionType.Paused, paused(said)],
  ];
  return findings.reduce<Condition[]>(
    (list, [type, finding]) =>
      finding ? setCondition(list, { type, ...finding }, generation, now) : removeCondition(list, type),
    [...(world.object.status?.conditions ?? [])],
  );
}

const positive = ({ reason, message }: Pick<Wait, 'reason' | 'message'>): Finding => ({
  status: 'True',
  reason,
  message,
});
const negative = ({ reason, message }: Pick<Wait, 'reason' | 'message'>): Finding => ({
  status: 'False',
  reason,
  message,
});

function readiness(said: Said): Finding {
  if (!isReady(said)) return negative(said.state);
  return positive({ reason: Reason.Available, message: available().message });
}

/** The spec asks for what cannot be had: what is served stays, but it is not what was asked for. */
export const refusedSpec = new Set<Reason>([
  Reason.TemplateInvalid,
  Reason.ExpirationExceedsMaximum,
  Reason.NeverExpireNotAllowed,
  Reason.EndpointSizeNotAllowed,
  Reason.ResetTokenReused,
  Reason.SourceNotAllowed,
  Reason.SourceNotFound,
  Reason.SourceRefNotAllowed,
  Reason.SourceExpires,
  Reason.RestoreNotAllowed,
  Reason.RestoreGone,
  Reason.RestoreWindowExceeded,
  Reason.RestoreTimeInFuture,
  Reason.TimeSkewTooLarge,
]);

// A source that the class has ceased to allow matters to a reset only.
const isReady = ({ serving, state, resetting }: Said): boolean =>
  serving && !(refusedSpec.has(state.reason) && (resetting || !sourceReasons.has(state.reason)));

const sourceReasons = new Set<Reason>([Reason.SourceNotAllowed, Reason.SourceNotFound, Reason.SourceRefNotAllowed]);

/**
 * Ready with a good token stays quiet: a provider's blip is no reason to turn a healthy object red. Only a reset that is
 * under way is said beside Ready, and a token that has less than a third of its life left and cannot be renewed.
 */
function reconciling(said: Said): Finding {
  const { state, resetting } = said;
  if (!isReady(said)) return state.stalled ? undefined : positive(state);
  const problem = isWorrying(said) ? mintProblem(said) : undefined;
  if (problem !== undefined)
    return positive({ reason: Reason.MintFailed, message: `the token in the Secret is not renewed: ${problem}` });
  return resetting ? positive(resetState(state)) : undefined;
}

const meanwhile = 'Until then the Secret opens the branch from before';

/** A reason that people wait for keeps its name; all else is a step of the reset. */
function resetState({ reason, message }: Wait): Pick<Wait, 'reason' | 'message'> {
  if (waits.has(reason)) return { reason, message: `${message}. ${meanwhile}` };
  const doing = reason === Reason.Available ? 'a fresh branch is being prepared' : message;
  return { reason: Reason.Resetting, message: `${doing}. ${meanwhile}` };
}

const waits = new Set<Reason>([
  Reason.WaitingForBranchSlot,
  Reason.ClassLimitReached,
  Reason.NamespaceLimitReached,
  Reason.PausedByAnnotation,
]);

const isWorrying = ({ issued, now }: Said): boolean => issued !== undefined && lifeLeft(issued, now) < worryShare;

/** Why the token in the Secret cannot be replaced, if so. */
function mintProblem({ world }: Said): string | undefined {
  const { write } = world.memory;
  const mint = world.served?.memory.mint;
  if (write) return writeRefused(write.message).message;
  return mint && trouble(mint.error, 'login').message;
}

function branchThere({ world, issued, state }: Said): boolean {
  const { wanted, ended } = world;
  if (ended || state.reason === Reason.BranchNotOurs) return false;
  return issued !== undefined || (wanted?.branch.seen === 'present' && wanted.branch.value.state === 'READY');
}

// The whole story is told once, by Ready, and by Reconciling or Stalled, of which tools show only one.
const seeReady = 'the condition Ready says why';

const noBranch = ({ world }: Said): string =>
  world.ended || world.deleting
    ? `the branch is not there any more, or goes; ${seeReady}`
    : `there is no branch yet that could be used; ${seeReady}`;

function provisioned(said: Said): Finding {
  if (!branchThere(said)) return negative({ reason: said.state.reason, message: noBranch(said) });
  return positive({ reason: Reason.BranchReady, message: 'the branch exists and is the one that this object made' });
}

function reachable(said: Said): Finding {
  const endpoint = said.world.wanted?.endpoint;
  const hasHost = said.issued !== undefined || (endpoint?.seen === 'present' && endpoint.value.host !== undefined);
  const { reason } = said.state;
  if (!branchThere(said)) return negative({ reason, message: 'there is no endpoint without a branch' });
  if (!hasHost) return negative({ reason, message: `the endpoint of the branch has no host; ${seeReady}` });
  return positive({
    reason: Reason.EndpointReady,
    message: 'the endpoint has a host; it may sleep and wakes on connect',
  });
}

/**
 * Granted less than a quarter of an hour, a mounted Secret cannot be trusted to reach a pod in time. A minute less,
 * because the provider's clock is known to the second only.
 */
const shortLifeMs = 14 * 60_000;

function freshness(said: Said): Finding {
  const { issued, now } = said;
  if (!issued)
    return negative({
      reason: Reason.TokenMissing,
      message: `there is no Secret with a token; ${seeReady}`,
    });
  const problem = mintProblem(said);
  const failing = problem ? `; the last renewal failed: ${problem}` : '';
  if (now >= issued.expireTime)
    return negative({ reason: Reason.TokenExpired, message: `the token in the Secret has expired${failing}` });
  if (problem && isWorrying(said))
    return negative({ reason: Reason.MintFailed, message: `less than a third of the token's life is left${failing}` });
  const lifeMs = issued.expireTime.getTime() - issued.issueTime.getTime();
  if (lifeMs < shortLifeMs)
    return negative({
      reason: Reason.ShortLived,
      message: `the provider grants tokens of ${Math.round(lifeMs / 1000)} s only: pods may see a dead one before the kubelet shows the new${failing}`,
    });
  return positive({ reason: Reason.TokenFresh, message: `the token is renewed at about half of its life${failing}` });
}

function notAllowed({ world: { problems } }: Said, since: Date): Finding {
  const why = problems.find(({ reason }) => reason === Reason.NamespaceNotAllowed)?.message;
  // Whole seconds, as the condition remembers when it began.
  const until = new Date(Math.floor((since.getTime() + rotationGraceMs) / 1000) * 1000).toISOString();
  return negative({
    reason: Reason.NamespaceNotAllowed,
    message: `${why}. Nothing new is created meanwhile; a token that is in a Secret is renewed until ${until}, then it runs out`,
  });
}

const reachesSource = positive({
  reason: Reason.RoleOnSource,
  message: 'the login of the class also has a role on the source: whoever holds this Secret can log in there',
});

function loginReachesSource({ world, issued }: Said): boolean {
  const { wish, object } = world;
  if (!wish || !issued) return false;
  if (!wish.roleOnBranch) return true;
  const roleOnSource = viewOf(world, issued.binding.branchId)?.roleOnSource;
  if (roleOnSource?.seen === 'present') return roleOnSource.value;
  return findCondition(object.status?.conditions ?? [], ConditionType.LoginReachesSource)?.status === 'True';
}

/** The last of the warnings whose time has come. */
function expiring(said: Said): Finding {
  const { wish, ended, deleting } = said.world;
  const end = wish?.expiration.expireTime;
  if (!end || ended || deleting) return undefined;
  if (said.now >= end) return keptByClocks(said, end);
  const passed = wish.warnings.filter((instant) => instant <= said.now).length;
  if (passed === 0) return undefined;
  const within = passed === wish.warnings.length ? 'the hour' : '24 hours';
  return positive({
    reason: Reason.ExpiresSoon,
    message: `the branch ends within ${within}, at ${end.toISOString()}: Secret and data are deleted then. To keep it, set a later spec.expiration`,
  });
}

/** Said for as long as the branch is kept, also by passes that had something else to do. */
function keptByClocks({ state, world: { object } }: Said, end: Date): Finding {
  const before = findCondition(object.status?.conditions ?? [], ConditionType.Expiring);
  if (state.reason !== Reason.ClockSkewed && before?.reason !== Reason.ClockSkewed) return undefined;
  return positive({
    reason: Reason.ClockSkewed,
    message: `the branch should have ended at ${end.toISOString()}; it is kept until the clocks of the operator's node, of the API server and of the provider agree within two minutes. Correct the time (NTP) of that node`,
  });
}

function clamped({ world, plan }: Said): Finding {
  const { ended, deleting, object } = world;
  const asked = plan.do === 'setExpiry' ? plan.expiry.clampedFrom : undefined;
  const from = asked ?? object.status?.expiration?.clampedFrom;
  if (!from || ended || deleting) return undefined;
  return positive({
    reason: Reason.LeaseClamped,
    message:
      'the provider does not let a branch expire as late as it should (status.expiration.clampedFrom): its expiry is set as far ahead as the provider allows, and pushed forward every 12 hours',
  });
}

/** What is not as it should be at the provider and is not corrected by itself. */
function drifted(said: Said): Finding {
  const { world } = said;
  const { served, object, ended, deleting } = world;
  if (ended || deleting) return undefined;
  const before = findCondition(object.status?.conditions ?? [], ConditionType.Drifted);
  const sawAll = served?.branch.seen === 'present' && world.family.seen === 'present';
  // What was found by looking at everything is not taken back, or told by half, by looking at a part.
  if (before && !sawAll) return positive({ reason: Reason.DriftFound, message: before.message });
  const fields = driftOf(said);
  if (fields.length === 0) return undefined;
  return positive({
    reason: Reason.DriftFound,
    message: `changed at the provider, and not corrected by itself: ${fields.join('; ')}. Put it right at the provider; it is looked at again every 10 minutes`,
  });
}

function driftOf({ world }: Said): string[] {
  const { served } = world;
  const fields: string[] = [];
  if (served?.branch.seen === 'present' && served.branch.value.isProtected)
    fields.push(`branch ${served.id} is protected (spec.is_protected), so it does not expire and cannot be deleted`);
  for (const { id } of strangers(world))
    fields.push(
      `branch ${id} is another one than this object had under that id: it is left alone, and stays when the object goes`,
    );
  for (const { id, branch } of leftovers(world))
    if (branch.seen === 'present' && cannotExpire(branch.value))
      fields.push(`branch ${id}, which was replaced, is protected and cannot go`);
  return fields;
}

function paused({ world, leaseTime }: Said): Finding {
  const { paused: how, deleting } = world;
  if (how === 'no' || deleting) return undefined;
  if (how === 'changes')
    return positive({
      reason: Reason.PausedByAnnotation,
      message:
        'creates, resets and changes of size are held up; the renewal of the token, the lease, expiry and deletion go on. To go on with all of it, remove the annotation lakebranch.dev/paused',
    });
  const end = leaseTime ? `. Unless it is removed before, the provider removes the branch at ${leaseTime}` : '';
  return positive({
    reason: Reason.PausedByAnnotation,
    message: `everything but deletion is held up, also the renewal of the token${end}. To go on, remove the annotation lakebranch.dev/paused`,
  });
}
