// Makes docs/images/dashboard.svg: the stack of the tests lives through six busy minutes, a Prometheus scrapes the operator and
// evaluates every expression of the dashboard, and the panels are drawn from its answers. Nothing in it is made up.
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { fetch } from 'undici';
import { databaseBranchResource, pointInTimeRestoreResource } from '../src/api/names.ts';
import type { KubeObject } from '../src/kit/kube.ts';
import { freePorts } from '../test/control-plane/free-ports.ts';
import { startGuardian } from '../test/control-plane/guardian.ts';
import { until } from '../test/stack/until.ts';
import { World, type Key } from '../test/stack/world.ts';
import { rulesFile } from '../test/alerts/rules.ts';
import { toolBinary } from '../test/tools/build.ts';
import { dashboardSvg, type Series, type Span } from './dashboard/picture.ts';
import { rows, type Panel, type Target } from './dashboard/panels.ts';

const image = join(import.meta.dirname, '../docs/images/dashboard.svg');
const stepSeconds = 5;
const say = (text: string): void => void process.stdout.write(`${text}\n`);

const prometheusBinary = await toolBinary('prometheus');
const world = await World.start();
const guardian = await startGuardian('lakebranch-prometheus');
try {
  const url = await startPrometheus();
  const from = Date.now() / 1000;
  await live();
  const to = Date.now() / 1000;
  const drawn = [];
  for (const row of rows)
    drawn.push({ row, series: await Promise.all(row.panels.map((panel) => seriesOf(url, panel, { from, to }))) });
  await mkdir(join(image, '..'), { recursive: true });
  await writeFile(image, dashboardSvg(drawn, { from, to }));
  say(`wrote ${image}`);
} finally {
  await guardian.end();
  await world.stop();
}

async function startPrometheus(): Promise<string> {
  const started = (await world.stack.operator.log()).findLast(({ msg }) => msg === 'lakebranch started');
  const config = {
    global: { scrape_interval: '2s', evaluation_interval: '5s' },
    rule_files: [rulesFile],
    scrape_configs: [
      {
        job_name: 'lakebranch',
        honor_labels: true,
        static_configs: [{ targets: [`127.0.0.1:${String(started?.['httpPort'])}`], labels: { pod: 'lakebranch-0' } }],
        relabel_configs: [{ target_label: 'instance', replacement: 'lakebranch-0' }],
      },
    ],
  };
  const configFile = join(guardian.dir, 'prometheus.yml');
  await writeFile(configFile, JSON.stringify(config));
  const [port] = await freePorts(1);
  const url = `http://127.0.0.1:${port}`;
  await guardian.start({
    name: 'prometheus',
    command: prometheusBinary,
    args: [
      `--config.file=${configFile}`,
      `--storage.tsdb.path=${join(guardian.dir, 'data')}`,
      `--web.listen-address=127.0.0.1:${port}`,
    ],
  });
  await until('Prometheus is ready', () =>
    fetch(`${url}/-/ready`).then(
      ({ ok }) => ok,
      () => false,
    ),
  );
  return url;
}

/** Six busy minutes: previews come and go, one waits in line, the provider fails for a while, the past is brought back. */
async function live(): Promise<void> {
  const { stack } = world;
  const key = (name: string): Key => ({ namespace: 'previews', name });
  await world.namespace('previews');
  await world.bclass('default', { restore: { allowed: true }, limits: { total: 6 } });
  await stack.emulator.setBehaviour({ initMs: 1500, operationMs: 300, deleteMs: 2000, loginRefusedMs: 1000 });
  say('six previews come');
  for (let n = 1; n <= 6; n++) {
    await world.apply(key(`pr-${n}`), { expiration: { ttl: `${n * 12}h` } });
    await pause(8_000);
  }
  say('a seventh and an eighth wait in line');
  for (const name of ['pr-7', 'pr-8']) await world.apply(key(name), { expiration: { ttl: '4h' } });
  await pause(40_000);
  say('two go');
  await world.remove(key('pr-1'));
  await pause(15_000);
  await world.remove(key('pr-2'));
  await pause(30_000);
  say('tokens are asked for anew');
  for (const name of ['pr-3', 'pr-4', 'pr-5']) {
    await stack.kube.mergePatch(databaseBranchResource, key(name), { spec: { credentials: { rotateToken: 'now' } } });
    await pause(8_000);
  }
  say('the provider fails for half a minute');
  await stack.emulator.inject({ trouble: { kind: 'answer', status: 503, message: 'try again later' } });
  await stack.kube.mergePatch(databaseBranchResource, key('pr-6'), { spec: { credentials: { rotateToken: 'now' } } });
  await world.apply(key('pr-9'), { source: { branch: 'somewhere' } });
  await pause(30_000);
  await stack.emulator.calm();
  await stack.emulator.setBehaviour({ initMs: 1500, operationMs: 300, deleteMs: 2000, loginRefusedMs: 1000 });
  await pause(20_000);
  say('the past is brought back');
  await world.remove(key('pr-3'));
  await pause(10_000);
  await stack.kube.create<KubeObject>(pointInTimeRestoreResource, {
    metadata: { namespace: 'previews', name: 'undo' },
    spec: { source: { branch: 'production' }, target: { ago: '1m' } },
  } as KubeObject);
  await pause(45_000);
  await world.remove(key('pr-4'));
  await pause(45_000);
}

interface Result {
  readonly metric: Readonly<Record<string, string>>;
  readonly values?: readonly (readonly [number, string])[];
  readonly value?: readonly [number, string];
}

async function seriesOf(url: string, panel: Panel, span: Span): Promise<Series[]> {
  const all = await Promise.all(panel.targets.map((target) => ask(url, panel, target, span)));
  return all.flat();
}

async function ask(url: string, { kind }: Panel, { expr, legend }: Target, { from, to }: Span): Promise<Series[]> {
  const query = expr.replaceAll('$class', '.*').replaceAll('$__rate_interval', '20s');
  const instant = kind === 'stat' || kind === 'bars';
  const parameters = instant
    ? { query, time: String(to) }
    : { query, start: String(from), end: String(to), step: String(stepSeconds) };
  const response = await fetch(
    `${url}/api/v1/${instant ? 'query' : 'query_range'}?${new URLSearchParams(parameters).toString()}`,
  );
  const { data, error } = (await response.json()) as { data?: { result: Result[] }; error?: string };
  if (!data) throw new Error(`${expr}: ${error}`);
  return data.result.map(({ metric, values, value }) => ({
    name: legend.replaceAll(/\{\{(\w+)\}\}/g, (_all, label: string) => metric[label] ?? ''),
    points: (values ?? (value ? [value] : []))
      .map(([time, text]) => [time, Number(text)] as const)
      .filter(([, number]) => Number.isFinite(number)),
  }));
}
