// Kinds and rights as deploy/ or the chart has them, and their undoing in a cluster that is not ours. The operator itself
// runs as a process beside the cluster, so of what is installed nothing runs in it.
import { join } from 'node:path';
import { branchClassResource, databaseBranchResource, pointInTimeRestoreResource } from '../../src/api/names.ts';
import { SetupError } from '../../scripts/long-step.mjs';
import { runKubectl, type KubectlTarget } from './kubectl.ts';
import { rightsOf, type Rights } from './rights.ts';

const crds = join(import.meta.dirname, '../../deploy/crds.yaml');
const kinds = [databaseBranchResource, branchClassResource, pointInTimeRestoreResource].map(
  ({ plural, group }) => `${plural}.${group}`,
);

/** With the rights of deploy/install.yaml unless others are given. */
export async function install(cluster: KubectlTarget, rights?: Rights): Promise<void> {
  const { objects } = rights ?? (await rightsOf());
  await runKubectl(cluster, ['apply', '--server-side', '-f', crds]);
  await runKubectl(cluster, ['apply', '--server-side', '-f', '-'], { input: manifestOf(objects) });
  const names = kinds.map((kind) => `crd/${kind}`);
  await runKubectl(cluster, ['wait', '--for=condition=Established', '--timeout=60s', ...names]);
}

/** kubectl reads YAML, of which JSON is a part. */
const manifestOf = (objects: readonly object[]): string =>
  JSON.stringify({ apiVersion: 'v1', kind: 'List', items: objects });

/** Throws a sentence if lakebranch is in the cluster already, or one of `namespaces` is. */
export async function refuseIfInUse(
  cluster: KubectlTarget,
  context: string,
  namespaces: readonly string[],
): Promise<void> {
  const wanted = [...kinds.map((kind) => `crd/${kind}`), ...namespaces.map((name) => `namespace/${name}`)];
  const found = await runKubectl(cluster, ['get', '--ignore-not-found', '--output=name', ...wanted]);
  if (found === '') return;
  throw new SetupError(
    `CONTEXT=${context}: the cluster already has ${found.split('\n').join(', ')}. It may be used by another installation, ` +
      'so nothing was changed; use another cluster, or delete these first if nobody needs them.',
  );
}

/** While the operator still runs: it is the one that deletes the branches. */
export async function removeObjects(cluster: KubectlTarget, namespaces: readonly string[]): Promise<void> {
  const patience = '--timeout=90s';
  await runKubectl(cluster, ['delete', 'pointintimerestores', '--all', '--all-namespaces', patience]);
  await runKubectl(cluster, ['delete', 'databasebranches', '--all', '--all-namespaces', patience]);
  await runKubectl(cluster, ['delete', 'branchclasses', '--all', patience]);
  for (const name of namespaces)
    await runKubectl(cluster, ['delete', 'namespace', name, '--ignore-not-found', patience]);
}

export async function uninstall(cluster: KubectlTarget): Promise<void> {
  const input = manifestOf((await rightsOf()).objects);
  const args = ['delete', '--ignore-not-found', '--timeout=90s', '-f'];
  await runKubectl(cluster, [...args, crds]);
  await runKubectl(cluster, [...args, '-'], { input });
}
