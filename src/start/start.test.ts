import { expect, test } from 'vitest';
import { blackHole, json, refuse, reset, startFaultServer, type Answer } from '../../test/fakes/fault-server.ts';
import { kubeFor } from '../../test/fakes/http-kube.ts';
import { systemClock, type Clock } from '../kit/clock.ts';
import { Start } from './start.ts';

const scope = { namespace: 'lakebranch-system', watchNamespaces: [], leaderElection: true, clusterID: undefined };
const group = '/apis/lakebranch.dev';
const openApi = `/openapi/v3${group}/v1alpha1`;
const access = '/apis/authorization.k8s.io/v1/selfsubjectaccessreviews';
const who = '/apis/authentication.k8s.io/v1/selfsubjectreviews';
const kubeSystem = '/api/v1/namespaces/kube-system';

interface Review {
  spec: { resourceAttributes: Record<string, string> };
}

/** An API server that has all that is needed, except what `change` says. */
const apiServer =
  (change: Readonly<Record<string, Answer>> = {}, denied: readonly string[] = []): Answer =>
  (response, request) => {
    const answers: Record<string, Answer> = {
      [group]: json({ versions: [{ version: 'v1alpha1' }] }),
      [`${group}/v1alpha1`]: json({
        resources: ['databasebranches', 'branchclasses', 'pointintimerestores'].map((name) => ({ name })),
      }),
      [openApi]: json({ components: { schemas: {} } }),
      [access]: (to, { body }) => {
        const { resource, subresource = '', verb, namespace } = (JSON.parse(body) as Review).spec.resourceAttributes;
        const what = `${verb} ${resource}${subresource && '/'}${subresource}`;
        const allowed = !denied.includes(what) && !denied.includes(`${what} in ${namespace}`);
        json({ status: { allowed } }, 201)(to, request);
      },
      [who]: json({ status: { userInfo: { username: 'system:serviceaccount:a:b' } } }, 201),
      [kubeSystem]: json({ metadata: { name: 'kube-system', uid: 'uid-of-the-cluster' } }),
      ...change,
    };
    (answers[request.path] ?? refuse(404, 'NotFound'))(response, request);
  };

/** The waits between two looks are cut short. */
const hasty: Clock = { ...systemClock, after: (ms, run) => systemClock.after(ms / 100, run) };

interface Waiting extends AsyncDisposable {
  readonly start: Start;
  readonly done: Promise<string>;
  readonly warnings: string[];
  /** From now on it answers so. */
  answer(how: Answer): void;
  readonly stop: AbortController;
}

async function begin(answer: Answer, watchNamespaces: readonly string[] = []): Promise<Waiting> {
  const server = await startFaultServer(answer);
  const { kube } = kubeFor(server);
  const warnings: string[] = [];
  const log = {
    warn: (fields: object) => void warnings.push(String(Object.values(fields)[0])),
    info: () => undefined,
  };
  const start = new Start({ kube, scope: { ...scope, watchNamespaces }, clock: hasty, log: log as never });
  const stop = new AbortController();
  const done = start.done(stop.signal);
  done.catch(() => undefined);
  return {
    start,
    done,
    warnings,
    stop,
    answer: (how) => (server.otherwise = how),
    async [Symbol.asyncDispose]() {
      stop.abort(new Error('the test ends'));
      await done.catch(() => undefined);
      await kube.close();
      await server[Symbol.asyncDispose]();
    },
  };
}

test('when all is there it goes on at once, with the id of the cluster', async () => {
  await using it = await begin(apiServer());
  expect(await it.done).toBe('uid-of-the-cluster');
  expect([it.start.waitsFor, it.warnings]).toEqual([undefined, []]);
});

test.each<[string, Answer, RegExp]>([
  ['no answer', blackHole, /^the API server cannot be reached: GET \/apis\/lakebranch\.dev: no answer within 10000 ms/],
  ['a connection that breaks', reset, /^the API server cannot be reached: .*Check KUBECONFIG or the in-cluster/],
  ['a stranger', refuse(401, 'Unauthorized'), /^the API server does not accept who the operator is: .*401/],
  ['an API server in trouble', refuse(500, 'InternalError'), /^the API server does not answer as it should: .*500/],
  [
    'something else that answers',
    json({ hello: 'world' }),
    /^what answers at \/apis\/lakebranch\.dev is not a Kubernetes/,
  ],
  ['no CRDs', apiServer({ [group]: refuse(404, 'NotFound') }), /does not serve lakebranch\.dev: .*apply deploy\/crds/],
  [
    'another version',
    apiServer({ [`${group}/v1alpha1`]: refuse(404, 'NotFound'), [group]: json({ versions: [{ version: 'v2' }] }) }),
    /in version v1alpha1, but in v2; apply deploy\/crds/,
  ],
  [
    'a kind that is missing',
    apiServer({ [`${group}/v1alpha1`]: json({ resources: [{ name: 'branchclasses' }] }) }),
    /does not serve databasebranches\.lakebranch\.dev, pointintimerestores\.lakebranch\.dev in version v1alpha1/,
  ],
  [
    'a kind with fewer fields',
    apiServer({
      [openApi]: json({
        components: {
          schemas: {
            x: {
              properties: { spec: { properties: {} } },
              'x-kubernetes-group-version-kind': [
                { group: 'lakebranch.dev', version: 'v1alpha1', kind: 'BranchClass' },
              ],
            },
          },
        },
      }),
    }),
    /^the CustomResourceDefinition branchclasses\.lakebranch\.dev has no spec\.provider, .* and \d more: it is older/,
  ],
  [
    'rights that are missing',
    apiServer({}, ['patch secrets', 'update branchclasses/status']),
    /^system:serviceaccount:a:b may not update branchclasses\.lakebranch\.dev\/status in the cluster; patch secrets in all namespaces; apply the roles/,
  ],
  [
    'rights that cannot be asked for',
    apiServer({ [access]: refuse(403, 'Forbidden') }),
    /^the API server does not answer as it should: POST \S+selfsubjectaccessreviews: 403/,
  ],
  [
    'nobody who says who we are',
    apiServer({ [who]: refuse(403, 'Forbidden') }, ['patch secrets']),
    /^the operator may not patch secrets/,
  ],
])('%s is told once, and when it is over the operator goes on', async (_sentence, answer, words) => {
  await using it = await begin(answer);
  await expect.poll(() => it.start.waitsFor, { timeout: 30_000 }).toMatch(words);
  await expect.poll(() => it.warnings.length).toBe(1);
  expect(it.warnings).toEqual([it.start.waitsFor]);
  // A look that is under way may see some of both answers, and say so.
  it.answer(apiServer());
  expect(await it.done).toBe('uid-of-the-cluster');
  expect(it.start.waitsFor).toBeUndefined();
});

test('what is lacking in one of several namespaces is told, and holds up none of the others', async () => {
  // Its RoleBinding was deleted, or went with the namespace.
  const denied = ['get secrets in b', 'create secrets in b', 'create events in b'];
  await using it = await begin(apiServer({}, denied), ['a', 'b']);
  expect(await it.done).toBe('uid-of-the-cluster');
  expect(it.warnings).toEqual([
    expect.stringMatching(
      /may not get, create secrets in namespace b; create events\S+ in namespace b; apply the roles/,
    ),
  ]);
});

test.each<[string, string, string[]]>([
  ['in all of them', 'get secrets', ['a', 'b']],
  ['in the only one', 'get secrets in a', ['a']],
  ['to see objects, without which the caches are never filled', 'list databasebranches in b', ['a', 'b']],
  ['to be elected', 'update leases in lakebranch-system', ['a', 'lakebranch-system']],
])('what is lacking %s holds the operator up', async (_where, denied, namespaces) => {
  await using it = await begin(apiServer({}, [denied]), namespaces);
  await expect.poll(() => it.start.waitsFor, { timeout: 30_000 }).toMatch(/may not/);
});

test('where the fields cannot be looked up, nothing is concluded', async () => {
  await using it = await begin(apiServer({ [openApi]: refuse(403, 'Forbidden') }));
  expect(await it.done).toBe('uid-of-the-cluster');
});

test('it can be stopped while it waits', async () => {
  await using it = await begin(refuse(503, 'ServiceUnavailable'));
  await expect.poll(() => it.warnings.length, { timeout: 30_000 }).toBe(1);
  it.stop.abort(new Error('SIGTERM'));
  await expect(it.done).rejects.toThrow('SIGTERM');
});
