// The help texts: on the terminal, and in docs/plugin.md, which is generated from them. Pure.
import { exitCodes, type Command, type Flag } from './command.ts';
import { commonFlags, flagsOf } from './parse.ts';
import { table, wrap } from './table.ts';

const width = 100;

export function overview(commands: readonly Command[]): string {
  const rows = commands.map(({ name, summary }) => ['', name, summary]);
  return [
    'kubectl lakebranch COMMAND [ARGUMENTS] [FLAGS]',
    '',
    wrap('Looks after DatabaseBranches: databases that are branches of a Databricks Lakebase project.', width),
    '',
    table(['', 'COMMAND', ''], rows),
    '',
    '"kubectl lakebranch COMMAND --help" tells more of each.',
  ].join('\n');
}

export const usageLine = ({ name, usage, passesOn }: Command): string =>
  ['kubectl lakebranch', name, usage, '[flags]', passesOn ? '[-- ARGUMENTS]' : '']
    .filter((part) => part !== '')
    .join(' ');

export function commandHelp(command: Command): string {
  const { description, examples } = command;
  return [
    usageLine(command),
    ...description.flatMap((paragraph) => ['', wrap(paragraph, width)]),
    ...(examples.length === 0 ? [] : ['', 'Examples:']),
    ...examples.flatMap(([line, what]) => [wrap(`# ${what}`, width, '  '), `  kubectl lakebranch ${line}`]),
    '',
    'Flags:',
    flagTable(flagsOf(command)),
  ].join('\n');
}

const flagTable = (flags: readonly Flag[]): string =>
  table(
    ['', '', ''],
    flags.map((flag) => ['', flagName(flag), flag.help]),
  ).slice(1);

export function flagName({ name, short, value }: Flag): string {
  const long = `--${name}${value === undefined ? '' : ` ${value}`}`;
  return short === undefined ? `    ${long}` : `-${short}, ${long}`;
}

/** One section for each command, for docs/plugin.md. */
export function commandDocs(command: Command): string {
  const { name, description, examples, flags, json } = command;
  const own = flags.map((flag) => `| \`${flagName(flag).trim()}\` | ${flag.help} |`);
  return [
    `## ${name}`,
    ['```', usageLine(command), '```'].join('\n'),
    ...description,
    ...(own.length === 0 ? [] : [['| Flag | Meaning |', '|--|--|', ...own].join('\n')]),
    ...(examples.length === 0
      ? []
      : [['```sh', ...examples.map(([line, what]) => `kubectl lakebranch ${line} # ${what}`), '```'].join('\n')]),
    ...(json === undefined ? [] : [`With \`-o json\`: ${json}`]),
  ].join('\n\n');
}

export const exitCodeDocs = (): string =>
  ['| Code | Meaning |', '|--|--|', ...exitCodes.map(([code, meaning]) => `| ${code} | ${meaning} |`)].join('\n');

export const commonFlagDocs = (): string =>
  [
    '| Flag | Meaning |',
    '|--|--|',
    ...commonFlags.map((flag) => `| \`${flagName(flag).trim()}\` | ${flag.help} |`),
  ].join('\n');
