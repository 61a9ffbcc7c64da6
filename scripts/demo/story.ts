// The main job, chapter by chapter; the undo button is the second act.
import { databaseBranchResource, secretResource } from '../../src/api/names.ts';
import type { DatabaseBranch } from '../../src/api/v1alpha1/database-branch.ts';
import type { Secret } from '../../src/credentials/secret.ts';
import { findCondition } from '../../src/kit/conditions.ts';
import type { Stack } from '../../test/stack/stack.ts';
import { until } from '../../test/stack/until.ts';
import { connect, countEntities, loginOf, refusalOf, withConnection, type Login } from './database.ts';
import { productionLogin, seedProduction } from './production.ts';
import { preview, undo } from './samples.ts';
import type { Screen } from './screen.ts';
import { watchTable } from './table.ts';
import { forkOf, seconds, timelineOf, timelineTable } from './timeline.ts';
import { showUndo } from './undo.ts';

/** `samples` is the folder of the filled manifests. With `keep` there is a branch again at the end. */
export async function showStory(
  screen: Screen,
  stack: Stack,
  samples: string,
  { keep }: { keep: boolean },
): Promise<void> {
  const production = await seed(screen, stack);
  const seeded = Date.now();
  await showApply(screen, stack, samples);
  await showSecret(screen, stack);
  await showIsolation(screen, stack, production);
  await showRotation(screen, stack);
  await showReset(screen, stack);
  await showUndo(screen, stack, { production, seeded });
  await showDeletion(screen, stack);
  if (!keep) return;
  await stack.kubectl('apply', '-f', samples);
  await whenReady(stack);
}

async function seed(screen: Screen, stack: Stack): Promise<Login> {
  screen.chapter('A production database');
  const production = await productionLogin(stack);
  const bytes = await seedProduction(production);
  const count = await withConnection(production, countEntities);
  screen.say(
    `Branch production of project ${stack.emulator.project}: ${megabytes(bytes)}, shaped like a Backstage catalog,`,
  );
  screen.say(`${count} rows in final_entities.`);
  return production;
}

const megabytes = (bytes: number): string => `${(bytes / 1e6).toFixed(0)} MB`;

async function showApply(screen: Screen, stack: Stack, samples: string): Promise<void> {
  screen.chapter('Apply the samples');
  screen.say('Address, port, authority and credentials of this run are filled in.');
  screen.command('kubectl apply -f deploy/samples');
  const begun = Date.now();
  const applied = await stack.kubectl('apply', '-f', samples);
  screen.say(...applied.split('\n'), '');
  screen.command(`kubectl -n ${preview.namespace} get dbb   # asked again and again, shown as it changes`);
  let shown: readonly string[] = [];
  const onRow = (cells: readonly string[]): void => screen.say(tableLine((shown = cells)));
  const endTable = watchTable(stack.cluster, ['databasebranches', '-n', preview.namespace], onRow);
  await whenReady(stack);
  await until('kubectl shows that it is Ready', () => shown.includes('True'));
  await endTable();
  screen.say('');
  await showTimeline(screen, stack, begun);
}

const tableLine = (cells: readonly string[]): string =>
  cells.map((cell, column) => cell.padEnd([11, 8, 19, 13, 27][column] ?? 0)).join('');

async function showTimeline(screen: Screen, { operator, emulator }: Stack, begun: number): Promise<void> {
  const journal = await emulator.journal();
  const moments = timelineOf(await operator.log(), journal, begun);
  screen.say(...timelineTable(moments), '');
  const fork = forkOf(journal);
  const all = (moments.at(-1)?.at ?? 0) - (moments[0]?.at ?? 0);
  screen.say(
    `From finalizer to Secret: ${seconds(all)}. The emulator’s fork took ${seconds(fork)} of it, all else ${seconds(all - fork)}.`,
  );
}

async function showSecret(screen: Screen, stack: Stack): Promise<void> {
  screen.chapter('The Secret');
  const secret = await secretOf(stack);
  screen.say(`Secret ${preview.name}, type ${secret.type ?? ''}. Its keys:`);
  screen.say(...wrapped(Object.keys(secret.data ?? {})), '');
  const count = await withConnection(loginOf(secret), countEntities);
  screen.say(`node-postgres logs in with them and nothing else, and finds ${count} rows in final_entities.`);
}

function wrapped(words: readonly string[]): string[] {
  const lines = [''];
  for (const word of words) {
    const last = lines.at(-1) ?? '';
    if (last.length + word.length > 70) lines.push(`  ${word}`);
    else lines[lines.length - 1] = last === '' ? `  ${word}` : `${last}, ${word}`;
  }
  return lines;
}

async function showIsolation(screen: Screen, stack: Stack, production: Login): Promise<void> {
  screen.chapter('Apart from production');
  const branch = loginOf(await secretOf(stack));
  const left = await withConnection(branch, async (client) => {
    await client.query("DELETE FROM final_entities WHERE entity_id LIKE 'component-%'");
    return countEntities(client);
  });
  const untouched = await withConnection(production, countEntities);
  screen.say(`Rows are deleted on the branch: ${left} are left there, production still has ${untouched}.`);
  const refusal = await refusalOf({ ...branch, host: production.host });
  if (refusal === undefined) throw new Error('production accepted the login of the preview');
  screen.say(`The preview’s login at production is refused: “${refusal}”`);
}

async function showRotation(screen: Screen, stack: Stack): Promise<void> {
  screen.chapter('A new token');
  const before = await objectOf(stack);
  const oldSession = await connect(loginOf(await secretOf(stack)));
  const patch = JSON.stringify({ spec: { credentials: { rotateToken: new Date().toISOString() } } });
  screen.command(`kubectl -n ${preview.namespace} patch dbb ${preview.name} --type=merge -p '${patch}'`);
  await stack.kubectl('-n', preview.namespace, 'patch', 'dbb', preview.name, '--type=merge', '-p', patch);
  const revision = before.status?.credentials?.revision ?? 0;
  const after = await until('the token was renewed', async () => {
    const object = await objectOf(stack);
    return (object.status?.credentials?.revision ?? 0) > revision && object;
  });
  for (const [when, { status }] of [
    ['before', before],
    ['after', after],
  ] as const)
    screen.say(
      `${when.padEnd(8)}revision ${status?.credentials?.revision}, expires ${status?.credentials?.expireTime}`,
    );
  const count = await withConnection(loginOf(await secretOf(stack)), countEntities);
  await countEntities(oldSession);
  await oldSession.end();
  screen.say(`The new token logs in (${count} rows); the session of the old one goes on undisturbed.`);
}

/** What `kubectl get -o custom-columns` is asked for, to see a reset from outside. */
const resetColumns = [
  'READY:.status.conditions[?(@.type=="Ready")].status',
  'DOING:.status.conditions[?(@.type=="Reconciling")].reason',
  'HOST:.status.endpoint.host',
  'OLD-BRANCH-GOES-AT:.status.superseded[0].until',
].join(',');

async function showReset(screen: Screen, stack: Stack): Promise<void> {
  screen.chapter('A fresh copy for QA');
  const before = await secretOf(stack);
  const left = await withConnection(loginOf(before), async (client) => {
    await client.query('DELETE FROM final_entities');
    return countEntities(client);
  });
  screen.say(`A test run went wrong: ${left} rows are left on the branch. A new token asks for a fresh one.`);
  const patch = JSON.stringify({ spec: { reset: { token: 'after-the-test-run' } } });
  screen.command(`kubectl -n ${preview.namespace} patch dbb ${preview.name} --type=merge -p '${patch}'`);
  const endTable = await showWhileResetting(screen, stack);
  const begun = Date.now();
  await stack.kubectl('-n', preview.namespace, 'patch', 'dbb', preview.name, '--type=merge', '-p', patch);
  const login = await until('the Secret opens the fresh branch', async () => {
    const now = loginOf(await secretOf(stack));
    return now.host !== '' && now.host !== loginOf(before).host && now;
  });
  const count = await withConnection(login, countEntities);
  const took = Date.now() - begun;
  await endTable();
  screen.say('', `The same Secret opens the fresh branch: ${count} rows, ${seconds(took)} after the patch.`);
  screen.say('Pods have five minutes to take it up, then the provider removes the old branch.');
}

/** Returns what waits for the last row of the table. */
async function showWhileResetting(screen: Screen, stack: Stack): Promise<() => Promise<void>> {
  screen.command(`kubectl -n ${preview.namespace} get dbb ${preview.name} -o custom-columns='${resetColumns}'`);
  let shown: readonly string[] = [];
  const onRow = (cells: readonly string[]): void => screen.say(resetLine((shown = cells)));
  const endTable = watchTable(
    stack.cluster,
    ['databasebranches', preview.name, '-n', preview.namespace, '-o', `custom-columns=${resetColumns}`],
    onRow,
  );
  await until('the table is shown', () => shown[0] === 'True');
  return async () => {
    await until('the table shows the end of the reset', () => shown[1] === '<none>' && shown[3] !== '<none>');
    await endTable();
  };
}

const resetLine = (cells: readonly string[]): string =>
  cells.map((cell, column) => cell.padEnd([8, 14, 16, 24][column] ?? 0)).join('');

async function showDeletion(screen: Screen, stack: Stack): Promise<void> {
  screen.chapter('The end');
  screen.command(`kubectl delete namespace ${preview.namespace} ${undo.namespace}`);
  const begun = Date.now();
  await stack.kubectl('delete', 'namespace', preview.namespace, undo.namespace);
  const namespacesGone = Date.now() - begun;
  const left = (await stack.emulator.branches()).filter(({ state }) => state !== 'DELETED').map(({ id }) => id);
  if (left.length !== 1) throw new Error(`branches are left: ${left.join(', ')}`);
  const deleted = (await stack.emulator.journal()).findLast(({ what }) => what === 'branch.delete');
  screen.say(
    `Their branches are gone after ${seconds(Date.parse(deleted?.at ?? '') - begun)}, the namespaces after ${seconds(namespacesGone)}:`,
  );
  screen.say('Kubernetes waits before it begins to empty a namespace, and before it looks again.');
  screen.say(`What the project still has: ${left.join(', ')}.`);
}

const objectOf = ({ kube }: Stack): Promise<DatabaseBranch> =>
  kube.get<DatabaseBranch>(databaseBranchResource, preview);
const secretOf = ({ kube }: Stack): Promise<Secret> => kube.get<Secret>(secretResource, preview);

function whenReady(stack: Stack): Promise<DatabaseBranch> {
  let last: DatabaseBranch | undefined;
  const ready = (object: DatabaseBranch) => findCondition(object.status?.conditions ?? [], 'Ready');
  return until(
    'the DatabaseBranch is Ready',
    async () => {
      last = await objectOf(stack);
      return ready(last)?.status === 'True' && last;
    },
    { deadlineMs: 60_000, describe: () => (last ? (ready(last)?.message ?? '') : '') },
  );
}
