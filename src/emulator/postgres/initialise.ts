// Makes the data directory of a root branch.
import { join } from 'node:path';
import type { Postgres } from './binaries.ts';
import { mustRun } from './command.ts';
import { defaultDatabase, instanceSuperuser, superuserGroup } from './names.ts';
import { walSegmentMegabytes } from './settings.ts';

// Everything that a branch has before anybody has done anything. The grants in template1 reach later databases.
const statements = [
  `CREATE ROLE ${superuserGroup} NOLOGIN CREATEDB CREATEROLE BYPASSRLS`,
  `GRANT pg_read_all_data, pg_write_all_data, pg_maintain, pg_monitor, pg_signal_backend TO ${superuserGroup}`,
  `GRANT ALL ON SCHEMA public TO ${superuserGroup}`,
  `CREATE DATABASE ${defaultDatabase} STRATEGY file_copy`,
  `GRANT ALL ON DATABASE ${defaultDatabase} TO ${superuserGroup}`,
];

/** Fills the empty folder `dataDir`, which belongs to the owner of the instances. */
export async function initialise(postgres: Postgres, dataDir: string): Promise<void> {
  const { bin, owner } = postgres;
  await mustRun(join(bin, 'initdb'), initdbArguments(dataDir), { owner });
  // A single process without a socket: when it has ended well, the directory is complete.
  await mustRun(join(bin, 'postgres'), ['--single', '-j', '-c', 'exit_on_error=true', '-D', dataDir, 'template1'], {
    owner,
    input: statements.map((statement) => `${statement};\n\n`).join(''),
  });
}

const initdbArguments = (dataDir: string): string[] => [
  `--pgdata=${dataDir}`,
  `--username=${instanceSuperuser}`,
  '--auth=trust',
  '--encoding=UTF8',
  '--locale=C',
  '--locale-provider=builtin',
  '--builtin-locale=C.UTF-8',
  `--wal-segsize=${walSegmentMegabytes}`,
  '--no-sync',
  '--no-instructions',
];
