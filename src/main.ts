// The process edge: environment in, exit code out. The only file that touches `process`.
import { hostname } from 'node:os';
import { createOperator, type Operator } from './app.ts';
import { lakebaseClients, projectedTokens } from './clients.ts';
import { ConfigError, readConfig, type Config } from './config.ts';
import { systemClock } from './kit/clock.ts';
import { PortError, serveHealth, type HealthOptions, type HealthServer } from './kit/health.ts';
import { serveProtectedPage, type ProtectedPage } from './kit/protected-page.ts';
import { CertificateError } from './kit/serving-certificate.ts';
import { HttpKube } from './kit/kube-http.ts';
import { KubeError, KubeUnreachable, type Kube } from './kit/kube.ts';
import { connectionFrom, KubeConnectionError } from './kit/kubeconfig.ts';
import { Leader } from './kit/leader.ts';
import { createLog, type Logger } from './kit/log.ts';
import { audiencesOf } from './lakebase/subject-token.ts';
import { pgLogin } from './lakebase/login.ts';
import { createMetrics, type Metrics } from './metrics/registry.ts';
import { Start } from './start/start.ts';
import { refuseWhileNeeded, releaseFinalizers, StillNeeded } from './uninstall-guard.ts';
import { version } from './version.ts';

/** Arguments that nobody can make sense of. */
class UsageError extends Error {
  override readonly name = 'UsageError';
}

/** Their message says all. */
const plain = [
  UsageError,
  ConfigError,
  KubeConnectionError,
  KubeError,
  KubeUnreachable,
  PortError,
  CertificateError,
  StillNeeded,
];

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
  return plain.some((kind) => error instanceof kind);
}

/** Without a word the operator itself. The guard is run by the chart before it is uninstalled. */
function command([word, ...flags]: readonly string[]): (signal: AbortSignal) => Promise<number> {
  if (word === undefined) return main;
  const known = word === 'uninstall-guard' && flags.every((flag) => flag === '--release-finalizers');
  if (known) return (signal) => guard(signal, flags.length > 0);
  throw new UsageError(
    `${[word, ...flags].join(' ')}: not known; there is only uninstall-guard [--release-finalizers]`,
  );
}

async function guard(signal: AbortSignal, release: boolean): Promise<number> {
  const { namespace, watchNamespaces } = readConfig(process.env, 'uninstall-guard');
  const connection = await connectionFrom(process.env);
  const kube = new HttpKube({ connection, clock: systemClock, userAgent: `lakebranch/${version}` });
  try {
    const parts = { kube, clock: systemClock, namespace, watchNamespaces, signal };
    if (release) process.stdout.write(`lakebranch: ${await releaseFinalizers(parts)}\n`);
    else await refuseWhileNeeded(parts);
  } finally {
    await kube.close();
  }
  return 0;
}

async function main(signal: AbortSignal): Promise<number> {
  const config = readConfig(process.env, `${hostname()}-${process.pid}`);
  const log = createLog(config.logLevel);
  let operator: Operator | undefined;
  const metrics = createMetrics({
    fleet: () => operator?.fleet() ?? { objects: [], classes: [], restores: [] },
    loops: () => operator?.loops() ?? [],
    // Without an election whoever works leads.
    leading: () => (config.leaderElection ? leader.leading : operator !== undefined),
    perObject: config.metrics.perObject,
    version,
    nodeVersion: process.version,
  });
  const clock = systemClock;
  const connection = await connectionFrom(process.env);
  const kube = new HttpKube({
    connection,
    clock,
    userAgent: `lakebranch/${version}`,
    onResponse: metrics.kubeAnswered,
  });
  const leader = new Leader({
    kube,
    clock,
    namespace: config.namespace,
    name: 'lakebranch',
    identity: config.identity,
    onError: (error) => log.warn({ err: error }, 'the Lease could not be renewed'),
  });
  const start = new Start({ kube, scope: config, clock, log });
  const unready = (): string | undefined =>
    start.waitsFor ?? (operator?.synced() ? undefined : 'the caches are not filled yet');
  const servers = await serve({ config, kube, log, metrics, leader, unready });
  log.info({ version, namespace: config.namespace, ...servers.ports }, 'lakebranch started');
  try {
    const clusterID = await start.done(signal);
    const apiServerAudiences = async (): Promise<readonly string[]> =>
      audiencesOf((await connection.credentials()).headers['authorization']);
    operator = createOperator({
      ...config,
      kube,
      clock,
      log,
      clusterID,
      makeClient: lakebaseClients({ config, clock, log, metrics }),
      subjectTokens: projectedTokens({ config, clock, apiServerAudiences }),
      login: pgLogin,
      metrics,
    });
    return await run({ config, operator, leader, log }, signal);
  } finally {
    await servers.close();
  }
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

interface Served {
  readonly config: Config;
  readonly kube: Kube;
  readonly log: Logger;
  readonly metrics: Metrics;
  readonly leader: Leader;
  readonly unready: () => string | undefined;
}

async function serve(served: Served): Promise<{ ports: Record<string, number>; close: () => Promise<unknown> }> {
  const { config, metrics } = served;
  const isPlain = config.metrics.mode === 'Plain';
  const health = await serveHealthOf(served, isPlain ? { '/metrics': metrics.page } : {});
  if (isPlain) return { ports: { httpPort: health.port }, close: () => health.close() };
  const page = await serveMetrics(served);
  return {
    ports: { httpPort: health.port, metricsPort: page.port },
    close: () => Promise.all([health.close(), page.close()]),
  };
}

function serveHealthOf(
  { config, leader, unready }: Served,
  pages: NonNullable<HealthOptions['pages']>,
): Promise<HealthServer> {
  return serveHealth({
    host: config.httpHost,
    port: config.httpPort,
    hostSetting: 'LAKEBRANCH_HTTP_HOST',
    portSetting: 'LAKEBRANCH_HTTP_PORT',
    unhealthy: () => (leader.wedged ? 'the Lease has not been renewed in time' : undefined),
    unready,
    pages,
  });
}

function serveMetrics({ config, kube, log, metrics }: Served): Promise<ProtectedPage> {
  return serveProtectedPage({
    host: config.httpHost,
    port: config.metrics.port,
    hostSetting: 'LAKEBRANCH_HTTP_HOST',
    portSetting: 'LAKEBRANCH_METRICS_PORT',
    kube,
    clock: systemClock,
    path: '/metrics',
    page: metrics.page,
    certificateFolder: config.metrics.certificateFolder,
    certificateSetting: 'LAKEBRANCH_METRICS_CERT_DIR',
    onError: (error, what) => log.warn({ err: error }, what),
  });
}
