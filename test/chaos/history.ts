// Everything that was ever written to the API server, in order and without a gap, also over its restarts: read from the
// etcd behind it, which stays up. What was true for a moment only is in here too.
import { request } from 'undici';
import { branchClassResource, databaseBranchResource, namespaceResource, secretResource } from '../../src/api/names.ts';
import type { KubeObject, ResourceType } from '../../src/kit/kube.ts';
import { until } from '../stack/until.ts';

/** One write. */
export interface Version {
  /** The resourceVersion that the API server shows. */
  readonly revision: number;
  /** When it was heard of, in ms since the epoch: at most some ms after the write. */
  readonly at: number;
  readonly type: ResourceType;
  /** `namespace/name`, or `name`. */
  readonly key: string;
  /** Undefined: it is gone. */
  readonly object: KubeObject | undefined;
  /** The version before, if the object was there. */
  readonly before: KubeObject | undefined;
}

/** Under which keys the API server keeps what we look at. Needs `--storage-media-type=application/json`. */
const places: readonly (readonly [string, ResourceType])[] = [
  [`/registry/${databaseBranchResource.group}/${databaseBranchResource.plural}/`, databaseBranchResource],
  [`/registry/${branchClassResource.group}/${branchClassResource.plural}/`, branchClassResource],
  ['/registry/secrets/', secretResource],
  ['/registry/namespaces/', namespaceResource],
];

interface WatchAnswer {
  readonly result?: {
    readonly header?: { readonly revision?: string };
    readonly events?: readonly {
      readonly type?: 'DELETE';
      readonly kv: { readonly key: string; readonly value?: string; readonly mod_revision: string };
    }[];
  };
  readonly error?: unknown;
}

/** The whole key space. */
const everything = { key: 'AA==', range_end: 'AA==' };

/** Everything as it stands now. */
export type Present = Pick<History, 'all' | 'get'>;

export class History {
  readonly #etcdUrl: string;
  readonly #stop = new AbortController();
  readonly #now = new Map<string, Map<string, KubeObject>>(places.map(([, { plural }]) => [plural, new Map()]));
  readonly #hear: (version: Version) => void;
  #seen = 0;
  #broken: unknown;

  /** `hear` gets every version, in order. */
  constructor(etcdUrl: string, hear: (version: Version) => void) {
    this.#etcdUrl = etcdUrl;
    this.#hear = hear;
  }

  /** From the very first revision, which a young etcd still has. */
  start(): void {
    this.#follow().catch((error: unknown) => {
      if (!this.#stop.signal.aborted) this.#broken = error;
    });
  }

  stop(): void {
    this.#stop.abort();
  }

  /** As it stands now. */
  all<T extends KubeObject>({ plural }: ResourceType): T[] {
    return [...(this.#now.get(plural)?.values() ?? [])] as T[];
  }

  get<T extends KubeObject>({ plural }: ResourceType, key: string): T | undefined {
    return this.#now.get(plural)?.get(key) as T | undefined;
  }

  /** Resolves when everything that is written by now was heard of. */
  async caughtUp(): Promise<void> {
    const { body } = await request(`${this.#etcdUrl}/v3/kv/range`, {
      method: 'POST',
      body: JSON.stringify({ ...everything, limit: 1, keys_only: true }),
    });
    const { header } = (await body.json()) as { header: { revision: string } };
    await until('the history is complete', () => this.#checked() >= Number(header.revision), { everyMs: 5 });
  }

  #checked(): number {
    if (this.#broken !== undefined) throw new Error('the history has a gap', { cause: this.#broken });
    return this.#seen;
  }

  async #follow(): Promise<void> {
    const { body } = await request(`${this.#etcdUrl}/v3/watch`, {
      method: 'POST',
      body: JSON.stringify({ create_request: { ...everything, start_revision: 1 } }),
      signal: this.#stop.signal,
      bodyTimeout: 0,
    });
    let rest = '';
    body.setEncoding('utf8');
    for await (const chunk of body as AsyncIterable<string>) {
      const lines = (rest + chunk).split('\n');
      rest = lines.pop() ?? '';
      for (const line of lines) if (line !== '') this.#take(JSON.parse(line) as WatchAnswer);
    }
    throw new Error('etcd has ended the watch');
  }

  #take({ result, error }: WatchAnswer): void {
    if (error !== undefined) throw new Error(`etcd refused the watch: ${JSON.stringify(error)}`);
    for (const { type, kv } of result?.events ?? []) {
      const path = Buffer.from(kv.key, 'base64').toString();
      const place = places.find(([prefix]) => path.startsWith(prefix));
      const revision = Number(kv.mod_revision);
      if (place) this.#note(place[1], path.slice(place[0].length), revision, type === 'DELETE' ? undefined : kv.value);
      this.#seen = Math.max(this.#seen, revision);
    }
  }

  #note(type: ResourceType, key: string, revision: number, value: string | undefined): void {
    const now = this.#now.get(type.plural);
    const before = now?.get(key);
    const object = value === undefined ? undefined : parsed(value, revision);
    if (object) now?.set(key, object);
    else now?.delete(key);
    this.#hear({ revision, at: Date.now(), type, key, object, before });
  }
}

/** The resourceVersion is not stored with the object: it is the revision of the write. */
function parsed(value: string, revision: number): KubeObject {
  const object = JSON.parse(Buffer.from(value, 'base64').toString()) as KubeObject;
  return { ...object, metadata: { ...object.metadata, resourceVersion: String(revision) } };
}
