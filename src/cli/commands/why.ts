// why: the conditions of an object as an explanation, with the next action.
import { ConditionType } from '../../api/v1alpha1/conditions.ts';
import type { KubeObject, ResourceType } from '../../kit/kube.ts';
import { isTrue } from '../branch.ts';
import { getBranch, getClass, getRestore, listBranches, tryGet, type Cluster } from '../cluster.ts';
import { ExitCode, UsageError, type Command, type Context } from '../command.ts';
import { explain, leadsOf, type Explanation, type Lead } from '../explain.ts';
import { operatorNamespaceOf, seeOperator } from '../operator.ts';
import { operatorNamespace, output } from '../parse.ts';
import { reportExplanation, type EventLine } from '../report-why.ts';
import { printJson } from '../terminal.ts';

export const why: Command = {
  name: 'why',
  usage: '[NAME | dbb/NAME | pitr/NAME | bclass/NAME]...',
  summary: 'Explain the state of an object: what is, what it means, what to do next.',
  description: [
    'Takes the conditions apart, gives the meaning and the remedy of each reason, and goes on to the object that holds this one up: its class, the DatabaseBranch that it forks, the branch of a restore, or the operator itself.',
    'A bare NAME is a DatabaseBranch. Without a name: all of the namespace that are not ready.',
  ],
  examples: [
    ['why database', 'a DatabaseBranch'],
    ['why pitr/undo', 'a restore'],
    ['why bclass/default', 'a class'],
  ],
  flags: [operatorNamespace, output],
  args: [0, 100],
  completes: 'explainable',
  json: '`{"kind": "Explanations", "items": [...], "operator": ...}`. Each item has `kind`, `namespace`, `name`, `ready`, `reason`, `parts`, `remarks` and `steps`, each of these with `condition`, `status`, `reason`, `since`, `says`, `means`, `todo`, `needsPerson`. What an object waits for follows it. `operator` is there if it was asked about: `verdict` (`running`, `away`, `unknown`) and `message`.',
  async run(context) {
    const { invocation, terminal, cluster: open } = context;
    const cluster = await open();
    const chain = new Chain(context, cluster);
    const names = invocation.args.length > 0 ? invocation.args : await notReady(cluster);
    if (names.length === 0) terminal.note(`All DatabaseBranches of namespace ${cluster.namespace} are ready.`);
    for (const name of names) await chain.follow(name);
    if (invocation.json)
      printJson(terminal, {
        kind: 'Explanations',
        items: chain.items.map(({ explanation }) => explanation),
        operator: chain.operator,
      });
    else if (names.length > 0) terminal.out(chain.text());
    return ExitCode.done;
  },
};

const notReady = async (cluster: Cluster): Promise<string[]> =>
  (await listBranches(cluster, cluster.namespace))
    .filter((object) => !isTrue(object, ConditionType.Ready))
    .map(({ metadata }) => metadata.name);

/** Goes from object to object; each is told once. */
class Chain {
  readonly items: { readonly explanation: Explanation; readonly events: readonly EventLine[] }[] = [];
  operator: Awaited<ReturnType<typeof seeOperator>> | undefined;
  readonly #context: Context;
  readonly #cluster: Cluster;

  constructor(context: Context, cluster: Cluster) {
    this.#context = context;
    this.#cluster = cluster;
  }

  async follow(words: string): Promise<void> {
    const [, kind = 'dbb', name = ''] = /^(?:([^/]*)\/)?(.*)$/s.exec(words) ?? [];
    switch (kindOf(kind)) {
      case 'DatabaseBranch': {
        const object = await getBranch(this.#cluster, name);
        if (await this.#add('DatabaseBranch', object)) await this.#leads(leadsOf(object));
        return;
      }
      case 'PointInTimeRestore': {
        const object = await getRestore(this.#cluster, name);
        if (await this.#add('PointInTimeRestore', object)) await this.#leads(leadsOf(object));
        return;
      }
      case 'BranchClass':
        await this.#add('BranchClass', await getClass(this.#cluster, name));
    }
  }

  text(): string {
    const now = this.#context.terminal.clock.now();
    const told = this.items.map(({ explanation, events }) => reportExplanation(explanation, events, now));
    if (this.operator) told.push(`The operator: ${this.operator.message}.`);
    return told.join('\n\n');
  }

  async #leads(leads: readonly Lead[]): Promise<void> {
    for (const lead of leads) {
      if (lead.to === 'operator') await this.#askOperator();
      // What is missing or may not be read was told by the condition that led here.
      else await tryGet(this.follow(`${lead.to === 'class' ? 'bclass' : 'dbb'}/${lead.name}`));
    }
  }

  async #askOperator(): Promise<void> {
    const { invocation, terminal } = this.#context;
    this.operator ??= await seeOperator(this.#cluster, operatorNamespaceOf(invocation), terminal.clock.now());
  }

  /** False if it was told before. */
  async #add(kind: string, object: Parameters<typeof explain>[1]): Promise<boolean> {
    const { namespace, name } = object.metadata;
    const known = ({ explanation }: { explanation: Explanation }): boolean =>
      explanation.kind === kind && explanation.name === name && explanation.namespace === namespace;
    if (this.items.some(known)) return false;
    this.items.push({ explanation: explain(kind, object), events: await this.#eventsOf(object) });
    return true;
  }

  async #eventsOf({ metadata }: KubeObject): Promise<EventLine[]> {
    const options = {
      // Those about objects without a namespace are kept in "default".
      namespace: metadata.namespace ?? 'default',
      fieldSelector: `involvedObject.uid=${metadata.uid}`,
    };
    const found = await tryGet(this.#cluster.kube.list<CoreEvent>(coreEvents, options));
    return (found?.items ?? [])
      .map(eventLine)
      .sort((a, b) => (a.time < b.time ? 1 : -1))
      .slice(0, 5);
  }
}

const coreEvents: ResourceType = { group: '', version: 'v1', plural: 'events', kind: 'Event', namespaced: true };

interface CoreEvent extends KubeObject {
  type?: string;
  reason?: string;
  message?: string;
  lastTimestamp?: string | null;
  eventTime?: string | null;
  count?: number;
  series?: { count?: number; lastObservedTime?: string };
}

const eventLine = ({ type = '', reason = '', message = '', series, count, ...times }: CoreEvent): EventLine => ({
  type,
  reason,
  message,
  time: series?.lastObservedTime ?? times.lastTimestamp ?? times.eventTime ?? times.metadata.creationTimestamp ?? '',
  count: series?.count ?? count ?? 1,
});

type Kind = 'DatabaseBranch' | 'PointInTimeRestore' | 'BranchClass';

const kinds: Readonly<Record<string, Kind>> = {
  dbb: 'DatabaseBranch',
  databasebranch: 'DatabaseBranch',
  databasebranches: 'DatabaseBranch',
  pitr: 'PointInTimeRestore',
  restore: 'PointInTimeRestore',
  pointintimerestore: 'PointInTimeRestore',
  pointintimerestores: 'PointInTimeRestore',
  bclass: 'BranchClass',
  class: 'BranchClass',
  branchclass: 'BranchClass',
  branchclasses: 'BranchClass',
};

function kindOf(word: string): Kind {
  const kind = kinds[word.toLowerCase().replace(/\.lakebranch\.dev$/, '')];
  if (!kind) throw new UsageError(`${word} is none of our kinds: write dbb/NAME, pitr/NAME or bclass/NAME`);
  return kind;
}
