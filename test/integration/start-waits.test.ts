// What is lacking at the start and may still come does not end the operator: it says what it waits for, in its log and at
// /readyz, and goes on by itself. As it is installed: from its bundle, under its own ServiceAccount.
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fetch } from 'undici';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { parse } from 'yaml';
import { crdPath, kinds } from '../../scripts/generate/crds.ts';
import { startControlPlane, type ControlPlane } from '../control-plane/control-plane.ts';
import type { GuardedProcess } from '../control-plane/guardian.ts';
import { builtBundles } from '../stack/built.ts';
import { install } from '../stack/install.ts';
import { rightsOf } from '../stack/rights.ts';
import type { Manifest } from '../chart/render.ts';
import { runKubectl } from '../stack/kubectl.ts';
import { logOf, waitForLine } from '../stack/process-log.ts';
import { until } from '../stack/until.ts';

vi.setConfig({ testTimeout: 300_000 });

const namespace = 'lakebranch-system';
let controlPlane: ControlPlane;
let bundle: string;
let KUBECONFIG: string;

beforeAll(async () => {
  [controlPlane, { operator: bundle }] = await Promise.all([startControlPlane(), builtBundles()]);
  await kubectl('create', 'namespace', namespace);
  await kubectl('create', 'serviceaccount', 'lakebranch', '-n', namespace);
  const token = await kubectl('create', 'token', 'lakebranch', '-n', namespace, '--duration=24h');
  KUBECONFIG = await kubeconfigOf('operator', token);
});
afterAll(() => controlPlane?.stop());

const kubectl = (...args: string[]): Promise<string> => runKubectl(controlPlane, args);
const apply = (...objects: unknown[]): Promise<string> =>
  runKubectl(controlPlane, ['apply', '--server-side', '--force-conflicts', '-f', '-'], {
    input: objects.map((object) => JSON.stringify(object)).join('\n'),
  });

async function kubeconfigOf(name: string, token: string): Promise<string> {
  const file = join(controlPlane.dir, `${name}.kubeconfig`);
  await writeFile(file, controlPlane.kubeconfigFor(token), { mode: 0o600 });
  return file;
}

interface Operator {
  readonly process: GuardedProcess;
  /** Waits until /readyz says so, and checks that the log says the same and that the process is alive. */
  says(words: RegExp): Promise<string>;
  isReady(): Promise<void>;
  metrics(): Promise<string>;
}

async function start(name: string, env: Record<string, string> = {}): Promise<Operator> {
  const process = await controlPlane.start({
    name,
    command: globalThis.process.execPath,
    args: [bundle],
    env: {
      PATH: globalThis.process.env['PATH'] ?? '',
      KUBECONFIG,
      LAKEBRANCH_NAMESPACE: namespace,
      LAKEBRANCH_HTTP_HOST: '127.0.0.1',
      LAKEBRANCH_HTTP_PORT: '0',
      POD_NAME: name,
      ...env,
    },
    endWith: 'SIGTERM',
  });
  const [, port = ''] = await waitForLine(process, /"httpPort":(\d+)/);
  const ask = async (path: string): Promise<{ status: number; text: string }> => {
    const response = await fetch(`http://127.0.0.1:${port}${path}`);
    return { status: response.status, text: (await response.text()).trim() };
  };
  const alive = async (): Promise<void> => {
    expect([process.ended(), (await ask('/healthz')).status]).toEqual([undefined, 200]);
  };
  return {
    process,
    async says(words) {
      let last = '';
      const found = await until(
        `/readyz says ${words.source}`,
        async () => {
          const { status, text } = await ask('/readyz');
          last = text;
          return status === 503 && words.test(text) && text;
        },
        { describe: () => Promise.resolve(last) },
      );
      await alive();
      expect(await logOf(process.logFile)).toContain(JSON.stringify(found));
      return found;
    },
    metrics: async () => (await ask('/metrics')).text,
    async isReady() {
      await waitForLine(process, /"msg":"leading"/);
      await until('/readyz is content', async () => (await ask('/readyz')).status === 200);
      await alive();
    },
  };
}

interface Crd {
  metadata: { name: string };
  spec: { versions: { name: string; schema: { openAPIV3Schema: Described } }[] };
}
interface Described {
  properties: Record<string, Described>;
  'x-kubernetes-validations'?: unknown;
}

const crds = (): Promise<Crd[]> =>
  Promise.all(kinds.map(async (kind) => parse(await readFile(crdPath(kind), 'utf8')) as Crd));
const removeCrds = (): Promise<string> => kubectl('delete', 'crd', '--all');

test('CRDs that are missing, of another version, not all, or older; then roles that are missing, or one verb', async () => {
  const operator = await start('one');
  await operator.says(/^the API server does not serve lakebranch\.dev: .* apply deploy\/crds/);

  const renamed = await crds();
  for (const { spec } of renamed) spec.versions[0]!.name = 'v1beta9';
  await apply(...renamed);
  await operator.says(/lakebranch\.dev in version v1alpha1, but in v1beta9; apply deploy\/crds/);
  await removeCrds();

  const all = await crds();
  await apply(...all.filter(({ metadata }) => !metadata.name.startsWith('databasebranches')));
  await operator.says(/does not serve databasebranches\.lakebranch\.dev in version v1alpha1; apply deploy\/crds/);

  const old = await crds();
  const fieldsOf = (plural: string): Described =>
    old.find(({ metadata }) => metadata.name.startsWith(plural))!.spec.versions[0]!.schema.openAPIV3Schema;
  const auth = fieldsOf('branchclasses').properties['spec']!.properties['provider']!.properties['auth']!;
  delete auth.properties['workloadIdentity'];
  delete auth['x-kubernetes-validations'];
  delete fieldsOf('databasebranches').properties['status']!.properties['binding'];
  await apply(...old);
  await operator.says(
    /databasebranches\S+ has no status\.binding; .* branchclasses\S+ has no spec\.provider\.auth\.workloadIdentity: .*older than this operator; apply deploy\/crds/,
  );

  await apply(...(await crds()));
  const sentence = await operator.says(/^system:serviceaccount:lakebranch-system:lakebranch may not /);
  for (const words of [
    'list, watch, patch, get, create databasebranches.lakebranch.dev in all namespaces',
    'list, watch, patch branchclasses.lakebranch.dev in the cluster',
    'get, create, patch, delete secrets in all namespaces',
    'get, create, update leases.coordination.k8s.io in namespace lakebranch-system',
    'apply the roles of this release',
  ])
    expect(sentence).toContain(words);

  interface Role {
    rules?: { resources: string[]; verbs: string[] }[];
  }
  const roles = (await rightsOf()).objects as (Manifest & Role)[];
  for (const { resources, verbs } of roles.flatMap(({ rules = [] }) => rules))
    if (resources.includes('secrets')) verbs.splice(verbs.indexOf('patch'), 1);
  await apply(...roles);
  await operator.says(/ may not patch secrets in all namespaces; apply/);

  await install(controlPlane);
  await operator.isReady();
  operator.process.signal('SIGTERM');
  await operator.process.whenEnded();
  expect(operator.process.ended()).toBe('exit code 0');
});

test('a right in one namespace is asked for there', async () => {
  await install(controlPlane);
  await kubectl('create', 'namespace', 'pr-1');
  await kubectl('delete', 'clusterrolebinding', 'lakebranch');
  const operator = await start('namespaced', { LAKEBRANCH_WATCH_NAMESPACES: 'pr-1', LAKEBRANCH_CLUSTER_ID: 'east' });
  const sentence = await operator.says(/may not /);
  expect(sentence).toContain('databasebranches.lakebranch.dev in namespace pr-1');
  expect(sentence).toContain('get namespaces pr-1');
  expect(sentence).not.toMatch(/all namespaces|kube-system/);
  const bind = ['--clusterrole=lakebranch', `--serviceaccount=${namespace}:lakebranch`];
  for (const place of ['pr-1', namespace, 'default'])
    await kubectl('create', 'rolebinding', 'here', '-n', place, ...bind);
  await operator.says(
    /may not list, watch, patch branchclasses\.lakebranch\.dev in the cluster; update branchclasses\S+\/status in the cluster; apply/,
  );
  await kubectl(
    'create',
    'clusterrole',
    'classes',
    '--verb=list,watch,patch',
    '--resource=branchclasses.lakebranch.dev',
  );
  await kubectl('create', 'clusterrolebinding', 'classes', '--clusterrole=classes', bind[1]!);
  await operator.says(/may not update branchclasses\.lakebranch\.dev\/status in the cluster; apply/);
  await kubectl('create', 'clusterrole', 'st', '--verb=update', '--resource=branchclasses.lakebranch.dev/status');
  await kubectl('create', 'clusterrolebinding', 'st', '--clusterrole=st', bind[1]!);
  await operator.isReady();
  operator.process.signal('SIGTERM');
  await operator.process.whenEnded();
});

test('without an election the process counts as the leader, so that no alert misses one', async () => {
  await install(controlPlane);
  const operator = await start('single', { LAKEBRANCH_LEADER_ELECTION: 'false' });
  await operator.isReady();
  expect(await operator.metrics()).toContain('leader_election_master_status{name="lakebranch"} 1');
  operator.process.signal('SIGTERM');
  await operator.process.whenEnded();
});

test('an API server that is away, and one that does not know the operator', async () => {
  await install(controlPlane);
  await controlPlane.killApiServer();
  const operator = await start('alone');
  await operator.says(/the API server cannot be reached: GET \/apis\/lakebranch\.dev: ECONNREFUSED\. Check KUBECONFIG/);
  await controlPlane.startApiServer();
  await operator.isReady();
  const stranger = await start('stranger', { KUBECONFIG: await kubeconfigOf('stranger', 'not-a-token') });
  expect(await stranger.says(/does not accept who the operator is: .*401/)).not.toContain('not-a-token');
});
