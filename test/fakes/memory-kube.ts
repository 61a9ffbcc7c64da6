// The Kube port in memory: resourceVersion conflicts, server-side apply, finalizers, status apart from spec, garbage
// collection, terminating namespaces and watches. Deterministic: nothing waits but on promises and the given clock.
// What is not of the port is how a test sees and shapes the world: synchronous, and past all faults.
import type { Clock } from '../../src/kit/clock.ts';
import {
  keyOf,
  KubeUnreachable,
  type ApplyOptions,
  type CallOptions,
  type Kube,
  type KubeObject,
  type ListOptions,
  type ObjectKey,
  type ObjectList,
  type PatchOptions,
  type Preconditions,
  type ResourceType,
  type WatchEvent,
  type WatchOptions,
} from '../../src/kit/kube.ts';
import { applied, recordUpdate } from './field-ownership.ts';
import {
  appliedOnto,
  bodyOf,
  checkPreconditions,
  conflict,
  failure,
  isCustom,
  json,
  managerOf,
  merged,
  mergePatched,
  namespaces,
  namespaceTerminating,
  notFound,
  onlySubresource,
  patchPreconditions,
  sameKind,
  withDecodedSecret,
} from './memory-objects.ts';
import { MemoryStore, type KindRules, type Stored, type Version } from './memory-store.ts';
import { MemoryWatch, selects } from './memory-watch.ts';

export type Verb = 'get' | 'list' | 'watch' | 'create' | 'replace' | 'apply' | 'mergePatch' | 'remove';

/** One call as it arrived. */
export interface Call {
  /** 1 for the first call of all. */
  readonly number: number;
  readonly verb: Verb;
  readonly type: ResourceType;
  /** `namespace/name`; for lists and watches the namespace or ''. */
  readonly key: string;
  readonly subresource?: 'status';
  readonly body?: unknown;
}

/**
 * Decides about one call. An error fails it; a promise holds it up until it settles (for ever: a black hole, which the
 * caller leaves by its timeout or signal).
 */
export type Fault = (call: Call) => Error | undefined | void | Promise<Error | undefined | void>;

export interface MemoryKubeOptions {
  readonly clock: Clock;
  /** Defaults and validation by kind; kinds without rules work too. */
  readonly rules?: readonly KindRules[];
  /** What a SelfSubjectAccessReview says; default: everything is allowed. */
  readonly allows?: (attributes: unknown) => boolean;
}

export class MemoryKube implements Kube {
  readonly #clock: Clock;
  readonly #store: MemoryStore;
  readonly #allows: (attributes: unknown) => boolean;
  readonly #watches = new Set<MemoryWatch>();
  readonly #pages = new Map<string, { revision: number; rest: KubeObject[] }>();
  readonly #faults = { before: new Set<Fault>(), after: new Set<Fault>() };
  /** Every call, also those that failed. */
  readonly calls: Call[] = [];
  /** What clockOffsetMs() answers. */
  offsetMs: number | undefined = 0;
  /** false: like an API server that refuses sendInitialEvents with 422. */
  watchList = true;

  constructor({ clock, rules = [], allows = () => true }: MemoryKubeOptions) {
    this.#clock = clock;
    this.#allows = allows;
    this.#store = new MemoryStore(clock, rules);
    this.#store.onVersion = (version) => {
      for (const watch of this.#watches) if (sameKind(watch.type, version.type)) watch.offer(version);
    };
  }

  /** Adds a fault that strikes before a call takes effect; the returned function removes it. */
  failBefore(fault: Fault): () => void {
    this.#faults.before.add(fault);
    return () => this.#faults.before.delete(fault);
  }

  /** Adds a fault that strikes after a call took effect: the answer is lost. */
  failAfter(fault: Fault): () => void {
    this.#faults.after.add(fault);
    return () => this.#faults.after.delete(fault);
  }

  /** Removes all faults. */
  heal(): void {
    this.#faults.before.clear();
    this.#faults.after.clear();
  }

  /** Stores an object as it is, with status and any system fields given, as if it had been there before. */
  seed<T extends KubeObject>(type: ResourceType, object: T): T {
    return structuredClone(this.#store.insert(type, json(object), new Map())) as T;
  }

  addNamespace(name: string, labels: Record<string, string> = {}): KubeObject {
    return this.seed(namespaces, { metadata: { name, labels: { 'kubernetes.io/metadata.name': name, ...labels } } });
  }

  peek<T extends KubeObject>(type: ResourceType, key: ObjectKey): T | undefined {
    return structuredClone(this.#store.find(type, key)?.object) as T | undefined;
  }

  all<T extends KubeObject>(type: ResourceType): T[] {
    return this.#store.all(type).map(({ object }) => structuredClone(object) as T);
  }

  /** What a person or another program does with an object: `change` mutates a copy, status included. */
  edit<T extends KubeObject>(type: ResourceType, key: ObjectKey, change: (object: T) => void): T {
    const stored = this.#existing(type, key);
    const next = structuredClone(stored.object) as T;
    change(next);
    return structuredClone(this.#write(stored, next, 'somebody')) as T;
  }

  /** A DELETE by a person, without preconditions. */
  delete(type: ResourceType, key: ObjectKey): void {
    this.#store.remove(this.#existing(type, key));
  }

  /** Every version that an object under this key ever had, oldest first; the last one of a deletion is `DELETED`. */
  history<T extends KubeObject>(
    type: ResourceType,
    key: ObjectKey,
  ): { event: Version['event']; object: T; at: Date }[] {
    return this.#store.versions
      .filter((version) => sameKind(version.type, type) && keyOf(version.object.metadata) === keyOf(key))
      .map(({ event, object, at }) => ({ event, object: structuredClone(object) as T, at }));
  }

  /** Every version of every object, oldest first. */
  versions(): readonly Version[] {
    return this.#store.versions;
  }

  /** Stops or resumes the garbage collector; resuming catches up. */
  setGarbageCollection(on: boolean): void {
    this.#store.collecting = on;
    this.#store.collectGarbage();
  }

  /** Forgets the past: older watches and list continuations are answered with 410 Expired. */
  compact(): void {
    this.#store.compactedRevision = this.#store.revision;
    this.#pages.clear();
  }

  /** Ends all running watches: cleanly, or by throwing `error` at their readers. */
  breakWatches(error?: Error): void {
    for (const watch of this.#watches) watch.end(error);
  }

  get<T extends KubeObject>(type: ResourceType, key: ObjectKey, options: CallOptions = {}): Promise<T> {
    return this.#call({ verb: 'get', type, key: keyOf(key) }, options, () => this.#existing(type, key).object as T);
  }

  list<T extends KubeObject>(type: ResourceType, options: ListOptions = {}): Promise<ObjectList<T>> {
    const call = { verb: 'list', type, key: options.namespace ?? '' } as const;
    return this.#call(call, options, () => this.#page(type, options) as ObjectList<T>);
  }

  async *watch<T extends KubeObject>(type: ResourceType, options: WatchOptions): AsyncGenerator<WatchEvent<T>> {
    const call = { verb: 'watch', type, key: options.namespace ?? '' } as const;
    let opened: MemoryWatch | undefined;
    await this.#call(call, options, () => {
      opened = this.#openWatch(type, options);
    });
    const watch = opened;
    if (!watch) return;
    try {
      yield* watch.events(options.signal) as AsyncGenerator<WatchEvent<T>>;
    } finally {
      this.#watches.delete(watch);
    }
  }

  create<T extends KubeObject>(type: ResourceType, object: T, options: CallOptions = {}): Promise<T> {
    const call = { verb: 'create', type, key: keyOf(object.metadata), body: json(object) } as const;
    return this.#call(call, options, () => {
      if (type.plural === 'selfsubjectaccessreviews') return this.#review(object);
      if (this.#store.find(type, object.metadata)) {
        throw failure(409, 'AlreadyExists', `${type.plural} "${object.metadata.name}" already exists`);
      }
      if (object.metadata.resourceVersion)
        throw failure(500, '', 'resourceVersion should not be set on objects to be created');
      return this.#insert(type, json(object), 'update') as T;
    });
  }

  replace<T extends KubeObject>(type: ResourceType, object: T, options: PatchOptions = {}): Promise<T> {
    const call = {
      verb: 'replace',
      type,
      key: keyOf(object.metadata),
      body: json(object),
      ...onlySubresource(options),
    } as const;
    return this.#call(call, options, () => {
      const stored = this.#existing(type, object.metadata);
      if (isCustom(type) && !object.metadata.resourceVersion) {
        throw failure(422, 'Invalid', 'metadata.resourceVersion: Invalid value: 0: must be specified for an update');
      }
      checkPreconditions(stored, object.metadata);
      return this.#write(stored, merged(stored, json(object), options), 'update') as T;
    });
  }

  apply<T extends KubeObject>(type: ResourceType, object: T, options: ApplyOptions): Promise<T> {
    const call = {
      verb: 'apply',
      type,
      key: keyOf(object.metadata),
      body: json(object),
      ...onlySubresource(options),
    } as const;
    return this.#call(call, options, () => this.#apply(type, json(object), options) as T);
  }

  mergePatch<T extends KubeObject>(
    type: ResourceType,
    key: ObjectKey,
    body: unknown,
    options: PatchOptions = {},
  ): Promise<T> {
    const call = { verb: 'mergePatch', type, key: keyOf(key), body: json(body), ...onlySubresource(options) } as const;
    return this.#call(call, options, () => {
      const stored = this.#existing(type, key);
      checkPreconditions(stored, patchPreconditions((body as Partial<KubeObject>).metadata ?? {}, options));
      const patched = mergePatched(stored.object, json(body)) as KubeObject;
      return this.#write(stored, merged(stored, patched, options), 'update') as T;
    });
  }

  remove(
    type: ResourceType,
    key: ObjectKey,
    preconditions: Preconditions = {},
    options: CallOptions = {},
  ): Promise<void> {
    const call = { verb: 'remove', type, key: keyOf(key), body: json(preconditions) } as const;
    return this.#call(call, options, () => {
      const stored = this.#existing(type, key);
      checkPreconditions(stored, preconditions);
      this.#store.remove(stored);
    });
  }

  clockOffsetMs(): number | undefined {
    return this.offsetMs;
  }

  /** Every call yields once before it takes effect, so that concurrent callers interleave. */
  async #call<T>(about: Omit<Call, 'number'>, options: CallOptions, effect: () => T): Promise<T> {
    const call = { number: this.calls.length + 1, ...about };
    this.calls.push(call);
    await Promise.resolve();
    await this.#strike(this.#faults.before, call, options);
    const result = structuredClone(effect());
    await this.#strike(this.#faults.after, call, options);
    return result;
  }

  async #strike(faults: Set<Fault>, call: Call, options: CallOptions): Promise<void> {
    for (const fault of faults) {
      const verdict = fault(call);
      const error = verdict instanceof Promise ? await this.#orGiveUp(verdict, options) : verdict;
      if (error) throw error;
    }
    options.signal?.throwIfAborted();
  }

  #orGiveUp<T>(pending: Promise<T>, { signal, timeoutMs = 30_000 }: CallOptions): Promise<T> {
    return new Promise((resolve, reject) => {
      const cancel = this.#clock.after(timeoutMs, () => reject(new KubeUnreachable('no answer in time')));
      signal?.addEventListener('abort', () => reject(signal.reason as Error), { once: true });
      void pending.then(resolve, reject).finally(cancel);
    });
  }

  #existing(type: ResourceType, key: ObjectKey): Stored {
    const stored = this.#store.find(type, key);
    if (!stored) throw notFound(type, key.name);
    return stored;
  }

  #insert(type: ResourceType, object: KubeObject, manager: string): KubeObject {
    this.#checkNamespace(type, object);
    for (const field of ['uid', 'resourceVersion', 'creationTimestamp', 'deletionTimestamp', 'generation'] as const) {
      delete object.metadata[field];
    }
    if (isCustom(type)) delete (object as { status?: unknown }).status;
    const ownership = new Map<string, Set<string>>();
    if (manager === 'update') recordUpdate({}, bodyOf(object), ownership, manager);
    else applied({}, bodyOf(object), ownership, manager);
    return this.#store.insert(type, withDecodedSecret(type, object), ownership);
  }

  #checkNamespace(type: ResourceType, { metadata }: KubeObject): void {
    if (!type.namespaced) return;
    const namespace = this.#existing(namespaces, { name: metadata.namespace ?? '' }).object;
    if (namespace.metadata.deletionTimestamp) throw namespaceTerminating(type, metadata);
  }

  #write(stored: Stored, next: KubeObject, manager: string): KubeObject {
    const ownership = structuredClone(stored.ownership);
    const decoded = withDecodedSecret(stored.type, next);
    recordUpdate(bodyOf(stored.object), bodyOf(decoded), ownership, manager);
    return this.#store.update(stored, decoded, ownership);
  }

  #apply(type: ResourceType, object: KubeObject, options: ApplyOptions): KubeObject {
    const stored = this.#store.find(type, object.metadata);
    if (!stored) {
      if (options.subresource) throw notFound(type, object.metadata.name);
      if (object.metadata.uid) throw conflict(type, object.metadata.name, 'uid mismatch: no existing object was found');
      return this.#insert(type, object, managerOf(options));
    }
    checkPreconditions(stored, patchPreconditions(object.metadata, options));
    const { next, ownership } = appliedOnto(stored, object, options);
    return this.#store.update(stored, next, ownership);
  }

  #page(type: ResourceType, options: ListOptions): ObjectList<KubeObject> {
    const selected = selects(options);
    const page = options.continue
      ? this.#pages.get(options.continue)
      : {
          revision: this.#store.revision,
          rest: this.#store
            .all(type)
            .map(({ object }) => object)
            .filter(selected),
        };
    if (!page) throw failure(410, 'Expired', 'The provided continue parameter is too old');
    const items = page.rest.slice(0, options.limit);
    const rest = page.rest.slice(items.length);
    const metadata = { resourceVersion: String(page.revision) };
    if (rest.length === 0) return { metadata, items };
    const token = `${page.revision}.${this.#pages.size}`;
    this.#pages.set(token, { revision: page.revision, rest });
    return { metadata: { ...metadata, continue: token }, items };
  }

  #openWatch(type: ResourceType, options: WatchOptions): MemoryWatch {
    if (options.sendInitialEvents && !this.watchList) {
      throw failure(422, 'Invalid', 'sendInitialEvents: Forbidden: sendInitialEvents is forbidden for watch');
    }
    const from = Number(options.resourceVersion ?? 0);
    if (from > 0 && from < this.#store.compactedRevision) {
      throw failure(410, 'Expired', `too old resource version: ${from} (${this.#store.compactedRevision})`);
    }
    const watch = new MemoryWatch(type, options);
    if (from > 0) this.#replay(watch, from);
    else this.#sendState(watch, options);
    watch.keepTime(this.#clock, () => this.#store.revision, options.timeoutSeconds);
    this.#watches.add(watch);
    return watch;
  }

  #replay(watch: MemoryWatch, from: number): void {
    for (const version of this.#store.versions) {
      if (version.revision > from && sameKind(version.type, watch.type)) watch.offer(version);
    }
  }

  #sendState(watch: MemoryWatch, options: WatchOptions): void {
    const selected = selects(options);
    for (const { object } of this.#store.all(watch.type)) if (selected(object)) watch.push({ type: 'ADDED', object });
    if (options.sendInitialEvents) watch.bookmark(this.#store.revision, true);
  }

  #review<T extends KubeObject>(object: T): T {
    const { spec } = object as T & { spec?: unknown };
    return { ...object, status: { allowed: this.#allows(spec) } };
  }
}
