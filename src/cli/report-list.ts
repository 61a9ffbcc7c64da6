// The text of `list`. Pure.
import type { BranchRow } from './branch.ts';
import { labelled, table } from './table.ts';
import { formatRelative, formatSpan, instantFrom } from './times.ts';

export function reportList(rows: readonly BranchRow[], now: Date, withNamespace: boolean): string {
  const header = ['NAME', 'READY', 'STATUS', 'SOURCE', 'EXPIRES', 'TOKEN', 'AGE'];
  const cells = rows.map((row) => [
    row.name,
    row.ready,
    statusOf(row),
    sourceOf(row),
    expiresOf(row, now),
    tokenOf(row, now),
    formatSpan(now.getTime() - new Date(row.createTime).getTime()),
  ]);
  const shown = withNamespace
    ? table(
        ['NAMESPACE', ...header],
        cells.map((line, index) => [rows[index]?.namespace ?? '', ...line]),
      )
    : table(header, cells);
  const troubled = rows.filter(({ ready }) => ready !== 'True');
  if (troubled.length === 0) return shown;
  const names = troubled.map((row) => (withNamespace ? `${row.namespace}/${row.name}` : row.name));
  const column = Math.max(...names.map((name) => name.length)) + 2;
  const told = troubled.map((row, index) =>
    labelled(names[index] ?? '', row.message === '' ? row.reason : row.message, { column, width: 110 }),
  );
  return [shown, '', ...told].join('\n');
}

function statusOf(row: BranchRow): string {
  const place = row.queuePosition === undefined ? '' : ` (place ${row.queuePosition})`;
  const also = [
    ...(row.resetting ? ['resetting'] : []),
    ...(row.paused === 'no' ? [] : [row.paused === 'all' ? 'parked' : 'paused']),
    ...(row.deleting && row.reason !== 'Deleting' ? ['deleting'] : []),
  ];
  return `${row.reason}${place}${also.length === 0 ? '' : `, ${also.join(', ')}`}`;
}

const sourceOf = ({ source = '-', sourceTime }: BranchRow): string =>
  sourceTime === undefined ? source : `${source}@${sourceTime}`;

function expiresOf({ expireTime, enforcedBy, branchId }: BranchRow, now: Date): string {
  const mark = enforcedBy === 'Operator' ? '*' : '';
  const instant = instantFrom(expireTime);
  if (instant) return `${formatRelative(instant, now)}${mark}`;
  return branchId === undefined ? '-' : `never${mark}`;
}

function tokenOf({ tokenExpireTime }: BranchRow, now: Date): string {
  const instant = instantFrom(tokenExpireTime);
  if (!instant) return '-';
  return instant > now ? `${formatSpan(instant.getTime() - now.getTime())} left` : 'expired';
}
