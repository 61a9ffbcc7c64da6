// Says what was seen and done, as the status of the object. Pure.
import type { DatabaseBranchStatus } from '../../api/v1alpha1/database-branch.ts';
import { Reason } from '../../api/v1alpha1/reasons.ts';
import { renewTime } from '../../credentials/plan.ts';
import type { IssuedSecret } from '../../credentials/secret.ts';
import type { LakebaseError } from '../../lakebase/errors.ts';
import type { Outcome } from './act.ts';
import { sizeChange } from './decide-creation.ts';
import { loginState } from './decide-credential.ts';
import { unseen } from './decide-post.ts';
import { endedWait } from './ended.ts';
import { hostOf } from './observe.ts';
import { isGone } from './ours.ts';
import { trouble, waitFor, type Plan, type Wait } from './plan.ts';
import { conditionsOf } from './report-conditions.ts';
import type { Wish } from './wish.ts';
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

export function report(seen: Report): Status {
  const { world, plan, outcome, secret, now } = seen;
  const { object, ended, deleting } = world;
  const issued = issuedOf(secret, world);
  const serving = issued !== undefined && now < issued.expireTime && !ended && !deleting;
  const said = stateOf(world, plan, outcome, now);
  const state = said.reason === Reason.Available && !serving ? writing : said;
  const generation = isHonoured(world, plan, issued) ? generationOf(object) : (object.status?.observedGeneration ?? -1);
  const status: Status = {
    ...keptFields(world),
    ...branchFields(world, issued),
    ...expirationFields(world, plan, outcome),
    ...(issued ? credentialFields(world, issued) : {}),
    observedGeneration: generation,
    conditions: conditionsOf({ world, state, issued, serving, generation, now }),
  };
  return ended && isGoneForGood(world) ? without(status, 'branch', 'endpoint', 'expiration') : status;
}

const generationOf = ({ metadata }: World['object']): number => metadata.generation ?? 0;

/** What stays although this pass did not see it; without a class not even the candidate can be looked at. */
function keptFields({ object, wish }: World): Omit<Status, 'credentials' | 'binding'> {
  const kept = without(object.status ?? {}, 'credentials', 'binding');
  return wish ? without(kept, 'candidate') : kept;
}

const writing = waitFor(Reason.SecretPending, 'a new token is being written');

/** Nothing of an ended object is left, so nothing of it needs its class any more. */
const isGoneForGood = ({ tagged }: World): boolean =>
  tagged.seen === 'absent' || (tagged.seen === 'present' && tagged.value.every(isGone));

/** For a branch that is served, an edit of the spec counts as seen when its size was followed too. */
function isHonoured(world: World, plan: Plan, issued: IssuedSecret | undefined): boolean {
  const { specSeen, deleting, memory, wish } = world;
  if (!issued || specSeen || deleting || !wish) return true;
  if (plan.do !== 'wait') return false;
  return memory.sized || plan.stalled || hasWantedSize(world, wish);
}

const hasWantedSize = ({ endpoint }: World, { size }: Wish): boolean =>
  endpoint.seen === 'present' && sizeChange(endpoint.value, size) === undefined;

const without = <T extends object, K extends keyof T>(value: T, ...keys: K[]): Omit<T, K> =>
  Object.fromEntries(Object.entries(value).filter(([key]) => !keys.some((gone) => gone === key))) as Omit<T, K>;

// A Secret that names another branch than the one on record is not this object's credential.
function issuedOf(secret: World['secret'], { recorded, ended, object }: World): IssuedSecret | undefined {
  if (secret.is !== 'ours' || ended) return undefined;
  const known = object.status?.branch?.uid ?? recorded?.uid;
  return known === undefined || secret.secret.binding.branchUid === known ? secret.secret : undefined;
}

/** What the plan and its outcome mean for somebody who waits: a wait of its own, also for steps that are being taken. */
function stateOf(world: World, plan: Plan, outcome: Outcome, now: Date): Wait {
  if (outcome.is === 'refused') return outcome.state;
  if (plan.do === 'createBranch') return unseen(world, plan.wish, outcome.is === 'failed' ? outcome.error : undefined);
  if (outcome.is === 'failed') return failure(plan, outcome.error);
  switch (plan.do) {
    case 'wait':
      return plan;
    case 'claim':
      return waitFor(Reason.Claiming, 'the object is being claimed, so that its branch can never be left behind');
    case 'record':
    case 'resize':
      return waitFor(Reason.EndpointStarting, 'the branch is there; its endpoint is being prepared');
    case 'createRole':
    case 'extendRole':
      return waitFor(Reason.RolePending, 'the role of the login is being made on the branch');
    case 'login':
      return loginState(world);
    case 'issue':
    case 'render':
    case 'extendLease':
      return waitFor(Reason.Available, 'the branch is served and its credential is fresh');
    case 'markEnded':
      return endedWait({ reason: plan.reason, time: now.toISOString() });
    case 'deleteSecret':
      return world.ended
        ? endedWait(world.ended)
        : waitFor(Reason.SecretPending, `the Secret is withdrawn: ${plan.why}`);
    case 'deleteBranch':
      return world.ended ? endedWait(world.ended) : waitFor(Reason.Deleting, 'the branch is being deleted');
    case 'release':
      return waitFor(Reason.Deleting, 'the branch is gone');
    case 'look':
    case 'idle':
      return waitFor(Reason.Pending, 'looking');
  }
}

function failure(plan: Plan, error: LakebaseError): Wait {
  const said = trouble(error, plan.do === 'issue' || plan.do === 'login' ? 'login' : 'provider');
  if (plan.do !== 'deleteBranch') return said;
  return waitFor(Reason.DeletionWaiting, `the branch cannot be deleted yet: ${said.message}`);
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

function expirationFields(world: World, plan: Plan, outcome: Outcome): Partial<Status> {
  const { wish, ended } = world;
  // Refused by the class and nothing pinned before: there is nothing to say.
  if (!wish || ended || wish.expiration.pinnedFrom === undefined) return {};
  const { expireTime, pinnedFrom } = wish.expiration;
  const sent = plan.do === 'extendLease' && outcome.is === 'done' ? plan.expireTime : undefined;
  const leaseTime = sent ?? seenLease(world);
  return {
    expiration: {
      pinnedFrom,
      enforcedBy: 'Provider',
      ...(expireTime ? { expireTime: expireTime.toISOString() } : {}),
      ...(leaseTime ? { leaseTime: leaseTime.toISOString() } : {}),
    },
  };
}

const seenLease = ({ branch, object }: World): Date | undefined =>
  branch.seen === 'present' ? branch.value.expireTime : dateOf(object.status?.expiration?.leaseTime);

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
