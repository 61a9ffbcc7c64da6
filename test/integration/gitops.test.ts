// The programs that wait for our objects, on a real API server with the operator at work: kubectl, Helm, and the sync of
// Argo CD.
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { parseAllDocuments, stringify } from 'yaml';
import { databaseBranchResource, fieldManager } from '../../src/api/names.ts';
import { isNotFound, type KubeObject, type ResourceType } from '../../src/kit/kube.ts';
import { argocdConfig, askKstatus, buildTimeoutMs, healthOf } from '../gitops/ask.ts';
import { previewChart, runHelm } from '../gitops/helm.ts';
import { kstatusOf, type StatusObject } from '../kstatus.ts';
import { until } from '../stack/until.ts';
import { readyOf, World, type Key } from '../stack/world.ts';
import { toolBinary } from '../tools/build.ts';

vi.setConfig({ testTimeout: 300_000 });

let world: World;
let dir: string;

beforeAll(async () => {
  for (const tool of ['kstatus', 'argocd', 'helm']) await toolBinary(tool);
  world = await World.start();
  await world.stack.emulator.setBehaviour({ limits: { unarchivedBranches: 100 } });
  await world.bclass();
  dir = await mkdtemp(join(world.stack.dir, 'gitops-'));
}, buildTimeoutMs);
afterAll(async () => {
  for (const sync of syncs) sync.kill();
  await world?.stop();
});

/** What a failed test leaves behind. */
const syncs: ChildProcess[] = [];

const helm = (...args: string[]): Promise<string> => runHelm({ cluster: world.stack.cluster, dir }, ...args);
const render = (namespace: string, ...args: string[]): Promise<string> =>
  helm('template', 'shop', previewChart, '--namespace', namespace, ...args);
const objectsIn = (manifests: string): KubeObject[] =>
  parseAllDocuments(manifests).map((document) => document.toJS() as KubeObject);

const jobs: ResourceType = { group: 'batch', version: 'v1', plural: 'jobs', kind: 'Job', namespaced: true };
const deployments: ResourceType = {
  group: 'apps',
  version: 'v1',
  plural: 'deployments',
  kind: 'Deployment',
  namespaced: true,
};

async function isThere(type: ResourceType, key: Key): Promise<boolean> {
  try {
    await world.stack.kube.get(type, key);
    return true;
  } catch (error) {
    if (isNotFound(error)) return false;
    throw error;
  }
}

test.concurrent(
  'kubectl wait returns when the database is there, and after a reset when the fresh one is',
  async () => {
    const db: Key = { namespace: 'waits', name: 'db' };
    await world.namespace(db.namespace);
    await world.apply(db);
    const wait = ['-n', db.namespace, 'wait', 'dbb/db', '--for=condition=Ready', '--timeout=150s'];
    expect(await world.stack.kubectl(...wait)).toMatch(/met$/);
    const before = await world.get(db);
    expect(await world.secret(db)).toBeDefined();

    await world.stack.kubectl(
      '-n',
      db.namespace,
      'patch',
      'dbb/db',
      '--type=merge',
      '-p',
      '{"spec":{"reset":{"token":"2"}}}',
    );
    expect(await world.stack.kubectl(...wait)).toMatch(/met$/);
    const after = await world.get(db);
    expect(after?.status?.branch?.resetToken).toBe('2');
    expect(after?.status?.branch?.uid).not.toBe(before?.status?.branch?.uid);
  },
);

/** A chart of one DatabaseBranch. */
async function tinyChart(name: string, spec: object): Promise<string> {
  const folder = join(dir, name);
  await mkdir(join(folder, 'templates'), { recursive: true });
  await writeFile(join(folder, 'Chart.yaml'), stringify({ apiVersion: 'v2', name, version: '0.1.0' }));
  const object = { apiVersion: 'lakebranch.dev/v1alpha1', kind: 'DatabaseBranch', metadata: { name: 'db' }, spec };
  await writeFile(join(folder, 'templates/db.yaml'), stringify(object));
  return folder;
}

test.concurrent('helm install --wait returns when the database is there', async () => {
  const db: Key = { namespace: 'helm-waits', name: 'db' };
  await world.namespace(db.namespace);
  const chart = await tinyChart('well', {});
  await helm('install', 'well', chart, '--namespace', db.namespace, '--wait', '--timeout', '150s');
  const object = await world.get(db);
  expect(object && readyOf(object)?.status).toBe('True');
  expect(await world.secret(db)).toBeDefined();

  await helm('uninstall', 'well', '--namespace', db.namespace, '--wait', '--timeout', '150s');
  expect(await world.get(db)).toBeUndefined();
});

test.concurrent(
  'helm install --wait fails as soon as only a person can go on, long before its time is up',
  async () => {
    const db: Key = { namespace: 'helm-fails', name: 'db' };
    await world.namespace(db.namespace);
    const chart = await tinyChart('ill', { className: 'nowhere' });
    // Longer than the test may take: a wait until the time is up would fail it.
    const install = helm('install', 'ill', chart, '--namespace', db.namespace, '--wait', '--timeout', '1h');
    await expect(install).rejects.toThrow(/db.*(Failed|failed|stalled)/i);
    const object = await world.get(db);
    expect(object && readyOf(object)?.reason).toBe('ClassNotFound');
  },
);

test.concurrent(
  'the operator leaves the spec alone: nothing differs from what was applied, and no field of it is the operator’s',
  async () => {
    const db: Key = { namespace: 'undrifted', name: 'db' };
    await world.namespace(db.namespace);
    const manifest = stringify({
      apiVersion: 'lakebranch.dev/v1alpha1',
      kind: 'DatabaseBranch',
      metadata: { ...db, labels: { team: 'qa' }, annotations: { note: 'ours' } },
      spec: {
        source: { branch: 'production' },
        expiration: { ttl: '24h' },
        endpoint: { minCU: '0.5', maxCU: 2 },
        credentials: { template: { data: { DATABASE_URL: '{{ .uri }}' } } },
        reset: { token: 'monday' },
      },
    });
    const apply = ['apply', '--server-side', '--field-manager=argocd-controller', '-f', '-'];
    const diff = ['diff', '--server-side', '--field-manager=argocd-controller', '-f', '-'];
    await world.stack.kubectlWith({ input: manifest }, ...apply);
    // Throws with the difference if there is one.
    const same = (): Promise<string> => world.stack.kubectlWith({ input: manifest }, ...diff);
    expect(await same()).toBe('');
    await world.whenReady(db);
    expect(await same()).toBe('');
    await expect(
      world.stack.kubectlWith({ input: manifest.replace('24h', '25h') }, ...diff),
      'a difference is seen',
    ).rejects.toThrow();

    const { metadata } = await world.stack.kube.get<KubeObject & { metadata: { managedFields: Owner[] } }>(
      databaseBranchResource,
      db,
    );
    const ours = metadata.managedFields.filter(({ manager }) => manager === fieldManager);
    const fields = new Set(ours.flatMap(({ fieldsV1 }) => Object.keys(fieldsV1)));
    expect(fields).toEqual(new Set(['f:metadata', 'f:status']));
    const inMetadata = ours.flatMap(({ fieldsV1 }) => Object.keys(fieldsV1['f:metadata'] ?? {}));
    expect(new Set(inMetadata.filter((field) => field !== '.'))).toEqual(new Set(['f:finalizers']));
  },
);

interface Owner {
  readonly manager: string;
  readonly fieldsV1: Readonly<Record<string, object>>;
}

interface Sync {
  /** Has not ended yet. */
  running(): boolean;
  /** The objects that it synced, when it has ended. Throws with its complaint. */
  readonly ended: Promise<{ kind: string; hook?: string; phase?: string; message: string }[]>;
  stop(): void;
}

/** Argo CD's own sync, of these manifests into one namespace. */
async function startSync(manifests: string, namespace: string, config = [argocdConfig]): Promise<Sync> {
  const args = ['sync', world.stack.cluster.adminKubeconfig, namespace, ...config];
  const child = spawn(await toolBinary('argocd'), args, { stdio: 'pipe' });
  syncs.push(child);
  child.stdin.end(manifests);
  const all = Promise.all([text(child.stdout), text(child.stderr), once(child, 'close')]);
  const ended = all.then(([out, complaint]) => {
    if (child.exitCode !== 0) throw new Error(`the sync failed: ${complaint}${out}`);
    return out
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line) as { kind: string; message: string });
  });
  ended.catch(() => undefined);
  return { running: () => child.exitCode === null, ended, stop: () => child.kill('SIGTERM') };
}

/** What the controllers of a cluster with nodes would say. */
async function completeJob(key: Key): Promise<void> {
  const time = new Date().toISOString();
  const condition = (type: string): object => ({ type, status: 'True', lastTransitionTime: time, reason: 'Done' });
  const status = {
    startTime: time,
    completionTime: time,
    succeeded: 1,
    conditions: [condition('SuccessCriteriaMet'), condition('Complete')],
  };
  await patchStatus('job', key, status);
}

const patchStatus = (kind: string, { namespace, name }: Key, status: object): Promise<string> =>
  world.stack.kubectl(
    '-n',
    namespace,
    'patch',
    kind,
    name,
    '--subresource=status',
    '--type=merge',
    '-p',
    JSON.stringify({ status }),
  );

/** A class with room for one branch, which is taken until `leave`. */
async function fullClass(name: string): Promise<{ values: string[]; leave(): Promise<void> }> {
  const holder: Key = { namespace: `${name}-holder`, name: 'holder' };
  await world.namespace(holder.namespace);
  await world.bclass(name, { limits: { total: 1 } });
  await world.apply(holder, { className: name });
  await world.whenReady(holder);
  const values = ['--set', `database.spec.className=${name}`, '--set', 'app.replicas=0'];
  return { values, leave: () => world.remove(holder) };
}

const preview = (namespace: string): Record<'db' | 'job' | 'app', Key> => ({
  db: { namespace, name: 'database' },
  job: { namespace, name: 'shop-migration-1' },
  app: { namespace, name: 'shop' },
});

test.concurrent(
  'a sync of the preview chart makes the database, then the migration, then the application',
  async () => {
    const namespace = 'waves';
    const { db, job, app } = preview(namespace);
    await world.namespace(namespace);
    const { values, leave } = await fullClass(namespace);

    const sync = await startSync(await render(namespace, ...values), namespace);
    await world.whenReason(db, 'ClassLimitReached');
    expect([await isThere(jobs, job), await isThere(deployments, app)]).toEqual([false, false]);
    await leave();
    await until('the migration is there', () => isThere(jobs, job));
    const object = await world.get(db);
    expect(object && readyOf(object)?.status).toBe('True');
    expect(await world.secret(db)).toBeDefined();
    expect(await isThere(deployments, app)).toBe(false);
    await completeJob(job);
    await until('the application is there', () => isThere(deployments, app));
    await patchStatus('deployment', app, { observedGeneration: 1 });

    const results = await sync.ended;
    expect(results.map(({ kind }) => kind).toSorted()).toEqual(['DatabaseBranch', 'Deployment', 'Job', 'Service']);
    expect(results.find(({ kind }) => kind === 'Job')).toMatchObject({ hook: 'Sync', phase: 'Succeeded' });
  },
);

test.concurrent('without our settings Argo CD does not wait for the database', async () => {
  const namespace = 'no-settings';
  const { db, job } = preview(namespace);
  await world.namespace(namespace);
  const { values } = await fullClass(namespace);
  const sync = await startSync(await render(namespace, ...values), namespace, []);
  await until('the migration is there', () => isThere(jobs, job));
  const object = await world.get(db);
  expect(object && readyOf(object)?.status).not.toBe('True');
  sync.stop();
});

test.concurrent('as a PreSync hook the migration comes before the database is even asked for', async () => {
  const namespace = 'pre-sync';
  const { db, job } = preview(namespace);
  await world.namespace(namespace);
  const manifests = (await render(namespace, '--set', 'app.replicas=0')).replace('hook: Sync', 'hook: PreSync');
  const sync = await startSync(manifests, namespace);
  await until('the migration is there', () => isThere(jobs, job));
  expect(await isThere(databaseBranchResource, db)).toBe(false);
  expect(sync.running()).toBe(true);
  sync.stop();
});

test.concurrent('a sync fails, and goes no further, when only a person can go on', async () => {
  const namespace = 'stalled-sync';
  const { db, job } = preview(namespace);
  await world.namespace(namespace);
  const manifests = await render(namespace, '--set', 'database.spec.className=nowhere', '--set', 'app.replicas=0');
  const sync = await startSync(manifests, namespace);
  const results = await sync.ended.catch((error: unknown) => [{ kind: 'complaint', message: String(error) }]);
  expect(results.map(({ message }) => message).join('\n')).toContain('ClassNotFound');
  expect(await isThere(jobs, job)).toBe(false);
  expect(await isThere(databaseBranchResource, db)).toBe(true);
});

test.concurrent('a quota counts our objects, and says so when there is no room', async () => {
  const namespace = 'quota';
  await world.namespace(namespace);
  const quota = {
    apiVersion: 'v1',
    kind: 'ResourceQuota',
    metadata: { name: 'databases', namespace },
    spec: { hard: { 'count/databasebranches.lakebranch.dev': '1' } },
  };
  await world.stack.kubectlWith({ input: stringify(quota) }, 'apply', '-f', '-');
  let n = 1;
  const counted = async (): Promise<boolean> => {
    // A kind that its controller did not know when it first looked is counted at the next look, which a change asks for.
    const change = JSON.stringify({ spec: { hard: { 'count/configmaps': `${100 + n++}` } } });
    await world.stack.kubectl('-n', namespace, 'patch', 'quota', 'databases', '--type=merge', '-p', change);
    const used = await world.stack.kubectl(
      '-n',
      namespace,
      'get',
      'quota',
      'databases',
      '-o',
      'jsonpath={.status.used}',
    );
    return used.includes('"count/databasebranches.lakebranch.dev":"0"');
  };
  await until('the quota is counted', counted, { everyMs: 1000 });
  await world.apply({ namespace, name: 'one' });
  const second = world.apply({ namespace, name: 'two' });
  await expect(second).rejects.toThrow('exceeded quota: databases');
});

const restricted = { 'pod-security.kubernetes.io/enforce': 'restricted', preview: 'true' };

test.concurrent(
  'the API server takes every manifest of the preview chart, and its pods where only restricted ones may run',
  async () => {
    const namespace = 'dry-run';
    await world.namespace(namespace, restricted);
    const values = [
      [
        '--set-string',
        'database.spec.expiration.ttl=24h',
        '--set',
        'migration.args={up}',
        '--set',
        'env[0].name=LEVEL',
      ],
      [
        '--set',
        'imagePullSecrets[0].name=registry',
        '--set',
        'app.readinessProbe.httpGet.port=http',
        '--set',
        'namespace.manage=false',
      ],
      ['--set', 'migration.enabled=false'],
    ];
    const dryRun = (input: string): Promise<string> =>
      world.stack.kubectlWith({ input }, 'apply', '--server-side', '--dry-run=server', '--validate=strict', '-f', '-');
    for (const some of values) {
      const manifests = await render(namespace, ...some);
      expect(await dryRun(manifests)).toContain('databasebranch.lakebranch.dev/database serverside-applied');
      const workloads = objectsIn(manifests).filter(
        ({ kind }) => kind === 'Job' || kind === 'Deployment',
      ) as Workload[];
      for (const { kind, spec } of workloads) {
        const pod = { apiVersion: 'v1', kind: 'Pod', metadata: { namespace, name: 'tried' }, spec: spec.template.spec };
        expect(await dryRun(stringify(pod)), kind).toContain('pod/tried serverside-applied');
      }
    }
  },
);

interface Workload extends KubeObject {
  readonly spec: { readonly template: { readonly spec: object } };
}

test('every status that was on the API server means to kstatus and Argo CD what our rulebook says', async () => {
  const { objects, classes, restores } = world.recorder;
  const kind = { DatabaseBranch: objects, BranchClass: classes, PointInTimeRestore: restores };
  const seen = Object.entries(kind).flatMap(([name, sightings]) =>
    sightings.map(({ object }): StatusObject => ({ apiVersion: 'lakebranch.dev/v1alpha1', kind: name, ...object })),
  );
  expect(seen.length).toBeGreaterThan(50);
  const expected = seen.map(kstatusOf);
  expect(await askKstatus(seen)).toEqual(expected);
  const health = { Current: 'Healthy', InProgress: 'Progressing', Failed: 'Degraded', Terminating: 'Progressing' };
  expect((await healthOf(seen)).map(({ status }) => status)).toEqual(expected.map((status) => health[status]));
  expect(new Set(expected)).toEqual(new Set(Object.keys(health)));
});
