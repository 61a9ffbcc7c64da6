// Restores where all slots are taken: before every preview, beyond the limit of a namespace, into what a class reserves.
// And nobody gets that by writing the annotation of a restore.
import { afterEach, describe, expect, test } from 'vitest';
import { annotationKey, databaseBranchResource, pointInTimeRestoreResource } from '../../src/api/names.ts';
import type { BranchClass } from '../../src/api/v1alpha1/branch-class.ts';
import { databaseBranchSchema } from '../../src/api/v1alpha1/database-branch.ts';
import type { PointInTimeRestore } from '../../src/api/v1alpha1/point-in-time-restore.ts';
import { Scenario } from '../scenario.ts';

const hourMs = 3_600_000;
const minuteMs = 60_000;
const past = { time: '2026-11-25T10:56:02.000Z' };
const pr1 = 'pr-1';
let world: Scenario;
afterEach(() => world.stop());

/** Production and two more fill the project. */
const small = 3;

async function begin(
  limits: NonNullable<BranchClass['spec']['limits']> = {},
  via: 'Any' | 'PointInTimeRestoreOnly' = 'Any',
): Promise<void> {
  const restore = { allowed: true, maxAge: '168h', via };
  world = new Scenario({
    classes: [{ spec: { limits, restore } }, { metadata: { name: 'other' }, spec: { restore } }],
    behaviour: { initMs: 300, deleteMs: 200, limits: { unarchivedBranches: small } },
  });
  world.kube.addNamespace('pr-2', { preview: 'true' });
  await world.settle(3 * hourMs);
  world.launch();
}

async function previews(...names: string[]): Promise<void> {
  for (const name of names) {
    world.apply(name, { expiration: { ttl: '300h' } });
    await world.settle(2_000);
  }
}

const remove = (name: string): void => world.kube.delete(databaseBranchResource, { namespace: pr1, name });
const place = (name: string): number | undefined => world.object(name)?.status?.queue?.position;
const ids = (): string[] => world.branches().map(({ id }) => id);

describe('a restore in a full project', () => {
  test('gets the next free slot before previews that have waited for hours', async () => {
    await begin();
    await previews('a', 'b', 'c', 'd');
    await world.settle(2 * hourMs);
    expect([place('c'), place('d')]).toEqual([1, 2]);
    world.restore('undo', past);
    await world.settle();
    expect(world.succeeded('undo')).toBe('Unknown Restoring');
    expect([place('undo'), place('c'), place('d')]).toEqual([1, 2, 3]);
    remove('a');
    await world.settle();
    expect(world.succeeded('undo'), world.describe()).toBe('True Restored');
    expect(await world.opens('undo')).toBe(true);
    expect([world.ready('c'), world.ready('d')]).toEqual(Array(2).fill('False WaitingForBranchSlot'));
    remove('undo');
    await world.settle();
    expect([world.ready('c'), world.ready('d')]).toEqual(['True', 'False WaitingForBranchSlot']);
  });

  test('two restores go in the order in which they were made, and both before the previews', async () => {
    await begin();
    await previews('a', 'b', 'c');
    world.restore('first', past);
    await world.settle(2_000);
    world.restore('second', past);
    await world.settle();
    expect([place('first'), place('second'), place('c')]).toEqual([1, 2, 3]);
    remove('a');
    await world.settle();
    expect([world.succeeded('first'), world.succeeded('second')]).toEqual(['True Restored', 'Unknown Restoring']);
    remove('b');
    await world.settle();
    expect(world.succeeded('second'), world.describe()).toBe('True Restored');
    expect(world.ready('c')).toBe('False WaitingForBranchSlot');
  });

  test('takes at once the slot that its class reserves, which no preview gets, also not afterwards', async () => {
    await begin({ reserve: 1 });
    await previews('a', 'b');
    await world.settle(hourMs);
    expect([world.ready('a'), world.ready('b')]).toEqual(['True', 'False WaitingForBranchSlot']);
    world.restore('undo', past);
    await world.settle();
    expect(world.succeeded('undo'), world.describe()).toBe('True Restored');
    remove('undo');
    await world.settle(hourMs);
    expect(world.ready('b')).toBe('False WaitingForBranchSlot');
    expect(ids()).toHaveLength(1);
  });

  test('takes the reserved part of the total of its class, and no more than the total', async () => {
    await begin({ total: 2, reserve: 1 });
    await previews('a', 'b');
    expect(world.ready('b')).toBe('False ClassLimitReached');
    world.restore('one', past);
    world.restore('two', past);
    await world.settle();
    expect([world.succeeded('one'), world.succeeded('two')].sort()).toEqual(['True Restored', 'Unknown Restoring']);
  });

  test('does not count towards perNamespace: neither is it held up, nor does it hold up', async () => {
    await begin({ perNamespace: 1 });
    await previews('a', 'b');
    expect(world.ready('b')).toBe('False NamespaceLimitReached');
    world.restore('undo', past);
    await world.settle();
    expect(world.succeeded('undo'), world.describe()).toBe('True Restored');
    remove('a');
    await world.settle();
    expect(world.ready('b'), world.describe()).toBe('True');
  });

  test('whose restore was deleted while it waited is a preview like others', async () => {
    await begin();
    await previews('a', 'b', 'c');
    const restore = world.restore('undo', past);
    await world.settle();
    expect([place('undo'), place('c')]).toEqual([1, 2]);
    world.kube.delete(pointInTimeRestoreResource, { namespace: pr1, name: restore.metadata.name });
    await world.settle(2 * minuteMs);
    expect([place('c'), place('undo')]).toEqual([1, 2]);
    remove('a');
    await world.settle();
    expect([world.ready('c'), world.ready('undo')]).toEqual(['True', 'False WaitingForBranchSlot']);
  });
});

/** An object that asks for the past and says that this restore made it. */
function forge(uid: string | undefined, source: object = { branch: 'production', ...past, maxSkew: '60s' }): void {
  world.kube.seed(databaseBranchResource, {
    metadata: {
      namespace: pr1,
      name: 'forged',
      ...(uid === undefined ? {} : { annotations: { [annotationKey.restore]: uid } }),
    },
    ...databaseBranchSchema.parse({ spec: { source } }),
  });
}

const named = { branchTemplate: { metadata: { name: 'forged' } } };
const uidOf = ({ metadata }: PointInTimeRestore): string => metadata.uid ?? '';

/** What the annotation of the forged object names; made at the same instant as that. */
const forgeries: readonly (readonly [sentence: string, uid: () => string])[] = [
  ['a restore that there never was', () => '00000000-0000-4000-8000-000000000000'],
  ['a restore that makes an object of another name', () => uidOf(world.restore('real', past))],
  ['a restore to another instant', () => uidOf(world.restore('real', { time: '2026-11-25T10:40:00.000Z' }, named))],
  ['a restore with another maxSkew', () => uidOf(world.restore('real', past, { ...named, maxSkew: '61s' }))],
  [
    'a restore of another source',
    () => uidOf(world.restore('real', past, { ...named, source: { branch: 'staging-1' } })),
  ],
  [
    'a restore of another class',
    () => uidOf(world.restore('real', past, { ...named, source: { branch: 'production', className: 'other' } })),
  ],
  ['a restore of another namespace', () => uidOf(world.restore('real', past, named, 'pr-2'))],
];

describe('an object that only says that a restore made it', () => {
  test.each(forgeries)('names %s: it waits its turn, and gets nothing that is reserved', async (_sentence, uid) => {
    await begin({ reserve: 1 });
    await previews('a', 'b');
    forge(uid());
    await world.settle(10 * minuteMs);
    expect(world.ready('forged'), world.describe()).toBe('False WaitingForBranchSlot');
    expect(place('b')).toBeLessThan(place('forged') ?? 0);
    expect(ids().filter((id) => id.startsWith('pr-1-forged'))).toEqual([]);
  });

  test('counts towards perNamespace', async () => {
    await begin({ perNamespace: 1 });
    await previews('a');
    forge('00000000-0000-4000-8000-000000000000');
    await world.settle();
    expect(world.ready('forged')).toBe('False NamespaceLimitReached');
  });

  test.each(forgeries)(
    'names %s: where only restores may go back it makes nothing, and is told what to do',
    async (_sentence, uid) => {
      await begin({}, 'PointInTimeRestoreOnly');
      forge(uid());
      await world.settle(10 * minuteMs);
      expect(world.ready('forged'), world.describe()).toBe('False RestoreGone');
      expect(world.condition('forged', 'Stalled')?.message).toMatch(/gone or asks for something else.*create another/);
      expect(ids().filter((id) => id.startsWith('pr-1-forged'))).toEqual([]);
    },
  );

  test('without a name, where only restores may go back: it makes nothing, and is told of the other kind', async () => {
    await begin({}, 'PointInTimeRestoreOnly');
    forge(undefined);
    await world.settle(10 * minuteMs);
    expect(world.ready('forged')).toBe('False RestoreNotAllowed');
    expect(world.condition('forged', 'Stalled')?.message).toMatch(/only through a PointInTimeRestore.*create one/);
    expect(ids()).toEqual([]);
  });
});
