// rotate: a fresh token into the Secret, now.
import { conditionOf, endedReason, isObserved, nameOf, pausedOf } from '../branch.ts';
import { getBranch } from '../cluster.ts';
import { CommandError, ExitCode, type Command } from '../command.ts';
import { editBranch, warnOfGitOps } from '../edit.ts';
import { output, waits } from '../parse.ts';
import { ConditionType } from '../../api/v1alpha1/conditions.ts';
import type { DatabaseBranch } from '../../api/v1alpha1/database-branch.ts';
import { printJson } from '../terminal.ts';
import { formatWhen, instantFrom } from '../times.ts';
import { waitUntil, type Look } from '../wait.ts';

const defaultTimeout = '2m';

export const rotate: Command = {
  name: 'rotate',
  usage: 'NAME',
  summary: 'Put a fresh token into the Secret now.',
  description: [
    'Sets spec.credentials.rotateToken. Pods that mount the Secret see the fresh token within about a minute and a half.',
    'The old token stays valid until it expires, within the hour: the provider cannot revoke one. If it has leaked and that is too long, "reset --strategy Replace" puts another branch in the place of the one that it opens; mind that the login of a class may open its other branches too.',
  ],
  examples: [['rotate database', 'after a token was seen by somebody']],
  flags: [...waits('the fresh token is in the Secret', defaultTimeout), output],
  args: [1, 1],
  completes: 'branches',
  json: '`{"kind": "Rotation", "namespace", "name", "secretName", "revision", "expireTime"}`; the last two only after waiting.',
  async run(context) {
    const { invocation, terminal, cluster: open } = context;
    const cluster = await open();
    const name = invocation.args[0] ?? '';
    const edited = await editBranch(cluster, name, (object) => {
      refuseWithoutLogin(object);
      return { spec: { credentials: { rotateToken: terminal.clock.now().toISOString() } } };
    });
    warnOfGitOps(terminal, edited, 'spec.credentials.rotateToken');
    const before = edited.status?.credentials?.revision ?? 0;
    const later = `kubectl lakebranch -n ${cluster.namespace} why ${name}`;
    const waiting = { what: 'the fresh token', defaultTimeout, later };
    const credentials = invocation.isNotOff('wait')
      ? await waitUntil(context, waiting, async () => freshCredentials(await getBranch(cluster, name), edited, before))
      : undefined;
    const { secretName, revision, expireTime } = credentials ?? { secretName: edited.status?.credentials?.secretName };
    if (invocation.json)
      printJson(terminal, { kind: 'Rotation', namespace: cluster.namespace, name, secretName, revision, expireTime });
    else if (credentials)
      terminal.out(
        `Secret ${cluster.namespace}/${secretName} holds a fresh token, good until ${formatWhen(instantFrom(expireTime) ?? new Date(0), terminal.clock.now())}`,
      );
    else terminal.out(`${cluster.namespace}/${name}: a fresh token was asked for`);
    return ExitCode.done;
  },
};

function refuseWithoutLogin(object: DatabaseBranch): void {
  const { name, namespace } = object.metadata;
  const ended = endedReason(object);
  if (ended !== undefined) throw new CommandError(`${nameOf(object)} has ended (${ended}): it has no login any more`);
  if (object.metadata.deletionTimestamp !== undefined)
    throw new CommandError(`${nameOf(object)} is being deleted: it gets no other token`);
  if (pausedOf(object) === 'all')
    throw new CommandError(
      `${nameOf(object)} is parked, so its token is not renewed. First: kubectl lakebranch -n ${namespace} unpark ${name}`,
    );
  if (object.status?.credentials === undefined)
    throw new CommandError(
      `${nameOf(object)} has no login yet that could be rotated. Why: kubectl lakebranch -n ${namespace} why ${name}`,
    );
}

type Credentials = NonNullable<NonNullable<DatabaseBranch['status']>['credentials']>;

function freshCredentials(object: DatabaseBranch, edited: DatabaseBranch, before: number): Look<Credentials> {
  const credentials = object.status?.credentials;
  const observed = isObserved(object, edited);
  if (observed && credentials && credentials.revision > before) return { done: credentials };
  const trouble = conditionOf(object, ConditionType.Reconciling) ?? conditionOf(object, ConditionType.Stalled);
  return { state: trouble ? `${trouble.reason}: ${trouble.message}` : 'waiting for the operator to ask for a token' };
}
