// Branches: create (fork), read, change of protection and expiration, soft delete, undelete.
import { z } from 'zod';
import { branchOf, flag, ok, param, parse, projectOf, requiredId, specOf, type Answer, type Call } from '../call.ts';
import { newBranch } from '../creation.ts';
import { Refusal } from '../errors.ts';
import { durationField, timestampField } from '../fields.ts';
import { checkBranchRoom, checkProtectedRoom } from '../limits.ts';
import { branchMask, maskedBody } from '../masks.ts';
import { page } from '../pages.ts';
import {
  branchName,
  childrenOf,
  entry,
  isRoot,
  type BranchRecord,
  type Instant,
  type ProjectRecord,
} from '../state.ts';
import { branchView } from '../views.ts';
import { checkPast, pastOf } from './past.ts';
import { apiPrefix, type Route } from './route.ts';

const collection = `${apiPrefix}/projects/{project}/branches`;

export const branchRoutes: readonly Route[] = [
  { method: 'POST', path: collection, handle: create },
  { method: 'GET', path: collection, handle: list },
  { method: 'GET', path: `${collection}/{branch}`, handle: get },
  { method: 'PATCH', path: `${collection}/{branch}`, handle: update },
  { method: 'DELETE', path: `${collection}/{branch}`, handle: remove },
  { method: 'POST', path: `${collection}/{branch}/undelete`, handle: undelete },
];

const changeSchema = z.object({
  is_protected: z.boolean().optional(),
  ttl: durationField.optional(),
  expire_time: timestampField.optional(),
  no_expiry: z.boolean().optional(),
});

const createSchema = changeSchema.extend({
  source_branch: z.string().optional(),
  source_branch_lsn: z.string().optional(),
  source_branch_time: timestampField.optional(),
  source_snapshot: z.string().optional(),
});

type Change = z.infer<typeof changeSchema>;

async function create(call: Call): Promise<Answer> {
  const { workspace } = call;
  const project = projectOf(call, 'CAN_MANAGE');
  const id = requiredId(call, 'branch_id');
  const input = parse(createSchema, specOf(call.body));
  const existing = entry(project.branches, id);
  if (existing && flag(call, 'replace_existing')) return changeBranch(call, project, existing, input);
  if (existing) throw new Refusal('branchExists', { id });

  checkPast(call, input);
  const source = parentOf(project, input.source_branch);
  const past = await pastOf(call, project, source, input);
  // Meanwhile the world may have moved on.
  if (entry(project.branches, id)) throw new Refusal('branchExists', { id });
  if (parentOf(project, input.source_branch) !== source) throw new Refusal('branchMissing');
  const expiration = expirationOf(call, input, workspace.now());
  if (!expiration) throw new Refusal('expirationMissing');
  const isProtected = input.is_protected ?? false;
  if (isProtected && expiration.at !== undefined) throw new Refusal('expirationOnProtected');
  const { limits } = workspace.faults.behaviour;
  checkBranchRoom(project, limits);
  if (isProtected) checkProtectedRoom(project, limits);

  const { pgSettings, ...sizes } = project.endpointDefaults;
  const branch = newBranch(workspace, { id, isProtected, source, past, expiresAt: expiration.at, sizes, pgSettings });
  return startBranch(call, project, branch);
}

async function startBranch(call: Call, project: ProjectRecord, branch: BranchRecord): Promise<Answer> {
  const { workspace } = call;
  const { lifecycle, operations } = workspace;
  const { initMs, createFails, doneBeforeReady } = workspace.faults.behaviour;
  const provision = async (): Promise<void> => {
    if (createFails) throw new Refusal('internal');
    await lifecycle.provision(project, branch, initMs);
  };
  const operation = operations.start({
    resource: branchName(project.id, branch.id),
    kind: 'Branch',
    projectId: project.id,
    branchUid: branch.uid,
    exclusive: true,
    run: async () => {
      // In the books before anything is made, so that a killed process leaves nothing that nobody knows of.
      project.branches[branch.id] = branch;
      if (branch.expiresAt !== undefined) lifecycle.expectAt(branch.expiresAt);
      note(call, 'branch.create', project, branch);
      const ready = provision();
      if (doneBeforeReady) ready.catch((error: unknown) => workspace.log('branch failed', { error: String(error) }));
      else await ready;
      return branchView(project, branch);
    },
  });
  return ok(await operations.answer(operation));
}

/** The source, which may have children. */
function parentOf(project: ProjectRecord, name: string | undefined): BranchRecord {
  const source = sourceOf(project, name);
  if (source.expiresAt !== undefined) throw new Refusal('sourceExpires');
  return source;
}

function sourceOf(project: ProjectRecord, name: string | undefined): BranchRecord {
  const id = name === undefined || name === '' ? project.defaultBranch : branchIdIn(project, name);
  const source = entry(project.branches, id);
  if (!source || source.deleting) throw new Refusal('branchMissing');
  return source;
}

/** The id out of a full branch name, which must be one of this project. */
function branchIdIn(project: ProjectRecord, name: string): string {
  const match = /^projects\/([^/]+)\/branches\/([^/]+)$/.exec(name);
  if (!match)
    throw new Refusal('invalidField', { field: 'spec.source_branch', problem: 'is not the name of a branch' });
  if (match[1] !== project.id) throw new Refusal('sourceElsewhere');
  return match[2] ?? '';
}

/** What the request says about expiration: `{}` for never; undefined when it says nothing. */
function expirationOf(call: Call, input: Change, countedFrom: Instant): { at?: Instant } | undefined {
  const { ttl, expire_time: expireTime, no_expiry: noExpiry } = input;
  if (noExpiry === false) throw new Refusal('noExpiryFalse');
  const said = [ttl, expireTime, noExpiry].filter((value) => value !== undefined);
  if (said.length > 1) throw new Refusal('severalExpirations');
  if (said.length === 0) return undefined;
  if (noExpiry) return {};
  const at = ttl === undefined ? expireTime : countedFrom + ttl * 1000;
  if (at === undefined) return undefined;
  const now = call.workspace.now();
  if (at <= now) throw new Refusal('expirationPast');
  if (at > now + call.workspace.faults.behaviour.limits.expirationSeconds * 1000) throw new Refusal('expirationTooFar');
  return { at };
}

function list(call: Call): Answer {
  const project = projectOf(call, 'CAN_USE');
  const now = call.workspace.now();
  const visibleSince = now - call.workspace.faults.behaviour.notFoundAfterCreateMs;
  const live = Object.values(project.branches).filter(({ createdAt }) => createdAt <= visibleSince);
  const deleted = flag(call, 'show_deleted')
    ? project.deletedBranches.filter(({ purgeAt }) => purgeAt === undefined || purgeAt > now)
    : [];
  return page(call, 'branches', [...live, ...deleted], (branch) => branchView(project, branch));
}

async function get(call: Call): Promise<Answer> {
  const project = projectOf(call, 'CAN_USE');
  const branch = branchOf(call, project);
  const size = branch.state === 'READY' ? await call.workspace.sizes.of(branch.uid) : undefined;
  return ok(branchView(project, branch, size));
}

function update(call: Call): Promise<Answer> {
  const project = projectOf(call, 'CAN_MANAGE');
  const branch = branchOf(call, project);
  const masked = maskedBody(branchMask, call.query.get('update_mask') ?? undefined, call.body);
  return changeBranch(call, project, branch, parse(changeSchema, specOf(masked)));
}

async function changeBranch(call: Call, project: ProjectRecord, branch: BranchRecord, change: Change): Promise<Answer> {
  const { workspace } = call;
  const { ttlOnUpdateCountsFrom } = workspace.faults.behaviour;
  const countedFrom = ttlOnUpdateCountsFrom === 'now' ? workspace.now() : branch.createdAt;
  const expiration = expirationOf(call, change, countedFrom);
  const expiresAt = expiration ? expiration.at : branch.expiresAt;
  const isProtected = change.is_protected ?? branch.isProtected;
  if (expiresAt !== undefined) refuseExpiration(project, branch, isProtected);
  if (isProtected && !branch.isProtected) checkProtectedRoom(project, workspace.faults.behaviour.limits);

  const operation = workspace.operations.start({
    resource: branchName(project.id, branch.id),
    kind: 'Branch',
    projectId: project.id,
    branchUid: branch.uid,
    exclusive: false,
    run: async () => {
      Object.assign(branch, { expiresAt, isProtected, updatedAt: workspace.now() });
      if (expiresAt !== undefined) workspace.lifecycle.expectAt(expiresAt);
      note(call, 'branch.update', project, branch);
      await workspace.lifecycle.pause(workspace.faults.behaviour.operationMs);
      return branchView(project, branch);
    },
  });
  return ok(await workspace.operations.answer(operation));
}

function refuseExpiration(project: ProjectRecord, branch: BranchRecord, isProtected: boolean): void {
  if (isProtected) throw new Refusal('expirationOnProtected');
  if (project.defaultBranch === branch.id) throw new Refusal('expirationOnDefault');
  if (childrenOf(project, branch).length > 0) throw new Refusal('expirationOnParent');
}

async function remove(call: Call): Promise<Answer> {
  const { workspace } = call;
  const { faults, lifecycle, operations } = workspace;
  const project = projectOf(call, 'CAN_MANAGE');
  const branch = branchOf(call, project);
  refuseRemoval(project, branch);
  const ignored = faults.behaviour.deleteIgnoredDuringInit && branch.state === 'INIT';
  const purge = flag(call, 'purge');
  const operation = operations.start({
    resource: branchName(project.id, branch.id),
    kind: 'Branch',
    projectId: project.id,
    branchUid: branch.uid,
    exclusive: false,
    run: async () => {
      if (ignored || branch.deleting) return undefined;
      note(call, 'branch.delete', project, branch);
      await lifecycle.remove(project, branch, { purge, afterMs: faults.behaviour.deleteMs });
      return undefined;
    },
  });
  return ok(await operations.answer(operation));
}

function refuseRemoval(project: ProjectRecord, branch: BranchRecord): void {
  if (isRoot(branch)) throw new Refusal('rootBranch', { name: branchName(project.id, branch.id) });
  if (branch.isProtected) throw new Refusal('protectedBranch');
  if (project.defaultBranch === branch.id) throw new Refusal('defaultBranch');
  if (childrenOf(project, branch).length > 0) throw new Refusal('branchHasChildren');
}

/** In private preview on the service. Brings back the last branch of that id, without its expiration. */
async function undelete(call: Call): Promise<Answer> {
  const { workspace } = call;
  const project = projectOf(call, 'CAN_MANAGE');
  const id = param(call, 'branch');
  const now = workspace.now();
  const branch = project.deletedBranches.findLast(({ id: each, purgeAt = Infinity }) => each === id && purgeAt > now);
  if (entry(project.branches, id)) throw new Refusal('notDeleted');
  if (!branch) throw new Refusal('branchMissing');
  if (branch.dataGone || workspace.settings.keepDeletedSeconds === 0) throw new Refusal('dataGone');
  checkBranchRoom(project, workspace.faults.behaviour.limits);
  const operation = workspace.operations.start({
    resource: branchName(project.id, id),
    kind: 'Branch',
    projectId: project.id,
    branchUid: branch.uid,
    exclusive: false,
    run: async () => {
      await workspace.lifecycle.restore(project, branch);
      note(call, 'branch.undelete', project, branch);
      return branchView(project, branch);
    },
  });
  return ok(await workspace.operations.answer(operation));
}

function note({ workspace, principal }: Call, what: string, project: ProjectRecord, branch: BranchRecord): void {
  const name = branchName(project.id, branch.id);
  workspace.journal.note(workspace.now(), { what, name, uid: branch.uid, by: principal.name });
}
