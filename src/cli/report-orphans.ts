// The text of `orphans`. Pure.
import type { Found } from './decide-orphans.ts';
import { table, wrap } from './table.ts';
import { formatRelative, formatSpan, instantFrom } from './times.ts';

export interface OrphansSeen {
  readonly found: readonly Found[];
  readonly projects: readonly {
    readonly host: string;
    readonly project: string;
    readonly branches: number;
    readonly as: string;
  }[];
  readonly notLooked: readonly { readonly className: string; readonly why: string }[];
  readonly clusterIDsFrom: string;
}

export function reportOrphans({ found, projects, notLooked, clusterIDsFrom }: OrphansSeen, now: Date): string {
  const orphans = found.filter(({ is }) => is === 'orphan');
  const unclear = found.filter(({ is }) => is === 'unclear');
  const lines = projects.map(
    ({ project, branches, as }) => `Looked at ${branches} branches of project ${project}, with ${as}.`,
  );
  for (const { className, why } of notLooked)
    lines.push(wrap(`Not looked: the project of class ${className}: ${why}.`, 110));
  if (projects.length > 0)
    lines.push(
      '',
      orphans.length === 0
        ? 'No branch of this cluster is without its object.'
        : `${orphans.length} without an object:`,
    );
  if (orphans.length > 0) {
    lines.push('', branchTable(orphans, now), '');
    lines.push(
      wrap(
        'Those with an end go by themselves; a retained branch (deletionPolicy: Retain) is meant to stay until then. One without an end stays until somebody deletes it at the provider: make sure first that no backup of this cluster is about to be restored.',
        110,
      ),
    );
  }
  if (unclear.length > 0) {
    lines.push('', `${unclear.length} that could not be told:`, '', branchTable(unclear, now), '');
    lines.push(
      wrap(
        `They look like ours and were made under another cluster id: by another cluster, or by this one before its id changed. Cluster ids known here: ${clusterIDsFrom}. Name further ones with --cluster-id.`,
        110,
      ),
    );
  }
  return lines.join('\n');
}

const branchTable = (found: readonly Found[], now: Date): string =>
  table(
    ['PROJECT', 'BRANCH', 'AGE', 'PROVIDER REMOVES IT'],
    found.map(({ project, branchId, createTime, expireTime }) => {
      const [made, end] = [instantFrom(createTime), instantFrom(expireTime)];
      const age = made ? formatSpan(now.getTime() - made.getTime()) : '-';
      return [project, branchId, age, end ? formatRelative(end, now) : 'never'];
    }),
  );
