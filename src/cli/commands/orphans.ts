// orphans: branches at the provider that no object stands for. Reports, and deletes nothing.
import { branchClassResource, namespaceResource } from '../../api/names.ts';
import type { BranchClass } from '../../api/v1alpha1/branch-class.ts';
import type { KubeObject } from '../../kit/kube.ts';
import { LakebaseError } from '../../lakebase/errors.ts';
import type { Branch } from '../../lakebase/model.ts';
import { getClass, listAll, listBranches, tryGet, type Cluster } from '../cluster.ts';
import { CommandError, ExitCode, type Command, type Context } from '../command.ts';
import { decideOrphans, type Found } from '../decide-orphans.ts';
import { listed, operatorNamespaceOf, operatorSettings } from '../operator.ts';
import { operatorNamespace, output } from '../parse.ts';
import { providerOf } from '../provider.ts';
import { reportOrphans, type OrphansSeen } from '../report-orphans.ts';
import { printJson } from '../terminal.ts';

export const orphans: Command = {
  name: 'orphans',
  usage: '',
  summary: 'Find branches at the provider that no object stands for. Deletes nothing.',
  description: [
    'Lists the branches of the project of each class and holds those with an id of our pattern against all DatabaseBranches of the cluster.',
    'It needs to list DatabaseBranches everywhere, and access to the provider: DATABRICKS_HOST with DATABRICKS_TOKEN or with DATABRICKS_CLIENT_ID and DATABRICKS_CLIENT_SECRET, or else the right to read the Secret that the class names. NODE_EXTRA_CA_CERTS names a private authority.',
    'A branch that was made under a cluster id that is not known counts as "could not tell". The ids are read from the Deployment of the operator, or are the uid of kube-system; --cluster-id adds others.',
    'Exits with 3 if there is an orphan.',
  ],
  examples: [
    ['orphans', 'of all classes'],
    ['orphans --cluster-id 5b8f…,old-cluster', 'after the cluster id has changed'],
  ],
  flags: [
    { name: 'class', value: 'NAME', help: 'Only the project of this class.' },
    { name: 'cluster-id', value: 'IDS', help: 'Further cluster ids of this cluster, separated by commas.' },
    operatorNamespace,
    output,
  ],
  args: [0, 0],
  completes: 'nothing',
  json: '`{"kind": "Orphans", "found": [...], "projects": [...], "notLooked": [...], "clusterIDsFrom"}`. Each of `found` has `is` (`orphan` or `unclear`), `host`, `project`, `branchId`, and where they are known `createTime`, `expireTime`.',
  async run(context) {
    const { invocation, terminal, cluster: open } = context;
    const cluster = await open();
    const { ids, from } = await clusterIDs(context, cluster);
    const seen = await lookAt(context, cluster, ids);
    const result: OrphansSeen = { ...seen, clusterIDsFrom: from };
    if (invocation.json) printJson(terminal, { kind: 'Orphans', ...result });
    else terminal.out(reportOrphans(result, terminal.clock.now()));
    if (seen.projects.length === 0)
      throw new CommandError('no project could be looked at; nothing is known about orphans');
    return seen.found.some(({ is }) => is === 'orphan') ? ExitCode.found : ExitCode.done;
  },
};

async function clusterIDs({ invocation }: Context, cluster: Cluster): Promise<{ ids: string[]; from: string }> {
  const given = listed(invocation.text('cluster-id'));
  const settings = await operatorSettings(cluster, operatorNamespaceOf(invocation));
  const kubeSystem = await tryGet(cluster.kube.get<KubeObject>(namespaceResource, { name: 'kube-system' }));
  const present = settings?.clusterID ?? kubeSystem?.metadata.uid;
  const ids = [...given, ...(present === undefined ? [] : [present]), ...(settings?.previousClusterIDs ?? [])];
  if (ids.length === 0)
    throw new CommandError(
      'the id of this cluster is not known: neither the operator’s Deployment nor the namespace kube-system may be read. Name it: --cluster-id',
    );
  const from = [
    ...(given.length > 0 ? ['--cluster-id'] : []),
    settings?.clusterID === undefined ? 'the uid of kube-system' : 'LAKEBRANCH_CLUSTER_ID of the Deployment',
    settings
      ? 'LAKEBRANCH_PREVIOUS_CLUSTER_IDS of the Deployment'
      : 'not the former ones, because no Deployment of the operator was found that you may read',
  ];
  return { ids, from: from.join(', ') };
}

async function lookAt(
  context: Context,
  cluster: Cluster,
  ids: readonly string[],
): Promise<Omit<OrphansSeen, 'clusterIDsFrom'>> {
  const name = context.invocation.text('class');
  const classes =
    name === undefined
      ? await listAll<BranchClass & KubeObject>(cluster, branchClassResource)
      : [await getClass(cluster, name)];
  const found: Found[] = [];
  const projects: OrphansSeen['projects'][number][] = [];
  const notLooked: OrphansSeen['notLooked'][number][] = [];
  for (const bclass of classes) {
    context.terminal.signal.throwIfAborted();
    const { host, project } = bclass.spec.provider;
    if (projects.some((known) => known.host === host && known.project === project)) continue;
    const seen = await orphansOf(context, cluster, bclass, ids);
    if ('why' in seen) notLooked.push({ className: bclass.metadata.name, why: seen.why });
    else {
      projects.push({ host, project, branches: seen.branches, as: seen.as });
      found.push(...seen.found);
    }
  }
  return { found, projects, notLooked };
}

type ProjectSeen =
  { readonly why: string } | { readonly found: Found[]; readonly branches: number; readonly as: string };

async function orphansOf(
  { invocation, terminal }: Context,
  cluster: Cluster,
  bclass: BranchClass,
  clusterIDsKnown: readonly string[],
): Promise<ProjectSeen> {
  const { host, project } = bclass.spec.provider;
  const operatorNs = operatorNamespaceOf(invocation);
  const provider = await providerOf({ cluster, terminal, bclass, operatorNamespace: operatorNs });
  try {
    if (!provider.usable) return { why: provider.why };
    const branches = await provider.client.listBranches(project, {}, terminal.signal);
    // After the branches: an object that is made meanwhile has its branch later.
    const uids = (await listBranches(cluster, undefined)).map(({ metadata }) => metadata.uid ?? '');
    const judge = (of: readonly Branch[]): Found[] =>
      decideOrphans({ host, project, branches: of, uids, clusterIDs: clusterIDsKnown });
    const first = judge(branches);
    if (first.length === 0) return { found: [], branches: branches.length, as: provider.as };
    // One whose object has just gone is on its way out as well: only what is still there counts.
    const still = new Set((await provider.client.listBranches(project, {}, terminal.signal)).map(({ uid }) => uid));
    return {
      found: judge(branches.filter(({ uid }) => still.has(uid))),
      branches: branches.length,
      as: provider.as,
    };
  } catch (error) {
    if (error instanceof LakebaseError) return { why: `${host} says: ${error.message} (${error.code})` };
    throw error;
  } finally {
    await provider.transport.close();
  }
}
