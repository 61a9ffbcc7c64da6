// What the emulator remembers: plain data that survives JSON, and nothing derived. Instants are milliseconds since the
// epoch in the provider's clock. An optional field that is undefined means "none", as documented beside it.
import type { FederationPolicy } from './federation.ts';

export type Instant = number;

/** The service has more; nothing is ever archived, imported or reset here. */
export type BranchState = 'INIT' | 'READY' | 'DELETED';
export type EndpointType = 'ENDPOINT_TYPE_READ_WRITE' | 'ENDPOINT_TYPE_READ_ONLY';
export type AuthMethod = 'LAKEBASE_OAUTH_V1' | 'PG_PASSWORD_SCRAM_SHA_256' | 'NO_LOGIN';
export type IdentityType = 'USER' | 'SERVICE_PRINCIPAL' | 'GROUP' | 'IDENTITY_TYPE_UNSPECIFIED';

interface Recorded {
  id: string;
  /** Order of creation over everything; the key of pagination. */
  sequence: number;
  createdAt: Instant;
  updatedAt: Instant;
}

export interface RoleAttributes {
  bypassrls: boolean;
  createdb: boolean;
  createrole: boolean;
}

export interface RoleRecord extends Recorded {
  /** The name in Postgres: an e-mail, an application id or a plain name. */
  postgresRole: string;
  identityType: IdentityType;
  authMethod: AuthMethod;
  membershipRoles: string[];
  attributes: RoleAttributes;
  /** Only of roles that log in by password. */
  password?: string | undefined;
}

export interface DatabaseRecord extends Recorded {
  postgresDatabase: string;
  /** Id of the owning role in the same branch. */
  roleId: string;
}

export interface EndpointSizes {
  minCU: number;
  maxCU: number;
  /** Undefined: never suspended. */
  suspendSeconds?: number | undefined;
}

export interface EndpointGroup {
  min: number;
  max: number;
  enableReadableSecondaries: boolean;
}

export interface EndpointRecord extends Recorded, EndpointSizes {
  uid: string;
  type: EndpointType;
  disabled: boolean;
  group?: EndpointGroup | undefined;
  pgSettings: Record<string, string>;
  /** Undefined until the data plane listens for it. */
  host?: string | undefined;
  /** While this lies ahead `pending_state` is set and changes are refused. */
  settlesAt?: Instant | undefined;
}

export interface BranchRecord extends Recorded {
  uid: string;
  state: BranchState;
  stateSince: Instant;
  isProtected: boolean;
  /** Undefined on the root branch. */
  source?: BranchSource | undefined;
  /** Undefined: never expires. */
  expiresAt?: Instant | undefined;
  /** Set from the DELETE until the branch is gone. */
  deleting: boolean;
  /** The DELETE was a purge: nothing of it is to be remembered. */
  purging?: boolean | undefined;
  deletedAt?: Instant | undefined;
  purgeAt?: Instant | undefined;
  /** The rows of a deleted branch no longer exist. */
  dataGone: boolean;
  endpoints: Record<string, EndpointRecord>;
  roles: Record<string, RoleRecord>;
  databases: Record<string, DatabaseRecord>;
  /** What roles and databases there were until some change, oldest first, as far back as restores go. */
  former?: FormerBooks[] | undefined;
}

export interface FormerBooks {
  until: Instant;
  roles: Record<string, RoleRecord>;
  databases: Record<string, DatabaseRecord>;
}

export interface BranchSource {
  id: string;
  uid: string;
  /** Of a branch from the past the moment that was reached, else of the fork. */
  time: Instant;
  /** The same as a place in the WAL of the source; undefined until it is known. */
  lsn?: string | undefined;
  /** Made from the past of the source, not from its present. */
  fromPast?: boolean | undefined;
}

export type Level = 'CAN_USE' | 'CAN_MANAGE';

export interface ProjectRecord extends Recorded {
  uid: string;
  /** E-mail or application id of who made it. */
  owner: string;
  displayName: string;
  pgVersion: number;
  historySeconds: number;
  defaultBranch: string;
  endpointDefaults: EndpointSizes & { pgSettings: Record<string, string> };
  nativeLogin: boolean;
  budgetPolicyId?: string | undefined;
  customTags: { key: string; value: string }[];
  /** Level by principal, as set through the permissions API. */
  permissions: Record<string, Level>;
  deletedAt?: Instant | undefined;
  purgeAt?: Instant | undefined;
  /** Live branches by id. */
  branches: Record<string, BranchRecord>;
  /** Soft-deleted ones; several may have had the same id. */
  deletedBranches: BranchRecord[];
}

export type OperationKind = 'Branch' | 'Endpoint' | 'Project' | 'Role' | 'Database';

export interface OperationRecord {
  name: string;
  kind: OperationKind;
  startedAt: Instant;
  done: boolean;
  response?: Record<string, unknown> | undefined;
  error?: { error_code: string; message: string; details: unknown[] } | undefined;
}

export interface EmulatorState {
  format: 1;
  workspaceId: string;
  accountId: string;
  nextSequence: number;
  /** Private key (JWK) that signs tokens; kept, so that a token outlives a restart as it would a redeployment. */
  signingKey: Record<string, unknown>;
  projects: Record<string, ProjectRecord>;
  operations: Record<string, OperationRecord>;
  /** Those that were set through the admin route. */
  federationPolicies?: FederationPolicy[] | undefined;
}

/** The entry under `key`, never something inherited from Object: keys come out of URLs. */
export const entry = <T>(record: Record<string, T>, key: string): T | undefined =>
  Object.hasOwn(record, key) ? record[key] : undefined;

export const projectName = (project: string): string => `projects/${project}`;
export const branchName = (project: string, branch: string): string => `projects/${project}/branches/${branch}`;
export const childName = (
  project: string,
  branch: string,
  collection: 'endpoints' | 'roles' | 'databases',
  id: string,
): string => `${branchName(project, branch)}/${collection}/${id}`;

export const isRoot = (branch: BranchRecord): boolean => branch.source === undefined;

export const childrenOf = (project: ProjectRecord, branch: BranchRecord): BranchRecord[] =>
  Object.values(project.branches).filter((other) => other.source?.uid === branch.uid);
