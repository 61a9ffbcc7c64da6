// Uninstalling while objects are left. The hook is a Job; as there is no node, the test runs its container as a process.
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { ChartCluster, scopes } from './cluster.ts';
import { runJob } from './job-runner.ts';
import { HelmError, only, release, render } from './render.ts';

vi.setConfig({ testTimeout: 180_000 });

let cluster: ChartCluster;

beforeAll(async () => {
  cluster = await ChartCluster.start();
});
afterAll(() => cluster?.stop());

const job = 'lakebranch-uninstall-guard';
const object = {
  apiVersion: 'lakebranch.dev/v1alpha1',
  kind: 'DatabaseBranch',
  metadata: { name: 'db', namespace: 'team-b', finalizers: ['lakebranch.dev/branch'] },
  spec: {},
};
const isThere = async (): Promise<boolean> =>
  (await cluster.kubectl('-n', 'team-b', 'get', 'dbb', '-o', 'name')) !== '';

test.each(scopes.slice(0, 2))(
  'the guard refuses while objects are left, then lets go: scope %s',
  async (_scope, values) => {
    await cluster.install(values);
    await cluster.apply(object);
    const [refused, run] = await Promise.all([
      cluster.uninstall().catch((error: unknown) => error),
      runJob(cluster.controlPlane, release.namespace, job),
    ]);
    expect(refused).toBeInstanceOf(HelmError);
    expect(run).toMatchObject({ code: 1, output: expect.stringContaining('DatabaseBranch team-b/db') });
    expect(await cluster.installed()).toContain('deployment.apps/lakebranch');

    await cluster.kubectl(
      '-n',
      'team-b',
      'patch',
      'dbb',
      'db',
      '--type=merge',
      '-p',
      '{"metadata":{"finalizers":null}}',
    );
    await Promise.all([cluster.uninstall(), runJob(cluster.controlPlane, release.namespace, job)]);
    expect(await cluster.installed()).toEqual([]);
    await cluster.kubectl('-n', 'team-b', 'delete', 'dbb', 'db', '--ignore-not-found');
  },
);

test('the guard takes the finalizers away where it is told to, so that objects can go without an operator', async () => {
  await cluster.install({ uninstall: { releaseFinalizers: true } });
  await cluster.apply(object);
  const [, run] = await Promise.all([cluster.uninstall(), runJob(cluster.controlPlane, release.namespace, job)]);
  expect(run).toMatchObject({ code: 0, output: expect.stringMatching(/took the finalizers of 1 DatabaseBranches/) });
  expect(await cluster.installed()).toEqual([]);
  expect(await isThere()).toBe(true);
  await cluster.kubectl('-n', 'team-b', 'delete', 'dbb', 'db', '--timeout=20s');
  expect(await isThere()).toBe(false);
});

test('the guard is not there where it is switched off', async () => {
  await cluster.install({ uninstall: { guard: false } });
  await cluster.apply(object);
  await cluster.uninstall();
  expect(await cluster.installed()).toEqual([]);
  await cluster.kubectl('-n', 'team-b', 'patch', 'dbb', 'db', '--type=merge', '-p', '{"metadata":{"finalizers":null}}');
  await cluster.kubectl('-n', 'team-b', 'delete', 'dbb', 'db');
});

test('the guard is a hook before the deletion, and its refusal is shown', async () => {
  const { metadata } = only(await render(), 'Job');
  expect(metadata.annotations).toMatchObject({
    'helm.sh/hook': 'pre-delete',
    'helm.sh/hook-output-log-policy': 'hook-failed',
  });
});
