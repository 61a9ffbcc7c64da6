// A short run of chaos with real processes. `make chaos` is the long one.
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { runChaos } from './run.ts';
import { describe } from './tally.ts';

const seed = Number(process.env['LAKEBRANCH_SEED'] ?? 1);
const operations = 300;
const logs = join(import.meta.dirname, '../../.lakebranch/chaos-logs');

test(
  `${operations} operations of seed ${seed}, with faults and kills, break no law`,
  { timeout: 900_000 },
  async () => {
    const { violations, figures } = await runChaos({
      seed,
      operations,
      settleEvery: operations,
      without: [],
      stopAfter: 1,
      logs,
      onProgress: (line) => console.log(line),
    });
    console.log(figures);
    expect(violations.map(describe)).toEqual([]);
  },
);
