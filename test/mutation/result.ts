// What the run found, in words. Pure.
import type { Accepted } from './accepted.ts';
import type { Judged, Verdict } from './judge.ts';

/** One line for each file and one for all. The score is the share of mutants that a test noticed. */
export function tableOf(judged: readonly Judged[]): string {
  const files = [...new Set(judged.map(({ file }) => file))];
  const rows = files.map((file) =>
    rowOf(
      file,
      judged.filter((one) => one.file === file),
    ),
  );
  const header = ['file', 'mutants', 'killed', 'timeout', 'survived', 'score'];
  return alignColumns([header, ...rows, rowOf('all', judged)]);
}

function rowOf(name: string, judged: readonly Judged[]): readonly string[] {
  const count = (verdict: Verdict): number => judged.filter((one) => one.verdict === verdict).length;
  const noticed = count('killed') + count('timeout');
  const score = judged.length === 0 ? '' : `${((100 * noticed) / judged.length).toFixed(1)} %`;
  return [name, ...[judged.length, count('killed'), count('timeout'), count('survived')].map(String), score];
}

function alignColumns(rows: readonly (readonly string[])[]): string {
  const width = (column: number): number => Math.max(...rows.map((row) => row[column]?.length ?? 0));
  const cell = (text: string, column: number): string =>
    column === 0 ? text.padEnd(width(0)) : text.padStart(width(column));
  return rows.map((row) => row.map(cell).join('  ')).join('\n');
}

export interface Trouble {
  /** Survivors that nobody accepted. */
  readonly survivors: readonly Judged[];
  /** Accepted, and yet not among the survivors. */
  readonly stale: readonly Accepted[];
}

/** `existing` are all mutants of the chosen files, also those that another shard judges. */
export function troubleOf(
  existing: readonly { readonly file: string; readonly id: string }[],
  judged: readonly Judged[],
  accepted: readonly Accepted[],
): Trouble {
  const key = ({ file, id }: { readonly file: string; readonly id: string }): string => `${file} ${id}`;
  const survived = judged.filter(({ verdict }) => verdict === 'survived');
  const acceptedKeys = new Set(accepted.map(key));
  const noticedKeys = new Set(judged.filter(({ verdict }) => verdict !== 'survived').map(key));
  const files = new Set(existing.map(({ file }) => file));
  const keys = new Set(existing.map(key));
  return {
    survivors: survived.filter((one) => !acceptedKeys.has(key(one))),
    stale: accepted.filter((one) => files.has(one.file) && (noticedKeys.has(key(one)) || !keys.has(key(one)))),
  };
}

/** '' if there is none. */
export function troubleText({ survivors, stale }: Trouble, acceptedFile: string): string {
  const lines: string[] = [];
  if (survivors.length > 0)
    lines.push(
      `${survivors.length} changes that no test notices. Write a test, simplify the code, or say in ${acceptedFile} why nobody could see it:`,
      ...survivors.map(({ file, line, id }) => `  ${file}:${line}  ${id}`),
    );
  if (stale.length > 0)
    lines.push(
      `${stale.length} entries of ${acceptedFile} that are no survivors any more. Take them out:`,
      ...stale.map(({ file, id }) => `  ${file}  ${id}`),
    );
  return lines.join('\n');
}
