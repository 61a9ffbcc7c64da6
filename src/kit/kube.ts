// The port through which everything above it talks to the API server: raw JSON in, raw JSON out.
// Two implementations: kube-http.ts (the real one) and test/fakes/memory-kube.ts.

export interface OwnerReference {
  apiVersion: string;
  kind: string;
  name: string;
  uid: string;
  controller?: boolean;
  blockOwnerDeletion?: boolean;
}

export interface ObjectMeta {
  name: string;
  namespace?: string;
  uid?: string;
  resourceVersion?: string;
  generation?: number;
  labels?: Record<string, string>;
  annotations?: Record<string, string>;
  finalizers?: string[];
  ownerReferences?: OwnerReference[];
  creationTimestamp?: string;
  deletionTimestamp?: string;
}

export interface KubeObject {
  apiVersion?: string;
  kind?: string;
  metadata: ObjectMeta;
}

/** metav1.Condition. */
export interface Condition {
  type: string;
  status: 'True' | 'False' | 'Unknown';
  reason: string;
  message: string;
  lastTransitionTime: string;
  observedGeneration?: number;
}

/** What the API server needs to be told about a kind; the path is built from it. */
export interface ResourceType {
  /** '' for the core group. */
  readonly group: string;
  readonly version: string;
  readonly plural: string;
  readonly kind: string;
  readonly namespaced: boolean;
}

export interface ObjectKey {
  readonly namespace?: string | undefined;
  readonly name: string;
}

/** `namespace/name`, or `name` for cluster-scoped objects: the key of caches and queues. */
export const keyOf = ({ namespace, name }: ObjectKey): string => (namespace ? `${namespace}/${name}` : name);

export const apiVersionOf = ({ group, version }: ResourceType): string => (group ? `${group}/${version}` : version);

export interface CallOptions {
  readonly signal?: AbortSignal;
  /** Default 30 000. */
  readonly timeoutMs?: number;
}

export interface ListOptions extends CallOptions {
  readonly namespace?: string;
  readonly labelSelector?: string;
  readonly fieldSelector?: string;
  readonly limit?: number;
  readonly continue?: string;
}

export interface ObjectList<T> {
  metadata: { resourceVersion?: string; continue?: string };
  items: T[];
}

export interface WatchOptions {
  readonly signal: AbortSignal;
  readonly namespace?: string;
  readonly labelSelector?: string;
  readonly fieldSelector?: string;
  /** Absent with `sendInitialEvents`. */
  readonly resourceVersion?: string;
  /** WatchList: the present state as ADDED events, then a BOOKMARK annotated `k8s.io/initial-events-end`. */
  readonly sendInitialEvents?: boolean;
  readonly timeoutSeconds?: number;
}

/** ERROR events never appear: an implementation throws them as KubeError. Bookmarks carry only a resourceVersion. */
export interface WatchEvent<T> {
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED' | 'BOOKMARK';
  readonly object: T;
}

export interface PatchOptions extends CallOptions {
  readonly subresource?: 'status';
}

export interface ApplyOptions extends PatchOptions {
  readonly fieldManager: string;
  /** Default true. */
  readonly force?: boolean;
}

export interface Preconditions {
  readonly uid?: string;
  readonly resourceVersion?: string;
}

/**
 * All calls throw KubeError when the API server answers with a Status, and KubeUnreachable when no answer came.
 * Every call ends within its timeout.
 */
export interface Kube {
  get<T extends KubeObject>(type: ResourceType, key: ObjectKey, options?: CallOptions): Promise<T>;
  list<T extends KubeObject>(type: ResourceType, options?: ListOptions): Promise<ObjectList<T>>;
  /** A stream of events; ends when the server closes it, throws when it breaks or when `signal` aborts. */
  watch<T extends KubeObject>(type: ResourceType, options: WatchOptions): AsyncIterable<WatchEvent<T>>;
  /** apiVersion and kind are filled in. */
  create<T extends KubeObject>(type: ResourceType, object: T, options?: CallOptions): Promise<T>;
  /** PUT: needs metadata.resourceVersion for custom resources; 409 Conflict when it is stale. */
  replace<T extends KubeObject>(type: ResourceType, object: T, options?: PatchOptions): Promise<T>;
  /**
   * Server-side apply. With metadata.uid the object must exist under that uid (409 otherwise); without, apply may
   * create it. With metadata.resourceVersion a stale version is refused with 409 Conflict, but an absent object is still
   * created: only the uid prevents that. On `status` the uid is not looked at.
   */
  apply<T extends KubeObject>(type: ResourceType, object: T, options: ApplyOptions): Promise<T>;
  /** JSON merge patch. A metadata.resourceVersion in the body makes it conditional. */
  mergePatch<T extends KubeObject>(
    type: ResourceType,
    key: ObjectKey,
    body: unknown,
    options?: PatchOptions,
  ): Promise<T>;
  /** Background propagation; unmet preconditions are 409 Conflict. */
  remove(type: ResourceType, key: ObjectKey, preconditions?: Preconditions, options?: CallOptions): Promise<void>;
  /** Difference between the API server's clock (its Date header, second granularity) and ours, in ms; undefined before the first answer. */
  clockOffsetMs(): number | undefined;
}

export interface KubeStatus {
  message?: string;
  reason?: string;
  code?: number;
  details?: { causes?: { reason?: string; message?: string; field?: string }[]; retryAfterSeconds?: number };
}

/** An answer of the API server that is not a success. Carries no headers and no credentials. */
export class KubeError extends Error {
  override readonly name = 'KubeError';
  readonly code: number;
  readonly reason: string;
  readonly status: KubeStatus;
  readonly retryAfterMs: number | undefined;

  constructor(what: string, code: number, status: KubeStatus, retryAfterMs?: number) {
    super(`${what}: ${code} ${status.reason ?? ''} ${status.message ?? ''}`.trim());
    this.code = code;
    this.reason = status.reason ?? '';
    this.status = status;
    this.retryAfterMs = retryAfterMs;
  }
}

/** No answer came: refused, reset, timed out, TLS failure. The write may or may not have landed. */
export class KubeUnreachable extends Error {
  override readonly name = 'KubeUnreachable';
}

export const isNotFound = (error: unknown): boolean => error instanceof KubeError && error.code === 404;
/** The API server has no such resource: its CRD is missing. It then answers with a text instead of a Status. */
export const isUnknownKind = (error: unknown): boolean => isNotFound(error) && (error as KubeError).reason === '';
export const isConflict = (error: unknown): boolean =>
  error instanceof KubeError && error.code === 409 && error.reason === 'Conflict';
export const isAlreadyExists = (error: unknown): boolean =>
  error instanceof KubeError && error.code === 409 && error.reason === 'AlreadyExists';
export const isGone = (error: unknown): boolean => error instanceof KubeError && error.code === 410;
export const isForbidden = (error: unknown): boolean => error instanceof KubeError && error.code === 403;
export const isNamespaceTerminating = (error: unknown): boolean =>
  isForbidden(error) &&
  ((error as KubeError).status.details?.causes?.some((cause) => cause.reason === 'NamespaceTerminating') ?? false);
