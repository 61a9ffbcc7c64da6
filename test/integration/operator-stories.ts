// The operator as it is installed, on a real API server, against real PostgreSQL: the main job and its way out. The same
// stories for each scope of the chart, with the rights and the settings that it gives there.
import { afterAll, afterEach, beforeAll, expect, test, vi } from 'vitest';
import {
  annotationKey,
  branchClassResource,
  databaseBranchResource,
  namespaceResource,
  pointInTimeRestoreResource,
  secretResource,
} from '../../src/api/names.ts';
import type { PointInTimeRestore } from '../../src/api/v1alpha1/point-in-time-restore.ts';
import type { Secret } from '../../src/credentials/secret.ts';
import type { Values } from '../chart/render.ts';
import { keyOf, type KubeObject } from '../../src/kit/kube.ts';
import { untrueSecrets } from '../stack/truth.ts';
import { until } from '../stack/until.ts';
import { base64, World, type Key } from '../stack/world.ts';
import { operatorNamespace } from '../stack/operator.ts';

/** Not of the object's name: in the operator's own namespace that is the name of the object's Secret. */
function credentialOf(story: string): string {
  return `${story}-credential`;
}

export type Scope = 'cluster' | 'namespaces' | 'namespace';

/** Where each story plays, unless all play in the operator's own namespace. */
const namespaces = [
  'main-job',
  'rotation',
  'healing',
  'five',
  'restores',
  'classnotfound',
  'namespacenotallowed',
  'sourcenotallowed',
  'sourcenotfound',
  'projectnotfound',
  'credentialsnotfound',
  'unauthenticated',
  'secretnotowned',
  'bindingless',
];
/** That classes name, in the operator's namespace. */
const existingSecret = ['manager', 'login', 'ca', ...['credentialsnotfound', 'unauthenticated'].map(credentialOf)];

const values: Readonly<Record<Scope, Values | undefined>> = {
  // As in deploy/install.yaml.
  cluster: undefined,
  namespaces: { scope: 'namespaces', namespaces, existingSecret, secretPolicy: { enabled: true } },
  namespace: { scope: 'namespace' },
};

const hostOf = (secret: Secret | undefined): string => Buffer.from(secret?.data?.['host'] ?? '', 'base64').toString();

interface Trouble {
  readonly what: string;
  readonly reason: string;
  /** Makes a class (or not) and a namespace, both of the name. */
  readonly cause: (name: string) => Promise<void>;
  readonly remove: (name: string) => Promise<void>;
}

export function tellStories(scope: Scope): void {
  vi.setConfig({ testTimeout: 300_000 });
  /** All stories play in one namespace, which must stay and which the class allows. */
  const alone = scope === 'namespace';
  const place = (story: string): Key =>
    alone ? { namespace: operatorNamespace, name: story } : { namespace: story, name: 'db' };

  let world: World;

  beforeAll(async () => {
    const chart = values[scope];
    world = await World.start(chart ? { values: chart } : {});
    // More than the provider allows, because these tests leave their branches to the end.
    await world.stack.emulator.setBehaviour({ limits: { unarchivedBranches: 100 } });
    await world.bclass();
  });
  afterAll(() => world?.stop());

  // All at once: most of the time is the operator's, which may not watch Secrets and namespaces, and so looks once a minute.
  afterEach(async () => {
    expect(world.recorder.breaches).toEqual([]);
    expect(untrueSecrets(world.recorder.secrets, await world.stack.emulator.branches(), world.clusterID)).toEqual([]);
  });

  test.concurrent(
    'an applied object becomes Ready, and its Secret opens a copy of production, but not production',
    async () => {
      const db = place('main-job');
      await world.namespace(db.namespace);
      await world.apply(db, { credentials: { template: { data: { DATABASE_URL: '{{ .uri }}' } } } });
      const object = await world.whenReady(db);
      const secret = await world.secret(db);

      expect(await world.query(secret, 'SELECT current_user AS me, current_database() AS here')).toEqual([
        { me: world.stack.login.clientId, here: 'databricks_postgres' },
      ]);
      await world.query(secret, 'CREATE TABLE mine AS SELECT 42 AS answer');
      expect(await world.query(secret, 'SELECT answer FROM mine')).toEqual([{ answer: 42 }]);
      const branches = await world.stack.emulator.branches();
      const production = Object.values(branches.find(({ id }) => id === 'production')!.endpoints)[0]!;
      await expect(world.query(secret, 'SELECT 1', { host: production.host! })).rejects.toThrow('not authorized');
      const made = (await world.liveBranches()).filter(({ id }) => id.startsWith(`${db.namespace}-${db.name}-`));
      expect(made).toMatchObject([{ uid: object.status?.branch?.uid }]);
      expect(secret?.type).toBe('servicebinding.io/postgresql');
      expect(Object.keys(secret?.data ?? {})).toEqual(
        expect.arrayContaining(['host', 'password', 'uri', 'certificates', 'DATABASE_URL']),
      );
      expect(await world.stack.kubectl('-n', db.namespace, 'wait', '--for=condition=Ready', `dbb/${db.name}`)).toMatch(
        /met$/,
      );
    },
  );

  test.concurrent('rotateToken puts a new token into the same Secret, and both log in', async () => {
    const db = place('rotation');
    await world.namespace(db.namespace);
    await world.apply(db);
    await world.whenReady(db);
    const before = await world.secret(db);

    await world.stack.kube.mergePatch(databaseBranchResource, db, { spec: { credentials: { rotateToken: 'now' } } });
    const object = await until('the second token is there', async () => {
      const now = await world.get(db);
      return now?.status?.credentials?.revision === 2 && now;
    });
    const after = await world.secret(db);

    expect(after?.data?.['password']).not.toBe(before?.data?.['password']);
    expect({ ...after?.data, password: '', uri: '', 'expires-at': '' }).toEqual({
      ...before?.data,
      password: '',
      uri: '',
      'expires-at': '',
    });
    for (const secret of [before, after]) expect(await world.query(secret, 'SELECT 1 AS one')).toEqual([{ one: 1 }]);
    const [condition] = object.status?.conditions?.filter(({ type }) => type === 'Ready') ?? [];
    expect(condition?.status).toBe('True');
  });

  test.concurrent('a Secret that somebody deletes comes back, for the same branch', async () => {
    const db = place('healing');
    await world.namespace(db.namespace);
    await world.apply(db);
    await world.whenReady(db);
    const before = await world.secret(db);
    await world.stack.kube.remove(secretResource, db);
    // The operator may not watch Secrets; it looks at each about once a minute.
    const after = await until('the Secret is back', async () => (await world.secret(db)) ?? false);
    expect(hostOf(after)).toBe(hostOf(before));
    expect(after.metadata.uid).not.toBe(before?.metadata.uid);
  });

  test
    .skipIf(alone)
    .concurrent(
      'a namespace with five branches goes as a whole: each branch, then its object, then the namespace',
      async () => {
        const namespace = 'five';
        await world.namespace(namespace);
        // A project of its own: in the shared one it would wait for the other tests, which hold their branches to the end.
        await world.stack.emulator.call(world.stack.manager, 'POST', `projects?project_id=${namespace}`, { spec: {} });
        await world.bclass(namespace, { provider: { project: namespace } });
        const keys = ['a', 'b', 'c', 'd', 'e'].map((name): Key => ({ namespace, name }));
        await Promise.all(keys.map((key) => world.apply(key, { className: namespace })));
        const uids = (await Promise.all(keys.map((key) => world.whenReady(key)))).map(
          ({ status }) => status?.branch?.uid,
        );

        await world.stack.kubectl('delete', 'namespace', namespace);

        expect((await world.liveBranches()).filter(({ uid }) => uids.includes(uid))).toEqual([]);
        const { objects, namespaces, secrets } = world.recorder;
        const gone = await until('the recorder has seen the end', () =>
          namespaces.find(({ is, object }) => is === 'DELETED' && object.metadata.name === namespace),
        );
        const journal = await world.stack.emulator.journal();
        for (const [index, key] of keys.entries()) {
          const deleted = journal.filter(({ what, uid }) => what === 'branch.delete' && uid === uids[index]);
          const ended = objects.filter(({ is, object }) => is === 'DELETED' && keyOf(object.metadata) === keyOf(key));
          expect([deleted.length, ended.length]).toEqual([1, 1]);
          expect(Date.parse(deleted[0]!.at)).toBeLessThanOrEqual(ended[0]!.at.getTime());
          expect(ended[0]!.at.getTime()).toBeLessThanOrEqual(gone.at.getTime());
          const wasThere = secrets.filter(({ is, object }) => is === 'ADDED' && keyOf(object.metadata) === keyOf(key));
          expect(wasThere).toHaveLength(1);
        }
      },
    );

  // When a namespace is deleted, what is in it goes in no order, the operator's rights there included.
  test
    .skipIf(scope !== 'namespaces')
    .concurrent('a namespace whose RoleBinding goes first goes all the same, and so does its branch', async () => {
      const db = place('bindingless');
      await world.namespace(db.namespace);
      await world.apply(db);
      const { status } = await world.whenReady(db);

      await world.stack.kubectl('-n', db.namespace, 'delete', 'rolebinding', 'lakebranch-branches');
      await world.stack.kubectl('delete', 'namespace', db.namespace, '--timeout=120s');

      expect((await world.liveBranches()).map(({ uid }) => uid)).not.toContain(status?.branch?.uid);
    });

  test.concurrent(
    'a restore does all of its own part with the rights that it has, on objects as the API server keeps them',
    async () => {
      const name = 'restores';
      const { namespace } = place(name);
      const key = (restore: string): Key => ({ namespace, name: restore });
      const restore = (of: string, target: object): Promise<KubeObject> =>
        world.stack.kube.create<KubeObject>(pointInTimeRestoreResource, {
          metadata: key(of),
          spec: { source: { className: name, branch: 'production' }, target },
        } as KubeObject);
      const whenStalled = (of: string): Promise<PointInTimeRestore> =>
        until(`${of} is stalled`, async () => {
          const { metadata, status } = await world.stack.kube.get<PointInTimeRestore>(
            pointInTimeRestoreResource,
            key(of),
          );
          return (
            status?.conditions?.some(({ type }) => type === 'Stalled') && ({ metadata, status } as PointInTimeRestore)
          );
        });
      await world.namespace(namespace);
      await world.bclass(name);
      await restore('undo', { ago: '15m' });
      const refused = await whenStalled('undo');
      expect(refused.status?.conditions?.find(({ type }) => type === 'Ready')?.reason).toBe('RestoreNotAllowed');

      await world.stack.kube.mergePatch(branchClassResource, { name }, { spec: { restore: { allowed: true } } });
      const object = await until('its object is there', async () => (await world.get(key('undo'))) ?? false);
      expect(object.metadata.annotations?.[annotationKey.restore]).toBe(refused.metadata.uid);
      // It knows its own, although the API server has filled in the defaults.
      await until('it says what it made', async () => {
        const { status } = await world.stack.kube.get<PointInTimeRestore>(pointInTimeRestoreResource, key('undo'));
        return status?.branchRef?.name === 'undo';
      });

      // An instant at which production was there for sure.
      await restore('real', { time: new Date(Date.now() - 1000).toISOString() });
      const done = await world.stack.kubectl(
        '-n',
        namespace,
        'wait',
        '--for=condition=Succeeded',
        '--timeout=60s',
        'pitr/real',
      );
      expect(done).toMatch(/met$/);
      expect(await world.query(await world.secret(key('real')), 'SELECT 1 AS one')).toEqual([{ one: 1 }]);

      await restore('never', { time: new Date(Date.now() + 3_600_000).toISOString() });
      expect(
        await world.stack.kubectl('-n', namespace, 'wait', '--for=condition=Succeeded=false', 'pitr/never'),
      ).toMatch(/met$/);
      const never = await whenStalled('never');
      expect(never.metadata.annotations?.[annotationKey.ended]).toMatch(/\/RestoreTimeInFuture\//);
      expect(await world.get(key('never'))).toBeUndefined();
    },
  );

  const troubles: readonly Trouble[] = [
    {
      what: 'a class that is not there',
      reason: 'ClassNotFound',
      cause: (name) => world.namespace(place(name).namespace),
      remove: (name) => world.bclass(name),
    },
    {
      what: 'a namespace that the class does not allow',
      reason: 'NamespaceNotAllowed',
      async cause(name) {
        await world.bclass(name);
        await world.namespace(name, {});
      },
      async remove(name) {
        await world.stack.kube.mergePatch(namespaceResource, { name }, { metadata: { labels: { preview: 'true' } } });
      },
    },
    {
      what: 'a source that the class does not allow',
      reason: 'SourceNotAllowed',
      async cause(name) {
        await world.bclass(name, { sources: { allow: ['staging-*'], default: undefined } });
        await world.namespace(place(name).namespace);
      },
      async remove(name) {
        const sources = { allow: ['production'], default: 'production' };
        await world.stack.kube.mergePatch(branchClassResource, { name }, { spec: { sources } });
      },
    },
    {
      what: 'a source that is not there',
      reason: 'SourceNotFound',
      async cause(name) {
        await world.bclass(name, { sources: { allow: [name], default: name } });
        await world.namespace(place(name).namespace);
      },
      async remove(name) {
        const parent = `projects/${world.stack.emulator.project}`;
        await world.stack.emulator.call(world.stack.manager, 'POST', `${parent}/branches?branch_id=${name}`, {
          spec: { source_branch: `${parent}/branches/production`, no_expiry: true },
        });
      },
    },
    {
      what: 'a project that is not there',
      reason: 'ProjectNotFound',
      async cause(name) {
        await world.bclass(name, { provider: { project: name } });
        await world.namespace(place(name).namespace);
      },
      async remove(name) {
        await world.stack.emulator.call(world.stack.manager, 'POST', `projects?project_id=${name}`, { spec: {} });
      },
    },
    {
      what: 'a credential that is not there',
      reason: 'CredentialsNotFound',
      async cause(name) {
        await world.bclass(name, { provider: { auth: { clientSecretRef: { name: credentialOf(name) } } } });
        await world.namespace(place(name).namespace);
      },
      remove: (name) => world.clientSecret(credentialOf(name), world.stack.manager),
    },
    {
      what: 'a credential that the provider does not accept',
      reason: 'Unauthenticated',
      async cause(name) {
        await world.clientSecret(credentialOf(name), { ...world.stack.manager, clientSecret: 'not-the-secret' });
        await world.bclass(name, { provider: { auth: { clientSecretRef: { name: credentialOf(name) } } } });
        await world.namespace(place(name).namespace);
      },
      async remove(name) {
        const data = { 'client-secret': base64(world.stack.manager.clientSecret) };
        await world.stack.kube.mergePatch(
          secretResource,
          { namespace: operatorNamespace, name: credentialOf(name) },
          { data },
        );
      },
    },
    {
      what: 'a Secret of somebody else under the name',
      reason: 'SecretNotOwned',
      async cause(name) {
        await world.bclass(name);
        await world.namespace(place(name).namespace);
        const theirs = { metadata: place(name), data: { theirs: base64('kept') } };
        await world.stack.kube.create<Secret>(secretResource, theirs);
      },
      async remove(name) {
        const db = place(name);
        expect((await world.secret(db))?.data).toEqual({ theirs: base64('kept') });
        await world.stack.kube.remove(secretResource, db);
      },
    },
  ];

  test.concurrent.each(troubles.filter(({ reason }) => !(alone && reason === 'NamespaceNotAllowed')))(
    '$what is $reason with nothing made, and heals by itself',
    async ({ reason, cause, remove }) => {
      const name = reason.toLowerCase();
      const db = place(name);
      await cause(name);
      await world.apply(db, { className: name });
      const object = await world.whenReason(db, reason);
      expect(object.status).not.toHaveProperty('branch');
      const made = async (): Promise<string[]> =>
        (await world.liveBranches()).map(({ id }) => id).filter((id) => id.startsWith(`${db.namespace}-${db.name}-`));
      expect(await made()).toEqual([]);

      await remove(name);

      await world.whenReady(db);
      expect(await made()).toHaveLength(1);
      expect(await world.query(await world.secret(db), 'SELECT 1 AS one')).toEqual([{ one: 1 }]);
      // The project holds ten branches: others wait for this one's slot.
      await world.stack.kubectl('-n', db.namespace, 'delete', `dbb/${db.name}`);
    },
  );
}
