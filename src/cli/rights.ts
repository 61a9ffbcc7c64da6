// What the person may do, command by command, as the API server answers for them.
import { apiGroup } from '../api/names.ts';
import type { KubeObject, ResourceType } from '../kit/kube.ts';
import type { Cluster } from './cluster.ts';
import type { Check } from './report-doctor.ts';

interface Right {
  readonly verb: string;
  readonly group: string;
  readonly resource: string;
  /** Commands that need it. */
  readonly forWhat: string;
  /** Without it hardly anything is left. */
  readonly essential?: boolean;
  readonly clusterScoped?: boolean;
}

export const rights: readonly Right[] = [
  { verb: 'list', group: apiGroup, resource: 'databasebranches', forWhat: 'list, why, doctor', essential: true },
  { verb: 'get', group: apiGroup, resource: 'databasebranches', forWhat: 'all others', essential: true },
  { verb: 'patch', group: apiGroup, resource: 'databasebranches', forWhat: 'extend, reset, rotate, park, unpark' },
  { verb: 'create', group: apiGroup, resource: 'pointintimerestores', forWhat: 'restore' },
  { verb: 'get', group: apiGroup, resource: 'pointintimerestores', forWhat: 'restore, why' },
  {
    verb: 'get',
    group: apiGroup,
    resource: 'branchclasses',
    forWhat: 'the limits in extend and reset',
    clusterScoped: true,
  },
  { verb: 'list', group: apiGroup, resource: 'branchclasses', forWhat: 'orphans, doctor', clusterScoped: true },
  { verb: 'get', group: '', resource: 'secrets', forWhat: 'psql, env, the login in doctor' },
];

const reviewResource: ResourceType = {
  group: 'authorization.k8s.io',
  version: 'v1',
  plural: 'selfsubjectaccessreviews',
  kind: 'SelfSubjectAccessReview',
  namespaced: false,
};

interface Review extends KubeObject {
  spec: { resourceAttributes: { verb: string; group: string; resource: string; namespace?: string } };
  status?: { allowed?: boolean };
}

export async function examineRights(cluster: Cluster): Promise<Check[]> {
  const answers = await Promise.all(rights.map((right) => isAllowed(cluster, right)));
  const denied = rights.filter((_, index) => !answers[index]);
  const where = cluster.scope === undefined ? 'in all namespaces' : `in namespace ${cluster.scope}`;
  const part = 'Your rights';
  if (denied.length === 0) return [{ part, name: where, verdict: 'ok', message: 'all that the commands need' }];
  return denied.map(({ verb, group, resource, forWhat, essential }) => ({
    part,
    name: `${verb} ${resource}${group === '' ? '' : `.${group}`}`,
    verdict: essential ? 'wrong' : 'warning',
    message: `you do not have it ${where}; needed for ${forWhat}`,
  }));
}

async function isAllowed({ kube, scope }: Cluster, right: Right): Promise<boolean> {
  const { verb, group, resource, clusterScoped } = right;
  const namespace = clusterScoped || scope === undefined ? {} : { namespace: scope };
  const review = { metadata: { name: '' }, spec: { resourceAttributes: { verb, group, resource, ...namespace } } };
  return (await kube.create<Review>(reviewResource, review)).status?.allowed === true;
}
