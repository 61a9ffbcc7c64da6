// The objects of the in-memory API server: versions, finalizers, garbage collection and the life of namespaces.
// Everything here is synchronous; memory-kube.ts puts calls, faults and watches around it.
import { isDeepStrictEqual } from 'node:util';
import type { Clock } from '../../src/kit/clock.ts';
import { apiVersionOf, keyOf, type KubeObject, type ObjectKey, type ResourceType } from '../../src/kit/kube.ts';
import type { Ownership } from './field-ownership.ts';
import { failure, isCustom, namespaces } from './memory-objects.ts';

/** What the API server knows of a kind beyond its path. */
export interface KindRules {
  readonly type: ResourceType;
  /** Fills in defaults, as the CRD's schema would, also of the status; mutates its argument. */
  readonly defaults?: (object: KubeObject) => void;
  /** A complaint makes the write fail with 422 Invalid. */
  readonly validate?: (object: KubeObject, old: KubeObject | undefined) => string | undefined;
}

/** One write as the outside saw it. */
export interface Version {
  readonly event: 'ADDED' | 'MODIFIED' | 'DELETED';
  readonly type: ResourceType;
  readonly object: KubeObject;
  readonly old: KubeObject | undefined;
  /** Number behind metadata.resourceVersion. */
  readonly revision: number;
  readonly at: Date;
}

export interface Stored {
  readonly type: ResourceType;
  readonly object: KubeObject;
  readonly ownership: Ownership;
}

const withoutStatusAndMeta = (object: KubeObject): object => {
  const { metadata: _metadata, ...rest } = object as KubeObject & { status?: unknown };
  delete rest.status;
  return rest;
};

export class MemoryStore {
  readonly #clock: Clock;
  readonly #rules: readonly KindRules[];
  readonly #objects = new Map<string, Map<string, Stored>>();
  readonly #livingUids = new Set<string>();
  #revision = 100;
  #lastUid = 0;
  /** Every version of every object, oldest first. Never forgotten. */
  readonly versions: Version[] = [];
  /** Watches from an older revision are refused with 410. */
  compactedRevision = 0;
  /** Switch off to model a cluster whose garbage collector is away. */
  collecting = true;
  onVersion: (version: Version) => void = () => {};

  constructor(clock: Clock, rules: readonly KindRules[]) {
    this.#clock = clock;
    this.#rules = rules;
    for (const name of ['default', 'kube-system']) this.insert(namespaces, { metadata: { name } }, new Map());
  }

  get revision(): number {
    return this.#revision;
  }

  find(type: ResourceType, key: ObjectKey): Stored | undefined {
    return this.#kind(type).get(keyOf(key));
  }

  /** Sorted by key, as the API server lists. */
  all(type: ResourceType): Stored[] {
    return [...this.#kind(type)].toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([, stored]) => stored);
  }

  /** Stores a new object; system fields that it already has are kept, so that tests can seed a past. */
  insert(type: ResourceType, object: KubeObject, ownership: Ownership): KubeObject {
    const fresh = structuredClone(object);
    fresh.apiVersion = apiVersionOf(type);
    fresh.kind = type.kind;
    fresh.metadata.uid ??= `00000000-0000-4000-8000-${String(++this.#lastUid).padStart(12, '0')}`;
    fresh.metadata.creationTimestamp ??= this.#timestamp();
    if (isCustom(type)) fresh.metadata.generation ??= 1;
    const complete =
      type.plural === 'namespaces'
        ? { spec: { finalizers: ['kubernetes'] }, status: { phase: 'Active' }, ...fresh }
        : fresh;
    this.#prepare(type, complete, undefined);
    this.#put(type, complete, undefined, ownership);
    return complete;
  }

  /** Stores a changed object; a write that changes nothing leaves no version behind. */
  update(before: Stored, changed: KubeObject, ownership: Ownership): KubeObject {
    const { type, object: old } = before;
    const next = structuredClone(changed);
    for (const field of ['uid', 'creationTimestamp', 'deletionTimestamp', 'generation', 'resourceVersion'] as const) {
      delete next.metadata[field];
      if (old.metadata[field] !== undefined) Object.assign(next.metadata, { [field]: old.metadata[field] });
    }
    this.#refuseNewFinalizers(next, old);
    this.#prepare(type, next, old);
    if (isDeepStrictEqual(next, old) && isDeepStrictEqual(ownership, before.ownership)) return old;
    const meantChange = !isDeepStrictEqual(withoutStatusAndMeta(next), withoutStatusAndMeta(old));
    if (isCustom(type) && meantChange) next.metadata.generation = (old.metadata.generation ?? 0) + 1;
    if (next.metadata.deletionTimestamp && !this.#held(next)) return this.#drop({ type, object: next, ownership });
    this.#put(type, next, old, ownership);
    return next;
  }

  /** DELETE: gone at once, or marked while finalizers hold it. */
  remove(stored: Stored): void {
    const { type, object, ownership } = stored;
    if (object.metadata.deletionTimestamp) return;
    if (!this.#held(object)) return void this.#drop(stored);
    const marked = structuredClone(object);
    marked.metadata.deletionTimestamp = this.#timestamp();
    if (marked.metadata.generation) marked.metadata.generation += 1;
    if (type.plural === 'namespaces') Object.assign(marked, { status: { phase: 'Terminating' } });
    this.#put(type, marked, object, ownership);
    if (type.plural === 'namespaces') this.#emptyNamespace(marked.metadata.name);
  }

  /** Removes objects all of whose owners are gone, as the garbage collector does with background propagation. */
  collectGarbage(): void {
    for (const stored of this.#everything()) this.#removeIfOrphaned(stored);
  }

  #removeIfOrphaned({ type, object }: Stored): void {
    const owners = object.metadata.ownerReferences ?? [];
    if (!this.collecting || owners.length === 0 || owners.some(({ uid }) => this.#livingUids.has(uid))) return;
    const present = this.find(type, object.metadata);
    if (present) this.remove(present);
  }

  #kind(type: ResourceType): Map<string, Stored> {
    const id = `${type.group}/${type.plural}`;
    const kind = this.#objects.get(id) ?? new Map<string, Stored>();
    this.#objects.set(id, kind);
    return kind;
  }

  #everything(): Stored[] {
    return [...this.#objects.values()].flatMap((kind) => [...kind.values()]);
  }

  #timestamp(): string {
    return this.#clock
      .now()
      .toISOString()
      .replace(/\.\d+Z$/, 'Z');
  }

  #prepare(type: ResourceType, object: KubeObject, old: KubeObject | undefined): void {
    const rules = this.#rules.find((rule) => rule.type.group === type.group && rule.type.plural === type.plural);
    rules?.defaults?.(object);
    const complaint = rules?.validate?.(object, old);
    if (complaint) throw failure(422, 'Invalid', `${type.kind} "${object.metadata.name}" is invalid: ${complaint}`);
  }

  #refuseNewFinalizers(next: KubeObject, old: KubeObject): void {
    if (!old.metadata.deletionTimestamp) return;
    const added = (next.metadata.finalizers ?? []).filter((name) => !old.metadata.finalizers?.includes(name));
    if (added.length > 0) {
      const why = 'no new finalizers can be added if the object is being deleted';
      throw failure(422, 'Invalid', `metadata.finalizers: Forbidden: ${why}, found new finalizers ${added.join()}`);
    }
  }

  #held(object: KubeObject): boolean {
    const { spec } = object as KubeObject & { spec?: { finalizers?: string[] } };
    const ownFinalizers = object.kind === 'Namespace' ? (spec?.finalizers ?? []) : [];
    return [...(object.metadata.finalizers ?? []), ...ownFinalizers].length > 0;
  }

  #put(type: ResourceType, object: KubeObject, old: KubeObject | undefined, ownership: Ownership): void {
    object.metadata.resourceVersion = String(++this.#revision);
    const stored = { type, object, ownership };
    this.#kind(type).set(keyOf(object.metadata), stored);
    this.#livingUids.add(object.metadata.uid ?? '');
    this.#record(old ? 'MODIFIED' : 'ADDED', type, object, old);
    this.#removeIfOrphaned(stored);
  }

  #drop({ type, object }: Stored): KubeObject {
    const last = structuredClone(object);
    last.metadata.resourceVersion = String(++this.#revision);
    const old = this.find(type, object.metadata)?.object;
    this.#kind(type).delete(keyOf(object.metadata));
    this.#livingUids.delete(object.metadata.uid ?? '');
    this.#record('DELETED', type, last, old);
    this.#collectDependentsOf(object.metadata.uid);
    if (type.namespaced && object.metadata.namespace) this.#finishNamespace(object.metadata.namespace);
    return last;
  }

  #collectDependentsOf(uid: string | undefined): void {
    for (const stored of this.#everything()) {
      if (stored.object.metadata.ownerReferences?.some((owner) => owner.uid === uid)) this.#removeIfOrphaned(stored);
    }
  }

  #record(event: Version['event'], type: ResourceType, object: KubeObject, old: KubeObject | undefined): void {
    const version = { event, type, object, old, revision: this.#revision, at: this.#clock.now() };
    this.versions.push(version);
    this.onVersion(version);
  }

  #inNamespace(name: string): Stored[] {
    return this.#everything().filter(({ type, object }) => type.namespaced && object.metadata.namespace === name);
  }

  #emptyNamespace(name: string): void {
    for (const stored of this.#inNamespace(name)) {
      const present = this.find(stored.type, stored.object.metadata);
      if (present) this.remove(present);
    }
    this.#finishNamespace(name);
  }

  #finishNamespace(name: string): void {
    const namespace = this.find(namespaces, { name });
    if (!namespace?.object.metadata.deletionTimestamp || this.#inNamespace(name).length > 0) return;
    const released = { ...namespace.object, spec: { finalizers: [] } };
    if (!this.#held(released)) this.#drop({ ...namespace, object: released });
  }
}
