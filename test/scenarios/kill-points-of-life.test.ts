// As kill-points.test.ts, for what happens after the first create: reset, rotation, lease, expiry. The operator dies, or
// loses an answer, at every single write of each; alone, or beside a second operator that also believes to lead.
import { afterAll, expect, test } from 'vitest';
import { annotationKey, databaseBranchResource, secretResource } from '../../src/api/names.ts';
import type { DatabaseBranch } from '../../src/api/v1alpha1/database-branch.ts';
import type { Secret } from '../../src/credentials/secret.ts';
import type { KillPoint } from '../fakes/fence.ts';
import { Scenario } from '../scenario.ts';

const hourMs = 3_600_000;
const minuteMs = 60_000;
const hows = ['before', 'after', 'answerLost'] as const;
const behaviour = {
  initMs: 900,
  operationMs: 400,
  deleteMs: 600,
  notFoundAfterCreateMs: 1500,
  settleMs: 200,
  loginRefusedMs: 3000,
};
const db = { namespace: 'pr-1', name: 'db' };
let cases = 0;
afterAll(() => process.stdout.write(`kill points of life: ${cases} cases\n`));

const edit = (world: Scenario, change: (object: DatabaseBranch) => void): void =>
  void world.kube.edit<DatabaseBranch>(databaseBranchResource, db, change);
const setToken = (world: Scenario, token: string, strategy: 'Switch' | 'Replace' = 'Switch'): void =>
  edit(world, ({ spec }) => void (spec.reset = { strategy, drain: '5m', token }));
const ids = (world: Scenario): string[] => world.branches().map(({ id }) => id);

interface Flow {
  readonly name: string;
  readonly ttl: string;
  /** Begins it, and lets it run for as long as it takes when nothing goes wrong. */
  readonly run: (world: Scenario) => Promise<void>;
  /** What must be so in the end. */
  readonly expectAfter: (world: Scenario, first: string) => Promise<void>;
  /** At least so many writes are its own. */
  readonly writes: number;
}

async function expectServed(world: Scenario, count = 1): Promise<void> {
  expect(world.ready('db'), world.describe()).toBe('True');
  expect(ids(world)).toHaveLength(count);
  expect(ids(world)).toContain(world.object('db')?.status?.branch?.id);
  expect(await world.opens('db')).toBe(true);
}

const flows: readonly Flow[] = [
  {
    name: 'a reset',
    ttl: '300h',
    run: async (world) => {
      setToken(world, '1');
      await world.settle(2 * minuteMs);
    },
    expectAfter: async (world, first) => {
      await world.settle(15 * minuteMs);
      await expectServed(world);
      expect(ids(world)).not.toContain(first);
      expect(world.object('db')?.status?.branch?.resetToken).toBe('1');
    },
    writes: 7,
  },
  {
    name: 'a reset that replaces',
    ttl: '300h',
    run: async (world) => {
      setToken(world, '1', 'Replace');
      await world.settle(2 * minuteMs);
    },
    expectAfter: async (world, first) => {
      await world.settle(15 * minuteMs);
      await expectServed(world);
      expect(ids(world)).not.toContain(first);
    },
    writes: 7,
  },
  {
    name: 'a reset that is taken back half-way',
    ttl: '300h',
    run: async (world) => {
      setToken(world, '1');
      await world.settle(700);
      setToken(world, '');
      await world.settle(2 * minuteMs);
    },
    expectAfter: async (world, first) => {
      await world.settle(15 * minuteMs);
      // Once it was switched, the token that was taken back may already be used up; then what is served stays.
      if (world.ready('db') !== 'False ResetTokenReused') await expectServed(world);
      else expect(await world.opens('db')).toBe(true);
      expect(world.kube.peek<Secret>(secretResource, db)).toBeDefined();
      expect(first).not.toBe('');
    },
    writes: 2,
  },
  {
    name: 'a deletion in the middle of a reset',
    ttl: '300h',
    run: async (world) => {
      setToken(world, '1');
      await world.settle(2000);
      world.kube.delete(databaseBranchResource, db);
      await world.settle(2 * minuteMs);
    },
    expectAfter: async (world) => {
      await world.settle(5 * minuteMs);
      expect(world.object('db'), world.describe()).toBeUndefined();
      expect(ids(world)).toEqual([]);
      expect(world.secret('db')).toBeUndefined();
    },
    writes: 4,
  },
  {
    name: 'a rotation',
    ttl: '300h',
    run: async (world) => {
      edit(world, ({ spec }) => void (spec.credentials.rotateToken = 'now'));
      await world.settle(minuteMs);
    },
    expectAfter: async (world, first) => {
      await expectServed(world);
      expect(ids(world)).toEqual([first]);
      expect(world.object('db')?.status?.observedGeneration).toBe(world.object('db')?.metadata.generation);
    },
    writes: 3,
  },
  {
    name: 'half a day of renewals and a lease',
    ttl: '300h',
    run: (world) => world.settle(13 * hourMs),
    expectAfter: async (world, first) => {
      await expectServed(world);
      expect(ids(world)).toEqual([first]);
      const leftMs = (world.branches()[0]?.expiresAt ?? 0) - world.clock.now().getTime();
      expect(leftMs).toBeGreaterThan(83 * hourMs);
    },
    writes: 3,
  },
  {
    name: 'an expiry',
    ttl: '2h',
    run: (world) => world.settle(2 * hourMs + minuteMs),
    expectAfter: async (world) => {
      await world.settle(5 * minuteMs);
      expect(world.ready('db'), world.describe()).toBe('False Expired');
      expect(ids(world)).toEqual([]);
      expect(world.secret('db')).toBeUndefined();
      edit(world, ({ spec }) => void (spec.expiration = { ttl: '200h' }));
      await world.settle(5 * minuteMs);
      expect(ids(world)).toEqual([]);
    },
    writes: 3,
  },
];

/** An object that is served; its first operator is gone. */
async function served(ttl: string): Promise<{ world: Scenario; first: string }> {
  const world = new Scenario({ behaviour });
  const { kill } = world.launch();
  world.apply('db', { expiration: { ttl } });
  await world.until('it is served', () => world.ready('db') === 'True');
  await world.settle(5000);
  kill();
  return { world, first: world.object('db')?.status?.branch?.id ?? '' };
}

/** Every version of the Secret named a branch of this object, with the host of that very branch. */
function expectSecretsNeverWrong(world: Scenario): void {
  const hosts = new Map(
    world.emulator.admin.branches().map((branch) => [branch.id, Object.values(branch.endpoints)[0]?.host]),
  );
  for (const { event, object } of world.kube.history<Secret>(secretResource, db)) {
    const id = object.metadata.annotations?.[annotationKey.branchId] ?? '';
    expect(id).toMatch(/^pr-1-db-/);
    const host = Buffer.from(object.data?.['host'] ?? '', 'base64').toString();
    if (event !== 'DELETED' && hosts.get(id) !== undefined) expect(host).toBe(hosts.get(id));
  }
}

async function runWith({ ttl, run, expectAfter }: Flow, killAt: KillPoint, second: boolean): Promise<void> {
  cases += 1;
  const { world, first } = await served(ttl);
  world.launch(killAt);
  if (second) world.launch();
  await run(world);
  for (const { kill } of world.processes) kill();
  world.launch();
  await world.settle(2 * minuteMs);
  await expectAfter(world, first);
  expectSecretsNeverWrong(world);
  const made = world.emulator.admin.log().filter(({ what }) => what === 'branch.create');
  expect(new Set(made.map(({ name }) => name)).size).toBe(made.length);
  await world.stop();
}

async function writesOf({ ttl, run }: Flow): Promise<number> {
  const { world } = await served(ttl);
  const { fence } = world.launch();
  await run(world);
  await world.stop();
  return fence.writes;
}

for (const flow of flows)
  for (const second of [false, true])
    test(`${flow.name} is killed at every write${second ? ', beside a second leader' : ''}`, async () => {
      const writes = await writesOf(flow);
      expect(writes).toBeGreaterThanOrEqual(flow.writes);
      // Of a long flow the writes repeat; the first ones stand for all.
      for (let write = 1; write <= Math.min(writes + 1, 24); write++)
        for (const how of hows) await runWith(flow, { write, how }, second);
    }, 600_000);
