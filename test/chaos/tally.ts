// Counts what was done and seen, shows the progress, and keeps what a report of a violation needs.
import { databaseBranchResource } from '../../src/api/names.ts';
import type { Secret } from '../../src/credentials/secret.ts';
import type { JournalLine } from '../stack/emulator.ts';
import type { Version } from './history.ts';
import { isSecret } from './laws.ts';
import type { Operation } from './operation.ts';
import type { Outcome } from './perform.ts';
import { isOurs } from './secret-laws.ts';

export interface Violation {
  readonly seed: number;
  /** The last operation before it was seen. */
  readonly operation: number;
  readonly at: string;
  readonly what: string;
  /** The last thirty operations, the youngest last. */
  readonly before: readonly string[];
}

const shownOperations = 30;
const progressEveryMs = 10_000;

export class Tally {
  readonly violations: Violation[] = [];
  readonly #seed: number;
  readonly #operations: number;
  readonly #onProgress: ((line: string) => void) | undefined;
  readonly #kinds = new Map<string, { hit: number; missed: number }>();
  readonly #journal = new Map<string, number>();
  readonly #last: string[] = [];
  readonly #settleMs: number[] = [];
  readonly #states = new Map<string, number>();
  readonly #said = new Set<string>();
  #begun = performance.now();
  #shownAt = performance.now();
  #done = 0;
  #objects = 0;
  #secrets = 0;
  #tokens = 0;
  #versions = 0;
  #end = { starts: 0, forbidden: [] as readonly string[] };
  #complete = false;

  constructor(seed: number, operations: number, onProgress: ((line: string) => void) | undefined) {
    this.#seed = seed;
    this.#operations = operations;
    this.#onProgress = onProgress;
  }

  /** It did not come to its end. */
  get failed(): boolean {
    return !this.#complete;
  }

  began(): void {
    this.#begun = performance.now();
    this.#show();
  }

  performed(operation: Operation, outcome: Outcome): void {
    this.#done = operation.number;
    const counts = this.#kinds.get(operation.kind) ?? { hit: 0, missed: 0 };
    counts[outcome] += 1;
    this.#kinds.set(operation.kind, counts);
    this.#last.push(
      `${new Date().toISOString()} ${operation.number} ${operation.kind} ${JSON.stringify(operation.action)} ${outcome}`,
    );
    if (this.#last.length > shownOperations) this.#last.shift();
    if (performance.now() - this.#shownAt > progressEveryMs) this.#show();
    if (operation.number === this.#operations) this.#complete = true;
  }

  saw(versions: readonly Version[], journal: readonly JournalLine[]): void {
    this.#versions += versions.length;
    for (const { what } of journal) this.#journal.set(what, (this.#journal.get(what) ?? 0) + 1);
    for (const version of versions) {
      if (version.type.plural === databaseBranchResource.plural && version.object && !version.before)
        this.#objects += 1;
      if (!isSecret(version) || !version.object || !isOurs(version.object)) continue;
      this.#secrets += 1;
      if (passwordOf(version.object) !== passwordOf(version.before)) this.#tokens += 1;
    }
    if (performance.now() - this.#shownAt > progressEveryMs) this.#show();
  }

  settled(ms: number, states: readonly string[]): void {
    this.#settleMs.push(ms);
    for (const state of states) this.#states.set(state, (this.#states.get(state) ?? 0) + 1);
  }

  /** The same sentence is said once. */
  convict(what: string): void {
    if (this.#said.has(what)) return;
    this.#said.add(what);
    const at = new Date().toISOString();
    this.violations.push({ seed: this.#seed, operation: this.#done, at, what, before: [...this.#last] });
    this.#onProgress?.(`${this.#elapsed()}  VIOLATION after operation ${this.#done}: ${what}`);
  }

  ended(end: { starts: number; forbidden: readonly string[] }): void {
    this.#end = end;
  }

  #show(): void {
    this.#shownAt = performance.now();
    this.#onProgress?.(
      `${this.#elapsed()}  ${this.#done} of ${this.#operations} operations, ${this.#objects} objects, ` +
        `${this.#tokens} tokens written, ${this.#sum('kill.')} kills, ${this.#sum('fault')} faults, ` +
        `${this.#settleMs.length} rests, ${this.violations.length} violations`,
    );
  }

  #elapsed(): string {
    const seconds = Math.round((performance.now() - this.#begun) / 1000);
    return `${Math.floor(seconds / 60)}m${String(seconds % 60).padStart(2, '0')}s`;
  }

  #sum(prefix: string): number {
    return [...this.#kinds].reduce((sum, [kind, { hit }]) => sum + (kind.startsWith(prefix) ? hit : 0), 0);
  }

  figures(): string {
    const rests = this.#settleMs.toSorted((a, b) => a - b).map((ms) => (ms / 1000).toFixed(1));
    const count = (what: string): number => this.#journal.get(what) ?? 0;
    return [
      `seed ${this.#seed}: ${this.#done} of ${this.#operations} operations in ${this.#elapsed()}`,
      ...[...this.#kinds]
        .toSorted(([a], [b]) => (a < b ? -1 : 1))
        .map(
          ([kind, { hit, missed }]) =>
            `  ${kind.padEnd(22)} ${String(hit).padStart(6)}${missed ? `  and ${missed} that hit nothing` : ''}`,
        ),
      `objects created          ${this.#objects}`,
      `branches made            ${count('branch.create')}, deleted ${count('branch.delete')}, expired ${count('branch.expire')}`,
      `tokens minted            ${count('credential.mint')}`,
      `Secrets written          ${this.#secrets}, with ${this.#tokens} new tokens`,
      `versions judged          ${this.#versions}`,
      `operator processes       ${this.#end.starts}`,
      `rests                    ${rests.length}; seconds until settled: median ${rests[Math.floor(rests.length / 2)] ?? '-'}, longest ${rests.at(-1) ?? '-'}`,
      `objects at rest          ${[...this.#states].map(([state, times]) => `${state} ${times}`).join(', ')}`,
      ...this.#end.forbidden.map((each) => `forbidden by the API     ${each}`),
      `violations               ${this.violations.length}`,
    ].join('\n');
  }
}

const passwordOf = (object: Version['object']): string | undefined =>
  (object as Secret | undefined)?.data?.['password'];

/** A violation as a person reads it. */
export const describe = ({ seed, operation, at, what, before }: Violation): string =>
  [
    `VIOLATION, seed ${seed}, seen after operation ${operation} at ${at}:`,
    `  ${what}`,
    `the operations before, the last one last:`,
    ...before.map((line) => `  ${line}`),
  ].join('\n');
