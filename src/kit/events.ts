// Events for people, in events.k8s.io/v1: the first occurrence is posted, repeats become a series on the same object.
// Only for transitions; what lasts is a condition. Never fails and never holds up a pass.
import type { Clock } from './clock.ts';
import { deadline, orAbort } from './deadline.ts';
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
  /** For people; cut at 1024 bytes. */
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
  /**
   * Called for each event that could not be written, for a counter. Refusals are usual: nothing can be created in a
   * namespace that is being deleted.
   */
  readonly onDropped?: (error: unknown) => void;
}

interface Series {
  readonly happening: Happening;
  name: string;
  count: number;
  lastMs: number;
  reportedCount: number;
  reportedMs: number;
}

interface Bucket {
  tokens: number;
  filledMs: number;
}

/** As in client-go: a series is forgotten after 6 minutes of silence. */
const silenceMs = 6 * 60_000;
/** A running series tells its count this often. */
const reportMs = 5 * 60_000;
/** As in client-go: an object may cause 25 events at once, and one more every 5 minutes. */
const burst = 25;
const refillMs = 5 * 60_000;
const maxRemembered = 1000;
const maxWaiting = 1000;
/** Set by the API server, in bytes. */
const maxNoteBytes = 1024;
/** Leaves room for the suffix in the 253 characters of a name. */
const maxNamePrefix = 220;

export class KubeEventRecorder implements EventRecorder {
  readonly #options: EventRecorderOptions;
  readonly #series = new Map<string, Series>();
  readonly #buckets = new Map<string, Bucket>();
  #sending: Promise<void> = Promise.resolve();
  #waiting = 0;
  #counter = 0;

  constructor(options: EventRecorderOptions) {
    this.#options = options;
  }

  record(happening: Happening): void {
    const nowMs = this.#options.clock.monotonicMs();
    this.#forget(nowMs);
    const key = seriesKey(happening);
    const running = this.#series.get(key);
    if (running) return this.#repeat(running, nowMs);
    if (!this.#allowed(happening.regarding, nowMs)) return this.#drop(new Error('the object causes too many events'));
    const name = this.#newName(happening);
    const series = { happening, name, count: 1, lastMs: nowMs, reportedCount: 1, reportedMs: nowMs };
    this.#series.set(key, series);
    this.#send(() => this.#post(series));
  }

  /** Resolves when everything recorded so far was sent or dropped, or after `withinMs`. */
  async flushed(withinMs?: number): Promise<void> {
    const { clock } = this.#options;
    if (withinMs === undefined) return this.#sending;
    using limit = deadline(clock, withinMs);
    await orAbort(this.#sending, limit.signal).catch(() => {});
  }

  #repeat(series: Series, nowMs: number): void {
    series.count += 1;
    series.lastMs = nowMs;
    if (series.count === 2 || nowMs - series.reportedMs >= reportMs) this.#reportCount(series, nowMs);
  }

  #reportCount(series: Series, nowMs: number): void {
    series.reportedCount = series.count;
    series.reportedMs = nowMs;
    const body = { series: { count: series.count, lastObservedTime: this.#microTime() } };
    this.#send(async () => {
      try {
        await this.#options.kube.mergePatch(
          events,
          { namespace: namespaceOf(series.happening), name: series.name },
          body,
        );
      } catch (error) {
        if (!isNotFound(error)) throw error;
        series.name = this.#newName(series.happening);
        await this.#post(series);
      }
    });
  }

  async #post({ happening, name }: Series): Promise<void> {
    const { type, reason, action, note, regarding, resource } = happening;
    const { namespace, uid, resourceVersion } = regarding.metadata;
    const event = {
      metadata: { name, namespace: namespaceOf(happening) },
      eventTime: this.#microTime(),
      reportingController: this.#options.controller,
      reportingInstance: this.#options.instance.slice(0, 128),
      action,
      reason,
      type,
      note: shortened(note),
      regarding: {
        apiVersion: apiVersionOf(resource),
        kind: resource.kind,
        name: regarding.metadata.name,
        namespace,
        uid,
        resourceVersion,
      },
    };
    await this.#options.kube.create(events, event);
  }

  /** One after the other, so that a series follows its first event. What cannot be sent is dropped: it is no record. */
  #send(call: () => Promise<void>): void {
    if (this.#waiting >= maxWaiting) return this.#drop(new Error('too many events wait'));
    this.#waiting += 1;
    this.#sending = this.#sending
      .then(call)
      .catch((error: unknown) => this.#drop(error))
      .then(() => void (this.#waiting -= 1));
  }

  #drop(error: unknown): void {
    this.#options.onDropped?.(error);
  }

  #allowed({ metadata: { uid = '' } }: KubeObject, nowMs: number): boolean {
    const bucket = this.#buckets.get(uid) ?? { tokens: burst, filledMs: nowMs };
    const tokens = Math.min(burst, bucket.tokens + (nowMs - bucket.filledMs) / refillMs);
    const allowed = tokens >= 1;
    this.#buckets.delete(uid);
    this.#buckets.set(uid, { tokens: allowed ? tokens - 1 : tokens, filledMs: nowMs });
    for (const oldest of this.#buckets.keys()) {
      if (this.#buckets.size <= maxRemembered) break;
      this.#buckets.delete(oldest);
    }
    return allowed;
  }

  #forget(nowMs: number): void {
    for (const [key, series] of this.#series) {
      if (nowMs - series.lastMs <= silenceMs && this.#series.size < maxRemembered) continue;
      this.#series.delete(key);
      if (series.count > series.reportedCount) this.#reportCount(series, nowMs);
    }
  }

  #newName({ regarding }: Happening): string {
    this.#counter += 1;
    const unique = `${this.#options.clock.now().getTime().toString(16)}${this.#counter.toString(16).padStart(4, '0')}`;
    const prefix = regarding.metadata.name.slice(0, maxNamePrefix).replace(/[-.]+$/, '');
    return `${prefix}.${unique}`;
  }

  /** MicroTime wants six digits. */
  #microTime(): string {
    return this.#options.clock.now().toISOString().replace('Z', '000Z');
  }
}

/** Events about cluster-scoped objects live in `default`. */
const namespaceOf = ({ regarding }: Happening): string => regarding.metadata.namespace ?? 'default';

const seriesKey = ({ type, reason, action, note, regarding }: Happening): string =>
  JSON.stringify([type, reason, action, note, regarding.metadata.uid]);

function shortened(note: string): string {
  if (Buffer.byteLength(note) <= maxNoteBytes) return note;
  const ellipsis = '…';
  const room = maxNoteBytes - Buffer.byteLength(ellipsis);
  // A character that is cut in the middle decodes to U+FFFD at the very end.
  return (
    Buffer.from(note)
      .subarray(0, room)
      .toString()
      .replace(/\uFFFD+$/, '') + ellipsis
  );
}
