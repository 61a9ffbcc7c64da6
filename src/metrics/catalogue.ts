// Every metric that we define: the registry is made from this, and so is docs/metrics.md. Names of loops, queues, client
// and leader are controller-runtime's, so that dashboards and alerts made for it fit.
import { restoreEnds } from '../api/v1alpha1/ends.ts';
import { issueReasons } from '../api/v1alpha1/issue-reasons.ts';
import { lakebaseErrorCodes } from '../lakebase/errors.ts';
import { verbs } from '../lakebase/instrumented.ts';
import { controllers, objectStates, refusalReasons, restoreStates, toldConditions } from './words.ts';

export interface MetricEntry {
  readonly name: string;
  readonly type: 'counter' | 'gauge' | 'histogram';
  /** What Prometheus shows. */
  readonly help: string;
  /** What a person does with it. */
  readonly why: string;
  readonly labels: readonly string[];
  readonly buckets?: readonly number[];
  /** One series for each object: LAKEBRANCH_METRICS_PER_OBJECT switches them off. */
  readonly perObject?: true;
  /** Values of a label, if they are a closed set; counters with such labels only begin at 0. */
  readonly values?: Readonly<Record<string, readonly string[]>>;
}

type Entries = Readonly<Record<string, MetricEntry>>;

/** From a request to a pass, in seconds. */
const quick = [0.005, 0.025, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60] as const;
/** From a fork to an evening, in seconds. */
const slow = [1, 2.5, 5, 10, 20, 30, 60, 120, 300, 600, 1800, 3600, 14_400] as const;
const object = ['namespace', 'name'] as const;

const branches = {
  databaseBranches: {
    name: 'lakebranch_databasebranches',
    type: 'gauge',
    help: 'DatabaseBranch objects by class and state.',
    why: 'How much there is, and how much of it works. Each object is in exactly one state.',
    labels: ['class', 'state'],
    values: { state: objectStates },
  },
  notReady: {
    name: 'lakebranch_databasebranches_not_ready',
    type: 'gauge',
    help: 'DatabaseBranch objects that are not Ready, by class and reason.',
    why: 'What is behind a number of unready objects; docs/reasons.md explains each reason.',
    labels: ['class', 'reason'],
  },
  withCondition: {
    name: 'lakebranch_databasebranches_with_condition',
    type: 'gauge',
    help: 'DatabaseBranch objects on which a condition that needs attention is True.',
    why: 'Drift, expiries that come, pauses that somebody forgot, logins that reach the source.',
    labels: ['class', 'condition'],
    values: { condition: toldConditions },
  },
  creationDuration: {
    name: 'lakebranch_databasebranch_creation_duration_seconds',
    type: 'histogram',
    help: 'From the creation of a DatabaseBranch to its first Secret.',
    why: 'What a developer waits for, a place in the line included.',
    labels: ['class'],
    buckets: slow,
  },
  deletionDuration: {
    name: 'lakebranch_databasebranch_deletion_duration_seconds',
    type: 'histogram',
    help: 'From the deletion of a DatabaseBranch to the moment its finalizer went.',
    why: 'What kubectl delete, helm uninstall and namespaces wait for.',
    labels: ['class'],
    buckets: slow,
  },
  deletionStart: {
    name: 'lakebranch_deletion_earliest_start_timestamp_seconds',
    type: 'gauge',
    help: 'When the deletion began that has lasted longest; no series while nothing is being deleted.',
    why: 'A deletion that does not end keeps a namespace in Terminating.',
    labels: ['class'],
  },
  progressStart: {
    name: 'lakebranch_progress_earliest_start_timestamp_seconds',
    type: 'gauge',
    help: 'Since when the object is in state progressing, without waiting for a slot, that has been so longest.',
    why: 'A create or reset takes seconds; one that goes on for half an hour is in trouble.',
    labels: ['class'],
  },
  classReady: {
    name: 'lakebranch_branchclass_ready',
    type: 'gauge',
    help: '1 if the BranchClass is Ready: its credentials work and its project was seen.',
    why: 'Without its class no object goes on.',
    labels: ['class'],
  },
  classBranches: {
    name: 'lakebranch_branchclass_branches',
    type: 'gauge',
    help: 'Objects of the class that have a branch or are getting their first one.',
    why: 'With the limit: how full a class is.',
    labels: ['class'],
  },
  classLimit: {
    name: 'lakebranch_branchclass_branches_limit',
    type: 'gauge',
    help: 'How many objects of the class may have a branch: limits.total, or what the provider allows in a project.',
    why: 'Where the line begins.',
    labels: ['class'],
  },
} as const satisfies Entries;

const leases = {
  leaseExpiry: {
    name: 'lakebranch_lease_earliest_expiry_timestamp_seconds',
    type: 'gauge',
    help: 'When the first of all leases ends that have to be extended before; no series while there is none.',
    why: 'Then the provider removes a branch that somebody still uses.',
    labels: ['class'],
  },
  leaseExtension: {
    name: 'lakebranch_lease_oldest_extension_timestamp_seconds',
    type: 'gauge',
    help: 'When the lease was extended that has waited longest for its next extension; no series while there is none.',
    why: 'Leases are extended every 12 hours: an older one is late.',
    labels: ['class'],
  },
  unleased: {
    name: 'lakebranch_unleased_branches',
    type: 'gauge',
    help: 'Branches that only the operator ends: expiration.never, children: Allow, or protected at the provider.',
    why: 'These stay, and cost, when the cluster is lost.',
    labels: ['class'],
  },
  leftToLease: {
    name: 'lakebranch_left_to_lease_total',
    type: 'counter',
    help: 'Objects that were let go while the provider could not be reached; the lease of their branches removes them.',
    why: 'Their branches live on for up to one lease, unseen by kubectl.',
    labels: [],
  },
} as const satisfies Entries;

const credentials = {
  credentialExpiry: {
    name: 'lakebranch_credential_earliest_expiry_timestamp_seconds',
    type: 'gauge',
    help: 'When the first of all tokens in Secrets expires; no series while there is none.',
    why: 'After that new logins with it fail. Tokens that are left to run out on purpose do not count: of objects that are paused with "all", being deleted, or in a namespace that is not allowed.',
    labels: ['class'],
  },
  credentialQuarter: {
    name: 'lakebranch_credential_earliest_quarter_left_timestamp_seconds',
    type: 'gauge',
    help: 'When the first of all tokens in Secrets has only a quarter of its life left.',
    why: 'Each is replaced at about half of its life, so this instant is never reached unless renewals fail.',
    labels: ['class'],
  },
  credentialRenewal: {
    name: 'lakebranch_credential_earliest_renewal_timestamp_seconds',
    type: 'gauge',
    help: 'When the first of all tokens in Secrets is due for renewal.',
    why: 'In the past: so late is the renewal.',
    labels: ['class'],
  },
  credentialIssues: {
    name: 'lakebranch_credential_issues_total',
    type: 'counter',
    help: 'Tokens written into Secrets, by what caused it.',
    why: 'Healing again and again means that somebody edits a Secret. Tokens that the provider refused are in lakebranch_provider_requests_total{verb="mintCredential"}.',
    labels: ['reason'],
    values: { reason: issueReasons },
  },
  renewalLateness: {
    name: 'lakebranch_credential_renewal_lateness_seconds',
    type: 'histogram',
    help: 'How long after it was due a token was renewed.',
    why: 'The margin that is left for an outage of the provider.',
    labels: [],
    buckets: [1, 5, 15, 30, 60, 120, 300, 600, 1200, 1800, 3600],
  },
} as const satisfies Entries;

const restores = {
  pointInTimeRestores: {
    name: 'lakebranch_pointintimerestores',
    type: 'gauge',
    help: 'PointInTimeRestore objects by state.',
    why: 'One that runs for long is an incident that waits.',
    labels: ['state'],
    values: { state: restoreStates },
  },
  restoresTotal: {
    name: 'lakebranch_restores_total',
    type: 'counter',
    help: 'Restores that ended, by how: Restored, or the reason of the failure.',
    why: 'Whether the undo button works.',
    labels: ['outcome'],
    values: { outcome: restoreEnds },
  },
  restoreDuration: {
    name: 'lakebranch_restore_duration_seconds',
    type: 'histogram',
    help: 'From the begin of a restore to its end.',
    why: 'How long an incident waits for its data.',
    labels: ['outcome'],
    values: { outcome: restoreEnds },
    buckets: slow,
  },
  restoreSkew: {
    name: 'lakebranch_restore_skew_seconds',
    type: 'histogram',
    help: 'How far before the instant that was asked for the restored data lies, where the provider says so.',
    why: 'How exactly the provider hits the instant.',
    labels: [],
    buckets: [1, 2, 5, 10, 30, 60, 120, 300, 900, 3600],
  },
} as const satisfies Entries;

const queue = {
  queued: {
    name: 'lakebranch_queued_databasebranches',
    type: 'gauge',
    help: 'DatabaseBranch objects that wait for a slot in their project, class or namespace.',
    why: 'Developers wait.',
    labels: ['class'],
  },
  queueStart: {
    name: 'lakebranch_queue_oldest_start_timestamp_seconds',
    type: 'gauge',
    help: 'Since when the object waits for a slot that has waited longest; no series while nobody waits.',
    why: 'Whether the line moves.',
    labels: ['class'],
  },
} as const satisfies Entries;

const provider = {
  providerRequests: {
    name: 'lakebranch_provider_requests_total',
    type: 'counter',
    help: 'Calls to Lakebase by verb and outcome.',
    why: 'What fails and how: unauthenticated and denied are for a person, throttled, unavailable and unreachable pass.',
    labels: ['verb', 'outcome'],
    values: { verb: verbs, outcome: ['ok', ...lakebaseErrorCodes] },
  },
  providerDuration: {
    name: 'lakebranch_provider_request_duration_seconds',
    type: 'histogram',
    help: 'Duration of calls to Lakebase, retries included.',
    why: 'Whether the provider is slow.',
    labels: ['verb'],
    values: { verb: verbs },
    buckets: quick,
  },
  refusals: {
    name: 'lakebranch_refusals_total',
    type: 'counter',
    help: 'Passes that refused, by reason, to hand out or touch what could not be proved to be the own branch or Secret of the object.',
    why: 'Nothing leaks, but somebody should look: two clusters with one id, a branch made by hand in the place of ours, an operator with a wrong clock.',
    labels: ['reason'],
    values: { reason: refusalReasons },
  },
} as const satisfies Entries;

const loops = {
  reconcileTotal: {
    name: 'controller_runtime_reconcile_total',
    type: 'counter',
    help: 'Passes by controller and result.',
    why: 'Whether the loops run and how they end.',
    labels: ['controller', 'result'],
    values: { controller: controllers, result: ['success', 'requeue_after', 'error'] },
  },
  reconcileErrors: {
    name: 'controller_runtime_reconcile_errors_total',
    type: 'counter',
    help: 'Passes that ended in an error.',
    why: 'Mostly an API server that does not answer. Trouble with the provider is no error of a pass.',
    labels: ['controller'],
    values: { controller: controllers },
  },
  reconcileTime: {
    name: 'controller_runtime_reconcile_time_seconds',
    type: 'histogram',
    help: 'Duration of a pass.',
    why: 'Whether passes hang.',
    labels: ['controller'],
    values: { controller: controllers },
    buckets: quick,
  },
  maxConcurrent: {
    name: 'controller_runtime_max_concurrent_reconciles',
    type: 'gauge',
    help: 'Passes that may run at once.',
    why: 'Set by LAKEBRANCH_WORKERS.',
    labels: ['controller'],
    values: { controller: controllers },
  },
  activeWorkers: {
    name: 'controller_runtime_active_workers',
    type: 'gauge',
    help: 'Passes that run.',
    why: 'At the maximum for long: raise LAKEBRANCH_WORKERS.',
    labels: ['controller'],
    values: { controller: controllers },
  },
  queueDepth: {
    name: 'workqueue_depth',
    type: 'gauge',
    help: 'Keys that wait to be worked on.',
    why: 'Whether the loops keep up.',
    labels: ['name', 'controller'],
  },
  queueAdds: {
    name: 'workqueue_adds_total',
    type: 'counter',
    help: 'Keys that were put into the queue.',
    why: 'How much wakes the loops.',
    labels: ['name', 'controller'],
  },
  queueDuration: {
    name: 'workqueue_queue_duration_seconds',
    type: 'histogram',
    help: 'How long a key waited for a worker.',
    why: 'Delay before anything is looked at.',
    labels: ['name', 'controller'],
    buckets: quick,
  },
  workDuration: {
    name: 'workqueue_work_duration_seconds',
    type: 'histogram',
    help: 'How long a key was worked on.',
    why: 'The same as the duration of a pass, under the name that dashboards of queues use.',
    labels: ['name', 'controller'],
    buckets: quick,
  },
  unfinishedWork: {
    name: 'workqueue_unfinished_work_seconds',
    type: 'gauge',
    help: 'Seconds that the passes which run have taken so far, summed up.',
    why: 'Grows while passes hang.',
    labels: ['name', 'controller'],
  },
  longestRunning: {
    name: 'workqueue_longest_running_processor_seconds',
    type: 'gauge',
    help: 'Seconds that the longest of the passes which run has taken so far.',
    why: 'A pass is broken off after 90 seconds; one beyond that hangs.',
    labels: ['name', 'controller'],
  },
  queueRetries: {
    name: 'workqueue_retries_total',
    type: 'counter',
    help: 'Keys that were put off: after a failure, or until an instant.',
    why: 'Together with errors: how often something is tried again.',
    labels: ['name', 'controller'],
  },
} as const satisfies Entries;

const process = {
  kubeRequests: {
    name: 'rest_client_requests_total',
    type: 'counter',
    help: 'Requests to the API server by method and code; code 0 is no answer.',
    why: '403: a right is missing. 409: somebody else writes. 429 and 5xx: the API server is in trouble.',
    labels: ['code', 'method', 'host'],
  },
  kubeDuration: {
    name: 'rest_client_request_duration_seconds',
    type: 'histogram',
    help: 'Duration of requests to the API server up to the head of the answer.',
    why: 'Whether the API server is slow.',
    labels: ['verb', 'host'],
    buckets: quick,
  },
  leader: {
    name: 'leader_election_master_status',
    type: 'gauge',
    help: '1 while this process leads.',
    why: 'Exactly one process should.',
    labels: ['name'],
  },
  buildInfo: {
    name: 'lakebranch_build_info',
    type: 'gauge',
    help: 'Always 1; which version runs, on which Node.',
    why: 'What runs where after an upgrade.',
    labels: ['version', 'node_version'],
  },
} as const satisfies Entries;

const perObject = {
  info: {
    name: 'lakebranch_databasebranch_info',
    type: 'gauge',
    help: 'Always 1; the class of a DatabaseBranch, and whether a PointInTimeRestore made it.',
    why: 'To join the class to the series below.',
    labels: [...object, 'class', 'origin'],
    perObject: true,
    values: { origin: ['Branch', 'Restore'] },
  },
  condition: {
    name: 'lakebranch_databasebranch_status_condition',
    type: 'gauge',
    help: 'Always 1; the status that a condition of a DatabaseBranch has.',
    why: 'Which objects are stalled, drifted, paused.',
    labels: [...object, 'condition', 'status'],
    perObject: true,
    values: { status: ['True', 'False', 'Unknown'] },
  },
  created: {
    name: 'lakebranch_databasebranch_created_timestamp_seconds',
    type: 'gauge',
    help: 'When the DatabaseBranch was created.',
    why: 'Age.',
    labels: object,
    perObject: true,
  },
  expiry: {
    name: 'lakebranch_databasebranch_expiry_timestamp_seconds',
    type: 'gauge',
    help: 'When the branch of the object ends; no series: never, or not known yet.',
    why: 'Which previews end soon.',
    labels: object,
    perObject: true,
  },
  leaseTime: {
    name: 'lakebranch_databasebranch_lease_expiry_timestamp_seconds',
    type: 'gauge',
    help: 'When the provider removes the branch of the object unless its lease is extended; no series: unleased.',
    why: 'Which branch is in danger when leases are not extended.',
    labels: object,
    perObject: true,
  },
  deletion: {
    name: 'lakebranch_databasebranch_deletion_timestamp_seconds',
    type: 'gauge',
    help: 'When the deletion of the object began; only while it is being deleted.',
    why: 'Which object keeps a namespace in Terminating.',
    labels: object,
    perObject: true,
  },
  tokenIssued: {
    name: 'lakebranch_databasebranch_credential_issue_timestamp_seconds',
    type: 'gauge',
    help: 'When the token in the Secret of the object was asked for.',
    why: 'The last rotation.',
    labels: object,
    perObject: true,
  },
  tokenExpiry: {
    name: 'lakebranch_databasebranch_credential_expiry_timestamp_seconds',
    type: 'gauge',
    help: 'When the token in the Secret of the object expires.',
    why: 'Whose new logins fail next. Also tokens that are left to run out.',
    labels: object,
    perObject: true,
  },
  tokenRenewal: {
    name: 'lakebranch_databasebranch_credential_renewal_timestamp_seconds',
    type: 'gauge',
    help: 'When the token in the Secret of the object is due for renewal.',
    why: 'In the past: so late is the renewal.',
    labels: object,
    perObject: true,
  },
  queuePosition: {
    name: 'lakebranch_databasebranch_queue_position',
    type: 'gauge',
    help: 'Place of the object in the line for a slot of its project; only while it waits.',
    why: 'Who waits, and for how many others.',
    labels: object,
    perObject: true,
  },
} as const satisfies Entries;

/** The sections of docs/metrics.md. */
export const sections = {
  'Branches and classes': branches,
  Leases: leases,
  Credentials: credentials,
  Restores: restores,
  'The line for slots': queue,
  'The provider, and what was refused': provider,
  'Loops and queues': loops,
  'The process': process,
  'One series per object': perObject,
} as const satisfies Readonly<Record<string, Entries>>;

export const catalogue = {
  ...branches,
  ...leases,
  ...credentials,
  ...restores,
  ...queue,
  ...provider,
  ...loops,
  ...process,
  ...perObject,
} as const satisfies Entries;

export type Catalogue = typeof catalogue;
export type MetricKey = keyof Catalogue;
/** The keys of one type. */
export type KeyOf<T extends MetricEntry['type']> = {
  [K in MetricKey]: Catalogue[K]['type'] extends T ? K : never;
}[MetricKey];
export type LabelOf<K extends MetricKey> = Catalogue[K]['labels'][number];
