// Projects: create with their root branch, read, change, soft delete, undelete.
import { z } from 'zod';
import {
  anyProjectOf,
  findProject,
  flag,
  may,
  ok,
  ownerOf,
  param,
  parse,
  projectOf,
  requiredId,
  specOf,
  type Answer,
  type Call,
} from '../call.ts';
import { newProject, newRootBranch } from '../creation.ts';
import { Refusal } from '../errors.ts';
import { changedSizes, durationField, sizesFields } from '../fields.ts';
import { historySeconds } from '../limits.ts';
import { maskedBody, projectMask, valueAt } from '../masks.ts';
import { page } from '../pages.ts';
import { entry, isRoot, projectName, type EndpointSizes, type Instant, type ProjectRecord } from '../state.ts';
import { projectView } from '../views.ts';
import type { Workspace } from '../workspace.ts';
import { groupFields, groupOf } from './endpoints.ts';
import { apiPrefix, type Route } from './route.ts';

const collection = `${apiPrefix}/projects`;

export const projectRoutes: readonly Route[] = [
  { method: 'POST', path: collection, handle: create },
  { method: 'GET', path: collection, handle: list },
  { method: 'GET', path: `${collection}/{project}`, handle: get },
  { method: 'PATCH', path: `${collection}/{project}`, handle: update },
  { method: 'DELETE', path: `${collection}/{project}`, handle: remove },
  { method: 'POST', path: `${collection}/{project}/undelete`, handle: undelete },
];

/** What the service gives a project that says nothing: one unit, asleep after a day. */
export const serviceEndpointDefaults: EndpointSizes & { pgSettings: Record<string, string> } = {
  minCU: 1,
  maxCU: 1,
  suspendSeconds: 86_400,
  pgSettings: {},
};

const endpointSettings = z.object({ ...sizesFields, pg_settings: z.record(z.string(), z.string()).optional() });

const specSchema = z.object({
  display_name: z.string().min(1).max(256).optional(),
  pg_version: z.number().int().optional(),
  history_retention_duration: durationField
    .refine(
      (seconds) => seconds >= historySeconds.least && seconds <= historySeconds.most,
      `must lie between ${historySeconds.least}s and ${historySeconds.most}s`,
    )
    .optional(),
  default_endpoint_settings: endpointSettings.optional(),
  default_branch: z.string().optional(),
  enable_pg_native_login: z.boolean().optional(),
  budget_policy_id: z.string().optional(),
  custom_tags: z.array(z.object({ key: z.string(), value: z.string() })).optional(),
});

const createSchema = z.object({
  spec: specSchema.default({}),
  initial_branch_spec: z.object({ is_protected: z.boolean().optional() }).default({}),
  initial_endpoint_spec: z.object({ ...sizesFields, group: groupFields.optional() }).default({}),
});

type Spec = z.infer<typeof specSchema>;

async function create(call: Call): Promise<Answer> {
  const { workspace, principal } = call;
  const id = requiredId(call, 'project_id');
  const { spec, initial_branch_spec, initial_endpoint_spec } = parse(createSchema, call.body);
  const { pgVersion } = workspace.settings;
  if (entry(workspace.state.projects, id)) throw new Refusal('projectExists');
  if ((spec.pg_version ?? pgVersion) !== pgVersion) throw new Refusal('pgVersionNotEmulated', { have: pgVersion });
  const limit = workspace.faults.behaviour.limits.projects;
  if (Object.keys(workspace.state.projects).length >= limit) throw new Refusal('tooManyProjects', { limit });

  const endpointDefaults = changedDefaults(serviceEndpointDefaults, spec);
  const project = newProject(workspace, {
    id,
    owner: principal,
    displayName: spec.display_name,
    historySeconds: spec.history_retention_duration,
    endpointDefaults,
    nativeLogin: spec.enable_pg_native_login,
    budgetPolicyId: spec.budget_policy_id,
    customTags: spec.custom_tags,
  });
  const root = {
    isProtected: initial_branch_spec.is_protected ?? false,
    sizes: changedSizes(endpointDefaults, initial_endpoint_spec, 'initial_endpoint_spec'),
    group: initial_endpoint_spec.group && groupOf(undefined, initial_endpoint_spec.group),
    pgSettings: endpointDefaults.pgSettings,
  };
  const operation = workspace.operations.start({
    resource: projectName(id),
    kind: 'Project',
    projectId: id,
    exclusive: false,
    run: async () => {
      const made = establish(workspace, project, root);
      workspace.journal.note(workspace.now(), { what: 'project.create', name: projectName(id), by: principal.name });
      await made;
      return projectView(project);
    },
  });
  return ok(await workspace.operations.answer(operation));
}

/** Puts a new project and its root branch into the books, then makes the data of the branch. */
export function establish(
  workspace: Workspace,
  project: ProjectRecord,
  root: Parameters<typeof newRootBranch>[1],
): Promise<void> {
  const branch = newRootBranch(workspace, root, ownerOf(workspace, project));
  project.branches[branch.id] = branch;
  workspace.state.projects[project.id] = project;
  workspace.changed();
  return workspace.lifecycle.provision(project, branch, 0);
}

function changedDefaults(current: typeof serviceEndpointDefaults, spec: Spec): typeof serviceEndpointDefaults {
  const input = spec.default_endpoint_settings ?? {};
  return {
    ...changedSizes(current, input, 'spec.default_endpoint_settings'),
    pgSettings: input.pg_settings ?? current.pgSettings,
  };
}

function list(call: Call): Answer {
  const { state, now } = { state: call.workspace.state, now: call.workspace.now() };
  const withDeleted = flag(call, 'show_deleted');
  const shown = Object.values(state.projects).filter(
    (project) =>
      (project.deletedAt === undefined || (withDeleted && !isPurged(project, now))) && may(call, project, 'CAN_USE'),
  );
  return page(call, 'projects', shown, projectView);
}

const isPurged = ({ purgeAt }: ProjectRecord, now: Instant): boolean => purgeAt !== undefined && purgeAt <= now;

function get(call: Call): Answer {
  return ok(projectView(projectOf(call, 'CAN_USE')));
}

async function update(call: Call): Promise<Answer> {
  const { workspace } = call;
  const project = projectOf(call, 'CAN_MANAGE');
  const mask = call.query.get('update_mask') ?? undefined;
  const spec = parse(specSchema, specOf(maskedBody(projectMask, mask, call.body)));
  const change = projectChange(workspace, project, spec);
  const operation = workspace.operations.start({
    resource: projectName(project.id),
    kind: 'Project',
    projectId: project.id,
    exclusive: false,
    run: async () => {
      Object.assign(project, change, { updatedAt: workspace.now() });
      for (const branch of Object.values(project.branches)) workspace.lifecycle.keepHistory(project, branch);
      await workspace.lifecycle.pause(workspace.faults.behaviour.operationMs);
      return projectView(project);
    },
  });
  const answer = await workspace.operations.answer(operation);
  if (losesDefaults(mask, call, project)) throw new Refusal('internal');
  return ok(answer);
}

/**
 * Seen on the service: a bare `spec` without default_endpoint_settings, while other than default ones are stored, fails
 * with 500 after the other fields were changed.
 */
function losesDefaults(mask: string | undefined, call: Call, project: ProjectRecord): boolean {
  if (mask !== 'spec' || valueAt(call.body, 'spec.default_endpoint_settings') !== undefined) return false;
  return JSON.stringify(project.endpointDefaults) !== JSON.stringify(serviceEndpointDefaults);
}

function projectChange(workspace: Workspace, project: ProjectRecord, spec: Spec): Partial<ProjectRecord> {
  const { pgVersion } = workspace.settings;
  if ((spec.pg_version ?? pgVersion) !== pgVersion) throw new Refusal('pgVersionNotEmulated', { have: pgVersion });
  return {
    displayName: spec.display_name ?? project.displayName,
    historySeconds: spec.history_retention_duration ?? project.historySeconds,
    endpointDefaults: changedDefaults(project.endpointDefaults, spec),
    nativeLogin: spec.enable_pg_native_login ?? project.nativeLogin,
    budgetPolicyId: spec.budget_policy_id ?? project.budgetPolicyId,
    customTags: spec.custom_tags ?? project.customTags,
    defaultBranch: spec.default_branch === undefined ? project.defaultBranch : newDefault(project, spec.default_branch),
  };
}

function newDefault(project: ProjectRecord, name: string): string {
  const prefix = `${projectName(project.id)}/branches/`;
  const branch = name.startsWith(prefix) ? entry(project.branches, name.slice(prefix.length)) : undefined;
  if (!branch) throw new Refusal('branchMissing');
  if (branch.expiresAt !== undefined) throw new Refusal('expirationOnDefault');
  return branch.id;
}

async function remove(call: Call): Promise<Answer> {
  const { workspace, principal } = call;
  const purge = flag(call, 'purge');
  // A purge also frees the id of a project that is already deleted.
  const project = purge ? anyProjectOf(call, 'CAN_MANAGE') : projectOf(call, 'CAN_MANAGE');
  if (Object.values(project.branches).some((branch) => branch.isProtected)) throw new Refusal('projectHasProtected');
  const operation = workspace.operations.start({
    resource: projectName(project.id),
    kind: 'Project',
    projectId: project.id,
    exclusive: false,
    run: async () => {
      workspace.journal.note(workspace.now(), {
        what: 'project.delete',
        name: projectName(project.id),
        by: principal.name,
      });
      await workspace.lifecycle.pause(workspace.faults.behaviour.deleteMs);
      await workspace.lifecycle.removeProject(project, purge);
      return undefined;
    },
  });
  return ok(await workspace.operations.answer(operation));
}

/** Brings back the project with its root branch and endpoint; the branches that people made are gone. */
async function undelete(call: Call): Promise<Answer> {
  const { workspace } = call;
  const project = anyProjectOf(call, 'CAN_MANAGE');
  if (isPurged(project, workspace.now())) throw new Refusal('projectMissing');
  if (project.deletedAt === undefined) throw new Refusal('notDeleted');
  const operation = workspace.operations.start({
    resource: projectName(project.id),
    kind: 'Project',
    projectId: project.id,
    exclusive: false,
    run: async () => {
      Object.assign(project, { deletedAt: undefined, purgeAt: undefined, updatedAt: workspace.now() });
      const roots = Object.values(project.branches).filter(isRoot);
      for (const branch of roots) await workspace.lifecycle.reopenEndpoints(branch);
      return projectView(findProject(call, param(call, 'project'), 'CAN_MANAGE'));
    },
  });
  return ok(await workspace.operations.answer(operation));
}
