// The straight path of a branch that is not served yet. Pure.
import { Reason } from '../../api/v1alpha1/reasons.ts';
import type { EndpointSize } from '../../lakebase/client.ts';
import type { Branch, Endpoint, Role } from '../../lakebase/model.ts';
import { issueStep, loginStep } from './decide-credential.ts';
import { decidePost, postAgainMs } from './decide-post.ts';
import { isGone, notOurs, roleDefect } from './ours.ts';
import { look, stall, trouble, waitFor, writeRefused, type Plan, type Wait } from './plan.ts';
import type { Problem, Wish } from './wish.ts';
import type { FailureView, World } from './world.ts';

/** The straight path: POST, accept, size, role, login, Secret. Each step first looks whether it is done. */
export function decideCreation(world: World, wish: Wish, now: Date): Plan {
  const obstacle = obstacleOf(world, wish);
  if (obstacle) return stall(obstacle);
  if (world.namespaceTerminating)
    return waitFor(Reason.NamespaceTerminating, 'the namespace is being deleted: nothing new is made in it', {
      lookInMs: 10_000,
    });
  const { branch } = world;
  switch (branch.seen) {
    case 'notAsked':
      return look('branch');
    case 'unknown':
      return trouble(branch.error);
    case 'absent':
      return decidePost(world, wish, now);
    case 'present':
      return accept(world, wish, branch.value, now);
  }
}

function obstacleOf({ secret, secretNameTakenBy, problems, recorded }: World, wish: Wish): Problem | undefined {
  const owned = (message: string): Problem => ({ reason: Reason.SecretNotOwned, message });
  if (secret.is === 'foreign')
    return owned(
      `Secret ${wish.secretName} exists and belongs to ${secret.controller ?? 'somebody else'}: delete it, or choose another spec.credentials.secretName in a new object`,
    );
  if (secretNameTakenBy)
    return owned(
      `DatabaseBranch ${secretNameTakenBy} of this namespace is older and writes Secret ${wish.secretName}: give one of them another name`,
    );
  return recorded ? undefined : problems[0];
}

function accept(world: World, wish: Wish, branch: Branch, now: Date): Plan {
  const { recorded } = world;
  if (!recorded && isGone(branch)) return { do: 'markEnded', reason: 'DeletedExternally' };
  const foreign = notOurs(branch, claimOf(world, wish));
  if (foreign) return stall({ reason: Reason.BranchNotOurs, message: foreign });
  return recorded?.uid === branch.uid ? prepare(world, wish, branch, now) : { do: 'record' };
}

const claimOf = (world: World, wish: Wish): Parameters<typeof notOurs>[1] => ({
  // A candidate that was never served may be replaced by another under the same id; what was served may not.
  recordedUid: world.recorded?.served ? world.recorded.uid : undefined,
  source: wish.source,
  objectCreated: new Date(world.object.metadata.creationTimestamp ?? 0),
  skewMs: world.clockSkewMs ?? 0,
});

const slowInitMs = 10 * 60_000;
const stuckInInitMs = 60 * 60_000;

function prepare(world: World, wish: Wish, branch: Branch, now: Date): Plan {
  if (branch.state !== 'READY') return starting(world, branch, now);
  const { endpoint } = world;
  if (endpoint.seen === 'notAsked') return look('endpoint');
  if (endpoint.seen === 'unknown') return trouble(endpoint.error);
  if (endpoint.seen === 'absent' || !endpoint.value.host || endpoint.value.state === 'INIT')
    return waitFor(Reason.EndpointStarting, 'the branch is there; its endpoint is starting', {
      transition: 'endpoint',
    });
  return (
    operationStep(world) ??
    endpointStep(world, wish, endpoint.value) ??
    roleStep(world, wish) ??
    writeStep(world) ??
    loginStep(world, wish, endpoint.value) ??
    issueStep(world, wish, branch, endpoint.value)
  );
}

/** Lakebase refuses a second change of a branch while the first one runs. */
function operationStep({ memory, operationDone }: World): Plan | undefined {
  if (!memory.operationRuns) return undefined;
  if (operationDone.seen === 'notAsked') return look('operation');
  if (operationDone.seen === 'unknown') return trouble(operationDone.error);
  return waitFor(Reason.EndpointStarting, 'the branch is being prepared', { transition: 'endpoint' });
}

/** Sizes come before the login, because changing them restarts the compute. */
function endpointStep({ memory }: World, wish: Wish, endpoint: Endpoint): Plan | undefined {
  if (memory.size && memory.size.nextInMs > 0) return { ...trouble(memory.size.error), lookInMs: memory.size.nextInMs };
  const size = memory.sized ? undefined : sizeChange(endpoint, wish.size);
  if (size) return { do: 'resize', endpoint, size };
  if (!endpoint.pending) return undefined;
  return waitFor(Reason.EndpointStarting, 'the endpoint is changing its size', { transition: 'endpoint' });
}

function starting({ object }: World, branch: Branch, now: Date): Wait {
  const since = branch.createTime ?? new Date(object.metadata.creationTimestamp ?? now);
  const forMs = now.getTime() - since.getTime();
  if (forMs < slowInitMs)
    return waitFor(Reason.BranchStarting, `branch ${branch.id} is starting`, { transition: 'branch' });
  const message = `branch ${branch.id} is ${branch.state} since ${since.toISOString()}; if it stays so, delete this object and create it again`;
  return waitFor(Reason.BranchStuckInInit, message, { stalled: forMs >= stuckInInitMs, lookInMs: 10_000 });
}

export function sizeChange(endpoint: Endpoint, wanted: EndpointSize): EndpointSize | undefined {
  const change: EndpointSize = {
    ...(wanted.minCU !== undefined && wanted.minCU !== endpoint.minCU ? { minCU: wanted.minCU } : {}),
    ...(wanted.maxCU !== undefined && wanted.maxCU !== endpoint.maxCU ? { maxCU: wanted.maxCU } : {}),
    ...(wanted.suspendAfterSeconds !== undefined && wanted.suspendAfterSeconds !== endpoint.suspendAfterSeconds
      ? { suspendAfterSeconds: wanted.suspendAfterSeconds }
      : {}),
  };
  return Object.keys(change).length > 0 ? change : undefined;
}

/** A Secret that was refused is tried again after its backoff; until then neither a login nor a token is spent on it. */
function writeStep({ memory: { write } }: World): Plan | undefined {
  if (!write || write.nextInMs <= 0) return undefined;
  return { ...stall(writeRefused(write.message)), lookInMs: write.nextInMs };
}

/** Refused for so long, a role is no longer a matter of waiting. */
const roleStalledMs = 10 * 60_000;

function roleStep(world: World, wish: Wish): Plan | undefined {
  const { role, username, memory } = world;
  if (!username) return waitFor(Reason.RolePending, 'waiting to learn the name of the login', { lookInMs: 1000 });
  if (!wish.roleOnBranch || memory.roleSeen) return undefined;
  if (memory.role && memory.role.nextInMs > 0) return roleRefused(memory.role);
  switch (role.seen) {
    case 'notAsked':
      return look('role');
    case 'unknown':
      return trouble(role.error);
    case 'absent':
      return missingRole(world, username);
    case 'present':
      return presentRole(world, role.value, wish);
  }
}

const missingRole = (world: World, postgresRole: string): Plan =>
  askedForRole(world) ? roleBeingMade : { do: 'createRole', postgresRole };

const askedForRole = ({ memory }: World): boolean =>
  memory.rolePostedMsAgo !== undefined && memory.rolePostedMsAgo < postAgainMs;

const roleBeingMade = waitFor(Reason.RolePending, 'the role of the login is being made on the branch', {
  transition: 'role',
});

function presentRole(world: World, role: Role, wish: Wish): Plan | undefined {
  switch (roleDefect(role, wish.membershipRoles)) {
    case 'unusable':
      return stall({
        reason: Reason.RoleUnusable,
        message: `role ${role.postgresRole} exists on the branch as ${role.identityType} with ${role.authMethod}; the login needs a SERVICE_PRINCIPAL with LAKEBASE_OAUTH_V1: drop it on the source and create this object again`,
      });
    case 'lacksMembership':
      return askedForRole(world) ? roleBeingMade : { do: 'extendRole', role };
    case undefined:
      return undefined;
  }
}

function roleRefused({ error, sinceMs, nextInMs: lookInMs }: FailureView): Wait {
  if (['unauthenticated', 'denied', 'notFound'].includes(error.code)) return { ...trouble(error), lookInMs };
  const stalled = sinceMs > roleStalledMs;
  const message = `the provider does not make the role of the login: ${error.message}`;
  return waitFor(stalled ? Reason.RoleRefused : Reason.RolePending, message, { lookInMs, stalled });
}
