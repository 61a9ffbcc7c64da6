import { mkdir, mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { stringify } from 'yaml';
import {
  connectionFrom,
  inClusterConnection,
  kubeconfigContexts,
  KubeConnectionError,
  personsConnection,
} from './kubeconfig.ts';

let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'kubeconfig-'));
});

afterEach(() => rm(folder, { recursive: true }));

async function file(name: string, text: string): Promise<string> {
  const target = path.join(folder, name);
  await writeFile(target, text);
  return target;
}

const mount = () =>
  Promise.all([file('token', 'token-1\n'), file('ca.crt', 'CA 1\n'), file('namespace', 'lakebranch\n')]);

test.each([
  ['10.0.0.1', 'https://10.0.0.1:6443'],
  ['fd00::1', 'https://[fd00::1]:6443'],
])('in a pod with the API server at %s', async (host, server) => {
  await mount();
  const connection = await inClusterConnection(
    { KUBERNETES_SERVICE_HOST: host, KUBERNETES_SERVICE_PORT: '6443' },
    folder,
  );
  expect(connection).toMatchObject({ server, verifyServer: true, namespace: 'lakebranch' });
  expect(await connection.credentials()).toEqual({ headers: { authorization: 'Bearer token-1' }, ca: 'CA 1' });
  await Promise.all([file('token', 'token-2'), file('ca.crt', 'CA 2')]);
  expect(await connection.credentials()).toEqual({ headers: { authorization: 'Bearer token-2' }, ca: 'CA 2' });
});

test('a pod without its ServiceAccount is told what is missing', async () => {
  const attempt = inClusterConnection({ KUBERNETES_SERVICE_HOST: '10.0.0.1' }, folder);
  await expect(attempt).rejects.toThrow(KubeConnectionError);
  await expect(attempt).rejects.toThrow('automountServiceAccountToken');
  await expect(inClusterConnection({})).rejects.toThrow('set KUBECONFIG');
});

const base64 = (text: string): string => Buffer.from(text).toString('base64');

/** A kubeconfig with one context `main`. */
const kubeconfig = (cluster: object, user: object, name = 'main'): Promise<string> =>
  file(
    `${name}.yaml`,
    stringify({
      apiVersion: 'v1',
      kind: 'Config',
      'current-context': name,
      contexts: [{ name, context: { cluster: name, user: name, namespace: 'shop' } }],
      clusters: [{ name, cluster: { server: 'https://k8s.example:6443/', ...cluster } }],
      users: [{ name, user }],
    }),
  );

test('a kubeconfig with a token, an authority and another server name', async () => {
  const KUBECONFIG = await kubeconfig(
    { 'certificate-authority-data': base64('CA'), 'tls-server-name': 'api.internal' },
    { token: 'abc' },
  );
  const connection = await connectionFrom({ KUBECONFIG, KUBERNETES_SERVICE_HOST: '10.0.0.1' });
  expect(connection).toMatchObject({
    server: 'https://k8s.example:6443',
    serverName: 'api.internal',
    verifyServer: true,
    namespace: 'shop',
  });
  expect(await connection.credentials()).toEqual({ headers: { authorization: 'Bearer abc' }, ca: 'CA' });
});

test('a kubeconfig with a client certificate in files, and without a check of the server', async () => {
  await Promise.all([file('tls.crt', 'CERT'), file('tls.key', 'KEY')]);
  const KUBECONFIG = await kubeconfig(
    { 'insecure-skip-tls-verify': true },
    { 'client-certificate': 'tls.crt', 'client-key': 'tls.key' },
  );
  const connection = await connectionFrom({ KUBECONFIG });
  expect(connection.verifyServer).toBe(false);
  expect(await connection.credentials()).toEqual({ headers: {}, clientCertificate: { cert: 'CERT', key: 'KEY' } });
});

test('a kubeconfig with user and password, and one that asks a plugin', async () => {
  const basic = await connectionFrom({ KUBECONFIG: await kubeconfig({}, { username: 'me', password: 'pw' }) });
  expect(await basic.credentials()).toEqual({ headers: { authorization: `Basic ${base64('me:pw')}` } });
  const answer = {
    apiVersion: 'client.authentication.k8s.io/v1',
    kind: 'ExecCredential',
    status: { token: 'from-plugin' },
  };
  const exec = {
    apiVersion: 'client.authentication.k8s.io/v1',
    command: process.execPath,
    args: ['-e', `console.log(${JSON.stringify(JSON.stringify(answer))})`],
  };
  const plugin = await connectionFrom({ KUBECONFIG: await kubeconfig({}, { exec }, 'plugin') });
  expect(await plugin.credentials()).toEqual({ headers: { authorization: 'Bearer from-plugin' } });
});

test('several files are merged, and another context can be chosen', async () => {
  const files = [await kubeconfig({}, { token: 'a' }, 'one'), await kubeconfig({}, { token: 'b' }, 'two')];
  const KUBECONFIG = files.join(path.delimiter);
  const [first, second] = [await connectionFrom({ KUBECONFIG }), await connectionFrom({ KUBECONFIG }, 'two')];
  expect((await first.credentials()).headers['authorization']).toBe('Bearer a');
  expect((await second.credentials()).headers['authorization']).toBe('Bearer b');
});

test.each<[string, () => Promise<string>, string]>([
  ['is absent', () => Promise.resolve(path.join(folder, 'absent')), 'cannot be read'],
  ['is no YAML', () => file('x', '{'), 'cannot be read'],
  [
    'names no cluster',
    () => file('x', stringify({ 'current-context': 'x', contexts: [{ name: 'x', context: { cluster: 'y' } }] })),
    'names no cluster',
  ],
  ['lacks its context', () => file('x', stringify({ 'current-context': 'x', contexts: [] })), 'has no context "x"'],
  ['has no current context', () => file('x', stringify({ contexts: [] })), 'kubectl config use-context'],
  ['names no address', () => kubeconfig({ server: 'k8s.example and more' }, {}), 'is not a URL'],
  ['names an address without a scheme', () => kubeconfig({ server: 'k8s.example:6443' }, {}), 'is not a URL'],
  ['needs a proxy', () => kubeconfig({ 'proxy-url': 'http://proxy:3128' }, {}), 'proxy-url is not supported'],
])('a kubeconfig that %s is refused in one line that names the setting', async (_, make, words) => {
  const KUBECONFIG = await make();
  const attempt = connectionFrom({ KUBECONFIG });
  await expect(attempt).rejects.toThrow(KubeConnectionError);
  await expect(attempt).rejects.toThrow(/^KUBECONFIG[^\n]*$/);
  await expect(attempt).rejects.toThrow(words);
});

test('of several files some may be missing, and the contexts of the others are known', async () => {
  const [first, second] = [
    await kubeconfig({}, {}, 'one'),
    await kubeconfig({ server: 'https://two.example' }, {}, 'two'),
  ];
  const env = { KUBECONFIG: [path.join(folder, 'nowhere'), first, second].join(path.delimiter) };
  expect(await connectionFrom(env, 'two')).toMatchObject({ server: 'https://two.example' });
  expect(await kubeconfigContexts(env)).toEqual(['one', 'two']);
  await expect(connectionFrom({ KUBECONFIG: path.join(folder, 'nowhere') })).rejects.toThrow('nowhere cannot be read');
});

test('an empty namespace of a context is none', async () => {
  const context = { cluster: 'x', user: 'x', namespace: '' };
  const clusters = [{ name: 'x', cluster: { server: 'https://x.example' } }];
  const text = stringify({ 'current-context': 'x', contexts: [{ name: 'x', context }], clusters });
  expect(await connectionFrom({ KUBECONFIG: await file('x', text) })).toMatchObject({ namespace: 'default' });
});

test('a person in a pod is at the cluster of their kubeconfig, and a context is never passed over', async () => {
  const pod = { HOME: folder, KUBERNETES_SERVICE_HOST: '10.0.0.1' };
  await expect(personsConnection(pod, 'main')).rejects.toThrow('cannot be read');
  await mkdir(path.join(folder, '.kube'));
  await kubeconfig({}, {}, '.kube/config').then((made) => rename(made, path.join(folder, '.kube', 'config')));
  expect(await personsConnection(pod)).toMatchObject({ server: 'https://k8s.example:6443' });
  await expect(personsConnection(pod, 'other')).rejects.toThrow('has no context "other"');
});
