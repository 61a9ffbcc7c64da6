// A Docker daemon for the e2e: the one that answers already; else, for root on Debian and its like, one of our own
// that lives in namespaces of its own, so that ending one process ends its containers, mounts and network with it.

import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, globSync, mkdirSync, openSync, readFileSync, rmdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { $ } from 'zx';
import { installPackages, mayInstall } from './debian.ts';
import { keepSysctls } from './sysctls.ts';

export interface Docker {
  /** Whose it is, for people. */
  readonly what: string;
  /** What programs that talk to it need in their environment. */
  readonly env: Readonly<Record<string, string>>;
  /** Goes before programs that connect to what its containers publish. */
  readonly enter: readonly string[];
  /** Ends it, if it is ours. */
  stop(): Promise<void>;
}

/** There is no Docker, or nothing to run on it, and none can be had: the e2e is skipped. The message says what would help. */
export class NoDocker extends Error {
  override readonly name = 'NoDocker';
}

const remedy = 'Install Docker and start it, then run make e2e again';

/** `folder` keeps the images of a daemon of our own. @throws NoDocker */
export async function findDocker(folder: string): Promise<Docker> {
  if (await answers()) return { what: 'the Docker at hand', env: {}, enter: [], stop: () => Promise.resolve() };
  if (!mayInstall())
    throw new NoDocker(
      `no Docker daemon answers, and only root on a Debian-like Linux can have one started here. ${remedy}`,
    );
  try {
    await installPackages(['docker.io', 'iproute2', 'iptables', 'jq', 'util-linux']);
    return await startDaemon(folder);
  } catch (error) {
    throw new NoDocker(`no Docker daemon answers, and none could be started: ${(error as Error).message}. ${remedy}`);
  }
}

/** A daemon that hangs takes the call and says nothing. */
const answerSeconds = 20;

const answers = async (env: Readonly<Record<string, string>> = {}): Promise<boolean> => {
  const sh = $({ nothrow: true, quiet: true, env: { ...process.env, ...env }, timeout: `${answerSeconds}s` });
  return (await sh`docker info`).exitCode === 0;
};

const startSeconds = 60;

async function startDaemon(folder: string): Promise<Docker> {
  const run = join(folder, 'run');
  rmSync(run, { recursive: true, force: true }); // of a daemon that was killed
  mkdirSync(run, { recursive: true });
  const socket = `unix://${join(run, 'docker.sock')}`;
  const log = join(folder, 'dockerd.log');
  const restoreSysctls = keepSysctls(join(folder, 'sysctls.json'));
  const box = startBox(daemonArguments(folder, run, socket), log);
  const stop = async (): Promise<void> => {
    await endBox(box);
    restoreSysctls();
    removeControlGroups();
    rmSync(run, { recursive: true, force: true });
  };
  try {
    const env = { DOCKER_HOST: socket };
    for (const end = Date.now() + startSeconds * 1000; !(await answers(env)); await sleep(200))
      if (box.exitCode !== null || Date.now() > end) throw new Error(`dockerd does not run: ${lastLine(log)}`);
    const enter = ['nsenter', `--target=${firstProcess(box)}`, '--net', '--'];
    return { what: 'a Docker daemon of our own', env, enter, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

function daemonArguments(folder: string, run: string, socket: string): string[] {
  const files = ['--data-root', join(folder, 'data'), '--exec-root', join(run, 'exec'), '--pidfile', join(run, 'pid')];
  // Images are made without network, and kind brings a network of its own.
  const args = [...files, '--host', socket, '--bridge', 'none'];
  if (hasSysResource()) return args;
  const runtime = join(import.meta.dirname, 'runc-without-sys-resource');
  return [...args, '--add-runtime', `limited=${runtime}`, '--default-runtime', 'limited'];
}

/** setpriv ends the box when this process is gone, however it died. */
function startBox(args: readonly string[], log: string): ChildProcess {
  const output = openSync(log, 'w');
  const namespaces = ['--mount', '--pid', '--net', '--fork', '--kill-child', '--mount-proc'];
  const inside = 'ip link set lo up; exec docker-init -- dockerd "$@"';
  const command = ['--pdeathsig', 'KILL', 'unshare', ...namespaces, 'sh', '-c', inside, 'dockerd', ...args];
  // Detached: a Ctrl-C is for us, who then end it in order.
  const box = spawn('setpriv', command, { stdio: ['ignore', output, output], detached: true });
  closeSync(output);
  box.on('error', () => undefined); // told by what waits for it
  return box;
}

async function endBox(box: ChildProcess): Promise<void> {
  if (box.exitCode !== null || box.signalCode !== null || box.pid === undefined) return;
  const gone = once(box, 'exit');
  const first = firstProcess(box);
  if (first !== undefined) process.kill(first, 'SIGTERM');
  await Promise.race([gone, sleep(20_000)]);
  if (box.exitCode === null && box.signalCode === null) box.kill('SIGKILL');
  await gone;
}

/** What Docker and the kubelet have made and nobody is in any more: the kernel keeps those that somebody is in. */
function removeControlGroups(): void {
  const groups = globSync('/sys/fs/cgroup/{,*/}docker/**/');
  for (const group of groups.toSorted((one, other) => other.length - one.length)) {
    try {
      rmdirSync(group);
    } catch {
      // In use, or a group of another daemon.
    }
  }
}

/** The pid, outside, of the first process inside. */
function firstProcess(box: ChildProcess): number | undefined {
  try {
    const children = readFileSync(`/proc/${box.pid}/task/${box.pid}/children`, 'utf8');
    return Number.parseInt(children, 10) || undefined;
  } catch {
    return undefined;
  }
}

function hasSysResource(): boolean {
  const mask = /^CapBnd:\s*(\S+)$/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1] ?? '0';
  return ((BigInt(`0x${mask}`) >> 24n) & 1n) === 1n;
}

const lastLine = (file: string): string => readFileSync(file, 'utf8').trim().split('\n').at(-1) ?? '';
