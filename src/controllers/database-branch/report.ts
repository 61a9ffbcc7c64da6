// Says what was seen and done, as the status of the object. Pure.
import type { DatabaseBranchStatus } from '../../api/v1alpha1/database-branch.ts';
import { Reason } from '../../api/v1alpha1/reasons.ts';
import { renewTime } from '../../credentials/plan.ts';
import type { IssuedSecret } from '../../credentials/secret.ts';
import type { LakebaseError } from '../../lakebase/errors.ts';
import type { Outcome } from './act.ts';
import { hostOf } from './observe.ts';
import { trouble, waitFor, type Plan, type Wait } from './plan.ts';
import { conditionsOf } from './report-conditions.ts';
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
    conditions: conditionsOf({ world, state, issued, serving, now }),
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
  const { wish, bclass, ended } = world;
  if (ended || !wish || !bclass) return {};
  if (!issued) return candidateField(world, undefined);
  const name = `projects/${wish.project}/branches/${wish.branchId}`;
  const { branchUid: uid, endpointUid, host } = issued.binding;
  return {
    ...candidateField(world, uid),
    branch: {
      ...world.object.status?.branch,
      id: wish.branchId,
      uid,
      name,
      workspace: hostOf(bclass.spec.provider.host),
      project: wish.project,
      ...originFields(world, uid),
    },
    endpoint: { uid: endpointUid, host, name: `${name}/endpoints/primary` },
  };
}

/** The branch that was seen under the wanted id and is not served yet. */
function candidateField({ branch, object }: World, servedUid: string | undefined): Partial<Status> {
  const served = [servedUid, object.status?.branch?.uid];
  if (branch.seen === 'absent') return {};
  const { id, uid } = branch.seen === 'present' ? branch.value : (object.status?.candidate ?? {});
  return id === undefined || uid === undefined || served.includes(uid) ? {} : { candidate: { id, uid } };
}

/** What the branch was made from, when this pass saw it. */
function originFields({ branch }: World, uid: string): Pick<NonNullable<Status['branch']>, 'source' | 'createTime'> {
  if (branch.seen !== 'present' || branch.value.uid !== uid) return {};
  const { sourceBranch, sourceTime, sourceLsn, createTime } = branch.value;
  const source = {
    ...(sourceBranch ? { branch: sourceBranch } : {}),
    ...(sourceTime ? { time: sourceTime.toISOString() } : {}),
    ...(sourceLsn ? { lsn: sourceLsn } : {}),
  };
  return { source, ...(createTime ? { createTime: createTime.toISOString() } : {}) };
}

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
