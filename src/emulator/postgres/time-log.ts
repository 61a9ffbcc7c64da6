// Which position in the WAL a branch had at which instant: one line per moment, in the order of time. Lines have one
// width, so that a lookup among the hundred thousands of a week is a binary search.
import {
  appendFileSync,
  closeSync,
  fstatSync,
  openSync,
  readFileSync,
  readSync,
  renameSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import type { Lsn } from '../lsn.ts';

export interface Moment {
  /** Milliseconds since the epoch, by the clock of this machine. */
  readonly time: number;
  /** Whatever was acknowledged before `time` lies before it, whatever was sent after `time` does not. */
  readonly lsn: Lsn;
}

interface Line extends Moment {
  /** The instance slept from here on until the next line, so nothing has changed. */
  readonly asleep: boolean;
}

/** `1764184036123 000000000001A2B3 .` and a line feed. */
const width = 33;
/** In sleep a moment counts every so often, as it does awake. */
const asleepStepMs = 1000;

export class TimeLog {
  readonly #path: string;
  #last: Line | undefined;

  /** The file need not be there yet. */
  constructor(path: string) {
    this.#path = path;
    this.#last = lastLineOf(path);
  }

  get last(): Moment | undefined {
    return this.#last;
  }

  get asleep(): boolean {
    return this.#last?.asleep ?? false;
  }

  /** Adds a moment, unless the clock has gone back since the last one. */
  add({ time, lsn }: Moment): void {
    if (this.#last && (time <= this.#last.time || lsn < this.#last.lsn)) return;
    this.#append({ time, lsn, asleep: false });
  }

  /** From `time` on nothing changes. */
  sleep({ time, lsn }: Moment): void {
    if (!this.asleep && lsn >= (this.#last?.lsn ?? 0n))
      this.#append({ time: this.#notBeforeLast(time), lsn, asleep: true });
  }

  /** Sleep ends; to be called before anything can be written. */
  wake(time: number): void {
    if (this.#last?.asleep) this.#append({ time: this.#notBeforeLast(time), lsn: this.#last.lsn, asleep: false });
  }

  #notBeforeLast(time: number): number {
    return this.#last ? Math.max(time, this.#last.time + 1) : time;
  }

  /** The last moment at or before `time`; undefined when the log begins later. */
  at(time: number): Moment | undefined {
    const line = this.#lastLine((each) => each.time <= time);
    if (!line?.asleep) return line;
    return { time: line.time + Math.floor((time - line.time) / asleepStepMs) * asleepStepMs, lsn: line.lsn };
  }

  /** The last moment at which the position was `lsn` or an earlier one. */
  atLsn(lsn: Lsn): Moment | undefined {
    return this.#lastLine((each) => each.lsn <= lsn);
  }

  /** Forgets what was before `time`, but for the moment that holds at `time`. */
  forgetBefore(time: number): void {
    const lines = readLines(this.#path);
    const keepFrom = countWhile(lines, (each) => each.time <= time) - 1;
    if (keepFrom <= 0) return;
    writeFileSync(`${this.#path}.new`, lines.subarray(keepFrom * width), { mode: 0o600 });
    renameSync(`${this.#path}.new`, this.#path);
  }

  #lastLine(holds: (line: Line) => boolean): Line | undefined {
    const lines = readLines(this.#path);
    const count = countWhile(lines, holds);
    return count === 0 ? undefined : lineAt(lines, count - 1);
  }

  #append(line: Line): void {
    const { time, lsn, asleep } = line;
    const text = `${String(time).padStart(13, '0')} ${lsn.toString(16).padStart(16, '0')} ${asleep ? '~' : '.'}\n`;
    appendFileSync(this.#path, text, { mode: 0o600 });
    this.#last = line;
  }
}

/** How many lines satisfy a condition that holds for the first ones and for none after. */
function countWhile(lines: Buffer, holds: (line: Line) => boolean): number {
  let [low, high] = [0, Math.floor(lines.length / width)];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (holds(lineAt(lines, middle))) low = middle + 1;
    else high = middle;
  }
  return low;
}

function lineAt(lines: Buffer, index: number): Line {
  const [time = '', lsn = '', mark] = lines
    .toString('latin1', index * width, (index + 1) * width)
    .trim()
    .split(' ');
  return { time: Number(time), lsn: BigInt(`0x${lsn}`), asleep: mark === '~' };
}

function readLines(path: string): Buffer {
  try {
    return readFileSync(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return Buffer.alloc(0);
    throw error;
  }
}

/** Cuts off what a crash has left half written, so that later lines stand where they belong. */
function lastLineOf(path: string): Line | undefined {
  let file: number;
  try {
    file = openSync(path, 'r');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
  try {
    const { size } = fstatSync(file);
    const whole = size - (size % width);
    if (whole < size) truncateSync(path, whole);
    if (whole === 0) return undefined;
    const line = Buffer.alloc(width);
    readSync(file, line, 0, width, whole - width);
    return lineAt(line, 0);
  } finally {
    closeSync(file);
  }
}
