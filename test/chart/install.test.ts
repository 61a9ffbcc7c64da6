// The chart on a real API server: dry run, install, upgrade and uninstall in each scope.
import { cp, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { installYaml } from '../../scripts/generate/install.ts';
import { until } from '../stack/until.ts';
import { toolBinary } from '../tools/build.ts';
import { ChartCluster, everything, scopes } from './cluster.ts';
import { chart, release } from './render.ts';

vi.setConfig({ testTimeout: 180_000 });

let cluster: ChartCluster;

beforeAll(async () => {
  cluster = await ChartCluster.start();
});
afterAll(() => cluster?.stop());

describe.each(scopes)('scope %s', (_scope, values) => {
  test('installs, upgrades and uninstalls, over kinds and objects that stay', async () => {
    await cluster.install(values, '--dry-run=server');
    const stored = { ...everything, emulator: { enabled: true, persistence: { enabled: true } } };
    await cluster.install({ ...values, ...stored }, '--dry-run=server');
    expect(await cluster.installed()).toEqual([]);

    await cluster.install(values);
    const before = await cluster.installed();
    expect(before).toContain('deployment.apps/lakebranch');
    const object = {
      apiVersion: 'lakebranch.dev/v1alpha1',
      kind: 'DatabaseBranch',
      metadata: { name: 'db', namespace: 'team-a' },
    };
    await cluster.apply({ ...object, spec: {} });
    const uid = await cluster.kubectl('-n', 'team-a', 'get', 'dbb', 'db', '-o', 'jsonpath={.metadata.uid}');

    await cluster.upgrade({ ...values, ...everything, replicas: 3 });
    expect((await cluster.installed()).length).toBeGreaterThan(before.length);
    expect(
      await cluster.kubectl(
        '-n',
        release.namespace,
        'get',
        'deployment',
        'lakebranch',
        '-o',
        'jsonpath={.spec.replicas}',
      ),
    ).toBe('3');
    await cluster.upgrade(values);
    expect(await cluster.installed()).toEqual(before);

    await cluster.uninstall('--no-hooks');
    expect(await cluster.installed()).toEqual([]);
    expect(await cluster.kubectl('-n', 'team-a', 'get', 'dbb', 'db', '-o', 'jsonpath={.metadata.uid}')).toBe(uid);
    await cluster.kubectl('-n', 'team-a', 'delete', 'dbb', 'db');
  });
});

test('an upgrade brings the kinds up to date', async () => {
  const older = join(cluster.controlPlane.dir, 'older');
  await cp(chart, older, { recursive: true });
  const template = join(older, 'templates/crd-databasebranches.yaml');
  const text = await readFile(template, 'utf8');
  await writeFile(template, text.replace('When the branch ends.', 'Older.'));
  const told = async (): Promise<string> =>
    cluster.kubectl(
      'get',
      'crd',
      'databasebranches.lakebranch.dev',
      '-o',
      'jsonpath={..additionalPrinterColumns[*].description}',
    );

  await cluster.installFrom(older);
  expect(await told()).toContain('Older.');
  await cluster.upgrade();
  expect(await told()).toContain('When the branch ends.');
  await cluster.uninstall('--no-hooks');
});

test('without keep the kinds go with the release', async () => {
  await cluster.install({ crds: { keep: false } });
  await cluster.uninstall('--no-hooks');
  await until('the kinds are gone', async () => (await cluster.kubectl('get', 'crd', '-o', 'name')) === '');
});

describe('deploy', () => {
  const deploy = (name: string): string => join(chart, '../../deploy', name);

  test('install.yaml and crds.yaml are applied as they are, twice', async () => {
    const args = ['apply', '--server-side', '-f', deploy('crds.yaml'), '-f', deploy('install.yaml')];
    await cluster.kubectl(...args, '--dry-run=server');
    // The namespace is there already, by its creator's hand.
    await cluster.kubectl(...args);
    await cluster.kubectl(...args);
    expect(await cluster.installed()).toContain('deployment.apps/lakebranch');
    await cluster.kubectl('delete', '-f', deploy('crds.yaml'), '-f', deploy('install.yaml'), '--timeout=60s');
    await cluster.makeNamespace();
  });

  test('install.yaml is what the chart says', async () => {
    expect(await readFile(deploy('install.yaml'), 'utf8')).toBe(await installYaml(await toolBinary('helm')));
  });
});
