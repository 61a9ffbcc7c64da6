// The test control plane itself: does it do what the tests of the operator lean on?

import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fetch, Agent } from 'undici';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { startControlPlane } from '../control-plane/control-plane.ts';
import { kubeconfig } from '../control-plane/flags.ts';
import { sharedControlPlane } from '../control-plane/shared.ts';

const controlPlane = sharedControlPlane();
const agent = new Agent({ connect: { ca: controlPlane.ca } });
afterAll(() => agent.close());

interface Answer {
  readonly code: number;
  readonly body: Body;
}

/** The fields that these tests look at. */
interface Body {
  readonly metadata: { readonly name: string; readonly uid: string };
  readonly major: string;
  readonly minor: string;
  readonly emulationMinor: string;
  readonly status: { readonly token: string; readonly userInfo: { readonly username: string } };
}

async function call(method: string, path: string, body?: object, token = controlPlane.adminToken): Promise<Answer> {
  const response = await fetch(`${controlPlane.url}${path}`, {
    method,
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    ...(body && { body: JSON.stringify(body) }),
    dispatcher: agent,
  });
  return { code: response.status, body: (await response.json()) as Body };
}

const eventually = { timeout: 60_000, interval: 100 };
const gone = async (path: string): Promise<void> => expect((await call('GET', path)).code).toBe(404);

async function newNamespace(name: string): Promise<string> {
  const { code } = await call('POST', '/api/v1/namespaces', { metadata: { name } });
  expect(code).toBe(201);
  return `/api/v1/namespaces/${name}`;
}

test('a deleted namespace takes its objects along and disappears', async () => {
  const namespace = await newNamespace('control-plane-deletion');
  await call('POST', `${namespace}/configmaps`, { metadata: { name: 'inside' } });

  await call('DELETE', namespace);

  await vi.waitFor(() => gone(namespace), eventually);
  await gone(`${namespace}/configmaps/inside`);
});

test('an object is collected when its owner is deleted', async () => {
  const namespace = await newNamespace('control-plane-gc');
  const owner = await call('POST', `${namespace}/configmaps`, { metadata: { name: 'owner' } });
  const { name, uid } = owner.body.metadata;
  const ownerReferences = [{ apiVersion: 'v1', kind: 'ConfigMap', name, uid }];
  const owned = await call('POST', `${namespace}/secrets`, { metadata: { name: 'owned', ownerReferences } });
  expect(owned.code).toBe(201);

  await call('DELETE', `${namespace}/configmaps/owner`);

  await vi.waitFor(() => gone(`${namespace}/secrets/owned`), eventually);
});

describe('a ServiceAccount token', () => {
  let namespace: string;
  let token: string;
  beforeAll(async () => {
    namespace = await newNamespace('control-plane-rbac');
    await call('POST', `${namespace}/serviceaccounts`, { metadata: { name: 'reader' } });
    const rbac = '/apis/rbac.authorization.k8s.io/v1/namespaces/control-plane-rbac';
    await call('POST', `${rbac}/roles`, {
      metadata: { name: 'reader' },
      rules: [{ apiGroups: [''], resources: ['configmaps'], verbs: ['get', 'list'] }],
    });
    await call('POST', `${rbac}/rolebindings`, {
      metadata: { name: 'reader' },
      roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name: 'reader' },
      subjects: [{ kind: 'ServiceAccount', name: 'reader', namespace: 'control-plane-rbac' }],
    });
    const request = await call('POST', `${namespace}/serviceaccounts/reader/token`, { spec: {} });
    token = request.body.status.token;
  });

  test('names its ServiceAccount', async () => {
    const review = await call('POST', '/apis/authentication.k8s.io/v1/selfsubjectreviews', {}, token);
    expect(review.body.status.userInfo.username).toBe('system:serviceaccount:control-plane-rbac:reader');
  });

  test('may do what its Role allows', async () => {
    const list = (): Promise<Answer> => call('GET', `${namespace}/configmaps`, undefined, token);
    await vi.waitFor(async () => expect((await list()).code).toBe(200), eventually);
  });

  test.each(['configmaps in another namespace', 'secrets in its own'])('may not list %s', async (what) => {
    const path = what.startsWith('secrets') ? `${namespace}/secrets` : '/api/v1/namespaces/default/configmaps';
    expect((await call('GET', path, undefined, token)).code).toBe(403);
  });
});

test('it behaves as the version of Kubernetes that was asked for', async () => {
  const asked = process.env['LAKEBRANCH_TEST_EMULATED_VERSION'];
  const { body } = await call('GET', '/version');
  expect(`${body.major}.${body.emulationMinor}`).toBe(asked ?? `${body.major}.${body.minor}`);
});

test('a request without a valid token is refused', async () => {
  expect((await call('GET', '/api/v1/namespaces', undefined, 'not-a-token')).code).toBe(401);
});

test('its kubectl is admin, or whoever a kubeconfig says', () => {
  const kubectl = (...args: string[]): string =>
    execFileSync(controlPlane.kubectl, args, { encoding: 'utf8', stdio: 'pipe' }).trim();
  expect(kubectl('get', 'namespace', 'default', '-o', 'name')).toBe('namespace/default');
  const file = join(controlPlane.dir, 'nobody.kubeconfig');
  writeFileSync(file, kubeconfig(controlPlane.url, controlPlane.ca, 'not-a-token'));
  expect(() => kubectl('--kubeconfig', file, 'get', 'namespace', 'default')).toThrow(/Unauthorized|logged in/);
});

test('a killed API server comes back at the same address with everything it stored', async () => {
  await using own = await startControlPlane();
  const { url } = own;
  const kubectl = (...args: string[]): string =>
    execFileSync(own.kubectl, args, { encoding: 'utf8', stdio: 'pipe' }).trim();
  kubectl('create', 'namespace', 'kept');

  await own.killApiServer();
  expect(() => kubectl('get', 'namespace', 'kept')).toThrow(/refused/);
  await own.startApiServer();

  expect(own.url).toBe(url);
  expect(kubectl('get', 'namespace', 'kept', '-o', 'name')).toBe('namespace/kept');
});

test('nothing is left when the process that started it is killed', async () => {
  const script = join(import.meta.dirname, '../control-plane/start-and-hang.ts');
  const child = spawn(process.execPath, [script], { stdio: ['ignore', 'pipe', 'inherit'] });
  const lines = createInterface(child.stdout);
  const [line] = (await once(lines, 'line')) as [string];
  const { dir, guardianPid, url } = JSON.parse(line) as { dir: string; guardianPid: number; url: string };
  expect(existsSync(dir)).toBe(true);

  child.kill('SIGKILL');

  await vi.waitFor(() => expect(alive(guardianPid)).toBe(false), eventually);
  expect(existsSync(dir)).toBe(false);
  await expect(fetch(url)).rejects.toThrow();
});

function alive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}
