// The process behind guardian.ts: `node guardian-process.ts DIR`. It starts programs in process groups of
// their own, and when its client says so, disappears, or a SIGTERM comes, it ends them and removes DIR.

import { spawn, type ChildProcess } from 'node:child_process';
import { closeSync, mkdirSync, openSync } from 'node:fs';
import { rm } from 'node:fs/promises';

export type Request =
  | {
      readonly do: 'start';
      readonly name: string;
      readonly command: string;
      readonly args: readonly string[];
      readonly env: Readonly<Record<string, string>>;
      readonly endWith: 'SIGTERM' | 'SIGKILL';
      readonly logFile: string;
    }
  | { readonly do: 'signal'; readonly name: string; readonly signal: NodeJS.Signals }
  | { readonly do: 'outlive' }
  | { readonly do: 'end' };

export type Report =
  | { readonly event: 'ready' }
  | { readonly event: 'started'; readonly name: string; readonly pid: number }
  | { readonly event: 'refused'; readonly name: string; readonly why: string }
  | { readonly event: 'ended'; readonly name: string; readonly how: string };

const graceMs = 10_000;

interface Running {
  readonly child: ChildProcess;
  readonly endWith: 'SIGTERM' | 'SIGKILL';
  readonly ended: Promise<void>;
}

const running = new Map<string, Running>();
let outlives = false;
let ending: Promise<void> | undefined;

function handle(request: Request): void {
  switch (request.do) {
    case 'start':
      return start(request);
    case 'signal':
      return signalGroup(running.get(request.name)?.child, request.signal);
    case 'outlive':
      outlives = true;
      return;
    case 'end':
      return endOnce();
  }
}

function start({ name, command, args, env, endWith, logFile }: Extract<Request, { do: 'start' }>): void {
  if (ending) return;
  const log = openSync(logFile, 'a');
  const child = spawn(command, args, { cwd: '/', env, detached: true, stdio: ['ignore', log, log] });
  closeSync(log);
  const ended = new Promise<void>((resolve) => {
    child.on('spawn', () => tell({ event: 'started', name, pid: child.pid ?? 0 }));
    child.on('error', (error) => {
      running.delete(name);
      tell({ event: 'refused', name, why: error.message });
      resolve();
    });
    child.on('exit', (code, signal) => {
      running.delete(name);
      tell({ event: 'ended', name, how: signal ?? `exit code ${code}` });
      resolve();
    });
  });
  running.set(name, { child, endWith, ended });
}

async function end(): Promise<void> {
  await Promise.all([...running.values()].map(endOne));
  // A killed process may still have a write under way.
  await rm(directory, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 });
  process.exit(0);
}

async function endOne({ child, endWith, ended }: Running): Promise<void> {
  signalGroup(child, endWith);
  const timer = setTimeout(() => signalGroup(child, 'SIGKILL'), graceMs);
  await ended;
  clearTimeout(timer);
  signalGroup(child, 'SIGKILL'); // descendants that the first signal left behind
}

/** The group has the number of its first process; signalling it reaches the descendants too. */
function signalGroup(child: ChildProcess | undefined, signal: NodeJS.Signals): void {
  if (child?.pid === undefined) return;
  try {
    process.kill(-child.pid, signal);
  } catch {
    // Already gone.
  }
}

function tell(report: Report): void {
  if (process.connected) process.send?.(report, undefined, undefined, () => undefined);
}

const directory = process.argv[2] ?? '';
if (!directory) throw new Error('usage: guardian-process.ts DIR');

process.on('message', (request: Request) => handle(request));
process.on('disconnect', clientGone);
process.on('beforeExit', endOnce); // outlived its client, and the last program has ended by itself
for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) process.on(signal, endOnce);

mkdirSync(directory, { mode: 0o700 });
tell({ event: 'ready' });
if (!process.connected) clientGone(); // it died while this process was starting

function clientGone(): void {
  if (!outlives) endOnce();
}

function endOnce(): void {
  ending ??= end();
}
