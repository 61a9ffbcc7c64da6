// The instances of all branches in the state folder, and how one is made of another.
import { mkdir, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { PastTarget, Point } from '../data-plane.ts';
import { formatLsn, readLsn } from '../lsn.ts';
import type { Lsn } from '../lsn.ts';
import type { Log } from '../workspace.ts';
import { listBases, newestBase } from './bases.ts';
import type { Postgres } from './binaries.ts';
import { readControlFile } from './control-file.ts';
import { copyStopped } from './copy.ts';
import { isEnded, removeFolder } from './folders.ts';
import { Instance } from './instance.ts';
import type { Beginning } from './instance.ts';
import { Lineage } from './lineage.ts';
import { giveTo, makeOwnedFolder } from './owner.ts';
import { endLeftOver } from './postmaster.ts';
import { layOut, planReplay, stretchOf } from './replay.ts';
import type { RunFolder } from './run-folder.ts';
import { recoverySettings } from './settings.ts';

export interface BranchesParts {
  readonly postgres: Postgres;
  readonly runFolder: RunFolder;
  readonly log: Log;
  /** See HistoryParts. */
  readonly baseEveryBytes: number;
}

/** Layout: `<state>/branches/<uid>/{data,wal,base,times,origin.json}`. */
export class Branches {
  readonly #folder: string;
  readonly #parts: BranchesParts;
  readonly #lineage: Lineage;
  readonly #instances = new Map<string, Instance>();
  /** Restores that read archives: nothing is removed from them meanwhile. */
  #readers = 0;
  #stopped = false;

  private constructor(folder: string, parts: BranchesParts, lineage: Lineage) {
    this.#folder = folder;
    this.#parts = parts;
    this.#lineage = lineage;
  }

  static async open(stateDir: string, parts: BranchesParts): Promise<Branches> {
    const folder = foldersOf(stateDir);
    return new Branches(folder, parts, await Lineage.open(folder));
  }

  /** The instance of a branch, which need not have any data yet. Throws after `stop`. */
  instance(branchUid: string): Instance {
    if (this.#stopped) throw new Error('the emulator is stopping');
    const known = this.#instances.get(branchUid);
    if (known) return known;
    const { postgres, runFolder, log, baseEveryBytes } = this.#parts;
    const instance = new Instance({
      postgres,
      uid: branchUid,
      folder: this.#folderOf(branchUid),
      socketDir: runFolder.socketDir(branchUid),
      log: (message, fields) => log(message, { branch: branchUid, ...fields }),
      past: {
        folderOf: (uid) => this.#folderOf(uid),
        lineage: this.#lineage,
        baseEveryBytes,
        inUse: () => this.#readers > 0,
        afterCut: () => this.#collect(),
      },
    });
    this.#instances.set(branchUid, instance);
    return instance;
  }

  /** A branch without a past, in a data directory that `fill` makes. */
  async makeRoot(branchUid: string, fill: (dataDir: string) => Promise<void>): Promise<void> {
    const instance = await this.#make(branchUid, async (dataDir) => {
      await fill(dataDir);
      return {};
    });
    await instance.history.addBase();
    await instance.notePresent();
  }

  /** A copy of the source as of now. Returns where both part. */
  async fork(branchUid: string, sourceUid: string): Promise<string> {
    const source = this.instance(sourceUid);
    let lsn: Lsn = 0n;
    await this.#make(branchUid, async (dataDir) => {
      lsn = await source.copyTo(dataDir);
      await this.#lineage.setOrigin(branchUid, { parent: sourceUid, lsn });
      return { lsn };
    });
    return formatLsn(lsn);
  }

  /** A branch with every commit of the source before `lsn`, and none after. */
  async restore(branchUid: string, sourceUid: string, lsn: Lsn): Promise<void> {
    const source = this.instance(sourceUid);
    const folder = join(this.#folderOf(branchUid), 'replay');
    await this.#reading(() =>
      this.#make(branchUid, async (dataDir) => {
        await this.#lineage.setOrigin(branchUid, { parent: sourceUid, lsn });
        const timeline = await this.#layOutPast(source, sourceUid, { lsn, dataDir, folder });
        return { lsn, recovery: recoverySettings(formatLsn(lsn), timeline) };
      }),
    );
    await removeFolder(folder);
  }

  /** Fills `dataDir` with a base copy and `folder` with the WAL from there on; returns the timeline of the source. */
  async #layOutPast(
    source: Instance,
    sourceUid: string,
    { lsn, dataDir, folder }: { lsn: Lsn; dataDir: string; folder: string },
  ): Promise<number> {
    const { owner } = this.#parts.postgres;
    await makeOwnedFolder(folder, owner);
    const { base, timeline } = await source.withWal(async () => {
      const stretches = this.#lineage
        .ancestry(sourceUid, lsn)
        .map(({ uid, upTo }) => stretchOf(this.#folderOf(uid), upTo));
      const replay = planReplay(await Promise.all(stretches));
      await layOut(replay, folder);
      const control = await readControlFile(source.dataDir);
      return { base: replay.base, timeline: control?.timeline ?? 1 };
    });
    await copyStopped(base.folder, dataDir, owner);
    const signal = join(dataDir, 'recovery.signal');
    await writeFile(signal, '', { mode: 0o600 });
    await giveTo(signal, owner);
    return timeline;
  }

  /** See DataPlane. */
  async pointAt(branchUid: string, target: PastTarget): Promise<Point | 'beforeHistory' | 'beyondHead'> {
    const instance = this.instance(branchUid);
    await instance.notePresent();
    const { times } = instance.history;
    const lsn = 'lsn' in target ? readLsn(target.lsn) : undefined;
    if (lsn !== undefined && lsn > (times.last?.lsn ?? 0n)) return 'beyondHead';
    const moment = 'time' in target ? times.at(target.time) : times.atLsn(lsn ?? 0n);
    if (!moment || !(await this.#isReachable(branchUid, lsn ?? moment.lsn))) return 'beforeHistory';
    return { time: moment.time, lsn: formatLsn(lsn ?? moment.lsn) };
  }

  async #isReachable(branchUid: string, lsn: Lsn): Promise<boolean> {
    for (const { uid, upTo } of this.#lineage.ancestry(branchUid, lsn)) {
      if (newestBase(await listBases(join(this.#folderOf(uid), 'base')), upTo)) return true;
    }
    return false;
  }

  /** Removes the branch, but for what its descendants need. Repeatable. */
  async destroy(branchUid: string): Promise<void> {
    const keepArchive = this.#lineage.forksOf(branchUid).length > 0;
    await this.instance(branchUid).remove({ keepArchive });
    this.#instances.delete(branchUid);
    if (!keepArchive) this.#lineage.forget(branchUid);
    await this.#collect();
  }

  /** For good: clients that come back at once wake nothing any more. */
  async stop(): Promise<void> {
    this.#stopped = true;
    await Promise.all([...this.#instances.values()].map((instance) => instance.close()));
  }

  async #make(branchUid: string, fill: (dataDir: string) => Promise<Beginning>): Promise<Instance> {
    this.#lineage.forget(branchUid);
    const instance = this.instance(branchUid);
    await instance.make(fill);
    return instance;
  }

  async #reading<T>(work: () => Promise<T>): Promise<T> {
    this.#readers += 1;
    try {
      return await work();
    } finally {
      this.#readers -= 1;
      await this.#collect();
    }
  }

  /** Removes the archives of branches that are gone and whose descendants, too, are gone or stand for themselves. */
  async #collect(): Promise<void> {
    if (this.#readers > 0) return;
    for (const uid of await readdir(this.#folder)) {
      if (this.#lineage.forksOf(uid).length > 0 || !(await isEnded(this.#folderOf(uid)))) continue;
      await removeFolder(this.#folderOf(uid));
      if (!this.#lineage.origin(uid)) continue;
      this.#lineage.forget(uid);
      // Now its parent may be free as well.
      return this.#collect();
    }
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

const foldersOf = (stateDir: string): string => join(stateDir, 'branches');
