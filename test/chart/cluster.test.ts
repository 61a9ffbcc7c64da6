// The chart on a real API server: dry run, install, upgrade and uninstall in each scope, and what is refused there.
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { stringify } from 'yaml';
import { startControlPlane, type ControlPlane } from '../control-plane/control-plane.ts';
import { KubectlError, runKubectl } from '../stack/kubectl.ts';
import { until } from '../stack/until.ts';
import { runJob } from './job-runner.ts';
import { chart, helm, HelmError, only, release, render, type Values } from './render.ts';

vi.setConfig({ testTimeout: 180_000 });

let controlPlane: ControlPlane;
const teams = ['team-a', 'team-b'];

beforeAll(async () => {
  controlPlane = await startControlPlane();
  for (const name of [...teams, release.namespace]) await kubectl('create', 'namespace', name);
  await kubectl('label', 'namespace', release.namespace, 'pod-security.kubernetes.io/enforce=restricted');
});
afterAll(() => controlPlane?.stop());

const kubectl = (...args: string[]): Promise<string> => runKubectl(controlPlane, args);
const apply = (...objects: object[]): Promise<string> =>
  runKubectl(controlPlane, ['apply', '-f', '-'], { input: objects.map((object) => stringify(object)).join('---\n') });
/** The verb comes first, then the release. */
const inCluster = (verb: string, values: Values = {}, ...flags: string[]): Promise<string> =>
  helm(
    [verb, release.name, ...(verb === 'uninstall' ? [] : [chart]), '--namespace', release.namespace, ...flags],
    values,
    controlPlane.adminKubeconfig,
  );

/** Everything of the release that is there, CRDs apart. */
async function installed(): Promise<string[]> {
  const kinds =
    'clusterroles,clusterrolebindings,roles,rolebindings,serviceaccounts,deployments,services,secrets,configmaps,jobs,' +
    'poddisruptionbudgets,networkpolicies,persistentvolumeclaims,validatingadmissionpolicies,validatingadmissionpolicybindings';
  const found = await kubectl('get', kinds, '-A', '-l', 'app.kubernetes.io/part-of=lakebranch', '-o', 'name');
  return found.split('\n').filter((name) => name !== '');
}

const scopes: readonly (readonly [string, Values])[] = [
  ['cluster', { scope: 'cluster' }],
  ['namespaces', { scope: 'namespaces', namespaces: teams }],
  ['namespace', { scope: 'namespace' }],
];

/** All that can be had without the kinds of the Prometheus operator. */
const everything: Values = {
  secretPolicy: { enabled: true },
  networkPolicy: { enabled: true },
  metrics: { mode: 'Protected', dashboard: { enabled: true } },
  workloadIdentity: { audiences: ['databricks'] },
  emulator: { enabled: true },
};

describe.each(scopes)('scope %s', (_scope, values) => {
  test('installs, upgrades and uninstalls, over kinds and objects that stay', async () => {
    await inCluster('install', values, '--dry-run=server');
    const stored = { ...everything, emulator: { enabled: true, persistence: { enabled: true } } };
    await inCluster('install', { ...values, ...stored }, '--dry-run=server');
    expect(await installed()).toEqual([]);

    await inCluster('install', values);
    await kubectl('wait', '--for=condition=Established', 'crd', '--all', '--timeout=60s');
    const before = await installed();
    expect(before).toContain('deployment.apps/lakebranch');
    const object = {
      apiVersion: 'lakebranch.dev/v1alpha1',
      kind: 'DatabaseBranch',
      metadata: { name: 'db', namespace: 'team-a' },
    };
    await apply({ ...object, spec: {} });
    const uid = await kubectl('-n', 'team-a', 'get', 'dbb', 'db', '-o', 'jsonpath={.metadata.uid}');

    // Somebody has an older kind: the upgrade brings it up to date.
    const columns = 'jsonpath={.spec.versions[0].additionalPrinterColumns[*].name}';
    const crd = ['get', 'crd', 'databasebranches.lakebranch.dev', '-o', columns];
    const current = await kubectl(...crd);
    await inCluster('upgrade', { ...values, ...everything, replicas: 3 });
    expect((await installed()).length).toBeGreaterThan(before.length);
    expect(
      await kubectl('-n', release.namespace, 'get', 'deployment', 'lakebranch', '-o', 'jsonpath={.spec.replicas}'),
    ).toBe('3');
    expect(await kubectl(...crd)).toBe(current);
    await inCluster('upgrade', values);
    expect(await installed()).toEqual(before);

    await inCluster('uninstall', {}, '--no-hooks');
    expect(await installed()).toEqual([]);
    expect(await kubectl('-n', 'team-a', 'get', 'dbb', 'db', '-o', 'jsonpath={.metadata.uid}')).toBe(uid);
    await kubectl('-n', 'team-a', 'delete', 'dbb', 'db');
  });
});

test('without keep the kinds go with the release', async () => {
  await inCluster('install', { crds: { keep: false } });
  await inCluster('uninstall', {}, '--no-hooks');
  await until('the kinds are gone', async () => (await kubectl('get', 'crd', '-o', 'name')) === '');
});

describe('deploy', () => {
  const deploy = (name: string): string => join(chart, '../../deploy', name);

  test('install.yaml and crds.yaml are applied as they are, twice', async () => {
    const args = ['apply', '--server-side', '-f', deploy('crds.yaml'), '-f', deploy('install.yaml')];
    await kubectl(...args, '--dry-run=server');
    // The namespace is there already, by its creator's hand.
    await kubectl(...args);
    await kubectl(...args);
    expect(await installed()).toContain('deployment.apps/lakebranch');
    await kubectl('delete', '-f', deploy('crds.yaml'), '-f', deploy('install.yaml'), '--timeout=60s');
    await kubectl('create', 'namespace', release.namespace);
    await kubectl('label', 'namespace', release.namespace, 'pod-security.kubernetes.io/enforce=restricted');
  });

  test('install.yaml is what the chart says', async () => {
    const { installYaml } = await import('../../scripts/generate/install.ts');
    const { toolBinary } = await import('../tools/build.ts');
    expect(await readFile(deploy('install.yaml'), 'utf8')).toBe(await installYaml(await toolBinary('helm')));
  });
});

test('all pods pass the Pod Security Standard that the namespace enforces', async () => {
  const manifests = await render(everything);
  await apply(...manifests.filter(({ kind }) => kind === 'ServiceAccount'));
  const pods = manifests.filter(({ kind }) => ['Deployment', 'Job'].includes(kind));
  expect(pods).toHaveLength(3);
  for (const { metadata, ...rest } of pods) {
    const { spec } = rest['spec'].template as { spec: object };
    const pod = {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: metadata.name, namespace: release.namespace },
      spec,
    };
    await runKubectl(controlPlane, ['create', '--dry-run=server', '-f', '-'], { input: stringify(pod) });
    const { securityContext: _none, ...open } = spec as Record<string, unknown>;
    const loose = runKubectl(controlPlane, ['create', '--dry-run=server', '-f', '-'], {
      input: stringify({ ...pod, spec: open }),
    });
    await expect(loose).rejects.toThrow(/violates PodSecurity "restricted/);
  }
});

describe('people', () => {
  beforeAll(() => inCluster('install').then(() => undefined));
  afterAll(() => inCluster('uninstall', {}, '--no-hooks').then(() => undefined));

  test.each([
    ['view', 'get databasebranches', 'yes'],
    ['view', 'get pointintimerestores', 'yes'],
    ['view', 'get secrets', 'no'],
    ['view', 'create databasebranches', 'no'],
    ['edit', 'create databasebranches', 'yes'],
    ['edit', 'delete databasebranches', 'yes'],
    ['edit', 'create pointintimerestores', 'no'],
    ['edit', 'update databasebranches --subresource=status', 'no'],
    ['admin', 'create pointintimerestores', 'yes'],
    ['admin', 'create branchclasses', 'no'],
  ])('with the role %s of Kubernetes: may %s? %s', async (role, what, wanted) => {
    const person = `${role}er`;
    await kubectl('-n', 'team-a', 'create', 'rolebinding', person, `--clusterrole=${role}`, `--user=${person}`).catch(
      (error: unknown) => expect((error as Error).message).toContain('already exists'),
    );
    const ask = ['auth', 'can-i', '-n', 'team-a', '--as', person, ...what.split(' ')];
    // The controller that aggregates roles takes a moment.
    await until(`${role} may ${what}: ${wanted}`, async () => (await answerTo(ask)) === wanted);
  });

  /** kubectl says no with exit code 1. */
  const answerTo = (ask: string[]): Promise<string> =>
    kubectl(...ask).catch((error: unknown) => {
      if (error instanceof KubectlError) return 'no';
      throw error;
    });
});

describe('secretPolicy', () => {
  const operator = `system:serviceaccount:${release.namespace}:lakebranch`;
  const owner = {
    apiVersion: 'lakebranch.dev/v1alpha1',
    kind: 'DatabaseBranch',
    name: 'db',
    uid: '',
    controller: true,
  };
  const ours = {
    apiVersion: 'v1',
    kind: 'Secret',
    type: 'servicebinding.io/postgresql',
    metadata: {
      namespace: 'team-a',
      name: 'ours',
      labels: { 'app.kubernetes.io/managed-by': 'lakebranch' },
      ownerReferences: [owner],
    },
  };
  const theirs = {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { namespace: 'team-a', name: 'theirs' },
    stringData: { a: 'b' },
  };
  const restored = { ...ours, metadata: { ...ours.metadata, name: 'restored', ownerReferences: [] } };
  const damaged = { ...ours, metadata: { ...ours.metadata, name: 'damaged', labels: {} } };

  const create = (object: object): Promise<string> =>
    runKubectl(controlPlane, ['create', '--dry-run=server', '-f', '-', '--as', operator], { input: stringify(object) });
  const patch = (name: string, body: object): Promise<string> =>
    kubectl(
      '-n',
      'team-a',
      'patch',
      'secret',
      name,
      '--type=merge',
      '-p',
      JSON.stringify(body),
      '--dry-run=server',
      '--as',
      operator,
    );
  const remove = (name: string): Promise<string> =>
    kubectl('-n', 'team-a', 'delete', 'secret', name, '--dry-run=server', '--as', operator);
  const data = { data: { password: 'bmV3' } };

  beforeAll(async () => {
    await inCluster('install', { secretPolicy: { enabled: true } });
    await kubectl('wait', '--for=condition=Established', 'crd', '--all', '--timeout=60s');
    await apply({
      apiVersion: owner.apiVersion,
      kind: owner.kind,
      metadata: { name: owner.name, namespace: 'team-a' },
      spec: {},
    });
    // The garbage collector knows whether an owner is there.
    owner.uid = await kubectl('-n', 'team-a', 'get', 'dbb', owner.name, '-o', 'jsonpath={.metadata.uid}');
    await runKubectl(controlPlane, ['create', '-f', '-'], {
      input: [ours, theirs, restored, damaged].map((object) => stringify(object)).join('---\n'),
    });
    await until('the policy is in force', async () =>
      create(theirs).then(
        () => false,
        (error: unknown) => String(error).includes('ValidatingAdmissionPolicy'),
      ),
    );
  });
  afterAll(async () => {
    await inCluster('uninstall', {}, '--no-hooks');
    await kubectl('-n', 'team-a', 'delete', 'secrets,dbb', '--all');
  });

  test.each<[string, () => Promise<string>]>([
    ['makes one of its own', () => create({ ...ours, metadata: { ...ours.metadata, name: 'new' } })],
    ['renews one of its own', () => patch('ours', data)],
    [
      'puts one right that lost its label',
      () => patch('damaged', { ...data, metadata: { labels: ours.metadata.labels } }),
    ],
    ['deletes one of its own', () => remove('ours')],
    ['deletes one that a backup brought back, without owner', () => remove('restored')],
    ['deletes one that lost its label', () => remove('damaged')],
  ])('the operator %s', async (_what, write) => {
    await expect(write()).resolves.toMatch(/(created|patched|deleted)/);
  });

  test.each<[string, () => Promise<string>, RegExp]>([
    ['makes one of another type', () => create({ ...ours, type: 'Opaque' }), /only Secrets of the type/],
    [
      'makes one without the label',
      () => create({ ...damaged, metadata: { ...damaged.metadata, name: 'new' } }),
      /with the label/,
    ],
    [
      'makes one without an owner',
      () => create({ ...restored, metadata: { ...restored.metadata, name: 'new' } }),
      /that a DatabaseBranch controls/,
    ],
    ['changes one of somebody else', () => patch('theirs', data), /only Secrets/],
    [
      'takes one of somebody else over',
      () => patch('theirs', { metadata: { labels: ours.metadata.labels, ownerReferences: [owner] } }),
      /only Secrets/,
    ],
    ['takes the label off', () => patch('ours', { metadata: { labels: null } }), /with the label/],
    ['deletes one of somebody else', () => remove('theirs'), /only Secrets that it made/],
  ])('the operator never %s', async (_what, write, words) => {
    await expect(write()).rejects.toThrow(words);
  });

  test('nobody else is bound by it', async () => {
    await expect(
      kubectl('-n', 'team-a', 'patch', 'secret', 'theirs', '--type=merge', '-p', JSON.stringify(data)),
    ).resolves.toMatch(/patched/);
  });
});

describe('the guard', () => {
  const job = 'lakebranch-uninstall-guard';
  const object = {
    apiVersion: 'lakebranch.dev/v1alpha1',
    kind: 'DatabaseBranch',
    metadata: { name: 'db', namespace: 'team-b', finalizers: ['lakebranch.dev/branch'] },
    spec: {},
  };
  const isThere = async (): Promise<boolean> => (await kubectl('-n', 'team-b', 'get', 'dbb', '-o', 'name')) !== '';

  test.each(scopes.slice(0, 2))('refuses while objects are left, then lets go: scope %s', async (_scope, values) => {
    await inCluster('install', values);
    await kubectl('wait', '--for=condition=Established', 'crd', '--all', '--timeout=60s');
    await apply(object);
    const [refused, run] = await Promise.all([
      inCluster('uninstall').catch((error: unknown) => error),
      runJob(controlPlane, release.namespace, job),
    ]);
    expect(refused).toBeInstanceOf(HelmError);
    expect(run).toMatchObject({ code: 1, output: expect.stringContaining('DatabaseBranch team-b/db') });
    expect(await installed()).toContain('deployment.apps/lakebranch');

    await kubectl('-n', 'team-b', 'patch', 'dbb', 'db', '--type=merge', '-p', '{"metadata":{"finalizers":null}}');
    await Promise.all([inCluster('uninstall'), runJob(controlPlane, release.namespace, job)]);
    expect(await installed()).toEqual([]);
    await kubectl('-n', 'team-b', 'delete', 'dbb', 'db', '--ignore-not-found');
  });

  test('takes the finalizers away where it is told to, so that objects can go without an operator', async () => {
    await inCluster('install', { uninstall: { releaseFinalizers: true } });
    await apply(object);
    const [, run] = await Promise.all([inCluster('uninstall'), runJob(controlPlane, release.namespace, job)]);
    expect(run).toMatchObject({ code: 0, output: expect.stringMatching(/took the finalizers of 1 DatabaseBranches/) });
    expect(await installed()).toEqual([]);
    expect(await isThere()).toBe(true);
    await kubectl('-n', 'team-b', 'delete', 'dbb', 'db', '--timeout=20s');
    expect(await isThere()).toBe(false);
  });

  test('is not there where it is switched off', async () => {
    await inCluster('install', { uninstall: { guard: false } });
    await apply(object);
    await inCluster('uninstall');
    expect(await installed()).toEqual([]);
    await kubectl('-n', 'team-b', 'patch', 'dbb', 'db', '--type=merge', '-p', '{"metadata":{"finalizers":null}}');
    await kubectl('-n', 'team-b', 'delete', 'dbb', 'db');
  });
});

test('the guard is a hook before the deletion, and its refusal is shown', async () => {
  const { metadata } = only(await render(), 'Job');
  expect(metadata.annotations).toMatchObject({
    'helm.sh/hook': 'pre-delete',
    'helm.sh/hook-output-log-policy': 'hook-failed',
  });
});
