// What the demo prints: chapters with the elapsed time, and short lines below them.

export interface Screen {
  /** Begins a chapter. */
  chapter(title: string): void;
  /** One line per call. */
  say(...lines: readonly string[]): void;
  /** A command as the reader could type it. */
  command(text: string): void;
  /** Seconds since the start. */
  seconds(): number;
}

const width = 78;
const indent = '   ';

/** Bold only for a person at a terminal. */
export function createScreen(output: NodeJS.WriteStream): Screen {
  const begun = performance.now();
  const plain = !output.isTTY || Boolean(process.env['NO_COLOR']);
  const bold = (text: string): string => (plain ? text : `\u001B[1m${text}\u001B[0m`);
  const line = (text: string): void => void output.write(`${text.trimEnd()}\n`);
  const seconds = (): number => (performance.now() - begun) / 1000;
  let chapters = 0;
  return {
    chapter(title) {
      const heading = `${++chapters}. ${title}`;
      const clock = `${seconds().toFixed(1)} s`;
      line('');
      line(`${bold(heading)}${clock.padStart(Math.max(width - heading.length, clock.length + 1))}`);
    },
    say: (...lines) => lines.forEach((text) => line(indent + text)),
    command: (text) => line(`${indent}$ ${bold(text)}`),
    seconds,
  };
}
