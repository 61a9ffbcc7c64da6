// Tokens that live two minutes instead of an hour: two thousand objects then rotate as often as sixty thousand do.
import { setTimeout as sleep } from 'node:timers/promises';
import { annotationKey, managedByLabel, secretResource } from '../../src/api/names.ts';
import { renewTime } from '../../src/credentials/plan.ts';
import type { Secret } from '../../src/credentials/secret.ts';
import { systemClock } from '../../src/kit/clock.ts';
import { keyOf } from '../../src/kit/kube.ts';
import { Reflector } from '../../src/kit/reflector.ts';
import { tally, withoutLease } from './audit.ts';
import { atMost, quantile, type Figure } from './figures.ts';
import { routeOf } from './provider.ts';
import type { Say } from './say.ts';
import { expectReady, seed, type Life } from './seed.ts';
import { startStage, type Stage } from './stage.ts';

const perSecond = 33;
const lifeMs = 120_000;
const meanIntervalMs = lifeMs / 2;
const objects = (perSecond * meanIntervalMs) / 1000;
const classes = Array.from({ length: 20 }, (_, index) => `shop-${index}`);

/** After a start Secrets are read 20 a second; then one turn of all tokens, so that what the start has delayed is over. */
const warmUpMs = (objects / 20) * 1000 + meanIntervalMs + 20_000;
const windowMs = 60_000;

export async function rotation(say: Say): Promise<Figure[]> {
  await using stage = await startStage({ classes, workspaces: 4 });
  stage.provider.emulator.faults.set({ grantedSeconds: lifeMs / 1000 });
  await seed(stage, {
    objects,
    perNamespace: 20,
    classes,
    life: (index) => staggered(index),
    onProgress: (done) => say(`${done} of ${objects} objects are there`),
  });
  const operator = await stage.startOperator();
  await using watch = await RotationWatch.start(stage);
  say(`waiting ${warmUpMs / 1000} s until all Secrets are read and all tokens have turned once`);
  await sleep(warmUpMs);
  await expectReady(stage);
  const window = await measureWindow(stage, watch, () => operator.cpuSeconds());
  say(`${window.rotations} rotations in ${window.seconds.toFixed(0)} s`);
  await operator.stop();
  return figuresOf(window);
}

/** As if the tokens had been minted evenly over one interval, the first of which is about to end. */
function staggered(index: number): Life {
  const issuedMs = Date.now() - meanIntervalMs * (1 - index / objects) + 30_000;
  return { issueTime: new Date(issuedMs), expireTime: new Date(issuedMs + lifeMs) };
}

interface Window {
  readonly seconds: number;
  readonly rotations: number;
  readonly latenessMs: readonly number[];
  readonly cpuShare: number;
  readonly apiRequests: readonly string[];
  readonly providerRequests: readonly string[];
}

async function measureWindow(stage: Stage, watch: RotationWatch, cpuSeconds: () => Promise<number>): Promise<Window> {
  await stage.audit.mark();
  const from = stage.provider.requests.length;
  const cpuBefore = await cpuSeconds();
  const startedAt = performance.now();
  watch.latenessMs.length = 0;
  await sleep(windowMs);
  const latenessMs = [...watch.latenessMs];
  const seconds = (performance.now() - startedAt) / 1000;
  const cpuShare = ((await cpuSeconds()) - cpuBefore) / seconds;
  const asked = withoutLease(await stage.audit.requests('lakebranch'));
  const provider = stage.provider.requests.slice(from).filter(({ agent }) => agent.startsWith('lakebranch'));
  return {
    seconds,
    rotations: latenessMs.length,
    latenessMs,
    cpuShare,
    apiRequests: asked.map(({ verb, resource }) => `${verb} ${resource}`),
    providerRequests: provider.map(routeOf),
  };
}

/** Notes how long after its instant each token was replaced, as somebody sees it who watches the Secrets. */
class RotationWatch implements AsyncDisposable {
  readonly latenessMs: number[] = [];
  readonly #due = new Map<string, Date>();
  readonly #stop = new AbortController();
  #watching: Promise<void> = Promise.resolve();

  static async start({ kube }: Stage): Promise<RotationWatch> {
    const watch = new RotationWatch();
    const reflector = new Reflector<Secret>(
      {
        kube,
        type: secretResource,
        clock: systemClock,
        labelSelector: `${managedByLabel.key}=${managedByLabel.value}`,
      },
      (change, secret) => change !== 'delete' && watch.#note(secret),
    );
    watch.#watching = reflector.run(watch.#stop.signal);
    await reflector.whenSynced;
    return watch;
  }

  #note({ metadata }: Secret): void {
    const { annotations = {}, ownerReferences = [] } = metadata;
    const time = (key: keyof typeof annotationKey): Date => new Date(annotations[annotationKey[key]] ?? '');
    const due = this.#due.get(keyOf(metadata));
    const next = renewTime(
      { issueTime: time('issueTime'), expireTime: time('expireTime') },
      ownerReferences[0]?.uid ?? '',
    );
    if (due && due.getTime() !== next.getTime()) this.latenessMs.push(Date.now() - due.getTime());
    this.#due.set(keyOf(metadata), next);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort(new Error('the watch was stopped'));
    await this.#watching;
  }
}

function figuresOf(window: Window): Figure[] {
  const { rotations, seconds, latenessMs, cpuShare, apiRequests, providerRequests } = window;
  const figure = (what: string, unit: string, sample: number, more: Partial<Figure> = {}): Figure => ({
    row: 'rotation',
    what,
    unit,
    samples: [sample],
    ...more,
  });
  return [
    figure(`rotations (${perSecond} are due)`, '1/s', rotations / seconds),
    figure('API-server requests per rotation', 'requests', apiRequests.length / rotations, {
      target: atMost(2),
      note: tally(apiRequests),
    }),
    figure('provider requests per rotation', 'requests', providerRequests.length / rotations, {
      target: atMost(1),
      note: tally(providerRequests),
    }),
    figure('lateness, median', 'ms', quantile(latenessMs, 0.5)),
    figure('lateness, 99 of 100', 'ms', quantile(latenessMs, 0.99), { target: atMost(100) }),
    figure('processor', '% of a core', cpuShare * 100, { target: atMost(15) }),
  ];
}
