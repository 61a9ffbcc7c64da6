// Everything at once, each part a process of its own: a Kubernetes control plane, the bundled emulator on real
// PostgreSQL, the bundled operator under its own ServiceAccount. Nothing survives the process that started it, however
// that one ends, unless it asks for that with `outlive`.
import { randomBytes, randomUUID } from 'node:crypto';
import { copyFile, mkdir, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { BranchClassSpec } from '../../src/api/v1alpha1/branch-class.ts';
import { classSecretKey, secretResource } from '../../src/api/names.ts';
import type { Values } from '../chart/render.ts';
import type { Secret } from '../../src/credentials/secret.ts';
import { systemClock } from '../../src/kit/clock.ts';
import { HttpKube } from '../../src/kit/kube-http.ts';
import { kubeconfigConnection } from '../../src/kit/kubeconfig.ts';
import { startGuardian, type Guardian } from '../control-plane/guardian.ts';
import { builtBundles } from './built.ts';
import { borrowCluster, startCluster, type Cluster } from './cluster.ts';
import { startEmulator, type Emulator, type ServicePrincipal } from './emulator.ts';
import { install, refuseIfInUse, removeObjects, uninstall } from './install.ts';
import { runKubectl, type KubectlOptions } from './kubectl.ts';
import { OperatorProcess, operatorNamespace } from './operator.ts';
import { rightsOf } from './rights.ts';

export interface StackOptions {
  /** A context of the user's kubeconfig. Without it the stack has a control plane of its own. */
  readonly context?: string;
  /** In a borrowed cluster: namespaces that the caller makes; they must not be there yet, and go at the end. */
  readonly namespaces?: readonly string[];
  /** Added to the flags of the API server, where it is not somebody else's. */
  readonly apiServerArgs?: readonly string[];
  /** Arguments of the emulator beside ports and state folder. */
  readonly emulatorArgs?: readonly string[];
  /** Values of the chart, which decide what the operator may do and where it works. Else it is as deploy/install.yaml. */
  readonly values?: Values;
  /** Variables of the operator beside the necessary ones. */
  readonly operatorEnv?: Readonly<Record<string, string>>;
  /** Called when a part is ready. */
  readonly onPart?: (part: string) => void;
}

export interface Stack {
  readonly cluster: Cluster;
  /** The API server as cluster admin. */
  readonly kube: HttpKube;
  readonly emulator: Emulator;
  readonly operator: OperatorProcess;
  /** Logs, kubeconfigs and the emulator's state; gone at the end. */
  readonly dir: string;
  /** Manages branches. Its credentials are in the Secret `manager` of the operator's namespace. */
  readonly manager: ServicePrincipal;
  /** Whose tokens go to applications: Secret `login`. */
  readonly login: ServicePrincipal;
  /** What a class says about this provider. The authority is in the Secret `ca`. */
  readonly provider: Pick<BranchClassSpec['provider'], 'host' | 'port' | 'project' | 'caSecretRef'>;
  /** Resolves with what it printed. Throws KubectlError with what it complained about. */
  kubectl(...args: string[]): Promise<string>;
  kubectlWith(options: KubectlOptions, ...args: string[]): Promise<string>;
  /** Copies all logs to a folder that stays. */
  saveLogs(folder: string): Promise<void>;
  /** Processes that end everything when they get a SIGTERM; for use after `outlive`. */
  readonly guardianPids: readonly number[];
  /** Lets it run on after this process has ended. */
  outlive(): Promise<void>;
  /** Ends every process and removes all files; takes away what was made in a borrowed cluster. Safe to call twice. */
  stop(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

export async function startStack(options: StackOptions = {}): Promise<Stack> {
  const [guardian, bundles] = await Promise.all([startGuardian('lakebranch-stack'), builtBundles()]);
  const undo = new UndoList(() => guardian.end());
  try {
    return await bringUp(guardian, bundles, options, undo);
  } catch (error) {
    await saveLogs(guardian.dir, failedLogs).catch(() => undefined);
    await undo.run();
    throw error;
  }
}

/** Where the logs of a stack that did not start are kept. */
export const failedLogs = join(import.meta.dirname, '../../.lakebranch/stack-logs');

async function bringUp(
  guardian: Guardian,
  bundles: Awaited<ReturnType<typeof builtBundles>>,
  options: StackOptions,
  undo: UndoList,
): Promise<Stack> {
  const { onPart = () => undefined, namespaces = [], context } = options;
  const [manager, login] = [newPrincipal(), newPrincipal()];
  const emulatorStarts = startEmulator(guardian, {
    bundle: bundles.emulator,
    principals: [manager, login],
    args: options.emulatorArgs ?? [],
  });
  // Reported below; meanwhile nobody waits for it.
  emulatorStarts.catch(() => undefined);
  const cluster =
    context === undefined
      ? await startCluster({ apiServerArgs: options.apiServerArgs ?? [] })
      : await borrowCluster(context, guardian.dir);
  undo.add(() => cluster.stop());
  if (context !== undefined) await refuseIfInUse(cluster, context, [operatorNamespace, ...namespaces]);
  onPart('control plane');
  if (cluster.borrowed) undo.add(() => uninstall(cluster));
  const rights = await rightsOf(options.values);
  await install(cluster, rights);
  onPart('CRDs and RBAC');
  const emulator = await emulatorStarts;
  onPart('emulator');
  const kube = await adminOf(cluster);
  undo.add(() => kube.close());
  await writeClassSecrets(kube, { manager, login, ca: emulator.ca });
  const operator = new OperatorProcess(guardian, {
    bundle: bundles.operator,
    env: { ...rights.env, ...options.operatorEnv },
  });
  await operator.logIn(cluster);
  await operator.start();
  if (cluster.borrowed) undo.add(() => removeObjects(cluster, namespaces));
  onPart('operator');
  return {
    cluster,
    kube,
    emulator,
    operator,
    dir: guardian.dir,
    manager,
    login,
    provider: {
      host: emulator.httpsUrl,
      port: emulator.pgPort,
      project: emulator.project,
      caSecretRef: { name: 'ca' },
    },
    kubectl: (...args) => runKubectl(cluster, args),
    kubectlWith: (how, ...args) => runKubectl(cluster, args, how),
    saveLogs: (folder) => saveLogs(guardian.dir, folder),
    guardianPids: [...(cluster.guardianPid === undefined ? [] : [cluster.guardianPid]), guardian.pid],
    outlive: async () => {
      await Promise.all([kube.close(), cluster.outlive(), guardian.outlive()]);
    },
    stop: () => undo.run(),
    [Symbol.asyncDispose]: () => undo.run(),
  };
}

const newPrincipal = (): ServicePrincipal => ({
  clientId: randomUUID(),
  clientSecret: `dose${randomBytes(16).toString('hex')}`,
});

async function adminOf({ adminKubeconfig }: Cluster): Promise<HttpKube> {
  const connection = await kubeconfigConnection([adminKubeconfig]);
  return new HttpKube({ connection, clock: systemClock, userAgent: 'lakebranch-stack' });
}

async function writeClassSecrets(
  kube: HttpKube,
  { manager, login, ca }: { manager: ServicePrincipal; login: ServicePrincipal; ca: string },
): Promise<void> {
  const of = ({ clientId, clientSecret }: ServicePrincipal): Record<string, string> => ({
    [classSecretKey.clientId]: clientId,
    [classSecretKey.clientSecret]: clientSecret,
  });
  const contents = { manager: of(manager), login: of(login), ca: { [classSecretKey.ca]: ca } };
  for (const [name, data] of Object.entries(contents))
    await kube.create<Secret>(secretResource, {
      metadata: { namespace: operatorNamespace, name },
      data: Object.fromEntries(Object.entries(data).map(([key, text]) => [key, base64(text)])),
    });
}

const base64 = (text: string): string => Buffer.from(text).toString('base64');

async function saveLogs(from: string, to: string): Promise<void> {
  await mkdir(to, { recursive: true });
  const logs = (await readdir(from)).filter((name) => name.endsWith('.log'));
  await Promise.all(logs.map((name) => copyFile(join(from, name), join(to, name))));
}

/** What has to be undone, the last thing first; each once, and the rest also when one of them fails. */
class UndoList {
  readonly #last: () => Promise<void>;
  #steps: (() => Promise<void>)[] = [];
  #running: Promise<void> | undefined;

  constructor(last: () => Promise<void>) {
    this.#last = last;
  }

  add(step: () => Promise<void>): void {
    this.#steps.push(step);
  }

  run(): Promise<void> {
    this.#running ??= this.#runAll();
    return this.#running;
  }

  async #runAll(): Promise<void> {
    const failures: unknown[] = [];
    for (const step of [...this.#steps.toReversed(), this.#last])
      await step().catch((error: unknown) => failures.push(error));
    if (failures.length > 0) throw failures[0];
  }
}
