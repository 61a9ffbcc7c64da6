// A control plane of its own for one file of tests of the chart, because Helm wants to own the kinds that it installs.
import { stringify } from 'yaml';
import { startControlPlane, type ControlPlane } from '../control-plane/control-plane.ts';
import { runKubectl } from '../stack/kubectl.ts';
import { chart, helm, release, type Values } from './render.ts';

export const teams = ['team-a', 'team-b'];

export const scopes: readonly (readonly [string, Values])[] = [
  ['cluster', { scope: 'cluster' }],
  ['namespaces', { scope: 'namespaces', namespaces: teams }],
  ['namespace', { scope: 'namespace' }],
];

/** All that can be had without the kinds of the Prometheus operator. */
export const everything: Values = {
  secretPolicy: { enabled: true },
  networkPolicy: { enabled: true },
  metrics: { mode: 'Protected', dashboard: { enabled: true } },
  workloadIdentity: { audiences: ['databricks'] },
  emulator: { enabled: true },
};

/** Of the chart, CRDs apart. */
const kinds =
  'clusterroles,clusterrolebindings,roles,rolebindings,serviceaccounts,deployments,services,secrets,configmaps,jobs,' +
  'poddisruptionbudgets,networkpolicies,persistentvolumeclaims,validatingadmissionpolicies,validatingadmissionpolicybindings';

export class ChartCluster {
  readonly controlPlane: ControlPlane;

  private constructor(controlPlane: ControlPlane) {
    this.controlPlane = controlPlane;
  }

  /** With the namespaces of two teams, and that of the release, which enforces the Pod Security Standard `restricted`. */
  static async start(): Promise<ChartCluster> {
    const cluster = new ChartCluster(await startControlPlane());
    for (const name of teams) await cluster.kubectl('create', 'namespace', name);
    await cluster.makeNamespace();
    return cluster;
  }

  stop(): Promise<void> {
    return this.controlPlane.stop();
  }

  async makeNamespace(): Promise<void> {
    const labels = { 'pod-security.kubernetes.io/enforce': 'restricted' };
    await this.apply({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: release.namespace, labels } });
  }

  kubectl(...args: string[]): Promise<string> {
    return runKubectl(this.controlPlane, args);
  }

  /** `kubectl <args> -f -` with these objects. */
  send(args: readonly string[], ...objects: object[]): Promise<string> {
    const input = objects.map((object) => stringify(object)).join('---\n');
    return runKubectl(this.controlPlane, [...args, '-f', '-'], { input });
  }

  apply(...objects: object[]): Promise<string> {
    return this.send(['apply'], ...objects);
  }

  async install(values: Values = {}, ...flags: string[]): Promise<void> {
    await this.#helm(['install', release.name, chart, ...flags], values);
    if (flags.length > 0) return;
    await this.kubectl('wait', '--for=condition=Established', 'crd', '--all', '--timeout=60s');
  }

  upgrade(values: Values = {}): Promise<string> {
    return this.#helm(['upgrade', release.name, chart], values);
  }

  uninstall(...flags: string[]): Promise<string> {
    return this.#helm(['uninstall', release.name, ...flags]);
  }

  /** The chart in another folder. */
  installFrom(folder: string): Promise<string> {
    return this.#helm(['install', release.name, folder]);
  }

  /** Everything of the release that is there, CRDs apart. */
  async installed(): Promise<string[]> {
    const found = await this.kubectl('get', kinds, '-A', '-l', 'app.kubernetes.io/part-of=lakebranch', '-o', 'name');
    return found.split('\n').filter((name) => name !== '');
  }

  #helm(args: readonly string[], values: Values = {}): Promise<string> {
    return helm([...args, '--namespace', release.namespace], values, this.controlPlane.adminKubeconfig);
  }
}
