// The process edge: environment in, exit code out. The only file that touches `process`.
import { hostname } from 'node:os';
import {
  branchClassResource,
  databaseBranchResource,
  namespaceResource,
  pointInTimeRestoreResource,
} from './api/names.ts';
import { createOperator, type Operator } from './app.ts';
import { lakebaseClients } from './clients.ts';
import { ConfigError, readConfig, type Config } from './config.ts';
import { systemClock } from './kit/clock.ts';
import { PortError, serveHealth, type HealthServer } from './kit/health.ts';
import { HttpKube } from './kit/kube-http.ts';
import { isForbidden, isNotFound, KubeError, KubeUnreachable, type Kube, type KubeObject } from './kit/kube.ts';
import { connectionFrom, KubeConnectionError } from './kit/kubeconfig.ts';
import { Leader } from './kit/leader.ts';
import { createLog, type Logger } from './kit/log.ts';
import { pgLogin } from './lakebase/login.ts';
import { createMetrics, type Metrics } from './metrics/registry.ts';
import { refuseWhileNeeded, releaseFinalizers, StillNeeded } from './uninstall-guard.ts';
import { version } from './version.ts';

/** A misconfiguration, in one line that names the setting. */
class StartError extends Error {
  override readonly name = 'StartError';
}

const stop = new AbortController();
for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => stop.abort(new Error(signal)));

try {
  process.exitCode = await command(process.argv.slice(2))(stop.signal);
} catch (error) {
  // Told to stop before it had begun is no failure.
  if (!stop.signal.aborted || error !== stop.signal.reason) failed(error);
}

function failed(error: unknown): void {
  process.exitCode = 1;
  if (!isPlain(error)) throw error;
  process.stderr.write(`lakebranch: ${error.message}\n`);
}

function isPlain(error: unknown): error is Error {
  return [StartError, ConfigError, KubeConnectionError, PortError, StillNeeded].some((kind) => error instanceof kind);
}

/** Without a word the operator itself. The guard is run by the chart before it is uninstalled. */
function command([word, ...flags]: readonly string[]): (signal: AbortSignal) => Promise<number> {
  if (word === undefined) return main;
  const known = word === 'uninstall-guard' && flags.every((flag) => flag === '--release-finalizers');
  if (known) return (signal) => guard(signal, flags.length > 0);
  throw new StartError(
    `${[word, ...flags].join(' ')}: not known; there is only uninstall-guard [--release-finalizers]`,
  );
}

async function guard(signal: AbortSignal, release: boolean): Promise<number> {
  const { namespace, watchNamespaces } = readConfig(process.env, 'uninstall-guard');
  const kube = new HttpKube({
    connection: await connectionFrom(process.env),
    clock: systemClock,
    userAgent: `lakebranch/${version}`,
  });
  const parts = { kube, clock: systemClock, namespace, watchNamespaces, signal };
  try {
    if (release) process.stdout.write(`lakebranch: ${await releaseFinalizers(parts)}\n`);
    else await refuseWhileNeeded(parts);
  } catch (error) {
    if (error instanceof KubeError || error instanceof KubeUnreachable) throw new StartError(error.message);
    throw error;
  } finally {
    await kube.close();
  }
  return 0;
}

async function main(signal: AbortSignal): Promise<number> {
  const config = readConfig(process.env, `${hostname()}-${process.pid}`);
  const log = createLog(config.logLevel);
  let operator: Operator | undefined;
  let leader: Leader | undefined;
  const metrics = createMetrics({
    objects: () => operator?.objects() ?? [],
    queueDepth: () => operator?.queueDepth() ?? [],
    leading: () => leader?.leading ?? false,
  });
  const kube = new HttpKube({
    connection: await connectionFrom(process.env),
    clock: systemClock,
    userAgent: `lakebranch/${version}`,
    onResponse: metrics.kubeAnswered,
  });
  await checkKinds(kube, config, signal);
  const clusterID = config.clusterID ?? (await readClusterID(kube, signal));
  operator = createOperator({
    ...config,
    kube,
    clock: systemClock,
    log,
    clusterID,
    makeClient: lakebaseClients({ config, clock: systemClock, log, metrics }),
    login: pgLogin,
    onResult: metrics.reconciled,
    onLeft: metrics.left,
  });
  leader = new Leader({
    kube,
    clock: systemClock,
    namespace: config.namespace,
    name: 'lakebranch',
    identity: config.identity,
    onError: (error) => log.warn({ err: error }, 'the Lease could not be renewed'),
  });
  const health = await serve(config, metrics, operator, leader);
  log.info({ version, clusterID, namespace: config.namespace, httpPort: health.port }, 'lakebranch started');
  const code = await run({ config, operator, leader, log }, signal);
  await health.close();
  return code;
}

async function run(
  { config, operator, leader, log }: { config: Config; operator: Operator; leader: Leader; log: Logger },
  signal: AbortSignal,
): Promise<number> {
  const watching = new AbortController();
  const watch = operator.watch(watching.signal);
  const work = async (term: AbortSignal): Promise<void> => {
    log.info({ identity: config.identity }, 'leading');
    await operator.lead(term);
  };
  const ended = config.leaderElection
    ? await leader.run(signal, work)
    : await work(signal).then(() => 'stopped' as const);
  watching.abort(new Error('the process ends'));
  await watch;
  log.info({ ended }, 'lakebranch stopped');
  // After a lost Lease the process ends at once: nobody may go on with what another leader has taken over.
  return ended === 'lost' ? 1 : 0;
}

/** A leader that has not renewed for longer than this should have given up: it is wedged. */
const wedgedMs = 35_000;

function serve(config: Config, { registry }: Metrics, operator: Operator, leader: Leader): Promise<HealthServer> {
  return serveHealth({
    host: config.httpHost,
    port: config.httpPort,
    hostSetting: 'LAKEBRANCH_HTTP_HOST',
    portSetting: 'LAKEBRANCH_HTTP_PORT',
    unhealthy: () =>
      leader.leading && leader.renewedMsAgo() > wedgedMs ? 'the Lease has not been renewed in time' : undefined,
    unready: () => (operator.synced() ? undefined : 'the caches are not filled yet'),
    pages: { '/metrics': async () => ({ type: registry.contentType, body: await registry.metrics() }) },
  });
}

async function checkKinds(kube: Kube, { watchNamespaces }: Config, signal: AbortSignal): Promise<void> {
  for (const type of [databaseBranchResource, branchClassResource, pointInTimeRestoreResource]) {
    try {
      const [namespace] = type.namespaced ? watchNamespaces : [];
      await kube.list(type, { signal, limit: 1, ...(namespace === undefined ? {} : { namespace }) });
    } catch (error) {
      throw startError(error, `${type.plural}.${type.group}`, type.version);
    }
  }
}

function startError(error: unknown, kind: string, kindVersion: string): unknown {
  if (isNotFound(error))
    return new StartError(
      `the API server does not serve ${kind} in version ${kindVersion}: apply deploy/crds.yaml of this release first`,
    );
  if (isForbidden(error))
    return new StartError(
      `the ServiceAccount may not list ${kind}: give it the rights of the chart or of deploy/install.yaml, or set LAKEBRANCH_WATCH_NAMESPACES to what it may see`,
    );
  if (error instanceof KubeError || error instanceof KubeUnreachable)
    return new StartError(`KUBECONFIG or in-cluster configuration: ${error.message}`);
  return error;
}

async function readClusterID(kube: Kube, signal: AbortSignal): Promise<string> {
  try {
    const { metadata } = await kube.get<KubeObject>(namespaceResource, { name: 'kube-system' }, { signal });
    return metadata.uid ?? '';
  } catch (error) {
    if (error instanceof KubeError)
      throw new StartError('LAKEBRANCH_CLUSTER_ID: must be set, because namespace kube-system cannot be read');
    throw startError(error, 'namespaces', 'v1');
  }
}
