// `make chaos SEED=… OPS=…`: the long run of the chaos suite, with its figures at the end.
import { join } from 'node:path';
import { findOrBuildBinaries } from '../test/control-plane/binaries.ts';
import { runChaos } from '../test/chaos/run.ts';
import { describe } from '../test/chaos/tally.ts';
import { runMain, SetupError } from './long-step.mjs';

const logs = join(import.meta.dirname, '../.lakebranch/chaos-logs');

await runMain(async () => {
  const seed = wholeNumber('SEED', 1);
  const operations = wholeNumber('OPS', 1000);
  const settleEvery = wholeNumber('SETTLE', 100);
  // Before the run begins, because it can take minutes and shows its own progress.
  await findOrBuildBinaries();
  console.log(`Chaos with seed ${seed}: ${operations} operations, a rest after every ${settleEvery}.`);
  const { violations, figures } = await runChaos({
    seed,
    operations,
    settleEvery,
    without: words('WITHOUT'),
    stopAfter: wholeNumber('STOP', 1),
    logs,
    onProgress: (line) => console.log(line),
  });
  const [first] = violations;
  if (first) console.log(`\n${describe(first)}`);
  console.log(`\n${figures}`);
  if (violations.length > 0) throw new SetupError(`${violations.length} violations. The logs are in ${logs}.`);
});

function wholeNumber(name: string, otherwise: number): number {
  const text = process.env[name] || String(otherwise);
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1) throw new SetupError(`${name}=${text}: write a whole number from 1 up.`);
  return value;
}

function words(name: string): string[] {
  return (process.env[name] ?? '').split(',').filter((word) => word !== '');
}
