// As kill-points.test.ts, for a restore: the operator dies, or loses an answer, at every single write of it and of the
// object that it makes; alone, or beside a second operator that also believes to lead.
import { afterAll, expect, test } from 'vitest';
import { annotationKey, databaseBranchResource, pointInTimeRestoreResource } from '../../src/api/names.ts';
import type { PointInTimeRestore } from '../../src/api/v1alpha1/point-in-time-restore.ts';
import { findCondition } from '../../src/kit/conditions.ts';
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
const undo = { namespace: 'pr-1', name: 'undo' };
let cases = 0;
afterAll(() => process.stdout.write(`kill points of a restore: ${cases} cases\n`));

interface Flow {
  readonly name: string;
  /** The provider goes back to the last multiple of so many ms. */
  readonly sourceTimeSnapMs: number;
  readonly via: 'Any' | 'PointInTimeRestoreOnly';
  /** What a person does once the first operator is dead, or has done all it could. */
  readonly meanwhile: (world: Scenario) => void;
  /** What must be so in the end. */
  readonly expectAfter: (world: Scenario) => Promise<void>;
  /** At least so many writes are its own. */
  readonly writes: number;
}

const objects = (world: Scenario): number =>
  world.kube.history(databaseBranchResource, undo).filter(({ event }) => event === 'ADDED').length;

const flows: readonly Flow[] = [
  {
    name: 'a restore',
    sourceTimeSnapMs: 12_000,
    via: 'PointInTimeRestoreOnly',
    meanwhile: () => {},
    expectAfter: async (world) => {
      expect(world.succeeded('undo'), world.describe()).toBe('True Restored');
      expect(world.restored('undo')?.status).toMatchObject({ skewSeconds: 2, branchRef: { name: 'undo' } });
      expect(await world.opens('undo')).toBe(true);
      expect(world.branches()).toHaveLength(1);
      expect(objects(world)).toBe(1);
    },
    writes: 12,
  },
  {
    name: 'a restore that is too far off',
    sourceTimeSnapMs: 3_600_000,
    via: 'PointInTimeRestoreOnly',
    meanwhile: () => {},
    expectAfter: (world) => {
      expect(world.succeeded('undo'), world.describe()).toBe('False TimeSkewTooLarge');
      expect(world.restored('undo')?.status).toMatchObject({ skewSeconds: 56 * 60 + 2 });
      expect(world.secret('undo')).toBeUndefined();
      expect(world.branches()).toHaveLength(0);
      expect(objects(world)).toBe(1);
      return Promise.resolve();
    },
    writes: 8,
  },
  {
    name: 'a restore that is deleted meanwhile',
    sourceTimeSnapMs: 12_000,
    // Without its restore the object could not begin any more where only restores may.
    via: 'Any',
    meanwhile: (world) => world.kube.delete(pointInTimeRestoreResource, undo),
    expectAfter: async (world) => {
      // Either nothing was made, or an object that owns its branch.
      expect(objects(world)).toBeLessThanOrEqual(1);
      expect(world.branches(), world.describe()).toHaveLength(objects(world));
      if (objects(world) === 0) return;
      expect(await world.opens('undo'), world.describe()).toBe(true);
      world.kube.delete(databaseBranchResource, undo);
      await world.settle(2 * minuteMs);
      expect(world.branches(), world.describe()).toHaveLength(0);
      expect(world.object('undo')).toBeUndefined();
    },
    writes: 12,
  },
];

async function begun({ sourceTimeSnapMs, via }: Flow): Promise<Scenario> {
  const world = new Scenario({
    behaviour: { ...behaviour, sourceTimeSnapMs },
    classes: [{ spec: { restore: { allowed: true, maxAge: '168h', via } } }],
  });
  await world.settle(3 * hourMs);
  return world;
}

async function run(world: Scenario): Promise<void> {
  world.restore('undo', { time: '2026-11-25T10:56:02Z' });
  await world.settle(2 * minuteMs);
}

async function writesOf(flow: Flow): Promise<number> {
  const world = await begun(flow);
  const { fence } = world.launch();
  await run(world);
  await world.stop();
  return fence.writes;
}

/** No status said how it ended before the annotation did, and what that said once it says for ever. */
function expectMarkedFirst(world: Scenario): void {
  const marks = new Set<string>();
  for (const { object } of world.kube.history<PointInTimeRestore>(pointInTimeRestoreResource, undo)) {
    const mark = object.metadata.annotations?.[annotationKey.ended];
    if (mark !== undefined) marks.add(mark);
    const over = findCondition(object.status?.conditions ?? [], 'Succeeded')?.status !== 'Unknown';
    expect(over && mark === undefined).toBe(false);
  }
  expect(marks.size).toBeLessThanOrEqual(1);
}

async function runWith(flow: Flow, killAt: KillPoint, second: boolean): Promise<void> {
  cases += 1;
  const world = await begun(flow);
  world.launch(killAt);
  if (second) world.launch();
  await run(world);
  for (const { kill } of world.processes) kill();
  flow.meanwhile(world);
  world.launch();
  await world.settle(5 * minuteMs);
  await flow.expectAfter(world);
  expectMarkedFirst(world);
  const made = world.emulator.admin.log().filter(({ what }) => what === 'branch.create');
  expect(made.length).toBeLessThanOrEqual(1);
  await world.stop();
}

for (const flow of flows)
  for (const second of [false, true])
    test(`${flow.name} is killed at every write${second ? ', beside a second leader' : ''}`, async () => {
      const writes = await writesOf(flow);
      expect(writes).toBeGreaterThanOrEqual(flow.writes);
      for (let write = 1; write <= writes + 2; write++)
        for (const how of hows) await runWith(flow, { write, how }, second);
    }, 300_000);
