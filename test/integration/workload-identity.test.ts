// Classes without a client secret on a real API server: its ServiceAccount tokens, in files as the kubelet keeps them, are
// verified by the emulator against its own keys. Whatever is wrong is said on the class and on the object.
import { mkdir, mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { generateKeyPair, SignJWT } from 'jose';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { branchClassResource } from '../../src/api/names.ts';
import type { BranchClass } from '../../src/api/v1alpha1/branch-class.ts';
import type { FederationPolicy } from '../../src/emulator/federation.ts';
import { findCondition } from '../../src/kit/conditions.ts';
import { operatorNamespace } from '../stack/operator.ts';
import { findSecrets, secretsOf, textsOf } from '../stack/secrecy.ts';
import { until } from '../stack/until.ts';
import { readyOf, World, type Key } from '../stack/world.ts';

vi.setConfig({ testTimeout: 300_000 });

const subject = `system:serviceaccount:${operatorNamespace}:lakebranch`;
/** The last one is an audience of the API server itself. */
const audiences = [
  'main',
  'rotated',
  'other-subject',
  'other-audience',
  'elsewhere',
  'forged',
  'missing',
  'mistaken',
  'old',
  'api',
];

let world: World;
let folder: string;
let issuer: string;
/** Every token of the cluster that came near the operator, and those that look like one. */
const tokens: string[] = [];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'lakebranch-workload-identity-'));
  world = await World.start({
    operatorEnv: {
      LAKEBRANCH_LOG_LEVEL: 'trace',
      LAKEBRANCH_WORKLOAD_IDENTITY_AUDIENCES: audiences.join(','),
      LAKEBRANCH_WORKLOAD_IDENTITY_DIR: folder,
    },
    // So short that the projected tokens are exchanged again and again.
    emulatorArgs: ['--access-token-life=8s'],
  });
  await world.stack.emulator.setBehaviour({ limits: { unarchivedBranches: 100 } });
  const discovery = (await world.stack.kube.getRaw('/.well-known/openid-configuration')) as Record<string, string>;
  issuer = discovery['issuer']!;
  await federate(discovery['jwks_uri']!);
});
afterAll(async () => {
  await world?.stop();
  await rm(folder, { recursive: true, force: true });
});

/** Both principals trust the operator's ServiceAccount, for every audience but one. */
async function federate(jwksUri: string): Promise<void> {
  const kubeconfig = JSON.parse(await readFile(world.stack.cluster.adminKubeconfig, 'utf8')) as {
    clusters: { cluster: { 'certificate-authority-data': string } }[];
    users: { user: { token: string } }[];
  };
  const [caFile, tokenFile] = [join(folder, 'ca.crt'), join(folder, 'admin')];
  await writeFile(caFile, Buffer.from(kubeconfig.clusters[0]!.cluster['certificate-authority-data'], 'base64'));
  await writeFile(tokenFile, kubeconfig.users[0]!.user.token);
  const policy = ({ clientId }: { clientId: string }): FederationPolicy => ({
    service_principal: clientId,
    oidc_policy: {
      issuer,
      subject,
      subject_claim: 'sub',
      audiences: audiences.filter((audience) => audience !== 'other-audience'),
      jwks_uri: jwksUri,
    },
    jwks_ca_file: caFile,
    jwks_token_file: tokenFile,
  });
  await world.stack.emulator.federate([policy(world.stack.manager), policy(world.stack.login)]);
}

async function issued(audience: string, serviceAccount = 'lakebranch'): Promise<string> {
  const args = ['create', 'token', serviceAccount, '-n', operatorNamespace, `--audience=${audience}`, '--duration=10m'];
  const token = await world.stack.kubectl(...args);
  tokens.push(token);
  return token;
}

/** A token that the cluster did not sign. */
async function forged(claims: { iss?: string; aud: string; exp?: number }): Promise<string> {
  const { privateKey } = await generateKeyPair('ES256');
  const token = await new SignJWT({
    iss: issuer,
    sub: subject,
    exp: Date.now() / 1000 + 600,
    ...claims,
    aud: [claims.aud],
  })
    .setProtectedHeader({ alg: 'ES256', kid: 'nobody' })
    .sign(privateKey);
  tokens.push(token);
  return token;
}

/** In one step, as the kubelet does it. */
async function project(audience: string, token: string): Promise<void> {
  const file = join(folder, String(audiences.indexOf(audience)), 'token');
  await mkdir(join(file, '..'), { recursive: true });
  await writeFile(`${file}.new`, token);
  await rename(`${file}.new`, file);
}

/** A class, a namespace and an object of the name of the audience; manager and login exchange its token. */
async function begin(audience: string, configured = audience): Promise<Key> {
  const { manager, login } = world.stack;
  const auth = ({ clientId }: { clientId: string }) => ({
    clientSecretRef: undefined,
    workloadIdentity: { clientId, audience: configured },
  });
  await world.bclass(audience, { provider: { auth: auth(manager) }, login: { auth: auth(login) } });
  await world.namespace(audience);
  const key = { namespace: audience, name: 'db' };
  await world.apply(key, { className: audience });
  return key;
}

const readyOfClass = async (name: string) => {
  const { status } = await world.stack.kube.get<BranchClass>(branchClassResource, { name });
  return findCondition(status?.conditions ?? [], 'Ready');
};

const exchanges = async (): Promise<string[]> =>
  (await world.stack.emulator.journal())
    .filter(({ what }) => what === 'token.exchange')
    .map(({ name, by }) => `${name} ${by}`);

test.concurrent('a class without any secret serves a branch, and its login works', async () => {
  await project('main', await issued('main'));
  const key = await begin('main');
  await world.whenReady(key);
  const secret = await world.secret(key);
  expect(await world.query(secret, 'SELECT current_user AS me')).toEqual([{ me: world.stack.login.clientId }]);
  expect((await readyOfClass('main'))?.status).toBe('True');
  const { manager, login } = world.stack;
  for (const { clientId } of [manager, login]) expect(await exchanges()).toContain(`${subject} ${clientId}`);
});

test.concurrent('the projected file is read anew at each exchange', async () => {
  await project('rotated', await issued('rotated'));
  const key = await begin('rotated');
  await world.whenReady(key);
  // The next tokens are those of somebody else; whoever still used the first file would not notice.
  await project('rotated', await issued('rotated', 'default'));
  const again = { ...key, name: 'again' };
  let edits = 0;
  // A class that is Ready is looked at when it is edited.
  await until(
    'the access tokens of the first file are used up',
    async () => {
      const spec = { expiration: { default: `${72 + (edits += 1)}h` } };
      await world.stack.kube.mergePatch(branchClassResource, { name: 'rotated' }, { spec });
      return (await readyOfClass('rotated'))?.reason === 'FederationPolicyMismatch';
    },
    { everyMs: 2000 },
  );
  await world.apply(again, { className: 'rotated' });
  expect(readyOf(await world.whenReason(again, 'FederationPolicyMismatch'))?.message).toContain(
    ':default and audience',
  );
  await project('rotated', await issued('rotated'));
  await world.whenReady(again);
});

interface Wrong {
  readonly audience: string;
  readonly content: () => Promise<string | undefined>;
  readonly reason: string;
  readonly words: () => string;
  /** What is wrong is not the file. */
  readonly stays?: true;
}

const mismatch = 'FederationPolicyMismatch';
const hour = 3600;

const wrongs: readonly Wrong[] = [
  {
    audience: 'other-subject',
    content: () => issued('other-subject', 'default'),
    reason: mismatch,
    words: () =>
      `issuer ${issuer}, subject system:serviceaccount:${operatorNamespace}:default and audience other-subject`,
  },
  {
    audience: 'other-audience',
    content: () => issued('other-audience'),
    reason: mismatch,
    words: () => `issuer ${issuer}, subject ${subject} and audience other-audience`,
    stays: true,
  },
  {
    audience: 'elsewhere',
    content: () => forged({ iss: 'https://elsewhere.example', aud: 'elsewhere' }),
    reason: mismatch,
    words: () => 'issuer https://elsewhere.example, subject',
  },
  { audience: 'forged', content: () => forged({ aud: 'forged' }), reason: mismatch, words: () => 'does not verify' },
  {
    audience: 'missing',
    content: () => Promise.resolve(undefined),
    reason: 'WorkloadTokenNotFound',
    words: () => `${folder}/${audiences.indexOf('missing')}/token cannot be read (ENOENT)`,
  },
  {
    audience: 'mistaken',
    content: () => issued('main'),
    reason: 'WorkloadTokenUnusable',
    words: () => 'is for audience main, not for mistaken alone',
  },
  {
    audience: 'old',
    content: () => forged({ aud: 'old', exp: Math.floor(Date.now() / 1000) - hour }),
    reason: 'WorkloadTokenExpired',
    words: () => 'has expired at 20',
  },
  {
    audience: 'api',
    content: () => issued('api'),
    reason: 'WorkloadTokenUnusable',
    words: () => 'audience api is that of the API server',
    stays: true,
  },
];

test.concurrent.each(wrongs)(
  '$audience: $reason, on the class and on the object',
  async ({ audience, content, reason, words, stays }) => {
    const token = await content();
    if (token !== undefined) await project(audience, token);
    const key = await begin(audience);
    const object = await world.whenReason(key, reason);
    const bclass = await until(`class ${audience} says ${reason}`, async () => {
      const ready = await readyOfClass(audience);
      return ready?.reason === reason && ready;
    });
    for (const message of [readyOf(object)?.message, bclass.message]) {
      expect(message).toContain(words());
      expect(message).toContain('spec.provider.auth');
    }
    if (stays) return;
    await project(audience, await issued(audience));
    await world.whenReady(key);
  },
);

test.concurrent('an audience that the operator is not configured for', async () => {
  const key = await begin('unknown', 'somebody-elses');
  const object = await world.whenReason(key, 'AudienceNotConfigured');
  expect(readyOf(object)?.message).toContain(
    `somebody-elses, which the operator is not configured for (${audiences.join(', ')})`,
  );
  await until('the class says so too', async () => (await readyOfClass('unknown'))?.reason === 'AudienceNotConfigured');
});

test('tokens of the cluster, and those that were given for them, are nowhere', async () => {
  const texts = await textsOf(world);
  const hidden = tokens.map((value) => ({ what: 'a token of the cluster', value }));
  expect(hidden.length).toBeGreaterThan(8);
  expect(findSecrets(texts, [...hidden, ...secretsOf(world)])).toEqual([]);
  expect(texts.some(({ where, text }) => where === 'a class' && text.includes(mismatch))).toBe(true);
  expect(texts.some(({ where, text }) => where === 'the journal' && text.includes('token.refused'))).toBe(true);
});
