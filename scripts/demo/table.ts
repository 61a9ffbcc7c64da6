// The table of `kubectl get --watch`, line by line as it changes.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { kubectlEnvironment } from '../../test/stack/kubectl.ts';
import type { Cluster } from '../../test/stack/cluster.ts';

/**
 * Starts to watch; `onLine` gets each line that differs from the one before in more than its last column, the age.
 * Call what it returns to end it.
 */
export function watchTable(
  { kubectl, adminKubeconfig }: Cluster,
  args: readonly string[],
  onLine: (line: string) => void,
): () => Promise<void> {
  const child = spawn(kubectl, ['get', ...args, '--watch'], {
    env: kubectlEnvironment(adminKubeconfig),
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  let last = '';
  createInterface(child.stdout).on('line', (line) => {
    const withoutAge = line.replace(/\S+\s*$/, '');
    if (withoutAge !== last) onLine(line);
    last = withoutAge;
  });
  const closed = once(child, 'close');
  return async () => {
    child.kill();
    await closed;
  };
}
