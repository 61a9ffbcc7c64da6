// From nothing to an operator that may make branches.

import { strict as assert } from 'node:assert';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { $ } from 'zx';
import { until } from '../../stack/until.ts';
import type { Step } from '../run-steps.ts';
import { appImage } from '../images.ts';
import { runPod } from '../pods.ts';
import { mark } from '../traces.ts';
import { operatorNamespace, release, type KubeObject, type World } from '../world.ts';

const chart = join(import.meta.dirname, '../../../charts/lakebranch');

interface Pod extends KubeObject {
  readonly status: { readonly phase: string; readonly containerStatuses: readonly { readonly containerID: string }[] };
}

/** Of the projected tokens that the operator exchanges for access tokens. */
const audience = 'lakebase';

export const chartArguments = ({ cluster, images }: World): string[] => {
  const values = {
    'image.registry': cluster.registry,
    'image.tag': tagOf(images[0]),
    'emulator.enabled': 'true',
    'emulator.image.tag': tagOf(images[1]),
    'emulator.extraArgs[0]': '--admin',
    'workloadIdentity.audiences[0]': audience,
  };
  return [
    chart,
    '--namespace',
    operatorNamespace,
    ...Object.entries(values).flatMap(([key, value]) => ['--set', `${key}=${value}`]),
  ];
};

const tagOf = (image = ''): string => image.slice(image.indexOf(':') + 1);

/** Labels under which Kubernetes refuses pods that could harm the node. */
export const restricted = { 'pod-security.kubernetes.io/enforce': 'restricted' };

async function startsWithoutNetwork({ docker, images }: World): Promise<string> {
  const sh = $({ quiet: true, env: { ...process.env, ...docker.env } });
  const folder = mkdtempSync(join(tmpdir(), 'lakebranch-e2e-account-'));
  try {
    for (const [file, text] of Object.entries({ token: 'none', namespace: operatorNamespace, 'ca.crt': '' }))
      writeFileSync(join(folder, file), text, { mode: 0o644 });
    await sh`chmod 755 ${folder}`;
    const args = ['--detach', '--network', 'none', '--read-only', '--cap-drop', 'ALL'];
    const env = [
      'KUBERNETES_SERVICE_HOST=10.96.0.1',
      'KUBERNETES_SERVICE_PORT=443',
      `LAKEBRANCH_NAMESPACE=${operatorNamespace}`,
    ];
    const account = `${folder}:/var/run/secrets/kubernetes.io/serviceaccount:ro`;
    const { stdout } =
      await sh`docker run ${args} ${env.flatMap((pair) => ['--env', pair])} --volume ${account} ${images[0]}`;
    const container = stdout.trim();
    try {
      const said = await until('the operator says what it cannot reach', async () => {
        const { stdout: out, stderr } = await sh`docker logs ${container}`;
        return `${out}${stderr}`.split('\n').find((line) => /ENETUNREACH|10\.96\.0\.1|reach/.test(line));
      });
      const user = await sh`docker inspect --format {{.Config.User}} ${container}`;
      assert.equal(user.stdout.trim(), '65532:65532');
      return said.trim();
    } finally {
      await sh`docker rm --force ${container}`;
    }
  } finally {
    rmSync(folder, { recursive: true });
  }
}

async function install(world: World): Promise<string> {
  await world.apply({
    apiVersion: 'v1',
    kind: 'Namespace',
    metadata: { name: operatorNamespace, labels: { ...restricted, ...mark } },
  });
  await world.helm('install', release.operator, ...chartArguments(world), '--wait', '--timeout', '5m');
  const pods = await operatorPods(world);
  assert.equal(pods.length, 2, 'the chart runs two replicas');
  const leader = await leaderOf(world);
  assert.ok(
    pods.some(({ metadata }) => metadata.name === leader),
    `${leader} holds the Lease and is none of the pods`,
  );
  return 'two replicas, one of which leads, and the emulator, under PSS restricted';
}

export async function operatorPods({ get }: World): Promise<Pod[]> {
  const selector = `app.kubernetes.io/instance=${release.operator},app.kubernetes.io/component=operator`;
  const { items } = await get<{ items: Pod[] }>('pods', '-n', operatorNamespace, '-l', selector);
  return items.filter(({ status }) => status.phase === 'Running');
}

interface Lease extends KubeObject {
  readonly spec: { readonly holderIdentity?: string };
}

/** The pod that holds the Lease. */
export async function leaderOf({ get }: World): Promise<string> {
  const { items } = await get<{ items: Lease[] }>('leases.coordination.k8s.io', '-n', operatorNamespace);
  return items.find(({ metadata }) => metadata.name === 'lakebranch')?.spec.holderIdentity ?? '';
}

/** The two service principals become the operator's ServiceAccount, by the keys of this cluster. */
async function federate({ emulator, get, kubectl }: World): Promise<{ manager: string; login: string }> {
  const clientIdOf = async (name: string): Promise<string> => {
    const { data } = await get<{ data: Record<string, string> }>('secret', name, '-n', operatorNamespace);
    return Buffer.from(data['client-id'] ?? '', 'base64').toString();
  };
  const [manager, login] = [await clientIdOf(`${emulatorName}-manager`), await clientIdOf(`${emulatorName}-login`)];
  const { issuer } = JSON.parse(await kubectl('get', '--raw', '/.well-known/openid-configuration')) as {
    issuer: string;
  };
  const oidcPolicy = {
    issuer,
    audiences: [audience],
    subject: `system:serviceaccount:${operatorNamespace}:${release.operator}`,
    jwks_json: await kubectl('get', '--raw', '/openid/v1/jwks'),
  };
  await emulator.setFederationPolicies(
    [manager, login].map((id) => ({ service_principal: id, oidc_policy: oidcPolicy })),
  );
  return { manager, login };
}

const emulatorName = `${release.operator}-emulator`;

async function defineClass(world: World): Promise<string> {
  const { apply, emulator, kubectl } = world;
  const secret = { apiVersion: 'v1', kind: 'Secret' };
  const { manager, login } = await federate(world);
  const as = (clientId: string): object => ({ workloadIdentity: { clientId, audience } });
  await apply(
    {
      ...secret,
      metadata: { namespace: operatorNamespace, name: 'lakebase-ca' },
      stringData: { 'ca.crt': await emulator.ca() },
    },
    {
      apiVersion: 'lakebranch.dev/v1alpha1',
      kind: 'BranchClass',
      metadata: { name: 'default' },
      spec: {
        provider: {
          host: `https://${emulatorName}.${operatorNamespace}.svc:7443`,
          project: 'shop',
          caSecretRef: { name: 'lakebase-ca' },
          auth: as(manager),
        },
        login: { auth: as(login) },
        sources: { allow: ['production'], default: 'production' },
        allowedNamespaces: { matchLabels: { preview: 'true' } },
        expiration: { default: '24h', max: '72h' },
        restore: { allowed: true, maxAge: '24h' },
      },
    },
  );
  await kubectl('wait', 'branchclass/default', '--for=condition=Ready', '--timeout=2m');
  return 'Ready: both service principals by projected tokens of the operator, without a stored secret';
}

async function fillProduction(world: World): Promise<string> {
  await asOwner(world, 'seed');
  return '1000 products in production';
}

/** A command of the application with what the owner of production knows. */
export async function asOwner(world: World, command: string): Promise<string> {
  const manager = (name: string, key: string): object => ({
    name,
    valueFrom: { secretKeyRef: { name: `${emulatorName}-manager`, key } },
  });
  return runPod(world, {
    namespace: operatorNamespace,
    name: `owner-${command}`,
    image: `${appImage.repository}:${appImage.tag}`,
    command: ['node', '/app.mjs', command],
    env: [
      { name: 'LAKEBASE_URL', value: `http://${emulatorName}.${operatorNamespace}.svc:7080` },
      { name: 'CA', valueFrom: { secretKeyRef: { name: 'lakebase-ca', key: 'ca.crt' } } },
      manager('CLIENT_ID', 'client-id'),
      manager('CLIENT_SECRET', 'client-secret'),
    ],
  });
}

export const installation: readonly Step[] = [
  { title: 'image without network', run: startsWithoutNetwork },
  { title: 'install chart', run: install },
  { title: 'class', run: defineClass },
  { title: 'production', run: fillProduction },
];
