// One object, from apply to Ready, with a provider that takes so long to make a branch.
import { keyOf } from '../../src/kit/kube.ts';
import { tally, type Audited } from './audit.ts';
import type { Calls } from './floor.ts';
import { atMost, ratios, type Figure } from './figures.ts';
import { Observer } from './observer.ts';
import { routeOf } from './provider.ts';
import { startStage, type Stage } from './stage.ts';
import type { Say } from './say.ts';

const delays = [
  { initMs: 0, rounds: 30 },
  { initMs: 700, rounds: 8 },
  { initMs: 1_300, rounds: 6 },
  { initMs: 1_700, rounds: 6 },
  { initMs: 3_000, rounds: 4 },
  { initMs: 10_000, rounds: 3 },
];

type Contender = 'operator' | Calls;
const contenders: readonly Contender[] = ['operator', 'same', 'needed'];

export async function one(say: Say): Promise<Figure[]> {
  await using stage = await startStage();
  for (const contender of contenders) await stage.namespace(contender);
  const figures: Figure[] = [];
  for (const delay of delays) figures.push(...(await measureDelay(stage, delay, say)));
  return figures;
}

interface Sample {
  readonly ms: number;
  /** Looks at the branch, the one that found it READY included. */
  readonly polls: number;
}

async function measureDelay(
  stage: Stage,
  { initMs, rounds }: { initMs: number; rounds: number },
  say: Say,
): Promise<Figure[]> {
  stage.provider.emulator.faults.set({ initMs });
  const operator = await stage.startOperator({ LAKEBRANCH_WATCH_NAMESPACES: 'operator' });
  const floors = await Promise.all(
    (['same', 'needed'] as const).map((calls) => stage.startFloor({ calls, namespace: calls, initMs })),
  );
  const samples: Record<Contender, Sample[]> = { operator: [], same: [], needed: [] };
  const first = await measure(stage, 'operator', `first-${initMs}`);
  for (const calls of ['same', 'needed'] as const) await measure(stage, calls, `first-${initMs}`);
  await stage.audit.mark();
  for (let round = 0; round < rounds; round++) {
    for (const contender of rotated(contenders, round))
      samples[contender].push(await measure(stage, contender, `${initMs}-${round}`));
    say(
      `${initMs / 1000} s: ${contenders.map((name) => `${name} ${Math.round(samples[name].at(-1)?.ms ?? 0)} ms`).join(', ')}`,
    );
  }
  await Promise.all([operator.stop(), ...floors.map((floor) => floor.stop())]);
  const measured = Array.from({ length: rounds }, (_, round) => `${initMs}-${round}`);
  const asked = (await stage.audit.requests('lakebranch')).filter(({ name }) =>
    measured.some((each) => isOf(name, each)),
  );
  return [...figuresOf(initMs, first, samples), ...requestFigures(initMs, rounds, asked)];
}

const rotated = <T>(list: readonly T[], by: number): T[] =>
  list.map((_, index) => list[(index + by) % list.length] as T);

async function measure(stage: Stage, contender: Contender, name: string): Promise<Sample> {
  await using observer = await Observer.start(stage.kube, contender);
  const before = stage.provider.requests.length;
  const sentAt = performance.now();
  await stage.apply(contender, name);
  const readyAt = await observer.allReady([keyOf({ namespace: contender, name })]);
  const asked = stage.provider.requests.slice(before);
  const posted = asked.findIndex(({ method, path }) => method === 'POST' && path.endsWith('/branches'));
  const looks = asked.slice(posted).filter((request) => routeOf(request) === 'GET projects/*/branches/*');
  return { ms: readyAt - sentAt, polls: looks.findIndex(({ state }) => state === 'READY') + 1 };
}

/** An Event is named after its object. */
const isOf = (name: string, object: string): boolean => name === object || name.startsWith(`${object}.`);

/** Events come after the object is Ready; the operator has written them before it ends. */
function requestFigures(initMs: number, objects: number, asked: readonly Audited[]): Figure[] {
  const what = `${providerOf(initMs)}: API-server requests per object`;
  const note = tally(asked.map(({ verb, resource }) => `${verb} ${resource}`));
  return [
    { row: 'one', what, unit: 'requests', samples: [asked.length / objects], note: `${objects} objects: ${note}` },
  ];
}

const providerOf = (initMs: number): string => (initMs === 0 ? 'instant provider' : `provider of ${initMs / 1000} s`);

function figuresOf(initMs: number, first: Sample, samples: Record<Contender, Sample[]>): Figure[] {
  const times = (contender: Contender): number[] => samples[contender].map(({ ms }) => ms);
  const figure = (what: string, unit: string, values: readonly number[], more: Partial<Figure> = {}): Figure => ({
    row: 'one',
    what: `${providerOf(initMs)}: ${what}`,
    unit,
    samples: values,
    ...more,
  });
  return [
    figure('over the floor with the same calls', '×', ratios(times('operator'), times('same')), {
      target: atMost(initMs === 0 ? 1.25 : 1.05),
    }),
    figure('over the floor with the needed calls', '×', ratios(times('operator'), times('needed'))),
    figure('apply → Ready', 'ms', times('operator')),
    figure('the floor with the same calls', 'ms', times('same')),
    figure('the floor with the needed calls', 'ms', times('needed')),
    figure(
      'looks until the branch was seen READY',
      'looks',
      samples.operator.map(({ polls }) => polls),
      {
        target: atMost(4),
      },
    ),
    figure('first object of a process: apply → Ready', 'ms', [first.ms]),
    figure('first object of a process: looks', 'looks', [first.polls]),
  ];
}
