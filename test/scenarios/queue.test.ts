// Ten branches are all that a project holds: who waits, for what, in which order, and what that costs.
import { afterEach, expect, test } from 'vitest';
import { branchClassResource, databaseBranchResource, namespaceResource } from '../../src/api/names.ts';
import type { BranchClass } from '../../src/api/v1alpha1/branch-class.ts';
import type { DatabaseBranch } from '../../src/api/v1alpha1/database-branch.ts';
import type { Change } from '../builders/merge.ts';
import { Scenario } from '../scenario.ts';

const hourMs = 3_600_000;
const minuteMs = 60_000;
let world: Scenario;
afterEach(() => world.stop());

const ready = (): string[] =>
  world
    .objects()
    .filter(({ metadata }) => world.ready(metadata.name, metadata.namespace) === 'True')
    .map(({ metadata }) => `${metadata.namespace}/${metadata.name}`)
    .sort();
const remove = (name: string, namespace = 'pr-1'): void =>
  world.kube.delete(databaseBranchResource, { namespace, name });
const place = (name: string, namespace = 'pr-1'): number | undefined =>
  world.object(name, namespace)?.status?.queue?.position;
const limits = (change: NonNullable<BranchClass['spec']['limits']>): Change<BranchClass>[] => [
  { spec: { limits: change } },
];

function begin(classes: Change<BranchClass>[] = [{}]): void {
  world = new Scenario({ classes, behaviour: { initMs: 300, deleteMs: 200 } });
  for (const name of ['pr-2', 'pr-3']) world.kube.addNamespace(name, { preview: 'true' });
  world.launch();
}

async function applied(
  names: readonly string[],
  namespace = 'pr-1',
  spec: Partial<DatabaseBranch['spec']> = {},
): Promise<void> {
  for (const name of names) {
    world.apply(name, spec, namespace);
    await world.settle(1000);
  }
}

const many = (prefix: string, count: number): string[] => Array.from({ length: count }, (_, n) => `${prefix}${n}`);

test('first come, first served, with the position told to each', async () => {
  begin();
  await applied(many('db', 12));
  await world.settle(minuteMs);
  expect(ready()).toHaveLength(9);
  expect([place('db9'), place('db10'), place('db11')]).toEqual([1, 2, 3]);
  remove('db0');
  await world.settle(minuteMs);
  expect(world.ready('db9')).toBe('True');
  expect(place('db9')).toBeUndefined();
  expect([place('db10'), place('db11')]).toEqual([1, 2]);
});

test('the next slot by expiry is told, and taken when it comes', async () => {
  begin();
  await applied(many('db', 9), 'pr-1', { expiration: { ttl: '10h' } });
  await applied(['late'], 'pr-1', { expiration: { ttl: '20h' } });
  await world.settle(minuteMs);
  const slotTime = Date.parse(world.object('late')?.status?.queue?.nextSlotTime ?? '');
  expect(slotTime).toBe(Date.parse(world.object('db0')?.status?.expiration?.expireTime ?? ''));
  await world.settle(10 * hourMs);
  expect(world.ready('late')).toBe('True');
});

test('a namespace with fewer branches comes before an older object of one with more', async () => {
  begin();
  await applied(many('a', 8), 'pr-1');
  await applied(['b'], 'pr-2');
  await applied(['a8'], 'pr-1');
  await applied(['c'], 'pr-3');
  await world.settle(minuteMs);
  expect([place('c', 'pr-3'), place('a8', 'pr-1')]).toEqual([1, 2]);
  remove('a0');
  await world.settle(minuteMs);
  expect(world.ready('c', 'pr-3')).toBe('True');
  expect(world.ready('a8')).toBe('False WaitingForBranchSlot');
});

test('perNamespace holds up its own namespace and nobody else', async () => {
  begin(limits({ perNamespace: 2 }));
  await applied(['a', 'b', 'c'], 'pr-1');
  await applied(['d'], 'pr-2');
  await world.settle(minuteMs);
  expect(ready()).toEqual(['pr-1/a', 'pr-1/b', 'pr-2/d']);
  expect(world.ready('c')).toBe('False NamespaceLimitReached');
  remove('a');
  await world.settle(minuteMs);
  expect(world.ready('c')).toBe('True');
});

test('total counts the class, reserve keeps slots free, and a class edited upwards lets more in', async () => {
  begin(limits({ total: 3, reserve: 1 }));
  await applied(many('db', 3));
  await world.settle(minuteMs);
  expect(ready()).toHaveLength(2);
  expect(world.ready('db2')).toBe('False ClassLimitReached');
  expect(world.kube.peek<BranchClass>(branchClassResource, { name: 'default' })?.status).toMatchObject({
    used: { branches: 2, limit: 3 },
    queued: 1,
  });
  world.kube.edit<BranchClass>(
    branchClassResource,
    { name: 'default' },
    ({ spec }) => void (spec.limits = { total: 4, reserve: 1 }),
  );
  await world.settle(minuteMs);
  expect(ready()).toHaveLength(3);
});

test('a class edited downwards takes nothing away', async () => {
  begin();
  await applied(many('db', 4));
  world.kube.edit<BranchClass>(
    branchClassResource,
    { name: 'default' },
    ({ spec }) => void (spec.limits = { total: 2 }),
  );
  await applied(['late']);
  await world.settle(10 * minuteMs);
  expect(ready()).toHaveLength(4);
  expect(world.ready('late')).toBe('False ClassLimitReached');
});

test('two classes of one project share its limit, and each has its own total', async () => {
  begin([{}, { metadata: { name: 'small' }, spec: { limits: { total: 1 } } }]);
  await applied(['s0', 's1'], 'pr-1', { className: 'small' });
  await applied(many('db', 8));
  await world.settle(minuteMs);
  expect(world.ready('s0')).toBe('True');
  expect(world.ready('s1')).toBe('False ClassLimitReached');
  await applied(['late']);
  await world.settle(minuteMs);
  expect(world.ready('late')).toBe('False WaitingForBranchSlot');
  expect(world.branches()).toHaveLength(9);
});

test('after a restart everybody has the place from before', async () => {
  begin();
  await applied(many('db', 13));
  await world.settle(minuteMs);
  const before = many('db', 13).map((name) => place(name));
  for (const { kill } of world.processes) kill();
  world.launch();
  await world.settle(2 * minuteMs);
  expect(many('db', 13).map((name) => place(name))).toEqual(before);
});

test('waiting costs one LIST per project every 30 seconds, however many wait', async () => {
  begin();
  await applied(many('db', 25));
  await world.settle(5 * minuteMs);
  const lists = (): number => world.emulator.admin.requests()['GET /api/2.0/postgres/projects/:project/branches'] ?? 0;
  const all = (): number => Object.values(world.emulator.admin.requests()).reduce((a, b) => a + b, 0);
  const [listsBefore, allBefore] = [lists(), all()];
  await world.settle(10 * minuteMs);
  expect(lists() - listsBefore).toBeLessThanOrEqual(22);
  // The rest are the tokens of those who are served.
  expect(all() - allBefore).toBeLessThanOrEqual(22 + 16 * 22 + 40);
});

test('an object that waits for a person holds up nobody', async () => {
  begin();
  await applied(many('db', 9));
  await applied(['wrong'], 'pr-1', { source: { branch: 'not-allowed' } });
  await applied(['late']);
  await world.settle(minuteMs);
  expect(place('late')).toBe(1);
});

test('a fork that waits for the branch of its parent does not keep the parent from its slot', async () => {
  begin();
  await applied(many('db', 8));
  await applied(['child'], 'pr-1', { source: { databaseBranchRef: { name: 'parent' } } });
  expect(world.ready('child')).toBe('False SourceRefNotFound');
  expect(world.condition('child', 'Stalled')).toBeUndefined();
  await applied(['parent'], 'pr-1', { children: 'Allow' });
  await world.settle(5 * minuteMs);
  expect(world.ready('parent')).toBe('True');
});

test('a reset that its class forbids keeps nobody waiting', async () => {
  begin();
  await applied(['reset'], 'pr-2');
  await applied(many('db', 7));
  world.kube.edit(namespaceResource, { name: 'pr-2' }, ({ metadata }) => void (metadata.labels = {}));
  await world.settle(minuteMs);
  world.kube.edit<DatabaseBranch>(databaseBranchResource, { namespace: 'pr-2', name: 'reset' }, ({ spec }) => {
    spec.reset = { token: '1', strategy: 'Switch', drain: '5m' };
  });
  await world.settle(minuteMs);
  await applied(['late']);
  await world.settle(minuteMs);
  expect(world.ready('reset', 'pr-2')).toBe('True');
  expect(world.ready('late')).toBe('True');
});
