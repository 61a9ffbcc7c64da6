// The checks of the doctor, one part after the other; each goes on when the one before has failed, as far as it can.
import { apiGroup, apiVersion, branchClassResource, namespaceResource } from '../api/names.ts';
import type { BranchClass } from '../api/v1alpha1/branch-class.ts';
import { ConditionType } from '../api/v1alpha1/conditions.ts';
import { isForbidden, isNotFound, type KubeObject, type ResourceType } from '../kit/kube.ts';
import { LakebaseError } from '../lakebase/errors.ts';
import { TransportError } from '../lakebase/transport.ts';
import { version } from '../version.ts';
import { conditionOf } from './branch.ts';
import { listAll, tryGet, type Cluster } from './cluster.ts';
import type { Invocation } from './command.ts';
import { examineBranches } from './examine-branches.ts';
import { operatorNamespaceOf, operatorSettings, seeOperator } from './operator.ts';
import { providerOf, type ProviderSeen } from './provider.ts';
import type { Check, Verdict } from './report-doctor.ts';
import { examineRights } from './rights.ts';
import type { Terminal } from './terminal.ts';

export async function examine(cluster: Cluster, invocation: Invocation, terminal: Terminal): Promise<Check[]> {
  const api = [...(await examineServer(cluster)), ...(await examineNamespace(cluster))];
  const crds = await examineCrds(cluster);
  const rights = await examineRights(cluster);
  const checks = [...api, ...crds, ...rights, ...(await examineOperator(cluster, invocation, terminal))];
  if (crds.some(({ verdict }) => verdict === 'wrong')) return checks;
  return [
    ...checks,
    ...(await examineClasses(cluster, invocation, terminal)),
    ...(await examineBranches(cluster, { login: invocation.isNotOff('login'), terminal })),
  ];
}

async function examineServer({ kube, server }: Cluster): Promise<Check[]> {
  const { gitVersion = 'unknown' } = (await kube.getRaw('/version')) as { gitVersion?: string };
  return [
    { part: 'Cluster', name: 'API server', verdict: 'ok', message: `${server} answers, Kubernetes ${gitVersion}` },
  ];
}

/** A misspelt one is empty, and would be found well. */
async function examineNamespace({ kube, scope }: Cluster): Promise<Check[]> {
  if (scope === undefined) return [];
  try {
    await kube.get<KubeObject>(namespaceResource, { name: scope });
    return [];
  } catch (error) {
    if (isForbidden(error)) return [];
    if (!isNotFound(error)) throw error;
    const message = `there is none of this name: check -n and the context`;
    return [{ part: 'Cluster', name: `namespace ${scope}`, verdict: 'wrong', message }];
  }
}

const kinds = ['databasebranches', 'branchclasses', 'pointintimerestores'];

async function examineCrds(cluster: Cluster): Promise<Check[]> {
  const served = await servedKinds(cluster);
  const missing = kinds.filter((plural) => !served.includes(plural));
  if (missing.length > 0)
    return [
      {
        part: 'Cluster',
        name: 'CRDs',
        verdict: 'wrong',
        message: `${missing.join(', ')} of ${apiGroup}/${apiVersion} are not there: install the CRDs of lakebranch ${version}`,
      },
    ];
  return [await crdVersions(cluster)];
}

async function servedKinds({ kube }: Cluster): Promise<string[]> {
  try {
    const found = (await kube.getRaw(`/apis/${apiGroup}/${apiVersion}`)) as { resources?: { name: string }[] };
    return (found.resources ?? []).map(({ name }) => name);
  } catch (error) {
    if (isNotFound(error)) return [];
    throw error;
  }
}

const crdResource: ResourceType = {
  group: 'apiextensions.k8s.io',
  version: 'v1',
  plural: 'customresourcedefinitions',
  kind: 'CustomResourceDefinition',
  namespaced: false,
};

/** The chart labels them; without that label nothing can be said of their age. */
async function crdVersions({ kube }: Cluster): Promise<Check> {
  const found = await Promise.all(
    kinds.map((plural) => tryGet(kube.get<KubeObject>(crdResource, { name: `${plural}.${apiGroup}` }))),
  );
  const labels = new Set(found.map((crd) => crd?.metadata.labels?.['app.kubernetes.io/version']).filter(Boolean));
  const base = { part: 'Cluster', name: 'CRDs' } as const;
  const served = `all three kinds are served as ${apiVersion}`;
  const other = [...labels].filter((label) => label !== version);
  if (other.length > 0)
    return {
      ...base,
      verdict: 'warning',
      message: `${served}; they are those of ${other.join(', ')}, this plugin is ${version}: use the same version of both`,
    };
  return { ...base, verdict: 'ok', message: labels.size > 0 ? `${served}, version ${version}` : served };
}

async function examineOperator(cluster: Cluster, invocation: Invocation, terminal: Terminal): Promise<Check[]> {
  const namespace = operatorNamespaceOf(invocation);
  const { verdict, message } = await seeOperator(cluster, namespace, terminal.clock.now());
  const verdicts = { running: 'ok', away: 'wrong', unknown: 'unknown' } as const;
  const checks: Check[] = [{ part: 'Operator', name: 'leader', verdict: verdicts[verdict], message }];
  const settings = await operatorSettings(cluster, namespace);
  if (settings?.image)
    checks.push({
      part: 'Operator',
      name: 'image',
      verdict: 'ok',
      message: `${settings.image}; this plugin is ${version}`,
    });
  return checks;
}

async function examineClasses(cluster: Cluster, invocation: Invocation, terminal: Terminal): Promise<Check[]> {
  const part = 'Classes';
  let classes: (BranchClass & KubeObject)[];
  try {
    classes = await listAll<BranchClass & KubeObject>(cluster, branchClassResource);
  } catch (error) {
    if (!isForbidden(error)) throw error;
    return [
      {
        part,
        name: 'BranchClasses',
        verdict: 'unknown',
        message: 'you may not list them, so neither they nor the provider were looked at',
      },
    ];
  }
  if (classes.length === 0)
    return [
      {
        part,
        name: 'BranchClasses',
        verdict: 'wrong',
        message: 'there is none, so no DatabaseBranch can get a branch: the platform team makes one',
      },
    ];
  const checks: Check[] = [];
  for (const bclass of classes) {
    terminal.signal.throwIfAborted();
    checks.push(classCheck(bclass));
    checks.push(await providerCheck({ cluster, invocation, terminal, bclass }));
  }
  return checks;
}

function classCheck(bclass: BranchClass): Check {
  const ready = conditionOf(bclass, ConditionType.Ready);
  const { name } = bclass.metadata;
  const { used, queued = 0 } = bclass.status ?? {};
  const use = used
    ? `${used.branches} of ${used.limit} branches in use${queued > 0 ? `, ${queued} waiting` : ''}`
    : 'use not known';
  const base = { part: 'Classes', name };
  if (ready?.status === 'True') return { ...base, verdict: queued > 0 ? 'warning' : 'ok', message: `ready; ${use}` };
  const state = ready ? `${ready.reason}, ${ready.message}` : 'the operator has not looked at it';
  return { ...base, verdict: 'wrong', message: `not ready: ${state}. More: kubectl lakebranch why bclass/${name}` };
}

interface ProviderAsked {
  readonly cluster: Cluster;
  readonly invocation: Invocation;
  readonly terminal: Terminal;
  readonly bclass: BranchClass;
}

async function providerCheck({ cluster, invocation, terminal, bclass }: ProviderAsked): Promise<Check> {
  const { host, project } = bclass.spec.provider;
  const base = { part: 'Classes', name: `provider of ${bclass.metadata.name}` };
  const provider = await providerOf({ cluster, terminal, bclass, operatorNamespace: operatorNamespaceOf(invocation) });
  try {
    return { ...base, ...(await askProvider(provider, { host, project, terminal })) };
  } finally {
    await provider.transport.close();
  }
}

async function askProvider(
  provider: ProviderSeen,
  { host, project, terminal }: { host: string; project: string; terminal: Terminal },
): Promise<{ verdict: Verdict; message: string }> {
  try {
    if (provider.usable) {
      await provider.client.getProject(project, terminal.signal);
      return { verdict: 'ok', message: `${host} answers from here, and shows project ${project} to ${provider.as}` };
    }
    const signal = AbortSignal.any([terminal.signal, AbortSignal.timeout(15_000)]);
    await provider.transport({ method: 'GET', url: host, headers: {} }, signal);
    return {
      verdict: 'ok',
      message: `${host} answers from here; the project was not asked for, because ${provider.why}`,
    };
  } catch (error) {
    return { verdict: providerVerdict(error), message: `${host}: ${providerWords(error)}` };
  }
}

/** That this machine does not reach it says nothing of the operator's. */
function providerVerdict(error: unknown): Verdict {
  if (error instanceof LakebaseError) return error.code === 'unreachable' ? 'warning' : 'wrong';
  if (error instanceof TransportError || (error instanceof DOMException && error.name === 'TimeoutError'))
    return 'warning';
  throw error;
}

const providerWords = (error: unknown): string => {
  const words = error instanceof Error ? error.message : String(error);
  return providerVerdict(error) === 'warning'
    ? `${words}; this is the way from this machine, the operator has its own`
    : words;
};
