// The port to the provider: what the operator may ask of Lakebase, and what it may rely on.
import type { Branch, BranchRef, Endpoint, EndpointRef, Operation, Project, Role } from './model.ts';
import type { Token } from './token.ts';

export interface CreateBranch {
  readonly project: string;
  readonly id: string;
  /** Id of the source branch in the same project. */
  readonly source: string;
  /** The source as it was then; absent: as it is now. An instant is meant by the clock of the database, and not shifted. */
  readonly past?: { readonly time: Date } | { readonly lsn: string };
  /** Mandatory on every create: an answer lost for ever costs at most the time until then. */
  readonly expireTime: Date;
}

export interface EndpointSize {
  readonly minCU?: number;
  readonly maxCU?: number;
  readonly suspendAfterSeconds?: number;
}

export interface CreateRole {
  readonly roleId: string;
  /** For a service principal its application id. */
  readonly postgresRole: string;
  readonly membershipRoles: readonly string[];
}

export interface Credential {
  readonly token: Token;
  /** When the request was sent, in our clock: the start of the granted life. */
  readonly issueTime: Date;
  /** As the provider granted it, shifted into our clock. */
  readonly expireTime: Date;
}

/**
 * Verbs throw LakebaseError and nothing else. Every call ends within its deadline (30 s), or when `signal` aborts.
 * Reads are repeated on 429, 503 and lost connections within that deadline; writes are repeated only on 429 (the
 * provider did nothing). Minting counts as a read: a token whose answer was lost is known to nobody. Instants are
 * shifted by the measured clock offset, once, here.
 */
export interface LakebaseClient {
  /** Identity of the workspace and principal; for status and for telling apart what an error means. */
  readonly host: string;

  getProject(project: string, signal?: AbortSignal): Promise<Project>;
  /** All branches, all pages, in no order. `showDeleted` adds those that are soft-deleted. */
  listBranches(project: string, options?: { showDeleted?: boolean }, signal?: AbortSignal): Promise<Branch[]>;
  /** May say notFound for some seconds after a create. */
  getBranch(ref: BranchRef, signal?: AbortSignal): Promise<Branch>;
  /** Repeatable: a second POST of the same id is `exists`. Never replaces. */
  createBranch(create: CreateBranch, signal?: AbortSignal): Promise<Operation>;
  /** Repeatable; the value is absolute, undefined means never. Not to be called for a branch whose uid was not compared first. */
  setExpiration(ref: BranchRef, expireTime: Date | undefined, signal?: AbortSignal): Promise<Operation>;
  /** Soft delete. Repeatable; notFound means gone. May be ignored by the provider while the branch is INIT. */
  deleteBranch(ref: BranchRef, signal?: AbortSignal): Promise<Operation>;

  listEndpoints(ref: BranchRef, signal?: AbortSignal): Promise<Endpoint[]>;
  /** Sends leaf masks of the given fields only. `conflict` while the endpoint settles. Restarts the compute. */
  resizeEndpoint(ref: EndpointRef, size: EndpointSize, signal?: AbortSignal): Promise<Operation>;

  listRoles(ref: BranchRef, signal?: AbortSignal): Promise<Role[]>;
  /** A role for a service principal with OAuth login. Repeatable: `exists` when it is there. Never replaces. */
  createRole(ref: BranchRef, role: CreateRole, signal?: AbortSignal): Promise<Operation>;
  /** Replaces the membership list by `membershipRoles`; pass the union of what is there and what is wanted. */
  setRoleMembership(
    ref: BranchRef,
    roleId: string,
    membershipRoles: readonly string[],
    signal?: AbortSignal,
  ): Promise<Operation>;

  /** Each call mints a new token; there is no revoke. `ttlSeconds` 300…3600. */
  mintCredential(ref: EndpointRef, ttlSeconds: number, signal?: AbortSignal): Promise<Credential>;

  getOperation(name: string, signal?: AbortSignal): Promise<Operation>;

  /** The application id of the principal this client logs in as: the Postgres user of the tokens it mints. */
  principal(signal?: AbortSignal): Promise<string>;

  /** Provider's clock minus ours in ms, from the Date header of the last answer; undefined before the first. */
  clockOffsetMs(): number | undefined;
}
