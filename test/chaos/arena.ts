// Where chaos takes place: a real control plane, the emulator's control plane, the bundled operators, each a process.
import { randomBytes, randomUUID } from 'node:crypto';
import { copyFile, mkdir, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { branchClassResource, classSecretKey, namespaceResource, secretResource } from '../../src/api/names.ts';
import type { Secret } from '../../src/credentials/secret.ts';
import type { Principal } from '../../src/emulator/principals.ts';
import { systemClock } from '../../src/kit/clock.ts';
import { HttpKube } from '../../src/kit/kube-http.ts';
import type { KubeObject } from '../../src/kit/kube.ts';
import { kubeconfigConnection } from '../../src/kit/kubeconfig.ts';
import { startControlPlane, type ControlPlane } from '../control-plane/control-plane.ts';
import { startGuardian, type Guardian } from '../control-plane/guardian.ts';
import { builtBundles } from '../stack/built.ts';
import { install } from '../stack/install.ts';
import { runKubectl } from '../stack/kubectl.ts';
import { operatorNamespace } from '../stack/operator.ts';
import { Dice } from './dice.ts';
import { ChaosEmulator, projects } from './emulator.ts';
import { History, type Version } from './history.ts';
import { classNames, logins, ordinary, projectOf } from './model.ts';
import { Operators } from './operators.ts';

export interface Arena {
  readonly controlPlane: ControlPlane;
  /** As cluster admin. */
  readonly kube: HttpKube;
  readonly emulator: ChaosEmulator;
  readonly operators: Operators;
  readonly history: History;
  /** As the operators derive it. */
  readonly clusterID: string;
  /** Client ids of the identities that the operators act under. */
  readonly manager: string;
  readonly loginNames: readonly string[];
  /** Copies all logs and the journal to a folder that stays. */
  saveLogs(folder: string): Promise<void>;
  stop(): Promise<void>;
}

/** Branches that classes may allow as sources. */
export const sources = ['production', 'staging-1', 'staging-2'] as const;

const principal = (): Principal => ({
  name: randomUUID(),
  kind: 'SERVICE_PRINCIPAL',
  secret: `dose${randomBytes(16).toString('hex')}`,
});

export async function startArena(seed: number, hear: (version: Version) => void): Promise<Arena> {
  const [guardian, bundles] = await Promise.all([startGuardian('lakebranch-chaos'), builtBundles()]);
  const stops: (() => Promise<void> | void)[] = [() => guardian.end()];
  const stop = async (): Promise<void> => {
    for (const step of stops.splice(0).reverse()) await step();
  };
  try {
    return await bringUp({ seed, hear, guardian, bundle: bundles.operator, stops, stop });
  } catch (error) {
    await stop();
    throw error;
  }
}

interface Parts {
  readonly seed: number;
  readonly hear: (version: Version) => void;
  readonly guardian: Guardian;
  readonly bundle: string;
  readonly stops: (() => Promise<void> | void)[];
  readonly stop: () => Promise<void>;
}

async function bringUp({ seed, hear, guardian, bundle, stops, stop }: Parts): Promise<Arena> {
  // History is read from etcd, which should hold what we can read.
  const controlPlane = await startControlPlane({ apiServerArgs: ['--storage-media-type=application/json'] });
  stops.push(() => controlPlane.stop());
  const history = new History(controlPlane.etcdUrl, hear);
  history.start();
  stops.push(() => history.stop());
  await install(controlPlane);
  const [manager, ...loginPrincipals] = [principal(), ...logins.map(principal)] as const;
  const dice = new Dice(seed);
  const emulator = await ChaosEmulator.start(guardian, [manager, ...loginPrincipals], {
    clockSkewMs: dice.pick([0, -4000, 4000]) ?? 0,
    notFoundAfterCreateMs: dice.pick([0, 300, 2000]) ?? 0,
  });
  for (const project of projects) await makeSources(emulator, project);
  const connection = await kubeconfigConnection([controlPlane.adminKubeconfig]);
  const kube = new HttpKube({ connection, clock: systemClock, userAgent: 'chaos/1' });
  stops.push(() => kube.close());
  await writeClassSecrets(kube, { manager, 'login-a': loginPrincipals[0]!, 'login-b': loginPrincipals[1]! });
  for (const name of classNames) await kube.create<KubeObject>(branchClassResource, bclass(name, emulator.url));
  const operators = new Operators(guardian, bundle);
  const token = ['create', 'token', 'lakebranch', `--namespace=${operatorNamespace}`, '--duration=24h'];
  await operators.logIn(controlPlane.kubeconfigFor(await runKubectl(controlPlane, token)));
  stops.push(() => operators.stop());
  await operators.startAll();
  const { metadata } = await kube.get<KubeObject>(namespaceResource, { name: 'kube-system' });
  return {
    controlPlane,
    kube,
    emulator,
    operators,
    history,
    clusterID: metadata.uid ?? '',
    manager: manager.name,
    loginNames: loginPrincipals.map(({ name }) => name),
    saveLogs: (folder) => saveLogs([guardian.dir, join(guardian.dir, 'emulator'), controlPlane.dir], folder),
    stop,
  };
}

async function makeSources(emulator: ChaosEmulator, project: string): Promise<void> {
  const [root, ...forks] = sources;
  for (const id of forks) {
    const spec = { source_branch: `projects/${project}/branches/${root}`, no_expiry: true };
    const status = await emulator.byHand('POST', `projects/${project}/branches?branch_id=${id}`, { spec });
    if (status !== 200) throw new Error(`source ${id} could not be made: ${status}`);
  }
}

async function writeClassSecrets(kube: HttpKube, principals: Readonly<Record<string, Principal>>): Promise<void> {
  for (const [name, { name: clientId, secret }] of Object.entries(principals))
    await kube.create<Secret>(secretResource, {
      metadata: { namespace: operatorNamespace, name },
      data: { [classSecretKey.clientId]: base64(clientId), [classSecretKey.clientSecret]: base64(secret) },
    });
}

const base64 = (text: string): string => Buffer.from(text).toString('base64');

function bclass(name: string, host: string): KubeObject & { spec: object } {
  const { sources: allowed, expiration, endpoint } = ordinary;
  return {
    metadata: { name },
    spec: {
      provider: { host, project: projectOf(name), auth: { clientSecretRef: { name: 'manager' } } },
      login: { auth: { clientSecretRef: { name: logins[0] } } },
      sources: allowed,
      allowedNamespaces: { matchLabels: { preview: 'true' } },
      expiration,
      endpoint,
    },
  };
}

async function saveLogs(folders: readonly string[], to: string): Promise<void> {
  await mkdir(to, { recursive: true });
  for (const folder of folders) {
    const names = (await readdir(folder)).filter((name) => /\.(log|jsonl)$/.test(name));
    await Promise.all(names.map((name) => copyFile(join(folder, name), join(to, name))));
  }
}
