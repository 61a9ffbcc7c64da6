// What a run leaves in a cluster that outlives it, and what a failed run has to tell.

import { SetupError } from '../../scripts/long-step.mjs';
import { leftoverNamespace, operatorNamespace, previewNamespace, release, type World } from './world.ts';

/** On the operator's namespace: all of lakebranch in this cluster is of the e2e, and may go. */
export const mark = { 'app.kubernetes.io/part-of': 'lakebranch-e2e' };

/** Sees to it that nothing of lakebranch is in somebody's cluster. @throws SetupError if it is in use there */
export async function claimCluster(world: World): Promise<void> {
  const marked = Object.entries(mark).map(([key, value]) => `${key}=${value}`);
  const ask = (...args: string[]): Promise<string> => world.kubectl('get', ...args, '--ignore-not-found', '-o', 'name');
  if ((await ask('namespace', '-l', marked.join(','))) !== '') return removeTraces(world);
  const there = (await ask('namespace', operatorNamespace)) + (await ask('crd', 'databasebranches.lakebranch.dev'));
  if (there !== '')
    throw new SetupError(
      `lakebranch is in ${world.cluster.what} already (${there.trim().replace('\n', ', ')}): use another cluster`,
    );
}

/** Takes away whatever an earlier run, or a failed one, has left in somebody's cluster; also the CRDs. */
export async function removeTraces({ kubectl, tryHelm }: World): Promise<void> {
  const quietly = async (...args: string[]): Promise<void> => void (await kubectl(...args).catch(() => undefined));
  for (const kind of ['pointintimerestores', 'databasebranches'])
    for (const namespace of [previewNamespace, leftoverNamespace])
      await quietly('delete', kind, '--all', '-n', namespace, '--timeout=2m');
  await quietly('delete', 'branchclass', 'default', '--timeout=1m');
  await tryHelm('uninstall', release.operator, '-n', operatorNamespace, '--no-hooks', '--wait');
  for (const namespace of [previewNamespace, leftoverNamespace, operatorNamespace])
    await quietly('delete', 'namespace', namespace, '--ignore-not-found', '--timeout=2m');
  const crds = ['branchclasses', 'databasebranches', 'pointintimerestores'].map((name) => `${name}.lakebranch.dev`);
  await quietly('delete', 'customresourcedefinitions', ...crds, '--ignore-not-found', '--timeout=1m');
}

/** File name to text. No Secret is asked for. */
export async function saveDiagnosis({ kubectl }: World): Promise<Record<string, string>> {
  const ask = (...args: string[]): Promise<string> => kubectl(...args).catch((error: unknown) => String(error));
  const ours = 'branchclasses,databasebranches,pointintimerestores';
  const selector = (component: string): string[] =>
    `logs --prefix --tail=-1 -n ${operatorNamespace} -l app.kubernetes.io/component=${component}`.split(' ');
  return {
    'pods.txt': await ask('get', 'pods', '--all-namespaces', '-o', 'wide'),
    'events.txt': await ask('get', 'events', '--all-namespaces', '--sort-by=.lastTimestamp'),
    'objects.yaml': await ask('get', ours, '--all-namespaces', '-o', 'yaml'),
    'operator.log': await ask(...selector('operator')),
    'emulator.log': await ask(...selector('emulator')),
    'preview.log': await ask(
      'logs',
      '-n',
      previewNamespace,
      '--prefix',
      '-l',
      `app.kubernetes.io/instance=${release.preview}`,
    ),
  };
}
