// What somebody who keeps the demo running needs to know.
import { preview, undo } from './samples.ts';
import type { Screen } from './screen.ts';
import type { Stack } from '../../test/stack/stack.ts';

export async function farewell(screen: Screen, stack: Stack, context: string | undefined): Promise<void> {
  const { cluster, emulator, dir, guardianPids } = stack;
  await stack.outlive();
  screen.chapter('It goes on running (KEEP=1), with the preview applied once more');
  screen.say(`kubectl         export KUBECONFIG=${cluster.adminKubeconfig}`);
  screen.say(`                ${cluster.kubectl} -n ${preview.namespace} get dbb`);
  screen.say(`Lakebase        ${emulator.httpsUrl}, databases on port ${emulator.pgPort}`);
  screen.say(`its authority   ${emulator.stateDir}/ca.crt`);
  screen.say(`manifests       ${dir}/samples`);
  screen.say(`logs            ${dir}/operator.log, ${emulator.logFile}`);
  screen.say(`to end it       ${ending(context)}kill ${guardianPids.join(' ')}`);
}

/** In a cluster of somebody else the objects go first, as long as there is an operator that deletes the branches. */
function ending(context: string | undefined): string {
  if (context === undefined) return '';
  const at = `kubectl --context=${context} delete`;
  return [
    `${at} namespace ${preview.namespace} ${undo.namespace} --ignore-not-found &&`,
    `${at} branchclass --all &&`,
    `${at} -f deploy/crds.yaml -f deploy/install.yaml &&`,
    '',
  ].join(' ');
}
