// The table of `kubectl get`, again and again, row by row as it changes.
import { setTimeout as sleep } from 'node:timers/promises';
import { runKubectl } from '../../test/stack/kubectl.ts';
import type { Cluster } from '../../test/stack/cluster.ts';

const everyMs = 100;

/**
 * `onRow` gets the header, and each row that differs from the one before in more than its last column, the age. Call
 * what it returns to end it.
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
      for (const cells of tableCells(text)) {
        const withoutAge = cells.slice(0, -1).join('|');
        if (!seen.has(withoutAge)) onRow(cells);
        seen.add(withoutAge);
      }
      await sleep(everyMs);
    }
  })();
  return async () => {
    ended = true;
    await watching;
  };
}

/** Rows of one table: a column begins where its header begins, so that empty cells are not lost. */
export function tableCells(text: string): string[][] {
  const lines = text.split('\n').filter((line) => line !== '');
  const starts = [...(lines[0] ?? '').matchAll(/\S+/g)].map(({ index }) => index);
  return lines.map((line) => starts.map((start, column) => line.slice(start, starts[column + 1]).trim()));
}
