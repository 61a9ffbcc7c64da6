// Copies a data directory, from a stopped instance or from one at work.
import { cp, mkdir, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { readLsn } from '../lsn.ts';
import type { Lsn } from '../lsn.ts';
import type { AdminClient } from './administer.ts';
import { mustRun, runCommand } from './command.ts';
import { giveTo, makeOwnedFolder } from './owner.ts';
import type { Owner } from './owner.ts';
import { isTimelineHistory, segmentNamed, startOfSegment } from './segments.ts';

/** What belongs to the running process and must not come along. */
const processFiles = ['postmaster.pid', 'postmaster.opts'];

/** Folders whose contents a starting instance makes anew; only the folders themselves are needed. */
const emptiedFolders = [
  'pg_dynshmem',
  'pg_notify',
  'pg_replslot',
  'pg_serial',
  'pg_snapshots',
  'pg_stat_tmp',
  'pg_subtrans',
];

/** Copies the directory of an instance that is not running, and stays so meanwhile. */
export async function copyStopped(source: string, target: string, owner: Owner): Promise<void> {
  await makeOwnedFolder(target, owner);
  const names = (await readdir(source)).filter((name) => !processFiles.includes(name));
  await mustRun('cp', [...copyOptions, '-t', target, ...names.map((name) => join(source, name))]);
}

/** The WAL that makes a copy of a running instance whole. */
export interface Extent {
  readonly start: Lsn;
  readonly end: Lsn;
}

/**
 * Copies the directory of a running instance. What was committed before the call is in the copy; the copy itself is
 * torn, and whole again once an instance has started on it and replayed the WAL of its extent.
 */
export async function copyRunning(client: AdminClient, source: string, target: string, owner: Owner): Promise<Extent> {
  const { extent } = await backUp(client, source, target, owner);
  return extent;
}

/**
 * The same with the WAL in it, up to the end of a segment: an instance that starts on it ends there. Returns that place,
 * where the ways of both part.
 */
export async function forkRunning(client: AdminClient, source: string, target: string, owner: Owner): Promise<Lsn> {
  // Keeps the WAL written from here on from being removed; gone with this connection.
  await client.query("SELECT pg_create_physical_replication_slot('fork_' || pg_backend_pid(), true, true)");
  const { first, last } = await backUp(client, source, target, owner);
  await copySegments(join(source, 'pg_wal'), join(target, 'pg_wal'), { first, last }, owner);
  return startOfSegment((segmentNamed(last) ?? 0n) + 1n);
}

async function backUp(
  client: AdminClient,
  source: string,
  target: string,
  owner: Owner,
): Promise<{ first: string; last: string; extent: Extent }> {
  await makeOwnedFolder(target, owner);
  const start = await placeIn(client, "pg_backup_start('fork', fast => true)");
  await copyFiles(source, target, owner);
  const { last, end, label } = await stopBackup(client);
  await writeFile(join(target, 'backup_label'), label, { mode: 0o600 });
  await giveTo(join(target, 'backup_label'), owner);
  return { first: start.segment, last, extent: { start: readLsn(start.lsn), end: readLsn(end) } };
}

const copyOptions = ['-a', '--reflink=auto'];

async function copyFiles(source: string, target: string, owner: Owner): Promise<void> {
  const left = new Set([...processFiles, ...emptiedFolders, 'pg_wal', 'backup_label', 'tablespace_map']);
  const names = (await readdir(source)).filter((name) => !left.has(name));
  const { code, output } = await runCommand('cp', [
    ...copyOptions,
    '-t',
    target,
    ...names.map((name) => join(source, name)),
  ]);
  if (code !== 0 && !onlyVanished(output)) throw new Error(`copying ${source} failed: ${output.trim().slice(-2000)}`);
  for (const name of [...emptiedFolders, 'pg_wal', 'pg_wal/archive_status', 'pg_wal/summaries']) {
    await makeOwnedFolder(join(target, name), owner);
  }
}

/** Tables are dropped while the copy is under way; the WAL knows. */
function onlyVanished(complaints: string): boolean {
  return complaints
    .split('\n')
    .filter(Boolean)
    .every((line) => line.endsWith(': No such file or directory'));
}

async function placeIn(client: AdminClient, lsn: string): Promise<{ segment: string; lsn: string }> {
  const { rows } = await client.query<{ segment: string; lsn: string }>(
    `SELECT pg_walfile_name(lsn) AS segment, lsn FROM ${lsn} AS lsn`,
  );
  if (!rows[0]) throw new Error('pg_backup_start answered nothing');
  return rows[0];
}

/** Also switches to a new segment, so that the last one is complete. */
async function stopBackup(client: AdminClient): Promise<{ last: string; end: string; label: string }> {
  const { rows } = await client.query<{ last: string; end: string; label: string }>(
    'SELECT pg_walfile_name(lsn) AS last, lsn AS end, labelfile AS label FROM pg_backup_stop(wait_for_archive => false)',
  );
  if (!rows[0]) throw new Error('pg_backup_stop answered nothing');
  return rows[0];
}

/** All segments have the same timeline in front: an instance never leaves the one it has when it is first used. */
async function copySegments(
  source: string,
  target: string,
  { first, last }: { first: string; last: string },
  owner: Owner,
): Promise<void> {
  await mkdir(target, { recursive: true });
  const segments = (await readdir(source)).filter(
    (name) => isTimelineHistory(name) || (segmentNamed(name) !== undefined && name >= first && name <= last),
  );
  for (const segment of segments) {
    await cp(join(source, segment), join(target, segment), { preserveTimestamps: true });
    await giveTo(join(target, segment), owner);
  }
}
