// Keeps a folder and the processes that work in it, and removes both when it is told to, or when the process
// that asked for them is gone, however it died. The work is done by guardian-process.ts, a process of its own:
// the pipe between the two breaks when this side dies, also by SIGKILL.

import { fork } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Report, Request } from './guardian-process.ts';

export interface ProcessSpec {
  /** Unique among the processes that run; the output goes to `<name>.log` in the folder. */
  readonly name: string;
  readonly command: string;
  readonly args: readonly string[];
  /** The whole environment; PATH and HOME of this process if left out. */
  readonly env?: Readonly<Record<string, string>>;
  /** Sent first when everything ends, followed by SIGKILL after 10 s. SIGKILL if left out. */
  readonly endWith?: 'SIGTERM' | 'SIGKILL';
}

export interface GuardedProcess {
  readonly name: string;
  readonly pid: number;
  readonly logFile: string;
  /** How it ended, e.g. 'exit code 1' or 'SIGKILL'; undefined while it runs. */
  readonly ended: () => string | undefined;
  /** Signals the process and its descendants. */
  signal(name: NodeJS.Signals): void;
  /** Resolves when it has ended. */
  whenEnded(): Promise<void>;
}

export interface Guardian {
  readonly dir: string;
  readonly pid: number;
  /** @throws if the program cannot be started */
  start(spec: ProcessSpec): Promise<GuardedProcess>;
  /** Lets everything go on after this process: it then ends when the guardian, by its pid, gets a SIGTERM. */
  outlive(): Promise<void>;
  /** Ends every process and removes the folder. Safe to call twice. */
  end(): Promise<void>;
}

/** Starts a guardian with a new folder `<prefix>-<random>` for temporary files, which only this user can read. */
export async function startGuardian(prefix: string): Promise<Guardian> {
  const dir = join(tmpdir(), `${prefix}-${randomBytes(6).toString('hex')}`);
  const child = fork(join(import.meta.dirname, 'guardian-process.ts'), [dir], {
    cwd: '/',
    detached: true, // a Ctrl-C in the terminal must not reach it before it has cleaned up
    execArgv: [],
    env: basicEnvironment(),
    stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
  });
  const gone = once(child, 'exit');
  const ready = once(child, 'message');
  await Promise.race([ready, gone.then(() => Promise.reject(new Error(`the guardian could not make ${dir}`)))]);

  const processes = new Map<string, Entry>();
  const waiting = new Map<string, { resolve: (pid: number) => void; reject: (error: Error) => void }>();
  child.on('message', (report: Report) => {
    if (report.event === 'started') waiting.get(report.name)?.resolve(report.pid);
    if (report.event === 'refused') {
      processes.get(report.name)?.end(report.why);
      waiting.get(report.name)?.reject(new Error(`${report.name}: ${report.why}`));
    }
    if (report.event === 'ended') processes.get(report.name)?.end(report.how);
  });
  const allGone = gone.then(() => {
    for (const { reject } of waiting.values()) reject(new Error('the guardian has ended'));
    for (const entry of processes.values()) entry.end('the guardian has ended');
  });
  const send = (request: Request): Promise<void> =>
    new Promise((resolve, reject) => {
      child.send(request, (error) => (error ? reject(new Error('the guardian has ended')) : resolve()));
    });

  return {
    dir,
    pid: child.pid ?? 0,
    async start({ name, command, args, env = basicEnvironment(), endWith = 'SIGKILL' }) {
      const logFile = join(dir, `${name}.log`);
      const before = processes.get(name);
      if (before && before.how === undefined) throw new Error(`${name}: runs already`);
      const entry = new Entry();
      processes.set(name, entry);
      const started = new Promise<number>((resolve, reject) => waiting.set(name, { resolve, reject }));
      const request = send({ do: 'start', name, command, args, env, endWith, logFile });
      const [pid] = await Promise.all([started, request]).finally(() => waiting.delete(name));
      return {
        name,
        pid,
        logFile,
        ended: () => entry.how,
        signal: (signal) => void send({ do: 'signal', name, signal }).catch(() => undefined),
        whenEnded: () => entry.ended,
      };
    },
    async outlive() {
      await send({ do: 'outlive' });
      child.disconnect();
      child.unref();
    },
    async end() {
      if (child.connected) await send({ do: 'end' }).catch(() => undefined);
      else child.kill('SIGTERM');
      await allGone;
    },
  };
}

/** What this side knows of one process. */
class Entry {
  how: string | undefined;
  readonly ended: Promise<void>;
  #resolve: () => void = () => undefined;

  constructor() {
    this.ended = new Promise((resolve) => {
      this.#resolve = resolve;
    });
  }

  end(how: string): void {
    this.how ??= how;
    this.#resolve();
  }
}

function basicEnvironment(): Record<string, string> {
  const { PATH = '', HOME = '' } = process.env;
  return { PATH, HOME };
}
