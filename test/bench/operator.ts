// The bundled operator as a process, as it is installed: what it uses is read from outside.
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fetch } from 'undici';
import { freePorts } from '../control-plane/free-ports.ts';
import type { GuardedProcess, Guardian } from '../control-plane/guardian.ts';
import { runKubectl } from '../stack/kubectl.ts';
import { operatorNamespace } from '../stack/operator.ts';
import { logOf } from '../stack/process-log.ts';
import { until } from '../stack/until.ts';
import type { Cluster } from '../stack/cluster.ts';

export type Metrics = ReadonlyMap<string, number>;

/** What all processes of the operator share. */
export interface OperatorHome {
  readonly guardian: Guardian;
  readonly bundle: string;
  /** Where the API server is, in the words of a pod. */
  readonly env: Readonly<Record<string, string>>;
}

const mounted = '/var/run/secrets/kubernetes.io/serviceaccount';

/**
 * As in a pod: a token of its ServiceAccount in the folder that the kubelet mounts. Nobody but root could mount anything
 * there, so the program that is measured is the bundle with the name of another folder in it. With a kubeconfig it would
 * be 30 MB larger, by the library that reads one.
 */
export async function makeHome(guardian: Guardian, cluster: Cluster, at: PodPlace): Promise<OperatorHome> {
  const folder = join(guardian.dir, 'serviceaccount');
  const args = ['create', 'token', 'lakebranch', `--namespace=${operatorNamespace}`, '--duration=24h'];
  const files = { token: await runKubectl(cluster, args), 'ca.crt': at.ca, namespace: operatorNamespace };
  await mkdir(folder, { mode: 0o700 });
  await Promise.all(Object.entries(files).map(([name, text]) => writeFile(join(folder, name), text, { mode: 0o600 })));
  const program = await readFile(at.bundle, 'utf8');
  if (!program.includes(mounted)) throw new Error(`${at.bundle} does not name ${mounted}`);
  const bundle = join(guardian.dir, 'lakebranch.mjs');
  await writeFile(bundle, program.replaceAll(mounted, folder));
  const { hostname, port } = new URL(at.url);
  return { guardian, bundle, env: { KUBERNETES_SERVICE_HOST: hostname, KUBERNETES_SERVICE_PORT: port } };
}

export interface PodPlace {
  readonly bundle: string;
  /** Of the API server. */
  readonly url: string;
  readonly ca: string;
}

let started = 0;

export class OperatorProcess {
  readonly #process: GuardedProcess;
  readonly #port: number;
  /** `Date.now()` right before the process was made. */
  readonly startedAtMs: number;

  constructor(process: GuardedProcess, port: number, startedAtMs: number) {
    this.#process = process;
    this.#port = port;
    this.startedAtMs = startedAtMs;
  }

  /** Resolves as soon as the process exists. */
  static async spawn(
    { guardian, bundle, env }: OperatorHome,
    more: Readonly<Record<string, string>>,
  ): Promise<OperatorProcess> {
    const [port] = await freePorts(1);
    const startedAtMs = Date.now();
    const process = await guardian.start({
      name: `operator-${++started}`,
      command: globalThis.process.execPath,
      args: [bundle],
      env: {
        PATH: globalThis.process.env['PATH'] ?? '',
        ...env,
        LAKEBRANCH_NAMESPACE: operatorNamespace,
        LAKEBRANCH_HTTP_HOST: '127.0.0.1',
        LAKEBRANCH_HTTP_PORT: String(port),
        // A request of the floor waits for nobody's budget, so the operator's must not bind it either.
        LAKEBRANCH_PROVIDER_QPS: '1000',
        // The ten branches of a project are the provider's limit; here they would be what is measured.
        LAKEBRANCH_PROJECT_LIMIT: '10000',
        POD_NAME: 'lakebranch-0',
        ...more,
      },
      endWith: 'SIGTERM',
    });
    return new OperatorProcess(process, port, startedAtMs);
  }

  /** Resolves when its caches are filled and it leads. */
  async whenLeading(): Promise<void> {
    await until(
      'the operator leads',
      async () => (await this.metrics())?.get('leader_election_master_status{name="lakebranch"}') === 1,
      { describe: async () => (await logOf(this.#process.logFile)).slice(-2000) },
    );
  }

  /** Undefined while it does not listen yet. Throws when it has ended. */
  async metrics(): Promise<Metrics | undefined> {
    const ended = this.#process.ended();
    if (ended !== undefined) throw new Error(`the operator has ended: ${ended}\n${await logOf(this.#process.logFile)}`);
    try {
      const response = await fetch(`http://127.0.0.1:${this.#port}/metrics`);
      return parseMetrics(await response.text());
    } catch {
      return undefined;
    }
  }

  async metric(name: string): Promise<number> {
    return (await this.metrics())?.get(name) ?? Number.NaN;
  }

  /** Seconds of a core that it has used. */
  cpuSeconds(): Promise<number> {
    return this.metric('process_cpu_seconds_total');
  }

  /** Resident memory in 10^6 bytes. */
  async memoryMB(): Promise<number> {
    return (await this.metric('process_resident_memory_bytes')) / 1e6;
  }

  /** SIGTERM; resolves when it has ended. */
  async stop(): Promise<void> {
    this.#process.signal('SIGTERM');
    await this.#process.whenEnded();
  }

  async kill(): Promise<void> {
    this.#process.signal('SIGKILL');
    await this.#process.whenEnded();
  }
}

function parseMetrics(text: string): Metrics {
  const lines = text.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
  return new Map(lines.map((line) => [line.slice(0, line.lastIndexOf(' ')), Number(line.split(' ').at(-1))]));
}
