// park, unpark: hold still while the operator is away, and go on.
import { annotationKey } from '../../api/names.ts';
import type { DatabaseBranch } from '../../api/v1alpha1/database-branch.ts';
import { nameOf } from '../branch.ts';
import { getBranch, listBranches, type Cluster } from '../cluster.ts';
import { CommandError, ExitCode, UsageError, type Command, type Context, type Flag } from '../command.ts';
import { decidePark, decideUnpark, parkStanding, unparkStanding, type Standing } from '../decide-park.ts';
import { editBranch, warnOfGitOps, type Patch } from '../edit.ts';
import { allNamespaces, output, waits } from '../parse.ts';
import { printJson } from '../terminal.ts';
import { waitUntil, type Look } from '../wait.ts';

const all: Flag = { name: 'all', help: 'All of the namespace.' };

const json = (kind: string): string =>
  `\`{"kind": "${kind}", "items": [{"namespace", "name", "changed", "note"}]}\`; \`note\` only after waiting.`;

const defaultTimeout = '10m';

export const park: Command = {
  name: 'park',
  usage: '(NAME... | --all | -A)',
  summary: 'Hold everything still, so that the operator can be away for days.',
  description: [
    'Sets the annotation lakebranch.dev/paused: all. The provider is told the whole life of each branch; then nothing but deletion is done for it: its token runs out within the hour, and open sessions live on.',
    'When the command ends with 0, every branch is kept by the provider for the time that it names, and the operator can be stopped. For less than three days this is not needed.',
  ],
  examples: [
    ['park -A', 'before a long maintenance of the cluster'],
    ['park database -n qa', 'one'],
  ],
  flags: [all, allNamespaces, ...waits('the provider knows the whole life of each branch', defaultTimeout), output],
  args: [0, 100],
  completes: 'branches',
  json: json('Parking'),
  run: (context) => change(context, { kind: 'Parking', decide: decidePark, standing: parkStanding }),
};

export const unpark: Command = {
  name: 'unpark',
  usage: '(NAME... | --all | -A)',
  summary: 'Go on with what was parked.',
  description: [
    'Takes the annotation away again; an object that was paused in another way before it was parked is paused in that way again. Waits until each is ready, or says why it is not.',
  ],
  examples: [['unpark -A', 'when the operator is back']],
  flags: [all, allNamespaces, ...waits('each is ready or needs a person', defaultTimeout), output],
  args: [0, 100],
  completes: 'branches',
  json: json('Unparking'),
  run: (context) => change(context, { kind: 'Unparking', decide: decideUnpark, standing: unparkStanding }),
};

interface Item {
  readonly namespace: string;
  readonly name: string;
  readonly changed: boolean;
  readonly note?: string;
}

interface Change {
  readonly kind: 'Parking' | 'Unparking';
  readonly decide: (object: DatabaseBranch) => Patch | undefined;
  readonly standing: (object: DatabaseBranch, now: Date) => Standing;
}

async function change(context: Context, { kind, decide, standing }: Change): Promise<number> {
  const { invocation, terminal, cluster: open } = context;
  const cluster = await open();
  const items: Item[] = [];
  for (const { metadata } of await choose(context, cluster)) {
    terminal.signal.throwIfAborted();
    const there = { ...cluster, namespace: metadata.namespace ?? cluster.namespace };
    const changed = await changeOne(context, there, metadata.name, decide);
    if (changed === undefined) continue;
    items.push({ namespace: there.namespace, name: metadata.name, changed });
    terminal.note(`${there.namespace}/${metadata.name}: ${changed ? kind.toLowerCase() : 'nothing to change'}`);
  }
  const told = invocation.isNotOff('wait') ? await untilSettled(context, cluster, { kind, items, standing }) : items;
  if (invocation.json) printJson(terminal, { kind, items: told });
  else if (told.length === 0) terminal.note('There is none.');
  else for (const { namespace, name, note = 'asked for' } of told) terminal.out(`${namespace}/${name}: ${note}`);
  return ExitCode.done;
}

/** Whether anything was changed. Undefined: it goes while all are taken in turn, which keeps no other from its turn. */
async function changeOne(
  { invocation, terminal }: Context,
  cluster: Cluster,
  name: string,
  decide: Change['decide'],
): Promise<boolean | undefined> {
  let changed = false;
  try {
    const edited = await editBranch(cluster, name, (object) => {
      const patch = decide(object);
      changed = patch !== undefined;
      return patch;
    });
    if (changed) warnOfGitOps(terminal, edited, `annotation ${annotationKey.paused}`);
    return changed;
  } catch (error) {
    if (invocation.args.length > 0 || !(error instanceof CommandError)) throw error;
    terminal.note(`${cluster.namespace}/${name}: left out, because ${error.message}`);
    return undefined;
  }
}

async function choose({ invocation }: Context, cluster: Cluster): Promise<DatabaseBranch[]> {
  const everything = invocation.isOn('all') || invocation.isOn('all-namespaces');
  if (everything === invocation.args.length > 0)
    throw new UsageError(
      everything ? 'give names, or --all or -A, not both' : 'say which: NAME..., --all of the namespace, or -A',
    );
  if (!everything) return Promise.all(invocation.args.map((name) => getBranch(cluster, name)));
  const found = await listBranches(cluster, cluster.scope);
  return found.filter(({ metadata }) => metadata.deletionTimestamp === undefined);
}

interface Settling {
  readonly kind: string;
  readonly items: readonly Item[];
  readonly standing: (object: DatabaseBranch, now: Date) => Standing;
}

function untilSettled(context: Context, cluster: Cluster, { kind, items, standing }: Settling): Promise<Item[]> {
  const notes = new Map<string, string>();
  const later = 'kubectl get dbb -A -o wide';
  const waiting = { what: `${kind.toLowerCase()} of ${items.length}`, defaultTimeout, later };
  return waitUntil(context, waiting, async (): Promise<Look<Item[]>> => {
    const open = items.filter((item) => !notes.has(nameOf({ metadata: item })));
    const states: string[] = [];
    for (const item of open) {
      const seen = await standingOf(cluster, item, (object) => standing(object, context.terminal.clock.now()));
      if (seen.is === 'settled') notes.set(nameOf({ metadata: item }), seen.note);
      else states.push(`${item.namespace}/${item.name}: ${seen.state}`);
    }
    if (states.length === 0)
      return { done: items.map((item) => ({ ...item, note: notes.get(nameOf({ metadata: item })) ?? '' })) };
    const others = states.length === 1 ? '' : ` (and ${states.length - 1} more)`;
    return { state: `${states[0]}${others}` };
  });
}

async function standingOf(
  cluster: Cluster,
  { namespace, name }: Item,
  judge: (object: DatabaseBranch) => Standing,
): Promise<Standing> {
  try {
    return judge(await getBranch({ ...cluster, namespace }, name));
  } catch (error) {
    if (error instanceof CommandError) return { is: 'settled', note: 'is gone' };
    throw error;
  }
}
