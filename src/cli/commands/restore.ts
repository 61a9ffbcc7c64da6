// restore: the past of a branch, as a new DatabaseBranch.
import { pointInTimeRestoreResource } from '../../api/names.ts';
import { ConditionType } from '../../api/v1alpha1/conditions.ts';
import type { PointInTimeRestore } from '../../api/v1alpha1/point-in-time-restore.ts';
import type { KubeObject } from '../../kit/kube.ts';
import { conditionOf, nameOf } from '../branch.ts';
import { getBranch, getRestore, tryGet, type Cluster } from '../cluster.ts';
import { CommandError, ExitCode, type Command, type Context } from '../command.ts';
import { output, waits } from '../parse.ts';
import { planRestore } from '../plan-restore.ts';
import { reportRestore } from '../report-restore.ts';
import { printJson } from '../terminal.ts';
import { waitUntil, type Look } from '../wait.ts';

const defaultTimeout = '10m';

export const restore: Command = {
  name: 'restore',
  usage: 'SOURCE (--time TIME | --ago DURATION | --lsn LSN)',
  summary: 'Bring back what a branch held at an instant of the past, as a new DatabaseBranch.',
  description: [
    'SOURCE is a branch of the project, like production, or dbb/NAME for a DatabaseBranch of the namespace, which must have said children: Allow. It is not touched.',
    'Makes a PointInTimeRestore, waits for it, and says how to use what it brought. The DatabaseBranch lives on by its own expiry.',
  ],
  examples: [
    ['restore production --ago 15m -n incident', 'as it was a quarter of an hour ago'],
    ['restore production --time 2026-11-25T22:55:30Z --ttl 24h -n incident', 'at an instant, for a day'],
    ['restore dbb/database --lsn 0/1A2B3C4D', 'a branch of our own, at a position of its log'],
  ],
  flags: [
    { name: 'time', value: 'TIME', help: 'The instant, with its zone, like 2026-09-21T22:56:02Z.' },
    { name: 'ago', value: 'DURATION', help: 'How long ago, like 15m.' },
    { name: 'lsn', value: 'LSN', help: 'A position of the write-ahead log.' },
    { name: 'class', value: 'NAME', help: 'The BranchClass whose project holds SOURCE; without it, default.' },
    {
      name: 'name',
      value: 'NAME',
      help: 'Name of the restore and of its DatabaseBranch; without it, restore- and the time.',
    },
    { name: 'ttl', value: 'DURATION', help: 'How long the restored branch lives; without it, as the class says.' },
    { name: 'max-skew', value: 'DURATION', help: 'How far before the instant the data may lie; without it 60s.' },
    ...waits('it is there, or is known to fail', defaultTimeout),
    output,
  ],
  args: [1, 1],
  completes: 'sources',
  json: '`{"kind": "Restore", "namespace", "name", "branch", "requestedTime", "actualTime", "skewSeconds", "actualLSN", "expireTime", "secretName"}`; only the first three with --no-wait.',
  async run(context) {
    const { invocation, terminal, cluster: open } = context;
    const { text, args } = invocation;
    const plan = planRestore(
      {
        source: args[0] ?? '',
        time: text('time'),
        ago: text('ago'),
        lsn: text('lsn'),
        className: text('class'),
        name: text('name'),
        ttl: text('ttl'),
        maxSkew: text('max-skew'),
      },
      terminal.clock.now(),
    );
    const cluster = await open();
    const object = { metadata: { namespace: cluster.namespace, name: plan.name }, spec: plan.spec };
    const made = (await cluster.kube.create<KubeObject>(pointInTimeRestoreResource, object)) as PointInTimeRestore;
    terminal.note(`PointInTimeRestore ${nameOf(made)} asks for ${plan.asked}.`);
    if (!invocation.isNotOff('wait')) {
      if (invocation.json) printJson(terminal, { kind: 'Restore', namespace: cluster.namespace, name: plan.name });
      else
        terminal.out(
          `PointInTimeRestore ${nameOf(made)} was made. How it goes: kubectl lakebranch -n ${cluster.namespace} why pitr/${plan.name}`,
        );
      return ExitCode.done;
    }
    const over = await untilOver(context, cluster, plan.name);
    const branch = await tryGet(getBranch(cluster, over.status?.branchRef?.name ?? plan.name));
    const report = reportRestore(over, branch, terminal.clock.now());
    if (invocation.json) printJson(terminal, report.json);
    else terminal.out(report.text);
    return ExitCode.done;
  },
};

function untilOver(context: Context, cluster: Cluster, name: string): Promise<PointInTimeRestore> {
  const later = `kubectl lakebranch -n ${cluster.namespace} why pitr/${name}`;
  const waiting = { what: `PointInTimeRestore ${name}`, defaultTimeout, later };
  return waitUntil(context, waiting, async (): Promise<Look<PointInTimeRestore>> => {
    const object = await getRestore(cluster, name);
    const succeeded = conditionOf(object, ConditionType.Succeeded);
    const ready = conditionOf(object, ConditionType.Ready) ?? succeeded;
    const stalled = conditionOf(object, ConditionType.Stalled);
    if (succeeded?.status === 'True') return { done: object };
    if (succeeded?.status === 'False' || stalled?.status === 'True') {
      const why = stalled ?? succeeded;
      throw new CommandError(
        `the restore did not succeed: ${why?.reason}, ${why?.message}. More: ${later}. The source was not touched`,
      );
    }
    return { state: ready ? `${ready.reason}: ${ready.message}` : 'waiting for the operator to look at it' };
  });
}
