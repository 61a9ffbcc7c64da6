// Ten thousand objects and a process that starts: how soon it has decided about each, what it asks for, how large it gets.
import { setTimeout as sleep } from 'node:timers/promises';
import { tally, withoutLease, type Audited } from './audit.ts';
import { atMost, type Figure } from './figures.ts';
import type { OperatorProcess } from './operator.ts';
import { routeOf } from './provider.ts';
import type { Say } from './say.ts';
import { expectReady, seed } from './seed.ts';
import { startStage, type Stage } from './stage.ts';

const objects = 10_000;
const perNamespace = 10;
const classes = Array.from({ length: 100 }, (_, index) => `shop-${index}`);
const hourMs = 3_600_000;

const idleMs = 20_000;
const settleMs = 15_000;
/** The promise is ten minutes; a little more, so that missing it shows. */
const readDeadlineMs = 660_000;

export async function restart(say: Say): Promise<Figure[]> {
  await using stage = await startStage({ classes, workspaces: 8 });
  const idle = await idleMemory(stage);
  say(`idle: ${idle.toFixed(0)} MB`);
  await seed(stage, {
    objects,
    perNamespace,
    classes,
    life: () => ({ issueTime: new Date(), expireTime: new Date(Date.now() + hourMs) }),
    onProgress: (done) => say(`${done} of ${objects} objects are there`),
  });
  await settle(stage);
  say('the operator has seen them once');
  return [memoryFigure('idle', idle, 96), ...(await measureRestart(stage, say))];
}

/** Watching, leading, and nothing to do. */
async function idleMemory(stage: Stage): Promise<number> {
  const operator = await stage.startOperator();
  await sleep(idleMs);
  const memory = await operator.memoryMB();
  await operator.stop();
  return memory;
}

/** A first start claims the classes and sets right what the seed may have got wrong; what is measured is the next one. */
async function settle(stage: Stage): Promise<void> {
  const operator = await stage.spawnOperator();
  await whenDecided(operator);
  await sleep(settleMs);
  await operator.stop();
  await expectReady(stage);
}

async function measureRestart(stage: Stage, say: Say): Promise<Figure[]> {
  const renewals = await renewalsOf(stage);
  await stage.audit.mark();
  const from = stage.provider.requests.length;
  const operator = await stage.spawnOperator();
  const decided = await whenDecided(operator);
  say(`decided after ${decided.toFixed(1)} s`);
  await sleep(Math.max(0, operator.startedAtMs + 10_000 - Date.now()));
  const asked = withoutLease(await stage.audit.requests('lakebranch'));
  const early = asked.filter(({ atMs }) => atMs < operator.startedAtMs + 10_000);
  await sleep(Math.max(0, operator.startedAtMs + 60_000 - Date.now()));
  const young = await operator.memoryMB();
  const readAll = await whenSecretsRead(stage, operator, say);
  const minted = stage.provider.requests.slice(from).filter(({ path }) => path === 'credentials').length;
  const due = [...renewals].filter((instant) => instant < Date.now()).length;
  const figures = [
    ...startFigures(decided, early),
    figure('tokens minted before their instant', 'tokens', Math.max(0, minted - due), { target: atMost(0) }),
    figure('every Secret read after', 's', readAll, { target: atMost(600) }),
    memoryFigure('10,000 objects, a minute after the start', young, 150),
    memoryFigure('10,000 objects, all Secrets read', await operator.memoryMB(), 150),
    figure('processor since the start', '% of a core', await cpuShare(operator)),
    figure(
      'provider requests per object since the start',
      'requests',
      (stage.provider.requests.length - from) / objects,
      {
        note: tally(stage.provider.requests.slice(from).map(routeOf)),
      },
    ),
  ];
  await operator.stop();
  return figures;
}

/** When each token is to be replaced, as the status says before the process starts. */
async function renewalsOf(stage: Stage): Promise<number[]> {
  const all = await stage.objects();
  return all.map(({ status }) => Date.parse(status?.credentials?.renewTime ?? ''));
}

const passes = 'controller_runtime_reconcile_total{controller="databasebranch"';
const depth = 'workqueue_depth{name="databasebranch",controller="databasebranch"}';

/** Seconds from the start of the process until as many passes have ended as there are objects, and none waits. */
async function whenDecided(operator: OperatorProcess): Promise<number> {
  for (;;) {
    const metrics = (await operator.metrics()) ?? new Map<string, number>();
    const ended = [...metrics].reduce((sum, [name, value]) => (name.startsWith(passes) ? sum + value : sum), 0);
    if (ended >= objects && metrics.get(depth) === 0) return (Date.now() - operator.startedAtMs) / 1000;
    await sleep(200);
  }
}

async function whenSecretsRead(stage: Stage, operator: OperatorProcess, say: Say): Promise<number> {
  for (let tick = 0; ; tick++) {
    const asked = await stage.audit.requests('lakebranch');
    const read = asked.filter(
      ({ verb, resource, namespace }) => verb === 'get' && resource === 'secrets' && namespace.startsWith('fleet-'),
    );
    const seconds = (Date.now() - operator.startedAtMs) / 1000;
    const names = new Set(read.map(({ namespace, name }) => `${namespace}/${name}`));
    if (names.size >= objects) return seconds;
    if (seconds * 1000 > readDeadlineMs) return Number.POSITIVE_INFINITY;
    if (tick % 6 === 0) say(`${names.size} of ${objects} Secrets read after ${seconds.toFixed(0)} s`);
    await sleep(10_000);
  }
}

async function cpuShare(operator: OperatorProcess): Promise<number> {
  return ((await operator.cpuSeconds()) / ((Date.now() - operator.startedAtMs) / 1000)) * 100;
}

const figure = (what: string, unit: string, sample: number, more: Partial<Figure> = {}): Figure => ({
  row: 'restart',
  what,
  unit,
  samples: [sample],
  ...more,
});

function startFigures(decided: number, early: readonly Audited[]): Figure[] {
  return [
    figure('10,000 objects: each decided after', 's', decided, { target: atMost(5) }),
    figure('API-server requests per object in the first 10 s', 'requests', early.length / objects, {
      target: atMost(0.05),
      note: tally(early.map(({ verb, resource }) => `${verb} ${resource}`)),
    }),
  ];
}

const memoryFigure = (what: string, megabytes: number, limit: number): Figure => ({
  row: 'memory',
  what,
  unit: 'MB',
  samples: [megabytes],
  target: atMost(limit),
});
