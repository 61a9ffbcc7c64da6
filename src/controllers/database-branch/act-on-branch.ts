// Steps that change a branch at the provider.
import { deadline } from '../../kit/deadline.ts';
import { hasCode, LakebaseError } from '../../lakebase/errors.ts';
import type { Branch, Operation } from '../../lakebase/model.ts';
import type { Project } from '../projects.ts';
import { done, stale, type Outcome } from './outcome.ts';
import type { RememberedBranch } from './memory.ts';
import { isGone, mayBeDeleted } from './ours.ts';
import { sentPast } from './past.ts';
import type { Expiry, Plan } from './plan.ts';
import { refOf, rememberedOf, remembering, type Reach } from './reach.ts';

/** A branch may have been replaced or protected since it was seen: it is looked at again right before it is changed. */
async function isThere(reach: Reach, { id, uid }: Branch): Promise<boolean> {
  try {
    const branch = await reach.provider.manager.getBranch(refOf(reach, id), reach.signal);
    if (isGone(branch)) return false;
    if (branch.uid === uid && mayBeDeleted(branch)) return true;
    throw new LakebaseError('conflict', `branch ${id} is not as it was seen a moment ago`);
  } catch (error) {
    if (hasCode(error, 'notFound')) return false;
    throw error;
  }
}

export async function deleteBranch(reach: Reach, { branch }: Extract<Plan, { do: 'deleteBranch' }>): Promise<Outcome> {
  const { memory, project, provider, signal } = reach;
  const remembered = rememberedOf(reach, branch.id);
  remembered.deletedAt = memory.now();
  if (!(await isThere(reach, branch))) return freed(project, branch.id);
  project.willDelete(branch.id);
  try {
    await project.exclusively(() => provider.manager.deleteBranch(refOf(reach, branch.id), signal), signal);
  } catch (error) {
    if (hasCode(error, 'notFound')) return freed(project, branch.id);
    if (hasCode(error, 'conflict')) project.conflictSeen();
    throw error;
  }
  return done;
}

function freed(project: Project, id: string): Outcome {
  project.freed(id);
  return done;
}

/** An expiry that was computed longer ago could undo what a later leader has set meanwhile. */
const passMayLastMs = 30_000;

/** What was refused as too far ahead is remembered, so that the next pass tries less; what was taken then holds for the class. */
export async function setExpiry(
  reach: Reach,
  { branch, expiry }: Extract<Plan, { do: 'setExpiry' }>,
): Promise<Outcome> {
  const { provider, project, memory, clock, since, signal } = reach;
  const remembered = rememberedOf(reach, branch.id);
  const aheadMs = expiry.at ? expiry.at.getTime() - clock.now().getTime() : undefined;
  const justShown = remembered.shownAt !== undefined && remembered.shownAt >= since;
  if (!justShown && !(await isThere(reach, branch))) return done;
  const leftMs = since + passMayLastMs - memory.now();
  if (leftMs <= 0) return stale;
  using limit = deadline(clock, leftMs, signal);
  try {
    await remembering(reach, branch.id, 'lease', () =>
      provider.manager.setExpiration(refOf(reach, branch.id), expiry.at, limit.signal),
    );
  } catch (error) {
    if (hasCode(error, 'invalid') && aheadMs !== undefined) noteRefused(remembered, aheadMs);
    throw error;
  }
  project.changed();
  tookExpiry(reach, remembered, expiry, aheadMs);
  checkSoon(remembered, memory.now());
  return done;
}

/** Of what people may have changed on the branch, the endpoint is looked at with every lease, the role once a day. */
function checkSoon(remembered: RememberedBranch, now: number): void {
  remembered.endpointCheckDue = true;
  if (now - (remembered.roleCheckedAt ?? -Infinity) < roleCheckMs) return;
  remembered.roleCheckDue = true;
  remembered.roleCheckedAt = now;
}

/** Two leases. */
const roleCheckMs = 20 * 3_600_000;

function noteRefused(remembered: RememberedBranch, aheadMs: number): void {
  remembered.refusedAheadMs = Math.min(remembered.refusedAheadMs ?? Infinity, aheadMs);
}

function tookExpiry({ memory, world }: Reach, remembered: RememberedBranch, expiry: Expiry, aheadMs?: number): void {
  if (remembered.refusedAheadMs === undefined || aheadMs === undefined) return;
  if (expiry.clampedFrom) memory.learnCeiling(world.object.spec.className, aheadMs);
  delete remembered.refusedAheadMs;
}

export async function resize(reach: Reach, { of, endpoint, size }: Extract<Plan, { do: 'resize' }>): Promise<Outcome> {
  const { provider, world, wish, signal } = reach;
  const ref = { project: wish.project, branch: of.id, endpoint: endpoint.id };
  const operation = await remembering(reach, of.id, 'size', () => provider.manager.resizeEndpoint(ref, size, signal));
  const remembered = rememberedOf(reach, of.id);
  note(remembered, operation);
  remembered.sized = world.object.metadata.generation ?? 0;
  return done;
}

export const createRole = (reach: Reach, { of, postgresRole }: Extract<Plan, { do: 'createRole' }>): Promise<Outcome> =>
  roleChange(reach, of.id, () => {
    const { membershipRoles } = reach.wish;
    const role = { roleId: `sp-${postgresRole}`, postgresRole, membershipRoles };
    return reach.provider.manager.createRole(refOf(reach, of.id), role, reach.signal);
  });

export const extendRole = (reach: Reach, { of, role }: Extract<Plan, { do: 'extendRole' }>): Promise<Outcome> =>
  roleChange(reach, of.id, () => {
    const union = [...new Set([...role.membershipRoles, ...reach.wish.membershipRoles])];
    return reach.provider.manager.setRoleMembership(refOf(reach, of.id), role.id, union, reach.signal);
  });

export async function createBranch(
  reach: Reach,
  { expiry, snapshot }: Extract<Plan, { do: 'createBranch' }>,
): Promise<Outcome> {
  const { memory, provider, project, wish, bclass, clock, signal } = reach;
  const { branchId: id, source } = wish;
  const remembered = rememberedOf(reach, id);
  if (!expiry.at) throw new Error('a branch is never made without an expiry');
  // Nothing is awaited from here to the POST, so two never take one slot.
  if (!reach.slots.mayStillGo(reach.world.object, bclass, snapshot)) return stale;
  const past = wish.past ? { past: sentPast(wish.past) } : {};
  const create = { project: wish.project, id, source, ...past, expireTime: expiry.at };
  const aheadMs = expiry.at.getTime() - clock.now().getTime();
  remembered.postedAt = memory.now();
  remembered.firstPostAt ??= remembered.postedAt;
  remembered.postedExpireTime = expiry.at;
  delete remembered.refusal;
  remembered.started = true;
  delete remembered.vacant;
  project.willPost(id);
  try {
    await project.exclusively(() => provider.manager.createBranch(create, signal), signal);
    tookExpiry(reach, remembered, expiry, aheadMs);
    return done;
  } catch (error) {
    if (!(error instanceof LakebaseError)) throw error;
    // Whether it landed is for a GET to say; the refusal only chooses the words meanwhile.
    remembered.refusal = error;
    if (didNothing.has(error.code)) {
      project.postFailed(id);
      delete remembered.started;
    }
    if (error.code === 'invalid') noteRefused(remembered, aheadMs);
    if (error.code === 'conflict') project.conflictSeen();
    return error.code === 'exists' ? done : { is: 'failed', error };
  }
}

/** After these answers the provider has certainly made nothing. */
const didNothing = new Set<LakebaseError['code']>([
  'notFound',
  'conflict',
  'throttled',
  'unauthenticated',
  'denied',
  'invalid',
]);

/** Changes of one branch run one after another: the next waits until this one is done. */
function note(remembered: RememberedBranch, { name, done: isDone }: Operation): void {
  if (isDone) delete remembered.operation;
  else remembered.operation = name;
}

/** The answer is an operation; the role counts once a GET shows it. Until then it is not asked for again. */
async function roleChange(reach: Reach, id: string, change: () => Promise<Operation>): Promise<Outcome> {
  const remembered = rememberedOf(reach, id);
  note(remembered, await remembering(reach, id, 'role', change));
  remembered.rolePostedAt = reach.memory.now();
  return done;
}
