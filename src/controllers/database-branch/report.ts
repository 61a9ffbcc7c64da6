// Says what was seen and done, as the status of the object. Pure.
import type { DatabaseBranchStatus } from '../../api/v1alpha1/database-branch.ts';
import { Reason } from '../../api/v1alpha1/reasons.ts';
import { renewTime } from '../../credentials/plan.ts';
import type { IssuedSecret } from '../../credentials/secret.ts';
import type { LakebaseError } from '../../lakebase/errors.ts';
import type { Outcome } from './outcome.ts';
import { loginState } from './decide-credential.ts';
import { unseen } from './decide-post.ts';
import { starting } from './decide-preparation.ts';
import { cannotDelete } from './decide-deletion.ts';
import { endedWait } from './ended.ts';
import { endpointMoved, isGone } from './ours.ts';
import { restoredFields } from './past.ts';
import { available, trouble, waitFor, type Plan, type Wait } from './plan.ts';
import { branchFields } from './report-branches.ts';
import { conditionsOf, refusedSpec } from './report-conditions.ts';
import { expirationFields } from './report-expiration.ts';
import { sizeChange } from './size.ts';
import { secretNameOf, type Wish } from './wish.ts';
import { isReset, viewOf, type BranchView, type World } from './world.ts';

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
  const { world, plan, outcome, now } = seen;
  const { object, ended } = world;
  const issued = issuedOf(seen);
  const serving = issued !== undefined && isServing(issued, world, now);
  const said = stateOf(world, plan, outcome, now);
  const state = said.reason === Reason.Available && !serving ? writing : said;
  const resetting = isReset(world) && !hasSwitched(seen);
  const generation = isHonoured(world, plan, resetting, issued) ? generationOf(object) : lastObserved(object);
  const expiration = expirationFields(seen, issued);
  const leaseTime = expiration.expiration?.leaseTime;
  const status: Status = {
    ...keptFields(world),
    ...branchFields(seen, issued),
    ...expiration,
    ...(issued ? credentialFields(world, issued) : {}),
    ...queueField(plan),
    ...restoredField(world),
    observedGeneration: generation,
    conditions: conditionsOf({ world, plan, state, issued, serving, resetting, generation, leaseTime, now }),
  };
  return ended && isGoneForGood(world) ? without(status, 'branch', 'endpoint', 'expiration') : status;
}

/** Known to be valid, and to lead to the branch's own endpoint. */
function isServing({ expireTime, binding }: IssuedSecret, world: World, now: Date): boolean {
  if (now >= expireTime || world.deleting) return false;
  const opened = viewOf(world, binding.branchId);
  return !(opened && endpointMoved(opened, binding));
}

/** The Secret has been written for the branch that the reset asked for. */
const hasSwitched = ({ world, plan, outcome }: Report): boolean =>
  plan.do === 'issue' && outcome.is === 'done' && plan.binding.branchId === world.wanted?.id;

/** The generation that the status answered to before; one that is behind, where nothing was said yet or the status is lost. */
function lastObserved({ metadata, status }: World['object']): number {
  const { observedGeneration = -1 } = status ?? {};
  return observedGeneration === -1 ? Math.max(1, (metadata.generation ?? 0) - 1) : observedGeneration;
}

const generationOf = ({ metadata }: World['object']): number => metadata.generation ?? 0;

/** What stays although this pass did not see it; without a class not even the candidate can be looked at. */
function keptFields({ object, wish }: World): Omit<Status, 'credentials' | 'binding' | 'queue'> {
  const kept = without(object.status ?? {}, 'credentials', 'binding', 'queue');
  if (!wish) return kept;
  const known = without(kept, 'candidate', 'superseded');
  return wish.past ? known : without(known, 'restored');
}

const writing = waitFor(Reason.SecretPending, 'a new token is being written');

/** Nothing of an ended object is left, so nothing of it needs its class any more. */
const isGoneForGood = ({ family }: World): boolean =>
  family.seen === 'absent' ||
  (family.seen === 'present' &&
    family.value.branches.every(({ branch }) => branch.seen === 'present' && isGone(branch.value)));

/**
 * For a branch that is served, an edit of the spec counts as seen when its size was followed too, and when a reset that it
 * asks for is done; or when it asks for what a person has to change.
 */
function isHonoured(world: World, plan: Plan, resetting: boolean, issued: IssuedSecret | undefined): boolean {
  const { deleting, served, wish } = world;
  if (!issued || deleting || !wish || !served) return true;
  if (plan.do !== 'wait') return false;
  if (resetting) return refusedSpec.has(plan.reason);
  return served.memory.sized || plan.stalled || hasWantedSize(served, wish);
}

const hasWantedSize = ({ endpoint }: BranchView, { size }: Wish): boolean =>
  endpoint.seen === 'present' && sizeChange(endpoint.value, size) === undefined;

const without = <T extends object, K extends keyof T>(value: T, ...keys: K[]): Omit<T, K> =>
  Object.fromEntries(Object.entries(value).filter(([key]) => !keys.some((gone) => gone === key))) as Omit<T, K>;

/** The credential in the Secret, unless the Secret names another branch than the one that is served. */
function issuedOf({ world: { served, ended }, plan, outcome, secret }: Report): IssuedSecret | undefined {
  if (secret.is !== 'ours' || ended) return undefined;
  // A switch that failed leaves the Secret as it was.
  const known = plan.do === 'issue' && outcome.is === 'done' ? plan.binding.branchUid : served?.uid;
  return secret.secret.binding.branchUid === known ? secret.secret : undefined;
}

/** What the plan and its outcome mean for somebody who waits: a wait of its own, also for steps that are being taken. */
function stateOf(world: World, plan: Plan, outcome: Outcome, now: Date): Wait {
  if (outcome.is === 'refused') return outcome.state;
  if (plan.do === 'createBranch' && world.wanted)
    return unseen(world, plan.wish, world.wanted, outcome.is === 'failed' ? outcome.error : undefined);
  if (outcome.is === 'failed') return failure(world, plan, outcome.error);
  switch (plan.do) {
    case 'wait':
      return plan;
    case 'claim':
      return waitFor(Reason.Claiming, 'the object is being claimed, so that its branch can never be left behind');
    case 'record':
      return world.ended ? endedWait(world.ended, world.object) : recorded(world, now);
    case 'resize':
      return preparing;
    case 'createRole':
    case 'extendRole':
      return waitFor(Reason.RolePending, 'the role of the login is being made on the branch');
    case 'login':
      return loginState(world, plan.of);
    case 'issue':
    case 'render':
    case 'setExpiry':
      return available();
    case 'markEnded':
      return endedWait({ reason: plan.reason, time: now.toISOString() }, world.object);
    case 'deleteSecret':
      return world.ended
        ? endedWait(world.ended, world.object)
        : waitFor(Reason.SecretPending, `the Secret is withdrawn: ${plan.why}`);
    case 'deleteBranch':
      return deletingState(world, plan.why);
    case 'release':
      return waitFor(Reason.Deleting, 'the branch is gone');
    case 'createBranch':
    case 'look':
    case 'lookAround':
    case 'idle':
      return waitFor(Reason.Pending, 'looking');
  }
}

/** What the next pass will find, so that it has nothing new to say. */
function recorded({ object, wanted }: World, now: Date): Wait {
  if (wanted?.branch.seen === 'present' && wanted.branch.value.state !== 'READY')
    return starting(object, wanted.branch.value, now);
  return preparing;
}

const preparing = waitFor(Reason.EndpointStarting, 'the branch is there; its endpoint is being prepared');

function deletingState({ ended, deleting, object }: World, why: string): Wait {
  if (ended) return endedWait(ended, object);
  if (deleting)
    return waitFor(
      Reason.Deleting,
      'the branch is being deleted at the provider; the object goes as soon as it is gone',
    );
  // A branch that was given up is being tidied away; what is served is not touched by that.
  return object.status?.credentials ? available() : waitFor(Reason.Resetting, `a branch is being deleted: ${why}`);
}

function failure(world: World, plan: Plan, error: LakebaseError): Wait {
  const said = trouble(error, plan.do === 'issue' || plan.do === 'login' ? 'login' : 'provider');
  if (plan.do !== 'deleteBranch') return said;
  return waitFor(Reason.DeletionWaiting, cannotDelete(world.object, said.message));
}

/** As soon as it was seen; what an object has that ended for it is all that is left to tell. */
function restoredField({ wish, wanted, family }: World): Partial<Status> {
  if (!wish?.past) return {};
  const listed = family.seen === 'present' ? family.value.branches : [];
  const seen = [wanted, ...listed.filter(({ id }) => id === wish.branchId)].flatMap((view) =>
    view?.branch.seen === 'present' && view.branch.value.state === 'READY' ? [view.branch.value] : [],
  );
  return seen[0] ? { restored: restoredFields(wish.past, seen[0]) } : {};
}

/** Shown while the object waits in the line, and only then. */
const queueField = (plan: Plan): Partial<Status> => (plan.do === 'wait' && plan.queue ? { queue: plan.queue } : {});

function credentialFields({ uid, object }: World, issued: IssuedSecret): Partial<Status> {
  const secretName = secretNameOf(object);
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
