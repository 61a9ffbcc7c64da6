// Says what was seen and done, as the status of the object. Pure.
import type { DatabaseBranchStatus } from '../../api/v1alpha1/database-branch.ts';
import { Reason } from '../../api/v1alpha1/reasons.ts';
import { lifeLeft, renewTime } from '../../credentials/plan.ts';
import type { IssuedSecret } from '../../credentials/secret.ts';
import { removeCondition, setCondition } from '../../kit/conditions.ts';
import type { Condition } from '../../kit/kube.ts';
import { LakebaseError } from '../../lakebase/errors.ts';
import type { Outcome } from './act.ts';
import { hostOf } from './observe.ts';
import { trouble, waitFor, type Plan, type Wait } from './plan.ts';
import type { World } from './world.ts';

type Status = DatabaseBranchStatus;

/** `secret` is the Secret as it stands after the step. */
export interface Report {
  readonly world: World;
  readonly plan: Plan;
  readonly outcome: Outcome;
  readonly secret: World['secret'];
  readonly now: Date;
}

export function report({ world, plan, outcome, secret, now }: Report): Status {
  const { object, wish } = world;
  const before = object.status;
  const issued = issuedOf(secret, world);
  const state = stateOf(world, plan, outcome);
  const serving = issued !== undefined && now < issued.expireTime && !world.ended && !world.deleting;
  const kept: Status = {
    ...before,
    observedGeneration: object.metadata.generation ?? 0,
    conditions: before?.conditions ?? [],
  };
  const status: Status = {
    ...without(kept, 'candidate', 'credentials', 'binding'),
    ...branchFields(world, issued),
    ...expirationFields(world, plan, outcome),
    ...(issued ? credentialFields(world, issued) : {}),
    conditions: conditions({ world, state, issued, serving, now }),
  };
  return wish ? status : { ...status, ...(before?.candidate ? { candidate: before.candidate } : {}) };
}

const without = <T extends object, K extends keyof T>(value: T, ...keys: K[]): Omit<T, K> =>
  Object.fromEntries(Object.entries(value).filter(([key]) => !keys.some((gone) => gone === key))) as Omit<T, K>;

// A Secret that names another branch than the one on record is not this object's credential.
function issuedOf(secret: World['secret'], { recorded, ended, object }: World): IssuedSecret | undefined {
  if (secret.is !== 'ours' || ended) return undefined;
  const known = object.status?.branch?.uid ?? recorded?.uid;
  return known === undefined || secret.secret.binding.branchUid === known ? secret.secret : undefined;
}

/** What the plan and its outcome mean for somebody who waits: a wait of its own, also for steps that are being taken. */
function stateOf(world: World, plan: Plan, outcome: Outcome): Wait {
  if (outcome.is === 'failed') return failure(plan, outcome.error);
  switch (plan.do) {
    case 'wait':
      return plan;
    case 'claim':
      return waitFor(Reason.Claiming, 'the object is being claimed, so that its branch can never be left behind');
    case 'createBranch':
      return waitFor(Reason.BranchCreating, 'the branch is being created');
    case 'record':
    case 'resize':
      return waitFor(Reason.EndpointStarting, 'the branch is there; its endpoint is being prepared');
    case 'createRole':
    case 'extendRole':
      return waitFor(Reason.RolePending, 'the role of the login is being made on the branch');
    case 'login':
      return waitFor(Reason.LoginPending, 'logging in once before the credential is handed out');
    case 'issue':
    case 'render':
    case 'extendLease':
      return waitFor(Reason.Available, 'the branch is served and its credential is fresh');
    case 'markEnded':
    case 'deleteSecret':
      return waitFor(world.recorded?.served ? Reason.Expired : Reason.SecretPending, 'the Secret is being withdrawn');
    case 'deleteBranch':
    case 'release':
      return waitFor(Reason.Deleting, 'the branch is being deleted');
    case 'look':
    case 'idle':
      return waitFor(Reason.Pending, 'looking');
  }
}

function failure(plan: Plan, error: LakebaseError): Wait {
  const said = trouble(error);
  // Whether a POST landed is for the next look to say, unless nothing will ever come of it.
  const person = error.code === 'unauthenticated' || error.code === 'denied';
  if (plan.do === 'createBranch' && !person)
    return waitFor(Reason.BranchCreating, `the branch was asked for; ${said.message}`);
  if (plan.do === 'deleteBranch')
    return waitFor(Reason.DeletionWaiting, `the branch cannot be deleted yet: ${said.message}`);
  return said;
}

function branchFields(world: World, issued: IssuedSecret | undefined): Partial<Status> {
  const { branch, wish, object, bclass, ended } = world;
  if (ended || !wish || !bclass) return {};
  const uid = issued?.binding.branchUid;
  const seen = branch.seen === 'present' ? branch.value : undefined;
  const candidate =
    seen && seen.uid !== uid && object.status?.branch?.uid !== seen.uid
      ? { candidate: { id: seen.id, uid: seen.uid } }
      : keptCandidate(world, uid);
  if (!issued) return candidate;
  return {
    branch: {
      ...object.status?.branch,
      id: wish.branchId,
      uid: issued.binding.branchUid,
      name: `projects/${wish.project}/branches/${wish.branchId}`,
      workspace: hostOf(bclass.spec.provider.host),
      project: wish.project,
      ...(seen && seen.uid === uid
        ? {
            source: {
              branch: seen.sourceBranch ?? wish.source,
              ...(seen.sourceTime ? { time: seen.sourceTime.toISOString() } : {}),
              ...(seen.sourceLsn ? { lsn: seen.sourceLsn } : {}),
            },
            ...(seen.createTime ? { createTime: seen.createTime.toISOString() } : {}),
          }
        : {}),
    },
    endpoint: {
      uid: issued.binding.endpointUid,
      host: issued.binding.host,
      name: `projects/${wish.project}/branches/${wish.branchId}/endpoints/primary`,
    },
  };
}

const keptCandidate = ({ object, branch }: World, servedUid: string | undefined): Partial<Status> => {
  const candidate = object.status?.candidate;
  return candidate && candidate.uid !== servedUid && branch.seen !== 'absent' ? { candidate } : {};
};

function expirationFields({ wish, branch, object, ended }: World, plan: Plan, outcome: Outcome): Partial<Status> {
  if (!wish || ended) return {};
  const { expireTime, pinnedFrom } = wish.expiration;
  const sent = plan.do === 'extendLease' && outcome.is === 'done' ? plan.expireTime : undefined;
  const leaseTime =
    sent ??
    (branch.seen === 'present' ? branch.value.expireTime : undefined) ??
    dateOf(object.status?.expiration?.leaseTime);
  return {
    expiration: {
      pinnedFrom,
      enforcedBy: 'Provider',
      ...(expireTime ? { expireTime: expireTime.toISOString() } : {}),
      ...(leaseTime ? { leaseTime: leaseTime.toISOString() } : {}),
    },
  };
}

const dateOf = (text: string | undefined): Date | undefined => (text === undefined ? undefined : new Date(text));

function credentialFields({ uid, wish, object }: World, issued: IssuedSecret): Partial<Status> {
  const secretName = wish?.secretName ?? object.status?.credentials?.secretName ?? object.metadata.name;
  return {
    credentials: {
      secretName,
      username: issued.binding.username,
      issueTime: issued.issueTime.toISOString(),
      expireTime: issued.expireTime.toISOString(),
      renewTime: renewTime(issued, uid).toISOString(),
      revision: issued.revision,
    },
    binding: { name: secretName },
  };
}

interface Said {
  readonly world: World;
  readonly state: Wait;
  readonly issued: IssuedSecret | undefined;
  readonly serving: boolean;
  readonly now: Date;
}

/** A credential with less than this share of its life left is worth worrying about. */
const worryShare = 1 / 3;

function conditions(said: Said): Condition[] {
  const { world, state, issued, serving, now } = said;
  const { object } = world;
  let list: Condition[] = [...(object.status?.conditions ?? [])];
  const set = (type: string, status: Condition['status'], reason: string, message: string): void => {
    list = setCondition(list, { type, status, reason, message }, object.metadata.generation ?? 0, now);
  };
  const when = (holds: boolean, type: string, reason: string, message: string): void => {
    if (holds) set(type, 'True', reason, message);
    else list = removeCondition(list, type);
  };
  const worried = issued !== undefined && lifeLeft(issued, now) < worryShare && state.reason !== Reason.Available;
  const specRefused = serving && refusedSpec.has(state.reason);
  const quiet = serving && !worried && !specRefused;
  const ready = serving && !specRefused;
  set(
    'Ready',
    ready ? 'True' : 'False',
    ready ? Reason.Available : state.reason,
    ready ? 'the branch is served and its credential is fresh' : state.message,
  );
  when(!quiet && !state.stalled && state.reason !== Reason.Available, 'Reconciling', state.reason, state.message);
  when(!quiet && state.stalled, 'Stalled', state.reason, state.message);
  provisioned(said, set);
  freshness(said, set);
  if (world.notAllowedSince)
    set(
      'NamespaceAllowed',
      'False',
      Reason.NamespaceNotAllowed,
      'the class does not allow this namespace any more: the credential is renewed for 24 h after that, then it runs out',
    );
  else list = removeCondition(list, 'NamespaceAllowed');
  when(
    loginReachesSource(world, issued),
    'LoginReachesSource',
    Reason.RoleOnSource,
    'the login of the class also has a role on the source: whoever holds this Secret can log in there',
  );
  return list;
}

/** The spec asks for what cannot be had: what is served stays, but it is not what was asked for. */
const refusedSpec = new Set<string>([
  Reason.TemplateInvalid,
  Reason.ExpirationExceedsMaximum,
  Reason.NeverExpireNotAllowed,
  Reason.EndpointSizeNotAllowed,
]);

type Set3 = (type: string, status: Condition['status'], reason: string, message: string) => void;

function provisioned({ world, state, issued }: Said, set: Set3): void {
  const { branch, endpoint, ended } = world;
  const branchThere = !ended && (issued !== undefined || (branch.seen === 'present' && branch.value.state === 'READY'));
  set(
    'BranchProvisioned',
    branchThere ? 'True' : 'False',
    branchThere ? Reason.BranchReady : state.reason,
    branchThere ? 'the branch exists and is this object’s own' : state.message,
  );
  const host = issued !== undefined || (endpoint.seen === 'present' && endpoint.value.host !== undefined);
  const endpointThere = branchThere && host;
  set(
    'EndpointAvailable',
    endpointThere ? 'True' : 'False',
    endpointThere ? Reason.EndpointReady : state.reason,
    endpointThere ? 'the endpoint has a host; it may sleep and wakes on connect' : state.message,
  );
}

function freshness({ world, issued, now }: Said, set: Set3): void {
  if (!issued)
    return set(
      'CredentialsFresh',
      'False',
      Reason.TokenMissing,
      'there is no Secret with a token; the condition Ready says why',
    );
  const { mint } = world.memory;
  const failing = mint ? `; the last renewal failed: ${trouble(mint.error).message}` : '';
  if (now >= issued.expireTime)
    return set('CredentialsFresh', 'False', Reason.TokenExpired, `the token in the Secret has expired${failing}`);
  if (mint && lifeLeft(issued, now) < worryShare)
    return set(
      'CredentialsFresh',
      'False',
      Reason.MintFailed,
      `less than a third of the token's life is left${failing}`,
    );
  const lifeMs = issued.expireTime.getTime() - issued.issueTime.getTime();
  if (lifeMs < shortLifeMs)
    return set(
      'CredentialsFresh',
      'False',
      Reason.ShortLived,
      `the provider grants tokens of ${Math.round(lifeMs / 1000)} s only: pods may see a dead one before the kubelet shows the new${failing}`,
    );
  set('CredentialsFresh', 'True', Reason.TokenFresh, `the token is renewed at about half of its life${failing}`);
}

/** Granted less than this, a mounted Secret cannot be trusted to reach a pod in time. */
const shortLifeMs = 15 * 60_000;

function loginReachesSource({ wish, roleOnSource, object }: World, issued: IssuedSecret | undefined): boolean {
  if (!wish || !issued) return false;
  if (!wish.roleOnBranch) return true;
  if (roleOnSource.seen === 'present') return roleOnSource.value;
  return (
    object.status?.conditions?.some(({ type, status }) => type === 'LoginReachesSource' && status === 'True') ?? false
  );
}
