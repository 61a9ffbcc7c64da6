// One watch on the in-memory API server: turns versions into events as a selector sees them.
import type { Clock } from '../../src/kit/clock.ts';
import { apiVersionOf, type KubeObject, type ResourceType, type WatchEvent } from '../../src/kit/kube.ts';
import type { Version } from './memory-store.ts';

export interface Selection {
  readonly namespace?: string;
  readonly labelSelector?: string;
  readonly fieldSelector?: string;
}

type Test = (object: KubeObject) => boolean;

const fieldOf = (object: object, path: string): unknown =>
  path.split('.').reduce<unknown>((value, key) => (value as Record<string, unknown> | undefined)?.[key], object);

/** Understands `a`, `!a`, `a=b`, `a==b` and `a!=b`, joined by commas. */
function requirement(text: string, valueOf: (object: KubeObject, name: string) => string | undefined): Test {
  const [, name = '', operator, wanted] = /^([^=!]+)(==|=|!=)(.*)$/.exec(text) ?? [];
  if (operator === '!=') return (object) => valueOf(object, name) !== wanted;
  if (operator) return (object) => valueOf(object, name) === wanted;
  if (text.startsWith('!')) return (object) => valueOf(object, text.slice(1)) === undefined;
  return (object) => valueOf(object, text) !== undefined;
}

const parts = (selector: string | undefined): string[] => (selector ? selector.split(',') : []);

/** Whether an object is part of a list or watch. */
export function selects({ namespace, labelSelector, fieldSelector }: Selection): Test {
  const tests = [
    ...parts(labelSelector).map((text) => requirement(text, ({ metadata }, name) => metadata.labels?.[name])),
    ...parts(fieldSelector).map((text) =>
      requirement(text, (object, path) => fieldOf(object, path) as string | undefined),
    ),
  ];
  if (namespace) tests.push(({ metadata }) => metadata.namespace === namespace);
  return (object) => tests.every((test) => test(object));
}

const bookmarkEveryMs = 60_000;

/** A queue of events that a reader drains; never drops and never waits for the reader. */
export class MemoryWatch {
  readonly #type: ResourceType;
  readonly #selected: Test;
  readonly #events: WatchEvent<KubeObject>[] = [];
  readonly #cancels: (() => void)[] = [];
  #wake: () => void = () => {};
  #ended: { error?: unknown } | undefined;

  constructor(type: ResourceType, selection: Selection) {
    this.#type = type;
    this.#selected = selects(selection);
  }

  get type(): ResourceType {
    return this.#type;
  }

  /** An object that starts or stops matching the selector appears and disappears for this watch. */
  offer({ event, object, old }: Version): void {
    const now = event !== 'DELETED' && this.#selected(object);
    const before = event !== 'ADDED' && this.#selected(old ?? object);
    if (now) this.push({ type: before ? 'MODIFIED' : 'ADDED', object });
    else if (before) this.push({ type: 'DELETED', object });
  }

  push(event: WatchEvent<KubeObject>): void {
    this.#events.push(event);
    this.#wake();
  }

  bookmark(revision: number, initialEventsEnd = false): void {
    const annotations = initialEventsEnd ? { annotations: { 'k8s.io/initial-events-end': 'true' } } : {};
    const metadata = { name: '', resourceVersion: String(revision), ...annotations };
    this.push({ type: 'BOOKMARK', object: { apiVersion: apiVersionOf(this.#type), kind: this.#type.kind, metadata } });
  }

  /** Bookmarks every minute and ends after `timeoutSeconds`, as the API server does. */
  keepTime(clock: Clock, revision: () => number, timeoutSeconds: number | undefined): void {
    const tick = (): void => {
      this.bookmark(revision());
      this.#cancels[0] = clock.after(bookmarkEveryMs, tick);
    };
    this.#cancels[0] = clock.after(bookmarkEveryMs, tick);
    if (timeoutSeconds !== undefined) this.#cancels[1] = clock.after(timeoutSeconds * 1000, () => this.end());
  }

  /** Ends the stream once what was offered so far is read; with an error it breaks at once. */
  end(error?: unknown): void {
    this.#ended ??= error === undefined ? {} : { error };
    for (const cancel of this.#cancels) cancel();
    this.#wake();
  }

  async *events(signal: AbortSignal): AsyncGenerator<WatchEvent<KubeObject>> {
    const onAbort = (): void => this.end(signal.reason);
    signal.addEventListener('abort', onAbort, { once: true });
    try {
      for (;;) {
        signal.throwIfAborted();
        if (this.#ended?.error) throw this.#ended.error as Error;
        const event = this.#events.shift();
        if (event) yield structuredClone(event);
        else if (this.#ended) return;
        else await new Promise<void>((resolve) => (this.#wake = resolve));
      }
    } finally {
      signal.removeEventListener('abort', onAbort);
      this.end();
    }
  }
}
