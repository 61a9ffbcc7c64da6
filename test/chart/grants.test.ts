// What the chart grants in each scope, as files to be read; and what it may never grant.
import { expect, test } from 'vitest';
import { stringify } from 'yaml';
import { only, release, render, type Manifest, type Values } from './render.ts';

/** Roles without labels: who may do what where. */
const grantsIn = (manifests: readonly Manifest[]): object[] =>
  manifests
    .filter(({ kind }) => /Role/.test(kind))
    .map(({ kind, metadata: { name, namespace }, ...rest }) => ({
      [kind]: namespace ? `${namespace}/${name}` : name,
      ...(rest['rules'] ? { rules: rest['rules'] } : { roleRef: rest['roleRef'].name, subjects: rest['subjects'] }),
    }));

test.each<[string, Values]>([
  ['cluster', {}],
  ['namespaces', { scope: 'namespaces', namespaces: ['team-a', 'team-b'], existingSecret: ['manager', 'login'] }],
  ['namespace', { scope: 'namespace' }],
])('what is granted with scope %s', async (scope, values) => {
  const text = stringify(grantsIn(await render(values)), { lineWidth: 120, aliasDuplicateObjects: false });
  await expect(text).toMatchFileSnapshot(`golden/grants-${scope}.yaml`);
});

const scopes: readonly Values[] = [
  {},
  { scope: 'namespaces', namespaces: ['team-a', 'team-b'] },
  { scope: 'namespace' },
  { metrics: { mode: 'Protected' }, emulator: { enabled: true }, secretPolicy: { enabled: true } },
];

test.each(scopes)('nobody may list or watch Secrets: %j', async (values) => {
  for (const { metadata, rules } of (await render(values)).filter(({ rules: some }) => some))
    for (const { resources = [], verbs } of rules as { resources?: string[]; verbs: string[] }[]) {
      const risky = resources.some((name) => ['secrets', '*'].includes(name)) || verbs.includes('*');
      expect(
        risky && verbs.some((verb) => ['list', 'watch', '*', 'deletecollection'].includes(verb)),
        metadata.name,
      ).toBe(false);
    }
});

test('outside its namespaces a namespaced operator writes to nothing but its own kinds', async () => {
  const manifests = await render({ scope: 'namespaces', namespaces: ['team-a'], metrics: { mode: 'Protected' } });
  const { rules } = only(manifests, 'ClusterRole', 'lakebranch');
  const writes = (rules as { apiGroups: string[]; resources: string[]; verbs: string[] }[])
    .filter(({ verbs }) => verbs.some((verb) => !['get', 'list', 'watch'].includes(verb)))
    .flatMap(({ apiGroups, resources }) => resources.map((resource) => `${apiGroups[0]}/${resource}`));
  expect(new Set(writes.map((name) => name.split('/')[0]))).toEqual(
    // The reviews of Protected metrics store nothing.
    new Set(['lakebranch.dev', 'authentication.k8s.io', 'authorization.k8s.io']),
  );
});

test('with an id of its own the operator does not read kube-system', async () => {
  const named = async (clusterID: string): Promise<unknown> =>
    only(await render({ scope: 'namespace', clusterID }), 'ClusterRole', 'lakebranch')['rules'].find(
      ({ resources }: { resources: string[] }) => resources.includes('namespaces'),
    ).resourceNames;
  expect([await named(''), await named('ours')]).toEqual([[release.namespace, 'kube-system'], [release.namespace]]);
});

test('view sees no Secrets, and only admin makes restores', async () => {
  const manifests = await render();
  const may = (role: string, verb: string, resource: string): boolean =>
    (only(manifests, 'ClusterRole', `lakebranch-${role}`)['rules'] as { resources: string[]; verbs: string[] }[]).some(
      ({ resources, verbs }) => resources.includes(resource) && verbs.includes(verb),
    );
  expect(['view', 'edit', 'admin'].map((role) => may(role, 'get', 'secrets'))).toEqual([false, false, false]);
  expect(['view', 'edit', 'admin'].map((role) => may(role, 'create', 'pointintimerestores'))).toEqual([
    false,
    false,
    true,
  ]);
  expect(['view', 'edit', 'admin'].map((role) => may(role, 'create', 'databasebranches'))).toEqual([
    false,
    true,
    false,
  ]);
});
