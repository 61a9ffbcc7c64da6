import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { parseAllDocuments } from 'yaml';
import { accessesOf, inWords, rights, type Access, type Scope } from './rights.ts';

const everywhere: Scope = {
  namespace: 'lakebranch-system',
  watchNamespaces: [],
  leaderElection: true,
  clusterID: undefined,
};

interface Role {
  readonly kind: string;
  readonly metadata: { readonly namespace?: string };
  readonly rules?: readonly { apiGroups: string[]; resources: string[]; verbs: string[] }[];
}

const granted = parseAllDocuments(readFileSync(join(import.meta.dirname, '../../deploy/rbac.yaml'), 'utf8'))
  .map((document) => document.toJS() as Role)
  .flatMap(({ metadata, rules = [] }) =>
    rules.flatMap(({ apiGroups, resources, verbs }) =>
      apiGroups.flatMap((group) =>
        resources.flatMap((resource) =>
          verbs.map((verb): Access => ({
            group,
            resource,
            verb,
            ...(metadata.namespace ? { namespace: metadata.namespace } : {}),
          })),
        ),
      ),
    ),
  );
const line = ({ verb, resource, group, namespace = '' }: Access): string => `${verb} ${resource} ${group} ${namespace}`;

test('the roles of deploy/ grant what is asked for, and nothing else', () => {
  const all = granted.map(line);
  const covered = (access: Access): string[] => [line(access), line({ ...access, namespace: '' })];
  const asked = accessesOf(everywhere);
  expect(asked.filter((access) => !covered(access).some((grant) => all.includes(grant)))).toEqual([]);
  const used = new Set(asked.flatMap(covered));
  expect(all.filter((grant) => !used.has(grant))).toEqual([]);
});

test('each right says why, and Secrets are neither listed nor watched', () => {
  expect(rights.filter(({ why }) => why.length < 5)).toEqual([]);
  const ofSecrets = rights.filter(({ resource }) => resource === 'secrets').flatMap(({ verbs }) => verbs);
  expect(ofSecrets.filter((verb) => ['list', 'watch', 'update', 'deletecollection'].includes(verb))).toEqual([]);
});

const places = (resource: string, change: Partial<Scope>): string[] => [
  ...new Set(
    accessesOf({ ...everywhere, ...change })
      .filter((access) => access.resource === resource)
      .map(({ namespace = '*', name }) => (name === undefined ? namespace : `${namespace}/${name}`)),
  ),
];

test.each<[string, string, Partial<Scope>, string[]]>([
  ['all namespaces', 'databasebranches', {}, ['*']],
  ['two namespaces', 'databasebranches', { watchNamespaces: ['a', 'b'] }, ['a', 'b']],
  ['classes are of the cluster', 'branchclasses', { watchNamespaces: ['a'] }, ['*']],
  ['Secrets of objects, and of classes', 'secrets', { watchNamespaces: ['a'] }, ['a', 'lakebranch-system']],
  ['labels and the id of the cluster', 'namespaces', { watchNamespaces: ['a'] }, ['a/a', 'kube-system/kube-system']],
  ['an id of the cluster that is set', 'namespaces', { watchNamespaces: ['a'], clusterID: 'east' }, ['a/a']],
  ['Events of objects and of classes', 'events', { watchNamespaces: ['a'] }, ['a', 'default']],
  ['one leader', 'leases', {}, ['lakebranch-system']],
  ['no election', 'leases', { leaderElection: false }, []],
])('%s', (_sentence, resource, change, expected) => {
  expect(places(resource, change)).toEqual(expected);
});

test('what is missing is told by verb, resource and place', () => {
  const missing = accessesOf({ ...everywhere, watchNamespaces: ['pr-1'] }).filter(
    ({ resource, verb }) => ['secrets', 'branchclasses/status', 'namespaces'].includes(resource) && verb !== 'create',
  );
  expect(inWords(missing)).toBe(
    'update branchclasses.lakebranch.dev/status in the cluster; get, patch, delete secrets in namespace pr-1; ' +
      'get secrets in namespace lakebranch-system; get namespaces pr-1; get namespaces kube-system',
  );
  expect(inWords(accessesOf(everywhere))).toMatch(
    /list, watch, patch, get, create databasebranches\S+ in all namespaces/,
  );
  const many = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i', 'j', 'k', 'l', 'm', 'n'].map((namespace) => ({
    group: '',
    resource: 'secrets',
    verb: 'get',
    namespace,
  }));
  expect(inWords(many)).toMatch(/namespace l; and 2 more$/);
});
