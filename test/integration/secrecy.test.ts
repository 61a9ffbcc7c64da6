// A run in which as much as possible goes wrong, because secrets leak where errors are told: afterwards no log, Event,
// status, metric or journal shows a token or a client secret.
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { databaseBranchResource } from '../../src/api/names.ts';
import type { Trouble } from '../../src/emulator/faults.ts';
import { findSecrets, secretsOf, textsOf } from '../stack/secrecy.ts';
import { until } from '../stack/until.ts';
import { World, type Key } from '../stack/world.ts';

vi.setConfig({ testTimeout: 300_000 });

const wrongSecret = 'this-client-secret-is-wrong';
/** Looks like a token, and is in answers that cannot be read. */
const brokenToken = 'eyJhbGciOiJFUzI1NiJ9.eyJicm9rZW4iOnRydWV9.c2lnbmF0dXJl';
const namespace = 'secrecy';
const [first, second, refused] = ['first', 'second', 'refused'].map((name): Key => ({ namespace, name })) as [
  Key,
  Key,
  Key,
];

let world: World;

beforeAll(async () => {
  world = await World.start({
    operatorEnv: { LAKEBRANCH_LOG_LEVEL: 'trace' },
    // So short that it is fetched again and again, also while things go wrong.
    emulatorArgs: ['--access-token-life=20s'],
  });
  await world.namespace(namespace);
});
afterAll(() => world?.stop());

const inject = (path: string, times: number, trouble: Trouble, method = 'POST'): Promise<void> =>
  world.stack.emulator.inject({ method, path, times, trouble });

/** The token endpoint repeats the secret that it was sent, while the manager is the only one who asks it. */
async function makeClassUnderEcho(): Promise<void> {
  const { manager, kubectl } = world.stack;
  const echo = JSON.stringify({ error: 'server_error', error_description: `${manager.clientSecret} did not work` });
  await inject('/oidc/v1/token', 2, { kind: 'answer', status: 500, body: echo });
  await world.bclass();
  await kubectl('wait', '--for=condition=Ready', '--timeout=120s', 'branchclass/default');
}

/** Answers that quote tokens, break off, or are no JSON. */
async function makeTrouble(): Promise<void> {
  const api = '/api/2.0/postgres';
  const branches = `${api}/projects/*/branches`;
  await inject(`${api}/credentials`, 1, { kind: 'answer', status: 200, body: `{"token":"${brokenToken}"` });
  await inject(`${api}/credentials`, 1, { kind: 'answer', status: 400, message: `${brokenToken} is no token` });
  await inject(`${api}/credentials`, 1, { kind: 'loseAnswer' });
  await inject(branches, 1, { kind: 'failAfter' });
  await inject(`${branches}/*/roles`, 1, { kind: 'answer', status: 502, body: `<title>${brokenToken}</title>` });
  await inject(`${branches}/*`, 2, { kind: 'answer', status: 429, retryAfterSeconds: 1 }, 'GET');
  await world.stack.emulator.setBehaviour({ loginRefusedMs: 1500 });
}

test('secrets are in Secrets, and nowhere else', async () => {
  await makeClassUnderEcho();
  await makeTrouble();
  await world.clientSecret('wrong', { clientId: world.stack.manager.clientId, clientSecret: wrongSecret });
  await world.bclass('wrong', { provider: { auth: { clientSecretRef: { name: 'wrong' } } } });
  const template = { data: { DATABASE_URL: '{{ .uri }}', COPY: '{{ .password }}' } };
  await Promise.all([first, second].map((key) => world.apply(key, { credentials: { template } })));
  await world.apply(refused, { className: 'wrong' });
  await Promise.all([world.whenReady(first), world.whenReady(second), world.whenReason(refused, 'Unauthenticated')]);

  await world.stack.kube.mergePatch(databaseBranchResource, first, { spec: { credentials: { rotateToken: 'now' } } });
  await until('the token is rotated', async () => (await world.get(first))?.status?.credentials?.revision === 2);
  await tryLoginsThatFail();
  await world.stack.emulator.inject({ trouble: { kind: 'answer', status: 503, message: `no ${brokenToken} today` } });
  await world.remove(second);
  await world.whenReason(second, 'DeletionWaiting');
  await world.stack.operator.stop();
  await world.stack.emulator.calm();
  await world.stack.operator.start();
  await world.whenGone(second);

  const texts = await textsOf(world);
  const hidden = [
    ...secretsOf(world),
    { what: 'the wrong client secret', value: wrongSecret },
    { what: 'the broken token', value: brokenToken },
  ];
  expect(findSecrets(texts, hidden)).toEqual([]);
  // What was looked through is what was meant to be: each source has said something about this very run.
  expect(hidden.length).toBeGreaterThan(6);
  for (const [where, word] of [
    ['operator.log', '"msg":"step"'],
    ['emulator.log', 'A local Lakebase is ready'],
    ['metrics', 'lakebranch_provider_requests_total'],
    ['the journal', 'login.refused'],
    ['an Event', 'CredentialIssued'],
    ['an object', 'DeletionWaiting'],
    ['kubectl describe', 'first'],
  ])
    expect(texts.filter((text) => text.where === where && text.text.includes(word!))).not.toEqual([]);
});

/** The database and its proxy are told good tokens under wrong names, and bad ones. */
async function tryLoginsThatFail(): Promise<void> {
  const secret = await world.secret(first);
  for (const wrong of [{ user: 'somebody-else' }, { password: brokenToken }, { database: 'nowhere' }])
    await expect(world.query(secret, 'SELECT 1', wrong)).rejects.toThrow();
}
