// Two operators that stand by for each other, kept running as a Deployment would; and, when asked for, a third one that
// leads without asking anybody.
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { GuardedProcess, Guardian } from '../control-plane/guardian.ts';
import { operatorNamespace } from '../stack/operator.ts';
import { logOf } from '../stack/process-log.ts';

export type OperatorName = 'operator-a' | 'operator-b' | 'rogue';
const regular = ['operator-a', 'operator-b'] as const;

/** A process that ended by itself is started again so soon. */
const restartMs = 300;

export class Operators {
  readonly #guardian: Guardian;
  readonly #bundle: string;
  readonly #running = new Map<OperatorName, GuardedProcess>();
  /** By the supervisor that keeps it running: one that is ended and started again has another. */
  readonly #wanted = new Map<OperatorName, symbol>();
  readonly #supervisors: Promise<void>[] = [];
  #starts = 0;

  constructor(guardian: Guardian, bundle: string) {
    this.#guardian = guardian;
    this.#bundle = bundle;
  }

  async logIn(kubeconfig: string): Promise<void> {
    await writeFile(this.#kubeconfig, kubeconfig, { mode: 0o600 });
  }

  get #kubeconfig(): string {
    return join(this.#guardian.dir, 'operator.kubeconfig');
  }

  /** How often any of them was started. */
  get starts(): number {
    return this.#starts;
  }

  async startAll(): Promise<void> {
    for (const name of regular) await this.start(name);
  }

  /** From now on it runs; when it ends, however, it is started again. */
  async start(name: OperatorName): Promise<void> {
    if (this.#wanted.has(name)) return;
    const supervisor = Symbol(name);
    this.#wanted.set(name, supervisor);
    await this.#launch(name);
    this.#supervisors.push(this.#supervise(name, supervisor));
  }

  /** SIGKILL, for good. */
  async end(name: OperatorName): Promise<void> {
    this.#wanted.delete(name);
    await this.kill(name);
  }

  /** SIGKILL; it comes back by itself. */
  async kill(name: OperatorName): Promise<void> {
    const process = this.#running.get(name);
    process?.signal('SIGKILL');
    await process?.whenEnded();
  }

  freeze(name: OperatorName): void {
    this.#running.get(name)?.signal('SIGSTOP');
  }

  thaw(name: OperatorName): void {
    this.#running.get(name)?.signal('SIGCONT');
  }

  /** Also those who should be idle. */
  thawAll(): void {
    for (const process of this.#running.values()) process.signal('SIGCONT');
  }

  async stop(): Promise<void> {
    this.#wanted.clear();
    for (const process of this.#running.values()) process.signal('SIGKILL');
    await Promise.allSettled(this.#supervisors);
  }

  /** Everything that they wrote. */
  async logs(): Promise<string> {
    const names: readonly OperatorName[] = [...regular, 'rogue'];
    return (await Promise.all(names.map((name) => logOf(join(this.#guardian.dir, `${name}.log`))))).join('');
  }

  async #launch(name: OperatorName): Promise<void> {
    this.#starts += 1;
    const process = await this.#guardian.start({
      name,
      command: globalThis.process.execPath,
      args: [this.#bundle],
      env: {
        PATH: globalThis.process.env['PATH'] ?? '',
        KUBECONFIG: this.#kubeconfig,
        LAKEBRANCH_NAMESPACE: operatorNamespace,
        LAKEBRANCH_HTTP_HOST: '127.0.0.1',
        LAKEBRANCH_HTTP_PORT: '0',
        LAKEBRANCH_LEADER_ELECTION: String(name !== 'rogue'),
        POD_NAME: name,
      },
    });
    this.#running.set(name, process);
  }

  async #supervise(name: OperatorName, supervisor: symbol): Promise<void> {
    while (this.#wanted.get(name) === supervisor) {
      await this.#running.get(name)?.whenEnded();
      await new Promise((resolve) => setTimeout(resolve, restartMs));
      if (this.#wanted.get(name) === supervisor) await this.#launch(name);
    }
  }
}
