// What happens to an operator: a leader dies, a version comes, previews go, and in the end it is uninstalled.

import { strict as assert } from 'node:assert';
import { until } from '../../stack/until.ts';
import type { Step } from '../run-steps.ts';
import {
  leftoverNamespace,
  operatorNamespace,
  previewNamespace,
  release,
  type KubeObject,
  type World,
} from '../world.ts';
import { chartArguments, leaderOf, operatorPods } from './install.ts';
import { branchOf, namespace, rotate } from './preview.ts';

async function leaderDies(world: World): Promise<string> {
  const killed = await leaderOf(world);
  const pods = await operatorPods(world);
  const others = pods.map(({ metadata }) => metadata.name).filter((name) => name !== killed);
  const container = pods.find(({ metadata }) => metadata.name === killed)?.status.containerStatuses[0]?.containerID;
  const begun = Date.now();
  // Without a chance to give the Lease back, where the node can be reached; then nobody may start it again.
  await world.cluster.kill?.(container?.replace(/^.*:\/\//, '') ?? '');
  await world.kubectl('delete', 'pod', killed, '-n', operatorNamespace, '--grace-period=0', '--force');
  const leader = await until('another replica leads', async () => {
    const holder = await leaderOf(world);
    return holder !== killed && holder;
  });
  const took = (Date.now() - begun) / 1000;
  await rotate(world);
  return `${others.includes(leader) ? 'the other replica' : 'a new replica'} leads after ${took.toFixed(0)} s, and renews tokens`;
}

async function upgrade(world: World): Promise<string> {
  const before = (await operatorPods(world)).map(({ metadata }) => metadata.uid);
  const args = [...chartArguments(world), '--set', 'logLevel=debug'];
  await world.helm('upgrade', release.operator, ...args, '--wait', '--timeout', '5m');
  const pods = await until('the new replicas are alone', async () => {
    const now = await operatorPods(world);
    return now.length === 2 && now.every(({ metadata }) => !before.includes(metadata.uid)) && now;
  });
  await until('one of them leads', async () => {
    const leader = await leaderOf(world);
    return pods.some(({ metadata }) => metadata.name === leader);
  });
  const conditions = (await branchOf(world)).status?.conditions ?? [];
  assert.equal(conditions.find(({ type }) => type === 'Ready')?.status, 'True');
  await rotate(world);
  return 'new replicas lead, the preview stayed Ready, its token is renewed';
}

async function namespaceGoes(world: World): Promise<string> {
  const before = await world.emulator.branches();
  assert.ok(before.length > 1, 'there is no branch of a preview to begin with');
  await world.kubectl('delete', 'namespace', previewNamespace, '--timeout=5m');
  await until('production is the only branch', async () => (await world.emulator.branches()).length === 1, {
    describe: async () => (await world.emulator.branches()).map(({ id }) => id).join(', '),
  });
  return `${before.length - 1} branches are gone from the provider, production stays`;
}

async function guardRefuses(world: World): Promise<string> {
  const metadata = { namespace: leftoverNamespace, name: 'kept' };
  await world.apply(namespace(leftoverNamespace), {
    apiVersion: 'lakebranch.dev/v1alpha1',
    kind: 'DatabaseBranch',
    metadata,
    spec: {},
  });
  await world.kubectl('wait', 'databasebranch/kept', '-n', leftoverNamespace, '--for=condition=Ready', '--timeout=3m');
  const { exitCode, stdout, stderr } = await world.tryHelm(...uninstallArguments);
  assert.notEqual(exitCode, 0, 'helm uninstall went through');
  assert.match(`${stdout}${stderr}`, new RegExp(`${leftoverNamespace}/kept`), 'the refusal does not name the object');
  assert.equal((await operatorPods(world)).length, 2, 'the operator is gone');
  return `helm uninstall fails and names ${leftoverNamespace}/kept; the operator works on`;
}

const uninstallArguments = ['uninstall', release.operator, '-n', operatorNamespace, '--wait', '--timeout', '5m'];

async function uninstall(world: World): Promise<string> {
  await world.kubectl('delete', 'databasebranch', 'kept', '-n', leftoverNamespace, '--timeout=3m');
  await world.kubectl('delete', 'branchclass', 'default', '--timeout=3m');
  assert.equal((await world.emulator.branches()).length, 1, 'a branch is left at the provider');
  await world.helm(...uninstallArguments);
  await until('the operator has ended', async () => (await operatorPods(world)).length === 0);
  const { items } = await world.get<{ items: KubeObject[] }>('customresourcedefinitions');
  const ours = items.map(({ metadata }) => metadata.name).filter((name) => name.endsWith('.lakebranch.dev'));
  assert.equal(ours.length, 3, `of the CRDs these are left: ${ours.join(', ')}`);
  return 'after the objects went; the three CRDs stay';
}

export const operations: readonly Step[] = [
  { title: 'leader killed', run: leaderDies },
  { title: 'chart upgraded', run: upgrade },
  { title: 'namespace deleted', run: namespaceGoes },
  { title: 'uninstall guard', run: guardRefuses },
  { title: 'uninstall', run: uninstall },
];
