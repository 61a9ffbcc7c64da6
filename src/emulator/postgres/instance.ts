// One branch's PostgreSQL: its folder, whether it runs, and who keeps it awake. Starting, stopping and copying happen
// one after the other; connections are not held up by any of it unless they have to be.
import { mkdtemp, rename } from 'node:fs/promises';
import { connect as connectSocket } from 'node:net';
import type { Socket } from 'node:net';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import type { Log } from '../workspace.ts';
import { administer } from './administer.ts';
import type { AdminClient } from './administer.ts';
import type { Postgres } from './binaries.ts';
import type { Lsn } from '../lsn.ts';
import { readControlFile } from './control-file.ts';
import type { ControlFile } from './control-file.ts';
import { copyRunning, copyStopped, forkRunning } from './copy.ts';
import type { Extent } from './copy.ts';
import { keepOnlyArchive, removeFolder } from './folders.ts';
import { History } from './history.ts';
import type { HistoryParts } from './history.ts';
import { finishSegment } from './moment.ts';
import { giveTo, makeOwnedFolder } from './owner.ts';
import { endLeftOver, startPostmaster } from './postmaster.ts';
import type { Postmaster } from './postmaster.ts';

export interface InstanceParts {
  readonly postgres: Postgres;
  readonly uid: string;
  /** Holds `data`; `wal` for archived segments and `base` for base copies. */
  readonly folder: string;
  /** Short enough that the path of the socket in it fits the 107 bytes of the kernel. */
  readonly socketDir: string;
  readonly log: Log;
  readonly past: Pick<HistoryParts, 'folderOf' | 'lineage' | 'baseEveryBytes' | 'inUse' | 'afterCut'>;
}

/** What a new data directory begins with. */
export interface Beginning {
  /** Where it goes its own way; undefined for one that has no past. */
  readonly lsn?: Lsn;
  readonly recovery?: readonly string[];
}

/** A postmaster that has just died, or is about to be replaced, refuses connections for a moment. */
const connectDeadlineMs = 20_000;

export class Instance {
  readonly #parts: InstanceParts;
  #postmaster: Postmaster | undefined;
  #turn: Promise<void> = Promise.resolve();
  #holds = 0;
  #closed = false;
  /** Work under way on this instance: it must run until that is done. */
  readonly #works = new Set<Promise<unknown>>();
  readonly history: History;

  constructor(parts: InstanceParts) {
    this.#parts = parts;
    const copy = (target: string): Promise<Extent> =>
      this.#whileRunning((client) => copyRunning(client, this.dataDir, target, parts.postgres.owner));
    this.history = new History({ ...parts, ...parts.past, copy });
  }

  get dataDir(): string {
    return join(this.#parts.folder, 'data');
  }

  get running(): boolean {
    return this.#postmaster !== undefined;
  }

  /** Keeps the instance from being put to sleep until the returned function is called. */
  hold(): () => void {
    this.#holds += 1;
    let held = true;
    return () => {
      if (held) this.#holds -= 1;
      held = false;
    };
  }

  wake(): Promise<void> {
    return this.#inTurn(() => this.#start());
  }

  /** Stops the instance unless somebody holds it. */
  sleepIfUnused(): Promise<void> {
    return this.#inTurn(async () => {
      if (this.#holds === 0) await this.#stop();
    });
  }

  /** Ends all sessions. A running instance comes back at once, a sleeping one stays asleep. */
  restart(): Promise<void> {
    return this.#inTurn(async () => {
      if (!this.#postmaster) return;
      await this.#stop();
      await this.#start();
    });
  }

  stop(): Promise<void> {
    return this.#inTurn(() => this.#stop());
  }

  /** Stops the instance for good: whoever asks for it from now on, or was about to, does not get it. */
  close(): Promise<void> {
    this.#closed = true;
    return this.stop();
  }

  /** Stops the instance and removes its files, or with `keepArchive` those that a restore does not need. */
  remove({ keepArchive = false } = {}): Promise<void> {
    return this.#inTurn(async () => {
      const { folder, socketDir } = this.#parts;
      await this.#stop();
      await endLeftOver(this.dataDir);
      await (keepArchive ? keepOnlyArchive(folder) : removeFolder(folder));
      await removeFolder(socketDir);
      this.history.reset();
    });
  }

  /**
   * Throws away what there is, lets `fill` make the data in an empty folder, and starts on it. A crash before the end
   * leaves no data directory, so a half-made one is never taken for a whole one. `fill` returns where the branch begins,
   * and settings for a start that replays an archive first; such data does not start without them.
   */
  async make(fill: (dataDir: string) => Promise<Beginning>): Promise<void> {
    await this.remove();
    await this.#inTurn(async () => {
      this.#refuseWhenClosed();
      const { folder, postgres } = this.#parts;
      for (const each of [folder, join(folder, 'wal'), join(folder, 'base')])
        await makeOwnedFolder(each, postgres.owner);
      const half = await mkdtemp(join(folder, 'new-'));
      await giveTo(half, postgres.owner);
      const { lsn, recovery } = await fill(half);
      await rename(half, this.dataDir);
      if (lsn !== undefined) this.history.times.add({ time: Date.now(), lsn });
      await this.#start(recovery);
    });
  }

  /**
   * Copies the data as of now into the empty folder `target`; the instance stays usable if it runs. Returns the place in
   * the WAL from which the copy goes its own way.
   */
  copyTo(target: string): Promise<Lsn> {
    const { owner } = this.#parts.postgres;
    return this.#asItIs(
      ({ checkpoint }) => copyStopped(this.dataDir, target, owner).then(() => checkpoint),
      (client) => forkRunning(client, this.dataDir, target, owner),
    );
  }

  /**
   * Lets `work` read the files of the instance, which is not stopped or started meanwhile: all its WAL up to now lies in
   * them, and behind the last commit follows a record.
   */
  withWal<T>(work: () => Promise<T>): Promise<T> {
    return this.#asItIs(work, async (client) => {
      await finishSegment(client);
      return work();
    });
  }

  /** Adds the present moment to the log of times. */
  notePresent(): Promise<void> {
    return this.#asItIs(
      () => Promise.resolve(),
      (client) => this.history.note(client),
    );
  }

  /** A connection to the instance, which is woken for it. Rejects when it cannot be started. */
  async connect(): Promise<Socket> {
    const until = performance.now() + connectDeadlineMs;
    for (;;) {
      await this.wake();
      const socket = await open(join(this.#parts.socketDir, '.s.PGSQL.5432'));
      if (socket instanceof Error === false) return socket;
      if (performance.now() > until) throw socket;
      await pause(20);
    }
  }

  /** Runs SQL as superuser; the instance is woken for it and kept awake meanwhile. */
  async administer<T>(database: string, work: (client: AdminClient) => Promise<T>): Promise<T> {
    const release = this.hold();
    try {
      await this.wake();
      return await administer(this.#parts.socketDir, database, work);
    } finally {
      release();
    }
  }

  /** `asleep` if the instance sleeps, and it stays so meanwhile; else `running`. */
  async #asItIs<T>(
    asleep: (control: ControlFile) => Promise<T>,
    running: (client: AdminClient) => Promise<T>,
  ): Promise<T> {
    const release = this.hold();
    try {
      if (this.running) return await this.#whileRunning(running);
      return await this.#inTurn(async () => {
        const control = await this.#sleepInOrder();
        return control ? asleep(control) : this.#whileRunning(running);
      });
    } finally {
      release();
    }
  }

  /** How the instance went to sleep. One that runs, or was killed and has to find itself again, is started instead. */
  async #sleepInOrder(): Promise<ControlFile | undefined> {
    const control = this.running ? undefined : await readControlFile(this.dataDir);
    if (control?.shutDown) {
      this.history.times.sleep({ time: Date.now(), lsn: control.checkpoint });
      return control;
    }
    await this.#start();
    return undefined;
  }

  async #whileRunning<T>(work: (client: AdminClient) => Promise<T>): Promise<T> {
    const done = administer(this.#parts.socketDir, 'postgres', work);
    this.#works.add(done);
    return done.finally(() => this.#works.delete(done));
  }

  async #start(recovery: readonly string[] = []): Promise<void> {
    this.#refuseWhenClosed();
    if (this.#postmaster) return;
    await this.history.waking();
    const { folder, socketDir, postgres, log } = this.#parts;
    await makeOwnedFolder(socketDir, postgres.owner);
    const places = { dataDir: this.dataDir, socketDir, logFile: join(folder, 'postgres.log') };
    const postmaster = await startPostmaster(postgres, places, recovery);
    this.#postmaster = postmaster;
    this.history.awake(socketDir);
    void postmaster.exited.then(() => {
      if (this.#postmaster !== postmaster) return;
      this.#postmaster = undefined;
      void this.history.rest();
      log('an instance has died; the next connection starts it again', { pid: postmaster.pid, log: places.logFile });
    });
  }

  async #stop(): Promise<void> {
    while (this.#works.size > 0) await Promise.allSettled(this.#works);
    const postmaster = this.#postmaster;
    if (!postmaster) return;
    this.#postmaster = undefined;
    await this.history.rest();
    await postmaster.stop();
    await this.history.asleep();
  }

  #refuseWhenClosed(): void {
    if (this.#closed) throw new Error('the emulator is stopping');
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#turn.then(work);
    this.#turn = done.then(
      () => undefined,
      () => undefined,
    );
    return done;
  }
}

/** An error stands for: nobody listens there. */
function open(path: string): Promise<Socket | Error> {
  return new Promise((resolve) => {
    const socket = connectSocket(path);
    socket.once('error', resolve);
    socket.once('connect', () => {
      socket.off('error', resolve);
      resolve(socket);
    });
  });
}
