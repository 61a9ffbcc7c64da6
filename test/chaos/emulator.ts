// The emulator as chaos needs it: killed and frozen at will, always back at the same address, its journal complete.
import { mkdir, open, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { fetch } from 'undici';
import type { BranchFacts } from '../../src/emulator/emulator.ts';
import { ordinaryBehaviour, type Behaviour, type BehaviourChange, type Fault } from '../../src/emulator/faults.ts';
import type { Principal } from '../../src/emulator/principals.ts';
import type { EmulatorSettings } from '../../src/emulator/settings.ts';
import { freePorts } from '../control-plane/free-ports.ts';
import type { GuardedProcess, Guardian } from '../control-plane/guardian.ts';
import type { JournalLine } from '../stack/emulator.ts';

/** A person at the provider, whose doings nobody asked the operator about. */
export const hand: Principal = { name: 'hand@example.com', kind: 'USER', secret: 'dapi-hand-of-a-person' };

export const projects = ['shop', 'store'] as const;

/** How the provider is when nobody makes trouble: quick, with tokens that live for seconds, so that rotation happens. */
const calmBehaviour: Behaviour = {
  ...ordinaryBehaviour,
  initMs: 60,
  operationMs: 15,
  deleteMs: 40,
  grantedSeconds: 30,
};

/** Deleted branches are listed for so long: longer than any object remembers, short enough to keep the books small. */
const rememberDeletedSeconds = 600;
const patienceMs = 60_000;

export class ChaosEmulator {
  readonly url: string;
  readonly #guardian: Guardian;
  readonly #folder: string;
  readonly #port: number;
  #process: GuardedProcess | undefined;
  #change: BehaviourChange = {};
  #journalRead = 0;

  constructor(guardian: Guardian, port: number) {
    this.#guardian = guardian;
    this.#folder = join(guardian.dir, 'emulator');
    this.#port = port;
    this.url = `http://127.0.0.1:${port}`;
  }

  /** `temper`: what stays so for the whole run. */
  static async start(
    guardian: Guardian,
    principals: readonly Principal[],
    temper: Pick<Behaviour, 'clockSkewMs' | 'notFoundAfterCreateMs'>,
  ): Promise<ChaosEmulator> {
    const [port] = await freePorts(1);
    const emulator = new ChaosEmulator(guardian, port);
    await mkdir(emulator.#folder, { mode: 0o700 });
    const settings: Partial<EmulatorSettings> = {
      projects,
      principals: [...principals, hand],
      rememberDeletedSeconds,
      sweepIntervalMs: 250,
      behaviour: { ...calmBehaviour, ...temper },
    };
    await writeFile(join(emulator.#folder, 'settings.json'), JSON.stringify(settings), { mode: 0o600 });
    await emulator.start();
    return emulator;
  }

  /** Resolves when it answers, and behaves as it was last told to. */
  async start(): Promise<void> {
    this.#process = await this.#guardian.start({
      name: 'emulator',
      command: process.execPath,
      args: [join(import.meta.dirname, 'emulator-process.ts'), this.#folder, String(this.#port)],
    });
    await this.#admin('PATCH', 'behaviour', this.#change);
  }

  /** SIGKILL. Faults are forgotten by that, the behaviour is not. */
  async kill(): Promise<void> {
    this.#process?.signal('SIGKILL');
    await this.#process?.whenEnded();
  }

  freeze(): void {
    this.#process?.signal('SIGSTOP');
  }

  thaw(): void {
    this.#process?.signal('SIGCONT');
  }

  async inject(fault: Fault): Promise<void> {
    await this.#admin('POST', 'faults', fault);
  }

  async behave(change: BehaviourChange): Promise<void> {
    this.#change = { ...this.#change, ...change };
    await this.#admin('PATCH', 'behaviour', change);
  }

  /** Takes faults and changes of behaviour back. */
  async calm(): Promise<void> {
    this.#change = {};
    await this.#admin('DELETE', 'faults');
  }

  /** Live ones, and those deleted not long ago. */
  async branches(): Promise<BranchFacts[]> {
    return (await this.#admin('GET', 'branches')) as BranchFacts[];
  }

  /** What happened since the last call, of all processes that there were. */
  async newJournal(): Promise<JournalLine[]> {
    const file = await open(join(this.#folder, 'journal.jsonl'), 'r');
    try {
      const { size } = await file.stat();
      const { buffer } = await file.read(
        Buffer.alloc(size - this.#journalRead),
        0,
        size - this.#journalRead,
        this.#journalRead,
      );
      // A line that is being written, or was torn by a kill, has no end yet.
      const whole = buffer.lastIndexOf('\n') + 1;
      this.#journalRead += whole;
      return buffer.toString('utf8', 0, whole).split('\n').flatMap(parsedLine);
    } finally {
      await file.close();
    }
  }

  /** What a person does at the provider. Resolves with the status of the answer; repeated while there is none. */
  async byHand(method: string, path: string, body?: object): Promise<number> {
    for (const giveUpAt = performance.now() + patienceMs; ; await pause(100)) {
      const status = await fetch(`${this.url}/api/2.0/postgres/${path}`, {
        method,
        headers: { authorization: `Bearer ${hand.secret}` },
        signal: AbortSignal.timeout(10_000),
        ...(body && { body: JSON.stringify(body) }),
      }).then(
        ({ status: code }) => code,
        () => 503,
      );
      if ((status < 500 && status !== 429) || performance.now() > giveUpAt) return status;
    }
  }

  /** Repeated while the process is away. */
  async #admin(method: string, path: string, body?: object): Promise<unknown> {
    for (const giveUpAt = performance.now() + patienceMs; ; await pause(50)) {
      try {
        const response = await fetch(`${this.url}/admin/${path}`, {
          method,
          signal: AbortSignal.timeout(20_000),
          ...(body && { body: JSON.stringify(body) }),
        });
        if (!response.ok) throw new RefusedByAdmin(`${method} /admin/${path}: ${await response.text()}`);
        return await response.json();
      } catch (error) {
        if (error instanceof RefusedByAdmin || performance.now() > giveUpAt) throw error;
      }
    }
  }

  /** What the process wrote, for a report. */
  log(): Promise<string> {
    return readFile(join(this.#guardian.dir, 'emulator.log'), 'utf8').catch(() => '');
  }
}

class RefusedByAdmin extends Error {}

function parsedLine(line: string): JournalLine[] {
  try {
    return [JSON.parse(line) as JournalLine];
  } catch {
    return [];
  }
}
