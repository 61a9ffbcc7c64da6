// The token in a Secret is renewed at about half of its life, by whoever leads, whatever fails meanwhile.
import { afterEach, expect, test } from 'vitest';
import { annotationKey, branchClassResource, databaseBranchResource, secretResource } from '../../src/api/names.ts';
import type { BranchClass } from '../../src/api/v1alpha1/branch-class.ts';
import type { DatabaseBranch } from '../../src/api/v1alpha1/database-branch.ts';
import type { Secret } from '../../src/credentials/secret.ts';
import { appLogin, manager, operatorNamespace, Scenario, type ScenarioOptions } from '../scenario.ts';

const hourMs = 3_600_000;
const minuteMs = 60_000;
let world: Scenario;
const begin = (options?: ScenarioOptions): Scenario => (world = new Scenario(options));
afterEach(() => world.stop());

const db = { namespace: 'pr-1', name: 'db' };
const edit = (change: (object: DatabaseBranch) => void): void =>
  void world.kube.edit<DatabaseBranch>(databaseBranchResource, db, change);
const credentialsPath = '/api/2.0/postgres/credentials';
const roomFor = (count: number): ScenarioOptions => ({
  behaviour: { limits: { unarchivedBranches: count + 1 } },
});

const nowMs = (): number => world.clock.now().getTime();
const mints = () => world.emulator.admin.log().filter(({ what }) => what === 'credential.mint');
const password = (name = 'db'): string | undefined => world.secret(name)?.['password'];
const annotation = (key: keyof typeof annotationKey, name = 'db'): string =>
  world.kube.peek<Secret>(secretResource, { namespace: 'pr-1', name })?.metadata.annotations?.[annotationKey[key]] ??
  '';
const renewMs = (name = 'db'): number => Date.parse(world.object(name)?.status?.credentials?.renewTime ?? '');
const events = (reason: string): { note?: string }[] =>
  world.kube
    .all<Secret & { reason?: string; note?: string }>({
      group: 'events.k8s.io',
      version: 'v1',
      plural: 'events',
      kind: 'Event',
      namespaced: true,
    })
    .filter((event) => event.reason === reason);

/** Objects `db-0`, `db-1`, … that are served. */
async function given(count: number, options: ScenarioOptions = roomFor(count)): Promise<string[]> {
  begin(options).launch();
  const names = Array.from({ length: count }, (_, n) => `db-${n}`);
  for (const name of names) world.apply(name, { expiration: { ttl: '300h' } });
  await world.settle(3 * minuteMs);
  for (const name of names) expect(world.ready(name), world.describe()).toBe('True');
  return names;
}

async function givenOne(options?: ScenarioOptions): Promise<void> {
  begin(options).launch();
  world.apply('db', { expiration: { ttl: '300h' } });
  await world.settle();
  expect(world.ready('db'), world.describe()).toBe('True');
}

function killAll(): void {
  for (const { kill } of world.processes) kill();
}

test('a token is renewed between 45 and 55 % of its life, each object at an instant of its own', async () => {
  const names = await given(9, {});
  const shares = new Set<number>();
  for (let n = 0; n < 3; n++) {
    for (const name of names) {
      const issued = Date.parse(annotation('issueTime', name));
      const lifeMs = Date.parse(annotation('expireTime', name)) - issued;
      const share = (renewMs(name) - issued) / lifeMs;
      expect(share).toBeGreaterThanOrEqual(0.45);
      expect(share).toBeLessThanOrEqual(0.55);
      shares.add(share);
    }
    const due = new Map(names.map((name) => [name, renewMs(name)]));
    await world.settle(Math.max(...due.values()) - nowMs() + 1000);
    for (const [name, dueMs] of due) {
      const versions = world.kube.history<Secret>(secretResource, { namespace: 'pr-1', name });
      expect(versions.filter(({ at }) => Math.abs(at.getTime() - dueMs) < 1000)).toHaveLength(1);
    }
  }
  expect(shares.size).toBeGreaterThan(20);
});

test('a restart renews nothing early: each token keeps the instant it had', async () => {
  const names = await given(20);
  await world.settle(20 * minuteMs);
  const due = names.map((name) => renewMs(name));
  const before = mints().length;
  killAll();
  world.launch();
  await world.settle(Math.min(...due) - nowMs() - 1);
  expect(mints()).toHaveLength(before);
  expect(names.map((name) => renewMs(name))).toEqual(due);
  await world.settle(Math.max(...due) - nowMs() + 1000);
  expect(mints()).toHaveLength(before + 20);
});

test('two leaders at once renew at the same instant, and the Secret is written once', async () => {
  await givenOne();
  world.launch();
  for (let n = 0; n < 5; n++) {
    const due = renewMs();
    const revision = Number(annotation('revision'));
    await world.settle(due - nowMs() - 1);
    expect(Number(annotation('revision'))).toBe(revision);
    await world.settle(5000);
    expect(Number(annotation('revision'))).toBe(revision + 1);
    expect(await world.opens('db')).toBe(true);
  }
});

/** Sixty served objects and few requests for them; and how far from its place, by death, each is renewed from now on. */
async function sixty() {
  begin({ ...roomFor(60), budget: { perSecond: 1, burst: 1 } }).launch();
  const names = Array.from({ length: 60 }, (_, n) => `db-${n}`);
  for (const name of names) world.apply(name, { expiration: { ttl: '300h' }, verify: { login: 'Never' } });
  await world.until('all are served', () => names.every((name) => world.ready(name) === 'True'), 3 * hourMs);
  await world.settle(70 * minuteMs);
  const placesOff = (): (() => number[]) => {
    const death = (name: string): number => Date.parse(annotation('expireTime', name));
    const byDeath = names.toSorted((a, b) => death(a) - death(b));
    const before = mints().length;
    return () => {
      const objectOf = new Map(names.map((name) => [world.object(name)?.status?.endpoint?.name, name]));
      const order = mints()
        .slice(before, before + 60)
        .map(({ name }) => objectOf.get(name) ?? '');
      expect(new Set(order).size, order.join()).toBe(60);
      return order.map((name, place) => Math.abs(byDeath.indexOf(name) - place));
    };
  };
  return { names, placesOff };
}

test('after an outage of the operator the tokens that die soonest are renewed first, and all are', async () => {
  const { names, placesOff } = await sixty();
  killAll();
  const end = placesOff();
  await world.settle(45 * minuteMs);
  world.launch();
  await world.settle(10 * minuteMs);
  expect(Math.max(...end())).toBeLessThan(16);
  for (const name of names) expect(await world.opens(name)).toBe(true);
}, 120_000);

test('after an outage of the provider no token starves although there are few requests for them', async () => {
  const { names, placesOff } = await sixty();
  world.emulator.faults.inject({ path: credentialsPath, trouble: { kind: 'answer', status: 503 } });
  await world.settle(50 * minuteMs);
  const end = placesOff();
  world.emulator.faults.clear();
  await world.settle(2 * minuteMs);
  expect(end()).toHaveLength(60);
  for (const name of names) expect(await world.opens(name)).toBe(true);
}, 120_000);

test('a mint that fails is tried again after 1 s, then more and more seldom up to a minute; the token stays', async () => {
  await givenOne();
  const last = password();
  const attempts: number[] = [];
  const transport = world.emulator.handle.bind(world.emulator);
  world.emulator.handle = (request) => {
    if (request.url.endsWith('/credentials')) attempts.push(nowMs());
    return transport(request);
  };
  world.emulator.faults.inject({ path: credentialsPath, trouble: { kind: 'answer', status: 400 } });
  await world.settle(renewMs() - nowMs() + 10 * minuteMs);
  const pauses = attempts.slice(1).map((at, n) => (at - (attempts[n] ?? 0)) / 1000);
  expect(pauses[0]).toBeLessThanOrEqual(1);
  expect(Math.max(...pauses)).toBeLessThanOrEqual(60);
  expect(Math.max(...pauses)).toBeGreaterThan(40);
  expect(pauses.slice(0, 6)).toEqual(pauses.slice(0, 6).toSorted((a, b) => a - b));
  expect(pauses.length).toBeLessThan(20);
  expect(password()).toBe(last);
  expect(await world.opens('db')).toBe(true);
  expect(world.condition('db', 'CredentialsFresh')?.message).toContain('the last renewal failed');
  world.emulator.faults.clear();
  await world.settle(minuteMs);
  expect(password()).not.toBe(last);
});

test('the provider is away for 25 minutes at the worst instant: none of 20 tokens dies', async () => {
  const names = await given(20);
  // Somebody's instant is the worst: the last moment before it is due, at the largest share.
  await world.settle(Math.max(...names.map((name) => renewMs(name))) - nowMs() - 1);
  world.emulator.faults.inject({ path: '/api/2.0/postgres/**', trouble: { kind: 'answer', status: 503 } });
  for (let minute = 0; minute < 25; minute++) {
    await world.settle(minuteMs);
    for (const name of names) expect(await world.opens(name), `${name} ${world.describe()}`).toBe(true);
  }
  world.emulator.faults.clear();
  await world.settle(2 * minuteMs);
  for (const name of names) {
    expect(await world.opens(name)).toBe(true);
    expect(world.condition(name, 'CredentialsFresh')?.status).toBe('True');
    expect(Date.parse(annotation('expireTime', name)) - nowMs()).toBeGreaterThan(20 * minuteMs);
  }
});

test('an operator that is away for 40 minutes finds some tokens dead, renews all at once, and wakes no dead branch', async () => {
  const names = await given(9, {});
  await world.settle(24 * minuteMs);
  killAll();
  await world.settle(40 * minuteMs);
  world.launch();
  await world.settle(30_000);
  for (const name of names) {
    expect(await world.opens(name)).toBe(true);
    expect(world.ready(name)).toBe('True');
  }
});

test('a token that is granted for less than a quarter of an hour says so, and is renewed at half of that', async () => {
  await givenOne({ behaviour: { grantedSeconds: 600 } });
  expect(world.condition('db', 'CredentialsFresh')).toMatchObject({ status: 'False', reason: 'ShortLived' });
  expect(world.ready('db')).toBe('True');
  const before = mints().length;
  for (let n = 0; n < 12; n++) {
    await world.settle(5 * minuteMs);
    expect(await world.opens('db')).toBe(true);
  }
  expect(mints().length - before).toBeGreaterThanOrEqual(10);
  expect(mints().length - before).toBeLessThanOrEqual(14);
  world.emulator.faults.set({ grantedSeconds: null });
  await world.settle(7 * minuteMs);
  expect(world.condition('db', 'CredentialsFresh')).toMatchObject({ status: 'True', reason: 'TokenFresh' });
});

test('a changed template is shown at once and costs no token', async () => {
  await givenOne();
  const before = mints().length;
  edit(({ spec }) => void (spec.credentials.template = { data: { DATABASE_URL: '{{ .uri }}' } }));
  await world.settle(1000);
  expect(world.secret('db')?.['DATABASE_URL']).toBe(world.secret('db')?.['uri']);
  expect(mints()).toHaveLength(before);
});

test('rotateToken renews now, exactly once, wherever the process dies', async () => {
  let points = 0;
  for (const how of ['before', 'after', 'answerLost'] as const) {
    for (let write = 1; write <= 3; write++) {
      await givenOne();
      killAll();
      world.launch({ write, how });
      await world.settle();
      const revision = Number(annotation('revision'));
      const before = mints().length;
      edit(({ spec }) => void (spec.credentials.rotateToken = 'again'));
      await world.settle(10_000);
      killAll();
      world.launch();
      await world.settle(2 * minuteMs);
      const where = `${how} ${write}: ${world.describe()}`;
      expect(Number(annotation('revision')), where).toBe(revision + 1);
      expect(mints().length - before, where).toBeLessThanOrEqual(2);
      expect(await world.opens('db'), where).toBe(true);
      expect(world.ready('db'), where).toBe('True');
      await world.stop();
      points++;
    }
  }
  expect(points).toBe(9);
});

test('the same value of rotateToken is honoured once, also after a restart', async () => {
  await givenOne();
  edit(({ spec }) => void (spec.credentials.rotateToken = 'once'));
  await world.settle(5000);
  const rotated = password();
  killAll();
  world.launch();
  edit(({ spec }) => void (spec.credentials.template = { data: { A: 'b' } }));
  await world.settle(10 * minuteMs);
  expect(password()).toBe(rotated);
});

test.each<[string, () => void]>([
  ['deleted', () => world.kube.delete(secretResource, db)],
  ['emptied', () => void world.kube.edit<Secret>(secretResource, db, (secret) => void delete secret.data)],
  [
    'edited',
    () =>
      void world.kube.edit<Secret>(
        secretResource,
        db,
        (secret) => void (secret.data!['host'] = Buffer.from('elsewhere').toString('base64')),
      ),
  ],
  [
    'stripped of its owner',
    () => void world.kube.edit<Secret>(secretResource, db, ({ metadata }) => void delete metadata.ownerReferences),
  ],
  [
    'stripped of its annotations',
    () => void world.kube.edit<Secret>(secretResource, db, ({ metadata }) => void delete metadata.annotations),
  ],
])(
  'a Secret that somebody has %s is whole again after its next read, and opens the same branch',
  async (_how, harm) => {
    await givenOne();
    const { host } = world.secret('db') ?? {};
    harm();
    await world.settle(2 * minuteMs);
    expect(world.secret('db')?.['host']).toBe(host);
    expect(await world.opens('db')).toBe(true);
    expect(world.ready('db')).toBe('True');
    const secret = world.kube.peek<Secret>(secretResource, db);
    expect(secret?.metadata.ownerReferences?.[0]).toMatchObject({
      controller: true,
      uid: world.object('db')?.metadata.uid,
    });
    expect(world.branches()).toHaveLength(1);
  },
);

test('a Secret without owner and without our marks is somebody else’s, and is not touched', async () => {
  await givenOne();
  world.kube.edit<Secret>(secretResource, db, ({ metadata }) => {
    delete metadata.ownerReferences;
    metadata.annotations = {};
    metadata.labels = {};
  });
  const before = world.kube.history(secretResource, db).length;
  await world.settle(2 * hourMs);
  expect(world.kube.history(secretResource, db)).toHaveLength(before);
  expect(world.ready('db')).toBe('False SecretNotOwned');
  world.kube.delete(secretResource, db);
  await world.settle(2 * minuteMs);
  expect(await world.opens('db')).toBe(true);
});

test('a Secret that a backup brought back is replaced by one that opens the new branch', async () => {
  await givenOne();
  const kept = world.kube.peek<Secret>(secretResource, db);
  const old = world.object('db');
  killAll();
  world.kube.edit<DatabaseBranch>(databaseBranchResource, db, ({ metadata }) => void (metadata.finalizers = []));
  world.kube.delete(databaseBranchResource, db);
  world.kube.seed<Secret>(secretResource, {
    type: kept?.type ?? '',
    data: kept?.data ?? {},
    metadata: {
      ...db,
      labels: kept?.metadata.labels ?? {},
      annotations: kept?.metadata.annotations ?? {},
    },
  });
  world.launch();
  world.apply('db', old?.spec);
  await world.settle(3 * minuteMs);
  expect(world.ready('db'), world.describe()).toBe('True');
  expect(world.secret('db')?.['password']).not.toBe(Buffer.from(kept?.data?.['password'] ?? '', 'base64').toString());
  expect(annotation('branchUid')).toBe(world.object('db')?.status?.branch?.uid);
  expect(world.object('db')?.status?.branch?.uid).not.toBe(old?.status?.branch?.uid);
  expect(await world.opens('db')).toBe(true);
});

test('a mint that says 404 has the branch asked for at once: it is lost within seconds, not minutes', async () => {
  await givenOne();
  await world.settle(renewMs() - nowMs() - 1000);
  await world.removeBranch(world.object('db')?.status?.branch?.id ?? '');
  await world.settle(10_000);
  expect(world.ready('db')).toBe('False DeletedExternally');
  expect(world.secret('db')).toBeUndefined();
});

test('a mint that says 404 although the branch is there ends nothing', async () => {
  await givenOne();
  world.emulator.faults.inject({
    path: credentialsPath,
    times: 3,
    trouble: { kind: 'answer', status: 404, errorCode: 'NOT_FOUND', message: 'endpoint not found' },
  });
  const last = password();
  await world.settle(renewMs() - nowMs() + minuteMs);
  expect(world.ready('db')).toBe('True');
  expect(password()).not.toBe(last);
});

test.each([5, -5])(
  'a provider whose clock is off by %d minutes: tokens are renewed at half of their true life',
  async (minutes) => {
    await givenOne({ behaviour: { clockSkewMs: minutes * minuteMs } });
    for (let n = 0; n < 4; n++) {
      const share = (renewMs() - Date.parse(annotation('issueTime'))) / hourMs;
      expect(share).toBeGreaterThan(0.44);
      expect(share).toBeLessThan(0.56);
      const last = password();
      await world.settle(renewMs() - nowMs() + 1000);
      expect(password()).not.toBe(last);
      expect(await world.opens('db')).toBe(true);
    }
  },
);

test('a class with another login: role, mint, login, Secret for each object; until then the old Secret stays', async () => {
  const names = await given(5, {});
  world.addClientSecret('other-login', manager);
  world.emulator.faults.inject({
    method: 'POST',
    path: '/api/2.0/postgres/**/roles',
    times: 3,
    trouble: { kind: 'answer', status: 503 },
  });
  const before = new Map(names.map((name) => [name, world.secret(name)]));
  world.kube.edit<BranchClass>(branchClassResource, { name: 'default' }, ({ spec }) => {
    spec.login = { ...spec.login, auth: { clientSecretRef: { name: 'other-login' } } };
  });
  await world.settle(3 * minuteMs);
  for (const name of names) {
    expect(world.secret(name)?.['username'], world.describe()).toBe(manager.clientId);
    expect(await world.opens(name)).toBe(true);
    const users = world.kube
      .history<Secret>(secretResource, { namespace: 'pr-1', name })
      .map(({ object, event }) => [event, Buffer.from(object.data?.['username'] ?? '', 'base64').toString()].join(' '));
    expect(users.every((user) => !user.startsWith('DELETED'))).toBe(true);
    expect(new Set(users.map((user) => user.split(' ')[1]))).toEqual(new Set([appLogin.clientId, manager.clientId]));
    expect(world.secret(name)?.['host']).toBe(before.get(name)?.['host']);
  }
  expect(events('LoginChanged')).toHaveLength(5);
  expect(events('LoginChanged')[0]?.note).toContain(appLogin.clientId);
});

test('a login that cannot log in replaces nothing', async () => {
  await givenOne();
  const before = world.secret('db');
  world.addClientSecret('other-login', { clientId: '33333333-3333-4333-8333-333333333333', secret: 'unknown' });
  world.kube.edit<BranchClass>(branchClassResource, { name: 'default' }, ({ spec }) => {
    spec.login = { ...spec.login, auth: { clientSecretRef: { name: 'other-login' } } };
  });
  await world.settle(20 * minuteMs);
  expect(world.secret('db')).toEqual(before);
  expect(await world.opens('db')).toBe(true);
  world.kube.edit<BranchClass>(branchClassResource, { name: 'default' }, ({ spec }) => {
    spec.login = { ...spec.login, auth: { clientSecretRef: { name: 'login' } } };
  });
  await world.settle(30 * minuteMs);
  expect(await world.opens('db')).toBe(true);
  expect(world.ready('db')).toBe('True');
});

test('a namespace that loses its permission is served for 24 h, then its token runs out; the branch stays leased', async () => {
  await givenOne();
  const namespaces = { group: '', version: 'v1', plural: 'namespaces', kind: 'Namespace', namespaced: false };
  const allow = (allowed: boolean): void =>
    void world.kube.edit(namespaces, { name: 'pr-1' }, ({ metadata }) => {
      metadata.labels = allowed ? { preview: 'true' } : {};
    });
  allow(false);
  await world.settle(23 * hourMs);
  expect(world.condition('db', 'NamespaceAllowed')?.status).toBe('False');
  expect(await world.opens('db')).toBe(true);
  expect(world.ready('db')).toBe('True');
  // A restart does not begin the day anew.
  killAll();
  world.launch();
  await world.settle(2.5 * hourMs);
  expect(await world.opens('db')).toBe(false);
  expect(world.ready('db')).toBe('False NamespaceNotAllowed');
  expect(world.secret('db')).toBeDefined();
  const lastMint = mints().at(-1)?.at.getTime() ?? 0;
  await world.settle(60 * hourMs);
  expect(mints().at(-1)?.at.getTime()).toBe(lastMint);
  expect((world.branches()[0]?.expiresAt ?? 0) - nowMs()).toBeGreaterThanOrEqual(84 * hourMs);
  allow(true);
  await world.settle(5 * minuteMs);
  expect(await world.opens('db')).toBe(true);
  expect(world.condition('db', 'NamespaceAllowed')).toBeUndefined();
});

test('the credential of the class is exchanged: the old one is refused, the new one is read at once', async () => {
  await givenOne();
  world.kube.edit<Secret>(secretResource, { namespace: operatorNamespace, name: 'login' }, (secret) => {
    secret.data = { ...secret.data, 'client-secret': Buffer.from('revoked').toString('base64') };
  });
  await world.settle(40 * minuteMs);
  world.kube.edit<Secret>(secretResource, { namespace: operatorNamespace, name: 'login' }, (secret) => {
    secret.data = { ...secret.data, 'client-secret': Buffer.from(appLogin.secret).toString('base64') };
  });
  await world.settle(5 * minuteMs);
  expect(await world.opens('db')).toBe(true);
  expect(world.condition('db', 'CredentialsFresh')?.status).toBe('True');
});
