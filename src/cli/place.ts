// Where on a command line the word stands that is to be completed. Pure.
import type { Command, Flag } from './command.ts';
import { commandFirst, flagsOf } from './parse.ts';

interface Common {
  /** What is written of it. */
  readonly word: string;
  /** The values of flags that are written before it. */
  readonly text: (flag: string) => string | undefined;
}

export type Place = Common &
  (
    | { readonly is: 'command' | 'nothing' }
    | { readonly is: 'flag'; readonly flags: readonly Flag[] }
    | { readonly is: 'value'; readonly flag: Flag }
    | { readonly is: 'argument'; readonly command: Command }
  );

export function placeOf(words: readonly string[], commands: readonly Command[]): Place {
  const word = words.at(-1) ?? '';
  const [first, ...before] = commandFirst(words.slice(0, -1));
  const common: Common = { word, text: () => undefined };
  if (first === undefined || first.startsWith('-')) return { ...common, is: 'command' };
  const command = commands.find(({ name }) => name === first);
  if (!command || before.includes('--')) return { ...common, is: 'nothing' };
  const flags = flagsOf(command);
  const { values, open, count } = readWords(before, flags);
  const known: Common = { word, text: (flag) => values.get(flag) };
  if (open) return { ...known, is: 'value', flag: open };
  if (word.startsWith('-')) return { ...known, is: 'flag', flags };
  return count >= command.args[1] ? { ...known, is: 'nothing' } : { ...known, is: 'argument', command };
}

/** `open` is a flag whose value is still to come. */
function readWords(
  words: readonly string[],
  flags: readonly Flag[],
): { values: Map<string, string>; open: Flag | undefined; count: number } {
  const values = new Map<string, string>();
  let open: Flag | undefined;
  let count = 0;
  for (const word of words) {
    if (open) {
      values.set(open.name, word);
      open = undefined;
      continue;
    }
    const [, name, value] = /^--([a-z-]+)(?:=(.*))?$/.exec(word) ?? [];
    const flag = flags.find((one) => (name === undefined ? `-${one.short}` === word : one.name === name));
    if (flag === undefined) count += word.startsWith('-') ? 0 : 1;
    else if (value !== undefined) values.set(flag.name, value);
    else if (flag.value !== undefined) open = flag;
  }
  return { values, open, count };
}
