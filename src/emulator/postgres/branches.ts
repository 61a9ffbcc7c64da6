// The instances of all branches in the state folder.
import { mkdir, readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Log } from '../workspace.ts';
import type { Postgres } from './binaries.ts';
import { Instance } from './instance.ts';
import { endLeftOver } from './postmaster.ts';
import type { RunFolder } from './run-folder.ts';

/** Layout: `<state>/branches/<uid>/{data,wal,base}`. */
export class Branches {
  readonly #folder: string;
  readonly #parts: { readonly postgres: Postgres; readonly runFolder: RunFolder; readonly log: Log };
  readonly #instances = new Map<string, Instance>();
  #stopped = false;

  constructor(stateDir: string, parts: { postgres: Postgres; runFolder: RunFolder; log: Log }) {
    this.#folder = foldersOf(stateDir);
    this.#parts = parts;
  }

  /** The instance of a branch, which need not have any data yet. Throws after `stop`. */
  instance(branchUid: string): Instance {
    if (this.#stopped) throw new Error('the emulator is stopping');
    const known = this.#instances.get(branchUid);
    if (known) return known;
    const { postgres, runFolder, log } = this.#parts;
    const instance = new Instance({
      postgres,
      folder: this.#folderOf(branchUid),
      socketDir: runFolder.socketDir(branchUid),
      log: (message, fields) => log(message, { branch: branchUid, ...fields }),
    });
    this.#instances.set(branchUid, instance);
    return instance;
  }

  forget(branchUid: string): void {
    this.#instances.delete(branchUid);
  }

  /** For good: clients that come back at once wake nothing any more. */
  async stop(): Promise<void> {
    this.#stopped = true;
    await Promise.all([...this.#instances.values()].map((instance) => instance.close()));
  }

  #folderOf(branchUid: string): string {
    if (!/^[\w-]+$/.test(branchUid)) throw new Error('a branch uid consists of letters, digits, - and _');
    return join(this.#folder, branchUid);
  }
}

/** Makes the folder of the branches, and ends the postmasters that a killed emulator has left in it. */
export async function tidyBranches(stateDir: string): Promise<void> {
  await mkdir(foldersOf(stateDir), { recursive: true, mode: 0o711 });
  const uids = await readdir(foldersOf(stateDir));
  await Promise.all(uids.map((uid) => endLeftOver(join(foldersOf(stateDir), uid, 'data'))));
}

/** Bytes of the tables and indexes below a data directory; undefined when there is none. */
export async function sizeOfData(dataDir: string): Promise<number | undefined> {
  const files = await readdir(join(dataDir, 'base'), { recursive: true, withFileTypes: true }).catch(() => undefined);
  if (!files) return undefined;
  const sizes = await Promise.all(
    files.filter((file) => file.isFile()).map((file) => sizeOf(join(file.parentPath, file.name))),
  );
  return sizes.reduce((sum, size) => sum + size, 0);
}

/** A file that is gone by now has no size. */
const sizeOf = (path: string): Promise<number> =>
  stat(path).then(
    ({ size }) => size,
    () => 0,
  );

const foldersOf = (stateDir: string): string => join(stateDir, 'branches');
