// Which branch came from which, and where in the WAL: the way back that a restore follows. Kept beside the branches'
// data, because an archive may be needed longer than its branch is known to the API.
import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { parseKept, readIfThere, replaceFile } from '../kept-file.ts';
import { formatLsn, readLsn } from '../lsn.ts';
import type { Lsn } from '../lsn.ts';

export interface Origin {
  readonly parent: string;
  /** Up to here both have the same past. */
  readonly lsn: Lsn;
}

/** A branch on the way back, and how far its own WAL is followed. */
export interface Ancestor {
  readonly uid: string;
  readonly upTo: Lsn;
}

const fileName = 'origin.json';

export class Lineage {
  readonly #folder: string;
  readonly #origins: Map<string, Origin>;

  private constructor(folder: string, origins: Map<string, Origin>) {
    this.#folder = folder;
    this.#origins = origins;
  }

  /** `folder` holds one folder for each branch. */
  static async open(folder: string): Promise<Lineage> {
    const origins = new Map<string, Origin>();
    for (const uid of await readdir(folder)) {
      const path = join(folder, uid, fileName);
      const text = await readIfThere(path);
      if (text !== undefined) origins.set(uid, parseKept(path, text, parseOrigin));
    }
    return new Lineage(folder, origins);
  }

  origin(uid: string): Origin | undefined {
    return this.#origins.get(uid);
  }

  async setOrigin(uid: string, origin: Origin): Promise<void> {
    const text = JSON.stringify({ parent: origin.parent, lsn: formatLsn(origin.lsn) });
    await replaceFile(join(this.#folder, uid, fileName), text);
    this.#origins.set(uid, origin);
  }

  /** From now on the branch stands for itself: nothing of its parent is needed for its history. */
  async cut(uid: string): Promise<void> {
    await rm(join(this.#folder, uid, fileName), { force: true });
    this.#origins.delete(uid);
  }

  /** The branch is no more. */
  forget(uid: string): void {
    this.#origins.delete(uid);
  }

  /** Where the branches part that still need the history of this one. */
  forksOf(uid: string): Lsn[] {
    return [...this.#origins.values()].filter(({ parent }) => parent === uid).map(({ lsn }) => lsn);
  }

  /** The branch itself, its parent and so on. */
  ancestry(uid: string, target: Lsn): Ancestor[] {
    const way: Ancestor[] = [];
    for (let next: Ancestor | undefined = { uid, upTo: target }; next;) {
      way.push(next);
      const origin = this.#origins.get(next.uid);
      next = origin && { uid: origin.parent, upTo: origin.lsn < next.upTo ? origin.lsn : next.upTo };
    }
    return way;
  }
}

function parseOrigin(value: unknown): Origin {
  const { parent, lsn } = value as { parent: string; lsn: string };
  if (typeof parent !== 'string') throw new Error('no parent');
  return { parent, lsn: readLsn(lsn) };
}
