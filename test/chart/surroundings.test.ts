// What the chart puts around the operator: monitoring, network policy, emulator.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { chart, containerOf, envOf, of, only, render, type Values } from './render.ts';

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

  test('a monitor that is told how to check the certificate does check it', async () => {
    const monitor = { kind: 'ServiceMonitor', tlsConfig: { serverName: 's' } };
    const manifests = await render({ metrics: { mode: 'Protected', monitor } });
    expect(only(manifests, 'ServiceMonitor')['spec'].endpoints[0].tlsConfig).toEqual({ serverName: 's' });
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

test('the NetworkPolicy without a port of ours opens none, instead of all', async () => {
  const policy = {
    enabled: true,
    apiServerPorts: [],
    workspacePorts: [],
    databasePorts: [],
    extraEgress: [{ ports: [{ port: 6443 }] }],
  };
  const { spec } = only(await render({ networkPolicy: policy }), 'NetworkPolicy') as unknown as {
    spec: { egress: { ports?: { port: number }[] }[] };
  };
  expect(spec.egress.map(({ ports }) => ports?.map(({ port }) => port))).toEqual([[53, 53], [6443]]);
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
