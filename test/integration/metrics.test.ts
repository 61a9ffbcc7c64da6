// Metrics as they are scraped in a cluster: over HTTPS, by those whom a real API server lets read them, and what is in
// them is held against the catalogue and against Prometheus's own taste.
import { execFileSync } from 'node:child_process';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { Agent, fetch } from 'undici';
import { catalogue } from '../../src/metrics/catalogue.ts';
import type { KubeObject, ResourceType } from '../../src/kit/kube.ts';
import { until } from '../stack/until.ts';
import { World } from '../stack/world.ts';
import { toolBinary } from '../tools/build.ts';

vi.setConfig({ testTimeout: 300_000 });
/** Two minutes of work where promtool is not built yet; generous, because it only bounds a hang. */
const buildMs = 30 * 60_000;

const namespace = 'scraped';
const key = { namespace, name: 'database' };
const ofRbac = (plural: string, kind: string): ResourceType => ({
  group: 'rbac.authorization.k8s.io',
  version: 'v1',
  plural,
  kind,
  namespaced: false,
});
const clusterRoles = ofRbac('clusterroles', 'ClusterRole');
const bindings = ofRbac('clusterrolebindings', 'ClusterRoleBinding');
const serviceAccounts = {
  group: '',
  version: 'v1',
  plural: 'serviceaccounts',
  kind: 'ServiceAccount',
  namespaced: true,
};

let world: World;
let promtool: string;
const agent = new Agent({ connect: { rejectUnauthorized: false } });

beforeAll(async () => {
  promtool = await toolBinary('promtool');
  world = await World.start({
    operatorEnv: { LAKEBRANCH_METRICS_MODE: 'Protected', LAKEBRANCH_METRICS_PORT: '0' },
  });
  await world.namespace(namespace);
}, buildMs);
afterAll(async () => {
  await agent.close();
  await world?.stop();
});

async function grant(name: string, account: string, rules: unknown[]): Promise<void> {
  const { kube } = world.stack;
  const roleRef = { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name };
  const [accountNamespace, accountName] = account.split('/');
  const subjects = [{ kind: 'ServiceAccount', namespace: accountNamespace, name: accountName }];
  await kube.create(clusterRoles, { metadata: { name }, rules } as KubeObject);
  await kube.create(bindings, { metadata: { name }, roleRef, subjects } as KubeObject);
}

async function tokenOf(name: string): Promise<string> {
  await world.stack.kube.create(serviceAccounts, { metadata: { namespace, name } });
  return (await world.stack.kubectl('create', 'token', name, `--namespace=${namespace}`)).trim();
}

async function port(name: 'httpPort' | 'metricsPort'): Promise<number> {
  const started = (await world.stack.operator.log()).findLast(({ msg }) => msg === 'lakebranch started');
  return Number(started?.[name]);
}

async function scrape(token?: string): Promise<{ status: number; body: string }> {
  const headers = token === undefined ? {} : { authorization: `Bearer ${token}` };
  const response = await fetch(`https://127.0.0.1:${await port('metricsPort')}/metrics`, {
    headers,
    dispatcher: agent,
  });
  return { status: response.status, body: await response.text() };
}

let prometheus: string;

test('without the right to ask, the operator lets nobody in and says which right it lacks', async () => {
  prometheus = await tokenOf('prometheus');
  expect((await scrape(prometheus)).status).toBe(503);
  const said = await until('the log tells', async () =>
    (await world.stack.operator.log()).find(({ msg }) => msg.includes('who may read the metrics')),
  );
  expect(JSON.stringify(said)).toContain('tokenreviews');
});

test('only whoever may get /metrics is let in, by what the API server says of the token', async () => {
  const create = ['create'];
  await grant('reviewer', 'lakebranch-system/lakebranch', [
    { apiGroups: ['authentication.k8s.io'], resources: ['tokenreviews'], verbs: create },
    { apiGroups: ['authorization.k8s.io'], resources: ['subjectaccessreviews'], verbs: create },
  ]);
  await grant('metrics-reader', `${namespace}/prometheus`, [{ nonResourceURLs: ['/metrics'], verbs: ['get'] }]);
  const other = await tokenOf('other');
  await until('the rights have arrived', async () => (await scrape(prometheus)).status === 200);
  expect((await scrape()).status).toBe(401);
  expect((await scrape(`${prometheus}x`)).status).toBe(401);
  expect((await scrape(other)).status).toBe(403);
});

test('the plain port has no metrics then', async () => {
  const plain = `http://127.0.0.1:${await port('httpPort')}`;
  expect((await fetch(`${plain}/metrics`)).status).toBe(404);
  expect((await fetch(`${plain}/healthz`)).status).toBe(200);
});

test('a scrape of an operator at work holds what the catalogue says, and promtool has nothing to say', async () => {
  await world.bclass();
  await world.apply(key);
  const { status } = await world.whenReady(key);
  const ready =
    'lakebranch_databasebranch_status_condition{namespace="scraped",name="database",condition="Ready",status="True"} 1';
  const body = await until('the object is in a scrape', async () => {
    const scraped = (await scrape(prometheus)).body;
    return scraped.includes(ready) && scraped;
  });
  expect(linted(body)).toBe('');
  const known = new Set<string>(Object.values(catalogue).map(({ name }) => name));
  const told = [...body.matchAll(/^# TYPE (\S+)/gm)].map(([, name = '']) => name);
  expect(told.length).toBeGreaterThan(60);
  expect(told.filter((name) => !known.has(name) && !/^(process|nodejs)_/.test(name))).toEqual([]);
  for (const [line, value] of [
    ['lakebranch_credential_issues_total{reason="First"}', 1],
    ['lakebranch_databasebranch_creation_duration_seconds_count{class="default"}', 1],
    ['lakebranch_databasebranches{class="default",state="ready"}', 1],
    ['lakebranch_branchclass_ready{class="default"}', 1],
    ['lakebranch_provider_requests_total{verb="mintCredential",outcome="ok"}', 1],
    ['leader_election_master_status{name="lakebranch"}', 1],
    [
      'lakebranch_databasebranch_credential_expiry_timestamp_seconds{namespace="scraped",name="database"}',
      Date.parse(status?.credentials?.expireTime ?? '') / 1000,
    ],
  ] as const)
    expect(valueOf(body, line), line).toBe(value);
  // Labels never hold what names the branch at the provider.
  for (const hidden of [status?.branch?.id, status?.branch?.uid, status?.endpoint?.host])
    expect(body.includes(hidden ?? 'not told')).toBe(false);
});

test('when the object is gone, no series of it is left, and its deletion was measured', async () => {
  await world.remove(key);
  await world.whenGone(key);
  const body = await until('no series is left', async () => {
    const scraped = (await scrape(prometheus)).body;
    return !scraped.includes('name="database"') && scraped;
  });
  expect(valueOf(body, 'lakebranch_databasebranch_deletion_duration_seconds_count{class="default"}')).toBe(1);
});

/** What `promtool check metrics` complains about. */
function linted(body: string): string {
  try {
    return execFileSync(promtool, ['check', 'metrics'], { input: body, encoding: 'utf8', stdio: 'pipe' });
  } catch (error) {
    const { stdout, stderr } = error as { stdout: string; stderr: string };
    return stdout + stderr;
  }
}

const valueOf = (body: string, series: string): number =>
  Number(
    body
      .split('\n')
      .find((line) => line.startsWith(`${series} `))
      ?.slice(series.length + 1),
  );
