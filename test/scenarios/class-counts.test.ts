// What a BranchClass says about the objects that use it.
import { afterEach, expect, test } from 'vitest';
import { branchClassResource, databaseBranchResource } from '../../src/api/names.ts';
import type { BranchClass } from '../../src/api/v1alpha1/branch-class.ts';
import type { DatabaseBranch } from '../../src/api/v1alpha1/database-branch.ts';
import { Scenario } from '../scenario.ts';

let world: Scenario;
afterEach(() => world.stop());

const classKey = { name: 'default' };
const bclass = (): BranchClass | undefined =>
  world.kube.history<BranchClass>(branchClassResource, classKey).at(-1)?.object;
/** How many branches the class said were used, each time that it said something else. */
const usedOverTime = (): number[] =>
  world.kube
    .history<BranchClass>(branchClassResource, classKey)
    .flatMap(({ object }) => object.status?.used?.branches ?? [])
    .filter((used, index, all) => used !== all[index - 1]);

test('a class tells how many branches are used, at most every 10 s', async () => {
  world = new Scenario();
  world.launch();
  await world.settle(1000);
  expect(bclass()?.status).toMatchObject({ used: { branches: 0, limit: 9 }, queued: 0, unleased: 0 });
  for (const name of ['a', 'b', 'c']) {
    world.apply(name);
    await world.settle(1000);
  }
  expect(bclass()?.status?.used?.branches).toBeLessThan(3);
  await world.settle(10_000);
  expect(bclass()?.status?.used?.branches).toBe(3);
  expect(usedOverTime().length).toBeLessThanOrEqual(3);
  await world.settle(10_000);
  world.kube.edit<DatabaseBranch>(databaseBranchResource, { namespace: 'pr-1', name: 'a' }, (object) => {
    object.status = { ...object.status, expiration: { enforcedBy: 'Operator' } };
  });
  await world.settle(1000);
  expect(bclass()?.status?.unleased).toBe(1);
});

test('everything else about a class is said at once, also while counts are held back', async () => {
  world = new Scenario();
  world.launch();
  await world.settle(20_000);
  for (const name of ['a', 'b']) {
    world.apply(name);
    await world.settle(1000);
  }
  expect(bclass()?.status?.used?.branches).toBe(1);
  world.kube.edit<BranchClass>(branchClassResource, classKey, ({ spec }) => {
    spec.expiration.default = '48h';
  });
  await world.settle(1000);
  expect(bclass()?.metadata.generation).toBe(2);
  expect(bclass()?.status?.observedGeneration).toBe(2);
  expect(bclass()?.status?.used?.branches).toBe(1);
  await world.settle(10_000);
  expect(bclass()?.status?.used?.branches).toBe(2);
});
