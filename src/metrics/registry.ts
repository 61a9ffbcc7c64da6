// The metrics of the catalogue as prom-client has them: counters and histograms that are told what happened, gauges that
// are computed at each scrape.
import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client';
import { unreachable } from '../kit/result.ts';
import { catalogue, type KeyOf, type LabelOf, type MetricEntry, type MetricKey } from './catalogue.ts';
import { samplesOf, type Fleet, type Sample } from './fleet.ts';
import type { Measure, Measurement } from './measurement.ts';
import type { controllers } from './words.ts';

/** A loop and its queue, right now. */
export interface Loop {
  readonly controller: (typeof controllers)[number];
  readonly depth: number;
  readonly running: number;
  readonly workers: number;
  /** Of the passes that run. */
  readonly longestSeconds: number;
  readonly unfinishedSeconds: number;
}

export interface MetricsOptions {
  /** What the caches hold; a standby has it too. */
  readonly fleet: () => Fleet;
  readonly loops: () => readonly Loop[];
  readonly leading: () => boolean;
  /** Series for each object. */
  readonly perObject: boolean;
  readonly version: string;
  readonly nodeVersion: string;
}

export interface Metrics {
  readonly registry: Registry;
  /** The text of a scrape. */
  readonly page: () => Promise<{ readonly type: string; readonly body: string }>;
  readonly left: (left: { readonly how: string }) => void;
  readonly measured: Measure;
  readonly reconciled: (controller: string, result: string, seconds: number) => void;
  readonly queued: (controller: string) => QueueObserver;
  readonly kubeAnswered: (answer: {
    readonly verb: string;
    readonly code: number;
    readonly seconds: number;
    readonly host: string;
  }) => void;
  readonly lakebaseAnswered: (answer: {
    readonly verb: string;
    readonly outcome: string;
    readonly seconds: number;
  }) => void;
}

interface QueueObserver {
  readonly onAdd: () => void;
  readonly onTake: (waitedSeconds: number) => void;
  readonly onPutOff: () => void;
}

export function createMetrics(options: MetricsOptions): Metrics {
  const registry = new Registry();
  // The default of 10 ms would wake an idle process a hundred times a second.
  collectDefaultMetrics({ register: registry, eventLoopMonitoringPrecision: 500 });
  for (const name of misnamed) registry.removeSingleMetric(name);
  const { counter, histogram, gauges } = makeAll(registry);
  return {
    registry,
    page: async () => {
      const at = (sample: Sample): void => gauges[sample.metric].set(sample.labels, sample.value);
      for (const gauge of Object.values(gauges)) gauge.reset();
      for (const sample of samplesOf(options.fleet(), options.perObject)) at(sample);
      for (const sample of ofProcess(options)) at(sample);
      return { type: registry.contentType, body: await registry.metrics() };
    },
    left: ({ how }) => {
      if (how === 'LeftToLease') counter('leftToLease').inc();
    },
    measured: (measurement) => measure({ counter, histogram }, measurement),
    reconciled: (controller, result, seconds) => {
      counter('reconcileTotal').inc({ controller, result });
      if (result === 'error') counter('reconcileErrors').inc({ controller });
      histogram('reconcileTime').observe({ controller }, seconds);
      histogram('workDuration').observe({ name: controller, controller }, seconds);
    },
    queued: (controller) => {
      const labels = { name: controller, controller };
      return {
        onAdd: () => counter('queueAdds').inc(labels),
        onTake: (seconds) => histogram('queueDuration').observe(labels, seconds),
        onPutOff: () => counter('queueRetries').inc(labels),
      };
    },
    kubeAnswered: ({ verb, code, seconds, host }) => {
      counter('kubeRequests').inc({ method: verb, code: String(code), host });
      histogram('kubeDuration').observe({ verb, host }, seconds);
    },
    lakebaseAnswered: ({ verb, outcome, seconds }) => {
      counter('providerRequests').inc({ verb, outcome });
      histogram('providerDuration').observe({ verb }, seconds);
    },
  };
}

/** Gauges of prom-client with names of counters, which `promtool check metrics` rejects. */
const misnamed = ['nodejs_active_handles_total', 'nodejs_active_requests_total', 'nodejs_active_resources_total'];

interface Told {
  readonly counter: <K extends KeyOf<'counter'>>(key: K) => Counter<LabelOf<K>>;
  readonly histogram: <K extends KeyOf<'histogram'>>(key: K) => Histogram<LabelOf<K>>;
}

function measure({ counter, histogram }: Told, measurement: Measurement): void {
  switch (measurement.is) {
    case 'issued':
      counter('credentialIssues').inc({ reason: measurement.reason });
      if (measurement.lateSeconds !== undefined) histogram('renewalLateness').observe(measurement.lateSeconds);
      return;
    case 'created':
      return histogram('creationDuration').observe({ class: measurement.className }, measurement.seconds);
    case 'deleted':
      return histogram('deletionDuration').observe({ class: measurement.className }, measurement.seconds);
    case 'refused':
      return counter('refusals').inc({ reason: measurement.reason });
    case 'restored': {
      const { outcome, seconds, skewSeconds } = measurement;
      counter('restoresTotal').inc({ outcome });
      if (seconds !== undefined) histogram('restoreDuration').observe({ outcome }, seconds);
      if (skewSeconds !== undefined) histogram('restoreSkew').observe(skewSeconds);
      return;
    }
    default:
      return unreachable(measurement);
  }
}

function ofProcess({ loops, leading, version, nodeVersion }: MetricsOptions): Sample[] {
  return [
    { metric: 'leader', labels: { name: 'lakebranch' }, value: leading() ? 1 : 0 },
    { metric: 'buildInfo', labels: { version, node_version: nodeVersion }, value: 1 },
    ...loops().flatMap(({ controller, depth, running, workers, longestSeconds, unfinishedSeconds }): Sample[] => {
      const labels = { name: controller, controller };
      return [
        { metric: 'maxConcurrent', labels: { controller }, value: workers },
        { metric: 'activeWorkers', labels: { controller }, value: running },
        { metric: 'queueDepth', labels, value: depth },
        { metric: 'longestRunning', labels, value: longestSeconds },
        { metric: 'unfinishedWork', labels, value: unfinishedSeconds },
      ];
    }),
  ];
}

type Gauges = Readonly<Record<KeyOf<'gauge'>, Gauge>>;

function makeAll(registry: Registry): Told & { readonly gauges: Gauges } {
  const made = new Map<string, Counter | Histogram>();
  const gauges: Record<string, Gauge> = {};
  for (const [key, entry] of Object.entries<MetricEntry>(catalogue)) {
    const { name, help, labels, type } = entry;
    const common = { name, help, labelNames: [...labels], registers: [registry] };
    if (type === 'gauge') gauges[key] = new Gauge(common);
    else if (type === 'histogram')
      made.set(key, withZeros(new Histogram({ ...common, buckets: [...(entry.buckets ?? [])] }), entry));
    else made.set(key, withZeros(new Counter(common), entry));
  }
  const of = (key: MetricKey): unknown => made.get(key);
  return {
    counter: <K extends KeyOf<'counter'>>(key: K) => of(key) as Counter<LabelOf<K>>,
    histogram: <K extends KeyOf<'histogram'>>(key: K) => of(key) as Histogram<LabelOf<K>>,
    gauges: gauges as Gauges,
  };
}

/** A series that only appears with its first event hides that event from `increase`. */
function withZeros<M extends Counter | Histogram>(metric: M, { labels, values = {} }: MetricEntry): M {
  for (const known of combinations(labels, values))
    if (metric instanceof Counter) metric.inc(known, 0);
    else metric.zero(known);
  return metric;
}

/** All label sets, if every label has a closed set of values. */
function combinations(labels: readonly string[], values: NonNullable<MetricEntry['values']>): Record<string, string>[] {
  return labels.reduce<Record<string, string>[]>(
    (sets, label) => sets.flatMap((set) => (values[label] ?? []).map((value) => ({ ...set, [label]: value }))),
    labels.length === 0 ? [] : [{}],
  );
}
