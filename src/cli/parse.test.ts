import { expect, test } from 'vitest';
import { commands } from './commands.ts';
import { commandHelp } from './help.ts';
import { commandFirst, flagsOf, parse } from './parse.ts';
import { placeOf } from './place.ts';
import { commandNamed } from './program.ts';

const parsed = (line: string) => {
  const [name = '', ...words] = commandFirst(line.split(' '));
  return parse(commandNamed(name), words);
};

test.each([
  ['psql db -n qa -- -c x -n y', { args: ['db'], rest: ['-c', 'x', '-n', 'y'], json: false }],
  ['psql -n qa db', { args: ['db'], rest: [], json: false }],
  ['-n qa psql db', { args: ['db'], rest: [], json: false }],
  ['--namespace=qa -o json why db', { args: ['db'], rest: [], json: true }],
  ['-n qa psql db -- -n x', { args: ['db'], rest: ['-n', 'x'], json: false }],
  ['list -A -o json', { args: [], rest: [], json: true }],
  ['list --output=json', { args: [], rest: [], json: true }],
])('%s is understood', (line, expected) => {
  const { args, rest, json } = parsed(line);
  expect({ args, rest, json }).toEqual(expected);
});

test.each([
  ['psql db -n qa', 'namespace', 'qa'],
  ['psql --namespace=qa db', 'namespace', 'qa'],
  ['rotate db --timeout 5m', 'timeout', '5m'],
  ['list', 'namespace', undefined],
])('%s: %s', (line, flag, value) => {
  expect(parsed(line).text(flag)).toBe(value);
});

test.each([
  ['rotate db', true],
  ['rotate db --wait', true],
  ['rotate db --no-wait', false],
])('%s waits: %s', (line, waits) => {
  expect(parsed(line).isNotOff('wait')).toBe(waits);
});

test.each([
  ['lis', /there is no command "lis"; did you mean list\? "kubectl lakebranch help"/],
  ['wat', /there is no command "wat"\. "kubectl lakebranch help" lists all/],
  ['-n x', /there is no command: "kubectl lakebranch help"/],
  ['list extra', /list does not know what extra is for/],
  ['psql', /psql needs an argument/],
  ['list --nonsense', /Unknown option '--nonsense'/],
  ['list -- x', /list takes nothing after --/],
  ['reset db --strategy Swap', /--strategy is one of Switch, Replace, not "Swap"/],
  // Before anything is written.
  ['reset db --timeout 0', /--timeout: write a duration like 90m/],
  ['reset db --timeout 0s', /--timeout: a duration must be longer than nothing/],
  ['extend db --for 9999999999d', /--for: 9999999999d is longer than a century/],
  ['extend db --until 2026-12-01T18:00:00', /--until: write a time with its zone/],
  ['extend db --until 2026-11-31T18:00:00Z', /--until: there is no such day or hour as in "2026-11-31T18:00:00Z"/],
  ['restore production --time 2026-11-30T24:00:00+01:00', /--time: there is no such day or hour/],
  ['park --all -n ', /--namespace is given without a value/],
  ['park --all --namespace=', /--namespace is given without a value/],
  ['park --all -n ..', /--namespace: "\.\." cannot be the name of a namespace/],
  ['list -n Shop', /--namespace: "Shop" cannot be the name of a namespace/],
  ['psql ', /psql: an argument is empty/],
])('%s is refused', (line, complaint) => {
  expect(() => parsed(line)).toThrow(complaint);
});

test.each([
  [[''], 'command'],
  [['re'], 'command'],
  [['-n', 'qa', ''], 'command'],
  [['-n', 'qa', 'psql', ''], 'argument'],
  [['psql', ''], 'argument'],
  [['psql', 'db', ''], 'nothing'],
  [['psql', 'db', '--', ''], 'nothing'],
  [['psql', '-n', ''], 'value'],
  [['psql', '-n', 'qa', ''], 'argument'],
  [['psql', '--namespace=qa', ''], 'argument'],
  [['psql', '--'], 'flag'],
  [['park', 'a', 'b', ''], 'argument'],
  [['nonsense', ''], 'nothing'],
])('completion of %j is of a %s', (words, is) => {
  expect(placeOf(words, commands).is).toBe(is);
});

test('completion knows the namespace that is written before', () => {
  expect(placeOf(['psql', '-n', 'qa', ''], commands).text('namespace')).toBe('qa');
});

test.each(commands.map((command) => [command.name, command] as const))(
  'the help of %s fits a terminal and names each flag once',
  (_name, command) => {
    const names = flagsOf(command).flatMap(({ name, short }) => [name, ...(short === undefined ? [] : [short])]);
    expect(new Set(names).size).toBe(names.length);
    const lines = commandHelp(command).split('\n');
    expect(lines.filter((line) => line.length > 130)).toEqual([]);
    expect(lines[0]).toMatch(new RegExp(`^kubectl lakebranch ${command.name} `));
  },
);

test.each(commands.flatMap(({ examples }) => examples.map(([line]) => line)))('the example %s parses', (line) => {
  const words = line.split(/ [>|] /)[0]!.match(/'[^']*'|\S+/g)!;
  expect(() => parse(commandNamed(words[0]!), words.slice(1))).not.toThrow();
});
