// From the words of the command line to what a command is given. Throws UsageError, which names the word.
import { parseArgs, type ParseArgsOptionsConfig } from 'node:util';
import { UsageError, type Command, type Flag, type Invocation } from './command.ts';
import { durationMs, instantOf } from './times.ts';

/** Every command takes these. */
export const commonFlags: readonly Flag[] = [
  { name: 'namespace', short: 'n', value: 'NAMESPACE', help: 'The namespace; without it, that of the kubeconfig.' },
  { name: 'context', value: 'NAME', help: 'The context of the kubeconfig.' },
  { name: 'kubeconfig', value: 'FILE', help: 'The kubeconfig; without it, $KUBECONFIG or ~/.kube/config.' },
  { name: 'help', short: 'h', help: 'Show this help.' },
];

export const allNamespaces: Flag = { name: 'all-namespaces', short: 'A', help: 'All namespaces.' };
export const output: Flag = {
  name: 'output',
  short: 'o',
  value: 'FORMAT',
  choices: ['text', 'json'],
  help: 'text or json.',
};
export const waits = (until: string, timeout: string): readonly Flag[] => [
  { name: 'no-wait', help: `Do not wait until ${until}.` },
  { name: 'timeout', value: 'DURATION', help: `How long to wait at most; without it ${timeout}.` },
];
export const operatorNamespace: Flag = {
  name: 'operator-namespace',
  value: 'NAMESPACE',
  help: 'Where the operator runs; without it lakebranch-system.',
};

/** Flags that people write before the command, moved behind it: where they stand says nothing about what they mean. */
export function commandFirst(words: readonly string[]): string[] {
  const known = [...commonFlags, allNamespaces, output, operatorNamespace];
  let index = 0;
  for (; words[index]?.startsWith('-') && words[index] !== '--'; index++) {
    const flag = known.find(({ name, short }) => words[index] === `--${name}` || words[index] === `-${short}`);
    if (flag?.value !== undefined) index++;
  }
  const [command, ...rest] = words.slice(index);
  return command === undefined ? [...words] : [command, ...words.slice(0, index), ...rest];
}

export const flagsOf = ({ flags }: Pick<Command, 'flags'>): readonly Flag[] => [...flags, ...commonFlags];

/** `wait` stands for `no-wait` turned round, as kubectl's own commands have it. */
const isNegative = (name: string): boolean => name.startsWith('no-');

export function parse(command: Command, words: readonly string[]): Invocation {
  const dashes = words.indexOf('--');
  const rest = dashes === -1 ? [] : words.slice(dashes + 1);
  if (rest.length > 0 && !command.passesOn) throw new UsageError(`${command.name} takes nothing after --`);
  const { values, positionals } = parsed(command, dashes === -1 ? words : words.slice(0, dashes));
  for (const flag of flagsOf(command)) checkValue(flag, values[flag.name]);
  const text = (flag: string): string | undefined => {
    const value = values[flag];
    return typeof value === 'string' ? value : undefined;
  };
  const invocation: Invocation = {
    args: positionals,
    rest,
    text,
    isOn: (flag) => values[flag] === true,
    isNotOff: (flag) => values[`no-${flag}`] !== true,
    json: text('output') === 'json',
  };
  if (!invocation.isOn('help')) checkArgs(command, positionals);
  return invocation;
}

function parsed(
  command: Command,
  words: readonly string[],
): { values: Readonly<Record<string, string | boolean | undefined>>; positionals: string[] } {
  try {
    const { values, positionals } = parseArgs({
      args: [...words],
      options: optionsOf(flagsOf(command)),
      allowPositionals: true,
      strict: true,
    });
    return { values: values as Record<string, string | boolean | undefined>, positionals };
  } catch (error) {
    throw new UsageError(`${wordsOf(error)}. See "kubectl lakebranch ${command.name} --help"`);
  }
}

/** Node adds advice about `--` that does not fit here. */
const wordsOf = (error: unknown): string => {
  const [sentence = ''] = (error instanceof Error ? error.message : String(error)).split('. ');
  return sentence.replace(/[.\n].*$/s, '');
};

export function optionsOf(flags: readonly Flag[]): ParseArgsOptionsConfig {
  const options: ParseArgsOptionsConfig = {};
  for (const { name, short, value } of flags) {
    options[name] = { type: value === undefined ? 'boolean' : 'string', ...(short === undefined ? {} : { short }) };
    if (isNegative(name)) options[name.slice(3)] = { type: 'boolean' };
  }
  return options;
}

/** Before anything is done: a word that is found to be wrong after an edit cannot be answered by "nothing was done". */
function checkValue({ name, value: kind, choices }: Flag, value: string | boolean | undefined): void {
  if (typeof value !== 'string') return;
  // As an unset variable of a script gives it: -n "$NAMESPACE" must not become all namespaces.
  if (value.trim() === '') throw new UsageError(`--${name} is given without a value`);
  if (choices && !choices.includes(value))
    throw new UsageError(`--${name} is one of ${choices.join(', ')}, not ${JSON.stringify(value)}`);
  if (kind === 'NAMESPACE') checkNamespace(name, value);
  if (kind === 'DURATION') durationMs(name, value);
  if (kind === 'TIME') instantOf(name, value);
}

function checkNamespace(flag: string, text: string): void {
  if (/^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/.test(text)) return;
  throw new UsageError(`--${flag}: ${JSON.stringify(text)} cannot be the name of a namespace`);
}

function checkArgs({ name, usage, args: [least, most] }: Command, given: readonly string[]): void {
  const line = `kubectl lakebranch ${name}${usage === '' ? '' : ` ${usage}`}`;
  if (given.length < least)
    throw new UsageError(`${name} needs ${given.length === 0 ? 'an' : 'another'} argument: ${line}`);
  if (given.some((word) => word.trim() === '')) throw new UsageError(`${name}: an argument is empty: ${line}`);
  if (given.length > most) throw new UsageError(`${name} does not know what ${given[most]} is for: ${line}`);
}
