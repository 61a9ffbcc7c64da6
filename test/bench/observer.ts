// Watches the objects as a user would, and notes when each became Ready and when each was gone.
import { databaseBranchResource } from '../../src/api/names.ts';
import type { DatabaseBranch } from '../../src/api/v1alpha1/database-branch.ts';
import { findCondition } from '../../src/kit/conditions.ts';
import { keyOf, type Kube, type WatchEvent } from '../../src/kit/kube.ts';
import { until } from '../stack/until.ts';

export class Observer implements AsyncDisposable {
  /** By `namespace/name`; `performance.now()` when the API server said so. */
  readonly readyAt = new Map<string, number>();
  readonly deletingAt = new Map<string, number>();
  readonly goneAt = new Map<string, number>();
  readonly #stop = new AbortController();
  #watching: Promise<void> = Promise.resolve();

  /** Of one namespace, or of all. */
  static async start(kube: Kube, namespace?: string): Promise<Observer> {
    const observer = new Observer();
    const scope = namespace === undefined ? {} : { namespace };
    const { metadata } = await kube.list(databaseBranchResource, { ...scope, limit: 1 });
    const changes = kube.watch<DatabaseBranch>(databaseBranchResource, {
      ...scope,
      resourceVersion: metadata.resourceVersion ?? '',
      signal: observer.#stop.signal,
      timeoutSeconds: 3600,
    });
    observer.#watching = observer.#follow(changes).catch((error: unknown) => {
      if (!observer.#stop.signal.aborted) throw error;
    });
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

  async #follow(changes: AsyncIterable<WatchEvent<DatabaseBranch>>): Promise<void> {
    for await (const { type, object } of changes) if (type !== 'BOOKMARK') this.#note(type, object);
  }

  #note(type: string, { metadata, status }: DatabaseBranch): void {
    const key = keyOf(metadata);
    const now = performance.now();
    if (type === 'DELETED') this.goneAt.set(key, now);
    if (metadata.deletionTimestamp !== undefined && !this.deletingAt.has(key)) this.deletingAt.set(key, now);
    const ready = findCondition(status?.conditions ?? [], 'Ready')?.status === 'True';
    if (ready && !this.readyAt.has(key)) this.readyAt.set(key, now);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort(new Error('the observer was stopped'));
    await this.#watching;
  }
}
