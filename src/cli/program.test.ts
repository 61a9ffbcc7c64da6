// What a person is told when the way to the cluster, or the cluster, is not as it should be.
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { aDatabaseBranch } from '../../test/builders/database-branch.ts';
import { changed, type Change } from '../../test/builders/merge.ts';
import type { DatabaseBranch } from '../api/v1alpha1/database-branch.ts';
import { systemClock } from '../kit/clock.ts';
import { run } from './program.ts';

/** Path to object. Without any, our kinds are answered as an API server answers for kinds that it does not serve. */
const served = new Map<string, object>();
afterEach(() => served.clear());

const notFound = (path: string): string => {
  const isKnown = path.startsWith('/api/') || served.size > 0;
  return isKnown ? JSON.stringify({ kind: 'Status', reason: 'NotFound', code: 404 }) : '404 page not found\n';
};
const branches = '/apis/lakebranch.dev/v1alpha1/namespaces/default/databasebranches';

let folder: string;
let server: Server;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'plugin-'));
  server = createServer(({ url = '' }, answer) => {
    const object = served.get(url.replace(/\?.*/, ''));
    answer.writeHead(object ? 200 : 404, { 'content-type': 'application/json' });
    answer.end(object ? JSON.stringify(object) : notFound(url));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
});
afterAll(async () => {
  server.close();
  await rm(folder, { recursive: true });
});

const addressOf = (listening: Server): string => `http://127.0.0.1:${(listening.address() as AddressInfo).port}`;

async function kubeconfig(user: object): Promise<string> {
  const file = join(folder, 'config');
  const config = {
    'current-context': 'x',
    contexts: [{ name: 'x', context: { cluster: 'x', user: 'x' } }],
    clusters: [{ name: 'x', cluster: { server: addressOf(server), 'insecure-skip-tls-verify': true } }],
    users: [{ name: 'x', user }],
  };
  await writeFile(file, JSON.stringify(config));
  return file;
}

interface Ran {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

async function ran(words: readonly string[], user: object = { token: 'x' }): Promise<Ran> {
  const [answers, notes]: [string[], string[]] = [[], []];
  const code = await run([...words, '--kubeconfig', await kubeconfig(user)], {
    out: (text) => answers.push(text),
    note: (text) => notes.push(text),
    env: process.env,
    clock: systemClock,
    signal: new AbortController().signal,
    lendSignals: () => () => undefined,
  });
  return { code, out: answers.join('\n'), err: notes.join('\n') };
}

test.each([[['list']], [['extend', 'database', '--for', '1h']], [['restore', 'production', '--ago', '1m']]])(
  '%j in a cluster without the kinds of lakebranch says that they are missing',
  async (words) => {
    const { code, err } = await ran(words);
    expect(code).toBe(1);
    expect(err).toMatch(/does not know lakebranch\.dev\/v1alpha1: .*CRDs.* context/);
  },
);

test('a login to the cluster that has ended is told in the words of its program, and is not waited for', async () => {
  const exec = { apiVersion: 'client.authentication.k8s.io/v1', command: 'sh', interactiveMode: 'Never' };
  const user = { exec: { ...exec, args: ['-c', 'echo the session has ended >&2; exit 1'] } };
  const { code, err } = await ran(['psql', 'database'], user);
  expect(code).toBe(1);
  expect(err).toMatch(/no credentials .*: the session has ended/);
  expect(err).not.toContain('still trying');
});

const object = (change: Change<DatabaseBranch> = {}): DatabaseBranch =>
  changed(aDatabaseBranch({ metadata: { namespace: 'default' } }), change);

test('a Secret that somebody deleted under a ready object is told as such', async () => {
  const condition = { type: 'Ready', status: 'True', reason: 'Available', message: 'fine', lastTransitionTime: '' };
  served.set(`${branches}/database`, { ...object(), status: { observedGeneration: 1, conditions: [condition] } });
  const { code, err } = await ran(['env', 'database']);
  expect(code).toBe(1);
  expect(err).toMatch(/Secret default\/database is not there, .* within about a minute/);
});

test.each([
  ['true', 'kubectl -n default annotate dbb database lakebranch.dev/paused-'],
  ['all', 'kubectl lakebranch -n default unpark database'],
])('a reset under the pause %j names the command that ends it', async (paused, command) => {
  served.set(`${branches}/database`, object({ metadata: { annotations: { 'lakebranch.dev/paused': paused } } }));
  const { code, err } = await ran(['reset', 'database', '--no-wait']);
  expect(code).toBe(1);
  expect(err).toMatch(new RegExp(`First: ${command}$`));
});

test('an object that is being deleted gets no other token, and nobody waits for it', async () => {
  const credentials = { secretName: 'database', revision: 1 };
  const going = object({ metadata: { deletionTimestamp: '2026-09-22T12:00:00Z' } });
  served.set(`${branches}/database`, { ...going, status: { credentials } });
  const { code, err } = await ran(['rotate', 'database', '--no-wait']);
  expect(code).toBe(1);
  expect(err).toContain('default/database is being deleted');
});

test('what has gone meanwhile does not keep the others from being parked', async () => {
  const [gone, there] = [object({ metadata: { name: 'gone' } }), object({ metadata: { name: 'there' } })];
  served.set(branches, { metadata: {}, items: [gone, there] });
  served.set(`${branches}/there`, there);
  const { code, out, err } = await ran(['park', '--all', '--no-wait']);
  expect(code).toBe(0);
  expect(out).toBe('default/there: asked for');
  expect(err).toMatch(/default\/gone: left out, because there is no DatabaseBranch gone/);
  expect((await ran(['park', 'gone', '--no-wait'])).code).toBe(1);
});

test('a pause of an object in Git is warned of', async () => {
  const metadata = { labels: { 'kustomize.toolkit.fluxcd.io/name': 'shop' } };
  served.set(`${branches}/database`, object({ metadata }));
  const { err } = await ran(['park', 'database', '--no-wait']);
  expect(err).toMatch(/Flux manages this object .* annotation lakebranch\.dev\/paused/);
});

test('doctor finds that the namespace does not exist', async () => {
  served.set('/version', {});
  served.set('/apis/authorization.k8s.io/v1/selfsubjectaccessreviews', { status: { allowed: true } });
  const { code, out } = await ran(['doctor', '-n', 'shpo']);
  expect(code).toBe(3);
  expect(out).toMatch(/WRONG +namespace shpo: there is none of this name/);
});

test.each(['database/status', 'dbb/', '..', 'Database'])('%j is no name, and is not asked for', async (name) => {
  served.set(`${branches}/${name}`, object());
  const { code, err } = await ran(['why', name.startsWith('dbb/') ? name : `dbb/${name}`]);
  expect(code).toBe(2);
  expect(err).toMatch(/cannot be the name of a DatabaseBranch/);
});
