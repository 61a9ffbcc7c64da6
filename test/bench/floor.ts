// The yardstick: a straight-line program that knows the answers. floor-process.ts is the program; this starts it.
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { GuardedProcess, Guardian } from '../control-plane/guardian.ts';
import { waitForLine } from '../stack/process-log.ts';
import type { Provider } from './provider.ts';

/**
 * - `needed`  what no correct program can leave out: claim, create, see the branch, record it, see its endpoint, make the
 *             role and see it, see the source's endpoints, mint, write the Secret, say so
 * - `same`    every call that the operator makes for one object, each once
 */
export type Calls = 'needed' | 'same';

export interface FloorOptions {
  readonly calls: Calls;
  /** The objects that it serves. */
  readonly namespace: string;
  /** How long the provider takes to make a branch: it waits for exactly so long. */
  readonly initMs: number;
  /** And how long to delete one; without it, objects are left alone when they terminate. */
  readonly deleteMs?: number;
}

export interface FloorConfig extends FloorOptions {
  readonly kubeconfig: string;
  readonly ca: string;
  readonly manager: Provider['manager'];
  readonly login: Provider['login'];
}

let started = 0;

export class Floor {
  readonly #process: GuardedProcess;

  constructor(process: GuardedProcess) {
    this.#process = process;
  }

  static async start(
    guardian: Guardian,
    { provider, ...options }: FloorOptions & { readonly kubeconfig: string; readonly provider: Provider },
  ): Promise<Floor> {
    const { ca, manager, login } = provider;
    const name = `floor-${++started}`;
    const file = join(guardian.dir, `${name}.json`);
    const config: FloorConfig = { ...options, ca, manager, login };
    await writeFile(file, JSON.stringify(config), { mode: 0o600 });
    const process = await guardian.start({
      name,
      command: globalThis.process.execPath,
      args: [join(import.meta.dirname, 'floor-process.ts'), file],
    });
    await waitForLine(process, /^watching$/m);
    return new Floor(process);
  }

  async stop(): Promise<void> {
    this.#process.signal('SIGKILL');
    await this.#process.whenEnded();
  }
}
