// What a command of the plugin is: how it is called, what its help says, and what it does.
import type { Cluster } from './cluster.ts';
import type { Terminal } from './terminal.ts';

export interface Flag {
  readonly name: string;
  readonly short?: string;
  /** What stands for the value in the help; without it the flag takes none. */
  readonly value?: string;
  /** The values that there are, where they are few; for the check and for completion. */
  readonly choices?: readonly string[];
  readonly help: string;
}

/** What completion offers for the arguments of a command. */
export type Completes = 'branches' | 'explainable' | 'sources' | 'shells' | 'commands' | 'nothing';

export interface Invocation {
  readonly args: readonly string[];
  /** Everything after `--`. */
  readonly rest: readonly string[];
  readonly text: (flag: string) => string | undefined;
  readonly isOn: (flag: string) => boolean;
  /** A switch that is on unless `--no-<flag>` is given. */
  readonly isNotOff: (flag: string) => boolean;
  readonly json: boolean;
}

export interface Context {
  readonly invocation: Invocation;
  readonly terminal: Terminal;
  /** Throws where there is no kubeconfig; opened when first asked for. */
  readonly cluster: () => Promise<Cluster>;
}

export interface Command {
  readonly name: string;
  /** The arguments as the usage line shows them. */
  readonly usage: string;
  readonly summary: string;
  /** Paragraphs. */
  readonly description: readonly string[];
  readonly examples: readonly (readonly [command: string, what: string])[];
  readonly flags: readonly Flag[];
  /** How many arguments it takes at least and at most. */
  readonly args: readonly [least: number, most: number];
  readonly completes: Completes;
  /** Whether arguments after `--` are passed on. */
  readonly passesOn?: boolean;
  /** What `-o json` prints, for the documentation; a command without it has no such output. */
  readonly json?: string;
  /** Resolves with the exit code. */
  readonly run: (context: Context) => Promise<number>;
}

/** Documented in docs/plugin.md; scripts rely on them. */
export const ExitCode = {
  done: 0,
  failed: 1,
  usage: 2,
  found: 3,
  timedOut: 4,
  interrupted: 130,
} as const;

export const exitCodes: readonly (readonly [code: number, meaning: string])[] = [
  [ExitCode.done, 'Done.'],
  [ExitCode.failed, 'Refused or failed; the last line on standard error says why and what to do.'],
  [ExitCode.usage, 'The command line is wrong. Nothing was done.'],
  [ExitCode.found, '`doctor` or `orphans` looked and found something that needs a person.'],
  [
    ExitCode.timedOut,
    'The time of `--timeout` is over. The change was made and goes on; standard error says how to look.',
  ],
  [ExitCode.interrupted, 'Broken off with Ctrl-C. A change that was made before goes on.'],
];

/** Said to the person in one line, without a stack. */
export class CommandError extends Error {
  override readonly name = 'CommandError';
  readonly exitCode: number;

  constructor(message: string, exitCode: number = ExitCode.failed) {
    super(message);
    this.exitCode = exitCode;
  }
}

export class UsageError extends CommandError {
  override readonly name = 'UsageError' as 'CommandError';

  constructor(message: string) {
    super(message, ExitCode.usage);
  }
}
