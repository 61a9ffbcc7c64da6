// The table of `kubectl get --watch`, line by line as it changes.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { kubectlEnvironment } from '../../test/stack/kubectl.ts';
import type { Cluster } from '../../test/stack/cluster.ts';

/**
 * Starts to watch; `onRow` gets the header, and each row that differs from the one before in more than its last
 * column, the age. Call what it returns to end it.
 */
export function watchTable(
  { kubectl, adminKubeconfig }: Cluster,
  args: readonly string[],
  onRow: (cells: readonly string[]) => void,
): () => Promise<void> {
  const child = spawn(kubectl, ['get', ...args, '--watch'], {
    env: kubectlEnvironment(adminKubeconfig),
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  const parse = tableParser();
  let last = '';
  createInterface(child.stdout).on('line', (line) => {
    const cells = parse(line);
    const withoutAge = cells.slice(0, -1).join('|');
    if (withoutAge !== last) onRow(cells);
    last = withoutAge;
  });
  const closed = once(child, 'close');
  return async () => {
    child.kill();
    await closed;
  };
}

/** Between two columns; a column never gets narrower, and its header is the first row. */
const gap = 3;
const narrowest = 8;

/**
 * Takes kubectl's rows apart, to be called with one after the other. kubectl widens its columns as it goes, so the place
 * of a cell follows from the longest cells so far; splitting at spaces would lose the empty ones.
 */
export function tableParser(): (line: string) => string[] {
  let widths: number[] | undefined;
  return (line) => {
    widths ??= Array<number>(line.trim().split(/\s+/).length).fill(0);
    let start = 0;
    return widths.map((width, column) => {
      const [cell = ''] = /^\S*( \S+)*/.exec(line.slice(start)) ?? [];
      const wide = Math.max(width, cell.length + gap, narrowest);
      if (widths) widths[column] = wide;
      start += wide;
      return cell;
    });
  };
}
