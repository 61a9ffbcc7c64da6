// A namespace with fifty objects is deleted; the provider takes so long to delete a branch.
import { namespaceResource } from '../../src/api/names.ts';
import { isNotFound, keyOf } from '../../src/kit/kube.ts';
import { until } from '../stack/until.ts';
import { atMost, type Figure } from './figures.ts';
import { Observer } from './observer.ts';
import type { Say } from './say.ts';
import { startStage, type Stage } from './stage.ts';

const objects = 50;
const rounds = 4;
const deleteMs = 1_000;

type Contender = 'operator' | 'floor';

interface Round {
  readonly overMs: number;
  readonly namespaceMs: number;
}

export async function namespace(say: Say): Promise<Figure[]> {
  await using stage = await startStage();
  stage.provider.emulator.faults.set({ deleteMs });
  const measured: Record<Contender, Round[]> = { operator: [], floor: [] };
  for (let round = 0; round < rounds; round++) {
    for (const contender of ['operator', 'floor'] as const) {
      const result = await measure(stage, contender, `${contender}-${round}`);
      measured[contender].push(result);
      say(`${contender}: the last of ${objects} objects was gone ${result.overMs.toFixed(0)} ms after it could be`);
    }
  }
  return figuresOf(measured);
}

function figuresOf({ operator, floor }: Record<Contender, Round[]>): Figure[] {
  const over = (list: readonly Round[]): number[] => list.map(({ overMs }) => overMs);
  const figure = (what: string, samples: readonly number[], more: Partial<Figure> = {}): Figure => ({
    row: 'namespace',
    what,
    unit: 'ms',
    samples,
    ...more,
  });
  return [
    figure(
      `${objects} objects: first terminates → last gone, over the provider's ${deleteMs / 1000} s`,
      over(operator),
      {
        target: atMost(400),
      },
    ),
    figure('the floor with the needed calls', over(floor)),
    figure(
      'the operator over the floor',
      over(operator).map((ms, index) => ms - (over(floor)[index] ?? Number.NaN)),
    ),
    figure(
      'the namespace itself: delete → gone',
      operator.map(({ namespaceMs }) => namespaceMs),
    ),
    figure(
      'the namespace itself, with the floor',
      floor.map(({ namespaceMs }) => namespaceMs),
    ),
  ];
}

async function measure(stage: Stage, contender: Contender, name: string): Promise<Round> {
  await stage.namespace(name);
  const process =
    contender === 'operator'
      ? await stage.startOperator({ LAKEBRANCH_WATCH_NAMESPACES: name })
      : await stage.startFloor({ calls: 'needed', namespace: name, initMs: 0, deleteMs });
  await using observer = await Observer.start(stage.kube, name);
  const names = Array.from({ length: objects }, (_, index) => `db-${index}`);
  await Promise.all(names.map((object) => stage.apply(name, object)));
  const keys = names.map((object) => keyOf({ namespace: name, name: object }));
  await observer.allReady(keys);
  const askedAt = performance.now();
  await stage.kube.remove(namespaceResource, { name });
  await until('all objects are gone', () => keys.every((key) => observer.goneAt.has(key)), { everyMs: 10 });
  await until('the namespace is gone', () => isGone(stage, name), { everyMs: 20 });
  const namespaceMs = performance.now() - askedAt;
  await process.stop();
  const first = Math.min(...observer.deletingAt.values());
  const last = Math.max(...observer.goneAt.values());
  return { overMs: last - first - deleteMs, namespaceMs };
}

async function isGone({ kube }: Stage, name: string): Promise<boolean> {
  try {
    await kube.get(namespaceResource, { name });
    return false;
  } catch (error) {
    if (isNotFound(error)) return true;
    throw error;
  }
}
