// Metrics of the operator. Names of loops, queue, client and leader are controller-runtime's, so that dashboards fit.
import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client';

/** A DatabaseBranch as far as metrics go. */
export interface ObjectState {
  readonly ready: boolean;
  readonly stalled: boolean;
  readonly credentialExpireTime: Date | undefined;
  /** There is a branch, and only the operator ends it. */
  readonly unleased: boolean;
  /** When the provider removes the branch although its object goes on, unless the lease is extended before. */
  readonly leaseTime: Date | undefined;
  /** Waits for a slot. */
  readonly queued: boolean;
}

export interface MetricsSources {
  /** All objects, read from the cache at scrape time: no series of an object that is gone stays behind. */
  readonly objects: () => readonly ObjectState[];
  readonly queueDepth: () => readonly { readonly controller: string; readonly depth: number }[];
  readonly leading: () => boolean;
}

export interface Metrics {
  readonly registry: Registry;
  readonly left: (left: { readonly how: string }) => void;
  readonly reconciled: (controller: string, result: string, seconds: number) => void;
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

const seconds = [0.005, 0.025, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60];

export function createMetrics(sources: MetricsSources): Metrics {
  const registry = new Registry();
  const registers = [registry];
  // The default of 10 ms would wake an idle process a hundred times a second.
  collectDefaultMetrics({ register: registry, eventLoopMonitoringPrecision: 500 });
  const reconcileTotal = new Counter({
    name: 'controller_runtime_reconcile_total',
    help: 'Passes by controller and result.',
    labelNames: ['controller', 'result'],
    registers,
  });
  const reconcileTime = new Histogram({
    name: 'controller_runtime_reconcile_time_seconds',
    help: 'Duration of a pass.',
    labelNames: ['controller'],
    buckets: seconds,
    registers,
  });
  const kubeTotal = new Counter({
    name: 'rest_client_requests_total',
    help: 'Requests to the API server by verb and code; code 0 is no answer.',
    labelNames: ['method', 'code', 'host'],
    registers,
  });
  const lakebaseTotal = new Counter({
    name: 'lakebranch_provider_requests_total',
    help: 'Calls to Lakebase by verb and outcome.',
    labelNames: ['verb', 'outcome'],
    registers,
  });
  const lakebaseTime = new Histogram({
    name: 'lakebranch_provider_request_duration_seconds',
    help: 'Duration of calls to Lakebase, retries included.',
    labelNames: ['verb'],
    buckets: seconds,
    registers,
  });
  const left = new Counter({
    name: 'lakebranch_left_to_lease_total',
    help: 'Objects that were let go while the provider could not be reached; the lease of their branches removes them.',
    registers,
  });
  addGauges(sources, registers);
  return {
    registry,
    left: ({ how }) => {
      if (how === 'LeftToLease') left.inc();
    },
    reconciled: (controller, result, took) => {
      reconcileTotal.inc({ controller, result });
      reconcileTime.observe({ controller }, took);
    },
    kubeAnswered: ({ verb, code, host }) => kubeTotal.inc({ method: verb, code: String(code), host }),
    lakebaseAnswered: ({ verb, outcome, seconds: took }) => {
      lakebaseTotal.inc({ verb, outcome });
      lakebaseTime.observe({ verb }, took);
    },
  };
}

function addGauges({ objects, queueDepth, leading }: MetricsSources, registers: Registry[]): void {
  const states = {
    ready: ({ ready }: ObjectState) => ready,
    stalled: ({ stalled }: ObjectState) => stalled,
    progressing: ({ ready, stalled }: ObjectState) => !ready && !stalled,
  };
  void new Gauge({
    name: 'lakebranch_databasebranches',
    help: 'DatabaseBranch objects by state.',
    labelNames: ['state'],
    registers,
    collect() {
      for (const [state, is] of Object.entries(states)) this.set({ state }, objects().filter(is).length);
    },
  });
  void new Gauge({
    name: 'lakebranch_credential_earliest_expiry_timestamp_seconds',
    help: 'When the first of all tokens in Secrets expires; 0 when there is none.',
    registers,
    collect() {
      const times = objects().flatMap(({ credentialExpireTime }) =>
        credentialExpireTime ? [credentialExpireTime.getTime() / 1000] : [],
      );
      this.set(times.length === 0 ? 0 : times.reduce((a, b) => Math.min(a, b)));
    },
  });
  void new Gauge({
    name: 'lakebranch_unleased_branches',
    help: 'Branches that only the operator ends: expiration.never, children: Allow, or protected at the provider.',
    registers,
    collect() {
      this.set(objects().filter(({ unleased }) => unleased).length);
    },
  });
  void new Gauge({
    name: 'lakebranch_lease_earliest_expiry_timestamp_seconds',
    help: 'When the first of all leases that have to be extended ends; 0 when there is none. Alert when it is near.',
    registers,
    collect() {
      const times = objects().flatMap(({ leaseTime }) => (leaseTime ? [leaseTime.getTime() / 1000] : []));
      this.set(times.length === 0 ? 0 : times.reduce((a, b) => Math.min(a, b)));
    },
  });
  void new Gauge({
    name: 'lakebranch_queued_databasebranches',
    help: 'DatabaseBranch objects that wait for a slot in their project, class or namespace.',
    registers,
    collect() {
      this.set(objects().filter(({ queued }) => queued).length);
    },
  });
  void new Gauge({
    name: 'workqueue_depth',
    help: 'Keys that wait to be worked on.',
    labelNames: ['controller'],
    registers,
    collect() {
      for (const { controller, depth } of queueDepth()) this.set({ controller }, depth);
    },
  });
  void new Gauge({
    name: 'leader_election_master_status',
    help: '1 while this process leads.',
    labelNames: ['name'],
    registers,
    collect() {
      this.set({ name: 'lakebranch' }, leading() ? 1 : 0);
    },
  });
}
