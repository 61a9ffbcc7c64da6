// The conditions of a DatabaseBranch: one summary, and what it is made of. Pure.
import { ConditionType } from '../../api/v1alpha1/conditions.ts';
import { Reason } from '../../api/v1alpha1/reasons.ts';
import { lifeLeft, worryShare } from '../../credentials/plan.ts';
import type { IssuedSecret } from '../../credentials/secret.ts';
import { findCondition, removeCondition, setCondition } from '../../kit/conditions.ts';
import type { Condition } from '../../kit/kube.ts';
import { trouble, writeRefused, type Wait } from './plan.ts';
import type { World } from './world.ts';

export interface Said {
  readonly world: World;
  /** What the pass means for somebody who waits. */
  readonly state: Wait;
  /** The credential in the Secret, if there is one. */
  readonly issued: IssuedSecret | undefined;
  /** The Secret opens the object's branch, and its token lives. */
  readonly serving: boolean;
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
    [ConditionType.EndpointAvailable, available(said)],
    [ConditionType.CredentialsFresh, freshness(said)],
    [ConditionType.NamespaceAllowed, world.notAllowedSince && notAllowed],
    [ConditionType.LoginReachesSource, loginReachesSource(said) ? reachesSource : undefined],
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
  return positive({ reason: Reason.Available, message: 'the branch is served and its credential is fresh' });
}

/** The spec asks for what cannot be had: what is served stays, but it is not what was asked for. */
const refusedSpec = new Set<Reason>([
  Reason.TemplateInvalid,
  Reason.ExpirationExceedsMaximum,
  Reason.NeverExpireNotAllowed,
  Reason.EndpointSizeNotAllowed,
]);

const isReady = ({ serving, state }: Said): boolean => serving && !refusedSpec.has(state.reason);

/**
 * Ready with a good token stays quiet: a provider's blip is no reason to turn a healthy object red. Only when less than a
 * third of the token's life is left and it cannot be renewed, that is said beside Ready.
 */
function reconciling(said: Said): Finding {
  const { state } = said;
  if (!isReady(said)) return state.stalled ? undefined : positive(state);
  const problem = isWorrying(said) ? mintProblem(said) : undefined;
  return problem === undefined ? undefined : positive({ reason: Reason.MintFailed, message: problem });
}

const isWorrying = ({ issued, now }: Said): boolean => issued !== undefined && lifeLeft(issued, now) < worryShare;

/** Why the token in the Secret cannot be replaced, if so. */
function mintProblem({ world }: Said): string | undefined {
  const { mint, write } = world.memory;
  if (write) return writeRefused(write.message).message;
  return mint && trouble(mint.error, 'login').message;
}

function branchThere({ world, issued }: Said): boolean {
  const { branch, ended } = world;
  if (ended) return false;
  return issued !== undefined || (branch.seen === 'present' && branch.value.state === 'READY');
}

function provisioned(said: Said): Finding {
  if (!branchThere(said)) return negative(said.state);
  return positive({ reason: Reason.BranchReady, message: 'the branch exists and is the one that this object made' });
}

function available(said: Said): Finding {
  const { endpoint } = said.world;
  const hasHost = said.issued !== undefined || (endpoint.seen === 'present' && endpoint.value.host !== undefined);
  if (!branchThere(said) || !hasHost) return negative(said.state);
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
      message: 'there is no Secret with a token; the condition Ready says why',
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

const notAllowed = negative({
  reason: Reason.NamespaceNotAllowed,
  message:
    'the class does not allow this namespace any more: the credential is renewed for 24 h after that, then it runs out',
});

const reachesSource = positive({
  reason: Reason.RoleOnSource,
  message: 'the login of the class also has a role on the source: whoever holds this Secret can log in there',
});

function loginReachesSource({ world, issued }: Said): boolean {
  const { wish, roleOnSource, object } = world;
  if (!wish || !issued) return false;
  if (!wish.roleOnBranch) return true;
  if (roleOnSource.seen === 'present') return roleOnSource.value;
  return findCondition(object.status?.conditions ?? [], ConditionType.LoginReachesSource)?.status === 'True';
}
