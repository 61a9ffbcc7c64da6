// Whether an operator is at work, as the Lease tells; and how its Deployment is set, where that may be read.
import { leaseResource } from '../api/names.ts';
import { isForbidden, isNotFound, type KubeObject, type ResourceType } from '../kit/kube.ts';
import { defaultOperatorNamespace, listAll, tryGet, type Cluster } from './cluster.ts';
import type { Invocation } from './command.ts';
import { formatSpan } from './times.ts';

interface Lease extends KubeObject {
  spec?: { holderIdentity?: string; renewTime?: string; leaseDurationSeconds?: number };
}

interface Deployment extends KubeObject {
  spec?: { template?: { spec?: { containers?: readonly Container[] } } };
}

interface Container {
  readonly image?: string;
  readonly env?: readonly { readonly name: string; readonly value?: string }[];
}

const deploymentResource: ResourceType = {
  group: 'apps',
  version: 'v1',
  plural: 'deployments',
  kind: 'Deployment',
  namespaced: true,
};

export interface OperatorSeen {
  readonly verdict: 'running' | 'away' | 'unknown';
  readonly message: string;
}

export const operatorNamespaceOf = (invocation: Invocation): string =>
  invocation.text('operator-namespace') ?? defaultOperatorNamespace;

/** Renewed every two seconds; another takes over after fifteen. */
const freshMs = 20_000;

export async function seeOperator({ kube }: Cluster, namespace: string, now: Date): Promise<OperatorSeen> {
  try {
    const lease = await kube.get<Lease>(leaseResource, { namespace, name: 'lakebranch' });
    // By the clock of the API server, as far as it is known: this machine's may be wrong.
    return judgeLease(lease, new Date(now.getTime() + (kube.clockOffsetMs() ?? 0)));
  } catch (error) {
    if (isForbidden(error))
      return {
        verdict: 'unknown',
        message: `you may not read its Lease ${namespace}/lakebranch, so it cannot be told`,
      };
    if (!isNotFound(error)) throw error;
    return {
      verdict: 'away',
      message: `there is no Lease ${namespace}/lakebranch: it never ran there. Look with kubectl -n ${namespace} get deploy,pods; --operator-namespace names another namespace`,
    };
  }
}

export function judgeLease({ metadata, spec = {} }: Lease, now: Date): OperatorSeen {
  const { holderIdentity = '', renewTime } = spec;
  const place = `${metadata.namespace}/${metadata.name}`;
  const ageMs = renewTime === undefined ? Infinity : now.getTime() - new Date(renewTime).getTime();
  const logs = `Look with kubectl -n ${metadata.namespace} get pods, and at its log`;
  if (holderIdentity === '')
    return { verdict: 'away', message: `nobody holds the Lease ${place}: it was stopped. ${logs}` };
  if (ageMs > freshMs)
    return {
      verdict: 'away',
      message: `${holderIdentity} held the Lease ${place} and has not renewed it${renewTime === undefined ? '' : ` for ${formatSpan(ageMs)}`}. ${logs}`,
    };
  return { verdict: 'running', message: `${holderIdentity} leads, and renewed its Lease ${formatSpan(ageMs)} ago` };
}

export interface OperatorSettings {
  readonly image: string | undefined;
  readonly clusterID: string | undefined;
  readonly previousClusterIDs: readonly string[];
}

/** Undefined where there is none that may be read. */
export async function operatorSettings(cluster: Cluster, namespace: string): Promise<OperatorSettings | undefined> {
  const deployments = (await tryGet(listAll<Deployment>(cluster, deploymentResource, { namespace }))) ?? [];
  const containers = deployments.flatMap(({ spec }) => spec?.template?.spec?.containers ?? []);
  const ours = containers.find(({ env = [] }) => env.some(({ name }) => name === 'LAKEBRANCH_NAMESPACE'));
  if (!ours) return undefined;
  const valueOf = (name: string): string | undefined => ours.env?.find((one) => one.name === name)?.value;
  return {
    image: ours.image,
    clusterID: valueOf('LAKEBRANCH_CLUSTER_ID') || undefined,
    previousClusterIDs: listed(valueOf('LAKEBRANCH_PREVIOUS_CLUSTER_IDS')),
  };
}

/** Separated by commas. */
export const listed = (text: string | undefined): string[] =>
  (text ?? '')
    .split(',')
    .map((part) => part.trim())
    .filter((part) => part !== '');
