// Postgres roles of a branch. A role is in the books once it exists in Postgres, so that a GET never promises more.
import { z } from 'zod';
import { flag, ok, optionalId, parse, roleOf, specOf, type Answer, type Call } from '../call.ts';
import { recorded } from '../creation.ts';
import { Refusal } from '../errors.ts';
import { postgresRoleOf } from '../lifecycle.ts';
import { postgresNameField } from '../fields.ts';
import { maskedBody, roleMask } from '../masks.ts';
import { page } from '../pages.ts';
import { builtInRoles } from '../postgres/names.ts';
import { newPassword } from '../random.ts';
import { entry, type AuthMethod, type IdentityType, type RoleRecord } from '../state.ts';
import { roleView } from '../views.ts';
import { placeOf, roleNamed, startInBranch, type Place } from './in-branch.ts';
import { apiPrefix, type Route } from './route.ts';

const collection = `${apiPrefix}/projects/{project}/branches/{branch}/roles`;

export const roleRoutes: readonly Route[] = [
  { method: 'POST', path: collection, handle: create },
  { method: 'GET', path: collection, handle: list },
  { method: 'GET', path: `${collection}/{role}`, handle: get },
  { method: 'PATCH', path: `${collection}/{role}`, handle: update },
  { method: 'DELETE', path: `${collection}/{role}`, handle: remove },
  { method: 'POST', path: `${collection}/{role}/password`, handle: revealPassword },
];

const changeSchema = z.object({
  membership_roles: z.array(z.enum(['DATABRICKS_SUPERUSER'])).optional(),
  attributes: z
    .object({ bypassrls: z.boolean().optional(), createdb: z.boolean().optional(), createrole: z.boolean().optional() })
    .optional(),
});

const createSchema = changeSchema.extend({
  postgres_role: postgresNameField
    .refine((name) => !/^(pg_.*|public|none)$/.test(name), 'is reserved by PostgreSQL')
    .optional(),
  identity_type: z.enum(['USER', 'SERVICE_PRINCIPAL', 'GROUP', 'IDENTITY_TYPE_UNSPECIFIED']).optional(),
  auth_method: z.enum(['LAKEBASE_OAUTH_V1', 'PG_PASSWORD_SCRAM_SHA_256', 'NO_LOGIN']).optional(),
});

type Change = z.infer<typeof changeSchema>;
type Input = z.infer<typeof createSchema>;

const nothing = { bypassrls: false, createdb: false, createrole: false };

async function create(call: Call): Promise<Answer> {
  const { workspace } = call;
  const place = placeOf(call);
  const id = optionalId(call, 'role_id') ?? `role-${workspace.nextSequence()}`;
  const input = parse(createSchema, specOf(call.body));
  if (!input.postgres_role) throw new Refusal('fieldRequired', { field: 'role.spec.postgres_role' });
  const existing = entry(place.branch.roles, id);
  const sameName = Object.values(place.branch.roles).find((role) => role.postgresRole === input.postgres_role);
  if (existing && flag(call, 'replace_existing')) return put(call, place, 'role.update', replaced(existing, input));
  if (existing || sameName || builtInRoles.includes(input.postgres_role)) throw new Refusal('roleExists');
  return put(call, place, 'role.create', newRole(call, id, input.postgres_role, input));
}

/** Managed identities log in by token, plain roles by password; the request may say otherwise. */
function authMethodOf(input: Input): AuthMethod {
  if (input.auth_method) return input.auth_method;
  const plain = input.identity_type === undefined || input.identity_type === 'IDENTITY_TYPE_UNSPECIFIED';
  return plain ? 'PG_PASSWORD_SCRAM_SHA_256' : 'LAKEBASE_OAUTH_V1';
}

function newRole(call: Call, id: string, postgresRole: string, input: Input): RoleRecord {
  const authMethod = authMethodOf(input);
  const identityType: IdentityType = input.identity_type ?? 'IDENTITY_TYPE_UNSPECIFIED';
  return {
    ...recorded(call.workspace, id),
    postgresRole,
    identityType,
    authMethod,
    membershipRoles: input.membership_roles ?? [],
    attributes: { ...nothing, ...defined(input.attributes) },
    password: authMethod === 'PG_PASSWORD_SCRAM_SHA_256' ? newPassword(call.workspace.random) : undefined,
  };
}

/** `replace_existing` replaces the whole spec: memberships that are not named are gone. */
const replaced = (role: RoleRecord, input: Input): RoleRecord => ({
  ...role,
  membershipRoles: input.membership_roles ?? [],
  attributes: { ...nothing, ...defined(input.attributes) },
});

const changed = (role: RoleRecord, change: Change): RoleRecord => ({
  ...role,
  membershipRoles: change.membership_roles ?? role.membershipRoles,
  attributes: { ...role.attributes, ...defined(change.attributes) },
});

function defined(attributes: Change['attributes']): Partial<RoleRecord['attributes']> {
  return Object.fromEntries(Object.entries(attributes ?? {}).filter(([, value]) => value !== undefined));
}

function list(call: Call): Answer {
  const { project, branch } = placeOf(call);
  return page(call, 'roles', Object.values(branch.roles), (role) => roleView(project.id, branch.id, role));
}

function get(call: Call): Answer {
  const { project, branch } = placeOf(call);
  return ok(roleView(project.id, branch.id, roleOf(call, branch)));
}

function update(call: Call): Promise<Answer> {
  const place = placeOf(call);
  const role = roleOf(call, place.branch);
  const masked = maskedBody(roleMask, call.query.get('update_mask') ?? undefined, call.body);
  return put(call, place, 'role.update', changed(role, parse(changeSchema, specOf(masked))));
}

function put(call: Call, place: Place, what: string, role: RoleRecord): Promise<Answer> {
  const { workspace } = call;
  const { project, branch } = place;
  return startInBranch(call, place, {
    kind: 'Role',
    id: role.id,
    what,
    takesMs: workspace.faults.behaviour.operationMs,
    change: () => workspace.dataPlane.putRole(branch.uid, postgresRoleOf(role)),
    note: () => {
      branch.roles[role.id] = { ...role, updatedAt: workspace.now() };
      return roleView(project.id, branch.id, role);
    },
  });
}

async function remove(call: Call): Promise<Answer> {
  const { workspace } = call;
  const place = placeOf(call);
  const { branch } = place;
  const role = roleOf(call, branch);
  const heir = heirOf(call, place);
  // Postgres would drop what was to be handed over.
  if (heir === role) throw new Refusal('invalidField', { field: 'reassign_owned_to', problem: 'must be another role' });
  const owned = Object.values(branch.databases).filter(({ roleId }) => roleId === role.id);
  if (owned.length > 0 && !heir) throw new Refusal('roleOwnsDatabase', { id: role.id });
  return startInBranch(call, place, {
    kind: 'Role',
    id: role.id,
    what: 'role.delete',
    takesMs: workspace.faults.behaviour.deleteMs,
    change: () => workspace.dataPlane.dropRole(branch.uid, role.postgresRole, heir?.postgresRole),
    note: () => {
      if (heir) for (const database of owned) database.roleId = heir.id;
      delete branch.roles[role.id];
      return undefined;
    },
  });
}

/** Who gets what the deleted role owns. */
function heirOf(call: Call, place: Place): RoleRecord | undefined {
  const name = call.query.get('reassign_owned_to') ?? '';
  return name === '' ? undefined : roleNamed(place, name);
}

function revealPassword(call: Call): Answer {
  const { branch } = placeOf(call);
  const { password } = roleOf(call, branch);
  if (password === undefined) throw new Refusal('noPassword');
  return ok({ password });
}
