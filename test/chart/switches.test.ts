// Every switch of the chart, and what it does to the objects.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { parse, stringify } from 'yaml';
import { chart, helm, of, only, render, release, type Manifest, type Values } from './render.ts';

const operatorOf = (manifests: readonly Manifest[]): Manifest => only(manifests, 'Deployment', 'lakebranch');
const podOf = (manifests: readonly Manifest[]): Manifest => operatorOf(manifests)['spec'].template.spec;
const containerOf = (manifests: readonly Manifest[]): Manifest => podOf(manifests)['containers'][0];
const envOf = (manifests: readonly Manifest[]): Record<string, unknown> =>
  Object.fromEntries(
    (containerOf(manifests)['env'] as { name: string; value?: string; valueFrom?: unknown }[]).map(
      ({ name, value, valueFrom }) => [name, value ?? valueFrom],
    ),
  );
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
    // Node's own.
    known.add('NODE_EXTRA_CA_CERTS');
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

describe('monitoring', () => {
  test('the rules and the dashboard are the files, untouched', async () => {
    const manifests = await render({
      metrics: { prometheusRule: { enabled: true, labels: { release: 'p' } }, dashboard: { enabled: true } },
    });
    const file = (name: string): string => readFileSync(join(chart, 'files', name), 'utf8');
    const rule = only(manifests, 'PrometheusRule');
    expect(rule['spec']).toEqual(parse(file('rules.yaml')));
    expect(rule.metadata.labels).toMatchObject({ release: 'p' });
    const dashboard = only(manifests, 'ConfigMap');
    expect(JSON.parse(dashboard['data']['lakebranch.json'] as string)).toEqual(JSON.parse(file('dashboard.json')));
    expect(dashboard.metadata.labels).toMatchObject({ grafana_dashboard: '1' });
  });

  test.each<[string, Values, object]>([
    ['plain', {}, { port: 'http', path: '/metrics' }],
    [
      'protected',
      { mode: 'Protected' },
      {
        port: 'metrics',
        scheme: 'https',
        tlsConfig: { insecureSkipVerify: true },
        bearerTokenFile: '/var/run/secrets/kubernetes.io/serviceaccount/token',
      },
    ],
    [
      'protected, with credentials',
      { mode: 'Protected', monitor: { authorization: { credentials: { name: 'c', key: 'k' } } } },
      { scheme: 'https', authorization: { credentials: { name: 'c', key: 'k' } } },
    ],
  ])('a ServiceMonitor asks the port that answers: %s', async (_what, metrics, wanted) => {
    const monitor = { kind: 'ServiceMonitor', interval: '30s', ...(metrics['monitor'] as object) };
    const manifests = await render({ metrics: { ...metrics, monitor } });
    const [endpoint] = only(manifests, 'ServiceMonitor')['spec'].endpoints;
    expect(endpoint).toMatchObject({ ...wanted, interval: '30s' });
    const service = only(manifests, 'Service');
    expect(service['spec'].ports.map(({ name }: { name: string }) => name)).toContain(endpoint.port);
    expect(service.metadata.labels).toMatchObject(only(manifests, 'ServiceMonitor')['spec'].selector.matchLabels);
    const ports = containerOf(manifests)['ports'] as { name: string; containerPort: number }[];
    expect(ports.map(({ name }) => name)).toContain(service['spec'].ports[0].targetPort);
  });

  test('a certificate for Protected metrics is mounted where the operator looks for it', async () => {
    const manifests = await render({ metrics: { mode: 'Protected', certSecret: 'tls' } });
    const mount = (containerOf(manifests)['volumeMounts'] as { name: string; mountPath: string }[]).find(
      ({ name }) => name === 'metrics-cert',
    );
    expect(mount?.mountPath).toBe(envOf(manifests)['LAKEBRANCH_METRICS_CERT_DIR']);
  });
});

test('the NetworkPolicy lets through what is needed, and says where to', async () => {
  const policy = {
    enabled: true,
    to: [{ ipBlock: { cidr: '10.0.0.0/8' } }],
    metricsFrom: [{ podSelector: {} }],
    databasePorts: [5433],
    extraEgress: [{ ports: [{ port: 3128 }] }],
  };
  const { spec } = only(await render({ networkPolicy: policy }), 'NetworkPolicy') as unknown as {
    spec: Record<string, unknown>;
  };
  expect(spec['ingress']).toEqual([{ ports: [{ port: 'http' }], from: [{ podSelector: {} }] }]);
  expect(spec['egress']).toEqual([
    {
      ports: [
        { port: 53, protocol: 'UDP' },
        { port: 53, protocol: 'TCP' },
      ],
    },
    { ports: [443, 6443, 5433].map((port) => ({ port, protocol: 'TCP' })), to: policy.to },
    ...policy.extraEgress,
  ]);
});

describe('the emulator', () => {
  test('has 64 hosts, which are those that it gives to endpoints', async () => {
    const manifests = await render({ emulator: { enabled: true, extraArgs: ['--init-delay=1s'] } });
    const hosts = of(manifests, 'Service')
      .map(({ metadata }) => metadata.name)
      .filter((name) => name.startsWith('ep-'));
    expect([hosts.length, hosts[0], hosts.at(-1)]).toEqual([64, 'ep-00', 'ep-63']);
    const { args } = only(manifests, 'Deployment', 'lakebranch-emulator')['spec'].template.spec.containers[0] as {
      args: string[];
    };
    expect(args).toEqual(
      expect.arrayContaining([
        '--host-mode=names',
        '--host-pattern=ep-{00..63}.lakebranch-system.svc',
        '--listen=0.0.0.0',
        '--init-delay=1s',
      ]),
    );
  });

  test('knows the principals whose credentials are in the Secrets for a class', async () => {
    const secrets = of(await render({ emulator: { enabled: true } }), 'Secret');
    const data = (name: string): Record<string, string> =>
      only(secrets, 'Secret', name)['stringData'] as Record<string, string>;
    const pairs = ['manager', 'login']
      .map((who) => data(`lakebranch-emulator-${who}`))
      .map((principal) => `${principal['client-id']}:${principal['client-secret']}`);
    expect(data('lakebranch-emulator')).toEqual({ 'service-principal': pairs.join(',') });
  });

  test('takes principals of yours, and makes no Secret then', async () => {
    const manifests = await render({
      emulator: {
        enabled: true,
        existingSecret: 'mine',
        persistence: { enabled: true, size: '1Gi', storageClassName: 'fast' },
      },
    });
    expect(of(manifests, 'Secret')).toEqual([]);
    expect(JSON.stringify(only(manifests, 'Deployment', 'lakebranch-emulator'))).toContain(
      '{"name":"mine","key":"service-principal"}',
    );
    expect(only(manifests, 'PersistentVolumeClaim')['spec']).toMatchObject({
      storageClassName: 'fast',
      resources: { requests: { storage: '1Gi' } },
    });
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
