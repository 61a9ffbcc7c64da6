// One running PostgreSQL server process. Waits here are for real processes, so they go by the machine's clock.
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { open, readFile, readlink, realpath, rm, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { readIfThere } from '../kept-file.ts';
import type { Postgres } from './binaries.ts';
import { giveTo } from './owner.ts';
import { authentication, configuration } from './settings.ts';

export interface Places {
  readonly dataDir: string;
  readonly socketDir: string;
  readonly logFile: string;
}

export interface Postmaster {
  readonly pid: number;
  /** Resolves when the process is gone, whatever ended it. */
  readonly exited: Promise<void>;
  /** Ends sessions, writes a checkpoint and exits; harder means follow if that takes too long. */
  stop(): Promise<void>;
}

/** Replaying what a killed instance left behind may take this long; replaying an archive, much longer. */
const startDeadlineMs = 60_000;
const replayDeadlineMs = 600_000;
/** After the death of a postmaster its children take a moment to notice; until then a new one is refused. */
const lingerDeadlineMs = 15_000;
const stopPatience: readonly (readonly [NodeJS.Signals, number])[] = [
  ['SIGINT', 10_000],
  ['SIGQUIT', 5_000],
  ['SIGKILL', 5_000],
];

/**
 * Starts an instance that is not running and waits until it accepts connections. `recovery` are settings for this start
 * only, by which it first replays archived WAL.
 */
export async function startPostmaster(
  postgres: Postgres,
  places: Places,
  recovery: readonly string[] = [],
): Promise<Postmaster> {
  await endLeftOver(places.dataDir);
  await configure(postgres, places.dataDir);
  const giveUpAt = performance.now() + lingerDeadlineMs;
  for (;;) {
    const attempt = await tryStart(postgres, places, recovery);
    if (typeof attempt !== 'string') return attempt;
    const lingering = attempt.includes('pre-existing shared memory block');
    if (!lingering || performance.now() > giveUpAt) throw new Error(`PostgreSQL did not start: ${attempt}`);
    await pause(50);
  }
}

/**
 * Ends the postmaster that a killed emulator has left in `dataDir`. Only if the process is a postgres that works in
 * this very folder: the number in an old pid file may belong to anybody by now.
 */
export async function endLeftOver(dataDir: string): Promise<void> {
  const pidFile = join(dataDir, 'postmaster.pid');
  const pid = Number((await readIfThere(pidFile))?.split('\n')[0]);
  if (!Number.isSafeInteger(pid) || pid <= 1) return;
  if (await isPostmasterOf(pid, dataDir)) await endProcess(pid, () => isPostmasterOf(pid, dataDir));
  await rm(pidFile, { force: true });
}

async function isPostmasterOf(pid: number, dataDir: string): Promise<boolean> {
  try {
    const [program, folder] = await Promise.all([readlink(`/proc/${pid}/exe`), readlink(`/proc/${pid}/cwd`)]);
    // A program whose file was replaced since is shown with a remark behind its name.
    return basename(program).split(' ')[0] === 'postgres' && folder === (await realpath(dataDir));
  } catch {
    return false;
  }
}

async function endProcess(pid: number, alive: () => Promise<boolean>): Promise<void> {
  for (const [signal, patienceMs] of stopPatience) {
    try {
      process.kill(pid, signal);
    } catch {
      return;
    }
    const until = performance.now() + patienceMs;
    while (performance.now() < until) {
      if (!(await alive())) return;
      await pause(20);
    }
  }
  throw new Error(`process ${pid}, a PostgreSQL left over from before, does not end`);
}

async function configure(postgres: Postgres, dataDir: string): Promise<void> {
  const files = { 'postgresql.conf': configuration, 'pg_hba.conf': authentication };
  for (const [name, text] of Object.entries(files)) {
    await writeFile(join(dataDir, name), text, { mode: 0o600 });
    await giveTo(join(dataDir, name), postgres.owner);
  }
}

/** A postmaster that is ready, or the reason why there is none. */
async function tryStart(postgres: Postgres, places: Places, recovery: readonly string[]): Promise<Postmaster | string> {
  const log = await open(places.logFile, 'a', 0o600);
  const { size } = await log.stat();
  const settings = recovery.flatMap((setting) => ['-c', setting]);
  const child = spawn(join(postgres.bin, 'postgres'), ['-D', places.dataDir, '-k', places.socketDir, ...settings], {
    ...postgres.owner,
    cwd: places.dataDir,
    env: { LC_ALL: 'C', TZ: 'UTC' },
    stdio: ['ignore', log.fd, log.fd],
    // Ctrl-C in a terminal goes to the whole group; the emulator stops its instances itself, in order.
    detached: true,
  });
  const exited = exitOf(child);
  await log.close();
  const deadlineMs = recovery.length > 0 ? replayDeadlineMs : startDeadlineMs;
  const ready = await Promise.race([exited.then(() => false), untilReady(child, places.dataDir, deadlineMs)]);
  if (ready && child.pid !== undefined) return { pid: child.pid, exited, stop: () => stop(child, exited) };
  await stop(child, exited);
  return (await complaintIn(places.logFile, size)) ?? `it says nothing about why; see ${places.logFile}`;
}

/** Also resolves when the program could not be started at all. */
const exitOf = (child: ChildProcess): Promise<void> =>
  new Promise((resolve) => child.once('exit', () => resolve()).once('error', () => resolve()));

/** PostgreSQL writes its state into the eighth line of its pid file. Resolves with false when it takes too long. */
async function untilReady(child: ChildProcess, dataDir: string, deadlineMs: number): Promise<boolean> {
  const until = performance.now() + deadlineMs;
  while (performance.now() < until && child.pid !== undefined && child.exitCode === null) {
    const lines = ((await readIfThere(join(dataDir, 'postmaster.pid'))) ?? '').split('\n');
    if (Number(lines[0]) === child.pid && lines[7]?.trim() === 'ready') return true;
    await pause(10);
  }
  return false;
}

async function stop(child: ChildProcess, exited: Promise<void>): Promise<void> {
  for (const [signal, patienceMs] of stopPatience) {
    if (child.exitCode !== null || child.signalCode !== null || !child.kill(signal)) return;
    const impatience = new AbortController();
    const tooLong = pause(patienceMs, undefined, { signal: impatience.signal }).catch(() => undefined);
    await Promise.race([exited, tooLong]);
    impatience.abort();
  }
}

async function complaintIn(logFile: string, from: number): Promise<string | undefined> {
  const text = (await readFile(logFile)).subarray(from).toString('utf8').trim();
  const lines = text.split('\n').filter(Boolean);
  const complaint = lines.find((line) => /(FATAL|PANIC): /.test(line)) ?? lines.at(-1);
  return complaint?.replace(/^.*?(FATAL|PANIC): +/, '');
}
