// The generated CRDs on a real API server: what it accepts, what it refuses and with which words, what it fills in.
import { readdir, readFile } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parseAllDocuments } from 'yaml';
import { apiGroup, apiVersion } from '../../src/api/names.ts';
import { branchClassSchema } from '../../src/api/v1alpha1/branch-class.ts';
import { databaseBranchSchema } from '../../src/api/v1alpha1/database-branch.ts';
import { pointInTimeRestoreSchema } from '../../src/api/v1alpha1/point-in-time-restore.ts';
import { statusBeforeFirstLook } from '../../src/api/v1alpha1/schema.ts';
import { pathOf } from '../../src/kit/kube-http.ts';
import type { KubeObject } from '../../src/kit/kube.ts';
import type { KindDefinition } from '../../scripts/generate/crds.ts';
import type { StructuralSchema } from '../../scripts/generate/structural.ts';
import { sharedControlPlane } from '../control-plane/shared.ts';
import * as classCases from '../fixtures/branch-class-cases.ts';
import * as branchCases from '../fixtures/database-branch-cases.ts';
import * as restoreCases from '../fixtures/point-in-time-restore-cases.ts';
import { fullStatuses } from '../fixtures/full-statuses.ts';
import type { Refused, RefusedChange, Spec } from '../fixtures/manifest-cases.ts';
import { installCrds, type InstalledCrd } from './install-crds.ts';
import { RawApi, type Answer } from './raw-api.ts';
import { collection, dryRunCreate, expectRefused, kindNamed, namespace, objectOf } from './tried-manifests.ts';

const api = new RawApi(sharedControlPlane());
let installed: InstalledCrd[];

beforeAll(async () => {
  installed = await installCrds(api);
  await api.call('POST', '/api/v1/namespaces', { body: { metadata: { name: namespace } } });
});
afterAll(() => api.close());

/** Creates `before`, tries to replace it by `after`, and takes it away again. */
async function tryChange(kind: KindDefinition, before: Spec, after: Spec): Promise<Answer> {
  const created = await api.call('POST', collection(kind), { body: objectOf(kind, 'changing', before) });
  expect(created.body.message).toBeUndefined();
  const path = `${collection(kind)}/changing`;
  const { resourceVersion } = created.body.metadata;
  const changing = objectOf(kind, 'changing', after);
  const body = { ...changing, metadata: { ...changing.metadata, resourceVersion } };
  const answer = await api.call('PUT', `${path}?dryRun=All`, { body });
  await api.call('DELETE', path);
  return answer;
}

test('the API server takes the CRDs as they are, without a warning', () => {
  for (const { name, answer, conditions } of installed) {
    expect(answer.warning, name).toBeUndefined();
    expect(conditions.filter(({ type, status }) => type === 'NonStructuralSchema' && status === 'True')).toEqual([]);
    expect(conditions).toContainEqual(expect.objectContaining({ type: 'NamesAccepted', status: 'True' }));
  }
});

const suites = [
  { kind: kindNamed('DatabaseBranch'), schema: databaseBranchSchema, cases: branchCases },
  { kind: kindNamed('BranchClass'), schema: branchClassSchema, cases: classCases },
  { kind: kindNamed('PointInTimeRestore'), schema: pointInTimeRestoreSchema, cases: restoreCases },
];

describe.each(suites.map((suite) => [suite.kind.resource.kind, suite] as const))(
  '%s',
  (name, { kind, schema, cases }) => {
    test.each(cases.accepted)('accepts %s', async (_what, spec) => {
      const { body } = await dryRunCreate(api, kind, spec);
      expect(body.message).toBeUndefined();
      // The server fills in what zod fills in: types and manifests mean the same.
      expect(body['spec']).toEqual(schema.parse({ spec }).spec);
    });

    test.each(cases.refused)('refuses %s', async (_what, spec, field, message) => {
      expectRefused(await dryRunCreate(api, kind, spec), field, message);
    });

    test.each(cases.allowedChanges)('may be changed: %s', async (_what, before, after) => {
      const { code, body } = await tryChange(kind, before, after);
      expect(code, body.message).toBe(200);
    });

    test.each(cases.refusedChanges)('may not be changed: %s', async (_what, before, after, field, message) => {
      expectRefused(await tryChange(kind, before, after), field, message);
    });

    test('begins as not looked at', async () => {
      const { body } = await dryRunCreate(api, kind, cases.accepted[0]![1]);
      const { observedGeneration, conditions } = body['status'] as ReturnType<typeof statusBeforeFirstLook>;
      const [before] = statusBeforeFirstLook().conditions;
      expect(observedGeneration).toBe(-1);
      expect(conditions).toEqual(waitedFor(name).map((type) => ({ ...before, type })));
    });

    test('keeps every field of a status', async () => {
      const created = await api.call('POST', collection(kind), { body: objectOf(kind, 'full', cases.accepted[0]![1]) });
      const status = fullStatuses[name];
      const body = { ...created.body, status };
      const answer = await api.call('PUT', `${collection(kind)}/full/status`, { body });
      expect(answer.body.message).toBeUndefined();
      expect(answer.body['status']).toEqual(status);
      expect(leaves(status).sort()).toEqual(leavesOf(kind.schema.properties?.['status']).sort());
      await api.call('DELETE', `${collection(kind)}/full`);
    });

    test('every rule has a case that breaks it', () => {
      const broken = [...cases.refused, ...cases.refusedChanges].map(brokenRule);
      const rules = rulesOf(kind.schema, '').filter(({ field }) => field !== '');
      expect(rules.length).toBeGreaterThan(20);
      const isBroken = ({ field, message }: { field: string; message: string }): boolean =>
        broken.some((rule) => rule.field === field && message.includes(rule.message));
      expect(rules.filter((rule) => !isBroken(rule))).toEqual([]);
    });
  },
);

/** The conditions that are there from the first second, because people and tools wait for them. */
const waitedFor = (kind: string): string[] => (kind === 'PointInTimeRestore' ? ['Ready', 'Succeeded'] : ['Ready']);

const brokenRule = (refusal: Refused | RefusedChange): { field: string; message: string } => {
  const [field, message] = refusal.slice(-2) as [string, string];
  return { field: field.replaceAll(/\[\d+\]/g, '[]'), message };
};

/** As YAML reads `field:` with nothing after it. */
const nulls = ({ properties = {} }: StructuralSchema): Spec =>
  Object.fromEntries(Object.keys(properties).map((name) => [name, null]));

/** Every rule, with the field that the API server names when it is broken. */
function rulesOf(schema: StructuralSchema, path: string): { field: string; message: string }[] {
  const own = (schema['x-kubernetes-validations'] ?? []).map(({ message, fieldPath = '' }) => ({
    field: `${path}${fieldPath}`.replace(/^\./, ''),
    message,
  }));
  const below = Object.entries(schema.properties ?? {}).flatMap(([key, value]) =>
    rulesOf(value, path === '' ? key : `${path}.${key}`),
  );
  return [...own, ...below, ...(schema.items ? rulesOf(schema.items, `${path}[]`) : [])];
}

/** Paths of all plain values. */
function leaves(value: unknown, path = ''): string[] {
  if (Array.isArray(value)) return [...new Set(value.flatMap((item) => leaves(item, `${path}[]`)))];
  if (typeof value !== 'object' || value === null) return [path];
  return Object.entries(value).flatMap(([key, inner]) => leaves(inner, `${path}.${key}`));
}

function leavesOf(schema: StructuralSchema | undefined, path = ''): string[] {
  if (schema?.items) return leavesOf(schema.items, `${path}[]`);
  if (!schema?.properties) return [path];
  return Object.entries(schema.properties).flatMap(([key, inner]) => leavesOf(inner, `${path}.${key}`));
}

describe('a DatabaseBranch', () => {
  const kind = kindNamed('DatabaseBranch');

  test.each([
    ['no spec at all', undefined],
    ['an empty spec', {}],
    ['a spec whose fields were left empty', nulls(kind.schema.properties!['spec']!)],
  ])('may have %s', async (_what, spec) => {
    const { body } = await dryRunCreate(api, kind, spec);
    expect(body['spec']).toEqual({
      className: 'default',
      children: 'Forbid',
      deletionPolicy: 'Delete',
      credentials: { database: 'databricks_postgres', tokenTTL: '1h' },
    });
  });

  test('may have a name of 63 characters, and no more', async () => {
    expect((await dryRunCreate(api, kind, {}, 'n'.repeat(63))).code).toBe(201);
    const tooLong = await dryRunCreate(api, kind, {}, 'n'.repeat(64));
    expectRefused(
      tooLong,
      '<nil>',
      'metadata.name must have at most 63 characters, so that it fits into a label: shorten it',
    );
  });

  test('is selected by its class', async () => {
    await api.call('POST', collection(kind), { body: objectOf(kind, 'selected', { className: 'rare' }) });
    const { body } = await api.call('GET', `${collection(kind)}?fieldSelector=spec.className%3Drare`);
    expect((body['items'] as KubeObject[]).map(({ metadata }) => metadata.name)).toEqual(['selected']);
    await api.call('DELETE', `${collection(kind)}/selected`);
  });

  test('keeps status apart from spec', async () => {
    const object = { ...objectOf(kind, 'apart', {}), status: { observedGeneration: 7 } };
    const { body } = await api.call('POST', `${collection(kind)}?dryRun=All`, { body: object });
    expect(body['status']).toEqual(statusBeforeFirstLook());
  });
});

describe('a PointInTimeRestore', () => {
  const kind = kindNamed('PointInTimeRestore');

  test('may have a name of 63 characters, and no more', async () => {
    expect((await dryRunCreate(api, kind, restoreCases.minimal, 'n'.repeat(63))).code).toBe(201);
    expectRefused(
      await dryRunCreate(api, kind, restoreCases.minimal, 'n'.repeat(64)),
      '<nil>',
      'metadata.name must have at most 63 characters, so that it fits into a label: shorten it',
    );
  });

  test('must say what it brings back', async () => {
    expectRefused(await dryRunCreate(api, kind, undefined), 'spec', 'Required value');
  });
});

test.each([
  [
    'DatabaseBranch',
    ['Name', 'Ready', 'Status', 'Source', 'Expires', 'Age'],
    ['Branch', 'Host', 'Token-Expires', 'Class', 'Message'],
  ],
  ['PointInTimeRestore', ['Name', 'Succeeded', 'Status', 'Requested', 'Actual', 'Skew', 'Branch', 'Age'], ['Message']],
  ['BranchClass', ['Name', 'Ready', 'Status', 'Project', 'Source', 'Age'], ['Workspace', 'Message']],
])('kubectl get %s shows the columns that matter', async (name, narrow, wide) => {
  const accept = 'application/json;as=Table;v=v1;g=meta.k8s.io';
  const { body } = await api.call('GET', collection(kindNamed(name)), { accept });
  const columns = body['columnDefinitions'] as { name: string; priority: number }[];
  const withPriority = (priority: number): string[] =>
    columns.filter((column) => column.priority === priority).map((column) => column.name);
  expect(withPriority(0)).toEqual(narrow);
  expect(withPriority(1)).toEqual(wide);
});

test('the kinds are listed under a category of their own, never under all', async () => {
  const { body } = await api.call('GET', `/apis/${apiGroup}/${apiVersion}`);
  const resources = (body['resources'] as { name: string; shortNames?: string[]; categories?: string[] }[]).filter(
    (resource) => !resource.name.includes('/'),
  );
  expect(resources.map(({ categories }) => categories)).toEqual(Array(3).fill(['lakebranch']));
  expect(new Set(resources.flatMap(({ shortNames }) => shortNames))).toEqual(new Set(['dbb', 'pitr', 'bclass']));
});

test('the sample manifests are accepted in their order', async () => {
  const folder = 'deploy/samples';
  const files = (await readdir(folder)).filter((file) => file.endsWith('.yaml')).sort();
  const objects = (await Promise.all(files.map((file) => readFile(`${folder}/${file}`, 'utf8')))).flatMap((text) =>
    parseAllDocuments(text).map((document) => document.toJS() as KubeObject),
  );
  for (const object of objects) {
    const { code, body } = await api.call('PATCH', `${pathOfObject(object)}?fieldManager=tests`, {
      body: object,
      contentType: 'application/apply-patch+yaml',
    });
    expect(code, `${object.kind} ${object.metadata.name}: ${body.message}`).toBe(201);
  }
  expect(objects.map(({ kind }) => kind)).toEqual([
    'Namespace',
    'Namespace',
    'Secret',
    'Secret',
    'BranchClass',
    'DatabaseBranch',
  ]);
  for (const object of objects.toReversed()) await api.call('DELETE', pathOfObject(object));
});

/** Every manifest of ours that a page or a further sample shows. */
async function shownManifests(): Promise<[string, KubeObject][]> {
  const pages = [
    'README.md',
    ...(await readdir('docs')).filter((file) => file.endsWith('.md')).map((file) => `docs/${file}`),
  ];
  const samples = (await readdir('deploy/samples/more')).map((file) => `deploy/samples/more/${file}`);
  const texts = await Promise.all(
    [...pages, ...samples].map(async (file) => [file, await readFile(file, 'utf8')] as const),
  );
  return texts.flatMap(([file, text]) => {
    // Between fences, or as what a shell hands to kubectl.
    const shown = /^```yaml\n([^]*?)^```|<<'YAML'\n([^]*?)^YAML$/gm;
    const blocks = file.endsWith('.md')
      ? [...text.matchAll(shown)].map(([, fenced, handed]) => fenced ?? handed ?? '')
      : [text];
    return blocks
      .flatMap((block) => parseAllDocuments(block).map((document) => document.toJS() as KubeObject))
      .filter((object) => object.apiVersion === `${apiGroup}/${apiVersion}`)
      .map((object): [string, KubeObject] => [`${file}: ${object.kind} ${object.metadata.name}`, object]);
  });
}

test('every manifest that a page or a further sample shows is accepted as it is', async () => {
  const shown = await shownManifests();
  for (const [what, object] of shown) {
    const kind = kindNamed(object.kind ?? '');
    const body = kind.resource.namespaced ? { ...object, metadata: { ...object.metadata, namespace } } : object;
    const { code, body: answer } = await api.call('POST', `${collection(kind)}?dryRun=All`, { body });
    expect(code, `${what}: ${answer.message}`).toBe(201);
  }
  expect(shown.length).toBeGreaterThan(8);
});

function pathOfObject({ apiVersion: full = '', kind = '', metadata }: KubeObject): string {
  const [group, version] = full.includes('/') ? full.split('/') : ['', full];
  const plural =
    { Namespace: 'namespaces', Secret: 'secrets', BranchClass: 'branchclasses', DatabaseBranch: 'databasebranches' }[
      kind
    ] ?? kind;
  return pathOf(
    { group: group!, version: version!, plural, kind, namespaced: metadata.namespace !== undefined },
    metadata,
  );
}
