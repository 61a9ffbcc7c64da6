// The command lines and the kubeconfigs of the test control plane, as functions of where things lie.

/** Where one control plane keeps its things and under which addresses it answers. */
export interface Layout {
  readonly dir: string;
  readonly etcdUrl: string;
  readonly etcdPeerUrl: string;
  readonly port: number;
  readonly url: string;
  readonly certDir: string;
  readonly caFile: string;
  readonly tokenFile: string;
  readonly serviceAccountKey: string;
  readonly serviceAccountPublicKey: string;
  readonly adminKubeconfig: string;
  readonly controllerManagerKubeconfig: string;
  readonly kubectl: string;
  readonly adminToken: string;
  readonly controllerManagerToken: string;
}

/** The controllers that do something in a cluster without nodes and workloads. */
const controllers = [
  'clusterrole-aggregation-controller',
  'garbage-collector-controller',
  'namespace-controller',
  'resourcequota-controller',
  'root-ca-certificate-publisher-controller',
  'serviceaccount-controller',
  'serviceaccount-token-controller',
  'validatingadmissionpolicy-status-controller',
];

export function etcdArgs({ dir, etcdUrl, etcdPeerUrl }: Layout): string[] {
  return [
    `--data-dir=${dir}/etcd`,
    `--listen-client-urls=${etcdUrl}`,
    `--advertise-client-urls=${etcdUrl}`,
    `--listen-peer-urls=${etcdPeerUrl}`,
    `--initial-advertise-peer-urls=${etcdPeerUrl}`,
    `--initial-cluster=default=${etcdPeerUrl}`,
    '--unsafe-no-fsync',
    '--log-level=warn',
  ];
}

export function apiServerArgs(layout: Layout): string[] {
  return [
    `--etcd-servers=${layout.etcdUrl}`,
    `--secure-port=${layout.port}`,
    '--bind-address=127.0.0.1',
    '--advertise-address=127.0.0.1',
    `--cert-dir=${layout.certDir}`,
    '--service-cluster-ip-range=10.96.0.0/16',
    '--endpoint-reconciler-type=none', // a loopback address is not allowed in Endpoints
    '--authorization-mode=RBAC',
    '--allow-privileged=true',
    '--profiling=false',
    `--token-auth-file=${layout.tokenFile}`,
    `--service-account-issuer=${layout.url}`,
    `--service-account-key-file=${layout.serviceAccountPublicKey}`,
    `--service-account-signing-key-file=${layout.serviceAccountKey}`,
    '--api-audiences=api,https://kubernetes.default.svc',
  ];
}

export function controllerManagerArgs(layout: Layout): string[] {
  return [
    `--kubeconfig=${layout.controllerManagerKubeconfig}`,
    `--authentication-kubeconfig=${layout.controllerManagerKubeconfig}`,
    `--authorization-kubeconfig=${layout.controllerManagerKubeconfig}`,
    `--service-account-private-key-file=${layout.serviceAccountKey}`,
    `--root-ca-file=${layout.caFile}`,
    '--use-service-account-credentials=true',
    '--leader-elect=false',
    '--secure-port=0',
    // With the default of 20 requests/s it throttles itself for five seconds at the start.
    '--kube-api-qps=500',
    '--kube-api-burst=1000',
    `--controllers=${controllers.join(',')}`,
  ];
}

/**
 * Makes kube-apiserver or kube-controller-manager behave as an earlier version of Kubernetes, like '1.34': it then
 * serves the APIs of that version and has its features. How far back it goes is in the help text of each program.
 *
 * @throws on anything else than major.minor
 */
export function emulationArgs(version: string): string[] {
  if (version === '') return [];
  if (!/^\d+\.\d+$/.test(version))
    throw new Error(`LAKEBRANCH_TEST_EMULATED_VERSION is "${version}"; write a version like 1.34.`);
  return [`--emulated-version=${version}`];
}

/** A kubeconfig with one cluster, one user and one context, all called lakebranch. */
export function kubeconfig(server: string, caPem: string, token: string): string {
  const name = 'lakebranch';
  const cluster = { server, 'certificate-authority-data': Buffer.from(caPem).toString('base64') };
  const config = {
    apiVersion: 'v1',
    kind: 'Config',
    'current-context': name,
    clusters: [{ name, cluster }],
    users: [{ name, user: { token } }],
    contexts: [{ name, context: { cluster: name, user: name } }],
  };
  return `${JSON.stringify(config, undefined, 2)}\n`;
}

/** kubectl keeps what it learns of a server under the home folder, by address; here it must not outlive the server. */
export function kubectlScript({ dir, adminKubeconfig }: Layout, kubectl: string): string {
  return [
    '#!/bin/sh',
    `: "\${KUBECONFIG:=${adminKubeconfig}}"`,
    `KUBECACHEDIR='${dir}/kubectl-cache'`,
    'export KUBECONFIG KUBECACHEDIR',
    `exec '${kubectl}' "$@"`,
    '',
  ].join('\n');
}
