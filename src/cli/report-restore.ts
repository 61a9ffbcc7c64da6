// What a restore brought, and how to use it. Pure.
import type { DatabaseBranch } from '../api/v1alpha1/database-branch.ts';
import type { PointInTimeRestore } from '../api/v1alpha1/point-in-time-restore.ts';
import { defined } from './branch.ts';
import { labelled } from './table.ts';
import { formatWhen, instantFrom } from './times.ts';

/** `branch` is undefined for people who may not read it. */
export function reportRestore(
  restore: PointInTimeRestore,
  branch: DatabaseBranch | undefined,
  now: Date,
): { readonly text: string; readonly json: object } {
  const { metadata, status = {} } = restore;
  const name = status.branchRef?.name ?? metadata.name;
  const { expiration, credentials } = branch?.status ?? {};
  const json = defined({
    kind: 'Restore',
    namespace: metadata.namespace,
    name: metadata.name,
    branch: name,
    requestedTime: status.requestedTime,
    actualTime: status.actualTime,
    skewSeconds: status.skewSeconds,
    actualLSN: status.actualLSN,
    expireTime: expiration?.expireTime,
    secretName: credentials?.secretName,
  });
  const end = instantFrom(expiration?.expireTime);
  const life = branch
    ? end
      ? `until ${formatWhen(end, now)}`
      : 'as long as its object'
    : 'not known: it may not be read';
  return { text: textOf(restore, name, life), json };
}

function textOf(
  { metadata: { namespace }, spec, status = {} }: PointInTimeRestore,
  name: string,
  life: string,
): string {
  const { requestedTime, actualTime, actualLSN, skewSeconds } = status;
  const source = spec.source.branch ?? `dbb/${spec.source.databaseBranchRef?.name}`;
  const use = `kubectl lakebranch -n ${namespace}`;
  return [
    `Restored: DatabaseBranch ${namespace}/${name} holds ${source} as it was.`,
    '',
    labelled('asked for', requestedTime ?? `position ${spec.target.lsn}`, { column: 12 }),
    labelled('holds', heldText(actualTime, actualLSN, skewSeconds), { column: 12 }),
    labelled('lives', life, { column: 12 }),
    '',
    'Look at it:',
    `  ${use} psql ${name}`,
    'The login for another program:',
    `  eval "$(${use} env ${name})"`,
    'It is needed for longer:',
    `  ${use} extend ${name} --by 24h`,
    'When done (the restore itself may stay as the record):',
    `  kubectl -n ${namespace} delete dbb ${name}`,
  ].join('\n');
}

function heldText(time: string | undefined, lsn: string | undefined, skewSeconds: number | undefined): string {
  const skew =
    skewSeconds === undefined
      ? ' (the provider repeats what it was asked for; not verified)'
      : skewSeconds === 0
        ? ' (exactly)'
        : ` (${skewSeconds} s before what was asked for)`;
  return [...(time === undefined ? [] : [`${time}${skew}`]), ...(lsn === undefined ? [] : [`position ${lsn}`])].join(
    ', ',
  );
}
