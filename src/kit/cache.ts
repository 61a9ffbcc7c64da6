// A read-only view of all objects of one kind, with indexes. Fed by reflectors: one for the whole cluster, or one for each
// namespace of a namespaced install. May lag behind the API server; whoever must be sure asks the server.
import { orAbort } from './deadline.ts';
import { keyOf, type KubeObject } from './kube.ts';
import { Reflector, type Change, type ChangeHandler, type ReflectorOptions } from './reflector.ts';

/** The values under which an object is found; none: not in this index. */
export type IndexFunction<T> = (object: T) => readonly string[];

export interface CacheOptions<T extends KubeObject> extends Omit<ReflectorOptions<T>, 'namespace'> {
  /** Only these namespaces; absent or empty: all. */
  readonly namespaces?: readonly string[];
  readonly indexes?: Readonly<Record<string, IndexFunction<T>>>;
}

/** Index name → value → key → object. */
type Indexes<T> = Map<string, Map<string, Map<string, T>>>;

export class Cache<T extends KubeObject> {
  readonly #options: CacheOptions<T>;
  readonly #reflectors: readonly Reflector<T>[];
  readonly #indexes: Indexes<T> = new Map();
  readonly #subscribers = new Set<ChangeHandler<T>>();

  constructor(options: CacheOptions<T>) {
    this.#options = options;
    const handler: ChangeHandler<T> = (change, object, old) => this.#changed(change, object, old);
    const { namespaces = [] } = options;
    this.#reflectors =
      namespaces.length === 0
        ? [new Reflector(options, handler)]
        : namespaces.map((namespace) => new Reflector({ ...options, namespace }, handler));
    for (const name of Object.keys(options.indexes ?? {})) this.#indexes.set(name, new Map());
  }

  /** Whether the first complete state is in. While it is not, `undefined` does not mean that an object is not there. */
  get synced(): boolean {
    return this.#reflectors.every(({ synced }) => synced);
  }

  /** Resolves when `synced` turns true; rejects with the signal's reason if it aborts first. */
  async whenSynced(signal?: AbortSignal): Promise<void> {
    const all = Promise.all(this.#reflectors.map(({ whenSynced }) => whenSynced));
    await (signal ? orAbort(all, signal) : all);
  }

  /** Monotonic instant at which every part had heard of the server; undefined if one never has. */
  get lastContactMs(): number | undefined {
    const instants = this.#reflectors.map(({ lastContactMs }) => lastContactMs);
    return instants.reduce((a, b) => (a === undefined || b === undefined ? undefined : Math.min(a, b)));
  }

  get size(): number {
    return this.#reflectors.reduce((sum, { objects }) => sum + objects.size, 0);
  }

  /** By `namespace/name`, or `name` for cluster-scoped kinds. The object is frozen. */
  get(key: string): T | undefined {
    for (const { objects } of this.#reflectors) {
      const object = objects.get(key);
      if (object) return object;
    }
    return undefined;
  }

  list(): T[] {
    return this.#reflectors.flatMap(({ objects }) => [...objects.values()]);
  }

  byIndex(name: string, value: string): T[] {
    const index = this.#indexes.get(name);
    if (!index) throw new Error(`the cache of ${this.#options.type.plural} has no index ${name}`);
    return [...(index.get(value)?.values() ?? [])];
  }

  /**
   * `handler` hears every change from now on; the returned function ends that. Handlers run while `synced` is still
   * false for the objects of the first state.
   */
  subscribe(handler: ChangeHandler<T>): () => void {
    this.#subscribers.add(handler);
    return () => this.#subscribers.delete(handler);
  }

  /** Resolves when `signal` aborts. */
  async run(signal: AbortSignal): Promise<void> {
    await Promise.all(this.#reflectors.map((reflector) => reflector.run(signal)));
  }

  #changed(change: Change, object: T, old: T | undefined): void {
    if (old) this.#unindex(old);
    if (change !== 'delete') this.#index(object);
    for (const subscriber of this.#subscribers) {
      try {
        subscriber(change, object, old);
      } catch (error) {
        this.#options.onError?.(error, 'handler');
      }
    }
  }

  #index(object: T): void {
    for (const [name, values] of Object.entries(this.#options.indexes ?? {})) {
      const index = this.#indexes.get(name);
      for (const value of values(object)) {
        const entry = index?.get(value) ?? new Map<string, T>();
        entry.set(keyOf(object.metadata), object);
        index?.set(value, entry);
      }
    }
  }

  #unindex(object: T): void {
    for (const [name, values] of Object.entries(this.#options.indexes ?? {})) {
      const index = this.#indexes.get(name);
      for (const value of values(object)) {
        const entry = index?.get(value);
        entry?.delete(keyOf(object.metadata));
        if (entry?.size === 0) index?.delete(value);
      }
    }
  }
}
