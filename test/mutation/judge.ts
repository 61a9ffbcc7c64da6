// Runs the tests against each mutant, two at a time, and tells how far it is.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { elapsed, SetupError } from '../../scripts/long-step.mjs';
import { mutantsOf, type Mutant } from './mutants.ts';
import { inOrder, type Target } from './targets.ts';
import { WorkerProcess, type Result } from './worker-process.ts';

/** 'timeout' is as good as killed: the tests would have hung. */
export type Verdict = 'killed' | 'survived' | 'timeout';

export interface Candidate extends Mutant, Target {}

export interface Judged extends Candidate {
  readonly verdict: Verdict;
}

const root = join(import.meta.dirname, '../..');
const parallel = 2;
const progressMs = 5_000;
/** Processor time far from what a test needs: what takes longer would never end. */
const limitMs = (usualMs: number): number => 10_000 + 4 * usualMs;
const noLimit = 3_600_000;

export class Judge {
  readonly #workers = Array.from({ length: parallel }, () => new WorkerProcess());
  /** Processor time of each test file. */
  readonly #usualMs = new Map<string, number>();
  /** By file and test file. */
  readonly #kills = new Map<string, number>();

  /**
   * Runs every test file without a mutant: what each takes bounds what a mutant may take.
   * @throws SetupError if one does not pass
   */
  async measure(targets: readonly Target[]): Promise<void> {
    const tests = [...new Set(targets.flatMap((target) => target.tests))];
    const file = targets[0]?.file ?? '';
    await this.#share('test files without a mutant', tests, async (worker, test) => {
      const result = await worker.run({ test, file, limitMs: noLimit });
      if (typeof result === 'string' || !result.passed)
        throw new SetupError(`${test} does not pass without a mutant: ${wordsOf(result)}. Repair that first.`);
      this.#usualMs.set(test, result.usedMs);
    });
  }

  candidatesOf(target: Target): readonly Candidate[] {
    const source = readFileSync(join(root, target.file), 'utf8');
    return mutantsOf(source).map((mutant) => ({ ...mutant, ...target }));
  }

  /** In the given order. */
  async judge(candidates: readonly Candidate[]): Promise<readonly Judged[]> {
    const found = { killed: 0, survived: 0, timeout: 0 };
    const words = (): string => `, ${found.killed} killed, ${found.survived} survived, ${found.timeout} timeout`;
    return this.#share(
      'mutants',
      candidates,
      async (worker, candidate) => {
        const verdict = await this.#verdictOn(worker, candidate);
        found[verdict] += 1;
        return { ...candidate, verdict };
      },
      words,
    );
  }

  close(): void {
    for (const worker of this.#workers) worker.close();
  }

  async #verdictOn(worker: WorkerProcess, { file, code, tests }: Candidate): Promise<Verdict> {
    for (const test of inOrder({ file, tests }, (one) => this.#expectedMs(file, one))) {
      const result = await worker.run({ test, file, code, limitMs: limitMs(this.#usualMs.get(test) ?? 0) });
      if (result === 'timeout') return 'timeout';
      if (result !== 'crashed' && result.passed) continue;
      this.#kills.set(`${file} ${test}`, this.#killsOf(file, test) + 1);
      return 'killed';
    }
    return 'survived';
  }

  /** A test that killed many mutants of a file is worth trying before one that killed none: the verdict is the same. */
  #expectedMs(file: string, test: string): number {
    return (this.#usualMs.get(test) ?? 0) / (1 + this.#killsOf(file, test));
  }

  #killsOf(file: string, test: string): number {
    return this.#kills.get(`${file} ${test}`) ?? 0;
  }

  /** Gives each worker the next item as soon as it is free. */
  async #share<Item, Done>(
    what: string,
    items: readonly Item[],
    work: (worker: WorkerProcess, item: Item) => Promise<Done>,
    words: () => string = () => '',
  ): Promise<readonly Done[]> {
    const begun = performance.now();
    const results = new Map<number, Done>();
    const queue = items.entries();
    const say = (): void =>
      console.log(`${results.size} of ${items.length} ${what}${words()}${clock(begun, results.size, items.length)}`);
    const timer = setInterval(say, progressMs);
    try {
      await Promise.all(
        this.#workers.map(async (worker) => {
          for (const [index, item] of queue) results.set(index, await work(worker, item));
        }),
      );
    } finally {
      clearInterval(timer);
    }
    say();
    return items.flatMap((_, index) => results.get(index) ?? []);
  }
}

const wordsOf = (result: Result): string => (typeof result === 'string' ? result : result.error);

/** Time gone and, by the pace so far, time to go. */
function clock(begun: number, done: number, all: number): string {
  const gone = elapsed(begun);
  if (done === 0 || done === all) return `, ${gone}`;
  const leftMs = ((performance.now() - begun) / done) * (all - done);
  return `, ${gone} gone, about ${elapsed(performance.now() - leftMs)} left`;
}
