// Events for people, in events.k8s.io/v1: the first occurrence is posted, repeats become a series on the same object.
// Never fails and never holds up a pass.
import type { Clock } from './clock.ts';
import { apiVersionOf, isNotFound, type Kube, type KubeObject, type ResourceType } from './kube.ts';

const events: ResourceType = {
  group: 'events.k8s.io',
  version: 'v1',
  plural: 'events',
  kind: 'Event',
  namespaced: true,
};

export interface Happening {
  readonly type: 'Normal' | 'Warning';
  /** CamelCase: what happened. */
  readonly reason: string;
  /** CamelCase: what was being done. */
  readonly action: string;
  /** For people; cut at 1024 characters. */
  readonly note: string;
  readonly regarding: KubeObject;
  readonly resource: ResourceType;
}

export interface EventRecorder {
  record(happening: Happening): void;
}

export interface EventRecorderOptions {
  readonly kube: Kube;
  readonly clock: Clock;
  /** Such as lakebranch.dev/operator. */
  readonly controller: string;
  /** The process, such as the pod's name. */
  readonly instance: string;
  /** Called for each event that could not be written, for a counter. */
  readonly onDropped?: (error: unknown) => void;
}

interface Event extends KubeObject {
  series?: { count: number; lastObservedTime: string };
}

interface Series {
  readonly name: string;
  readonly namespace: string;
  count: number;
  lastAt: number;
  reportedAt: number;
}

/** As in client-go: a series is forgotten after 6 minutes of silence. */
const silenceMs = 6 * 60_000;
/** A running series tells its count this often. */
const reportMs = 5 * 60_000;
const maxSeries = 1000;
const maxWaiting = 1000;

export class KubeEventRecorder implements EventRecorder {
  readonly #options: EventRecorderOptions;
  readonly #series = new Map<string, Series>();
  #sending: Promise<void> = Promise.resolve();
  #waiting = 0;
  #counter = 0;

  constructor(options: EventRecorderOptions) {
    this.#options = options;
  }

  record(happening: Happening): void {
    const now = this.#options.clock.monotonicMs();
    this.#forget(now);
    const key = seriesKey(happening);
    const running = this.#series.get(key);
    if (running) return this.#repeat(running, now);
    const name = `${happening.regarding.metadata.name}.${this.#uniqueSuffix()}`;
    const namespace = happening.regarding.metadata.namespace ?? 'default';
    this.#series.set(key, { name, namespace, count: 1, lastAt: now, reportedAt: now });
    this.#send(() => this.#options.kube.create(events, this.#event(happening, name, namespace)));
  }

  /** Resolves when everything recorded so far was sent or dropped. */
  flushed(): Promise<void> {
    return this.#sending;
  }

  #repeat(series: Series, now: number): void {
    series.count += 1;
    series.lastAt = now;
    if (series.count > 2 && now - series.reportedAt < reportMs) return;
    series.reportedAt = now;
    const body = { series: { count: series.count, lastObservedTime: this.#microTime() } };
    this.#send(() => this.#options.kube.mergePatch<Event>(events, series, body));
  }

  #event(happening: Happening, name: string, namespace: string): Event & Record<string, unknown> {
    const { type, reason, action, note, regarding, resource } = happening;
    const { metadata } = regarding;
    return {
      metadata: { name, namespace },
      eventTime: this.#microTime(),
      reportingController: this.#options.controller,
      reportingInstance: this.#options.instance,
      action,
      reason,
      type,
      note: note.length > 1024 ? `${note.slice(0, 1023)}…` : note,
      regarding: {
        apiVersion: apiVersionOf(resource),
        kind: resource.kind,
        name: metadata.name,
        ...(metadata.namespace === undefined ? {} : { namespace: metadata.namespace }),
        uid: metadata.uid,
        resourceVersion: metadata.resourceVersion,
      },
    };
  }

  // One after the other, so that a series follows its first event. What cannot be sent is dropped: an Event is no record.
  #send(call: () => Promise<unknown>): void {
    if (this.#waiting >= maxWaiting) return this.#options.onDropped?.(new Error('too many events wait'));
    this.#waiting += 1;
    this.#sending = this.#sending.then(async () => {
      await call().catch((error: unknown) => {
        if (!isNotFound(error)) this.#options.onDropped?.(error);
      });
      this.#waiting -= 1;
    });
  }

  #forget(now: number): void {
    for (const [key, { lastAt }] of this.#series) {
      if (now - lastAt > silenceMs || this.#series.size >= maxSeries) this.#series.delete(key);
    }
  }

  #uniqueSuffix(): string {
    this.#counter += 1;
    return `${this.#options.clock.now().getTime().toString(16)}${this.#counter.toString(16).padStart(4, '0')}`;
  }

  #microTime(): string {
    return this.#options.clock.now().toISOString().replace('Z', '000Z');
  }
}

const seriesKey = ({ type, reason, action, note, regarding }: Happening): string =>
  JSON.stringify([type, reason, action, note, regarding.metadata.uid]);
