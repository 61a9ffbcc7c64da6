// What a PointInTimeRestore brings back, row by row, while a writer is at work: through the operator as it is installed,
// the emulator's real WAL, and the login that the restored branch has of its own.
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { productionLogin } from '../../scripts/demo/production.ts';
import { pointInTimeRestoreResource } from '../../src/api/names.ts';
import type { PointInTimeRestore, PointInTimeRestoreSpec } from '../../src/api/v1alpha1/point-in-time-restore.ts';
import { formatLsn, readLsn } from '../../src/emulator/lsn.ts';
import { findCondition } from '../../src/kit/conditions.ts';
import { keyOf, type KubeObject } from '../../src/kit/kube.ts';
import { median } from '../bench/figures.ts';
import { Dice } from '../chaos/dice.ts';
import { complaintAbout, startSerialWriter, type SerialWriter } from '../emulator/serial-writer.ts';
import { untrueSecrets } from '../stack/truth.ts';
import { until } from '../stack/until.ts';
import { World, type Key } from '../stack/world.ts';

vi.setConfig({ testTimeout: 600_000 });

const seed = Number(process.env['SEED']) || Date.now() % 1_000_000;
const dice = new Dice(seed);
/** In [0, 1). */
const random = (): number => dice.roll(1_000_000) / 1_000_000;
/** The project has room for nine, and what is deleted takes a moment to be gone. */
const atOnce = 4;
const namespace = 'undo';

let world: World;
let writer: SerialWriter;

beforeAll(async () => {
  world = await World.start();
  await world.namespace(namespace);
  await world.bclass('default', { restore: { allowed: true } });
  const { ca, ...login } = await productionLogin(world.stack);
  writer = await startSerialWriter({ ...login, ssl: { ca } }, random);
});
afterAll(async () => {
  await writer?.stop();
  await world?.stop();
});

type Target = PointInTimeRestoreSpec['target'];

/** Of one restore that went as it should. */
interface Proven {
  readonly rows: number;
  readonly skewMs: number | undefined;
  readonly durationMs: number;
}

async function restored(name: string, target: Target): Promise<PointInTimeRestore> {
  const key: Key = { namespace, name };
  const spec = { source: { branch: 'production' }, target };
  await world.stack.kube.create<KubeObject>(pointInTimeRestoreResource, { metadata: key, spec } as KubeObject);
  let last: PointInTimeRestore | undefined;
  const over = await until(
    `${keyOf(key)} is over`,
    async () => {
      last = await world.stack.kube.get<PointInTimeRestore>(pointInTimeRestoreResource, key);
      const succeeded = findCondition(last.status?.conditions ?? [], 'Succeeded');
      return succeeded && succeeded.status !== 'Unknown' && last;
    },
    { everyMs: 100, describe: () => `status: ${JSON.stringify(last?.status)}` },
  );
  expect(findCondition(over.status?.conditions ?? [], 'Succeeded')?.status, JSON.stringify(over.status)).toBe('True');
  return over;
}

/** Restores, compares row by row, and gives the slot back. */
async function prove(name: string, pick: () => Target): Promise<Proven> {
  const target = pick();
  const { status = {} } = await restored(name, target);
  const rows = (await world.query(await world.secret({ namespace, name }), 'SELECT id FROM t ORDER BY id')) as {
    id: number;
  }[];
  const { actualTime = '', actualLSN = '' } = status;
  const reached = target.time === undefined ? { lsn: readLsn(actualLSN) } : { time: Date.parse(actualTime) };
  const said = JSON.stringify({ target, status, seed });
  expect(
    complaintAbout(
      rows.map(({ id }) => id),
      writer.rows,
      reached,
    ),
    said,
  ).toBeUndefined();
  if ('time' in reached) expect(reached.time, said).toBeLessThanOrEqual(Date.parse(target.time ?? ''));
  else expect(reached.lsn <= readLsn(target.lsn ?? ''), said).toBe(true);
  await world.remove({ namespace, name });
  await world.whenGone({ namespace, name });
  return {
    rows: rows.length,
    skewMs: 'time' in reached ? Date.parse(target.time ?? '') - reached.time : undefined,
    durationMs: status.durationMilliseconds ?? Number.NaN,
  };
}

/** A few at a time; each picks its moment when its turn comes. */
async function proveAll(names: readonly string[], pick: () => Target): Promise<Proven[]> {
  const left = [...names];
  const proven: Proven[] = [];
  const work = async (): Promise<void> => {
    for (let name = left.shift(); name !== undefined; name = left.shift()) proven.push(await prove(name, pick));
  };
  await Promise.all(Array.from({ length: atOnce }, work));
  return proven;
}

const names = (prefix: string, count: number): string[] => Array.from({ length: count }, (_, n) => `${prefix}${n}`);

/** At any millisecond since the table was surely there, up to now; `afterMs` later where the provider goes back further. */
const anyMoment = (afterMs: number) => (): Target => {
  const from = (writer.rows[0]?.acknowledged ?? Number.NaN) + afterMs;
  return { time: new Date(Math.floor(from + random() * (Date.now() - from))).toISOString() };
};

function anyPosition(): Target {
  const [first, last] = [writer.rows[0]?.after ?? 0n, writer.rows.at(-1)?.before ?? 0n];
  return { lsn: formatLsn(first + (BigInt(dice.roll(1_000_000)) * (last - first)) / 1_000_000n) };
}

/** Request to READY of every branch that was made of production, by the provider's own journal. */
async function providerMs(): Promise<number[]> {
  const journal = await world.stack.emulator.journal();
  const readyAt = new Map(journal.filter(({ what }) => what === 'branch.ready').map(({ uid, at }) => [uid, at]));
  return journal
    .filter(({ what, by }) => what === 'branch.create' && by !== undefined)
    .map(({ uid, at }) => Date.parse(readyAt.get(uid) ?? '') - Date.parse(at));
}

async function whenWriting(ms: number): Promise<void> {
  await until(`the writer has written for ${ms} ms`, () => {
    const [first, last] = [writer.rows[0], writer.rows.at(-1)];
    return first && last && last.acknowledged - first.acknowledged > ms;
  });
}

test(`20 moments and 5 positions, while a writer is at work, with seed ${seed}`, async () => {
  const startedAt = performance.now();
  // The moments that the emulator notes are a second apart.
  await whenWriting(4_000);
  const exact = await proveAll(names('moment', 10), anyMoment(2_000));
  const positions = await proveAll(names('position', 5), anyPosition);
  // As the provider does it: back to the last multiple of twelve seconds.
  await world.stack.emulator.setBehaviour({ sourceTimeSnapMs: 12_000 });
  await whenWriting(20_000);
  const snapped = await proveAll(names('snapped', 10), anyMoment(15_000));

  const all = [...exact, ...positions, ...snapped];
  expect(all).toHaveLength(25);
  // Else the proof would be of empty tables, or of one moment many times.
  expect(new Set(all.map(({ rows }) => rows)).size).toBeGreaterThan(8);
  expect(Math.max(...snapped.map(({ skewMs }) => skewMs ?? 0))).toBeGreaterThan(1_000);
  expect(world.recorder.breaches).toEqual([]);
  expect(untrueSecrets(world.recorder.secrets, await world.stack.emulator.branches(), world.clusterID)).toEqual([]);
  const each = all.map(({ durationMs }) => durationMs);
  const providers = await providerMs();
  process.stdout.write(
    `restores: seed ${seed}, ${all.length} proven against ${writer.rows.length} rows in ${Math.round((performance.now() - startedAt) / 1000)} s; ` +
      `each took ${median(each)} ms (at most ${Math.max(...each)} ms), ${atOnce} at a time; of it the provider ${median(providers)} ms\n`,
  );
});
