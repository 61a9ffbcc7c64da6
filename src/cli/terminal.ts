// Where words go and where they come from: answers to standard output, everything else to standard error.
import type { Clock } from '../kit/clock.ts';

export interface Terminal {
  /** The answer: what a pipe may read. Adds a line break. */
  readonly out: (text: string) => void;
  /** Progress, warnings, failures. Adds a line break. */
  readonly note: (text: string) => void;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly clock: Clock;
  /** Aborts with Ctrl-C. */
  readonly signal: AbortSignal;
  /** Leaves signals to a program that has the terminal now; the returned function takes them back. */
  readonly lendSignals: (to: (signal: NodeJS.Signals) => void) => () => void;
}

export const printJson = (terminal: Terminal, value: unknown): void => terminal.out(JSON.stringify(value, null, 2));
