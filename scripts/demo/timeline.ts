// What happened between `kubectl apply` and Ready, from the operator's log and the provider's journal. Pure.
import type { JournalLine } from '../../test/stack/emulator.ts';
import type { LogLine } from '../../test/stack/operator.ts';

export interface Moment {
  readonly at: number;
  readonly who: 'lakebranch' | 'Lakebase';
  readonly what: string;
}

const words: Readonly<Record<string, string>> = {
  claim: 'sets its finalizer',
  createBranch: 'asks for the branch',
  record: 'notes which branch it is',
  resize: 'sets the size of the endpoint',
  createRole: 'asks for the login’s role',
  extendRole: 'asks for the role’s membership',
  login: 'logs in once',
  issue: 'writes the Secret',
  'branch.create': 'begins to fork',
  'branch.ready': 'has forked',
  'role.create': 'makes the role',
  'credential.mint': 'issues a token',
  'endpoint.update': 'changes the endpoint',
};

export const seconds = (ms: number): string => `${(ms / 1000).toFixed(2)} s`;

/** How long the provider took for the newest branch, in milliseconds. */
export function forkOf(journal: readonly JournalLine[]): number {
  const created = journal.findLast(({ what }) => what === 'branch.create');
  const ready = journal.findLast(({ what, name }) => what === 'branch.ready' && name === created?.name);
  return Date.parse(ready?.at ?? '') - Date.parse(created?.at ?? '');
}

/** Everything since `from` (milliseconds since the epoch) that has words, oldest first. */
export function timelineOf(log: readonly LogLine[], journal: readonly JournalLine[], from: number): Moment[] {
  const ours = log
    .filter(({ msg }) => msg === 'step')
    .map((line) => ({ at: Date.parse(line.time), who: 'lakebranch' as const, what: String(line['plan']) }));
  const theirs = journal.map(({ at, what }) => ({ at: Date.parse(at), who: 'Lakebase' as const, what }));
  return [...ours, ...theirs]
    .filter(({ at, what }) => at >= from && what in words)
    .sort((a, b) => a.at - b.at)
    .map((moment) => ({ ...moment, what: words[moment.what] ?? moment.what }));
}

/** Lines of a table with one column for each side; counts from the first moment. */
export function timelineTable(moments: readonly Moment[]): string[] {
  const column = 34;
  const header = `${'after'.padEnd(10)}${'lakebranch'.padEnd(column)}Lakebase`;
  const lines = moments.map(({ at, who, what }) => {
    const after = seconds(at - (moments[0]?.at ?? at)).padEnd(10);
    return who === 'lakebranch' ? `${after}${what}` : `${after}${''.padEnd(column)}${what}`;
  });
  return [header, ...lines];
}
