// The example of previews for pull requests: rendered by Argo CD's own code, then by Helm.
import { readFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { parseAllDocuments } from 'yaml';
import type { DatabaseBranch } from '../../src/api/v1alpha1/database-branch.ts';
import type { KubeObject } from '../../src/kit/kube.ts';
import { toolBinary } from '../tools/build.ts';
import { askArgo, buildTimeoutMs } from './ask.ts';
import { previewChart, runHelm } from './helm.ts';

let dir: string;
beforeAll(async () => {
  await toolBinary('argocd');
  await toolBinary('helm');
  dir = await mkdtemp(join(tmpdir(), 'lakebranch-previews-'));
}, buildTimeoutMs);
afterAll(() => rm(dir, { recursive: true }));

const example = readFileSync(join(import.meta.dirname, '../../examples/argocd-applicationset.yaml'), 'utf8');
const objectsIn = (manifests: string): KubeObject[] =>
  parseAllDocuments(manifests).map((document) => document.toJS() as KubeObject);

interface Application extends KubeObject {
  readonly spec: {
    readonly project: string;
    readonly source: { readonly helm: { readonly releaseName: string; readonly valuesObject: object } };
    readonly destination: { readonly namespace: string };
  };
}
interface AppProject extends KubeObject {
  readonly spec: Readonly<
    Record<'clusterResourceWhitelist' | 'namespaceResourceWhitelist', readonly { kind: string }[]>
  >;
}

/** What the generator gives for a pull request. */
const pullRequest = {
  number: '17',
  branch: 'a/branch_with-a-very-long-name-that-no-namespace-could-have-and-no-label-either',
  head_sha: '0123456789abcdef0123456789abcdef01234567',
  labels: ['preview'],
};

async function application(): Promise<Application> {
  const [set] = objectsIn(example);
  const [answer] = await askArgo([{ do: 'render', object: set!, parameters: pullRequest }]);
  expect(answer?.error).toBeUndefined();
  return answer?.object as Application;
}

async function manifestsOf({ spec: { source, destination } }: Application): Promise<KubeObject[]> {
  const values = join(dir, 'values.json');
  await writeFile(values, JSON.stringify(source.helm.valuesObject));
  const args = [source.helm.releaseName, previewChart, '--namespace', destination.namespace, '--values', values];
  return objectsIn(await runHelm({ dir }, 'template', ...args));
}

const waveOf = ({ metadata }: KubeObject): number =>
  Number(metadata.annotations?.['argocd.argoproj.io/sync-wave'] ?? 0);

test('a pull request becomes an application of its own, which takes everything with it', async () => {
  const made = await application();
  expect(made.metadata.name).toBe('shop-pr-17');
  expect(made.metadata.finalizers).toEqual(['resources-finalizer.argocd.argoproj.io']);
  expect(made.spec.destination.namespace).toBe('shop-pr-17');
  const image = { repository: 'registry.example.com/shop', tag: pullRequest.head_sha };
  expect(made.spec.source.helm.valuesObject).toMatchObject({ image, namespace: { manage: true } });
});

test('the branch ends two to three days after the last look at the pull request, at the same instant all day', async () => {
  const [database] = (await manifestsOf(await application())).filter(({ kind }) => kind === 'DatabaseBranch');
  const { at = '' } = (database as DatabaseBranch).spec.expiration ?? {};
  expect(at).toMatch(/^\d{4}-\d\d-\d\dT00:00:00Z$/);
  const days = (Date.parse(at) - Date.now()) / 86_400_000;
  expect(days).toBeGreaterThan(1.9);
  expect(days).toBeLessThan(3.1);
});

test('namespace, database, migration and application come in this order', async () => {
  const objects = await manifestsOf(await application());
  const order = objects.toSorted((a, b) => waveOf(a) - waveOf(b)).map(({ kind }) => kind ?? '');
  expect(order.slice(0, 3)).toEqual(['Namespace', 'DatabaseBranch', 'Job']);
  expect(order.slice(3).toSorted()).toEqual(['Deployment', 'Service']);
  expect(objects.filter(({ kind, metadata }) => kind !== 'Namespace' && metadata.namespace !== 'shop-pr-17')).toEqual(
    [],
  );
  expect(objects.find(({ kind }) => kind === 'Namespace')?.metadata).toMatchObject({
    name: 'shop-pr-17',
    labels: { preview: 'true' },
  });
});

test('the project allows what the chart makes and the pods of it, which Argo CD would hide otherwise, and nothing else', async () => {
  const [, project] = objectsIn(example) as [KubeObject, AppProject];
  const [answer] = await askArgo([{ do: 'decode', object: project }]);
  expect(answer?.error).toBeUndefined();
  const made = await application();
  expect(made.spec.project).toBe(project.metadata.name);
  const { clusterResourceWhitelist, namespaceResourceWhitelist } = project.spec;
  const allowed = [...clusterResourceWhitelist, ...namespaceResourceWhitelist].map(({ kind }) => kind);
  const kinds = (await manifestsOf(made)).map(({ kind = '' }) => kind);
  expect(allowed.toSorted()).toEqual([...kinds, 'Pod', 'ReplicaSet'].toSorted());
});

test('a field that Argo CD does not know is found', async () => {
  const [set] = objectsIn(example.replace('requeueAfterSeconds', 'requeueAfter'));
  const [answer] = await askArgo([{ do: 'render', object: set!, parameters: pullRequest }]);
  expect(answer?.error).toContain('requeueAfter');
});

test.each([
  ['env[0].value', '--set', 'env[0].name=DEBUG,env[0].value=true'],
  ['image.tag', '--set', 'image.tag=1234567'],
  ['database.spec.credentials', '--set', 'database.spec.credentials=null'],
])('a value of the chart that would become a wrong manifest is refused: %s', async (path, ...values) => {
  const refused = runHelm({ dir }, 'template', 'shop', previewChart, ...values);
  await expect(refused).rejects.toThrow(`/${path.replaceAll(/\[(\d)\]/g, '/$1').replaceAll('.', '/')}`);
});

test.each(['7-up', 'a.b'])('a release whose name no Service can have is refused in words: %s', async (name) => {
  const refused = runHelm({ dir }, 'template', name, previewChart);
  await expect(refused).rejects.toThrow(`the release is called ${name}`);
});
