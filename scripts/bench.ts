// `make bench`: measures what docs/benchmarks.md records. ROWS=one,many picks rows, OUT=file says where the figures go,
// RECORD=1 puts them into the page.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { availableParallelism, loadavg, totalmem } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { printed, printedTarget, summaryOf, type Figure } from '../test/bench/figures.ts';
import { rows, type Row } from '../test/bench/row.ts';
import { findOrBuildBinaries } from '../test/control-plane/binaries.ts';
import { elapsed, runMain, SetupError } from './long-step.mjs';

const root = join(import.meta.dirname, '..');
const header = ['', 'middle', 'least', 'most', 'unit', 'n', 'target', ''];
const out = process.env['OUT'] || join(root, 'dist/bench.json');
const page = join(root, 'docs/benchmarks.md');
const recording = !['', '0'].includes(process.env['RECORD'] ?? '');

interface Measured {
  readonly row: string;
  readonly title: string;
  readonly seconds: number;
  /** Processes that wanted a core, on average over a minute: before the row, and at its end. */
  readonly load: readonly [number, number];
  readonly figures: readonly Figure[];
  readonly failure?: string;
}

const machine = { cores: availableParallelism(), memoryGB: Math.round(totalmem() / 1e9), node: process.version };
const command = ['make bench', ...['ROWS', 'SIZES'].filter((name) => process.env[name]).map(settingOf)].join(' ');

await runMain(async () => {
  const chosen = chosenRows(process.env['ROWS'] ?? '');
  // Before the clock starts: it may take minutes the first time, and shows its own progress.
  await findOrBuildBinaries();
  const startedAt = performance.now();
  const measured: Measured[] = [];
  for (const row of chosen) {
    measured.push(await measure(row, startedAt));
    write(measured);
    if (recording) record(measured);
  }
  const missed = measured.flatMap(({ figures }) => figures).filter((figure) => summaryOf(figure).met === false);
  process.stdout.write(`\n${elapsed(startedAt)}. ${missed.length} targets missed. Figures: ${relative('', out)}\n`);
  // A missed target is a finding; a row that could not be measured is a failure.
  if (measured.some(({ failure }) => failure !== undefined)) process.exitCode = 1;
});

function settingOf(name: string): string {
  return `${name}=${process.env[name]}`;
}

function chosenRows(names: string): readonly Row[] {
  if (names === '') return rows.filter(({ apart }) => !apart);
  return names.split(',').map((name) => {
    const row = rows.find((each) => each.name === name.trim());
    if (row) return row;
    throw new SetupError(`ROWS: there is no row ${name}; there are ${rows.map((each) => each.name).join(', ')}.`);
  });
}

async function measure({ name, title, measure: run }: Row, benchStartedAt: number): Promise<Measured> {
  process.stdout.write(`\n${title} (${name})\n`);
  const startedAt = performance.now();
  const loadBefore = load();
  const say = (line: string): void => void process.stdout.write(`  ${elapsed(benchStartedAt).padStart(8)}  ${line}\n`);
  const result = await run(say).then(
    (figures) => ({ figures }),
    (error: unknown) => ({ figures: [], failure: error instanceof Error ? error.message : String(error) }),
  );
  const seconds = (performance.now() - startedAt) / 1000;
  const measured = { row: name, title, seconds, load: [loadBefore, load()] as const, ...result };
  process.stdout.write(tableOf(measured));
  return measured;
}

function load(): number {
  return Number((loadavg()[0] ?? 0).toFixed(1));
}

function cellsOf(figure: Figure): string[] {
  const { median, least, most, met } = summaryOf(figure);
  const verdict = met === undefined ? '' : met ? 'met' : 'MISSED';
  const spread = figure.samples.length > 1 ? [printed(least), printed(most)] : ['', ''];
  const target = figure.target ? printedTarget(figure.target) : '';
  return [figure.what, printed(median), ...spread, figure.unit, String(figure.samples.length), target, verdict];
}

function tableOf({ figures, failure, load: [before, after] }: Measured): string {
  if (failure !== undefined) return `  could not be measured: ${failure}\n`;
  const lines = [header, ...figures.map(cellsOf)];
  const widths = header.map((_, column) => Math.max(...lines.map((line) => line[column]?.length ?? 0)));
  const table = lines.map(
    (line) =>
      `  ${line
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join('  ')
        .trimEnd()}`,
  );
  return `${[...table, `  load of the machine: ${before} before, ${after} at the end`].join('\n')}\n`;
}

/** After every row, so that a run that is broken off is not lost. */
function write(measured: readonly Measured[]): void {
  const figures = measured.map((row) => ({
    ...row,
    figures: row.figures.map((figure) => ({ ...figure, ...summaryOf(figure) })),
  }));
  mkdirSync(dirname(out), { recursive: true });
  const all = { command, date: new Date().toISOString(), machine, rows: figures };
  writeFileSync(out, `${JSON.stringify(all, null, 2)}\n`);
}

/** Replaces what the page says of these rows; the others keep what an earlier run found. */
function record(measured: readonly Measured[]): void {
  const text = measured.reduce(
    (before, row) => {
      const [begin, end] = [`<!-- figures: ${row.row} -->\n`, `<!-- end: ${row.row} -->`];
      const [from, to] = [before.indexOf(begin), before.indexOf(end)];
      if (from < 0 || to < 0) throw new Error(`${page} has no place for the row ${row.row}`);
      return `${before.slice(0, from)}${begin}\n${markdownOf(row)}\n${before.slice(to)}`;
    },
    readFileSync(page, 'utf8'),
  );
  writeFileSync(page, text);
}

function markdownOf({ figures, failure, load: [before, after], seconds }: Measured): string {
  if (failure !== undefined) return 'Could not be measured.\n';
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;
  const lines = [header, header.map(() => '--'), ...figures.map(cellsOf)].map(line);
  const notes = figures.filter(({ note }) => note).map(({ what, note }) => `- ${what}: ${note}`);
  const [day] = new Date().toISOString().split('T');
  const ending =
    `${day}, ${machine.cores} cores, ${machine.memoryGB} GB, Node ${machine.node}; ${seconds.toFixed(0)} s. ` +
    `Processes that wanted a core: ${before} before, ${after} at the end.`;
  return [...lines, '', ...(notes.length > 0 ? [...notes, ''] : []), ending, ''].join('\n');
}
