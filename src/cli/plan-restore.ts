// Which PointInTimeRestore the words of the command line ask for. Pure.
import type { PointInTimeRestoreSpec } from '../api/v1alpha1/point-in-time-restore.ts';
import { CommandError, UsageError } from './command.ts';
import { defined } from './branch.ts';
import { durationMs, formatDuration, formatInstant, instantOf } from './times.ts';

export interface RestoreWords {
  readonly source: string;
  readonly time: string | undefined;
  readonly ago: string | undefined;
  readonly lsn: string | undefined;
  readonly className: string | undefined;
  readonly name: string | undefined;
  readonly ttl: string | undefined;
  readonly maxSkew: string | undefined;
}

export interface RestorePlan {
  readonly name: string;
  readonly spec: Pick<PointInTimeRestoreSpec, 'source' | 'target' | 'branchTemplate'> & { readonly maxSkew?: string };
  /** For the person: what is asked for. */
  readonly asked: string;
}

/** Throws UsageError or CommandError. `now` only names the restore and judges the future. */
export function planRestore(words: RestoreWords, now: Date): RestorePlan {
  const { source, className, ttl, maxSkew } = words;
  const target = targetOf(words, now);
  const fromObject = /^(?:dbb|databasebranch(?:es)?)\/(.+)$/.exec(source)?.[1];
  if (fromObject !== undefined && className !== undefined)
    throw new UsageError('--class is for a branch of the project; a DatabaseBranch has its class already');
  const duration = (flag: string, text: string): string => formatDuration(durationMs(flag, text));
  return {
    name: words.name ?? `restore-${formatInstant(now).replaceAll(/[-:Z]/g, '').replace('T', '-')}`,
    spec: {
      source:
        fromObject === undefined ? defined({ branch: source, className }) : { databaseBranchRef: { name: fromObject } },
      target,
      ...(maxSkew === undefined ? {} : { maxSkew: duration('max-skew', maxSkew) }),
      ...(ttl === undefined ? {} : { branchTemplate: { spec: { expiration: { ttl: duration('ttl', ttl) } } } }),
    },
    asked: `${source} ${whenAsked(target)}`,
  };
}

function targetOf({ time, ago, lsn }: RestoreWords, now: Date): PointInTimeRestoreSpec['target'] {
  const given = [time, ago, lsn].filter((text) => text !== undefined).length;
  if (given !== 1)
    throw new UsageError(
      given === 0
        ? 'say how far to go back: --time TIME, --ago DURATION or --lsn LSN'
        : 'give only one of --time, --ago and --lsn',
    );
  if (lsn !== undefined) {
    if (!/^[0-9A-Fa-f]{1,8}\/[0-9A-Fa-f]{1,8}$/.test(lsn))
      throw new UsageError(`--lsn: write a position as Postgres shows it, like 0/1A2B3C4D, not ${JSON.stringify(lsn)}`);
    return { lsn };
  }
  if (ago !== undefined) return { ago: formatDuration(durationMs('ago', ago)) };
  const text = time ?? '';
  // A minute of grace: it is the clock of the operator that judges.
  if (instantOf('time', text).getTime() > now.getTime() + 60_000)
    throw new CommandError(`${text} has not come yet (it is ${formatInstant(now)}): check the zone, Z is UTC`);
  return { time: text };
}

const whenAsked = ({ time, ago, lsn }: PointInTimeRestoreSpec['target']): string =>
  time === undefined ? (lsn === undefined ? `of ${ago} ago` : `at position ${lsn}`) : `as it was at ${time}`;
