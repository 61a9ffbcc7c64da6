// The operator dies, or loses an answer, at every single write of a create and of a deletion; alone, or beside a second
// operator that also believes to lead. Every row of the crash walks for these flows is among the cases.
import { afterAll, expect, test } from 'vitest';
import { annotationKey, databaseBranchResource, secretResource } from '../../src/api/names.ts';
import type { Secret } from '../../src/credentials/secret.ts';
import type { KillPoint } from '../fakes/fence.ts';
import { Scenario, type ScenarioOptions } from '../scenario.ts';

const minuteMs = 60_000;
const hows = ['before', 'after', 'answerLost'] as const;
const behaviours: Readonly<Record<string, NonNullable<ScenarioOptions['behaviour']>>> = {
  'an instant provider': {},
  'a slow provider with a 404 window': {
    initMs: 900,
    operationMs: 400,
    deleteMs: 600,
    notFoundAfterCreateMs: 1500,
    settleMs: 200,
    loginRefusedMs: 3000,
  },
};
let cases = 0;
afterAll(() => process.stdout.write(`kill points: ${cases} cases\n`));

/** No Secret, at any time, named anything but the branch of its object; and there was never more than one branch. */
function expectNeverWrong(world: Scenario): void {
  const made = world.emulator.admin.log().filter(({ what }) => what === 'branch.create');
  expect(new Set(made.map(({ uid }) => uid)).size).toBe(1);
  const branch = world.emulator.admin.branches().find(({ uid }) => uid === made[0]?.uid);
  const [endpoint] = Object.values(branch?.endpoints ?? {});
  for (const { object } of world.kube.history<Secret>(secretResource, { namespace: 'pr-1', name: 'db' })) {
    expect(object.metadata.annotations?.[annotationKey.branchUid]).toBe(made[0]?.uid);
    if (endpoint) expect(Buffer.from(object.data?.['host'] ?? '', 'base64').toString()).toBe(endpoint.host);
  }
}

/** Writes that a flow makes when nothing goes wrong: the kill points. */
async function writesOf(
  flow: (world: Scenario) => Promise<void>,
  behaviour: ScenarioOptions['behaviour'],
): Promise<number> {
  const world = new Scenario(behaviour ? { behaviour } : {});
  const { fence } = world.launch();
  await flow(world);
  await world.stop();
  return fence.writes;
}

const create = async (world: Scenario): Promise<void> => {
  world.apply('db', { credentials: { database: 'databricks_postgres', tokenTTL: '1h' }, endpoint: { maxCU: 2 } });
  await world.settle(2 * minuteMs);
};

async function createWith(killAt: KillPoint, behaviour: ScenarioOptions['behaviour'], second: boolean): Promise<void> {
  const world = new Scenario(behaviour ? { behaviour } : {});
  cases += 1;
  world.launch(killAt);
  if (second) world.launch();
  await create(world);
  world.launch();
  await world.settle(5 * minuteMs);
  expect(world.ready('db'), world.describe()).toBe('True');
  expect(world.branches()).toHaveLength(1);
  expect(await world.opens('db')).toBe(true);
  expectNeverWrong(world);
  world.kube.delete(databaseBranchResource, { namespace: 'pr-1', name: 'db' });
  await world.settle(3 * minuteMs);
  expect(world.branches()).toHaveLength(0);
  expect(world.object('db')).toBeUndefined();
  expect(world.secret('db')).toBeUndefined();
  await world.stop();
}

async function deleteWith(
  killAt: KillPoint,
  behaviour: ScenarioOptions['behaviour'],
  when: 'ready' | 'early',
  second: boolean,
): Promise<void> {
  const world = new Scenario(behaviour ? { behaviour } : {});
  cases += 1;
  const first = world.launch();
  world.apply('db');
  if (when === 'ready') await world.settle(2 * minuteMs);
  else await world.until('the branch was asked for', () => world.branches().length > 0);
  first.kill();
  world.kube.delete(databaseBranchResource, { namespace: 'pr-1', name: 'db' });
  world.launch(killAt);
  if (second) world.launch();
  await world.settle(2 * minuteMs);
  world.launch();
  await world.settle(5 * minuteMs);
  expect(world.branches(), world.describe()).toHaveLength(0);
  expect(world.object('db'), world.describe()).toBeUndefined();
  expect(world.secret('db')).toBeUndefined();
  expectNeverWrong(world);
  await world.stop();
}

for (const [name, behaviour] of Object.entries(behaviours)) {
  for (const second of [false, true]) {
    const beside = second ? ', beside a second leader' : '';
    test(`a create is killed at every write, on ${name}${beside}`, async () => {
      const writes = await writesOf(create, behaviour);
      expect(writes).toBeGreaterThan(6);
      for (let write = 1; write <= writes + 2; write++)
        for (const how of hows) await createWith({ write, how }, behaviour, second);
    }, 300_000);

    test(`a deletion is killed at every write, on ${name}${beside}`, async () => {
      for (const when of ['ready', 'early'] as const) {
        for (let write = 1; write <= 6; write++)
          for (const how of hows) await deleteWith({ write, how }, behaviour, when, second);
      }
    }, 300_000);
  }
}
