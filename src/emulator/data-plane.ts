// What the emulator's control plane asks of whatever holds the rows. Two implementations: postgres/ (real PostgreSQL)
// and `noDataPlane` (tests and benchmarks of the control plane alone).

export interface PostgresRole {
  readonly name: string;
  readonly login: boolean;
  readonly superuserMember: boolean;
  readonly createdb: boolean;
  readonly createrole: boolean;
  readonly bypassrls: boolean;
}

/** A moment in the past of a branch. Instants are those of the data plane, which knows of no skew. */
export interface Point {
  /** Milliseconds since the epoch. */
  readonly time: number;
  /** The place in the WAL, like `0/1A2B3C`: every commit before it had been made at that time, none after it. */
  readonly lsn: string;
}

/** What somebody wants to go back to. The text of an LSN is well-formed. */
export type PastTarget = { readonly time: number } | { readonly lsn: string };

/** What a connection is let through to, decided by the control plane; the proxy only asks. */
export type LoginVerdict =
  { readonly ok: true } | { readonly ok: false; readonly sqlState: string; readonly message: string };

export interface DataPlane {
  /** Makes the instance of a root branch, with database `databricks_postgres`. Repeatable from an empty directory. */
  createRoot(branchUid: string): Promise<void>;
  /**
   * A copy of the source as of now: every commit acknowledged before the call is in it. The source stays usable.
   * Returns the place in its WAL where both part, if it has any.
   */
  fork(branchUid: string, sourceUid: string): Promise<string | undefined>;
  /** The last moment of the branch at or before the target that it can be restored to. */
  pointAt(branchUid: string, target: PastTarget): Promise<Point | 'beforeHistory' | 'beyondHead'>;
  /** A branch with exactly the commits of the source before `lsn`, which is one of a point that `pointAt` returned. */
  restore(branchUid: string, sourceUid: string, lsn: string): Promise<void>;
  /** How long the past of the branch has to stay reachable. What is older may go. */
  keepHistory(branchUid: string, seconds: number): Promise<void>;
  /** Stops the instance and removes its files, but for those of its past that descendants need. Repeatable. */
  destroy(branchUid: string): Promise<void>;

  /** Creates or alters the role. */
  putRole(branchUid: string, role: PostgresRole): Promise<void>;
  dropRole(branchUid: string, name: string, reassignOwnedTo?: string): Promise<void>;
  /** Whether SQL's `databricks_create_role` made the role: then a token opens it, though the API never heard of it. */
  isIdentityRole(branchUid: string, name: string): Promise<boolean>;
  createDatabase(branchUid: string, name: string, owner: string): Promise<void>;
  alterDatabase(branchUid: string, name: string, change: { rename?: string; owner?: string }): Promise<void>;
  dropDatabase(branchUid: string, name: string): Promise<void>;

  /** Listens for clients of this endpoint; returns the host they must use. Kept for the life of the endpoint. */
  openEndpoint(endpointUid: string, branchUid: string): Promise<string>;
  /** Ends its sessions and frees nothing that a later endpoint could be mistaken for. Repeatable. */
  closeEndpoint(endpointUid: string): Promise<void>;
  /** Ends sessions of the endpoint and restarts its compute, as a change of size does. */
  restartEndpoint(endpointUid: string): Promise<void>;
  /** Seconds without sessions until the instance is stopped; undefined means never. A connection wakes it. */
  setSuspend(endpointUid: string, seconds: number | undefined): Promise<void>;
  endpointActivity(endpointUid: string): { readonly state: 'ACTIVE' | 'IDLE'; readonly lastActive: Date | undefined };

  /** Bytes of the branch's data, for `logical_size_bytes`. */
  sizeOf(branchUid: string): Promise<number | undefined>;
  stop(): Promise<void>;
}
