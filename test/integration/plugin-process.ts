// The bundled plugin as a person runs it, and all that it ever printed.
import { spawn, type ChildProcess } from 'node:child_process';
import { mkdir, symlink } from 'node:fs/promises';
import { delimiter, dirname, join } from 'node:path';
import { findPsql } from '../postgres-clients.ts';
import { builtBundles } from '../stack/built.ts';
import type { Stack } from '../stack/stack.ts';

export interface Ran {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

export interface RunOptions {
  /** Beside PATH, HOME and KUBECONFIG; undefined takes one away. */
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** Called once it runs. */
  readonly during?: (child: ChildProcess, soFar: () => string) => void | Promise<void>;
}

export class Plugin {
  /** Text of every run but those of `env`, which is meant to print a token. */
  readonly printed: { readonly where: string; readonly text: string }[] = [];
  readonly kubectl: string;
  readonly #env: Readonly<Record<string, string>>;

  private constructor(kubectl: string, env: Readonly<Record<string, string>>) {
    this.kubectl = kubectl;
    this.#env = env;
  }

  /** In a folder of the stack's: under the names by which kubectl finds it, beside a psql. */
  static async install(stack: Stack): Promise<Plugin> {
    const bin = join(stack.dir, 'bin');
    const [{ plugin }, psql] = await Promise.all([builtBundles(), findPsql(), mkdir(bin)]);
    for (const name of ['kubectl-lakebranch', 'kubectl_complete-lakebranch']) await symlink(plugin, join(bin, name));
    await symlink(psql, join(bin, 'psql'));
    const path = [bin, dirname(process.execPath), '/usr/bin', '/bin'].join(delimiter);
    const { kubectl, adminKubeconfig } = stack.cluster;
    return new Plugin(kubectl, { PATH: path, HOME: stack.dir, KUBECONFIG: adminKubeconfig });
  }

  /** `kubectl-lakebranch` with these arguments. */
  run(args: readonly string[], options: RunOptions = {}): Promise<Ran> {
    return this.program('kubectl-lakebranch', args, options);
  }

  async program(command: string, args: readonly string[], { env = {}, during }: RunOptions = {}): Promise<Ran> {
    const merged = Object.entries({ ...this.#env, ...env }).filter(([, value]) => value !== undefined);
    const path = Object.fromEntries(merged)['PATH'] ?? '';
    const child = spawn(command, [...args], {
      env: Object.fromEntries(merged),
      stdio: ['ignore', 'pipe', 'pipe'],
      // A group of its own, so that a signal reaches it as Ctrl-C does: with all that it started.
      detached: true,
    });
    let [out, err] = ['', ''];
    child.stdout.on('data', (chunk: Buffer) => (out += chunk.toString()));
    child.stderr.on('data', (chunk: Buffer) => (err += chunk.toString()));
    const code = new Promise<number>((resolve, reject) => {
      child.on('error', (cause) => reject(new Error(`${command} on ${path}`, { cause })));
      child.on('close', (exit, signal) => resolve(exit ?? (signal ? -1 : 0)));
    });
    await during?.(child, () => out + err);
    const ran = { code: await code, out, err };
    const words = args.join(' ');
    this.printed.push({ where: `stderr of ${words}`, text: ran.err });
    if (args[0] !== 'env') this.printed.push({ where: `stdout of ${words}`, text: ran.out });
    return ran;
  }
}
