// The text of `why`. Pure.
import type { Explanation, Step } from './explain.ts';
import { labelled, table } from './table.ts';
import { formatSpan } from './times.ts';

export interface EventLine {
  readonly type: string;
  readonly reason: string;
  readonly message: string;
  readonly time: string;
  readonly count: number;
}

export function reportExplanation(
  { kind, namespace, name, ready, reason, steps, parts, remarks }: Explanation,
  events: readonly EventLine[],
  now: Date,
): string {
  const subject = `${kind} ${namespace === undefined ? '' : `${namespace}/`}${name}`;
  const verdict = ready === 'True' ? 'is ready' : ready === 'False' ? 'is not ready' : 'is not judged yet';
  return [
    `${subject} ${verdict}: ${reason}`,
    ...remarks.map((remark) => labelled('  note', remark)),
    ...(parts.length === 0 ? [] : ['', partTable(parts)]),
    ...steps.flatMap((step, index) => ['', ...stepLines(step, index === 0, now)]),
    ...(events.length === 0 ? [] : ['', '  Last events:', eventTable(events, now)]),
  ].join('\n');
}

const partTable = (parts: Explanation['parts']): string =>
  table(
    ['', 'PART', '', ''],
    parts.map(({ part, status, reason }) => ['', part, status === 'True' ? 'ok' : 'not ok', reason]),
  );

function stepLines(step: Step, isFirst: boolean, now: Date): string[] {
  const since = new Date(step.since);
  const age = since.getTime() <= 0 ? '' : ` (for ${formatSpan(now.getTime() - since.getTime())})`;
  const end = step.needsPerson
    ? 'It goes on only when somebody does this.'
    : step.status === 'True' && step.condition === 'Ready'
      ? ''
      : 'Nobody has to act for it to be tried again.';
  const lines = [
    `  ${isFirst ? '' : 'also: '}${step.condition}=${step.status} ${step.reason}${age}`,
    ...(step.says === '' ? [] : [labelled('    says', step.says, { column: 11 })]),
    ...(step.means === undefined ? [] : [labelled('    means', step.means, { column: 11 })]),
    ...(step.todo === undefined
      ? []
      : [labelled('    do', [step.todo, end].filter((text) => text !== '').join(' '), { column: 11 })]),
  ];
  return lines;
}

const eventTable = (events: readonly EventLine[], now: Date): string =>
  table(
    ['', '', '', '', ''],
    events.map(({ type, reason, message, time, count }) => [
      '  ',
      `${formatSpan(now.getTime() - new Date(time).getTime())} ago`,
      type,
      reason + (count > 1 ? ` (x${count})` : ''),
      message,
    ]),
  ).slice(1);
