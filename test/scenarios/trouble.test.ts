// What is missing, wrong, refused or edited: each with a reason of its own, nothing lost, and an end by itself.
import { afterEach, expect, test } from 'vitest';
import { annotationKey, branchClassResource, databaseBranchResource, secretResource } from '../../src/api/names.ts';
import type { BranchClass } from '../../src/api/v1alpha1/branch-class.ts';
import type { DatabaseBranch } from '../../src/api/v1alpha1/database-branch.ts';
import type { Secret } from '../../src/credentials/secret.ts';
import { KubeError } from '../../src/kit/kube.ts';
import { appLogin, manager, operatorNamespace, Scenario, type ScenarioOptions } from '../scenario.ts';

const hourMs = 3_600_000;
const minuteMs = 60_000;
let world: Scenario;
const begin = (options?: ScenarioOptions): Scenario => (world = new Scenario(options));
afterEach(() => world.stop());

const db = { namespace: 'pr-1', name: 'db' };
const namespaces = { group: '', version: 'v1', plural: 'namespaces', kind: 'Namespace', namespaced: false };
const edit = (change: (object: DatabaseBranch) => void): void =>
  void world.kube.edit<DatabaseBranch>(databaseBranchResource, db, change);
const editClass = (change: (bclass: BranchClass) => void): void =>
  void world.kube.edit<BranchClass>(branchClassResource, { name: 'default' }, change);
const branchPath = '/api/2.0/postgres/projects/*/branches/*';

/** Nothing was made, and the object says `reason`, as something that a person must change. */
function expectRefused(reason: string): void {
  expect(world.ready('db')).toBe(`False ${reason}`);
  expect(world.condition('db', 'Stalled')?.reason).toBe(reason);
  expect(world.branches()).toEqual([]);
  expect(world.condition('db', 'Ready')?.message).toMatch(/.{30,}/);
}

async function expectRecovered(withinMs = 3 * minuteMs): Promise<void> {
  await world.settle(withinMs);
  expect(world.ready('db'), world.describe()).toBe('True');
  expect(await world.opens('db')).toBe(true);
  expect(world.branches()).toHaveLength(1);
}

test('a class that does not exist', async () => {
  begin({ classes: [] }).launch();
  world.apply('db');
  await world.settle();
  expectRefused('ClassNotFound');
  world.addClass();
  await expectRecovered();
});

test.each([
  ['the Secret of the manager', 'manager', manager],
  ['the Secret of the login', 'login', appLogin],
])('%s is missing', async (_what, missing, credentials) => {
  begin({ withoutCredentials: true }).launch();
  const [other, otherCredentials] = missing === 'manager' ? ['login', appLogin] : ['manager', manager];
  world.addClientSecret(other as string, otherCredentials as typeof appLogin);
  world.apply('db');
  await world.settle();
  expectRefused('CredentialsNotFound');
  expect(world.condition('db', 'Ready')?.message).toContain(`${operatorNamespace}/${missing}`);
  world.addClientSecret(missing, credentials);
  await expectRecovered();
});

test('a wrong secret of the manager is named apart from a wrong secret of the login', async () => {
  begin({ withoutCredentials: true }).launch();
  world.addClientSecret('manager', { ...manager, secret: 'wrong' });
  world.addClientSecret('login', { ...appLogin, secret: 'wrong' });
  world.apply('db');
  await world.settle();
  expectRefused('Unauthenticated');
  expect(world.condition('db', 'Ready')?.message).toContain('spec.provider.auth');
  const right = (secret: Secret, value: string): void =>
    void (secret.data!['client-secret'] = Buffer.from(value).toString('base64'));
  world.kube.edit<Secret>(secretResource, { namespace: operatorNamespace, name: 'manager' }, (secret) =>
    right(secret, manager.secret),
  );
  await world.settle(3 * minuteMs);
  expect(world.ready('db')).toBe('False Unauthenticated');
  expect(world.condition('db', 'Ready')?.message).toContain('spec.login.auth');
  world.kube.edit<Secret>(secretResource, { namespace: operatorNamespace, name: 'login' }, (secret) =>
    right(secret, appLogin.secret),
  );
  await expectRecovered();
});

test('a namespace that the class does not allow', async () => {
  begin().launch();
  world.kube.edit(namespaces, { name: 'pr-1' }, ({ metadata }) => void (metadata.labels = {}));
  world.apply('db');
  await world.settle();
  expectRefused('NamespaceNotAllowed');
  expect(world.condition('db', 'Ready')?.message).toContain('preview=true');
  world.kube.edit(namespaces, { name: 'pr-1' }, ({ metadata }) => void (metadata.labels = { preview: 'true' }));
  await expectRecovered();
});

test('a source that the class does not allow', async () => {
  begin().launch();
  world.apply('db', { source: { branch: 'secret-plans' } });
  await world.settle();
  expectRefused('SourceNotAllowed');
});

test('a source and a project that do not exist', async () => {
  begin({ classes: [{}, { metadata: { name: 'lost' }, spec: { provider: { project: 'nowhere' } } }] }).launch();
  world.apply('db', { source: { branch: 'staging-9' } });
  world.apply('other', { className: 'lost' });
  await world.settle();
  expect(world.ready('db')).toBe('False SourceNotFound');
  expect(world.ready('other')).toBe('False ProjectNotFound');
  expect(world.branches()).toEqual([]);
});

test('a Secret of somebody else is not touched, and its name is taken over when it is free', async () => {
  begin().launch();
  world.kube.seed<Secret>(secretResource, { metadata: db, data: { mine: 'eA==' } });
  world.apply('db');
  await world.settle();
  expectRefused('SecretNotOwned');
  expect(world.secret('db')).toEqual({ mine: 'x' });
  world.kube.delete(secretResource, db);
  await expectRecovered();
});

test('two objects with one Secret name: the older has it, the younger gets it when the older goes', async () => {
  begin().launch();
  world.apply('older', { credentials: { database: 'databricks_postgres', tokenTTL: '1h', secretName: 'db' } });
  await world.settle(2000);
  world.apply('db');
  await world.settle();
  expect(world.ready('older')).toBe('True');
  expect(world.ready('db')).toBe('False SecretNotOwned');
  world.kube.delete(databaseBranchResource, { namespace: 'pr-1', name: 'older' });
  await expectRecovered();
});

test('an expiration that the class refuses ends nothing: a later maximum lets the object be', async () => {
  begin().launch();
  world.apply('db', { expiration: { ttl: '500h' } });
  await world.settle(10 * minuteMs);
  expectRefused('ExpirationExceedsMaximum');
  expect(world.object('db')?.metadata.annotations?.[annotationKey.ended]).toBeUndefined();
  editClass(({ spec }) => void (spec.expiration.max = '700h'));
  await expectRecovered();
});

test('a refused edit of the expiration changes nothing of what is served', async () => {
  begin().launch();
  world.apply('db', { expiration: { ttl: '10h' } });
  await world.settle();
  edit(({ spec }) => void (spec.expiration = { ttl: '500h' }));
  await world.settle(3 * hourMs);
  expect(world.ready('db')).toBe('False ExpirationExceedsMaximum');
  expect(await world.opens('db')).toBe(true);
  edit(({ spec }) => void (spec.expiration = { ttl: '20h' }));
  await expectRecovered();
  await world.settle(12 * hourMs);
  expect(world.ready('db')).toBe('True');
});

test('a lease that the provider refuses does not starve the credential', async () => {
  begin().launch();
  world.apply('db', { expiration: { ttl: '300h' } });
  await world.settle();
  world.emulator.faults.inject({ method: 'PATCH', path: branchPath, trouble: { kind: 'answer', status: 400 } });
  await world.settle(14 * hourMs);
  expect(await world.opens('db')).toBe(true);
  expect(world.ready('db')).toBe('True');
});

test('a size that could not be set at once is set later', async () => {
  begin().launch();
  world.apply('db');
  await world.settle();
  world.emulator.faults.inject({
    method: 'PATCH',
    path: `${branchPath}/endpoints/*`,
    times: 1,
    trouble: { kind: 'answer', status: 503 },
  });
  edit(({ spec }) => void (spec.endpoint = { maxCU: 4 }));
  await world.settle(5 * minuteMs);
  expect(Object.values(world.branches()[0]?.endpoints ?? {})[0]).toMatchObject({ maxCU: 4 });
  expect(world.object('db')?.status?.observedGeneration).toBe(world.object('db')?.metadata.generation);
});

test('annotations of others on the Secret, whatever their prefix, cost no token', async () => {
  begin().launch();
  world.apply('db');
  await world.settle();
  const before = world.secret('db')?.['password'];
  world.kube.edit<Secret>(
    secretResource,
    db,
    ({ metadata }) => void (metadata.annotations!['lakebranch.dev/note'] = 'x'),
  );
  await world.settle(3 * minuteMs);
  expect(world.secret('db')?.['password']).toBe(before);
});

test('a Secret that the API server refuses is named, costs few tokens, and is written when it may be', async () => {
  begin().launch();
  const words = { reason: 'Forbidden', message: 'exceeded quota: secrets=1' };
  const allow = world.kube.failBefore((call) =>
    call.verb === 'create' && call.type.plural === 'secrets' ? new KubeError('create', 403, words) : undefined,
  );
  world.apply('db');
  await world.settle(20 * minuteMs);
  expect(world.ready('db')).toBe('False SecretWriteRefused');
  expect(world.condition('db', 'Ready')?.message).toContain('exceeded quota');
  expect(world.emulator.admin.log().filter(({ what }) => what === 'credential.mint').length).toBeLessThan(30);
  allow();
  await expectRecovered();
});

test('a Secret that cannot be changed any more is named when it matters', async () => {
  begin().launch();
  world.apply('db');
  await world.settle();
  const words = { reason: 'Invalid', message: 'field is immutable when `immutable` is set' };
  world.kube.failBefore((call) =>
    call.verb === 'mergePatch' && call.type.plural === 'secrets' ? new KubeError('patch', 422, words) : undefined,
  );
  await world.settle(50 * minuteMs);
  expect(world.condition('db', 'CredentialsFresh')).toMatchObject({ status: 'False', reason: 'MintFailed' });
  await world.settle(30 * minuteMs);
  expect(world.ready('db')).toBe('False SecretWriteRefused');
});

test('a template that cannot be filled in says so and holds up no rotation', async () => {
  begin().launch();
  world.apply('db');
  await world.settle();
  edit(({ spec }) => void (spec.credentials.template = { data: { CA: '{{ .certificates }}' } }));
  await world.settle(3 * hourMs);
  expect(world.ready('db')).toBe('False TemplateInvalid');
  expect(await world.opens('db')).toBe(true);
});

test('another cluster id concludes nothing and deletes nothing', async () => {
  begin().launch().kill();
  world.launch();
  world.apply('db');
  await world.settle();
  world.processes.at(-1)?.kill();
  world.launch(undefined, 'another-cluster');
  edit(({ metadata }) => void (metadata.annotations = { touched: 'yes' }));
  await world.settle(10 * minuteMs);
  expect(await world.opens('db')).toBe(true);
  world.kube.delete(databaseBranchResource, db);
  await world.settle(10 * minuteMs);
  expect(world.object('db')).toBeDefined();
  expect(world.condition('db', 'Ready')?.message).toContain('LAKEBRANCH_CLUSTER_ID');
  world.processes.at(-1)?.kill();
  world.launch();
  await world.settle(5 * minuteMs);
  expect(world.object('db')).toBeUndefined();
  expect(world.branches()).toEqual([]);
});

test('one 404 of a branch in the making ends nothing', async () => {
  begin({ behaviour: { initMs: 5000 } }).launch();
  world.apply('db');
  await world.until('the candidate is on record', () => world.object('db')?.status?.candidate !== undefined);
  world.emulator.faults.inject({
    method: 'GET',
    path: branchPath,
    times: 1,
    trouble: { kind: 'answer', status: 404, errorCode: 'NOT_FOUND', message: 'branch id not found' },
  });
  await expectRecovered();
});

test('a branch whose Secret name is taken meanwhile keeps its lease for as long as the object lives', async () => {
  begin({ behaviour: { initMs: 5000 } }).launch();
  world.apply('db', { expiration: { ttl: '300h' } });
  await world.until('the branch is there', () => world.object('db')?.status?.candidate !== undefined);
  world.kube.seed<Secret>(secretResource, { metadata: db, data: {} });
  await world.settle(100 * hourMs);
  expect(world.ready('db')).toBe('False SecretNotOwned');
  world.kube.delete(secretResource, db);
  await expectRecovered();
}, 120_000);

test('a mint that is refused is silent while the token is good, then said, then Stalled', async () => {
  begin().launch();
  world.apply('db');
  await world.settle();
  world.emulator.faults.inject({
    path: '/api/2.0/postgres/credentials',
    trouble: { kind: 'answer', status: 403, errorCode: 'PERMISSION_DENIED', message: 'no' },
  });
  await world.settle(35 * minuteMs);
  expect(world.ready('db')).toBe('True');
  expect(world.condition('db', 'Reconciling')).toBeUndefined();
  await world.settle(10 * minuteMs);
  expect(world.ready('db')).toBe('True');
  expect(world.condition('db', 'Reconciling')?.reason).toBe('MintFailed');
  await world.settle(20 * minuteMs);
  expect(world.ready('db')).toBe('False PermissionDenied');
  expect(world.condition('db', 'Ready')?.message).toContain('spec.login.auth');
  world.emulator.faults.clear();
  await expectRecovered();
});

test('a class in use stays until its last branch is gone', async () => {
  begin().launch();
  world.apply('db');
  await world.settle();
  world.kube.delete(branchClassResource, { name: 'default' });
  world.apply('late');
  await world.settle(5 * minuteMs);
  expect(world.kube.peek(branchClassResource, { name: 'default' })).toBeDefined();
  expect(world.ready('late')).toBe('False ClassTerminating');
  expect(await world.opens('db')).toBe(true);
  for (const name of ['db', 'late']) world.kube.delete(databaseBranchResource, { namespace: 'pr-1', name });
  await world.settle(5 * minuteMs);
  expect(world.branches()).toEqual([]);
  expect(world.objects()).toEqual([]);
  expect(world.kube.peek(branchClassResource, { name: 'default' })).toBeUndefined();
});

test('a login identity that is exchanged gets a role, a login and a Secret of its own', async () => {
  begin().launch();
  world.apply('db');
  await world.settle();
  const other = Buffer.from(manager.clientId).toString('base64');
  world.kube.edit<Secret>(secretResource, { namespace: operatorNamespace, name: 'login' }, (secret) => {
    secret.data = { 'client-id': other, 'client-secret': Buffer.from(manager.secret).toString('base64') };
  });
  await world.settle(15 * minuteMs);
  expect(world.secret('db')?.['username']).toBe(manager.clientId);
  await expectRecovered();
  expect(world.condition('db', 'LoginReachesSource')?.status).toBe('True');
});

test('a project that goes is named at once by who asks for a branch, though the class has seen it within the hour', async () => {
  begin().launch();
  await world.settle();
  const gone = { kind: 'answer', status: 404, errorCode: 'NOT_FOUND', message: 'project shop not found' } as const;
  world.emulator.faults.inject({ path: '/api/2.0/postgres/projects/shop', trouble: gone });
  world.emulator.faults.inject({ path: '/api/2.0/postgres/projects/shop/**', trouble: gone });
  world.apply('db');
  await world.settle();
  expect(world.ready('db')).toBe('False ProjectNotFound');
});

test('what was seen before a slow login is looked at again before the Secret is written', async () => {
  begin();
  const authorize = world.emulator.authorizeLogin.bind(world.emulator);
  let held = 0;
  world.emulator.authorizeLogin = async (attempt) => {
    const verdict = await authorize(attempt);
    if (held++ === 0) {
      await world.hold(9000);
      await world.removeBranch(world.branches()[0]?.id ?? '');
    }
    return verdict;
  };
  world.launch();
  world.apply('db');
  await world.settle();
  expect(held).toBe(1);
  const written = world.kube.versions().filter(({ type, object }) => {
    return type.plural === secretResource.plural && object.metadata.name === 'db';
  });
  expect(written).toEqual([]);
});
