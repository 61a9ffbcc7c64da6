// What a set-up step that takes minutes owes its user: a sign of life, one clear sentence when it fails,
// and no harm when a second `make` runs beside the first. Plain JavaScript, because it must run on Node 20
// before anything is installed.

import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import {
  closeSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

const heartbeatMs = 2_000;
/** A holder that has not touched its lock for this long is taken for dead, also when its pid cannot be judged. */
const silentMs = 60_000;
const progressMs = 5_000;

/** A failure that is told in one sentence; the stack would only hide it. */
export class SetupError extends Error {
  name = 'SetupError';
}

/** Runs a script's main function; a SetupError becomes one line on stderr and exit code 1. */
export async function runMain(main) {
  try {
    await main();
  } catch (error) {
    if (!(error instanceof SetupError)) throw error;
    process.stderr.write(`${error.message}\n`);
    process.exitCode = 1;
  }
}

/** '4s', '1m05s' */
export function elapsed(sinceMs) {
  const seconds = Math.round((performance.now() - sinceMs) / 1000);
  if (seconds < 60) return `${seconds}s`;
  return `${Math.floor(seconds / 60)}m${String(seconds % 60).padStart(2, '0')}s`;
}

/**
 * Says `label` with the elapsed time every few seconds until `body` has settled.
 * `hint` is said once, at the start; `detail` tells how far it is.
 */
export async function withProgress(label, body, { hint = '', detail = () => '' } = {}) {
  const begun = performance.now();
  const say = (text) => process.stdout.write(`${label}: ${text}\n`);
  say(`started${hint}`);
  const timer = setInterval(() => say(`${elapsed(begun)}${detail()}`), progressMs);
  try {
    const result = await body();
    say(`done in ${elapsed(begun)}`);
    return result;
  } finally {
    clearInterval(timer);
  }
}

/**
 * Runs a command with its output in `logFile`.
 * @throws SetupError that names `what` and the log file, if the command cannot start or does not exit with 0
 */
export async function runLogged(what, logFile, command, args, options = {}) {
  mkdirSync(dirname(logFile), { recursive: true });
  const log = openSync(logFile, 'w');
  try {
    await new Promise((resolve, reject) => {
      const child = spawn(command, args, { ...options, stdio: ['ignore', log, log] });
      child.on('error', (error) => reject(new SetupError(`${what} failed: ${error.message}.`)));
      child.on('exit', (code, signal) =>
        code === 0
          ? resolve()
          : reject(new SetupError(`${what} failed (${signal ?? `exit code ${code}`}); see ${logFile}.`)),
      );
    });
  } finally {
    closeSync(log);
  }
}

/**
 * Runs `body` while holding the lock, a directory that holds its owner's name. A process that finds it taken
 * waits, and says so; a lock whose owner died is taken over.
 */
export async function withLock(lockDir, what, body) {
  mkdirSync(dirname(lockDir), { recursive: true });
  const owner = `${process.pid} ${randomBytes(8).toString('hex')}`;
  const begun = performance.now();
  let nextWord = 0;
  while (!tryLock(lockDir, owner)) {
    breakIfStale(lockDir);
    if (performance.now() >= nextWord) {
      process.stdout.write(`${what}: another process is at it, waiting (${elapsed(begun)})\n`);
      nextWord = performance.now() + progressMs;
    }
    await sleep(200);
  }
  const heartbeat = setInterval(() => touch(lockDir), heartbeatMs);
  try {
    return await body();
  } finally {
    clearInterval(heartbeat);
    if (ownerOf(lockDir) === owner) rmSync(lockDir, { recursive: true, force: true });
  }
}

function tryLock(lockDir, owner) {
  // The name is in the directory before the lock appears under its own name, so a lock never lacks an owner.
  const draft = `${lockDir}.${owner.replace(' ', '-')}`;
  mkdirSync(draft);
  writeFileSync(join(draft, 'owner'), owner);
  try {
    renameSync(draft, lockDir); // fails if lockDir exists, because it is not empty
    return true;
  } catch (error) {
    rmSync(draft, { recursive: true, force: true });
    if (error.code === 'ENOTEMPTY' || error.code === 'EEXIST') return false;
    throw error;
  }
}

function breakIfStale(lockDir) {
  const owner = ownerOf(lockDir);
  if (owner === undefined || !isStale(lockDir, owner)) return;
  const aside = `${lockDir}.stale-${randomBytes(8).toString('hex')}`;
  try {
    renameSync(lockDir, aside);
    // Between the look and the rename a third process may have taken the stale lock over: then it gets it back.
    if (ownerOf(aside) !== owner) renameSync(aside, lockDir);
  } catch {
    return; // somebody else was faster
  }
  rmSync(aside, { recursive: true, force: true });
}

function isStale(lockDir, owner) {
  const pid = Number(owner.split(' ')[0]);
  try {
    process.kill(pid, 0);
  } catch (error) {
    if (error.code === 'ESRCH') return true;
  }
  try {
    return Date.now() - statSync(join(lockDir, 'owner')).mtimeMs > silentMs;
  } catch {
    return false;
  }
}

function ownerOf(lockDir) {
  try {
    return readFileSync(join(lockDir, 'owner'), 'utf8');
  } catch {
    return undefined;
  }
}

function touch(lockDir) {
  try {
    const now = new Date();
    utimesSync(join(lockDir, 'owner'), now, now);
  } catch {
    // The lock was taken away; the next look at it will tell.
  }
}
