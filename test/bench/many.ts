// Hundreds of objects at once, from the first apply to the last Ready.
import { keyOf } from '../../src/kit/kube.ts';
import { tally, withoutLease } from './audit.ts';
import { atMost, ratios, type Figure } from './figures.ts';
import type { Calls } from './floor.ts';
import { Observer } from './observer.ts';
import { routeOf } from './provider.ts';
import type { Say } from './say.ts';
import { startStage, type Stage } from './stage.ts';

/** The provider holds at most 500 branches in a project. */
const perProject = 100;
/** Each has a budget of requests of its own; the largest that can be set must not be what is measured. */
const workspaces = 8;

interface Size {
  readonly objects: number;
  readonly rounds: number;
  readonly contenders: readonly Contender[];
}

const sizes: readonly Size[] = [
  { objects: 500, rounds: 3, contenders: ['same', 'operator', 'needed'] },
  { objects: 2_000, rounds: 2, contenders: ['same', 'operator'] },
];

type Contender = 'operator' | Calls;

interface Run {
  readonly contender: Contender;
  readonly seconds: number;
  readonly apiRequests: number;
  readonly apiTally: string;
  readonly providerRequests: number;
  readonly providerTally: string;
}

export async function many(say: Say): Promise<Figure[]> {
  const figures: Figure[] = [];
  for (const size of sizes) {
    const runs: Run[] = [];
    for (let round = 0; round < size.rounds; round++) runs.push(...(await measureRound(size, round, say)));
    figures.push(...figuresOf(size.objects, runs));
  }
  return figures;
}

/** All on one stage, one after another; who comes first changes from round to round. */
async function measureRound({ objects, contenders }: Size, round: number, say: Say): Promise<Run[]> {
  const order = round % 2 === 0 ? contenders : contenders.toReversed();
  const classesOf = (contender: Contender): string[] =>
    Array.from({ length: Math.ceil(objects / perProject) }, (_, index) => `${contender}-${index}`);
  await using stage = await startStage({ classes: order.flatMap(classesOf), workspaces });
  const runs: Run[] = [];
  for (const contender of order) {
    await stage.namespace(contender);
    const from = stage.provider.requests.length;
    const stop = await startContender(stage, contender);
    const run = await measure(stage, contender, classesOf(contender), objects);
    await stop();
    runs.push({ ...run, ...(await requestsOf(stage, contender, objects, from)) });
    say(`${objects} objects: ${contender} ${run.seconds.toFixed(1)} s`);
  }
  return runs;
}

async function startContender(stage: Stage, contender: Contender): Promise<() => Promise<void>> {
  await stage.audit.mark();
  const process =
    contender === 'operator'
      ? await stage.startOperator({ LAKEBRANCH_WATCH_NAMESPACES: contender })
      : await stage.startFloor({ calls: contender, namespace: contender, initMs: 0 });
  return () => process.stop();
}

async function measure(
  stage: Stage,
  contender: Contender,
  classes: readonly string[],
  objects: number,
): Promise<{ contender: Contender; seconds: number }> {
  await using observer = await Observer.start(stage.kube, contender);
  const names = Array.from({ length: objects }, (_, index) => `db-${index}`);
  const startedAt = performance.now();
  await Promise.all(names.map((name, index) => stage.apply(contender, name, classes[index % classes.length])));
  const readyAt = await observer.allReady(names.map((name) => keyOf({ namespace: contender, name })));
  return { contender, seconds: (readyAt - startedAt) / 1000 };
}

async function requestsOf(
  stage: Stage,
  contender: Contender,
  objects: number,
  from: number,
): Promise<Omit<Run, 'contender' | 'seconds'>> {
  const agent = contender === 'operator' ? 'lakebranch' : 'floor';
  const asked = withoutLease(await stage.audit.requests(agent));
  const provider = stage.provider.requests.slice(from).filter((request) => request.agent.startsWith(agent));
  return {
    apiRequests: asked.length / objects,
    apiTally: tally(asked.map(({ verb, resource }) => `${verb} ${resource}`)),
    providerRequests: provider.length / objects,
    providerTally: tally(provider.map(routeOf)),
  };
}

function figuresOf(objects: number, runs: readonly Run[]): Figure[] {
  const of = (contender: Contender): Run[] => runs.filter((run) => run.contender === contender);
  const seconds = (contender: Contender): number[] => of(contender).map((run) => run.seconds);
  const operator = of('operator');
  const figure = (what: string, unit: string, samples: readonly number[], more: Partial<Figure> = {}): Figure => ({
    row: 'many',
    what: `${objects} objects at once: ${what}`,
    unit,
    samples,
    ...more,
  });
  const neededFigures =
    of('needed').length === 0
      ? []
      : [
          figure('over the floor with the needed calls', '×', ratios(seconds('operator'), seconds('needed'))),
          figure('the floor with the needed calls', 's', seconds('needed')),
        ];
  return [
    figure('over the floor with the same calls', '×', ratios(seconds('operator'), seconds('same')), {
      target: atMost(1.3),
    }),
    ...neededFigures,
    figure('first apply → last Ready', 's', seconds('operator')),
    figure('the floor with the same calls', 's', seconds('same')),
    figure(
      'API-server requests per object',
      'requests',
      operator.map((run) => run.apiRequests),
      {
        target: atMost(4),
        note: operator.at(-1)?.apiTally ?? '',
      },
    ),
    figure(
      'provider requests per object',
      'requests',
      operator.map((run) => run.providerRequests),
      {
        note: operator.at(-1)?.providerTally ?? '',
      },
    ),
  ];
}
