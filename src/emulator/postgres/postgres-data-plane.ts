// The data plane with rows in it: a PostgreSQL instance for every branch, behind a proxy that clients reach by TLS.
import type { Clock } from '../../kit/clock.ts';
import { openCertificateAuthority } from '../certificates.ts';
import type { DataPlane } from '../data-plane.ts';
import { readLsn } from '../lsn.ts';
import type { Authorize } from '../proxy/gate.ts';
import type { Log } from '../workspace.ts';
import { preparePostgres } from './binaries.ts';
import { Branches, tidyBranches } from './branches.ts';
import { alterDatabase, createDatabase, databaseNames, dropDatabase } from './databases.ts';
import { Endpoints } from './endpoints.ts';
import type { HostMode } from './endpoints.ts';
import { initialise } from './initialise.ts';
import { findOwner, makeReachable } from './owner.ts';
import { dropRole, isIdentityRole, putRole } from './roles.ts';
import { openRunFolder } from './run-folder.ts';
import { sizeOfData } from './size.ts';
import type { AdminClient } from './administer.ts';

export interface PostgresDataPlaneOptions {
  /** Holds the branches, the certificate authority and the addresses; made if it is not there. */
  readonly stateDir: string;
  /** TCP port of every endpoint. */
  readonly pgPort: number;
  readonly hostMode: HostMode;
  /** Decides who may log in; the proxy asks it once per connection. */
  readonly authorize: Authorize;
  /** Only for falling asleep; processes and clients, and so the past of a branch, live by the machine's clock. */
  readonly clock: Clock;
  /** After how many bytes of WAL a branch gets a fresh base copy. Default: 256 MB. */
  readonly baseEveryBytes?: number;
  readonly log: Log;
}

/** The database in which what concerns the whole instance is done. */
const maintenanceDatabase = 'postgres';

const usualBaseEveryBytes = 256 * 2 ** 20;

/**
 * Starts without any instance running: each wakes at its first connection. Endpoints are opened again by the caller,
 * who gets the same hosts as before. Rejects with one clear sentence when something outside is in the way.
 */
export async function createPostgresDataPlane(options: PostgresDataPlaneOptions): Promise<DataPlane> {
  const { stateDir, log, baseEveryBytes = usualBaseEveryBytes } = options;
  const owner = await findOwner();
  await makeReachable(stateDir, owner);
  const runFolder = await openRunFolder(stateDir);
  try {
    await tidyBranches(stateDir);
    const sources = { configured: process.env['LAKEBRANCH_POSTGRES_BIN'], path: process.env['PATH'] };
    const postgres = await preparePostgres(stateDir, owner, sources);
    const branches = await Branches.open(stateDir, { postgres, runFolder, log, baseEveryBytes });
    const certificates = await openCertificateAuthority(stateDir);
    const endpoints = await Endpoints.start({ ...options, certificates });
    const stop = async (): Promise<void> => {
      await branches.stop();
      await endpoints.stop();
      await runFolder.close();
    };
    return dataPlaneOf(branches, endpoints, (dataDir) => initialise(postgres, dataDir), stop);
  } catch (error) {
    await runFolder.close();
    throw error;
  }
}

function dataPlaneOf(
  branches: Branches,
  endpoints: Endpoints,
  fillRoot: (dataDir: string) => Promise<void>,
  stop: () => Promise<void>,
): DataPlane {
  async function administer<T>(branchUid: string, work: (client: AdminClient) => Promise<T>): Promise<T> {
    try {
      return await branches.instance(branchUid).administer(maintenanceDatabase, work);
    } finally {
      endpoints.touch(branchUid);
    }
  }

  async function inEachDatabase(branchUid: string, work: (client: AdminClient) => Promise<void>): Promise<void> {
    for (const database of await administer(branchUid, databaseNames)) {
      await branches.instance(branchUid).administer(database, work);
    }
  }

  /** A killed instance is woken to look into its past, and has to fall asleep again. */
  function touchIfAwake(branchUid: string): void {
    if (branches.instance(branchUid).running) endpoints.touch(branchUid);
  }

  return {
    async createRoot(branchUid) {
      await branches.makeRoot(branchUid, fillRoot);
      endpoints.touch(branchUid);
    },
    async fork(branchUid, sourceUid) {
      const lsn = await branches.fork(branchUid, sourceUid);
      endpoints.touch(sourceUid);
      endpoints.touch(branchUid);
      return lsn;
    },
    async pointAt(branchUid, target) {
      const point = await branches.pointAt(branchUid, target);
      touchIfAwake(branchUid);
      return point;
    },
    async restore(branchUid, sourceUid, lsn) {
      await branches.restore(branchUid, sourceUid, readLsn(lsn));
      touchIfAwake(sourceUid);
      endpoints.touch(branchUid);
    },
    async keepHistory(branchUid, seconds) {
      branches.instance(branchUid).history.keep(seconds);
      await branches.instance(branchUid).history.tidy();
    },
    async destroy(branchUid) {
      for (const uid of endpoints.ofBranch(branchUid)) await endpoints.close(uid);
      await branches.destroy(branchUid);
    },

    putRole: (branchUid, role) => administer(branchUid, (client) => putRole(client, role)),
    dropRole: (branchUid, name, heir) =>
      administer(branchUid, (client) => dropRole((work) => inEachDatabase(branchUid, work), client, { name, heir })),
    isIdentityRole: (branchUid, name) => administer(branchUid, (client) => isIdentityRole(client, name)),
    createDatabase: (branchUid, name, databaseOwner) =>
      administer(branchUid, (client) => createDatabase(client, name, databaseOwner)),
    alterDatabase: (branchUid, name, change) => administer(branchUid, (client) => alterDatabase(client, name, change)),
    dropDatabase: (branchUid, name) => administer(branchUid, (client) => dropDatabase(client, name)),

    openEndpoint: async (endpointUid, branchUid) =>
      endpoints.open(endpointUid, branchUid, branches.instance(branchUid)),
    closeEndpoint: (endpointUid) => endpoints.close(endpointUid),
    async restartEndpoint(endpointUid) {
      await endpoints.get(endpointUid)?.instance.restart();
    },
    setSuspend(endpointUid, seconds) {
      endpoints.get(endpointUid)?.activity.setSuspend(seconds);
      return Promise.resolve();
    },
    endpointActivity(endpointUid) {
      const activity = endpoints.get(endpointUid)?.activity;
      return { state: activity?.state ?? 'IDLE', lastActive: activity?.lastActive };
    },
    sizeOf: async (branchUid) => sizeOfData(branches.instance(branchUid).dataDir),
    stop,
  };
}
