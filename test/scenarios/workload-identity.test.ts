// Classes without a client secret: tokens of the cluster are exchanged at the workspace, for the manager and for the login.
import { generateKeyPairSync, sign as signatureOf } from 'node:crypto';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { branchClassResource } from '../../src/api/names.ts';
import type { BranchClass } from '../../src/api/v1alpha1/branch-class.ts';
import type { FederationPolicy } from '../../src/emulator/federation.ts';
import { findCondition } from '../../src/kit/conditions.ts';
import { LakebaseError } from '../../src/lakebase/errors.ts';
import { Token } from '../../src/lakebase/token.ts';
import { appLogin, manager, Scenario } from '../scenario.ts';

const issuer = 'https://cluster.test';
const subject = 'system:serviceaccount:lakebranch-system:lakebranch';
const audience = 'lakebase';

const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const jwks = JSON.stringify({ keys: [publicKey.export({ format: 'jwk' })] });

let world: Scenario;
/** Every token of the cluster that was handed out. */
let handedOut: string[];
/** What is wrong with the tokens, by audience. */
let wrong: Map<string, LakebaseError>;

const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');

/** At once: while a promise is under way that nobody counts, the clock of the scenario would move on. */
function sign(aud: string, at: Date): string {
  const claims = {
    iss: issuer,
    sub: subject,
    aud: [aud],
    jti: String(handedOut.length),
    exp: Math.floor(at.getTime() / 1000) + 3600,
  };
  const signed = `${part({ alg: 'ES256' })}.${part(claims)}`;
  const key = { key: privateKey, dsaEncoding: 'ieee-p1363' } as const;
  return `${signed}.${signatureOf('sha256', Buffer.from(signed), key).toString('base64url')}`;
}

beforeEach(() => {
  handedOut = [];
  wrong = new Map();
});
afterEach(async () => {
  for (const line of world.logLines) for (const token of handedOut) expect(line).not.toContain(token);
  await world.stop();
});

const tokenFor = (aud: string) => async () => {
  const trouble = wrong.get(aud);
  if (trouble) throw trouble;
  const token = sign(aud, world.clock.now());
  handedOut.push(token);
  return { token: new Token(token), issuer, subject, audience: aud };
};

const by = (clientId: string, aud = audience) => ({
  auth: { clientSecretRef: undefined, workloadIdentity: { clientId, audience: aud } },
});
const policy = (clientId: string, change: Partial<FederationPolicy['oidc_policy']> = {}): FederationPolicy => ({
  service_principal: clientId,
  oidc_policy: { issuer, subject, audiences: [audience, 'second'], subject_claim: 'sub', jwks_json: jwks, ...change },
});
const policies = (...all: FederationPolicy[]): void => world.emulator.admin.setFederationPolicies(all);

function begin(login = by(appLogin.clientId), provider = by(manager.clientId)): void {
  world = new Scenario({
    withoutCredentials: true,
    subjectTokens: new Map([audience, 'second'].map((aud) => [aud, tokenFor(aud)])),
    classes: [{ spec: { provider, login } }],
  });
  policies(policy(manager.clientId), policy(appLogin.clientId));
  world.launch();
}

const ofClass = () =>
  findCondition(
    world.kube.peek<BranchClass>(branchClassResource, { name: 'default' })?.status?.conditions ?? [],
    'Ready',
  );

test('a class without any secret serves branches, and its tokens are renewed for half a day', async () => {
  begin();
  world.apply('db');
  await world.settle();
  expect([world.ready('db'), await world.opens('db'), world.secret('db')?.['username']]).toEqual([
    'True',
    true,
    appLogin.clientId,
  ]);
  await world.settle(12 * 3_600_000);
  expect([world.ready('db'), await world.opens('db')]).toEqual(['True', true]);
  // One for each of the two every 40 minutes or so, and not one for each call.
  expect(handedOut.length).toBeGreaterThan(12);
  expect(handedOut.length).toBeLessThan(100);
});

test('an audience that the operator is not configured for is named, with those that it is', async () => {
  begin(by(appLogin.clientId, 'third'));
  world.apply('db');
  await world.settle();
  expect([world.ready('db'), ofClass()?.reason]).toEqual(['False AudienceNotConfigured', 'AudienceNotConfigured']);
  expect(world.condition('db', 'Stalled')?.message).toMatch(
    /audience third, which the operator is not configured for \(lakebase, second\): name one that it is, or add it to LAKEBRANCH_WORKLOAD_IDENTITY_AUDIENCES/,
  );
  world.kube.edit<BranchClass>(branchClassResource, { name: 'default' }, ({ spec }) => {
    spec.login.auth = { workloadIdentity: { clientId: appLogin.clientId, audience: 'second' } };
  });
  await world.settle();
  expect([world.ready('db'), await world.opens('db')]).toEqual(['True', true]);
});

test.each<[string, () => FederationPolicy[]]>([
  ['no policy at all', () => []],
  ['that of another service principal', () => [policy(appLogin.clientId)]],
  ['another issuer', () => [policy(manager.clientId, { issuer: 'https://other.test' })]],
  ['another subject', () => [policy(manager.clientId, { subject: 'system:serviceaccount:default:default' })]],
  ['another audience', () => [policy(manager.clientId, { audiences: ['other'] })]],
])('a policy that does not match: %s', async (_sentence, given) => {
  begin();
  policies(...given());
  world.apply('db');
  await world.settle();
  const words = `issuer ${issuer}, subject ${subject} and audience ${audience}`;
  expect([world.ready('db'), ofClass()?.reason]).toEqual([
    'False FederationPolicyMismatch',
    'FederationPolicyMismatch',
  ]);
  for (const message of [world.condition('db', 'Stalled')?.message, ofClass()?.message]) {
    expect(message).toContain('spec.provider.auth');
    expect(message).toContain(words);
  }
  policies(policy(manager.clientId), policy(appLogin.clientId));
  await world.settle();
  expect([world.ready('db'), await world.opens('db'), ofClass()?.status]).toEqual(['True', true, 'True']);
});

test('the login is told apart from the manager', async () => {
  begin();
  policies(policy(manager.clientId));
  world.apply('db');
  await world.settle(3 * 60_000);
  expect([world.ready('db'), ofClass()?.status]).toEqual(['False FederationPolicyMismatch', 'True']);
  expect(world.condition('db', 'Stalled')?.message).toContain('spec.login.auth');
  policies(policy(manager.clientId), policy(appLogin.clientId));
  await world.settle(3 * 60_000);
  expect([world.ready('db'), await world.opens('db')]).toEqual(['True', true]);
});

test('a token that is not there any more: what is served goes on, and the reason is told when it matters', async () => {
  begin(by(appLogin.clientId, 'second'));
  world.apply('db');
  await world.settle();
  expect(world.ready('db')).toBe('True');
  wrong.set('second', new LakebaseError('unauthenticated', 'the file is not there', { subjectToken: 'notFound' }));
  await world.settle(2 * 3_600_000);
  expect(world.condition('db', 'CredentialsFresh')?.message).toContain('the file is not there');
  expect(world.condition('db', 'CredentialsFresh')?.message).toContain('spec.login.auth');
  wrong.clear();
  await world.settle(10 * 60_000);
  expect([world.ready('db'), await world.opens('db')]).toEqual(['True', true]);
});
