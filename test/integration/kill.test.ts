// The operator killed with SIGKILL at random moments, while branches are made and deleted: real processes, real Secrets.
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { branchTag } from '../../src/lakebase/ids.ts';
import { keyOf } from '../../src/kit/kube.ts';
import { findSecrets, secretsOf, textsOf } from '../stack/secrecy.ts';
import { branchesByOwner, untrueSecrets } from '../stack/truth.ts';
import { until } from '../stack/until.ts';
import { World, type Key } from '../stack/world.ts';

vi.setConfig({ testTimeout: 600_000 });

const seed = Number(process.env['LAKEBRANCH_SEED'] ?? 20_261_125);
/** At least so many; more are lived until there were enough kills. */
const lives = 24;
const enoughKills = lives / 2;
/** How many objects live at the same time; the provider allows nine beside production. */
const atOnce = 5;
const namespace = 'killed';

let world: World;

beforeAll(async () => {
  world = await World.start();
  // Real services take their time; without it the moments in between would hardly ever be hit.
  await world.stack.emulator.setBehaviour({ initMs: 400, operationMs: 150, deleteMs: 300 });
  await world.bclass();
  await world.namespace(namespace);
});
afterAll(() => world?.stop());

/** A repeatable stream of numbers in [0, 1). */
function randomFrom(start: number): () => number {
  let state = start;
  return () => (state = (state * 48_271) % 2_147_483_647) / 2_147_483_647;
}

test(`lives under kills leave one branch per object, then none, and no false Secret (seed ${seed})`, async () => {
  const random = randomFrom(seed);
  const born: Life[] = [];
  const killing = killAgainAndAgain(random);
  let begun = 0;
  const lanes = Array.from({ length: atOnce }, async () => {
    while (begun < lives || killing.count() < enoughKills)
      born.push(await live({ namespace, name: `db-${begun++}` }, random() < 0.35 ? random() * 2500 : undefined));
  });
  // Also when a life fails: nobody may go on killing.
  const lived = await Promise.allSettled(lanes);
  await killing.end();

  expect(lived.filter(({ status }) => status === 'rejected')).toEqual([]);
  expect(killing.count()).toBeGreaterThanOrEqual(enoughKills);
  expect(born).toHaveLength(begun);
  // A branch whose uid was never noted is said to be absent only by a process that has looked for a minute.
  await Promise.all(born.map(({ key }) => world.whenGone(key)));
  await expectOneBranchEach(born);
  await expectNothingLeft();
  await expectLawAndTruth();
});

interface Life {
  readonly key: Key;
  readonly uid: string;
  readonly ready: boolean;
}

/** Until it is Ready and gone again; with `patienceMs` it is deleted after that time, whatever has become of it. */
async function live(key: Key, patienceMs: number | undefined): Promise<Life> {
  const { metadata } = await world.apply(key);
  const ready = patienceMs === undefined;
  if (ready) await expectOpen(key);
  else await pause(patienceMs);
  await world.remove(key);
  if (ready) await world.whenGone(key);
  return { key, uid: metadata.uid ?? '', ready };
}

async function expectOpen(key: Key): Promise<void> {
  await world.whenReady(key);
  expect(await world.query(await world.secret(key), 'SELECT 1 AS one')).toEqual([{ one: 1 }]);
}

/** Kills after up to three seconds of life, starts again at once. */
function killAgainAndAgain(random: () => number): { count(): number; end(): Promise<void> } {
  let over = false;
  let kills = 0;
  const { operator } = world.stack;
  const killing = (async () => {
    while (!over) {
      await pause(100 + random() * 2900);
      await operator.kill();
      kills++;
      await operator.start();
    }
  })();
  return {
    count: () => kills,
    async end() {
      over = true;
      await killing;
    },
  };
}

async function expectOneBranchEach(born: readonly Life[]): Promise<void> {
  const byOwner = branchesByOwner(await world.stack.emulator.branches());
  for (const { uid, ready } of born) {
    const count = byOwner.get(branchTag(world.clusterID, uid))?.length ?? 0;
    expect(ready ? [1] : [0, 1]).toContain(count);
    byOwner.delete(branchTag(world.clusterID, uid));
  }
  expect([...byOwner.keys()]).toEqual([]);
}

async function expectNothingLeft(): Promise<void> {
  expect(await world.liveBranches()).toEqual([]);
  // The garbage collector takes the Secrets, in its own time.
  await until('all Secrets are gone', async () => {
    const left = new Map(world.recorder.secrets.map(({ is, object }) => [keyOf(object.metadata), is]));
    return [...left.values()].every((is) => is === 'DELETED');
  });
}

async function expectLawAndTruth(): Promise<void> {
  const { recorder, stack, clusterID } = world;
  expect(recorder.secrets.length).toBeGreaterThan(0);
  expect(untrueSecrets(recorder.secrets, await stack.emulator.branches(), clusterID)).toEqual([]);
  expect(recorder.breaches).toEqual([]);
  expect(findSecrets(await textsOf(world), secretsOf(world))).toEqual([]);
}
