// The records of new things, with what the service adds by itself: a project has a root branch, a branch an endpoint.
import { newUid, newUuid } from './random.ts';
import { ownerRoleId, type Principal } from './principals.ts';
import { implicitDatabase } from './lifecycle.ts';
import type {
  BranchRecord,
  EndpointGroup,
  EndpointRecord,
  EndpointSizes,
  EndpointType,
  Instant,
  ProjectRecord,
} from './state.ts';
import type { Workspace } from './workspace.ts';

export const rootBranchId = 'production';
export const primaryEndpointId = 'primary';
const implicitDatabaseId = 'databricks-postgres';

/** What every record begins with. */
export function recorded(
  workspace: Workspace,
  id: string,
): { id: string; sequence: number; createdAt: Instant; updatedAt: Instant } {
  const now = workspace.now();
  return { id, sequence: workspace.nextSequence(), createdAt: now, updatedAt: now };
}

export interface NewProject {
  readonly id: string;
  readonly owner: Pick<Principal, 'name' | 'kind'>;
  readonly displayName?: string | undefined;
  readonly historySeconds?: number | undefined;
  readonly endpointDefaults: EndpointSizes & { pgSettings: Record<string, string> };
  readonly nativeLogin?: boolean | undefined;
  readonly budgetPolicyId?: string | undefined;
  readonly customTags?: { key: string; value: string }[] | undefined;
}

const defaultHistorySeconds = 7 * 24 * 3600;

export function newProject(workspace: Workspace, input: NewProject): ProjectRecord {
  return {
    ...recorded(workspace, input.id),
    uid: newUuid(workspace.random),
    owner: input.owner.name,
    displayName: input.displayName ?? input.id,
    pgVersion: workspace.settings.pgVersion,
    historySeconds: input.historySeconds ?? defaultHistorySeconds,
    defaultBranch: rootBranchId,
    endpointDefaults: input.endpointDefaults,
    nativeLogin: input.nativeLogin ?? false,
    budgetPolicyId: input.budgetPolicyId,
    customTags: input.customTags ?? [],
    permissions: {},
    branches: {},
    deletedBranches: [],
  };
}

interface NewBranch {
  readonly id: string;
  readonly isProtected: boolean;
  readonly source?: BranchRecord;
  /** Undefined: a copy of the source as it is now. */
  readonly past?: { readonly time: Instant; readonly lsn: string } | undefined;
  readonly expiresAt?: Instant | undefined;
  readonly sizes: EndpointSizes;
  readonly group?: EndpointGroup | undefined;
  readonly pgSettings: Record<string, string>;
}

/** A branch in INIT with its endpoint `primary`; roles and databases come when it is forked. */
export function newBranch(workspace: Workspace, input: NewBranch): BranchRecord {
  const base = recorded(workspace, input.id);
  const { source, past } = input;
  return {
    ...base,
    uid: newUid(workspace.random, 'br'),
    state: 'INIT',
    stateSince: base.createdAt,
    isProtected: input.isProtected,
    source: source && {
      id: source.id,
      uid: source.uid,
      ...(past ? { ...past, fromPast: true } : { time: base.createdAt }),
    },
    expiresAt: input.expiresAt,
    deleting: false,
    dataGone: false,
    endpoints: {
      [primaryEndpointId]: newEndpoint(workspace, {
        id: primaryEndpointId,
        type: 'ENDPOINT_TYPE_READ_WRITE',
        sizes: input.sizes,
        group: input.group,
        pgSettings: input.pgSettings,
      }),
    },
    roles: {},
    databases: {},
  };
}

/** A root branch also has the role of the project's owner, and the database that belongs to it. */
export function newRootBranch(
  workspace: Workspace,
  input: Omit<NewBranch, 'id' | 'source' | 'expiresAt'>,
  owner: Pick<Principal, 'name' | 'kind'>,
): BranchRecord {
  const roleId = ownerRoleId(owner);
  return {
    ...newBranch(workspace, { ...input, id: rootBranchId }),
    roles: {
      [roleId]: {
        ...recorded(workspace, roleId),
        postgresRole: owner.name,
        identityType: owner.kind,
        authMethod: 'LAKEBASE_OAUTH_V1',
        membershipRoles: ['DATABRICKS_SUPERUSER'],
        attributes: { bypassrls: true, createdb: true, createrole: true },
      },
    },
    databases: {
      [implicitDatabaseId]: { ...recorded(workspace, implicitDatabaseId), postgresDatabase: implicitDatabase, roleId },
    },
  };
}

export interface NewEndpoint {
  readonly id: string;
  readonly type: EndpointType;
  readonly sizes: EndpointSizes;
  readonly disabled?: boolean | undefined;
  readonly group?: EndpointGroup | undefined;
  readonly pgSettings: Record<string, string>;
}

export const newEndpoint = (workspace: Workspace, input: NewEndpoint): EndpointRecord => ({
  ...recorded(workspace, input.id),
  ...input.sizes,
  uid: newUid(workspace.random, 'ep'),
  type: input.type,
  disabled: input.disabled ?? false,
  group: input.group,
  pgSettings: input.pgSettings,
});
