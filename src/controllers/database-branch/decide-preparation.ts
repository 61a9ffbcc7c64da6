// From a branch that is the object's own to the Secret that opens it: size, role, login, proof. Pure.
import type { DatabaseBranch } from '../../api/v1alpha1/database-branch.ts';
import type { PastEnd } from '../../api/v1alpha1/ends.ts';
import { Reason } from '../../api/v1alpha1/reasons.ts';
import type { Branch, Endpoint, Role } from '../../lakebase/model.ts';
import { issueStep, loginStep } from './decide-credential.ts';
import { roleDefect } from './ours.ts';
import { askAgainMs } from './pacing.ts';
import { missed, tooOld, type Past } from './past.ts';
import { look, stall, trouble, waitFor, writeRefused, type Plan, type Wait } from './plan.ts';
import { sizeChange } from './size.ts';
import type { Wish } from './wish.ts';
import { isReset, type BranchView, type FailureView, type World } from './world.ts';

const slowInitMs = 10 * 60_000;
const stuckInInitMs = 60 * 60_000;

/** Each step first looks whether it is done. */
export function prepare(world: World, wish: Wish, view: BranchView, branch: Branch, now: Date): Plan {
  const unfit = branch.state === 'READY' ? pastMissed(world, wish, view, branch) : starting(world.object, branch, now);
  return unfit ?? withEndpoint(world, wish, view, branch, now);
}

function withEndpoint(world: World, wish: Wish, view: BranchView, branch: Branch, now: Date): Plan {
  const { endpoint } = view;
  if (endpoint.seen === 'notAsked') return look('endpoint', view);
  if (endpoint.seen === 'unknown') return trouble(endpoint.error);
  if (endpoint.seen === 'absent' || !endpoint.value.host || endpoint.value.state === 'INIT')
    return endpointStarting(branch, now);
  return (
    operationStep(view) ??
    endpointStep(view, wish, endpoint.value) ??
    roleStep(world, wish, view) ??
    writeStep(world) ??
    loginStep(world, wish, view, endpoint.value) ??
    issueStep(world, wish, view, branch, endpoint.value)
  );
}

/** Judged before any token is minted. A reset that missed its instant leaves what is served alone. */
function pastMissed(world: World, { past }: Wish, view: BranchView, branch: Branch): Plan | undefined {
  if (!past || view === world.served) return undefined;
  const verdict = verdictOn(world, past, branch);
  if (!verdict) return undefined;
  const { reason, why } = verdict;
  if (!isReset(world)) return { do: 'markEnded', reason };
  const message = `${why}. No login is handed out for branch ${branch.id}; what was served before stays. Set another source.${past.is} and, in the same edit, a new spec.reset.token`;
  return stall({ reason: Reason[reason], message });
}

function verdictOn(
  { bclass, clockSkewMs = 0 }: World,
  past: Past,
  branch: Branch,
): { reason: PastEnd; why: string } | undefined {
  const wrong = missed(past, branch);
  if (wrong !== undefined) return { reason: 'TimeSkewTooLarge', why: wrong };
  const old = bclass && tooOld(past, bclass, branch, clockSkewMs);
  return old === undefined ? undefined : { reason: 'RestoreWindowExceeded', why: old };
}

function endpointStarting({ id, createTime }: Branch, now: Date): Wait {
  const isNew = createTime === undefined || now.getTime() - createTime.getTime() < slowInitMs;
  if (isNew)
    return waitFor(Reason.EndpointStarting, 'the branch is there; its endpoint is starting', {
      transition: 'endpoint',
    });
  const message = `branch ${id} has no read-write endpoint with a host, so nothing can log in; if it stays so, set a new spec.reset.token: that makes another branch and deletes this one`;
  return waitFor(Reason.EndpointStarting, message, { lookInMs: 10_000 });
}

/** Lakebase refuses a second change of a branch while the first one runs. */
export function operationStep(view: BranchView): Plan | undefined {
  const { memory, operationDone } = view;
  if (!memory.operationRuns) return undefined;
  if (operationDone.seen === 'notAsked') return look('operation', view);
  if (operationDone.seen === 'unknown') return trouble(operationDone.error);
  return waitFor(Reason.EndpointStarting, 'the branch is being prepared', { transition: 'endpoint' });
}

/** Sizes come before the login, because changing them restarts the compute. */
function endpointStep(view: BranchView, wish: Wish, endpoint: Endpoint): Plan | undefined {
  const { memory } = view;
  if (memory.size && memory.size.nextInMs > 0) return { ...trouble(memory.size.error), lookInMs: memory.size.nextInMs };
  const size = memory.sized ? undefined : sizeChange(endpoint, wish.size);
  if (size) return { do: 'resize', of: view, endpoint, size };
  if (!endpoint.pending) return undefined;
  return waitFor(Reason.EndpointStarting, 'the endpoint is changing its size', { transition: 'endpoint' });
}

export function starting({ metadata }: DatabaseBranch, branch: Branch, now: Date): Wait {
  const since = branch.createTime ?? new Date(metadata.creationTimestamp ?? now);
  const forMs = now.getTime() - since.getTime();
  if (forMs < slowInitMs)
    return waitFor(Reason.BranchStarting, `branch ${branch.id} is starting`, { transition: 'branch' });
  const message = `branch ${branch.id} is ${branch.state} since ${since.toISOString()}; if it stays so, set a new spec.reset.token: that makes another branch and deletes this one`;
  return waitFor(Reason.BranchStuckInInit, message, { stalled: forMs >= stuckInInitMs, lookInMs: 10_000 });
}

/** A Secret that was refused is tried again after its backoff; until then neither a login nor a token is spent on it. */
function writeStep({ memory: { write } }: World): Plan | undefined {
  if (!write || write.nextInMs <= 0) return undefined;
  return { ...stall(writeRefused(write.message)), lookInMs: write.nextInMs };
}

/** Refused for so long, a role is no longer a matter of waiting. */
const roleStalledMs = 10 * 60_000;

export function roleStep({ username }: World, wish: Wish, view: BranchView): Plan | undefined {
  const { role, memory } = view;
  if (!username) return waitFor(Reason.RolePending, 'waiting to learn the name of the login', { lookInMs: 1000 });
  if (!wish.roleOnBranch || (memory.roleSeen && !memory.roleCheckDue)) return undefined;
  if (memory.role && memory.role.nextInMs > 0) return roleRefused(memory.role);
  switch (role.seen) {
    case 'notAsked':
      return look('role', view);
    case 'unknown':
      return trouble(role.error);
    case 'absent':
      return missingRole(view, username);
    case 'present':
      return presentRole(view, role.value, wish);
  }
}

const missingRole = (view: BranchView, postgresRole: string): Plan =>
  askedForRole(view) ? roleBeingMade : { do: 'createRole', of: view, postgresRole };

const askedForRole = ({ memory }: BranchView): boolean =>
  memory.rolePostedMsAgo !== undefined && memory.rolePostedMsAgo < askAgainMs;

const roleBeingMade = waitFor(Reason.RolePending, 'the role of the login is being made on the branch', {
  transition: 'role',
});

function presentRole(view: BranchView, role: Role, wish: Wish): Plan | undefined {
  switch (roleDefect(role, wish.membershipRoles)) {
    case 'unusable':
      return stall({
        reason: Reason.RoleUnusable,
        message: `role ${role.postgresRole} exists on the branch as ${role.identityType} with ${role.authMethod}; the login needs a SERVICE_PRINCIPAL with LAKEBASE_OAUTH_V1: drop it on the source, then set a new spec.reset.token`,
      });
    case 'lacksMembership':
      return askedForRole(view) ? roleBeingMade : { do: 'extendRole', of: view, role };
    case undefined:
      return undefined;
  }
}

function roleRefused({ error, sinceMs, nextInMs: lookInMs }: FailureView): Wait {
  if (['unauthenticated', 'denied', 'notFound'].includes(error.code)) return { ...trouble(error), lookInMs };
  const stalled = sinceMs > roleStalledMs;
  const message = `the provider does not make the role of the login: ${error.message}. Do what its words ask for, and check spec.login.membershipRoles of the class; it is tried again by itself`;
  return waitFor(stalled ? Reason.RoleRefused : Reason.RolePending, message, { lookInMs, stalled });
}
