// What a guarded process has written, and the wait for a line of it.
import { readFile } from 'node:fs/promises';
import type { GuardedProcess } from '../control-plane/guardian.ts';
import { until } from './until.ts';

/** A process that should go on running has ended; the message begins with the last line of its log. */
export class ProcessEnded extends Error {
  override readonly name = 'ProcessEnded';
}

const shownLines = 10;

/** '' before the first line. */
export const logOf = (logFile: string): Promise<string> => readFile(logFile, 'utf8').catch(() => '');

/** Waits until what was written after the first `from` characters matches. Throws ProcessEnded when it cannot any more. */
export function waitForLine(process: GuardedProcess, pattern: RegExp, from = 0): Promise<RegExpExecArray> {
  return until(`${process.name} writes ${pattern.source}`, async () => {
    const ended = process.ended();
    const log = (await logOf(process.logFile)).slice(from);
    const match = pattern.exec(log);
    if (match) return match;
    if (ended === undefined) return undefined;
    const tail = log.trimEnd().split('\n').slice(-shownLines);
    throw new ProcessEnded(`${process.name} has ended (${ended}): ${tail.at(-1)}\n${tail.slice(0, -1).join('\n')}`);
  });
}
