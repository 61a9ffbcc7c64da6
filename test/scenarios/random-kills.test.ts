// 200 objects come and go while the operator dies again and again, at moments that a seed chooses.
import { expect, test } from 'vitest';
import { annotationKey, databaseBranchResource, secretResource } from '../../src/api/names.ts';
import type { Secret } from '../../src/credentials/secret.ts';
import { parseBranchId } from '../../src/lakebase/ids.ts';
import { Scenario } from '../scenario.ts';

const minuteMs = 60_000;
const objects = 200;

/** xorshift32: the same moments for the same seed. */
function dice(seed: number): (sides: number) => number {
  let state = seed;
  return (sides) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % sides;
  };
}

test.each([1])(
  '200 creations and deletions under random kills, seed %i',
  async (seed) => {
    const roll = dice(seed * 7919);
    const world = new Scenario({
      behaviour: {
        initMs: 700,
        operationMs: 250,
        deleteMs: 400,
        notFoundAfterCreateMs: 500,
        loginRefusedMs: 800,
        limits: { unarchivedBranches: 500 },
      },
    });
    const hows = ['before', 'after', 'answerLost'] as const;
    let killed = 0;
    const launch = (): void => void world.launch({ write: 1 + roll(12), how: hows[roll(3)] ?? 'after' });
    launch();
    for (let n = 0; n < objects; n++) {
      world.apply(`db-${n}`);
      const victim = { namespace: 'pr-1', name: `db-${roll(n + 1)}` };
      if (roll(2) === 0 && world.object(victim.name)) world.kube.delete(databaseBranchResource, victim);
      await world.settle(roll(2500));
      // Now and then two run side by side, as when a leader is slow to notice that it lost its Lease.
      if (world.processes.at(-1)?.fence.dead || roll(8) === 0) {
        killed += 1;
        launch();
      }
    }
    world.launch();
    await world.settle(10 * minuteMs);
    const left = world.objects();
    expect(killed).toBeGreaterThan(20);
    expect(new Set(world.branches().map(({ id }) => id))).toEqual(
      new Set(left.map(({ status }) => status?.branch?.id)),
    );
    expect(world.branches()).toHaveLength(left.length);
    for (const { metadata } of left) {
      expect(world.ready(metadata.name), world.describe()).toBe('True');
      expect(await world.opens(metadata.name)).toBe(true);
    }
    expectSecretsNeverWrong(world);
    for (const { metadata } of left)
      world.kube.delete(databaseBranchResource, { namespace: 'pr-1', name: metadata.name });
    await world.settle(5 * minuteMs);
    expect(world.branches()).toEqual([]);
    expect(world.objects()).toEqual([]);
    await world.stop();
  },
  300_000,
);

/** Every version of every Secret named the host and uid of the one branch that its object's id belongs to. */
function expectSecretsNeverWrong(world: Scenario): void {
  const created = world.emulator.admin
    .log()
    .filter(({ what, name }) => what === 'branch.create' && parseBranchId(name.split('/').at(-1) ?? ''));
  const uidsById = Map.groupBy(created, ({ name }) => name);
  for (const uids of uidsById.values()) expect(new Set(uids.map(({ uid }) => uid)).size).toBe(1);
  const slugOf = (uid: string | undefined): string | undefined =>
    parseBranchId(
      created
        .find((entry) => entry.uid === uid)
        ?.name.split('/')
        .at(-1) ?? '',
    )?.slug;
  const secrets = world.kube
    .versions()
    .filter(
      ({ type, event, object }) =>
        type.plural === secretResource.plural && event !== 'DELETED' && object.metadata.namespace === 'pr-1',
    );
  expect(secrets.length).toBeGreaterThan(50);
  const hosts = new Map<string, string>();
  for (const { object } of secrets) {
    const secret = object as Secret;
    const uid = secret.metadata.annotations?.[annotationKey.branchUid] ?? '';
    expect(slugOf(uid)).toBe(`pr-1-${secret.metadata.name}`);
    const host = Buffer.from(secret.data?.['host'] ?? '', 'base64').toString();
    expect(hosts.get(host) ?? uid).toBe(uid);
    hosts.set(host, uid);
  }
}
