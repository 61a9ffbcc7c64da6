import { expect, test } from 'vitest';
import { ConfigError, readConfig } from './config.ts';

const env = { LAKEBRANCH_NAMESPACE: 'lakebranch-system' };

test('a namespace is all that must be set', () => {
  expect(readConfig(env, 'me')).toMatchObject({
    namespace: 'lakebranch-system',
    watchNamespaces: [],
    httpPort: 8080,
    leaderElection: true,
    workers: 16,
    providerQps: 15,
    identity: 'me',
    clusterID: undefined,
    workloadIdentityAudiences: [],
    workloadIdentityDir: '/var/run/secrets/lakebranch.dev/workload-identity',
    proxy: undefined,
    metrics: { mode: 'Plain', port: 8443, certificateFolder: undefined, perObject: true },
  });
});

test('every setting is read', () => {
  const read = readConfig(
    {
      ...env,
      LAKEBRANCH_CLUSTER_ID: 'east',
      LAKEBRANCH_WATCH_NAMESPACES: 'a, b,',
      LAKEBRANCH_HTTP_PORT: '0',
      LAKEBRANCH_LEADER_ELECTION: 'false',
      LAKEBRANCH_WORKERS: '3',
      LAKEBRANCH_METRICS_MODE: 'Protected',
      LAKEBRANCH_METRICS_PORT: '0',
      LAKEBRANCH_METRICS_CERT_DIR: '/tls',
      LAKEBRANCH_METRICS_PER_OBJECT: 'false',
      LAKEBRANCH_PROVIDER_QPS: '2.5',
      LAKEBRANCH_WORKLOAD_IDENTITY_AUDIENCES: 'lakebase, https://dbc.example',
      LAKEBRANCH_WORKLOAD_IDENTITY_DIR: '/tokens',
      LAKEBRANCH_LOG_LEVEL: 'debug',
      POD_NAME: 'pod',
      HTTPS_PROXY: 'http://proxy:3128',
      NO_PROXY: 'x',
    },
    'me',
  );
  expect(read).toMatchObject({
    clusterID: 'east',
    watchNamespaces: ['a', 'b'],
    httpPort: 0,
    leaderElection: false,
    workers: 3,
    metrics: { mode: 'Protected', port: 0, certificateFolder: '/tls', perObject: false },
    providerQps: 2.5,
    workloadIdentityAudiences: ['lakebase', 'https://dbc.example'],
    workloadIdentityDir: '/tokens',
    logLevel: 'debug',
    identity: 'pod',
    proxy: { url: 'http://proxy:3128', noProxy: 'x' },
  });
});

test('a namespace that is named twice is watched once', () => {
  expect(readConfig({ ...env, LAKEBRANCH_WATCH_NAMESPACES: 'a,b,a' }, 'me').watchNamespaces).toEqual(['a', 'b']);
});

test.each<[string, Record<string, string>, RegExp]>([
  ['nothing set', { LAKEBRANCH_NAMESPACE: '' }, /LAKEBRANCH_NAMESPACE: must be set/],
  ['a word for a number', { LAKEBRANCH_WORKERS: 'abc' }, /LAKEBRANCH_WORKERS: (?!must be set)/],
  ['too many workers', { LAKEBRANCH_WORKERS: '1000' }, /LAKEBRANCH_WORKERS: .*256/],
  ['a port that is none', { LAKEBRANCH_HTTP_PORT: '70000' }, /LAKEBRANCH_HTTP_PORT: .*65535/],
  ['yes for true', { LAKEBRANCH_LEADER_ELECTION: 'yes' }, /LAKEBRANCH_LEADER_ELECTION: .*true/],
  ['an unknown level', { LAKEBRANCH_LOG_LEVEL: 'loud' }, /LAKEBRANCH_LOG_LEVEL: /],
  ['a mode of metrics that is none', { LAKEBRANCH_METRICS_MODE: 'protected' }, /LAKEBRANCH_METRICS_MODE: .*Protected/],
  ['an audience that is empty', { LAKEBRANCH_WORKLOAD_IDENTITY_AUDIENCES: 'a,,b' }, /_AUDIENCES: write audiences/],
  ['an audience with a space', { LAKEBRANCH_WORKLOAD_IDENTITY_AUDIENCES: 'a b' }, /_AUDIENCES: write audiences/],
  ['an audience twice', { LAKEBRANCH_WORKLOAD_IDENTITY_AUDIENCES: 'a,b,a' }, /_AUDIENCES: name each audience once/],
  ['a namespace with capitals', { LAKEBRANCH_WATCH_NAMESPACES: 'Foo_Bar' }, /LAKEBRANCH_WATCH_NAMESPACES: write names/],
  ['a proxy password that is not percent-encoded', { HTTPS_PROXY: 'http://me:hunter2%@proxy' }, /HTTPS_PROXY: .*%25/],
  ['a proxy that is no URL', { HTTPS_PROXY: 'user:hunter2 at proxy' }, /HTTPS_PROXY: write a URL/],
])('%s is refused in one line that names the setting and repeats no value', (_sentence, change, message) => {
  const read = (): unknown => readConfig({ ...env, ...change }, 'me');
  expect(read).toThrow(ConfigError);
  expect(read).toThrow(message);
  expect(read).not.toThrow(/hunter2|\n/);
});
