// One run of the plugin: finds the command, parses, runs it, and turns what went wrong into one line and an exit code.
import { apiGroup, apiVersion } from '../api/names.ts';
import { KubeError, KubeUnreachable, isForbidden, isUnknownKind } from '../kit/kube.ts';
import { KubeConnectionError } from '../kit/kubeconfig.ts';
import { openCluster, type Cluster } from './cluster.ts';
import { CommandError, ExitCode, UsageError, type Command } from './command.ts';
import { commands } from './commands.ts';
import { complete } from './complete.ts';
import { commandHelp, overview } from './help.ts';
import { commandFirst, parse } from './parse.ts';
import type { Terminal } from './terminal.ts';

/** Resolves with the exit code. */
export async function run(words: readonly string[], terminal: Terminal): Promise<number> {
  try {
    return await dispatch(words, terminal);
  } catch (error) {
    if (terminal.signal.aborted) return interrupted(terminal);
    const message = plainWords(error);
    if (message === undefined) throw error;
    terminal.note(`lakebranch: ${message}`);
    return error instanceof CommandError ? error.exitCode : ExitCode.failed;
  }
}

function interrupted(terminal: Terminal): number {
  terminal.note('lakebranch: broken off. What was written before goes on by itself.');
  return ExitCode.interrupted;
}

async function dispatch(words: readonly string[], terminal: Terminal): Promise<number> {
  if (words[0] === '__complete') return complete(words.slice(1), terminal);
  const [first, ...rest] = commandFirst(words);
  if (first === undefined || first === '-h' || first === '--help') {
    terminal.out(overview(commands));
    return ExitCode.done;
  }
  if (first === '--version') return dispatch(['version', ...rest], terminal);
  const command = commandNamed(first);
  const invocation = parse(command, rest);
  if (invocation.isOn('help')) {
    terminal.out(commandHelp(command));
    return ExitCode.done;
  }
  let opened: Promise<Cluster> | undefined;
  try {
    return await command.run({ invocation, terminal, cluster: () => (opened ??= openCluster(invocation, terminal)) });
  } finally {
    await opened?.then(({ kube }) => kube.close()).catch(() => undefined);
  }
}

export function commandNamed(name: string): Command {
  const command = commands.find((one) => one.name === name);
  if (command) return command;
  if (name.startsWith('-')) throw new UsageError('there is no command: "kubectl lakebranch help" lists all');
  const near = commands.filter((one) => one.name.startsWith(name.slice(0, 2))).map((one) => one.name);
  const hint = near.length > 0 ? `; did you mean ${near.join(' or ')}?` : '.';
  throw new UsageError(`there is no command ${JSON.stringify(name)}${hint} "kubectl lakebranch help" lists all`);
}

/** What a person can act on; undefined for a defect of ours. */
function plainWords(error: unknown): string | undefined {
  if (error instanceof CommandError || error instanceof KubeConnectionError) return error.message;
  // Of the credentials of a kubeconfig.
  if (error instanceof KubeUnreachable && error.cause instanceof CommandError) return error.cause.message;
  if (isUnknownKind(error))
    return `the cluster does not know ${apiGroup}/${apiVersion}: its CRDs are not installed, or this is the wrong context (kubectl config current-context)`;
  if (error instanceof KubeUnreachable)
    return `the API server does not answer: ${error.message}. Check the context (kubectl config current-context) and the way to it`;
  if (isForbidden(error))
    return `you may not do that: ${serverWords(error)}. "kubectl lakebranch doctor" lists your rights`;
  if (error instanceof KubeError) return `the API server says no: ${serverWords(error)}`;
  return undefined;
}

const serverWords = (error: unknown): string =>
  error instanceof KubeError ? (error.status.message ?? error.message) : String(error);
