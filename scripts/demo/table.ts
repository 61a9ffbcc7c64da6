// The table of `kubectl get`, again and again, row by row as it changes.
import { setTimeout as sleep } from 'node:timers/promises';
import { runKubectl } from '../../test/stack/kubectl.ts';
import type { Cluster } from '../../test/stack/cluster.ts';

const everyMs = 100;

/**
 * `onRow` gets the header, and each row that was not there before, whatever its age. Call what it returns to end it.
 */
export function watchTable(
  cluster: Cluster,
  args: readonly string[],
  onRow: (cells: readonly string[]) => void,
): () => Promise<void> {
  let ended = false;
  const seen = new Set<string>();
  const watching = (async () => {
    while (!ended) {
      const text = await runKubectl(cluster, ['get', ...args]).catch(() => '');
      const [header = [], ...rows] = tableCells(text);
      for (const cells of [header, ...rows]) {
        const row = withoutAge(cells, header).join('|');
        if (!seen.has(row)) onRow(cells);
        seen.add(row);
      }
      await sleep(everyMs);
    }
  })();
  return async () => {
    ended = true;
    await watching;
  };
}

const withoutAge = (cells: readonly string[], header: readonly string[]): string[] =>
  cells.filter((_, column) => header[column] !== 'AGE');

/** Rows of one table: a column begins where its header begins, so that empty cells are not lost. */
export function tableCells(text: string): string[][] {
  const lines = text.split('\n').filter((line) => line !== '');
  const starts = [...(lines[0] ?? '').matchAll(/\S+/g)].map(({ index }) => index);
  return lines.map((line) => starts.map((start, column) => line.slice(start, starts[column + 1]).trim()));
}
