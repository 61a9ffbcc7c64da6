// One branch's PostgreSQL: its folder, whether it runs, and who keeps it awake. Starting, stopping and copying happen
// one after the other; connections are not held up by any of it unless they have to be.
import { mkdtemp, rename, rm } from 'node:fs/promises';
import { connect as connectSocket } from 'node:net';
import type { Socket } from 'node:net';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import type { Log } from '../workspace.ts';
import { administer } from './administer.ts';
import type { AdminClient } from './administer.ts';
import type { Postgres } from './binaries.ts';
import { copyRunning, copyStopped } from './copy.ts';
import { giveTo, makeOwnedFolder } from './owner.ts';
import { endLeftOver, startPostmaster } from './postmaster.ts';
import type { Postmaster } from './postmaster.ts';

export interface InstanceParts {
  readonly postgres: Postgres;
  /** Holds `data`; `wal` for archived segments and `base` for base backups. */
  readonly folder: string;
  /** Short enough that the path of the socket in it fits the 107 bytes of the kernel. */
  readonly socketDir: string;
  readonly log: Log;
}

/** A postmaster that has just died, or is about to be replaced, refuses connections for a moment. */
const connectDeadlineMs = 20_000;

export class Instance {
  readonly #parts: InstanceParts;
  #postmaster: Postmaster | undefined;
  #turn: Promise<void> = Promise.resolve();
  #holds = 0;
  #closed = false;
  /** Copies under way of this instance at work: it must run until they are done. */
  readonly #copies = new Set<Promise<void>>();

  constructor(parts: InstanceParts) {
    this.#parts = parts;
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

  /** Stops the instance and removes its files. */
  remove(): Promise<void> {
    return this.#inTurn(async () => {
      await this.#stop();
      await endLeftOver(this.dataDir);
      for (const folder of [this.#parts.folder, this.#parts.socketDir]) await removeFolder(folder);
    });
  }

  /**
   * Throws away what there is, lets `fill` make the data in an empty folder, and starts on it. A crash before the end
   * leaves no data directory, so a half-made one is never taken for a whole one.
   */
  async make(fill: (dataDir: string) => Promise<void>): Promise<void> {
    await this.remove();
    await this.#inTurn(async () => {
      this.#refuseWhenClosed();
      const { folder, postgres } = this.#parts;
      for (const each of [folder, join(folder, 'wal'), join(folder, 'base')])
        await makeOwnedFolder(each, postgres.owner);
      const half = await mkdtemp(join(folder, 'new-'));
      await giveTo(half, postgres.owner);
      await fill(half);
      await rename(half, this.dataDir);
      await this.#start();
    });
  }

  /** Copies the data as of now into the empty folder `target`. The instance stays usable if it runs. */
  async copyTo(target: string): Promise<void> {
    const release = this.hold();
    try {
      if (this.running) await this.#copyRunning(target);
      else await this.#inTurn(() => (this.running ? this.#copyRunning(target) : this.#copyStopped(target)));
    } finally {
      release();
    }
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

  async #copyRunning(target: string): Promise<void> {
    const { socketDir, postgres } = this.#parts;
    const copy = administer(socketDir, 'postgres', (client) =>
      copyRunning(client, this.dataDir, target, postgres.owner),
    );
    this.#copies.add(copy);
    await copy.finally(() => this.#copies.delete(copy));
  }

  #copyStopped(target: string): Promise<void> {
    return copyStopped(this.dataDir, target, this.#parts.postgres.owner);
  }

  async #start(): Promise<void> {
    this.#refuseWhenClosed();
    if (this.#postmaster) return;
    const { folder, socketDir, postgres, log } = this.#parts;
    await makeOwnedFolder(socketDir, postgres.owner);
    const places = { dataDir: this.dataDir, socketDir, logFile: join(folder, 'postgres.log') };
    const postmaster = await startPostmaster(postgres, places);
    this.#postmaster = postmaster;
    void postmaster.exited.then(() => {
      if (this.#postmaster !== postmaster) return;
      this.#postmaster = undefined;
      log('an instance has died; the next connection starts it again', { pid: postmaster.pid, log: places.logFile });
    });
  }

  async #stop(): Promise<void> {
    while (this.#copies.size > 0) await Promise.allSettled(this.#copies);
    const postmaster = this.#postmaster;
    this.#postmaster = undefined;
    await postmaster?.stop();
  }

  #refuseWhenClosed(): void {
    if (this.#closed) throw new Error('the emulator is stopping');
  }

  #inTurn(work: () => Promise<void>): Promise<void> {
    const done = this.#turn.then(work);
    this.#turn = done.catch(() => undefined);
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

/** Something that is still dying in there may add a file meanwhile. */
const removeFolder = (path: string): Promise<void> => rm(path, { recursive: true, force: true, maxRetries: 5 });
