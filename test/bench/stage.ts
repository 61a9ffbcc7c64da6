// Everything that a row measures with: a real API server, the provider in this process, the operator and the floor as
// processes of their own. A row throws its stage away and the next one makes a new one, which is quicker than tidying up.
import {
  databaseBranchResource,
  branchClassResource,
  classSecretKey,
  namespaceResource,
  secretResource,
} from '../../src/api/names.ts';
import type { DatabaseBranch } from '../../src/api/v1alpha1/database-branch.ts';
import type { Secret } from '../../src/credentials/secret.ts';
import { systemClock } from '../../src/kit/clock.ts';
import type { KubeObject } from '../../src/kit/kube.ts';
import { HttpKube } from '../../src/kit/kube-http.ts';
import { kubeconfigConnection } from '../../src/kit/kubeconfig.ts';
import { startControlPlane } from '../control-plane/control-plane.ts';
import { startGuardian, type Guardian } from '../control-plane/guardian.ts';
import { builtBundles } from '../stack/built.ts';
import type { Cluster } from '../stack/cluster.ts';
import type { ServicePrincipal } from '../stack/emulator.ts';
import { install } from '../stack/install.ts';
import { operatorNamespace } from '../stack/operator.ts';
import { AuditLog } from './audit.ts';
import { Floor, type FloorOptions } from './floor.ts';
import { makeHome, OperatorProcess, type OperatorHome } from './operator.ts';
import { startProvider, type Provider } from './provider.ts';

export interface StageOptions {
  /** Names of BranchClasses; each has a project of the same name. */
  readonly classes?: readonly string[];
  readonly workspaces?: number;
}

export class Stage implements AsyncDisposable {
  readonly kube: HttpKube;
  readonly provider: Provider;
  readonly audit: AuditLog;
  readonly #guardian: Guardian;
  readonly #cluster: Cluster;
  readonly #home: OperatorHome;
  readonly #hosts: ReadonlyMap<string, string>;

  constructor(parts: {
    kube: HttpKube;
    provider: Provider;
    audit: AuditLog;
    guardian: Guardian;
    cluster: Cluster;
    home: OperatorHome;
    hosts: ReadonlyMap<string, string>;
  }) {
    this.kube = parts.kube;
    this.provider = parts.provider;
    this.audit = parts.audit;
    this.#guardian = parts.guardian;
    this.#cluster = parts.cluster;
    this.#home = parts.home;
    this.#hosts = parts.hosts;
  }

  /** Resolves when the process exists. */
  spawnOperator(env: Readonly<Record<string, string>> = {}): Promise<OperatorProcess> {
    return OperatorProcess.spawn(this.#home, env);
  }

  async startOperator(env: Readonly<Record<string, string>> = {}): Promise<OperatorProcess> {
    const operator = await this.spawnOperator(env);
    await operator.whenLeading();
    return operator;
  }

  startFloor(options: FloorOptions): Promise<Floor> {
    const { provider } = this;
    return Floor.start(this.#guardian, { ...options, kubeconfig: this.#cluster.adminKubeconfig, provider });
  }

  async namespace(name: string): Promise<void> {
    await this.kube.create(namespaceResource, { metadata: { name } });
  }

  /** Leaves everything to its class; nobody logs in, because there is no database. */
  async apply(namespace: string, name: string, className = 'default'): Promise<void> {
    const object = { metadata: { namespace, name }, spec: { className, verify: { login: 'Never' } } };
    await this.kube.create<KubeObject>(databaseBranchResource, object);
  }

  /** The workspace of a class. */
  hostOf(className: string): string {
    return this.#hosts.get(className) ?? '';
  }

  objects(namespace?: string): Promise<DatabaseBranch[]> {
    return listAll(this.kube, namespace);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kube.close();
    await this.provider.stop();
    await this.#cluster.stop();
    await this.#guardian.end();
  }
}

export async function startStage({ classes = ['default'], workspaces = 1 }: StageOptions = {}): Promise<Stage> {
  const [guardian, bundles] = await Promise.all([startGuardian('lakebranch-bench'), builtBundles()]);
  const audit = new AuditLog(guardian.dir);
  const controlPlane = await startControlPlane({ apiServerArgs: await audit.flags() });
  const cluster: Cluster = { ...controlPlane, borrowed: false };
  try {
    await install(cluster);
    const provider = await startProvider({ dir: guardian.dir, projects: classes, workspaces });
    const connection = await kubeconfigConnection([cluster.adminKubeconfig]);
    const kube = new HttpKube({ connection, clock: systemClock, userAgent: 'bench' });
    const hosts = new Map(classes.map((name, index) => [name, provider.hosts[index % workspaces] ?? '']));
    await makeClasses(kube, provider, hosts);
    const { url, ca } = controlPlane;
    const home = await makeHome(guardian, cluster, { bundle: bundles.operator, url, ca });
    return new Stage({ kube, provider, audit, guardian, cluster, home, hosts });
  } catch (error) {
    await cluster.stop();
    await guardian.end();
    throw error;
  }
}

async function makeClasses(kube: HttpKube, provider: Provider, hosts: ReadonlyMap<string, string>): Promise<void> {
  const credentials = ({ clientId, clientSecret }: ServicePrincipal): Record<string, string> => ({
    [classSecretKey.clientId]: clientId,
    [classSecretKey.clientSecret]: clientSecret,
  });
  await writeSecret(kube, 'manager', credentials(provider.manager));
  await writeSecret(kube, 'login', credentials(provider.login));
  await writeSecret(kube, 'ca', { [classSecretKey.ca]: provider.ca });
  const create = ([name, host]: readonly [string, string]): Promise<KubeObject> =>
    kube.create<KubeObject>(branchClassResource, {
      metadata: { name },
      spec: {
        provider: {
          host,
          project: name,
          caSecretRef: { name: 'ca' },
          auth: { clientSecretRef: { name: 'manager' } },
        },
        login: { auth: { clientSecretRef: { name: 'login' } } },
        sources: { allow: ['production'], default: 'production' },
        allowedNamespaces: {},
      },
    } as KubeObject);
  await Promise.all([...hosts].map(create));
}

async function writeSecret(kube: HttpKube, name: string, values: Record<string, string>): Promise<void> {
  const data = Object.fromEntries(
    Object.entries(values).map(([key, text]) => [key, Buffer.from(text).toString('base64')]),
  );
  await kube.create<Secret>(secretResource, { metadata: { namespace: operatorNamespace, name }, data });
}

async function listAll(kube: HttpKube, namespace: string | undefined): Promise<DatabaseBranch[]> {
  const all: DatabaseBranch[] = [];
  let from: string | undefined;
  do {
    const page = await kube.list<DatabaseBranch>(databaseBranchResource, {
      limit: 500,
      ...(namespace === undefined ? {} : { namespace }),
      ...(from === undefined ? {} : { continue: from }),
    });
    all.push(...page.items);
    from = page.metadata.continue;
  } while (from);
  return all;
}
