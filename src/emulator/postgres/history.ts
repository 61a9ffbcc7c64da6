// The past of one branch: when it was where in the WAL, and the base copies from which it can be made again. Instants
// are those of this machine's clock, by which the clients of a database live too.
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import type { Lsn } from '../lsn.ts';
import type { Log } from '../workspace.ts';
import { openAdmin } from './administer.ts';
import type { AdminClient } from './administer.ts';
import { addBase, dropHalfMade, listBases, namesIn, newestBase } from './bases.ts';
import type { Base } from './bases.ts';
import { sizeOfData } from './size.ts';
import { readControlFile } from './control-file.ts';
import type { Extent } from './copy.ts';
import type { Lineage } from './lineage.ts';
import { momentOf } from './moment.ts';
import { disposalOf } from './retention.ts';
import { segmentNamed } from './segments.ts';
import { TimeLog } from './time-log.ts';

export interface HistoryParts {
  readonly uid: string;
  /** Holds `data`, `wal` for archived segments, `base` for base copies, and the log of times. */
  readonly folder: string;
  readonly folderOf: (uid: string) => string;
  readonly lineage: Lineage;
  /** A fresh base copy is made after so many bytes of WAL, or as many as the last one has, if that is more. */
  readonly baseEveryBytes: number;
  /** Copies the running instance into an empty folder. */
  readonly copy: (target: string) => Promise<Extent>;
  /** Whether a restore is reading what this may want to remove. */
  readonly inUse: () => boolean;
  /** Called when the branch needs nothing of its parent any more. */
  readonly afterCut: () => Promise<void>;
  readonly log: Log;
}

const tickMs = 1000;
const tidyEveryMs = 3_600_000;

export class History {
  readonly #parts: HistoryParts;
  #times: TimeLog | undefined;
  #awake: AbortController | undefined;
  #client: AdminClient | undefined;
  #keptSeconds: number | undefined;
  #copying = false;
  /** The next base copy is due so far behind this one. */
  #newest: { base: Base | undefined; bytes: number } | undefined;
  #tidiedAt = -Infinity;

  constructor(parts: HistoryParts) {
    this.#parts = parts;
  }

  get times(): TimeLog {
    return (this.#times ??= new TimeLog(join(this.#parts.folder, 'times')));
  }

  /** How long the past has to stay reachable; until that is said nothing is forgotten. */
  keep(seconds: number): void {
    this.#keptSeconds = seconds;
  }

  /** The files of the branch are gone, or new. */
  reset(): void {
    this.#times = undefined;
    this.#newest = undefined;
  }

  /** To be called before the instance starts. */
  async waking(): Promise<void> {
    await dropHalfMade(join(this.#parts.folder, 'base'));
    this.times.wake(Date.now());
  }

  /** The instance runs: from now on there is a moment each second. */
  awake(socketDir: string): void {
    const awake = new AbortController();
    this.#awake = awake;
    void this.#follow(socketDir, awake.signal);
  }

  /** The instance is about to stop, or has died. */
  async rest(): Promise<void> {
    this.#awake?.abort();
    this.#awake = undefined;
    await this.#disconnect();
  }

  /** The instance has stopped. If it did in order, this is the state until it wakes. */
  async asleep(): Promise<void> {
    const control = await readControlFile(join(this.#parts.folder, 'data'));
    if (control?.shutDown) this.times.sleep({ time: Date.now(), lsn: control.checkpoint });
    await this.tidy();
  }

  /** Adds the present moment of the running instance. */
  async note(client: AdminClient): Promise<void> {
    const moment = await momentOf(client);
    if (moment) this.times.add(moment);
  }

  /** Makes a base copy now, unless one is being made. */
  async addBase(): Promise<void> {
    if (this.#copying) return;
    this.#copying = true;
    try {
      await addBase(join(this.#parts.folder, 'base'), (target) => this.#parts.copy(target));
      this.#newest = undefined;
    } finally {
      this.#copying = false;
    }
  }

  /** Removes what no restore within the window can need. */
  async tidy(): Promise<void> {
    const { folder, lineage, uid, inUse, afterCut } = this.#parts;
    if (this.#keptSeconds === undefined || inUse()) return;
    this.#tidiedAt = performance.now();
    const windowTime = Date.now() - this.#keptSeconds * 1000;
    const bases = await listBases(join(folder, 'base'));
    const segments = (await namesIn(join(folder, 'wal'))).flatMap((name) => {
      // With the marks of base copies, which begin with the name of a segment.
      const number = segmentNamed(name.slice(0, 24));
      return number === undefined ? [] : [{ name, number }];
    });
    const needs = { windowStart: this.times.at(windowTime)?.lsn, forks: lineage.forksOf(uid) };
    const disposal = disposalOf({ bases, segments }, needs);
    for (const base of disposal.bases) await rm(base.folder, { recursive: true, force: true });
    for (const name of disposal.segments) await rm(join(folder, 'wal', name), { force: true });
    if (disposal.standsAlone && lineage.origin(uid)) await lineage.cut(uid).then(afterCut);
    this.times.forgetBefore(windowTime);
  }

  async #follow(socketDir: string, signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      try {
        await this.#tick(socketDir, signal);
      } catch (error) {
        await this.#disconnect();
        // Whoever stops the instance breaks the connection.
        if (!signal.aborted) this.#parts.log('the time of a branch could not be noted', { error: String(error) });
      }
      await pause(tickMs, undefined, { signal, ref: false }).catch(() => undefined);
    }
  }

  async #tick(socketDir: string, signal: AbortSignal): Promise<void> {
    const client = this.#client ?? (await openAdmin(socketDir, 'postgres'));
    if (signal.aborted) return client.end();
    this.#client = client;
    await this.note(client);
    if (signal.aborted) return;
    if (await this.#baseIsDue(this.times.last?.lsn ?? 0n)) this.#addBaseBeside();
    if (performance.now() - this.#tidiedAt > tidyEveryMs) await this.tidy();
  }

  async #baseIsDue(now: Lsn): Promise<boolean> {
    const { baseEveryBytes } = this.#parts;
    const newest = (this.#newest ??= { base: await this.#newestBase(now), bytes: baseEveryBytes });
    if (!newest.base) return true;
    if (now < newest.base.start + BigInt(newest.bytes)) return false;
    if (newest.bytes > baseEveryBytes) return true;
    newest.bytes = Math.max(baseEveryBytes + 1, (await sizeOfData(newest.base.folder)) ?? 0);
    return now >= newest.base.start + BigInt(newest.bytes);
  }

  /** By which `now` can be reached, be it one of a parent. */
  async #newestBase(now: Lsn): Promise<Base | undefined> {
    const { lineage, uid, folderOf } = this.#parts;
    for (const { uid: ancestor, upTo } of lineage.ancestry(uid, now)) {
      const base = newestBase(await listBases(join(folderOf(ancestor), 'base')), upTo);
      if (base) return base;
    }
    return undefined;
  }

  #addBaseBeside(): void {
    void this.addBase()
      .then(() => this.tidy())
      .catch((error: unknown) => this.#parts.log('a base copy could not be made', { error: String(error) }));
  }

  async #disconnect(): Promise<void> {
    const client = this.#client;
    this.#client = undefined;
    await client?.end().catch(() => undefined);
  }
}
