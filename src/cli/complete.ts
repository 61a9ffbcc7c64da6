// Completion: what could stand in the place of the last word. Speaks the protocol of kubectl's plugins and of the shells'
// scripts: one candidate a line, with a tab before its description, then a directive.
import { branchClassResource, namespaceResource, pointInTimeRestoreResource } from '../api/names.ts';
import type { BranchClass } from '../api/v1alpha1/branch-class.ts';
import { databaseBranchResource } from '../api/names.ts';
import { kubeconfigContexts } from '../kit/kubeconfig.ts';
import type { KubeObject, ResourceType } from '../kit/kube.ts';
import { defined } from './branch.ts';
import { listAll, openCluster, type Cluster } from './cluster.ts';
import { ExitCode, type Command, type Completes } from './command.ts';
import { commands } from './commands.ts';
import { placeOf, type Place } from './place.ts';
import type { Terminal } from './terminal.ts';

/** Of cobra, which kubectl is built with: no file names. */
const noFiles = ':4';

/** A shell waits: slower than this is worse than nothing. */
const patienceMs = 3_000;

/** The last of `words` is the one to complete. Never fails: whoever presses Tab wants no complaint. */
export async function complete(words: readonly string[], terminal: Terminal): Promise<number> {
  const place = placeOf(words, commands);
  const candidates = await candidatesFor(place, terminal).catch(() => []);
  for (const candidate of candidates) if (candidate.startsWith(place.word)) terminal.out(candidate);
  terminal.out(noFiles);
  return ExitCode.done;
}

async function candidatesFor(place: Place, terminal: Terminal): Promise<string[]> {
  switch (place.is) {
    case 'command':
      return commands.map(({ name, summary }) => `${name}\t${summary}`);
    case 'flag':
      return place.flags.map(({ name, help }) => `--${name}\t${help}`);
    case 'value':
      return place.flag.choices ? [...place.flag.choices] : valuesOf(place, terminal);
    case 'argument':
      return argumentsOf(place, place.command, terminal);
    case 'nothing':
      return [];
  }
}

const valuesOf = (place: Extract<Place, { is: 'value' }>, terminal: Terminal): Promise<string[]> => {
  switch (place.flag.name) {
    case 'context':
      return kubeconfigContexts({ ...terminal.env, ...defined({ KUBECONFIG: place.text('kubeconfig') }) });
    case 'namespace':
    case 'operator-namespace':
      return withCluster(place, terminal, (cluster) => names(cluster, namespaceResource, undefined));
    case 'class':
      return withCluster(place, terminal, (cluster) => names(cluster, branchClassResource, undefined));
    default:
      return Promise.resolve([]);
  }
};

async function argumentsOf(place: Place, { completes, name }: Command, terminal: Terminal): Promise<string[]> {
  const fixed: Partial<Record<Completes, string[]>> = {
    shells: ['bash', 'zsh', 'fish'],
    commands: commands.map((command) => command.name).filter((one) => one !== name),
    nothing: [],
  };
  return fixed[completes] ?? withCluster(place, terminal, (cluster) => objects(cluster, completes));
}

async function objects(cluster: Cluster, completes: Completes): Promise<string[]> {
  const { namespace } = cluster;
  const branches = (): Promise<string[]> => names(cluster, databaseBranchResource, namespace);
  if (completes === 'branches') return branches();
  const [ours, restores, classes] = await Promise.all([
    branches(),
    completes === 'explainable' ? names(cluster, pointInTimeRestoreResource, namespace) : [],
    listAll<BranchClass & KubeObject>(cluster, branchClassResource).catch(() => []),
  ]);
  if (completes === 'sources')
    return [
      ...new Set(classes.flatMap(({ spec }) => spec.sources.allow.filter((source) => !source.includes('*')))),
      ...ours.map((name) => `dbb/${name}`),
    ];
  return [
    ...ours,
    ...ours.map((name) => `dbb/${name}`),
    ...restores.map((name) => `pitr/${name}`),
    ...classes.map(({ metadata }) => `bclass/${metadata.name}`),
  ];
}

async function names(cluster: Cluster, type: ResourceType, namespace: string | undefined): Promise<string[]> {
  const found = await listAll<KubeObject>(cluster, type, { namespace, signal: AbortSignal.timeout(patienceMs) });
  return found.map(({ metadata }) => metadata.name);
}

async function withCluster(
  { text }: Place,
  terminal: Terminal,
  ask: (cluster: Cluster) => Promise<string[]>,
): Promise<string[]> {
  const none = { args: [], rest: [], isOn: () => false, isNotOff: () => true, json: false };
  const cluster = await openCluster({ ...none, text }, terminal);
  try {
    return await ask(cluster);
  } finally {
    await cluster.kube.close();
  }
}
