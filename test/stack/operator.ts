// The bundled operator as a process: under its own ServiceAccount, with the rights that were installed and no others.
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fetch } from 'undici';
import type { GuardedProcess, Guardian } from '../control-plane/guardian.ts';
import type { Cluster } from './cluster.ts';
import { runKubectl } from './kubectl.ts';
import { logOf, waitForLine } from './process-log.ts';

export const operatorNamespace = 'lakebranch-system';

/** One line of its log. */
export interface LogLine {
  readonly level: string;
  readonly time: string;
  readonly msg: string;
  readonly [field: string]: unknown;
}

export interface OperatorOptions {
  readonly bundle: string;
  readonly env: Readonly<Record<string, string>>;
}

export class OperatorProcess {
  readonly #guardian: Guardian;
  readonly #options: OperatorOptions;
  readonly #kubeconfig: string;
  #running: GuardedProcess | undefined;
  #httpPort = 0;

  constructor(guardian: Guardian, options: OperatorOptions) {
    this.#guardian = guardian;
    this.#options = options;
    this.#kubeconfig = join(guardian.dir, 'operator.kubeconfig');
  }

  get logFile(): string {
    return join(this.#guardian.dir, 'operator.log');
  }

  /** Gives it a token of its ServiceAccount, which must exist. */
  async logIn(cluster: Cluster): Promise<void> {
    const args = ['create', 'token', 'lakebranch', `--namespace=${operatorNamespace}`, '--duration=24h'];
    const token = await runKubectl(cluster, args);
    await writeFile(this.#kubeconfig, cluster.kubeconfigFor(token), { mode: 0o600 });
  }

  /** Resolves when it leads. */
  async start(): Promise<void> {
    const before = (await logOf(this.logFile)).length;
    const running = await this.#guardian.start({
      name: 'operator',
      command: process.execPath,
      args: [this.#options.bundle],
      env: {
        PATH: process.env['PATH'] ?? '',
        KUBECONFIG: this.#kubeconfig,
        LAKEBRANCH_NAMESPACE: operatorNamespace,
        LAKEBRANCH_HTTP_HOST: '127.0.0.1',
        LAKEBRANCH_HTTP_PORT: '0',
        // The same name every time: after a SIGKILL the next process need not wait for the Lease to run out.
        POD_NAME: 'lakebranch-0',
        ...this.#options.env,
      },
      endWith: 'SIGTERM',
    });
    this.#running = running;
    const [, port] = await waitForLine(running, /"httpPort":(\d+)[^]*"msg":"leading"/, before);
    this.#httpPort = Number(port);
  }

  /** SIGTERM: it finishes what it writes and hands the Lease back. */
  stop(): Promise<void> {
    return this.#end('SIGTERM');
  }

  kill(): Promise<void> {
    return this.#end('SIGKILL');
  }

  /** How it ended; undefined while it runs. */
  ended(): string | undefined {
    return this.#running ? this.#running.ended() : 'never started';
  }

  async metrics(): Promise<string> {
    const response = await fetch(`http://127.0.0.1:${this.#httpPort}/metrics`);
    return response.text();
  }

  /** All lines since the first start. */
  async log(): Promise<LogLine[]> {
    const lines = (await logOf(this.logFile)).split('\n').filter((line) => line.startsWith('{') && line.endsWith('}'));
    return lines.map((line) => JSON.parse(line) as LogLine);
  }

  async #end(signal: NodeJS.Signals): Promise<void> {
    this.#running?.signal(signal);
    await this.#running?.whenEnded();
  }
}
