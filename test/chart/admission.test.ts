// What the API server lets through once the chart is installed: its pods, what people do, what the operator writes.
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { KubectlError } from '../stack/kubectl.ts';
import { until } from '../stack/until.ts';
import { ChartCluster, everything } from './cluster.ts';
import { release, render } from './render.ts';

vi.setConfig({ testTimeout: 180_000 });

let cluster: ChartCluster;

beforeAll(async () => {
  cluster = await ChartCluster.start();
});
afterAll(() => cluster?.stop());

test('all pods pass the Pod Security Standard that the namespace enforces', async () => {
  const manifests = await render(everything);
  await cluster.apply(...manifests.filter(({ kind }) => kind === 'ServiceAccount'));
  await using _gone = {
    [Symbol.asyncDispose]: () =>
      cluster.kubectl('-n', release.namespace, 'delete', 'sa', 'lakebranch').then(() => undefined),
  };
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
    await cluster.send(['create', '--dry-run=server'], pod);
    const { securityContext: _none, ...open } = spec as Record<string, unknown>;
    const loose = cluster.send(['create', '--dry-run=server'], { ...pod, spec: open });
    await expect(loose).rejects.toThrow(/violates PodSecurity "restricted/);
  }
});

describe('people', () => {
  beforeAll(() => cluster.install().then(() => undefined));
  afterAll(() => cluster.uninstall('--no-hooks').then(() => undefined));

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
    await cluster
      .kubectl('-n', 'team-a', 'create', 'rolebinding', person, `--clusterrole=${role}`, `--user=${person}`)
      .catch((error: unknown) => expect((error as Error).message).toContain('already exists'));
    const ask = ['auth', 'can-i', '-n', 'team-a', '--as', person, ...what.split(' ')];
    // The controller that aggregates roles takes a moment.
    await until(`${role} may ${what}: ${wanted}`, async () => (await answerTo(ask)) === wanted);
  });

  /** kubectl says no with exit code 1. */
  const answerTo = (ask: string[]): Promise<string> =>
    cluster.kubectl(...ask).catch((error: unknown) => {
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
    cluster.send(['create', '--dry-run=server', '--as', operator], object);
  const patch = (name: string, body: object): Promise<string> =>
    cluster.kubectl(
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
    cluster.kubectl('-n', 'team-a', 'delete', 'secret', name, '--dry-run=server', '--as', operator);
  const data = { data: { password: 'bmV3' } };

  beforeAll(async () => {
    await cluster.install({ secretPolicy: { enabled: true } });
    await cluster.apply({
      apiVersion: owner.apiVersion,
      kind: owner.kind,
      metadata: { name: owner.name, namespace: 'team-a' },
      spec: {},
    });
    // The garbage collector knows whether an owner is there.
    owner.uid = await cluster.kubectl('-n', 'team-a', 'get', 'dbb', owner.name, '-o', 'jsonpath={.metadata.uid}');
    await cluster.send(['create'], ours, theirs, restored, damaged);
    await until('the policy is in force', async () =>
      create(theirs).then(
        () => false,
        (error: unknown) => String(error).includes('ValidatingAdmissionPolicy'),
      ),
    );
  });
  afterAll(async () => {
    await cluster.uninstall('--no-hooks');
    await cluster.kubectl('-n', 'team-a', 'delete', 'secrets,dbb', '--all');
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
      cluster.kubectl('-n', 'team-a', 'patch', 'secret', 'theirs', '--type=merge', '-p', JSON.stringify(data)),
    ).resolves.toMatch(/patched/);
  });
});
