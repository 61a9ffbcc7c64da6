// Watches the objects as a user would, and notes when each became Ready and when each was gone.
import { databaseBranchResource } from '../../src/api/names.ts';
import type { DatabaseBranch } from '../../src/api/v1alpha1/database-branch.ts';
import { findCondition } from '../../src/kit/conditions.ts';
import { systemClock } from '../../src/kit/clock.ts';
import { keyOf, type Kube } from '../../src/kit/kube.ts';
import { Reflector, type Change } from '../../src/kit/reflector.ts';
import { until } from '../stack/until.ts';

export class Observer implements AsyncDisposable {
  /** By `namespace/name`; `performance.now()` when the API server said so. */
  readonly readyAt = new Map<string, number>();
  readonly deletingAt = new Map<string, number>();
  readonly goneAt = new Map<string, number>();
  readonly #stop = new AbortController();
  #watching: Promise<void> = Promise.resolve();

  /** Of one namespace, or of all. Under load the API server ends watches that are slow; this one goes on. */
  static async start(kube: Kube, namespace?: string): Promise<Observer> {
    const observer = new Observer();
    const reflector = new Reflector<DatabaseBranch>(
      { kube, type: databaseBranchResource, clock: systemClock, ...(namespace === undefined ? {} : { namespace }) },
      (change, object) => observer.#note(change, object),
    );
    observer.#watching = reflector.run(observer.#stop.signal);
    await reflector.whenSynced;
    return observer;
  }

  /** Resolves with `performance.now()` at which the last of these became Ready. */
  async allReady(keys: readonly string[], deadlineMs = 600_000): Promise<number> {
    const left = (): string[] => keys.filter((key) => !this.readyAt.has(key));
    await until('all objects are Ready', () => left().length === 0, {
      deadlineMs,
      everyMs: keys.length > 100 ? 50 : 5,
      describe: () => `${left().length} of ${keys.length} are not, such as ${left().slice(0, 3).join(', ')}`,
    });
    return Math.max(...keys.map((key) => this.readyAt.get(key) ?? Number.NaN));
  }

  #note(change: Change, { metadata, status }: DatabaseBranch): void {
    const key = keyOf(metadata);
    const now = performance.now();
    if (change === 'delete') this.goneAt.set(key, now);
    if (metadata.deletionTimestamp !== undefined && !this.deletingAt.has(key)) this.deletingAt.set(key, now);
    const ready = findCondition(status?.conditions ?? [], 'Ready')?.status === 'True';
    if (ready && !this.readyAt.has(key)) this.readyAt.set(key, now);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort(new Error('the observer was stopped'));
    await this.#watching;
  }
}
