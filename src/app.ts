// Puts the operator together: the only file that knows every concrete part. Knows nothing of the process around it.
import {
  branchClassResource,
  databaseBranchResource,
  pointInTimeRestoreResource,
  reportingController,
} from './api/names.ts';
import type { BranchClass } from './api/v1alpha1/branch-class.ts';
import type { DatabaseBranch } from './api/v1alpha1/database-branch.ts';
import type { PointInTimeRestore } from './api/v1alpha1/point-in-time-restore.ts';
import { branchClassController, wakeBranchClasses } from './controllers/branch-class/index.ts';
import {
  branchKeysOf,
  databaseBranchController,
  parentKeysOf,
  secretKeyOf,
  wakeDatabaseBranches,
} from './controllers/database-branch/index.ts';
import {
  classKeysOf,
  pointInTimeRestoreController,
  sourceKeysOf,
  wakePointInTimeRestores,
} from './controllers/point-in-time-restore/index.ts';
import type { Left } from './controllers/database-branch/plan.ts';
import { Namespaces } from './controllers/namespaces.ts';
import { Projects } from './controllers/projects.ts';
import { Providers, type MakeClient, type SubjectTokens } from './controllers/providers.ts';
import { Cache } from './kit/cache.ts';
import type { Clock } from './kit/clock.ts';
import { Controller, type Reconcile } from './kit/controller.ts';
import { KubeEventRecorder } from './kit/events.ts';
import type { Kube } from './kit/kube.ts';
import type { Logger } from './kit/log.ts';
import { WorkQueue } from './kit/queue.ts';
import type { Login } from './lakebase/login.ts';
import { classStateOf, restoreStateOf, type Fleet } from './metrics/fleet.ts';
import { stateOf } from './metrics/object-state.ts';
import type { Measurement } from './metrics/measurement.ts';
import type { Loop, Metrics } from './metrics/registry.ts';
import { controllers as controllerNames } from './metrics/words.ts';

export interface OperatorParts {
  readonly kube: Kube;
  readonly clock: Clock;
  readonly log: Logger;
  readonly makeClient: MakeClient;
  /** For classes with workload identity; none when absent. */
  readonly subjectTokens?: SubjectTokens;
  readonly login: Login;
  /** Holds the credential Secrets of classes. */
  readonly namespace: string;
  readonly clusterID: string;
  readonly previousClusterIDs: readonly string[];
  /** How many unarchived branches the provider allows in a project. */
  readonly projectLimit: number;
  /** How long a deletion waits for a provider that cannot be reached, in ms. */
  readonly deletionMaxWaitMs: number;
  /** Empty: all namespaces. */
  readonly watchNamespaces: readonly string[];
  readonly workers: number;
  readonly identity: string;
  /** Told of what happens. */
  readonly metrics?: Partial<Pick<Metrics, 'measured' | 'reconciled' | 'queued'>> & {
    /** Of every object that was let go although its branch is still there. */
    readonly left?: (left: Left) => void;
  };
}

export interface Operator {
  /** Keeps the caches; resolves when `signal` aborts. A standby runs this too. */
  watch(signal: AbortSignal): Promise<void>;
  /** Works until `signal` aborts and every running pass has ended. Only the leader may. */
  lead(signal: AbortSignal): Promise<void>;
  readonly synced: () => boolean;
  /** What the caches hold, for metrics. */
  readonly fleet: () => Fleet;
  readonly loops: () => Loop[];
  /** Passes that run right now, for tests that wait for quiet. */
  readonly running: () => number;
}

export function createOperator(parts: OperatorParts): Operator {
  const { kube, clock, log } = parts;
  const { objects, classes, restores } = createCaches(parts);
  const events = new KubeEventRecorder({
    kube,
    clock,
    controller: reportingController,
    instance: parts.identity,
    onDropped: (error) => log.debug({ err: error }, 'event dropped'),
  });
  const queueOf = (name: Loop['controller']): WorkQueue => new WorkQueue({ clock, ...parts.metrics?.queued?.(name) });
  const queues = {
    databasebranch: queueOf('databasebranch'),
    branchclass: queueOf('branchclass'),
    pointintimerestore: queueOf('pointintimerestore'),
  };
  const few = Math.min(4, parts.workers);
  const workers = { databasebranch: parts.workers, branchclass: few, pointintimerestore: few };
  wakeDatabaseBranches({ objects, classes, restores }, queues.databasebranch);
  wakeBranchClasses({ objects, classes }, queues.branchclass);
  wakePointInTimeRestores({ objects, classes, restores }, queues.pointintimerestore);
  return {
    watch: async (signal) => void (await Promise.all([objects, classes, restores].map((cache) => cache.run(signal)))),
    lead: async (signal) => {
      const synced = Promise.all([objects, classes, restores].map((cache) => cache.whenSynced(signal)));
      if (
        !(await synced.then(
          () => true,
          () => false,
        ))
      )
        return;
      const providers = new Providers(parts);
      const projects = new Projects(clock);
      const shared = {
        ...parts,
        objects,
        classes,
        restores,
        providers,
        projects,
        wake: (key: string) => queues.databasebranch.add(key, 'high'),
        events,
        namespaces: new Namespaces(kube, clock),
        clusterIDs: [parts.clusterID, ...parts.previousClusterIDs],
        maxWaitMs: parts.deletionMaxWaitMs,
        onLeft: (left: Left) => parts.metrics?.left?.(left),
        measured: (measurement: Measurement) => parts.metrics?.measured?.(measurement),
      };
      const run = (name: Loop['controller'], reconcile: Reconcile): Controller =>
        start(parts, name, queues[name], workers[name], reconcile);
      const controllers = [
        run('databasebranch', databaseBranchController(shared).reconcile),
        run('branchclass', branchClassController(shared).reconcile),
        run('pointintimerestore', pointInTimeRestoreController(shared).reconcile),
      ];
      await aborted(signal);
      await Promise.all(controllers.map((controller) => controller.stop(graceMs)));
      // No longer: an API server that is away would keep a process alive that has lost its Lease.
      await events.flushed(graceMs);
    },
    synced: () => [objects, classes, restores].every(({ synced }) => synced),
    fleet: () => ({
      objects: objects.list().map(stateOf),
      classes: classes.list().map(classStateOf),
      restores: restores.list().map(restoreStateOf),
    }),
    loops: () => controllerNames.map((name) => loopOf(name, queues[name], workers[name])),
    running: () => Object.values(queues).reduce((sum, { running }) => sum + running, 0),
  };
}

/** Passes that run when leadership ends may finish what they are writing, and so may Events; longer they may not take. */
const graceMs = 2_000;

const aborted = (signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    if (signal.aborted) resolve();
    signal.addEventListener('abort', () => resolve(), { once: true });
  });

function loopOf(controller: Loop['controller'], { depth, running, runningSeconds }: WorkQueue, workers: number): Loop {
  return {
    controller,
    depth,
    running,
    workers,
    longestSeconds: Math.max(0, ...runningSeconds),
    unfinishedSeconds: runningSeconds.reduce((a, b) => a + b, 0),
  };
}

function start(
  { clock, log, metrics }: OperatorParts,
  name: string,
  queue: WorkQueue,
  workers: number,
  reconcile: Reconcile,
): Controller {
  const controller = new Controller({
    clock,
    queue,
    workers,
    reconcile,
    onPass: ({ key, result, seconds, error }) => {
      metrics?.reconciled?.(name, result, seconds);
      if (error !== undefined) log.warn({ controller: name, key, err: error }, 'the pass failed and is repeated');
    },
  });
  controller.start();
  return controller;
}

function createCaches({ kube, clock, log, watchNamespaces }: OperatorParts): {
  objects: Cache<DatabaseBranch>;
  classes: Cache<BranchClass>;
  restores: Cache<PointInTimeRestore>;
} {
  const onError = (error: unknown, during: string): void =>
    log.warn({ err: error, during }, 'watch is interrupted; it goes on by itself');
  const objects = new Cache<DatabaseBranch>({
    kube,
    clock,
    type: databaseBranchResource,
    namespaces: watchNamespaces,
    onError,
    indexes: {
      class: ({ spec }) => [spec.className],
      secretName: (object) => [secretKeyOf(object)],
      parent: parentKeysOf,
    },
  });
  const classes = new Cache<BranchClass>({ kube, clock, type: branchClassResource, onError });
  const restores = new Cache<PointInTimeRestore>({
    kube,
    clock,
    type: pointInTimeRestoreResource,
    namespaces: watchNamespaces,
    onError,
    indexes: { branch: branchKeysOf, class: classKeysOf, source: sourceKeysOf },
  });
  return { objects, classes, restores };
}
