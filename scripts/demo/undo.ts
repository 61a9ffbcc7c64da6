// The second act: somebody wipes a table of production, and a PointInTimeRestore brings the rows back beside it.
import { setTimeout as sleep } from 'node:timers/promises';
import { pointInTimeRestoreResource, secretResource } from '../../src/api/names.ts';
import type { PointInTimeRestore } from '../../src/api/v1alpha1/point-in-time-restore.ts';
import type { Secret } from '../../src/credentials/secret.ts';
import type { Stack } from '../../test/stack/stack.ts';
import { until } from '../../test/stack/until.ts';
import { countEntities, loginOf, withConnection, type Login } from './database.ts';
import { fillRestore, undo } from './samples.ts';
import type { Screen } from './screen.ts';
import { watchTable } from './table.ts';
import { forkOf, seconds } from './timeline.ts';

/** The emulator goes back to multiples of this, because Lakebase too has been seen to go back further than asked. */
export const snapSeconds = 4;

/** `seeded`: when the rows of production were there, in milliseconds since the epoch. */
export async function showUndo(
  screen: Screen,
  stack: Stack,
  { production, seeded }: { production: Login; seeded: number },
): Promise<void> {
  screen.chapter('Second act: production is wiped');
  // So that the rows are there wherever the emulator goes back to.
  await sleep(Math.max(0, seeded + (snapSeconds + 1) * 1000 - Date.now()));
  const before = new Date();
  const left = await wipe(production);
  screen.say(`Just after ${before.toISOString()} somebody runs DELETE FROM final_entities: ${left} rows are left.`);

  screen.chapter('The undo button');
  screen.say(`A PointInTimeRestore asks for production as of ${before.toISOString()}.`);
  const file = await fillRestore(stack, before);
  screen.command('kubectl apply -f deploy/samples/more/restore.yaml');
  const begun = Date.now();
  screen.say(...(await stack.kubectl('apply', '-f', file)).split('\n'), '');
  const endTable = showTable(screen, stack);
  const login = await until('the Secret of the restore is there', () => secretLogin(stack), { deadlineMs: 60_000 });
  const restored = await withConnection(login, countEntities);
  const took = Date.now() - begun;
  const still = await withConnection(production, countEntities);
  await endTable();
  if (restored === 0 || still !== 0) throw new Error(`${restored} rows were restored, ${still} are in production`);

  const fork = forkOf(await stack.emulator.journal());
  const { status } = await restoreOf(stack);
  screen.say(
    '',
    `Through Secret ${undo.name}: ${restored} rows. In production: ${still}, it was not touched.`,
    `From apply to rows read: ${seconds(took)}. The emulator took ${seconds(fork)} of it to go back, all else ${seconds(took - fork)}.`,
    `Skew: the data is of ${status?.actualTime}, ${status?.skewSeconds} s before the instant asked for.`,
    `Lakebase may go back further than asked, too. More than maxSkew (60 s), and no login is handed out.`,
    'How the rows get back into production: docs/restores.md.',
  );
}

const wipe = (production: Login): Promise<number> =>
  withConnection(production, async (client) => {
    await client.query('DELETE FROM final_entities');
    return countEntities(client);
  });

/** Returns what waits for the last row of the table. */
function showTable(screen: Screen, stack: Stack): () => Promise<void> {
  screen.command(`kubectl -n ${undo.namespace} get pitr   # asked again and again, shown as it changes`);
  let shown: readonly string[] = [];
  const onRow = (cells: readonly string[]): void => screen.say(tableLine((shown = cells)));
  const endTable = watchTable(stack.cluster, ['pointintimerestores', '-n', undo.namespace], onRow);
  return async () => {
    await until('kubectl shows that it has succeeded', () => shown[1] === 'True');
    await endTable();
  };
}

const tableLine = (cells: readonly string[]): string =>
  cells.map((cell, column) => cell.padEnd([6, 11, 18, 26, 26, 6, 8][column] ?? 0)).join('');

async function secretLogin({ kube }: Stack): Promise<Login | undefined> {
  const { items } = await kube.list<Secret>(secretResource, undo);
  const secret = items.find(({ metadata }) => metadata.name === undo.name);
  return secret && loginOf(secret);
}

const restoreOf = ({ kube }: Stack): Promise<PointInTimeRestore> =>
  kube.get<PointInTimeRestore>(pointInTimeRestoreResource, undo);
