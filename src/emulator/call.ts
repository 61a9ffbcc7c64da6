// One request on its way through a route: who asks, for what, with which body; and the look-ups every route begins with.
import { Refusal } from './errors.ts';
import { valueAt, type Json } from './masks.ts';
import { findByName, type Principal } from './principals.ts';
import {
  entry,
  type BranchRecord,
  type DatabaseRecord,
  type EndpointRecord,
  type Level,
  type ProjectRecord,
  type RoleRecord,
} from './state.ts';
import type { z } from 'zod';
import type { Workspace } from './workspace.ts';

export interface Call {
  readonly workspace: Workspace;
  readonly principal: Principal;
  /** The segments that the route's pattern names. */
  readonly params: Readonly<Record<string, string>>;
  readonly query: URLSearchParams;
  /** {} when none was sent. */
  readonly body: Json;
}

export interface Answer {
  readonly status: number;
  readonly body: unknown;
  readonly headers?: Readonly<Record<string, string>>;
}

export const ok = (body: unknown): Answer => ({ status: 200, body });

/** The segment that the pattern of the route names; a name it does not have is a mistake in the route table. */
export function param(call: Call, name: string): string {
  const value = call.params[name];
  if (value === undefined) throw new Error(`the route has no parameter ${name}`);
  return value;
}

export const flag = (call: Call, name: string): boolean => call.query.get(name) === 'true';

/** The live project of the path, if the caller may do `level` there. */
export function projectOf(call: Call, level: Level): ProjectRecord {
  return findProject(call, param(call, 'project'), level);
}

export function findProject(call: Call, id: string, level: Level): ProjectRecord {
  const project = entry(call.workspace.state.projects, id);
  if (!project || project.deletedAt !== undefined) throw new Refusal('projectMissing');
  requireLevel(call, project, level);
  return project;
}

/** Deleted or not. */
export function anyProjectOf(call: Call, level: Level): ProjectRecord {
  const project = entry(call.workspace.state.projects, param(call, 'project'));
  if (!project) throw new Refusal('projectMissing');
  requireLevel(call, project, level);
  return project;
}

const levelTitle: Readonly<Record<Level, string>> = { CAN_USE: 'Can Use', CAN_MANAGE: 'Can Manage' };

export function may({ workspace, principal }: Call, project: ProjectRecord, level: Level): boolean {
  if (workspace.settings.permissions === 'open' || project.owner === principal.name) return true;
  const granted = entry(project.permissions, principal.name);
  return granted === 'CAN_MANAGE' || (granted === 'CAN_USE' && level === 'CAN_USE');
}

function requireLevel(call: Call, project: ProjectRecord, level: Level): void {
  if (may(call, project, level)) return;
  throw new Refusal('denied', { principal: call.principal.name, level: levelTitle[level], project: project.id });
}

/** The live branch of the path. A fresh one can hide for a while, if a fault says so. */
export function branchOf(call: Call, project: ProjectRecord): BranchRecord {
  return findBranch(call, project, param(call, 'branch'));
}

export function findBranch(call: Call, project: ProjectRecord, id: string): BranchRecord {
  const branch = entry(project.branches, id);
  if (!branch || isHidden(call.workspace, branch)) throw new Refusal('branchMissing');
  return branch;
}

const isHidden = (workspace: Workspace, branch: BranchRecord): boolean =>
  workspace.now() < branch.createdAt + workspace.faults.behaviour.notFoundAfterCreateMs;

export function endpointOf(call: Call, branch: BranchRecord): EndpointRecord {
  const endpoint = entry(branch.endpoints, param(call, 'endpoint'));
  if (!endpoint) throw new Refusal('endpointMissing');
  return endpoint;
}

export function roleOf(call: Call, branch: BranchRecord): RoleRecord {
  const id = param(call, 'role');
  const role = entry(branch.roles, id);
  if (!role) throw new Refusal('roleMissing', { id });
  return role;
}

export function databaseOf(call: Call, branch: BranchRecord): DatabaseRecord {
  const id = param(call, 'database');
  const database = entry(branch.databases, id);
  if (!database) throw new Refusal('databaseMissing', { id });
  return database;
}

/** Whoever made the project; users and service principals that are no longer configured still count. */
export function ownerOf(workspace: Workspace, project: ProjectRecord): Pick<Principal, 'name' | 'kind'> {
  const known = findByName(workspace.settings.principals, project.owner);
  return known ?? { name: project.owner, kind: project.owner.includes('@') ? 'USER' : 'SERVICE_PRINCIPAL' };
}

const strictPattern = '^[a-z]([a-z0-9-]{0,61}[a-z0-9])?$';
const loosePattern = '^[a-z][a-z0-9-]{0,62}$';

/** The id of a new project, branch or endpoint, out of the query. */
export function requiredId(call: Call, field: string): string {
  const id = call.query.get(field) ?? '';
  if (id === '') throw new Refusal('fieldRequired', { field });
  return checkedId(field, id, loosePattern);
}

/** The id of a new role or database, out of the query; undefined: the service makes one. */
export function optionalId(call: Call, field: string): string | undefined {
  const id = call.query.get(field) ?? '';
  return id === '' ? undefined : checkedId(field, id, strictPattern);
}

function checkedId(field: string, id: string, pattern: string): string {
  if (!new RegExp(pattern).test(id)) throw new Refusal('badId', { field, pattern, value: id });
  return id;
}

/** Reads `spec`-like input; the first complaint is the answer. Unknown members are ignored, as the service does. */
export function parse<T>(schema: z.ZodType<T>, value: unknown): T {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  throw new Refusal('invalidField', { field: issue?.path.join('.') ?? '', problem: issue?.message ?? 'invalid' });
}

/** The `spec` of a request body. */
export const specOf = (body: Json): unknown => valueAt(body, 'spec') ?? {};
