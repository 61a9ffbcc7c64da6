// What the doctor says. Pure.
import { labelled } from './table.ts';

export type Verdict = 'ok' | 'warning' | 'wrong' | 'unknown';

export interface Check {
  readonly part: string;
  readonly name: string;
  readonly verdict: Verdict;
  readonly message: string;
}

const marks: Readonly<Record<Verdict, string>> = {
  ok: 'ok',
  warning: 'warning',
  wrong: 'WRONG',
  unknown: 'unknown',
};

const order: readonly Verdict[] = ['wrong', 'warning', 'unknown', 'ok'];

export const worstOf = (checks: readonly Check[]): Verdict =>
  order.find((verdict) => checks.some((check) => check.verdict === verdict)) ?? 'ok';

export function reportChecks(checks: readonly Check[]): string {
  const parts = [...new Set(checks.map(({ part }) => part))];
  const body = parts.flatMap((part) => [
    part,
    ...checks
      .filter((check) => check.part === part)
      .map(({ name, verdict, message }) =>
        labelled(`  ${marks[verdict]}`, `${name}: ${message}`, { column: 11, width: 110 }),
      ),
    '',
  ]);
  const count = (verdict: Verdict): number => checks.filter((check) => check.verdict === verdict).length;
  const [wrong, warnings, unknown] = [count('wrong'), count('warning'), count('unknown')];
  const summary =
    wrong + warnings + unknown === 0
      ? `All ${checks.length} checks are well.`
      : `${checks.length} checks: ${wrong} wrong, ${warnings} to look at, ${unknown} that could not be told.`;
  return [...body, summary].join('\n');
}
