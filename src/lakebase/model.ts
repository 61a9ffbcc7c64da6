// What the operator knows of Lakebase: plain data, instants as Dates in our clock but for those of the source, short ids instead of paths.

export type BranchState = 'INIT' | 'READY' | 'ARCHIVED' | 'IMPORTING' | 'RESETTING' | 'DELETED' | 'UNKNOWN';

export interface Branch {
  /** The caller-chosen id, the last segment of the name. */
  readonly id: string;
  /** Assigned by the provider; never reused. */
  readonly uid: string;
  readonly project: string;
  readonly state: BranchState;
  readonly isDefault: boolean;
  readonly isProtected: boolean;
  /** Absent on a root branch. The id, not the path. */
  readonly sourceBranch?: string;
  /** By the clock of the database, not shifted into ours: it is compared with what people read off that clock. */
  readonly sourceTime?: Date;
  readonly sourceLsn?: string;
  /** Absent when the branch never expires. */
  readonly expireTime?: Date;
  readonly createTime?: Date;
  /** Present on a soft-deleted branch. */
  readonly deleteTime?: Date;
}

export type EndpointState = 'INIT' | 'ACTIVE' | 'IDLE' | 'DEGRADED' | 'UNKNOWN';

export interface Endpoint {
  readonly id: string;
  readonly uid: string;
  readonly project: string;
  /** The id of the branch it serves. */
  readonly branch: string;
  readonly type: 'READ_WRITE' | 'READ_ONLY' | 'UNKNOWN';
  readonly state: EndpointState;
  /** True while the provider still changes it. */
  readonly pending: boolean;
  /** The direct host; absent right after a create. */
  readonly host?: string;
  readonly minCU?: number;
  readonly maxCU?: number;
  /** Seconds without connections until it sleeps; absent when it never does. */
  readonly suspendAfterSeconds?: number;
}

export interface Role {
  readonly id: string;
  readonly postgresRole: string;
  readonly identityType: string;
  readonly authMethod: string;
  readonly membershipRoles: readonly string[];
}

export interface Project {
  readonly id: string;
  readonly defaultBranch?: string;
  /** Seconds of history kept for point-in-time branches. */
  readonly historyRetentionSeconds?: number;
  readonly pgVersion?: number;
}

/** A long-running change. `done` alone does not mean that the resource is ready. */
export interface Operation {
  readonly name: string;
  readonly done: boolean;
  /** The provider's words when it failed. */
  readonly error?: string;
}

export interface BranchRef {
  readonly project: string;
  readonly branch: string;
}

export interface EndpointRef extends BranchRef {
  readonly endpoint: string;
}
