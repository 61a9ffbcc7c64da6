// Waiting for the world, told: one line on standard error for each change of what is waited for.
import { sleep } from '../kit/clock.ts';
import { KubeError, KubeUnreachable } from '../kit/kube.ts';
import { CommandError, ExitCode, type Context } from './command.ts';
import { durationMs, formatSpan } from './times.ts';

/** Progress that says nothing twice. */
export function teller(note: (text: string) => void): (text: string) => void {
  let last = '';
  return (text) => {
    if (text !== last) note(`  ${text}`);
    last = text;
  };
}

export type Look<T> = { readonly done: T } | { readonly state: string };

export interface Waiting {
  /** What is waited for, as in "waited 5m in vain for ...". */
  readonly what: string;
  readonly defaultTimeout: string;
  /** How to look later, when the time is over. */
  readonly later: string;
}

const everyMs = 500;

/**
 * Looks until it is done; polls, because that needs no right to watch. An API server that is away for a moment is waited
 * for as well. Throws CommandError with the exit code for a time that is over.
 */
export async function waitUntil<T>(
  { invocation, terminal }: Pick<Context, 'invocation' | 'terminal'>,
  { what, defaultTimeout, later }: Waiting,
  look: () => Promise<Look<T>>,
): Promise<T> {
  const { clock, signal } = terminal;
  const timeoutMs = durationMs('timeout', invocation.text('timeout') ?? defaultTimeout);
  const endMs = clock.monotonicMs() + timeoutMs;
  const tell = teller(terminal.note);
  for (;;) {
    signal.throwIfAborted();
    const seen = await looked(look);
    if ('done' in seen) return seen.done;
    tell(seen.state);
    if (clock.monotonicMs() >= endMs) throw timedOut(`waited ${formatSpan(timeoutMs)} in vain for ${what}`, later);
    await sleep(clock, everyMs, signal);
  }
}

async function looked<T>(look: () => Promise<Look<T>>): Promise<Look<T>> {
  try {
    return await look();
  } catch (error) {
    // Without credentials for the cluster no waiting helps.
    if (error instanceof KubeUnreachable && error.cause instanceof CommandError) throw error;
    if (error instanceof KubeUnreachable) return { state: 'the API server does not answer; still trying' };
    if (error instanceof KubeError && error.code >= 500)
      return { state: `the API server is in trouble (${error.code}); still trying` };
    throw error;
  }
}

const timedOut = (words: string, later: string): CommandError =>
  new CommandError(`${words}. It goes on by itself; look with: ${later}`, ExitCode.timedOut);
