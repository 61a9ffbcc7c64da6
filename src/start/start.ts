// Waits until the operator can work, and says meanwhile what it waits for: a process that ended instead would be started
// again and again, and would say it in a log that nobody finds.
import { sleep, type Clock } from '../kit/clock.ts';
import type { Logger } from '../kit/log.ts';
import { look, NotYet, type Sight, type StartKube } from './look.ts';
import type { Scope } from './rights.ts';

export interface StartParts {
  readonly kube: StartKube;
  readonly scope: Scope;
  readonly clock: Clock;
  readonly log: Pick<Logger, 'info' | 'warn'>;
}

const firstWaitMs = 1_000;
const longestWaitMs = 10_000;

export class Start {
  readonly #parts: StartParts;
  #waitsFor: string | undefined = 'the API server has not answered yet';

  constructor(parts: StartParts) {
    this.#parts = parts;
  }

  /** In a sentence; undefined once all is there. */
  get waitsFor(): string | undefined {
    return this.#waitsFor;
  }

  /** Resolves with the id of the cluster as soon as all is there; rejects with the signal's reason when it aborts. */
  async done(signal: AbortSignal): Promise<string> {
    const { clock, log } = this.#parts;
    for (let waitMs = firstWaitMs; ; waitMs = Math.min(2 * waitMs, longestWaitMs)) {
      const sight = await this.#look(signal);
      if (sight) {
        const { clusterID, lacks } = sight;
        this.#waitsFor = undefined;
        if (lacks !== undefined) log.warn({ lacks }, 'objects in some namespaces will not get on');
        log.info({ clusterID }, 'all is there that the operator needs to begin');
        return clusterID;
      }
      await sleep(clock, waitMs, signal);
    }
  }

  async #look(signal: AbortSignal): Promise<Sight | undefined> {
    const { kube, scope, log } = this.#parts;
    try {
      return await look(kube, scope, signal);
    } catch (error) {
      if (!(error instanceof NotYet)) throw error;
      if (error.message !== this.#waitsFor) log.warn({ waitsFor: error.message }, 'not ready yet; goes on by itself');
      this.#waitsFor = error.message;
      return undefined;
    }
  }
}
