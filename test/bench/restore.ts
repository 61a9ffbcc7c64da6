// A restore, from apply to the rows in the hands of whoever reads the Secret, with everything real: API server, operator,
// emulator and PostgreSQL, each a process of its own. SIZES=63,1000 are megabytes of the database that is restored.
import { setTimeout as pause } from 'node:timers/promises';
import pg from 'pg';
import { productionLogin } from '../../scripts/demo/production.ts';
import { pointInTimeRestoreResource } from '../../src/api/names.ts';
import type { PointInTimeRestore } from '../../src/api/v1alpha1/point-in-time-restore.ts';
import { keyOf, type KubeObject } from '../../src/kit/kube.ts';
import { World, type Key } from '../stack/world.ts';
import { until } from '../stack/until.ts';
import { atMost, type Figure } from './figures.ts';
import { Observer } from './observer.ts';
import type { Say } from './say.ts';

const sizes = (process.env['SIZES'] || '63,1000').split(',').map(Number);
/** Restores of each size; the first of an operator is among them. */
const rounds = 8;
const namespace = 'bench';
const rowsKept = 32;

export async function restore(say: Say): Promise<Figure[]> {
  const figures: Figure[] = [];
  for (const megabytes of sizes) figures.push(...(await measureSize(megabytes, say)));
  return figures;
}

interface Sample {
  /** Apply until the rows were read through the Secret. */
  readonly totalMs: number;
  /** Of these: from the provider's taking the request to its saying READY. */
  readonly providerMs: number;
  /** Of the rest: Ready until the rows were read. */
  readonly readMs: number;
  readonly skewMs: number;
}

async function measureSize(megabytes: number, say: Say): Promise<Figure[]> {
  const world = await World.start();
  try {
    await world.namespace(namespace);
    await world.bclass('default', { restore: { allowed: true } });
    const { ca, ...login } = await productionLogin(world.stack);
    const client = new pg.Client({ ...login, ssl: { ca } });
    await client.connect();
    const bytes = await fill(client, megabytes);
    say(`${megabytes} MB: production holds ${Math.round(bytes / 1e6)} MB`);
    // So that a moment before the wipe is older than the clock's step.
    await pause(3_000);
    const samples: Sample[] = [];
    for (let round = 0; round < rounds; round++) {
      const sample = await measure(world, client, `undo-${round}`);
      samples.push(sample);
      say(
        `${megabytes} MB: ${Math.round(sample.totalMs)} ms, of which the provider ${Math.round(sample.providerMs)} ms; skew ${sample.skewMs} ms`,
      );
    }
    await client.end();
    return figuresOf(megabytes, samples);
  } finally {
    await world.stop();
  }
}

/** Resolves with the size of the database in bytes. */
async function fill(client: pg.Client, megabytes: number): Promise<number> {
  const sizeNow = async (): Promise<number> => {
    const { rows } = await client.query<{ bytes: string }>('SELECT pg_database_size(current_database()) AS bytes');
    return Number(rows[0]?.bytes);
  };
  await client.query(`CREATE TABLE kept AS SELECT n AS id FROM generate_series(1, ${rowsKept}) AS n`);
  await client.query('CREATE TABLE filler (id int, text text)');
  // A page of 8 kB holds 15 of these rows.
  const perMegabyte = Math.round((1e6 / 8192) * 15);
  for (let size = await sizeNow(); size < megabytes * 1e6; size = await sizeNow()) {
    const some = Math.min(50, Math.ceil(megabytes - size / 1e6));
    await client.query(
      `INSERT INTO filler SELECT n, repeat(md5(n::text), 15) FROM generate_series(1, ${some * perMegabyte}) AS n`,
    );
  }
  return sizeNow();
}

/** Wipes the rows, brings them back from just before, reads them, and puts everything back. */
async function measure(world: World, client: pg.Client, name: string): Promise<Sample> {
  const key: Key = { namespace, name };
  // Anywhere between two moments that the provider can tell apart.
  await pause(1_000 + Math.random() * 1_000);
  const time = new Date();
  await pause(5);
  await client.query('DELETE FROM kept');
  await using observer = await Observer.start(world.stack.kube, namespace);
  const spec = { source: { branch: 'production' }, target: { time: time.toISOString() } };
  const appliedAt = performance.now();
  await world.stack.kube.create<KubeObject>(pointInTimeRestoreResource, { metadata: key, spec } as KubeObject);
  const readyAt = await observer.allReady([keyOf(key)]);
  const rows = await world.query(await world.secret(key), 'SELECT id FROM kept');
  const readAt = performance.now();
  if (rows.length !== rowsKept) throw new Error(`${name}: ${rows.length} of ${rowsKept} rows came back`);
  const sample = {
    totalMs: readAt - appliedAt,
    providerMs: await providerMs(world, key),
    readMs: readAt - readyAt,
    skewMs: time.getTime() - (await actualTime(world, key)),
  };
  await client.query(`INSERT INTO kept SELECT n FROM generate_series(1, ${rowsKept}) AS n`);
  await world.remove(key);
  await world.whenGone(key);
  return sample;
}

/** By the provider's own journal. */
async function providerMs(world: World, key: Key): Promise<number> {
  const uid = (await world.get(key))?.status?.branch?.uid;
  const journal = await world.stack.emulator.journal();
  const at = (what: string): number =>
    Date.parse(journal.find((line) => line.what === what && line.uid === uid)?.at ?? '');
  return at('branch.ready') - at('branch.create');
}

/** Said when the restore is over, which may be a moment after its object is Ready. */
function actualTime(world: World, key: Key): Promise<number> {
  return until(`${keyOf(key)} says what it made`, async () => {
    const { status } = await world.stack.kube.get<PointInTimeRestore>(pointInTimeRestoreResource, key);
    return status?.actualTime !== undefined && status.completionTime !== undefined && Date.parse(status.actualTime);
  });
}

function figuresOf(megabytes: number, samples: readonly Sample[]): Figure[] {
  const figure = (what: string, unit: string, of: (sample: Sample) => number, more: Partial<Figure> = {}): Figure => ({
    row: 'restore',
    what: `${megabytes} MB: ${what}`,
    unit,
    samples: samples.map(of),
    ...more,
  });
  return [
    figure(
      'apply → rows read through the Secret',
      'ms',
      ({ totalMs }) => totalMs,
      megabytes <= 63 ? { target: atMost(3_000) } : {},
    ),
    figure('of these the provider', 'ms', (sample) => sample.providerMs),
    figure('of these ours', 'ms', (sample) => sample.totalMs - sample.providerMs),
    figure('of ours: Ready → rows read', 'ms', ({ readMs }) => readMs),
    figure('skew', 'ms', ({ skewMs }) => skewMs, {
      note: samples
        .map(({ skewMs }) => skewMs)
        .toSorted((a, b) => a - b)
        .join(', '),
    }),
  ];
}
