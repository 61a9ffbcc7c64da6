// Records as the API shows them: `status` only, because the service does not echo `spec`.
import type { DataPlane } from './data-plane.ts';
import { compact, duration, timestamp } from './format.ts';
import type { Json } from './masks.ts';
import {
  branchName,
  childName,
  projectName,
  type BranchRecord,
  type DatabaseRecord,
  type EndpointGroup,
  type EndpointRecord,
  type EndpointSizes,
  type Instant,
  type ProjectRecord,
  type RoleRecord,
} from './state.ts';

const optionalTime = (instant: Instant | undefined): string | undefined =>
  instant === undefined ? undefined : timestamp(instant);

const suspension = ({ suspendSeconds }: EndpointSizes): Json =>
  suspendSeconds === undefined ? { no_suspension: true } : { suspend_timeout_duration: duration(suspendSeconds) };

const sizes = (of: EndpointSizes): Json => ({
  autoscaling_limit_min_cu: of.minCU,
  autoscaling_limit_max_cu: of.maxCU,
  ...suspension(of),
});

/** 8 TB, as the service shows it. */
const logicalSizeLimit = 8_796_093_022_208;

export function projectView(project: ProjectRecord): Json {
  return compact({
    name: projectName(project.id),
    project_id: project.id,
    uid: project.uid,
    create_time: timestamp(project.createdAt),
    update_time: timestamp(project.updatedAt),
    delete_time: optionalTime(project.deletedAt),
    purge_time: optionalTime(project.purgeAt),
    status: compact({
      project_id: project.id,
      owner: project.owner,
      display_name: project.displayName,
      pg_version: project.pgVersion,
      history_retention_duration: duration(project.historySeconds),
      default_branch: branchName(project.id, project.defaultBranch),
      default_endpoint_settings: compact({
        ...sizes(project.endpointDefaults),
        pg_settings: notEmpty(project.endpointDefaults.pgSettings),
      }),
      enable_pg_native_login: project.nativeLogin,
      branch_logical_size_limit_bytes: logicalSizeLimit,
      budget_policy_id: project.budgetPolicyId,
      custom_tags: project.customTags.length > 0 ? project.customTags : undefined,
    }),
  });
}

/** `sizeBytes` is left out where the data plane does not know it. */
export function branchView(project: ProjectRecord, branch: BranchRecord, sizeBytes?: number): Json {
  const { source } = branch;
  return compact({
    name: branchName(project.id, branch.id),
    branch_id: branch.id,
    uid: branch.uid,
    parent: projectName(project.id),
    create_time: timestamp(branch.createdAt),
    update_time: timestamp(branch.updatedAt),
    status: compact({
      branch_id: branch.id,
      current_state: branch.state,
      pending_state: pendingBranchState(branch),
      state_change_time: timestamp(branch.stateSince),
      default: project.defaultBranch === branch.id && branch.deletedAt === undefined,
      is_protected: branch.isProtected,
      source_branch: source && branchName(project.id, source.id),
      source_branch_lsn: source?.lsn,
      source_branch_time: source && timestamp(source.time),
      expire_time: optionalTime(branch.expiresAt),
      logical_size_bytes: sizeBytes,
      delete_time: optionalTime(branch.deletedAt),
      purge_time: optionalTime(branch.purgeAt),
    }),
  });
}

function pendingBranchState(branch: BranchRecord): string | undefined {
  if (branch.deletedAt !== undefined) return undefined;
  if (branch.deleting) return 'DELETED';
  return branch.state === 'INIT' ? 'READY' : undefined;
}

export function endpointView(
  projectId: string,
  branchId: string,
  endpoint: EndpointRecord,
  dataPlane: DataPlane,
  now: Instant,
): Json {
  return {
    name: childName(projectId, branchId, 'endpoints', endpoint.id),
    endpoint_id: endpoint.id,
    uid: endpoint.uid,
    parent: branchName(projectId, branchId),
    create_time: timestamp(endpoint.createdAt),
    update_time: timestamp(endpoint.updatedAt),
    status: compact({
      endpoint_id: endpoint.id,
      endpoint_type: endpoint.type,
      ...sizes(endpoint),
      disabled: endpoint.disabled,
      group: endpoint.group && groupView(endpoint.group),
      settings: notEmpty(endpoint.pgSettings) && { pg_settings: endpoint.pgSettings },
      ...activity(endpoint, dataPlane, now),
    }),
  };
}

const groupView = ({ min, max, enableReadableSecondaries }: EndpointGroup): Json => ({
  min,
  max,
  enable_readable_secondaries: enableReadableSecondaries,
});

/** An endpoint that nobody listens for yet is INIT and has no host. */
function activity({ uid, host, settlesAt, type }: EndpointRecord, dataPlane: DataPlane, now: Instant): Json {
  if (host === undefined) return { current_state: 'INIT', pending_state: 'ACTIVE', hosts: {} };
  const { state, lastActive } = dataPlane.endpointActivity(uid);
  return {
    current_state: state,
    pending_state: settlesAt !== undefined && settlesAt > now ? 'ACTIVE' : undefined,
    last_active_time: optionalTime(lastActive?.getTime()),
    hosts: hosts(host, type === 'ENDPOINT_TYPE_READ_ONLY'),
  };
}

const hosts = (host: string, readOnly: boolean): Json => ({ host, ...(readOnly ? { read_only_host: host } : {}) });

export function roleView(projectId: string, branchId: string, role: RoleRecord): Json {
  return {
    name: childName(projectId, branchId, 'roles', role.id),
    role_id: role.id,
    parent: branchName(projectId, branchId),
    create_time: timestamp(role.createdAt),
    update_time: timestamp(role.updatedAt),
    status: {
      role_id: role.id,
      postgres_role: role.postgresRole,
      identity_type: role.identityType,
      auth_method: role.authMethod,
      membership_roles: role.membershipRoles,
      attributes: role.attributes,
    },
  };
}

export function databaseView(projectId: string, branchId: string, database: DatabaseRecord): Json {
  return {
    name: childName(projectId, branchId, 'databases', database.id),
    database_id: database.id,
    parent: branchName(projectId, branchId),
    create_time: timestamp(database.createdAt),
    update_time: timestamp(database.updatedAt),
    status: {
      database_id: database.id,
      postgres_database: database.postgresDatabase,
      role: childName(projectId, branchId, 'roles', database.roleId),
    },
  };
}

const notEmpty = <T extends Record<string, unknown>>(map: T): T | undefined =>
  Object.keys(map).length > 0 ? map : undefined;
