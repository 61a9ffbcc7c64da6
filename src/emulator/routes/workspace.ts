// What a workspace answers besides its databases: who am I, who may what, and the telemetry that tools send.
import { z } from 'zod';
import { ok, parse, projectOf, type Answer, type Call } from '../call.ts';
import type { Level, ProjectRecord } from '../state.ts';
import type { Json } from '../masks.ts';
import type { Route } from './route.ts';

const permissions = '/api/2.0/permissions/database-projects/{project}';

export const workspaceRoutes: readonly Route[] = [
  { method: 'GET', path: '/api/2.0/preview/scim/v2/Me', handle: me },
  { method: 'GET', path: permissions, handle: readPermissions },
  { method: 'PUT', path: permissions, handle: (call) => writePermissions(call, {}) },
  {
    method: 'PATCH',
    path: permissions,
    handle: (call) => writePermissions(call, projectOf(call, 'CAN_MANAGE').permissions),
  },
  { method: 'POST', path: '/telemetry-ext', handle: () => ok({}) },
];

/** The user name of a service principal is its application id. */
function me({ workspace, principal }: Call): Answer {
  const { name, kind } = principal;
  const position = workspace.settings.principals.findIndex((each) => each.name === name);
  const isUser = kind === 'USER';
  return {
    status: 200,
    headers: { 'x-databricks-org-id': workspace.state.workspaceId },
    body: {
      schemas: [`urn:ietf:params:scim:schemas:core:2.0:${isUser ? 'User' : 'ServicePrincipal'}`],
      id: String(1000 + position),
      userName: name,
      displayName: name,
      active: true,
      ...(isUser ? { emails: [{ type: 'work', value: name, primary: true }] } : { applicationId: name }),
    },
  };
}

const levels = ['CAN_USE', 'CAN_MANAGE'] as const satisfies readonly Level[];

const listSchema = z.object({
  access_control_list: z
    .array(
      z.object({
        user_name: z.string().optional(),
        service_principal_name: z.string().optional(),
        permission_level: z.enum(levels),
      }),
    )
    .default([]),
});

function readPermissions(call: Call): Answer {
  return ok(permissionsView(projectOf(call, 'CAN_USE')));
}

function writePermissions(call: Call, kept: Record<string, Level>): Answer {
  const project = projectOf(call, 'CAN_MANAGE');
  const { access_control_list: entries } = parse(listSchema, call.body);
  const named = entries.flatMap(({ user_name, service_principal_name, permission_level }) => {
    const name = service_principal_name ?? user_name;
    return name === undefined ? [] : [[name, permission_level] as const];
  });
  project.permissions = { ...kept, ...Object.fromEntries(named) };
  call.workspace.changed();
  return ok(permissionsView(project));
}

function permissionsView(project: ProjectRecord): Json {
  const all: Record<string, Level> = { ...project.permissions, [project.owner]: 'CAN_MANAGE' };
  return {
    object_id: `/database-projects/${project.id}`,
    object_type: 'database-projects',
    access_control_list: Object.entries(all).map(([name, level]) => ({
      ...(name.includes('@') ? { user_name: name } : { service_principal_name: name }),
      all_permissions: [{ permission_level: level, inherited: false }],
    })),
  };
}
