// reset: a fresh branch under the same Secret.
import {
  conditionOf,
  createdAt,
  endedReason,
  endOf,
  isObserved,
  isTrue,
  nameOf,
  pausedOf,
  resetTokenOf,
} from '../branch.ts';
import { getBranch, type Cluster } from '../cluster.ts';
import { CommandError, ExitCode, type Command, type Context } from '../command.ts';
import { decideEnd } from '../decide-end.ts';
import { goOn } from '../decide-park.ts';
import { editBranch, warnOfGitOps, type Patch } from '../edit.ts';
import { classOf, endFlags, endWish } from '../fields.ts';
import { output, waits } from '../parse.ts';
import { ConditionType } from '../../api/v1alpha1/conditions.ts';
import type { BranchClass } from '../../api/v1alpha1/branch-class.ts';
import type { DatabaseBranch } from '../../api/v1alpha1/database-branch.ts';
import { printJson } from '../terminal.ts';
import { formatWhen } from '../times.ts';
import { waitUntil, type Look } from '../wait.ts';

const defaultTimeout = '10m';

export const reset: Command = {
  name: 'reset',
  usage: 'NAME',
  summary: 'Begin anew: a fresh branch of the source under the same Secret.',
  description: [
    'Sets a new spec.reset.token. What was written to the old branch is lost with it: with strategy Switch some minutes after the fresh one is served (spec.reset.drain), with Replace before that.',
    'Switch needs a free branch of the project for a while; Replace needs none, but there is no login until the fresh branch is ready. The strategy stays in the object.',
    'This is also the way back for an object that has expired or whose branch was deleted. One that has expired needs a later end in the same edit: --for 24h.',
  ],
  examples: [
    ['reset database', 'fresh data, no gap'],
    ['reset database --strategy Replace', 'when the project is full'],
    ['reset database --for 24h', 'after it has expired'],
  ],
  flags: [
    {
      name: 'strategy',
      value: 'STRATEGY',
      choices: ['Switch', 'Replace'],
      help: 'Switch or Replace; without it, what the object says.',
    },
    { name: 'token', value: 'TEXT', help: 'The new spec.reset.token; without it, the present time.' },
    ...endFlags,
    ...waits('the fresh branch is served', defaultTimeout),
    output,
  ],
  args: [1, 1],
  completes: 'branches',
  json: '`{"kind": "Reset", "namespace", "name", "token", "branchId", "host"}`; the last two only after waiting.',
  async run(context) {
    const { invocation, terminal, cluster: open } = context;
    const wish = endWish(invocation);
    const cluster = await open();
    const name = invocation.args[0] ?? '';
    const bclass = await classOf(cluster, terminal, await getBranch(cluster, name));
    const now = terminal.clock.now();
    const token = invocation.text('token') ?? now.toISOString();
    const edited = await editBranch(cluster, name, (object) => {
      refuse({ object, bclass, token, now, hasNewEnd: wish !== undefined });
      const strategy = invocation.text('strategy');
      const expiration = wish && { expiration: decideEnd({ object, bclass, wish, now }) };
      return { spec: { reset: { token, ...(strategy && { strategy }) }, ...expiration } } satisfies Patch;
    });
    warnOfGitOps(terminal, edited, 'spec.reset');
    terminal.note(whatHappens(edited));
    const fresh = invocation.isNotOff('wait') ? await untilServed(context, cluster, edited, token) : undefined;
    tell(context, edited, token, fresh);
    return ExitCode.done;
  },
};

function tell(
  { invocation, terminal }: Context,
  { metadata }: DatabaseBranch,
  token: string,
  fresh: DatabaseBranch | undefined,
): void {
  const { namespace, name } = metadata;
  const { branch, endpoint } = fresh?.status ?? {};
  if (invocation.json)
    printJson(terminal, { kind: 'Reset', namespace, name, token, branchId: branch?.id, host: endpoint?.host });
  else if (branch)
    terminal.out(`${namespace}/${name} is served by a fresh branch of ${branch.source?.branch}: ${branch.id}`);
  else terminal.out(`${namespace}/${name}: a fresh branch was asked for`);
}

interface Asked {
  readonly object: DatabaseBranch;
  readonly bclass: BranchClass | undefined;
  readonly token: string;
  readonly now: Date;
  readonly hasNewEnd: boolean;
}

function refuse({ object, bclass, token, now, hasNewEnd }: Asked): void {
  if (object.metadata.deletionTimestamp !== undefined)
    throw new CommandError(`${nameOf(object)} is being deleted; nothing new is made for it`);
  if (token === resetTokenOf(object) || token === object.status?.branch?.resetToken)
    throw new CommandError(
      `${nameOf(object)} has had the reset token ${JSON.stringify(token)}: give another --token, or none`,
    );
  if (pausedOf(object) !== 'no')
    throw new CommandError(
      `${nameOf(object)} is paused (annotation lakebranch.dev/paused), so no branch would be made. First: ${goOn(object)}`,
    );
  const end = endOf(object, bclass);
  const over = endedReason(object) === 'Expired' || (end !== undefined && end <= now);
  if (over && !hasNewEnd)
    throw new CommandError(
      `${nameOf(object)} has expired${end ? ` (${formatWhen(end, now)}; made ${formatWhen(createdAt(object), now)})` : ''}, and a fresh branch would end at once: say how long it should live, like --for 24h`,
    );
}

function whatHappens({ spec, status, metadata }: DatabaseBranch): string {
  if (status?.branch === undefined) return `A fresh branch is made for ${metadata.namespace}/${metadata.name}.`;
  return spec.reset?.strategy === 'Replace'
    ? `The present branch ${status.branch.id} is deleted first; until the fresh one is ready there is no login.`
    : `The present branch ${status.branch.id} is served until the fresh one is ready, and lives ${spec.reset?.drain ?? '5m'} longer. What is in it is then lost.`;
}

function untilServed(
  context: Context,
  cluster: Cluster,
  edited: DatabaseBranch,
  token: string,
): Promise<DatabaseBranch> {
  const { name } = edited.metadata;
  const later = `kubectl lakebranch -n ${cluster.namespace} why ${name}`;
  return waitUntil(
    context,
    { what: 'the fresh branch', defaultTimeout, later },
    async (): Promise<Look<DatabaseBranch>> => {
      const object = await getBranch(cluster, name);
      const observed = isObserved(object, edited);
      if (!observed) return { state: 'waiting for the operator to take it up' };
      if (object.status?.branch?.resetToken === token && isTrue(object, ConditionType.Ready)) return { done: object };
      const stalled = conditionOf(object, ConditionType.Stalled);
      if (stalled?.status === 'True')
        throw new CommandError(
          `it goes on only when somebody acts: ${stalled.reason}, ${stalled.message}. More: ${later}`,
        );
      const work = conditionOf(object, ConditionType.Reconciling) ?? conditionOf(object, ConditionType.Ready);
      return { state: work ? `${work.reason}: ${work.message}` : 'waiting' };
    },
  );
}
