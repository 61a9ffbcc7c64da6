// Every switch of the chart, and what it does to the objects.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { parse, stringify } from 'yaml';
import {
  chart,
  containerOf,
  envOf,
  helm,
  of,
  operatorOf,
  podOf,
  release,
  render,
  type Manifest,
  type Values,
} from './render.ts';

const idsOf = (manifests: readonly Manifest[]): string[] =>
  manifests.map(({ kind, metadata }) =>
    [kind, ...(metadata.namespace ? [metadata.namespace] : []), metadata.name].join('/'),
  );

test.each<[string, Values, string]>([
  ['rbac.create', { rbac: { create: false } }, 'ClusterRoleBinding/lakebranch'],
  ['rbac.aggregate', { rbac: { aggregate: false } }, 'ClusterRole/lakebranch-edit'],
  ['rbac.serviceBinding', { rbac: { serviceBinding: false } }, 'ClusterRole/lakebranch-service-binding'],
  [
    'serviceAccount.create',
    { serviceAccount: { create: false, name: 'x' } },
    'ServiceAccount/lakebranch-system/lakebranch',
  ],
  [
    'podDisruptionBudget.enabled',
    { podDisruptionBudget: { enabled: false } },
    'PodDisruptionBudget/lakebranch-system/lakebranch',
  ],
  ['metrics.service', { metrics: { service: false } }, 'Service/lakebranch-system/lakebranch-metrics'],
  ['uninstall.guard', { uninstall: { guard: false } }, 'Job/lakebranch-system/lakebranch-uninstall-guard'],
  ['crds.enabled', { crds: { enabled: false } }, 'CustomResourceDefinition/databasebranches.lakebranch.dev'],
  ['replicas', { replicas: 1 }, 'PodDisruptionBudget/lakebranch-system/lakebranch'],
])('%s takes something away', async (_switch, values, id) => {
  expect(idsOf(await render())).toContain(id);
  expect(idsOf(await render(values))).not.toContain(id);
});

test.each<[string, Values, string]>([
  ['secretPolicy', { secretPolicy: { enabled: true } }, 'ValidatingAdmissionPolicyBinding/lakebranch-secrets'],
  ['networkPolicy', { networkPolicy: { enabled: true } }, 'NetworkPolicy/lakebranch-system/lakebranch'],
  ['metrics.mode', { metrics: { mode: 'Protected' } }, 'ClusterRole/lakebranch-metrics-reader'],
  [
    'metrics.monitor',
    { metrics: { monitor: { kind: 'ServiceMonitor' } } },
    'ServiceMonitor/lakebranch-system/lakebranch',
  ],
  ['metrics.monitor', { metrics: { monitor: { kind: 'PodMonitor' } } }, 'PodMonitor/lakebranch-system/lakebranch'],
  [
    'metrics.prometheusRule',
    { metrics: { prometheusRule: { enabled: true } } },
    'PrometheusRule/lakebranch-system/lakebranch',
  ],
  [
    'metrics.dashboard',
    { metrics: { dashboard: { enabled: true } } },
    'ConfigMap/lakebranch-system/lakebranch-dashboard',
  ],
  ['emulator', { emulator: { enabled: true } }, 'Service/lakebranch-system/ep-63'],
  [
    'uninstall',
    { uninstall: { guard: false, releaseFinalizers: true } },
    'Job/lakebranch-system/lakebranch-uninstall-guard',
  ],
])('%s adds something', async (_switch, values, id) => {
  expect(idsOf(await render({ uninstall: { guard: false } }))).not.toContain(id);
  expect(idsOf(await render(values))).toContain(id);
});

test('the whole of a small install', async () => {
  const manifests = await render({
    crds: { enabled: false },
    rbac: { create: false, aggregate: false, serviceBinding: false },
  });
  await expect(stringify(manifests, { lineWidth: 120 })).toMatchFileSnapshot('golden/operator.yaml');
});

describe('the operator', () => {
  const env: readonly (readonly [Values, Record<string, unknown>])[] = [
    [{}, { LAKEBRANCH_NAMESPACE: { fieldRef: { fieldPath: 'metadata.namespace' } } }],
    [{}, { LAKEBRANCH_WATCH_NAMESPACES: undefined, HTTPS_PROXY: undefined, LAKEBRANCH_CLUSTER_ID: undefined }],
    [{ scope: 'namespaces', namespaces: ['a', 'b'] }, { LAKEBRANCH_WATCH_NAMESPACES: 'a,b' }],
    [{ scope: 'namespace' }, { LAKEBRANCH_WATCH_NAMESPACES: release.namespace }],
    [{ clusterID: 'two' }, { LAKEBRANCH_CLUSTER_ID: 'two' }],
    [{ previousClusterIDs: ['one', 'zero'] }, { LAKEBRANCH_PREVIOUS_CLUSTER_IDS: 'one,zero' }],
    [{ deletionMaxWait: '1h' }, { LAKEBRANCH_DELETION_MAX_WAIT: '1h' }],
    [{ projectLimit: 10_000 }, { LAKEBRANCH_PROJECT_LIMIT: '10000' }],
    [{ providerQPS: 0.5 }, { LAKEBRANCH_PROVIDER_QPS: '0.5' }],
    [{ workers: 4 }, { LAKEBRANCH_WORKERS: '4' }],
    [{ logLevel: 'debug' }, { LAKEBRANCH_LOG_LEVEL: 'debug' }],
    [{ metrics: { perObject: false } }, { LAKEBRANCH_METRICS_PER_OBJECT: 'false', LAKEBRANCH_METRICS_MODE: 'Plain' }],
    [
      { metrics: { mode: 'Protected', port: 9443 } },
      { LAKEBRANCH_METRICS_MODE: 'Protected', LAKEBRANCH_METRICS_PORT: '9443' },
    ],
    [{ workloadIdentity: { audiences: ['a', 'b'] } }, { LAKEBRANCH_WORKLOAD_IDENTITY_AUDIENCES: 'a,b' }],
    [{ proxy: { url: 'http://p:1', noProxy: 'x,y' } }, { HTTPS_PROXY: 'http://p:1', NO_PROXY: 'x,y' }],
    [{ proxy: { existingSecret: { name: 'p' } } }, { HTTPS_PROXY: { secretKeyRef: { name: 'p', key: 'url' } } }],
    [{ extraCA: { configMap: 'c' } }, { NODE_EXTRA_CA_CERTS: '/etc/lakebranch/extra-ca/ca.crt' }],
    [{ extraEnv: [{ name: 'X', value: '1' }] }, { X: '1' }],
  ];

  test.each(env)('with %j has the variables %j', async (values, wanted) => {
    const found = envOf(await render(values));
    expect(Object.fromEntries(Object.keys(wanted).map((name) => [name, found[name]]))).toEqual(wanted);
  });

  test('is given only variables that it knows', async () => {
    const known = new Set(
      readFileSync(join(chart, '../../src/config.ts'), 'utf8')
        .match(/^ {2}[A-Z_]+(?=:)/gm)
        ?.map((name) => name.trim()),
    );
    known.add('NODE_EXTRA_CA_CERTS'); // Node's own
    const all = { ...allOn, workloadIdentity: { audiences: ['a'] } };
    expect(Object.keys(envOf(await render(all))).filter((name) => !known.has(name))).toEqual([]);
  });

  test.each<[string, Values, string, unknown]>([
    [
      'a digest before a tag',
      { image: { tag: 'x', digest: `sha256:${'0'.repeat(64)}` } },
      'image',
      `lakebranch@sha256:${'0'.repeat(64)}`,
    ],
    ['a registry', { image: { registry: 'r.example/p/', tag: 'x' } }, 'image', 'r.example/p/lakebranch:x'],
    ['a pull policy', { image: { pullPolicy: 'Always' } }, 'imagePullPolicy', 'Always'],
    ['resources', { resources: { limits: { memory: '1Gi' } } }, 'resources.limits.memory', '1Gi'],
    ['sources of variables', { extraEnvFrom: [{ secretRef: { name: 's' } }] }, 'envFrom.0.secretRef.name', 's'],
    ['mounts', { extraVolumeMounts: [{ name: 'v', mountPath: '/v' }] }, 'volumeMounts.1.mountPath', '/v'],
  ])('container: %s', async (_what, values, path, wanted) => {
    expect(at(containerOf(await render(values)), path)).toEqual(wanted);
  });

  test.each<[string, Values, string, unknown]>([
    ['Secrets to pull with', { imagePullSecrets: [{ name: 'p' }] }, 'imagePullSecrets.0.name', 'p'],
    ['a priority', { priorityClassName: 'high' }, 'priorityClassName', 'high'],
    ['nodes', { nodeSelector: { disk: 'ssd' } }, 'nodeSelector.disk', 'ssd'],
    ['tolerations', { tolerations: [{ key: 'k', operator: 'Exists' }] }, 'tolerations.0.key', 'k'],
    ['affinity', { affinity: { podAntiAffinity: {} } }, 'affinity.podAntiAffinity', {}],
    ['volumes', { extraVolumes: [{ name: 'v', emptyDir: {} }] }, 'volumes.1.name', 'v'],
    ['time to end', { terminationGracePeriodSeconds: 60 }, 'terminationGracePeriodSeconds', 60],
    ['its ServiceAccount', { serviceAccount: { name: 'other' } }, 'serviceAccountName', 'other'],
    [
      'spread',
      { topologySpreadConstraints: [{ maxSkew: 2, topologyKey: 'z', whenUnsatisfiable: 'DoNotSchedule' }] },
      'topologySpreadConstraints.0.labelSelector.matchLabels',
      {
        'app.kubernetes.io/name': 'lakebranch',
        'app.kubernetes.io/instance': 'lakebranch',
        'app.kubernetes.io/component': 'operator',
      },
    ],
  ])('pod: %s', async (_what, values, path, wanted) => {
    expect(at(podOf(await render(values)), path)).toEqual(wanted);
  });

  test('mounts a token for each audience where the operator looks for it', async () => {
    const pod = podOf(await render({ workloadIdentity: { audiences: ['a', 'b'], expirationSeconds: 900 } }));
    const tokens = (pod['volumes'] as Manifest[]).flatMap(({ name, projected }) =>
      projected
        ? [
            {
              where: pod['containers'][0].volumeMounts.find((mount: { name: unknown }) => mount.name === name),
              ...projected.sources[0].serviceAccountToken,
            },
          ]
        : [],
    );
    const dir = '/var/run/secrets/lakebranch.dev/workload-identity';
    expect(tokens).toMatchObject([
      { where: { mountPath: `${dir}/0`, readOnly: true }, path: 'token', audience: 'a', expirationSeconds: 900 },
      { where: { mountPath: `${dir}/1`, readOnly: true }, path: 'token', audience: 'b', expirationSeconds: 900 },
    ]);
  });

  test('labels and annotations reach the pods, and do not change what the Deployment selects', async () => {
    const plain = operatorOf(await render())['spec'];
    const spec = operatorOf(
      await render({ commonLabels: { team: 'x' }, podLabels: { a: 'b' }, podAnnotations: { c: 'd' } }),
    )['spec'];
    expect(spec.template.metadata.labels).toMatchObject({ team: 'x', a: 'b' });
    expect(spec.template.metadata.annotations).toMatchObject({ c: 'd' });
    expect(spec.selector).toEqual(plain.selector);
  });

  test('a long release name makes names that Kubernetes takes', async () => {
    const manifests = await render(allOn, { name: 'r'.repeat(53), namespace: 'n' });
    expect(
      manifests.filter(({ kind, metadata }) => kind !== 'CustomResourceDefinition' && metadata.name.length > 63),
    ).toEqual([]);
  });
});

test.each([
  ['with dots', { name: 'v1.2', namespace: 'n' }],
  ['like a number', { name: '12', namespace: '34' }],
  ['like a truth', { name: 'true', namespace: 'on' }],
  ['that is cut at a dash', { name: `${'r'.repeat(38)}--x`, namespace: 'n' }],
])('a release %s makes objects that Kubernetes takes', async (_how, odd) => {
  for (const scope of ['cluster', 'namespace'])
    for (const { metadata, ...rest } of await render({ ...allOn, scope, crds: { enabled: false } }, odd)) {
      expect(metadata.name).toMatch(/^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/);
      const texts = [metadata.name, metadata.namespace ?? '', ...Object.values(metadata.labels ?? {})];
      expect(texts.filter((text) => typeof text !== 'string')).toEqual([]);
      const pod = rest['spec']?.template?.metadata.labels ?? {};
      const subjects = ((rest['subjects'] ?? []) as { namespace: string }[]).map(({ namespace }) => namespace);
      const selected = Object.values(rest['spec']?.selector?.matchLabels ?? {});
      expect([...Object.values(pod), ...subjects, ...selected].filter((text) => typeof text !== 'string')).toEqual([]);
    }
});

describe('CustomResourceDefinitions', () => {
  test.each([[true], [false]])('are those of crds/, with keep %s', async (keep) => {
    const rendered = of(await render({ crds: { keep } }), 'CustomResourceDefinition');
    expect(rendered).toHaveLength(3);
    for (const crd of rendered) {
      const [plural, group] = [crd['spec'].names.plural as string, crd['spec'].group as string];
      const source = parse(readFileSync(join(chart, `../../crds/${group}_${plural}.yaml`), 'utf8')) as Manifest;
      expect(crd['spec']).toEqual(source['spec']);
      expect(crd.metadata.labels).toMatchObject(source.metadata.labels ?? {});
      expect(crd.metadata.annotations?.['helm.sh/resource-policy']).toBe(keep ? 'keep' : undefined);
    }
  });
});

test.each<[string, Values]>([
  ['cluster', {}],
  ['namespaces', { scope: 'namespaces', namespaces: ['a', 'b'] }],
  ['emulator', { emulator: { enabled: true } }],
  ['workload identity', { scope: 'namespace', workloadIdentity: { audiences: ['x'] } }],
])('NOTES tell how to go on: %s', async (name, values) => {
  const words = await helm(
    ['install', 'lakebranch', chart, '--namespace', release.namespace, '--dry-run=client'],
    values,
  );
  await expect(words.split('NOTES:\n')[1]).toMatchFileSnapshot(`golden/notes-${name.replace(' ', '-')}.txt`);
});

/** Every switch that adds something. */
const allOn: Values = {
  secretPolicy: { enabled: true },
  networkPolicy: { enabled: true },
  metrics: {
    mode: 'Protected',
    certSecret: 'x',
    monitor: { kind: 'ServiceMonitor' },
    prometheusRule: { enabled: true },
    dashboard: { enabled: true },
  },
  proxy: { url: 'http://p', noProxy: 'x' },
  extraCA: { configMap: 'c' },
  clusterID: 'x',
  previousClusterIDs: ['w'],
  emulator: { enabled: true, persistence: { enabled: true } },
};

function at(object: unknown, path: string): unknown {
  return path.split('.').reduce((inner, name) => (inner as Record<string, unknown> | undefined)?.[name], object);
}
