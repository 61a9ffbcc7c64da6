// Values that cannot be meant are refused, and the refusal names them.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { chart, helm, render, type Values } from './render.ts';

const refusals: readonly (readonly [string, Values, RegExp])[] = [
  ['a value that is not known', { replica: 2 }, /at '': additional properties 'replica' not allowed/],
  ['a value inside another that is not known', { crds: { kept: true } }, /at '\/crds': additional properties 'kept'/],
  ['another scope', { scope: 'all' }, /at '\/scope': value must be one of 'cluster', 'namespaces', 'namespace'/],
  ['no namespaces', { scope: 'namespaces' }, /namespaces: must list the namespaces to work in/],
  ['namespaces that do not count', { namespaces: ['a'] }, /namespaces: must be empty, because scope is "cluster"/],
  [
    'a namespace that cannot be one',
    { scope: 'namespaces', namespaces: ['A'] },
    /at '\/namespaces\/0': 'A' does not match/,
  ],
  ['a number as text', { replicas: '2' }, /at '\/replicas': got string, want integer/],
  ['no replica', { replicas: 0 }, /at '\/replicas': minimum: got 0, want 1/],
  ['a level nobody knows', { logLevel: 'loud' }, /at '\/logLevel'/],
  ['days in a duration', { deletionMaxWait: '1d' }, /at '\/deletionMaxWait'/],
  ['a digest without an algorithm', { image: { digest: 'abc' } }, /at '\/image\/digest'/],
  ['an audience with a comma', { workloadIdentity: { audiences: ['a,b'] } }, /at '\/workloadIdentity\/audiences\/0'/],
  [
    'an audience twice',
    { workloadIdentity: { audiences: ['a', 'a'] } },
    /workloadIdentity\.audiences: names one twice/,
  ],
  ...['https://kubernetes.default.svc', 'https://kubernetes.default.svc.cluster.local', 'kubernetes', 'api'].map(
    (audience) =>
      [
        `the audience ${audience} of the API server`,
        { workloadIdentity: { audiences: ['databricks', audience] } },
        /workloadIdentity\.audiences: ".*" is what API servers answer to/,
      ] as const,
  ),
  ['a token that lives too short', { workloadIdentity: { expirationSeconds: 60 } }, /expirationSeconds': minimum/],
  ['a proxy that is no URL', { proxy: { url: 'proxy:3128' } }, /at '\/proxy\/url'/],
  ['two proxies', { proxy: { url: 'http://p', existingSecret: { name: 's' } } }, /proxy: set either/],
  ['a mode of metrics nobody knows', { metrics: { mode: 'Open' } }, /at '\/metrics\/mode'/],
  [
    'a PodMonitor that cannot log in',
    { metrics: { mode: 'Protected', monitor: { kind: 'PodMonitor' } } },
    /metrics\.monitor\.authorization: must be set/,
  ],
  [
    'a ServiceMonitor without a Service',
    { metrics: { service: false, monitor: { kind: 'ServiceMonitor' } } },
    /metrics\.service: must be true/,
  ],
  ['no ServiceAccount', { serviceAccount: { create: false } }, /serviceAccount\.name: must be set/],
  ['an audience that no token can name', { workloadIdentity: { audiences: ['a\u00e4'] } }, /audiences\/0/],
  ['two ids of a cluster in one', { previousClusterIDs: ['a,b'] }, /at '\/previousClusterIDs\/0'/],
  ['a proxy under no key', { proxy: { existingSecret: { name: 's', key: '' } } }, /at '\/proxy\/existingSecret\/key'/],
  ['a name that is too long for a label', { nameOverride: 'n'.repeat(64) }, /at '\/nameOverride'/],
  ['a name that no Service can have', { fullnameOverride: 'a.b' }, /at '\/fullnameOverride'/],
  [
    'metrics on the port of the probes',
    { metrics: { mode: 'Protected', port: 8080 } },
    /metrics\.port: must not be 8080/,
  ],
  ...['commonLabels', 'podLabels'].map(
    (name) =>
      [
        `${name} that hide a pod from its Deployment`,
        { [name]: { 'app.kubernetes.io/name': 'ours' } },
        new RegExp(`${name}: must not set app\\.kubernetes\\.io/name`),
      ] as const,
  ),
  ['a list that is taken away', { namespaces: null }, /at '': missing property 'namespaces'/],
  ['a map that is taken away', { workloadIdentity: null }, /at '': missing property 'workloadIdentity'/],
  ['a value inside one', { metrics: { port: null } }, /at '\/metrics': missing property 'port'/],
  ['a flag of the emulator that is none', { emulator: { extraArgs: ['admin'] } }, /at '\/emulator\/extraArgs\/0'/],
];

test.each(refusals)('%s is refused', async (_what, values, words) => {
  await expect(render(values)).rejects.toThrow(words);
});

test('null takes away resources and security contexts, whose defaults an empty map would leave', async () => {
  const none = { resources: null, podSecurityContext: null, securityContext: null };
  const manifests = JSON.stringify(await render({ ...none, emulator: { enabled: true, resources: null } }));
  expect(manifests).not.toContain('seccompProfile');
  expect(manifests).not.toContain('readOnlyRootFilesystem');
  expect(manifests).not.toContain('"requests"');
  expect(manifests).toContain('"fsGroup":65532');
});

test('a chart that has this one as a part may hand down its global values', async () => {
  await expect(render({ global: { anything: true } })).resolves.not.toHaveLength(0);
});

test('helm lint has nothing to say but that there is no icon', async () => {
  const words = await helm(['lint', '--strict', chart]);
  expect(words.match(/^\[.*$/gm)).toEqual(['[INFO] Chart.yaml: icon is recommended']);
});

interface Schema {
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly additionalProperties?: unknown;
  readonly description?: string;
}

describe('values.schema.json', () => {
  const schema = JSON.parse(readFileSync(join(chart, 'values.schema.json'), 'utf8')) as Schema;
  const values = parse(readFileSync(join(chart, 'values.yaml'), 'utf8')) as Values;

  /** Paths that the schema spells out. */
  const spelled = (inner: Schema, path = ''): string[] =>
    inner.properties && inner.additionalProperties === false
      ? Object.entries(inner.properties).flatMap(([name, next]) => spelled(next, `${path}/${name}`))
      : [path];

  test('and values.yaml know the same values', () => {
    const has = (path: string): boolean => {
      let at: unknown = values;
      for (const name of path.split('/').slice(1)) {
        if (typeof at !== 'object' || at === null || !(name in at)) return false;
        at = (at as Values)[name];
      }
      return true;
    };
    const missing = spelled(schema).filter((path) => !has(path));
    expect(missing).toEqual(['/global']);
  });

  test('says of every value what it means', () => {
    const silent = (inner: Schema, path: string, told: boolean): string[] => {
      const says = told || inner.description !== undefined;
      return inner.properties && inner.additionalProperties === false
        ? Object.entries(inner.properties).flatMap(([name, next]) => silent(next, `${path}/${name}`, says))
        : says
          ? []
          : [path];
    };
    expect(silent(schema, '', false)).toEqual(['/global']);
  });
});

test('the chart has the version of the package, and so has the image', async () => {
  const { version } = JSON.parse(readFileSync(join(chart, '../../package.json'), 'utf8')) as { version: string };
  const about = parse(readFileSync(join(chart, 'Chart.yaml'), 'utf8')) as Record<string, unknown>;
  expect([about['version'], about['appVersion']]).toEqual([version, version]);
  expect(JSON.stringify(await render())).toContain(`"image":"lakebranch:${version}"`);
});
