// Keeps a copy of all objects of one kind up to date, for ever. What it promises, in the words that reflector.test.ts checks:
//
//  1. Whatever the API server does, the copy comes to equal the server's state once the server answers again.
//  2. A change is told after the copy has it, and fits what was told before: `add` of what was not there, `update` of
//     what was there under the same uid, `delete` of what was there. Another uid under a known name is delete and add.
//  3. As long as the server remembers (no 410) and no watch is silent from its beginning to its end, every version that
//     it stored is told, once and in order.
//  4. `synced` turns true when the first complete state was told, and stays so.
//  5. It ends only when its signal aborts. A handler that throws stops nobody.
//
// It runs no user code but the handler, which should do no more than turn the change into keys.
import { sleep, type Clock } from './clock.ts';
import {
  isGone,
  keyOf,
  KubeError,
  KubeUnreachable,
  type Kube,
  type KubeObject,
  type ResourceType,
  type WatchEvent,
} from './kube.ts';

export type Change = 'add' | 'update' | 'delete';

/** `object` is the present state, for `delete` the last one; `old` what the copy held before. All are frozen. */
export type ChangeHandler<T> = (change: Change, object: T, old: T | undefined) => void;

export interface ReflectorOptions<T extends KubeObject> {
  readonly kube: Kube;
  readonly type: ResourceType;
  readonly clock: Clock;
  readonly namespace?: string;
  readonly labelSelector?: string;
  readonly fieldSelector?: string;
  /** Drops what nobody reads, before an object is kept. managedFields and the last-applied annotation always go. */
  readonly transform?: (object: T) => T;
  /** Called for everything that went wrong and will be tried again. */
  readonly onError?: (error: unknown, during: 'list' | 'watch' | 'handler') => void;
  /** In [0, 1). Default Math.random. */
  readonly random?: () => number;
  /** Default 800. */
  readonly baseBackoffMs?: number;
  /** A watch that is silent for so long is dead: bookmarks come every minute. Default 150 000. */
  readonly idleMs?: number;
}

const maxBackoffMs = 15_000;
const pageSize = 500;
/** A watch that ends sooner than this without saying anything was refused politely. */
const shortWatchMs = 1_000;
const lastApplied = 'kubectl.kubernetes.io/last-applied-configuration';

export class Reflector<T extends KubeObject> {
  readonly #options: ReflectorOptions<T>;
  readonly #handler: ChangeHandler<T>;
  readonly #objects = new Map<string, T>();
  readonly #whenSynced = Promise.withResolvers<void>();
  #synced = false;
  /** Where the watch goes on; '' asks for the whole state. */
  #resourceVersion = '';
  #canStreamLists = true;
  #failures = 0;
  #lastContactMs: number | undefined;

  constructor(options: ReflectorOptions<T>, handler: ChangeHandler<T>) {
    this.#options = options;
    this.#handler = handler;
  }

  get objects(): ReadonlyMap<string, T> {
    return this.#objects;
  }

  get synced(): boolean {
    return this.#synced;
  }

  /** Resolves when `synced` turns true. */
  get whenSynced(): Promise<void> {
    return this.#whenSynced.promise;
  }

  /** Monotonic instant at which the server was last heard; undefined before. */
  get lastContactMs(): number | undefined {
    return this.#lastContactMs;
  }

  /** Resolves when `signal` aborts, never before and never with an error. */
  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const waitMs = await this.#follow(signal);
      if (waitMs > 0) await sleep(this.#options.clock, waitMs, signal).catch(() => undefined);
    }
  }

  /** Lists and watches until the watch ends in whatever way; returns how long to wait before the next. */
  async #follow(signal: AbortSignal): Promise<number> {
    const { clock } = this.#options;
    const startedMs = clock.monotonicMs();
    let during: 'list' | 'watch' = 'list';
    try {
      if (this.#resourceVersion === '' && !this.#canStreamLists) await this.#list(signal);
      during = 'watch';
      await this.#watch(signal);
      return clock.monotonicMs() - startedMs < shortWatchMs ? this.#backoff() : 0;
    } catch (error) {
      if (signal.aborted || this.#fellBackToLists(error)) return 0;
      this.#options.onError?.(error, during);
      return this.#waitAfter(error);
    }
  }

  #waitAfter(error: unknown): number {
    if (isGone(error)) this.#resourceVersion = '';
    const askedMs = error instanceof KubeError ? (error.retryAfterMs ?? 0) : 0;
    return Math.max(this.#backoff(), askedMs);
  }

  /** API servers before 1.34 refuse to stream the initial list. */
  #fellBackToLists(error: unknown): boolean {
    const refused = error instanceof KubeError && (error.code === 400 || error.code === 422);
    if (!refused || !this.#canStreamLists || this.#resourceVersion !== '') return false;
    this.#canStreamLists = false;
    return true;
  }

  /** Jittered, because an API server that restarts meets all watches of all clients at once. */
  #backoff(): number {
    const { baseBackoffMs = 800, random = Math.random } = this.#options;
    return Math.min(maxBackoffMs, baseBackoffMs * 2 ** Math.min(this.#failures++, 30)) * (1 + random());
  }

  #heard(): void {
    this.#lastContactMs = this.#options.clock.monotonicMs();
    this.#failures = 0;
  }

  async #list(signal: AbortSignal): Promise<void> {
    const { kube, type } = this.#options;
    const found = new Map<string, T>();
    let resourceVersion: string | undefined;
    let from: string | undefined;
    do {
      const options = { ...this.#selection(), signal, limit: pageSize, timeoutMs: 120_000 };
      const page = await kube.list<T>(type, from ? { ...options, continue: from } : options);
      for (const item of page.items) found.set(keyOf(item.metadata), this.#kept(item));
      ({ resourceVersion, continue: from } = page.metadata);
    } while (from);
    this.#lastContactMs = this.#options.clock.monotonicMs();
    this.#replaceAll(found, resourceVersion ?? '');
  }

  async #watch(outer: AbortSignal): Promise<void> {
    const { kube, type, random = Math.random } = this.#options;
    const controller = new AbortController();
    const onAbort = (): void => controller.abort(outer.reason);
    outer.addEventListener('abort', onAbort, { once: true });
    const stopWatchdog = this.#startWatchdog(controller);
    const resume = this.#resourceVersion ? { resourceVersion: this.#resourceVersion } : { sendInitialEvents: true };
    const timeoutSeconds = Math.round(300 + 300 * random());
    try {
      const options = { ...this.#selection(), ...resume, timeoutSeconds, signal: controller.signal };
      await this.#read(kube.watch<T>(type, options), resume.sendInitialEvents === true);
    } finally {
      stopWatchdog();
      outer.removeEventListener('abort', onAbort);
      controller.abort();
    }
  }

  /** Consumes one stream. `initial` holds the state that is still being collected. */
  async #read(events: AsyncIterable<WatchEvent<T>>, collecting: boolean): Promise<void> {
    let initial = collecting ? new Map<string, T>() : undefined;
    for await (const event of events) {
      this.#heard();
      if (initial) initial = this.#collect(initial, event);
      else this.#take(event);
    }
    if (initial) throw new KubeUnreachable('the watch ended before it had sent the whole state');
  }

  /** Adds to the state that is being collected; undefined once it was complete and has been told. */
  #collect(state: Map<string, T>, { type, object }: WatchEvent<T>): Map<string, T> | undefined {
    const { annotations, resourceVersion = '' } = object.metadata;
    if (type === 'BOOKMARK') {
      if (annotations?.['k8s.io/initial-events-end'] !== 'true') return state;
      this.#replaceAll(state, resourceVersion);
      return undefined;
    }
    if (type === 'DELETED') state.delete(keyOf(object.metadata));
    else state.set(keyOf(object.metadata), this.#kept(object));
    return state;
  }

  #take({ type, object }: WatchEvent<T>): void {
    if (type === 'DELETED') this.#drop(this.#kept(object));
    else if (type !== 'BOOKMARK') this.#put(this.#kept(object));
    this.#resourceVersion = object.metadata.resourceVersion ?? '';
  }

  #drop(object: T): void {
    const key = keyOf(object.metadata);
    const old = this.#objects.get(key);
    if (this.#objects.delete(key)) this.#tell('delete', object, old);
  }

  #put(object: T): void {
    const key = keyOf(object.metadata);
    const { uid, resourceVersion } = object.metadata;
    let old = this.#objects.get(key);
    if (old?.metadata.uid === uid && old?.metadata.resourceVersion === resourceVersion) return;
    if (old && old.metadata.uid !== uid) {
      this.#drop(old);
      old = undefined;
    }
    this.#objects.set(key, object);
    this.#tell(old ? 'update' : 'add', object, old);
  }

  #replaceAll(state: ReadonlyMap<string, T>, resourceVersion: string): void {
    for (const [key, old] of this.#objects) {
      if (!state.has(key)) this.#drop(old);
    }
    for (const object of state.values()) this.#put(object);
    this.#resourceVersion = resourceVersion;
    this.#synced = true;
    this.#whenSynced.resolve();
  }

  #tell(change: Change, object: T, old: T | undefined): void {
    try {
      this.#handler(change, object, old);
    } catch (error) {
      this.#options.onError?.(error, 'handler');
    }
  }

  #kept(object: T): T {
    const { transform = (same: T) => same } = this.#options;
    return deepFrozen(transform(withoutNoise(object)));
  }

  #selection(): { namespace?: string; labelSelector?: string; fieldSelector?: string } {
    const { namespace, labelSelector, fieldSelector } = this.#options;
    return {
      ...(namespace ? { namespace } : {}),
      ...(labelSelector ? { labelSelector } : {}),
      ...(fieldSelector ? { fieldSelector } : {}),
    };
  }

  #startWatchdog(controller: AbortController): () => void {
    const { clock, idleMs = 150_000 } = this.#options;
    const startedMs = clock.monotonicMs();
    let cancel: () => void;
    const check = (): void => {
      const leftMs = Math.max(startedMs, this.#lastContactMs ?? 0) + idleMs - clock.monotonicMs();
      if (leftMs > 0) cancel = clock.after(leftMs, check);
      else {
        // Not even a bookmark since it began: a server that was set back to an earlier time, from a backup, is silent
        // until it comes to the version where we wanted to go on.
        if ((this.#lastContactMs ?? 0) <= startedMs) this.#resourceVersion = '';
        controller.abort(new KubeUnreachable(`the watch was silent for ${idleMs} ms`));
      }
    };
    cancel = clock.after(idleMs, check);
    return () => cancel();
  }
}

function withoutNoise<T extends KubeObject>(object: T): T {
  const { managedFields: _managedFields, ...metadata } = object.metadata as T['metadata'] & { managedFields?: unknown };
  if (!metadata.annotations?.[lastApplied]) return { ...object, metadata };
  const { [lastApplied]: _lastApplied, ...annotations } = metadata.annotations;
  return { ...object, metadata: { ...metadata, annotations } };
}

function deepFrozen<T>(value: T): T {
  if (typeof value === 'object' && value !== null && !Object.isFrozen(value)) {
    for (const part of Object.values(value)) deepFrozen(part);
    Object.freeze(value);
  }
  return value;
}
