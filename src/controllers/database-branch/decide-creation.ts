// The straight path of a branch that is not served yet. Pure.
import { Reason } from '../../api/v1alpha1/reasons.ts';
import { prove } from '../../credentials/proof.ts';
import { findCondition } from '../../kit/conditions.ts';
import type { EndpointSize } from '../../lakebase/client.ts';
import type { LakebaseError } from '../../lakebase/errors.ts';
import type { Branch, Endpoint } from '../../lakebase/model.ts';
import { isGone, notOurs, roleDefect } from './ours.ts';
import { look, stall, trouble, waitFor, type Plan, type Wait } from './plan.ts';
import { leaseTarget, type Problem, type Wish } from './wish.ts';
import type { World } from './world.ts';

/** The straight path: POST, accept, size, role, login, Secret. Each step first looks whether it is done. */
export function decideCreation(world: World, wish: Wish, now: Date): Plan {
  const { secret, branch } = world;
  if (secret.is === 'foreign')
    return stall({
      reason: Reason.SecretNotOwned,
      message: `Secret ${wish.secretName} exists and belongs to ${secret.controller ?? 'somebody else'}: delete it or choose another spec.credentials.secretName in a new object`,
    });
  if (world.secretNameTakenBy)
    return stall({
      reason: Reason.SecretNotOwned,
      message: `DatabaseBranch ${world.secretNameTakenBy} of this namespace is older and writes Secret ${wish.secretName}: give one of them another name`,
    });
  const [problem] = world.problems;
  if (problem && !world.recorded) return stall(problem);
  if (branch.seen === 'notAsked') return look('branch');
  if (branch.seen === 'unknown') return trouble(branch.error);
  if (branch.seen !== 'present') return make(world, wish, now);
  if (!world.recorded && isGone(branch.value)) return { do: 'markEnded', reason: 'DeletedExternally' };
  const foreign = notOurs(branch.value, claimOf(world, wish));
  if (foreign) return stall({ reason: Reason.BranchNotOurs, message: foreign });
  if (world.recorded?.uid !== branch.value.uid) return { do: 'record' };
  return prepare(world, wish, branch.value, now);
}

export const claimOf = (world: World, wish: Wish): Parameters<typeof notOurs>[1] => ({
  recordedUid: world.recorded?.uid,
  source: wish.source,
  objectCreated: new Date(world.object.metadata.creationTimestamp ?? 0),
  skewMs: world.clockSkewMs ?? 0,
});

/** How long a POST that led to nothing visible is repeated before the object says so. */
const unseenMs = 2 * 60_000;
const postAgainMs = 10_000;

function make(world: World, wish: Wish, now: Date): Plan {
  const { refusal, postedMsAgo } = world.memory;
  if (refusal && mayMeanFull(refusal)) {
    if (world.unarchived.seen === 'notAsked') return look('room');
    if (world.unarchived.seen === 'present' && world.unarchived.value >= projectLimit)
      return waitFor(Reason.WaitingForBranchSlot, fullMessage(wish), { lookInMs: slotLookMs });
  }
  if (postedMsAgo !== undefined && postedMsAgo < postAgainMs) return unseen(world, wish, postAgainMs - postedMsAgo);
  return post(world, wish, now);
}

/** Lakebase keeps at most ten unarchived branches in a project. */
const projectLimit = 10;
const slotLookMs = 30_000;
const fullMessage = ({ project }: Wish): string =>
  `project ${project} holds the ${projectLimit} branches that the provider allows: the branch is created as soon as one of them goes`;

// Which code a full project answers with is not documented, so the count decides, never the code.
const mayMeanFull = ({ code }: LakebaseError): boolean =>
  !['unauthenticated', 'notFound', 'exists', 'unreachable'].includes(code);

function unseen(world: World, wish: Wish, againMs: number): Wait {
  const { refusal, startingMs = 0 } = world.memory;
  if (refusal && (refusal.code === 'unauthenticated' || refusal.code === 'denied'))
    return { ...trouble(refusal), lookInMs: againMs };
  if (refusal?.code === 'notFound') return { ...stall(nothingToForkFrom(world, wish)), lookInMs: againMs };
  const pace: Partial<Wait> = refusal ? { lookInMs: againMs } : { transition: 'branch' };
  if (startingMs < unseenMs)
    return waitFor(Reason.BranchCreating, `branch ${wish.branchId} was asked for and is not visible yet`, pace);
  return stuckCreate(refusal, wish, pace);
}

function post({ rememberedAsDeleted }: World, wish: Wish, now: Date): Plan {
  // An id that was once deleted is never used again: what it held is gone, and nobody may take the new for the old.
  if (rememberedAsDeleted.seen === 'notAsked') return look('deletedIds');
  if (rememberedAsDeleted.seen === 'unknown') return trouble(rememberedAsDeleted.error);
  if (rememberedAsDeleted.seen === 'present' && rememberedAsDeleted.value)
    return { do: 'markEnded', reason: 'DeletedExternally' };
  return { do: 'createBranch', expireTime: leaseTarget(wish.expiration, wish.leaseMs, now) };
}

function nothingToForkFrom({ bclass }: World, wish: Wish): Problem {
  const projectMissing = findCondition(bclass?.status?.conditions ?? [], 'Ready')?.reason === Reason.ProjectNotFound;
  if (projectMissing)
    return {
      reason: Reason.ProjectNotFound,
      message: `project ${wish.project} does not exist at the provider: correct spec.provider of class ${bclass?.metadata.name ?? ''} in a new class`,
    };
  return {
    reason: Reason.SourceNotFound,
    message: `source branch ${wish.source} does not exist in project ${wish.project}: create it, or name another source`,
  };
}

function stuckCreate(refusal: LakebaseError | undefined, wish: Wish, pace: Partial<Wait>): Wait {
  if (!refusal || refusal.code === 'exists' || refusal.code === 'unreachable') {
    return waitFor(
      Reason.CreateUnclear,
      `the provider has not shown branch ${wish.branchId} for two minutes after it was asked for; asking again every 10 s`,
      pace,
    );
  }
  return {
    ...stall({
      reason: Reason.CreateRefused,
      message: `the provider refuses to create the branch: ${refusal.message}`,
    }),
    ...pace,
  };
}

const slowInitMs = 10 * 60_000;
const stuckInInitMs = 60 * 60_000;

function prepare(world: World, wish: Wish, branch: Branch, now: Date): Plan {
  if (branch.state !== 'READY') return starting(world, branch, now);
  const { endpoint } = world;
  if (endpoint.seen === 'notAsked') return look('endpoint');
  if (endpoint.seen === 'unknown') return trouble(endpoint.error);
  if (endpoint.seen !== 'present' || !endpoint.value.host || endpoint.value.state === 'INIT')
    return waitFor(Reason.EndpointStarting, 'the branch is there; its endpoint is starting', {
      transition: 'endpoint',
    });
  const size = sizeChange(endpoint.value, wish.size);
  if (size && !world.memory.sized) return { do: 'resize', endpoint: endpoint.value, size };
  if (endpoint.value.pending)
    return waitFor(Reason.EndpointStarting, 'the endpoint is changing its size', { transition: 'endpoint' });
  return (
    roleStep(world, wish) ?? loginStep(world, wish, endpoint.value) ?? issueStep(world, wish, branch, endpoint.value)
  );
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

/** Refused for so long, a role is no longer a matter of waiting. */
const roleStalledMs = 10 * 60_000;

function roleStep(world: World, wish: Wish): Plan | undefined {
  const { role, username, memory } = world;
  if (!username) return waitFor(Reason.RolePending, 'waiting to learn the name of the login', { lookInMs: 1000 });
  if (!wish.roleOnBranch || memory.roleSeen) return undefined;
  if (role.seen === 'notAsked') return look('role');
  if (role.seen === 'unknown') return trouble(role.error);
  if (memory.role && memory.role.nextInMs > 0)
    return roleRefused(memory.role.error, memory.role.sinceMs, memory.role.nextInMs);
  if (role.seen !== 'present') {
    const asked = memory.rolePostedMsAgo !== undefined && memory.rolePostedMsAgo < postAgainMs;
    return asked
      ? waitFor(Reason.RolePending, 'the role of the login is being made on the branch', { transition: 'role' })
      : { do: 'createRole', postgresRole: username };
  }
  switch (roleDefect(role.value, wish.membershipRoles)) {
    case 'unusable':
      return stall({
        reason: Reason.RoleUnusable,
        message: `role ${username} exists on the branch as ${role.value.identityType} with ${role.value.authMethod}; the login needs a SERVICE_PRINCIPAL with LAKEBASE_OAUTH_V1: drop it on the source and create this object again`,
      });
    case 'lacksMembership':
      return { do: 'extendRole', role: role.value };
    case undefined:
      return undefined;
  }
}

function roleRefused(error: LakebaseError, sinceMs: number, lookInMs: number): Wait {
  if (['unauthenticated', 'denied', 'notFound'].includes(error.code)) return { ...trouble(error), lookInMs };
  const message = `the provider does not make the role of the login: ${error.message}`;
  return {
    ...waitFor(sinceMs > roleStalledMs ? Reason.RoleRefused : Reason.RolePending, message, { lookInMs }),
    stalled: sinceMs > roleStalledMs,
  };
}

const reportLoginMs = 60_000;

function loginStep(world: World, wish: Wish, endpoint: Endpoint): Plan | undefined {
  const { login, loggedIn, mint } = world.memory;
  if (!wish.verifyLogin || loggedIn || alreadyProved(world, endpoint)) return undefined;
  if (mint && mint.nextInMs > 0) return { ...trouble(mint.error), lookInMs: mint.nextInMs };
  if (login && login.kind === 'noPath') return undefined;
  if (login && login.nextInMs > 0) {
    const failed = login.sinceMs > reportLoginMs;
    if (failed && login.kind === 'roleMissing' && world.roleOnSource.seen === 'notAsked') return look('roleOnSource');
    return waitFor(
      failed ? Reason.LoginFailed : Reason.LoginPending,
      failed ? loginFailure(world, login.message) : 'the fresh branch does not accept logins yet',
      { lookInMs: login.nextInMs },
    );
  }
  return { do: 'login', endpoint, username: world.username ?? '' };
}

function loginFailure({ memory, roleOnSource, username }: World, message: string): string {
  const base = `the login ${username ?? ''} is refused by the branch: ${message}`;
  if (memory.login?.kind !== 'roleMissing' || roleOnSource.seen !== 'present') return base;
  return `${base}. The role is missing on the branch and ${roleOnSource.value ? 'present' : 'missing too'} on the source`;
}

// Healing a Secret that named exactly this endpoint needs no login again: the database may sleep.
function alreadyProved({ object, username }: World, endpoint: Endpoint): boolean {
  const { status } = object;
  return (
    status?.endpoint?.uid === endpoint.uid &&
    status.endpoint.host === endpoint.host &&
    status.credentials?.username === username
  );
}

function issueStep(world: World, wish: Wish, branch: Branch, endpoint: Endpoint): Plan {
  const { sourceEndpoints, secret, username, recorded, memory } = world;
  const [problem] = world.problems.filter(
    ({ reason }) => reason === Reason.TemplateInvalid || reason === Reason.NamespaceNotAllowed,
  );
  if (problem) return stall(problem);
  if (memory.mint && memory.mint.nextInMs > 0) return { ...trouble(memory.mint.error), lookInMs: memory.mint.nextInMs };
  if (sourceEndpoints.seen === 'notAsked') return look('sourceEndpoints');
  if (sourceEndpoints.seen === 'unknown') return trouble(sourceEndpoints.error);
  if (sourceEndpoints.seen === 'absent')
    return stall({
      reason: Reason.SourceNotFound,
      message: `source branch ${wish.source} is gone: without it nothing proves that the endpoint is not the source's`,
    });
  const proof = prove({
    recordedUid: recorded?.uid ?? '',
    project: wish.project,
    source: wish.source,
    username: username ?? '',
    branch,
    endpoint,
    sourceEndpoints: sourceEndpoints.value,
  });
  if (!proof.proved)
    return stall({ reason: Reason.EndpointMismatch, message: `no credential is handed out: ${proof.why}` });
  const replaces = secret.is === 'ours' ? secret.secret : secret.is === 'damaged' ? secret : undefined;
  return {
    do: 'issue',
    why: replaces ? (secret.is === 'damaged' ? 'Healing' : 'BindingChanged') : recorded?.served ? 'Healing' : 'First',
    binding: proof.binding,
    replaces,
    ...(wish.verifyLogin && memory.login?.kind === 'noPath' ? { loginSkipped: memory.login.message } : {}),
  };
}
