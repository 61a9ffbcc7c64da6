// The Kube port over HTTP: turns verbs into requests and answers into objects. Raw JSON in both directions, because
// typed serializers drop the fields they do not know.
import {
  KubeError,
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
} from './kube.ts';
import { linesOf, named, watchEvent, withUidConflict } from './kube-answers.ts';
import { KubeTransport, type KubeRequest, type TransportOptions } from './kube-transport.ts';

const segment = encodeURIComponent;

/** The path of a collection, of one object, or of its subresource. Names keep their case. */
export function pathOf(type: ResourceType, { namespace, name }: Partial<ObjectKey>, subresource?: string): string {
  const group = type.group ? `/apis/${segment(type.group)}/${segment(type.version)}` : `/api/${segment(type.version)}`;
  const scope = type.namespaced && namespace ? `/namespaces/${segment(namespace)}` : '';
  const object = name ? `/${segment(name)}` : '';
  return `${group}${scope}/${segment(type.plural)}${object}${subresource ? `/${subresource}` : ''}`;
}

export class HttpKube implements Kube {
  readonly #transport: KubeTransport;

  constructor(options: TransportOptions) {
    this.#transport = new KubeTransport(options);
  }

  get<T extends KubeObject>(type: ResourceType, key: ObjectKey, options: CallOptions = {}): Promise<T> {
    return this.#object(type, { method: 'GET', path: pathOf(type, key) }, options);
  }

  async list<T extends KubeObject>(type: ResourceType, options: ListOptions = {}): Promise<ObjectList<T>> {
    const { namespace, labelSelector, fieldSelector, limit, continue: from } = options;
    const query = { labelSelector, fieldSelector, limit, continue: from };
    const request = { method: 'GET', path: pathOf(type, namespace ? { namespace } : {}), query } as const;
    const { metadata, items } = (await this.#transport.call(request, options)) as ObjectList<T>;
    return { metadata, items: (items ?? []).map((item) => named(type, item)) };
  }

  async *watch<T extends KubeObject>(type: ResourceType, options: WatchOptions): AsyncGenerator<WatchEvent<T>> {
    const { signal } = options;
    const lines = linesOf(await this.#transport.stream(watchRequest(type, options), signal));
    try {
      for await (const line of lines) yield watchEvent<T>(type, line);
    } catch (error) {
      if (signal.aborted) throw signal.reason;
      if (error instanceof KubeError) throw error;
      throw new KubeUnreachable(`WATCH ${type.plural}: the stream broke`, { cause: error });
    }
  }

  create<T extends KubeObject>(type: ResourceType, object: T, options: CallOptions = {}): Promise<T> {
    const { namespace } = object.metadata;
    const path = pathOf(type, namespace ? { namespace } : {});
    return this.#object(type, { method: 'POST', path, body: named(type, object) }, options);
  }

  replace<T extends KubeObject>(type: ResourceType, object: T, options: PatchOptions = {}): Promise<T> {
    const path = pathOf(type, object.metadata, options.subresource);
    return this.#object(type, { method: 'PUT', path, body: named(type, object) }, options);
  }

  apply<T extends KubeObject>(type: ResourceType, object: T, options: ApplyOptions): Promise<T> {
    const { fieldManager, force = true, subresource } = options;
    const request = {
      method: 'PATCH',
      path: pathOf(type, object.metadata, subresource),
      query: { fieldManager, force },
      contentType: 'application/apply-patch+yaml',
      body: named(type, object),
    } as const;
    return this.#patch(type, request, options);
  }

  mergePatch<T extends KubeObject>(
    type: ResourceType,
    key: ObjectKey,
    body: unknown,
    options: PatchOptions = {},
  ): Promise<T> {
    const path = pathOf(type, key, options.subresource);
    return this.#patch(type, { method: 'PATCH', path, contentType: 'application/merge-patch+json', body }, options);
  }

  async remove(
    type: ResourceType,
    key: ObjectKey,
    preconditions: Preconditions = {},
    options: CallOptions = {},
  ): Promise<void> {
    const body = { apiVersion: 'v1', kind: 'DeleteOptions', propagationPolicy: 'Background', preconditions };
    await this.#transport.call({ method: 'DELETE', path: pathOf(type, key), body }, options);
  }

  clockOffsetMs(): number | undefined {
    return this.#transport.clockOffsetMs();
  }

  /** For what has no kind: `/version`, `/readyz`, discovery documents. */
  getRaw(path: string, options: CallOptions = {}): Promise<unknown> {
    return this.#transport.call({ method: 'GET', path }, options);
  }

  /** POST to a subresource that is an action, such as `token` of a ServiceAccount. */
  createSubresource(
    type: ResourceType,
    key: ObjectKey,
    subresource: string,
    body: unknown,
    options: CallOptions = {},
  ): Promise<unknown> {
    return this.#transport.call({ method: 'POST', path: pathOf(type, key, subresource), body }, options);
  }

  close(): Promise<void> {
    return this.#transport.close();
  }

  async #patch<T extends KubeObject>(type: ResourceType, request: KubeRequest, options: CallOptions): Promise<T> {
    try {
      return await this.#object<T>(type, request, options);
    } catch (error) {
      throw withUidConflict(error);
    }
  }

  async #object<T extends KubeObject>(type: ResourceType, request: KubeRequest, options: CallOptions): Promise<T> {
    return named(type, (await this.#transport.call(request, options)) as T);
  }
}

function watchRequest(type: ResourceType, options: WatchOptions): KubeRequest {
  const { namespace, labelSelector, fieldSelector, resourceVersion, sendInitialEvents, timeoutSeconds } = options;
  const query = {
    watch: true,
    allowWatchBookmarks: true,
    labelSelector,
    fieldSelector,
    resourceVersion,
    timeoutSeconds,
  };
  const initial = sendInitialEvents ? { sendInitialEvents, resourceVersionMatch: 'NotOlderThan' } : {};
  return { method: 'GET', path: pathOf(type, namespace ? { namespace } : {}), query: { ...query, ...initial } };
}
