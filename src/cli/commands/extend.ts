// extend: more life for a branch.
import { conditionOf, endOf, isObserved, isTrue } from '../branch.ts';
import { getBranch } from '../cluster.ts';
import { CommandError, ExitCode, UsageError, type Command, type Context } from '../command.ts';
import { decideExtension, type ExpirationPatch } from '../decide-end.ts';
import { editBranch, warnOfGitOps } from '../edit.ts';
import { classOf, endFlags, endWish, neverFlag } from '../fields.ts';
import { output, waits } from '../parse.ts';
import { ConditionType } from '../../api/v1alpha1/conditions.ts';
import type { DatabaseBranch } from '../../api/v1alpha1/database-branch.ts';
import { printJson } from '../terminal.ts';
import { formatWhen } from '../times.ts';
import { waitUntil, type Look } from '../wait.ts';
import type { Cluster } from '../cluster.ts';

const defaultTimeout = '1m';

export const extend: Command = {
  name: 'extend',
  usage: 'NAME (--by DURATION | --for DURATION | --until TIME | --never)',
  summary: 'Let a branch live longer.',
  description: [
    'Moves spec.expiration. An end beyond the maximum of the class (spec.expiration.max, counted from the creation of the object), in the past, or before the present one is refused before anything is written.',
    'A branch that has ended is gone with its data; "reset" makes a new one.',
  ],
  examples: [
    ['extend database --by 24h', 'a day more than planned'],
    ['extend database --until 2026-12-01T18:00:00Z', 'until then'],
  ],
  flags: [...endFlags, neverFlag, ...waits('the operator has taken it up', defaultTimeout), output],
  args: [1, 1],
  completes: 'branches',
  json: '`{"kind": "Extension", "namespace", "name", "expireTime"}`; `expireTime` is null for never.',
  async run(context) {
    const { invocation, terminal, cluster: open } = context;
    const wish = endWish(invocation);
    if (!wish) throw new UsageError('say how long: --by 24h, --for 24h, --until TIME or --never');
    const cluster = await open();
    const name = invocation.args[0] ?? '';
    const bclass = await classOf(cluster, terminal, await getBranch(cluster, name));
    let patch: ExpirationPatch | undefined;
    let before: Date | undefined;
    const edited = await editBranch(cluster, name, (object) => {
      before = endOf(object, bclass);
      patch = decideExtension({ object, bclass, wish, now: terminal.clock.now() });
      return { spec: { expiration: patch } };
    });
    warnOfGitOps(terminal, edited, 'spec.expiration');
    const end = patch?.at ? new Date(patch.at) : undefined;
    if (invocation.isNotOff('wait')) await untilTaken(context, cluster, edited, end);
    if (invocation.json)
      printJson(terminal, {
        kind: 'Extension',
        namespace: cluster.namespace,
        name,
        expireTime: end?.toISOString() ?? null,
      });
    else {
      const was = before && end ? `; it was ${formatWhen(before, terminal.clock.now())}` : '';
      terminal.out(
        `${cluster.namespace}/${name} ${end ? `lives until ${formatWhen(end, terminal.clock.now())}${was}` : 'lives as long as its object'}`,
      );
    }
    return ExitCode.done;
  },
};

function untilTaken(
  context: Context,
  cluster: Cluster,
  edited: DatabaseBranch,
  end: Date | undefined,
): Promise<DatabaseBranch> {
  const { name } = edited.metadata;
  const later = `kubectl lakebranch -n ${cluster.namespace} why ${name}`;
  const waiting = { what: 'the operator to take it up', defaultTimeout, later };
  return waitUntil(context, waiting, async (): Promise<Look<DatabaseBranch>> => {
    const object = await getBranch(cluster, name);
    const seen = object.status?.expiration?.expireTime;
    if (isObserved(object, edited)) {
      const stalled = conditionOf(object, ConditionType.Stalled);
      if (
        isTrue(object, ConditionType.Stalled) &&
        stalled?.reason.match(/^(ExpirationExceedsMaximum|NeverExpireNotAllowed)$/)
      )
        throw new CommandError(`the operator refuses it: ${stalled.message}`);
      if ((seen && new Date(seen).getTime()) === end?.getTime()) return { done: object };
    }
    return { state: 'waiting for the operator to take up the new expiry' };
  });
}
