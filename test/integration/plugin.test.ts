// Every command of the kubectl plugin, run as a process against a real API server, the emulator and the operator: what it
// prints, and what the world is like afterwards.
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { databaseBranchResource, secretResource } from '../../src/api/names.ts';
import type { DatabaseBranch } from '../../src/api/v1alpha1/database-branch.ts';
import { branchId } from '../../src/lakebase/ids.ts';
import { operatorNamespace } from '../stack/operator.ts';
import { findSecrets, secretsOf } from '../stack/secrecy.ts';
import { until } from '../stack/until.ts';
import { base64, readyOf, World, type Key } from '../stack/world.ts';
import { Plugin, type Ran } from './plugin-process.ts';

vi.setConfig({ testTimeout: 300_000 });

const namespace = 'shop';
const database: Key = { namespace, name: 'database' };
const hourMs = 3_600_000;

let world: World;
let plugin: Plugin;

beforeAll(async () => {
  world = await World.start();
  plugin = await Plugin.install(world.stack);
  await world.namespace(namespace);
  await world.namespace('elsewhere', {});
  await world.bclass('default', { restore: { allowed: true }, expiration: { max: '240h' } });
  await world.apply(database);
  await world.whenReady(database);
});
afterAll(() => world?.stop());

const run = (...words: string[]): Promise<Ran> => plugin.run([...words, '-n', namespace]);
const object = async (key: Key = database): Promise<DatabaseBranch> => (await world.get(key))!;
const password = async (key: Key = database): Promise<string> =>
  Buffer.from((await world.secret(key))?.data?.['password'] ?? '', 'base64').toString();
const managers = ({ metadata }: DatabaseBranch): (string | undefined)[] =>
  ((metadata as { managedFields?: { manager?: string }[] }).managedFields ?? []).map(({ manager }) => manager);
const parse = (ran: Ran): unknown => {
  expect(ran.code, ran.err).toBe(0);
  return JSON.parse(ran.out);
};
async function expiryAtProvider(branch: string): Promise<Date | undefined> {
  const { client, close } = world.stack.emulator.as(world.stack.manager);
  try {
    return (await client.getBranch({ project: 'shop', branch })).expireTime;
  } finally {
    await close();
  }
}

/** A kubeconfig of somebody who may do only what the rules say. */
async function personWith(name: string, ...rules: string[]): Promise<string> {
  const { kubectl, kubectlWith } = world.stack;
  await kubectl('-n', namespace, 'create', 'serviceaccount', name);
  const input = `
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: { name: ${name} }
rules: [${rules.join(', ')}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: { name: ${name} }
roleRef: { apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: ${name} }
subjects: [{ kind: ServiceAccount, name: ${name}, namespace: ${namespace} }]
`;
  await kubectlWith({ input }, 'apply', '-f', '-');
  const file = join(world.stack.dir, `${name}.kubeconfig`);
  const token = await kubectl('-n', namespace, 'create', 'token', name);
  await writeFile(file, world.stack.cluster.kubeconfigFor(token), { mode: 0o600 });
  return file;
}
const readBranches = '{ apiGroups: [lakebranch.dev], resources: ["*"], verbs: [get, list] }';

describe('list', () => {
  test('shows what is ready, until when, and how long the token lives', async () => {
    const { code, out } = await run('list');
    expect(code).toBe(0);
    expect(out).toMatch(/^NAME +READY +STATUS +SOURCE +EXPIRES +TOKEN +AGE\n/);
    expect(out).toMatch(/database +True +Available +production +in (3d|2d23h) +\d+m left +\d+[sm]/);
  });

  test('-A names the namespaces, and tells what the operator says of those that are not ready', async () => {
    const key = { namespace: 'elsewhere', name: 'stranger' };
    await world.apply(key);
    await world.whenReason(key, 'NamespaceNotAllowed');
    const { out } = await plugin.run(['list', '-A']);
    expect(out).toMatch(/^NAMESPACE +NAME/);
    expect(out).toMatch(/elsewhere +stranger +False +NamespaceNotAllowed +-/);
    expect(out).toMatch(/elsewhere\/stranger +.*does not allow/);
    const { items } = parse(await plugin.run(['list', '-A', '-o', 'json'])) as { items: { name: string }[] };
    expect(items.map(({ name }) => name).toSorted()).toEqual(['database', 'stranger']);
    await world.remove(key);
    await world.whenGone(key);
  });

  test('as JSON has the documented fields', async () => {
    const { kind, items } = parse(await run('list', '-o', 'json')) as { kind: string; items: object[] };
    expect(kind).toBe('BranchList');
    const { branch, expiration } = (await object()).status!;
    expect(items).toEqual([
      expect.objectContaining({
        namespace,
        name: 'database',
        className: 'default',
        ready: 'True',
        reason: 'Available',
        paused: 'no',
        deleting: false,
        resetting: false,
        secretName: 'database',
        branchId: branch?.id,
        source: 'production',
        expireTime: expiration?.expireTime,
        enforcedBy: 'Provider',
      }),
    ]);
  });

  test('says that there is none, and where else to look', async () => {
    const { code, out, err } = await plugin.run(['list', '-n', 'default']);
    expect([code, out]).toEqual([0, '']);
    expect(err).toBe('There is no DatabaseBranch in namespace default. -A looks in all namespaces.\n');
  });
});

describe('psql', () => {
  const query = (sql: string, ...words: string[]): Promise<Ran> =>
    plugin.run(['psql', 'database', '-n', namespace, '--', '-XAt', '-c', sql, ...words]);

  test('is logged in to the branch, over TLS that checks the certificate', async () => {
    const { out, err, code } = await query('SELECT current_user, ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()');
    expect(err).toBe('');
    expect(code).toBe(0);
    expect(out).toContain((await object()).status!.credentials!.username);
    const { out: url } = await plugin.run([
      'psql',
      'database',
      '-n',
      namespace,
      '--',
      '-XAtc',
      String.raw`\echo :HOST`,
    ]);
    expect(url.trim()).toBe((await object()).status!.endpoint!.host);
  });

  test('passes the exit code of psql on', async () => {
    expect((await query('SELECT 1/0')).code).toBe(1);
    expect((await query(String.raw`\q`)).code).toBe(0);
  });

  test('never has the token on a command line; Ctrl-C cancels the query and not the plugin', async () => {
    const token = await password();
    const lines: string[] = [];
    const ran = await plugin.run(['psql', 'database', '-n', namespace, '--', '-XAtc', 'SELECT pg_sleep(120)'], {
      during: async (child) => {
        await until('the query runs', async () => (await sleepers()) > 0);
        lines.push(...(await commandLines()));
        process.kill(-child.pid!, 'SIGINT');
      },
    });
    expect(lines.filter((line) => line.includes('pg_sleep')).length).toBeGreaterThan(1);
    expect(lines.filter((line) => line.includes(token) || line.includes('eyJ'))).toEqual([]);
    expect(ran.err).toContain('canceling statement due to user request');
    expect(ran.code).toBe(1);
  });

  test('ends with its psql when it is told to end', async () => {
    const ran = await plugin.run(['psql', 'database', '-n', namespace, '--', '-XAtc', 'SELECT pg_sleep(120)'], {
      during: async (child) => {
        await until('the query runs', async () => (await sleepers()) > 0);
        child.kill('SIGTERM');
      },
    });
    expect(ran.code).toBe(143);
  });

  test('says what to install where there is no psql', async () => {
    const { code, err } = await plugin
      .run(['psql', 'database', '-n', namespace], {
        env: { PATH: `${join(world.stack.dir, 'bin')}/../node` },
      })
      .catch(() =>
        plugin.program(
          process.execPath,
          [join(world.stack.dir, 'bin/kubectl-lakebranch'), 'psql', 'database', '-n', namespace],
          { env: { PATH: '/nowhere' } },
        ),
      );
    expect(code).toBe(1);
    expect(err).toMatch(/there is no psql in your PATH: install/);
  });

  test.each([
    [
      ['psql', 'nobody'],
      1,
      /there is no DatabaseBranch nobody in namespace shop\. "kubectl -n shop get databasebranches"/,
    ],
    [['psql'], 2, /psql needs an argument: kubectl lakebranch psql NAME/],
  ])('%j is refused', async (words, code, complaint) => {
    const ran = await run(...words);
    expect(ran.code).toBe(code);
    expect(ran.err).toMatch(complaint);
  });

  const sleepers = async (): Promise<number> =>
    (
      await world.query(
        await world.secret(database),
        "SELECT 1 FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep%' AND state = 'active'",
      )
    ).length;

  /** What ps shows. */
  async function commandLines(): Promise<string[]> {
    const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
    const texts = pids.map((pid) => readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => ''));
    return (await Promise.all(texts)).map((text) => text.replaceAll('\0', ' '));
  }
});

describe('env', () => {
  test('gives a shell what psql and others need, and warns', async () => {
    const script = `eval "$(kubectl-lakebranch env database -n ${namespace} --ca-file ${world.stack.dir}/env-ca.crt)" && psql -XAtc 'SELECT current_user' && psql "$DATABASE_URL" -XAtc 'SELECT 2'`;
    const { code, out, err } = await plugin.program('sh', ['-c', script]);
    expect(err).toMatch(/^warning: this holds a live token\. Whoever sees it can log in to database until .*\n$/);
    expect(code).toBe(0);
    expect(out).toBe(`${(await object()).status!.credentials!.username}\n2\n`);
  });

  test('as JSON and for a .env file says the same', async () => {
    const values = parse(await plugin.run(['env', 'database', '-n', namespace, '-o', 'json'])) as Record<
      string,
      string
    >;
    expect(Object.keys(values)).toEqual([
      'PGHOST',
      'PGPORT',
      'PGDATABASE',
      'PGUSER',
      'PGPASSWORD',
      'PGSSLMODE',
      'DATABASE_URL',
    ]);
    expect(values['PGPASSWORD']).toBe(await password());
    const { out } = await plugin.run(['env', 'database', '-n', namespace, '-o', 'dotenv']);
    expect(out).toBe(
      Object.entries(values)
        .map(([key, value]) => `${key}='${value}'\n`)
        .join(''),
    );
  });

  test('names the right that is missing', async () => {
    const env = { KUBECONFIG: await personWith('reader', readBranches) };
    const { code, out, err } = await plugin.run(['env', 'database', '-n', namespace], { env });
    expect([code, out]).toEqual([1, '']);
    expect(err).toMatch(/you may not read Secret shop\/database, which holds the login: it takes "get" on secrets/);
  });
});

describe('extend', () => {
  test('moves the end, as the operator and the provider then have it', async () => {
    const before = new Date((await object()).status!.expiration!.expireTime!);
    const { code, out, err } = await run('extend', 'database', '--by', '12h');
    expect(code, err).toBe(0);
    const after = await object();
    expect(new Date(after.status!.expiration!.expireTime!).getTime() - before.getTime()).toBe(12 * hourMs);
    const { at } = after.spec.expiration!;
    expect(after.spec.expiration).toEqual({ at });
    expect(new Date(at!)).toEqual(new Date(after.status!.expiration!.expireTime!));
    expect(out).toContain(`shop/database lives until ${at}`);
    expect(managers(after)).toContain('kubectl-lakebranch');
    await until('the provider knows', async () => {
      const expire = await expiryAtProvider(after.status!.branch!.id);
      return expire && expire > new Date(before.getTime() + 11 * hourMs);
    });
  });

  test('as JSON', async () => {
    const at = new Date(Math.ceil(Date.now() / 1000) * 1000 + 100 * hourMs).toISOString();
    expect(parse(await run('extend', 'database', '--until', at, '-o', 'json'))).toEqual({
      kind: 'Extension',
      namespace,
      name: 'database',
      expireTime: at,
    });
  });

  test.each([
    [
      ['--for', '241h'],
      1,
      /class default lets a branch live for 240h .* The latest is --until \S+Z .*Nothing was changed/,
    ],
    [['--for', '1h'], 1, /lives until .* already, .* would shorten that/],
    [['--until', '2020-01-01T00:00:00Z'], 1, /has passed: that would end shop\/database at once/],
    [['--never'], 1, /class default does not allow branches without an end/],
    [[], 2, /say how long: --by 24h/],
    [['--by', '1h', '--for', '2h'], 2, /give one of --by and --for, not both/],
    [['--by', '3 days'], 2, /--by: write a duration like 90m, 24h or 2d/],
  ])('%j is refused, and nothing is written', async (words, code, complaint) => {
    const before = (await object()).metadata.generation;
    const ran = await run('extend', 'database', ...words);
    expect(ran.code).toBe(code);
    expect(ran.err).toMatch(complaint);
    expect((await object()).metadata.generation).toBe(before);
  });

  test('says that GitOps may write its own over it', async () => {
    await world.stack.kubectl('-n', namespace, 'annotate', 'dbb', 'database', 'argocd.argoproj.io/tracking-id=app:x');
    const { code, err } = await run('extend', 'database', '--by', '1h', '--no-wait');
    expect(code).toBe(0);
    expect(err).toContain('warning: Argo CD manages this object');
    await world.stack.kubectl('-n', namespace, 'annotate', 'dbb', 'database', 'argocd.argoproj.io/tracking-id-');
  });
});

describe('rotate', () => {
  test('puts a fresh token into the Secret, and leaves what other commands have set', async () => {
    const [before, token] = [await object(), await password()];
    const { code, out, err } = await run('rotate', 'database');
    expect(code, err).toBe(0);
    expect(out).toMatch(/^Secret shop\/database holds a fresh token, good until /);
    expect(await password()).not.toBe(token);
    const after = await object();
    expect(after.status!.credentials!.revision).toBe(before.status!.credentials!.revision + 1);
    expect(after.spec.expiration).toEqual(before.spec.expiration);
  });
});

describe('reset', () => {
  test.each([[[]], [['--strategy', 'Replace']]])('serves a fresh branch under the same Secret %j', async (words) => {
    const before = await object();
    await world.query(await world.secret(database), 'CREATE TABLE IF NOT EXISTS leftover (id int)');
    const answer = parse(await run('reset', 'database', '-o', 'json', ...words)) as Record<string, string>;
    const after = await world.whenReady(database);
    expect(after.status!.branch!.uid).not.toBe(before.status!.branch!.uid);
    expect(answer).toEqual({
      kind: 'Reset',
      namespace,
      name: 'database',
      token: after.spec.reset!.token,
      branchId: after.status!.branch!.id,
      host: after.status!.endpoint!.host,
    });
    const rows = await world.query(await world.secret(database), "SELECT to_regclass('leftover') AS there");
    expect(rows).toEqual([{ there: null }]);
  });

  test('tells each stage once', async () => {
    const { code, err } = await run('reset', 'database', '--strategy', 'Switch');
    expect(code).toBe(0);
    const lines = err.trimEnd().split('\n');
    expect(lines[0]).toMatch(/^The present branch .* is served until the fresh one is ready, and lives 5m longer/);
    expect(lines.slice(1).length).toBeGreaterThan(0);
    expect(lines.filter((line, index) => line === lines[index - 1])).toEqual([]);
  });

  test('of the token that it has is refused', async () => {
    const token = (await object()).spec.reset!.token;
    const { code, err } = await run('reset', 'database', '--token', token);
    expect(code).toBe(1);
    expect(err).toMatch(/has had the reset token/);
  });
});

describe('park', () => {
  test('tells the provider the whole life of the branch, and unpark goes on', async () => {
    await run('extend', 'database', '--for', '200h');
    const { code, out, err } = await run('park', 'database');
    expect(code, err).toBe(0);
    const parked = await object();
    expect(parked.metadata.annotations).toMatchObject({ 'lakebranch.dev/paused': 'all' });
    const end = new Date(parked.status!.expiration!.expireTime!);
    const kept = await expiryAtProvider(parked.status!.branch!.id);
    expect(kept?.getTime()).toBeGreaterThanOrEqual(end.getTime());
    expect(out).toMatch(/^shop\/database: the provider keeps it until /);

    expect((await run('rotate', 'database')).err).toMatch(
      /is parked, so its token is not renewed\. First: .* unpark database/,
    );
    expect((await run('list')).out).toMatch(/Available, parked|PausedByAnnotation, parked/);

    const back = await run('unpark', 'database');
    expect(back.code, back.err).toBe(0);
    expect(back.out).toBe('shop/database: is ready\n');
    expect((await object()).metadata.annotations ?? {}).not.toHaveProperty('lakebranch.dev/paused');
  });

  test('-A takes all, and puts back a pause of another kind', async () => {
    const other: Key = { namespace, name: 'other' };
    await world.apply(other);
    await world.whenReady(other);
    await world.stack.kubectl('-n', namespace, 'annotate', 'dbb', 'other', 'lakebranch.dev/paused=true');
    const { items } = parse(await plugin.run(['park', '-A', '-o', 'json'])) as { items: object[] };
    expect(items).toHaveLength(2);
    expect(items).toContainEqual(expect.objectContaining({ name: 'other', changed: true }));
    expect((await plugin.run(['park', '-A'])).err).toContain('shop/other: nothing to change');
    const back = await plugin.run(['unpark', '-A']);
    expect(back.out).toContain('shop/other: is paused as it was before');
    expect((await object(other)).metadata.annotations).toMatchObject({ 'lakebranch.dev/paused': 'true' });
    expect((await object(other)).metadata.annotations).not.toHaveProperty('lakebranch.dev/paused-before');
    await world.remove(other);
    await world.whenGone(other);
  });

  test.each([[[]], [['database', '-A']]])('%j is no choice', async (words) => {
    expect((await run('park', ...words)).code).toBe(2);
  });
});

describe('restore', () => {
  test('brings back the past, and says how to use it', async () => {
    const { code, out, err } = await run('restore', 'production', '--ago', '1s', '--name', 'undo', '--ttl', '2h');
    expect(code, err).toBe(0);
    expect(err).toMatch(/^PointInTimeRestore shop\/undo asks for production of 1s ago\.\n/);
    expect(out).toMatch(/^Restored: DatabaseBranch shop\/undo holds production as it was\.\n/);
    const [, line = ''] = /^ {2}kubectl lakebranch (.* psql undo)$/m.exec(out) ?? [];
    const asTold = await plugin.run([...line.split(' '), '--', '-XAtc', 'SELECT 42']);
    expect(asTold.out).toBe('42\n');
    const why = await run('why', 'pitr/undo');
    expect(why.out).toMatch(/^PointInTimeRestore shop\/undo is ready: Restored/);
    await world.remove({ namespace, name: 'undo' });
    await world.whenGone({ namespace, name: 'undo' });
  });

  test('that cannot be done says why, and exits with 1', async () => {
    const { code, err } = await run('restore', 'production', '--ago', '200h', '--name', 'too-far');
    expect(code).toBe(1);
    expect(err).toMatch(/the restore did not succeed: RestoreWindowExceeded/);
  });

  test.each([
    [['production'], 2, /say how far to go back/],
    [['production', '--ago', '1h', '--lsn', '0/1'], 2, /give only one of/],
    [['production', '--time', '2999-01-01T00:00:00Z'], 1, /has not come yet/],
    [['production', '--time', 'yesterday'], 2, /--time: write a time with its zone/],
  ])('%j is refused', async (words, code, complaint) => {
    const ran = await run('restore', ...words);
    expect(ran.code).toBe(code);
    expect(ran.err).toMatch(complaint);
  });
});

describe('why', () => {
  test('of what is well', async () => {
    const { code, out } = await run('why', 'database');
    expect(code).toBe(0);
    expect(out).toMatch(/^DatabaseBranch shop\/database is ready: Available\n/);
    expect(out).toMatch(/ {2}token +ok/);
  });

  test('goes on from an object to the class that holds it up, with the remedy of each', async () => {
    await world.clientSecret('wrong', { clientId: world.stack.manager.clientId, clientSecret: 'not-the-secret' });
    await world.bclass('broken', { provider: { auth: { clientSecretRef: { name: 'wrong' } } } });
    await world.apply({ namespace, name: 'held-up' }, { className: 'broken' });
    await world.whenReason({ namespace, name: 'held-up' }, 'Unauthenticated');
    const { out } = await run('why');
    expect(out).toMatch(/^DatabaseBranch shop\/held-up is not ready: Unauthenticated\n/);
    expect(out).toMatch(/^BranchClass broken is not ready: Unauthenticated\n/m);
    expect(out).toMatch(/do +Write a valid client-id and client-secret[^]*only when somebody does this/);
    const { items } = parse(await run('why', 'held-up', '-o', 'json')) as {
      items: { kind: string; steps: { needsPerson: boolean }[] }[];
    };
    expect(items.map(({ kind }) => kind)).toEqual(['DatabaseBranch', 'BranchClass']);
    expect(items[0]?.steps[0]?.needsPerson).toBe(true);
    await mend('wrong');
    await world.whenReady({ namespace, name: 'held-up' });
    await world.remove({ namespace, name: 'held-up' });
    await world.whenGone({ namespace, name: 'held-up' });
    await world.stack.kubectl('delete', 'bclass', 'broken');
  });
});

/** Its objects could not be deleted otherwise: whether they have a branch is not known. */
async function mend(secret: string): Promise<void> {
  const data = { 'client-secret': base64(world.stack.manager.clientSecret) };
  await world.stack.kube.mergePatch(secretResource, { namespace: operatorNamespace, name: secret }, { data });
}

describe('orphans', () => {
  const orphanId = (clusterID: string): string =>
    branchId({ clusterID, namespace: 'pr-1', name: 'db', uid: 'gone', resetToken: '' });

  test('names branches that no object stands for, and those that it cannot judge', async () => {
    expect((await plugin.run(['orphans'])).out).toMatch(/No branch of this cluster is without its object/);
    const { client, close } = world.stack.emulator.as(world.stack.manager);
    const expireTime = new Date(Date.now() + 48 * hourMs);
    const common = { project: 'shop', source: 'production', expireTime };
    const [ours, others] = [orphanId(world.clusterID), orphanId('another')];
    for (const id of [ours, others]) await client.createBranch({ ...common, id });
    await until(
      'they are there',
      async () => (await world.liveBranches()).filter(({ id }) => [ours, others].includes(id)).length === 2,
    );

    const { code, out } = await plugin.run(['orphans']);
    expect(code).toBe(3);
    expect(out).toMatch(
      new RegExp(`1 without an object:[^]*shop +${ours} +\\d+s +in (47h|2d)[^]*1 that could not be told:[^]*${others}`),
    );
    const known = await plugin.run(['orphans', '--cluster-id', 'another', '-o', 'json']);
    expect(known.code).toBe(3);
    const { found } = JSON.parse(known.out) as { found: { is: string; branchId: string }[] };
    expect(new Set(found.map(({ is, branchId: id }) => `${is} ${id}`))).toEqual(
      new Set([`orphan ${ours}`, `orphan ${others}`]),
    );
    expect((await world.liveBranches()).map(({ id }) => id)).toEqual(expect.arrayContaining([ours, others]));
    for (const id of [ours, others]) await client.deleteBranch({ project: 'shop', branch: id });
    await close();
  });

  test('works with credentials of one’s own, and says what to set without', async () => {
    const KUBECONFIG = await personWith('lister', readBranches);
    const without = await plugin.run(['orphans', '--cluster-id', world.clusterID], { env: { KUBECONFIG } });
    expect(without.code).toBe(1);
    expect(without.out).toMatch(/you may not read Secret lakebranch-system\/manager;\s+set\s+DATABRICKS_HOST=https:/);
    const { clientId, clientSecret } = world.stack.manager;
    const ca = join(world.stack.dir, 'provider-ca.crt');
    await writeFile(ca, world.stack.emulator.ca);
    const env = {
      KUBECONFIG,
      NODE_EXTRA_CA_CERTS: ca,
      DATABRICKS_HOST: world.stack.emulator.httpsUrl,
      DATABRICKS_CLIENT_ID: clientId,
      DATABRICKS_CLIENT_SECRET: clientSecret,
    };
    const own = await plugin.run(['orphans', '--cluster-id', world.clusterID], { env });
    expect(own.code, own.out + own.err).toBe(0);
    expect(own.out).toMatch(/Looked at \d+ branches of project shop, with DATABRICKS_CLIENT_ID/);
  });
});

describe('completion', () => {
  test('kubectl itself completes commands, flags and names', async () => {
    const complete = async (...words: string[]): Promise<string[]> =>
      (await plugin.program(plugin.kubectl, ['__complete', 'lakebranch', ...words])).out
        .split('\n')
        .map((line) => line.split('\t')[0] ?? '')
        .filter((line) => line !== '' && !line.startsWith(':'));
    expect(await complete('ex')).toEqual(['extend']);
    expect(await complete('reset', '-n', namespace, '')).toEqual(['database']);
    expect(await complete('why', '-n', namespace, 'bclass/')).toEqual(['bclass/default']);
    expect(await complete('restore', '-n', namespace, '')).toEqual(['production', 'dbb/database']);
    expect(await complete('list', '-n', 'shop')).toEqual(['shop']);
    expect(await complete('reset', 'database', '--strategy', 'R')).toEqual(['Replace']);
  });

  test('bash runs its script', async () => {
    const script = `source <(kubectl-lakebranch completion bash); COMP_WORDS=(kubectl-lakebranch psql -n ${namespace} da); COMP_CWORD=4; _kubectl_lakebranch; printf '%s\\n' "\${COMPREPLY[@]}"`;
    expect((await plugin.program('bash', ['-c', script])).out).toBe('database\n');
  });
});

test('kubectl finds it as a plugin, with its flags', async () => {
  const { adminKubeconfig } = world.stack.cluster;
  const { code, out } = await plugin.program(
    plugin.kubectl,
    ['lakebranch', 'list', '--kubeconfig', adminKubeconfig, '-n', namespace],
    { env: { KUBECONFIG: undefined } },
  );
  expect(code).toBe(0);
  expect(out).toContain('database');
  const wrong = await run('list', '--context', 'nowhere');
  expect(wrong.code).toBe(1);
  expect(wrong.err).toMatch(/has no context "nowhere"/);
  expect((await plugin.program(plugin.kubectl, ['lakebranch', 'version'])).out).toMatch(
    /^kubectl-lakebranch \d+\.\d+\.\d+/,
  );
});

describe('doctor', () => {
  test('finds nothing where all is well', async () => {
    const { code, out } = await run('doctor');
    expect(code, out).toBe(0);
    expect(out).toMatch(/All \d+ checks are well\.\n$/);
    expect(out).toMatch(/ok +leader: lakebranch-0 leads/);
    expect(out).toMatch(/ok +login to shop\/database: works, as /);
    expect(out).toMatch(
      /ok +provider of default: .* shows\s+project\s+shop\s+to\s+Secret\s+lakebranch-system\/manager/,
    );
  });

  test('tells a person which rights are missing, and goes on', async () => {
    const KUBECONFIG = await personWith('onlooker', readBranches);
    const { code, out } = await plugin.run(['doctor', '-n', namespace, '-o', 'json'], { env: { KUBECONFIG } });
    const { verdict, checks } = JSON.parse(out) as {
      verdict: string;
      checks: { name: string; verdict: string; message: string }[];
    };
    expect([code, verdict]).toEqual([0, 'warning']);
    const of = (name: string) => checks.find((check) => check.name === name);
    expect(of('get secrets')?.message).toMatch(/needed for psql, env/);
    expect(of('patch databasebranches.lakebranch.dev')?.verdict).toBe('warning');
    expect(of('leader')?.verdict).toBe('unknown');
    expect(of('Secret of shop/database')?.verdict).toBe('unknown');
  });
});

describe('without an operator', () => {
  const waiting: Key = { namespace, name: 'waiting' };

  beforeAll(async () => {
    await world.stack.operator.stop();
    await world.apply(waiting);
  });
  afterAll(() => world.stack.operator.start());

  test('doctor and why say so', async () => {
    const ran = await run('doctor', '--no-login');
    expect(ran.code).toBe(3);
    expect(ran.out).toMatch(/WRONG +leader: nobody holds the Lease lakebranch-system\/lakebranch/);
    expect((await run('why', 'waiting')).out).toMatch(
      /not judged yet: Pending[^]*The operator: nobody holds the Lease/,
    );
  });

  test('there is no login, and psql says why', async () => {
    const { code, err } = await run('psql', 'waiting');
    expect(code).toBe(1);
    expect(err).toMatch(/shop\/waiting has no login: Pending/);
  });

  test('a Secret that somebody else’s object wrote is not used', async () => {
    const owner = (value: string): Promise<unknown> =>
      world.stack.kube.mergePatch(secretResource, database, {
        metadata: { annotations: { 'lakebranch.dev/owner': value } },
      });
    await owner('elsewhere/database');
    const { code, err } = await run('psql', 'database');
    expect(code).toBe(1);
    expect(err).toMatch(/Secret shop\/database does not belong to shop\/database but to elsewhere\/database/);
    expect((await run('doctor', '--no-login')).out).toMatch(
      /WRONG +Secret of shop\/database: Secret shop\/database does not/,
    );
    await owner('shop/database');
  });

  test('a token that has died is waited for, and its successor is taken', async () => {
    const expires = (value: string): Promise<unknown> =>
      world.stack.kube.mergePatch(secretResource, database, { data: { 'expires-at': base64(value) } });
    const good = Buffer.from((await world.secret(database))!.data!['expires-at']!, 'base64').toString();
    await expires('2026-01-01T00:00:00Z');
    expect((await run('doctor', '--no-login')).out).toMatch(
      /WRONG +Secret of shop\/database: its token expired .* ago/,
    );
    const ran = await plugin.run(['psql', 'database', '-n', namespace, '--', '-XAtc', 'SELECT 7'], {
      during: async (_child, soFar) => {
        await until('it waits', () => soFar().includes('the token in the Secret has expired'));
        await expires(good);
      },
    });
    expect([ran.code, ran.out]).toEqual([0, '7\n']);
  });

  test('a wait ends with its time, and the edit stays', async () => {
    const { code, err } = await run('extend', 'database', '--by', '1m', '--timeout', '1s');
    expect(code).toBe(4);
    expect(err).toMatch(/waited 1s in vain for the operator to take it up\. It goes on by itself; look with: /);
  });

  test('Ctrl-C ends a wait', async () => {
    const ran = await plugin.run(['park', 'database', '-n', namespace], {
      during: async (child, soFar) => {
        await until('it waits', () => soFar().includes('waiting for the operator'));
        process.kill(-child.pid!, 'SIGINT');
      },
    });
    expect(ran.code).toBe(130);
    expect(ran.err).toContain('broken off. What was written before goes on by itself.');
    expect((await object()).metadata.annotations).toMatchObject({ 'lakebranch.dev/paused': 'all' });
    await run('unpark', 'database', '--no-wait');
  });
});

test('what has ended is not extended but reset, with a new end', async () => {
  const key: Key = { namespace, name: 'short' };
  const at = new Date(Date.now() + 20_000).toISOString();
  await world.apply(key, { expiration: { at } });
  await world.whenReason(key, 'Expired');
  const extended = await run('extend', 'short', '--for', '1h');
  expect(extended.code).toBe(1);
  expect(extended.err).toMatch(/has ended \(Expired\): its branch and its data are gone.* reset short --for 24h/);
  expect((await run('reset', 'short')).err).toMatch(/has expired .* say how long it should live, like --for 24h/);
  const { code, err } = await run('reset', 'short', '--for', '1h');
  expect(code, err).toBe(0);
  expect(readyOf(await object(key))?.status).toBe('True');
  await world.stack.kube.remove(databaseBranchResource, key);
});

test('no token and no client secret was printed by anything but env', () => {
  const hidden = [...secretsOf(world), { what: 'the wrong client secret', value: 'not-the-secret' }];
  expect(hidden.length).toBeGreaterThan(5);
  expect(plugin.printed.length).toBeGreaterThan(100);
  expect(findSecrets(plugin.printed, hidden)).toEqual([]);
});
