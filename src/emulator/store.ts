// Where the state is kept between runs. What an answer says is on disk before it is given, so a process killed at any
// moment comes back with everything it had promised.
import { mkdirSync, readFileSync } from 'node:fs';
import { rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseKept } from './kept-file.ts';
import type { EmulatorState } from './state.ts';

export interface Store {
  load(): EmulatorState | undefined;
  /** Replaces what was there, all or nothing. Never called again before it has resolved. */
  save(json: string): Promise<void>;
}

const fileName = 'control-plane.json';

/** One JSON file in `folder`, replaced by renaming; readable by its owner only, because it holds the signing key. */
export function fileStore(folder: string): Store {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const path = join(folder, fileName);
  return {
    load() {
      const json = readIfThere(path);
      return json === undefined ? undefined : parseState(json, path);
    },
    async save(json) {
      const temporary = `${path}.new`;
      await writeFile(temporary, json, { mode: 0o600 });
      await rename(temporary, path);
    },
  };
}

/** For tests of what a restart remembers. */
export function memoryStore(): Store {
  let kept: string | undefined;
  return {
    load: () => (kept === undefined ? undefined : parseState(kept, 'memory')),
    save(json) {
      kept = json;
      return Promise.resolve();
    },
  };
}

/** Nothing is kept. */
export const noStore: Store = { load: () => undefined, save: () => Promise.resolve() };

function readIfThere(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

function parseState(json: string, path: string): EmulatorState {
  return parseKept(path, json, (value) => {
    const state = value as EmulatorState;
    if (state.format !== 1) throw new Error(`format ${String(state.format)} is not known`);
    return state;
  });
}

/**
 * Turns "something changed" into as few writes as the disk can take: changes that arrive during a write share the next.
 * Every change is stored soon by itself; `saved()` resolves once everything changed before the call is.
 */
export class Saver {
  readonly #store: Store;
  readonly #state: EmulatorState;
  readonly #onFailure: (error: unknown) => void;
  #changes = 0;
  #stored = 0;
  #running: Promise<void> | undefined;

  constructor(store: Store, state: EmulatorState, onFailure: (error: unknown) => void) {
    this.#store = store;
    this.#state = state;
    this.#onFailure = onFailure;
  }

  changed(): void {
    if (this.#store === noStore) return;
    this.#changes += 1;
    this.saved().catch(this.#onFailure);
  }

  async saved(): Promise<void> {
    const wanted = this.#changes;
    while (this.#stored < wanted) {
      this.#running ??= this.#write();
      await this.#running;
    }
  }

  async #write(): Promise<void> {
    // Let everything that changes in this turn of the loop come along.
    await Promise.resolve();
    const included = this.#changes;
    try {
      await this.#store.save(JSON.stringify(this.#state));
      this.#stored = included;
    } finally {
      this.#running = undefined;
    }
  }
}
