// A preview environment: its application, its token, a look into the past, a fresh copy.

import { strict as assert } from 'node:assert';
import { join } from 'node:path';
import type { DatabaseBranch } from '../../../src/api/v1alpha1/database-branch.ts';
import { annotationKey } from '../../../src/api/names.ts';
import { until } from '../../stack/until.ts';
import { appImage } from '../images.ts';
import { runPod } from '../pods.ts';
import type { Step } from '../run-steps.ts';
import { previewNamespace, release, type KubeObject, type World } from '../world.ts';
import type { Diary, Login } from '../app/diary.ts';
import { asOwner, restricted } from './install.ts';

const chart = join(import.meta.dirname, '../../../examples/preview-chart');
const database = 'database';
const products = 1000;

interface Pod extends KubeObject {
  readonly status: { readonly containerStatuses?: readonly { readonly restartCount: number }[] };
}

const seconds = (ms: number): string => `${(ms / 1000).toFixed(2)} s`;

export const branchOf = ({ get }: World): Promise<DatabaseBranch> =>
  get<DatabaseBranch>('databasebranch', database, '-n', previewNamespace);

export const namespace = (name: string): object => ({
  apiVersion: 'v1',
  kind: 'Namespace',
  metadata: { name, labels: { ...restricted, preview: 'true' } },
});

async function installPreview(world: World): Promise<string> {
  const { apply, helm, cluster } = world;
  await apply(namespace(previewNamespace));
  const image = [...(cluster.registry ? [cluster.registry] : []), appImage.repository].join('/');
  const values = {
    image: { repository: image, tag: appImage.tag, pullPolicy: 'IfNotPresent' },
    database: { spec: { expiration: { ttl: '24h' } } },
    migration: { command: ['node', '/app.mjs', 'migrate'] },
    app: { command: ['node', '/app.mjs'], readinessProbe: { httpGet: { path: '/', port: 'http' } } },
  };
  const set = Object.entries(values).flatMap(([key, value]) => ['--set-json', `${key}=${JSON.stringify(value)}`]);
  await helm('install', release.preview, chart, '-n', previewNamespace, ...set, '--wait', '--timeout', '5m');
  const { status } = await branchOf(world);
  const branches = await world.emulator.branches();
  const branch = branches.find(({ uid }) => uid === status?.branch?.uid);
  assert.ok(branch, 'the branch in the status is not at the provider');
  assert.ok(branch.expiresAt, 'the branch has no expiry at the provider');
  return 'helm --wait returned: database, migration, application';
}

async function logsIn(world: World): Promise<string> {
  const login = await nextLogin(world, () => true);
  assert.equal(login.products, products);
  return `through the mounted Secret, as ${login.user}, and finds the ${login.products} products of production`;
}

/** The first login of the running application that is as asked. */
const nextLogin = (world: World, wanted: (login: Login) => boolean): Promise<Login> =>
  until('the application has logged in', async () => (await world.diary()).logins.find(wanted), {
    everyMs: 500,
    describe: async () => JSON.stringify(await world.diary()),
  });

export interface Rotation {
  /** Milliseconds from the mint at the provider to the changed file in the pod. */
  readonly mintToFile: number;
  readonly fileToLogin: number;
  readonly login: Login;
}

/** Asks for a new token, and waits for the login of the same, unrestarted process with it. */
export async function rotate(world: World): Promise<Rotation> {
  const before = await observe(world);
  const patch = JSON.stringify({ spec: { credentials: { rotateToken: `${Date.now()}` } } });
  await world.kubectl('patch', 'databasebranch', database, '-n', previewNamespace, '--type=merge', '-p', patch);
  const login = await nextLogin(world, ({ token, at }) => at > before.now && token !== before.token);
  const after = await observe(world);
  assert.equal(after.podUid, before.podUid, 'the pod was replaced');
  assert.equal(after.restarts, before.restarts, 'the pod was restarted');
  const file = after.diary.files.find(({ token }) => token === login.token);
  assert.ok(file, 'it logged in with a token that it has not read');
  const minted = await lastMint(world, file.at);
  return { mintToFile: file.at - minted, fileToLogin: login.at - file.at, login };
}

/** Of the branch of the preview, before an instant: milliseconds since the epoch. */
async function lastMint(world: World, before: number): Promise<number> {
  const uid = (await branchOf(world)).status?.endpoint?.uid;
  const mints = (await world.emulator.journal())
    .filter((line) => line.what === 'credential.mint' && line.uid === uid)
    .map(({ at }) => Date.parse(at))
    .filter((at) => at <= before);
  return mints.at(-1) ?? assert.fail('the provider knows of no mint');
}

async function observe(world: World): Promise<{
  readonly now: number;
  readonly token: string;
  readonly podUid: string;
  readonly restarts: number;
  readonly diary: Diary;
}> {
  const diary = await world.diary();
  const pod = await world.get<Pod>('pod', diary.pod, '-n', previewNamespace);
  const [container] = pod.status.containerStatuses ?? [];
  const newest = Math.max(...diary.files.map(({ at }) => at), ...diary.logins.map(({ at }) => at));
  return {
    now: newest,
    token: diary.files.at(-1)?.token ?? '',
    podUid: pod.metadata.uid,
    restarts: container?.restartCount ?? 0,
    diary,
  };
}

const rotations = 5;

async function tokenRotates(world: World): Promise<string> {
  const seen: Rotation[] = [];
  for (let round = 0; round < rotations; round++) seen.push(await rotate(world));
  assert.equal(seen.at(-1)?.login.migrated, true, 'the migration has not run on the branch of the application');
  const delays = seen.map(({ mintToFile }) => mintToFile).toSorted((one, other) => one - other);
  const logins = seen.map(({ fileToLogin }) => fileToLogin);
  return (
    `${rotations} times, no restart; from mint to changed file ${seconds(delays[0] ?? 0)} to ` +
    `${seconds(delays.at(-1) ?? 0)}, median ${seconds(delays[Math.floor(rotations / 2)] ?? 0)}; ` +
    `from file to login at most ${seconds(Math.max(...logins))}`
  );
}

async function restores(world: World): Promise<string> {
  const before = new Date();
  await asOwner(world, 'wipe');
  await world.apply({
    apiVersion: 'lakebranch.dev/v1alpha1',
    kind: 'PointInTimeRestore',
    metadata: { namespace: previewNamespace, name: 'undo' },
    spec: {
      source: { branch: 'production' },
      target: { time: before.toISOString() },
      branchTemplate: { spec: { expiration: { ttl: '24h' } } },
    },
  });
  await world.kubectl('wait', 'pitr/undo', '-n', previewNamespace, '--for=condition=Succeeded', '--timeout=3m');
  const image = `${appImage.repository}:${appImage.tag}`;
  const command = ['node', '/app.mjs', 'count'];
  const count = await runPod(world, { namespace: previewNamespace, name: 'count', image, command, secret: 'undo' });
  assert.equal(Number(count), products);
  return `production was wiped; its ${count} products are in the branch of the past`;
}

async function resets(world: World): Promise<string> {
  const before = await branchOf(world);
  const secretBefore = await secretOf(world);
  const patch = JSON.stringify({ spec: { reset: { token: 'today' } } });
  await world.kubectl('patch', 'databasebranch', database, '-n', previewNamespace, '--type=merge', '-p', patch);
  const host = before.status?.endpoint?.host;
  const login = await nextLogin(world, (seen) => seen.host !== host);
  assert.equal(login.products, 0, 'the fresh copy has what production no longer has');
  assert.equal(login.migrated, false, 'the fresh copy has a table that only the preview made');
  const secret = await secretOf(world);
  assert.equal(secret.metadata.uid, secretBefore.metadata.uid, 'the Secret is another one');
  assert.notEqual(
    secret.metadata.annotations?.[annotationKey.branchUid],
    secretBefore.metadata.annotations?.[annotationKey.branchUid],
  );
  return 'the same Secret, pod and process, a fresh copy of production as it is now';
}

const secretOf = ({ get }: World): Promise<KubeObject> => get('secret', database, '-n', previewNamespace);

export const previewing: readonly Step[] = [
  { title: 'preview chart', run: installPreview },
  { title: 'application logs in', run: logsIn },
  { title: 'token rotates', run: tokenRotates },
  { title: 'restore', run: restores },
  { title: 'reset', run: resets },
];
