// A data plane without data: invents hosts and remembers what it was asked, for tests of everything but the rows.
import { formatLsn, readLsn } from './lsn.ts';
import type { DataPlane, Point, PostgresRole } from './data-plane.ts';

export interface NoDataPlane extends DataPlane {
  /** Uids of the branches that exist. */
  branchUids(): string[];
  /** Names of the Postgres roles of a branch. */
  roleNames(branchUid: string): string[];
  /** Names of the databases of a branch. */
  databaseNames(branchUid: string): string[];
  /** From now on an endpoint says this. */
  setActivity(endpointUid: string, state: 'ACTIVE' | 'IDLE', lastActive?: Date): void;
}

interface Instance {
  roles: Map<string, PostgresRole>;
  databases: Map<string, string>;
}

interface OpenEndpoint {
  branchUid: string;
  state: 'ACTIVE' | 'IDLE';
  lastActive: Date | undefined;
}

/** Without WAL the positions are the instants themselves, in milliseconds: so they only grow, and each has its time. */
const pointOf = (time: number): Point => ({ time, lsn: formatLsn(BigInt(time)) });
const pointNamed = (lsn: string): Point => ({ time: Number(readLsn(lsn)), lsn });

export function noDataPlane(): NoDataPlane {
  const instances = new Map<string, Instance>();
  const endpoints = new Map<string, OpenEndpoint>();
  // Nothing of it outlives the process, the books do: what it has not heard of is taken for an empty one.
  const instance = (branchUid: string): Instance => {
    const found = instances.get(branchUid) ?? { roles: new Map(), databases: new Map() };
    instances.set(branchUid, found);
    return found;
  };
  const done = (): Promise<void> => Promise.resolve();
  const copy = (branchUid: string, sourceUid: string): Promise<void> => {
    const source = instance(sourceUid);
    instances.set(branchUid, { roles: new Map(source.roles), databases: new Map(source.databases) });
    return done();
  };

  return {
    createRoot(branchUid) {
      instances.set(branchUid, { roles: new Map(), databases: new Map([['databricks_postgres', 'postgres']]) });
      return done();
    },
    fork: (branchUid, sourceUid) => copy(branchUid, sourceUid).then(() => undefined),
    pointAt: (_branchUid, target) => Promise.resolve('time' in target ? pointOf(target.time) : pointNamed(target.lsn)),
    restore: copy,
    keepHistory: done,
    destroy(branchUid) {
      instances.delete(branchUid);
      return done();
    },
    putRole(branchUid, role) {
      instance(branchUid).roles.set(role.name, role);
      return done();
    },
    dropRole(branchUid, name) {
      instance(branchUid).roles.delete(name);
      return done();
    },
    isIdentityRole: () => Promise.resolve(false),
    createDatabase(branchUid, name, owner) {
      instance(branchUid).databases.set(name, owner);
      return done();
    },
    alterDatabase(branchUid, name, change) {
      const { databases } = instance(branchUid);
      const owner = change.owner ?? databases.get(name) ?? 'postgres';
      databases.delete(name);
      databases.set(change.rename ?? name, owner);
      return done();
    },
    dropDatabase(branchUid, name) {
      instance(branchUid).databases.delete(name);
      return done();
    },
    openEndpoint(endpointUid, branchUid) {
      if (!endpoints.has(endpointUid))
        endpoints.set(endpointUid, { branchUid, state: 'ACTIVE', lastActive: undefined });
      return Promise.resolve(`${endpointUid}.emulator.test`);
    },
    closeEndpoint(endpointUid) {
      endpoints.delete(endpointUid);
      return done();
    },
    restartEndpoint: done,
    setSuspend: done,
    endpointActivity(endpointUid) {
      const { state, lastActive } = endpoints.get(endpointUid) ?? { state: 'IDLE', lastActive: undefined };
      return { state, lastActive };
    },
    sizeOf: () => Promise.resolve(undefined),
    stop: done,

    branchUids: () => [...instances.keys()],
    roleNames: (branchUid) => [...instance(branchUid).roles.keys()],
    databaseNames: (branchUid) => [...instance(branchUid).databases.keys()],
    setActivity(endpointUid, state, lastActive) {
      const endpoint = endpoints.get(endpointUid);
      if (endpoint) Object.assign(endpoint, { state, lastActive });
    },
  };
}
