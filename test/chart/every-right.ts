// Whether the operator needs every right that the chart gives it in a scope. Each verb on each resource is taken away
// alone, while the operator runs: then something that it does must be refused and not get done, and it must get done once
// the right is back. So there is nothing too much, and each comment beside a rule can be believed.
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { parse } from 'yaml';
import {
  branchClassResource,
  databaseBranchResource,
  eventResource,
  leaseResource,
  pointInTimeRestoreResource,
  secretResource,
} from '../../src/api/names.ts';
import { findCondition } from '../../src/kit/conditions.ts';
import { isNotFound, type KubeObject, type ResourceType } from '../../src/kit/kube.ts';
import { operatorNamespace } from '../stack/operator.ts';
import { until } from '../stack/until.ts';
import { base64, readyOf, World, type Key } from '../stack/world.ts';
import { Audit } from './audit.ts';
import { startTrustingProxy, type TrustingProxy } from './trusting-proxy.ts';
import { render, type Manifest, type Values } from './render.ts';
import { nameOf, rightsIn, roleResource, without, type Right, type Rule } from './rights-in.ts';

/** Something that the operator does, on an object of its own each time. */
interface Flow {
  /** What has to be there before the right is taken away. */
  readonly before?: (key: Key) => Promise<void>;
  readonly begin: (key: Key) => Promise<void>;
  readonly done: (key: Key) => Promise<boolean>;
  /** What was refused is not tried again, or only much later: another object has to show that it gets done. */
  readonly once?: true;
  /** The refused request, if it is not the one that the right is for. */
  readonly refused?: string;
}

export interface Minimal {
  readonly values: Values;
  /** Where objects are made. */
  readonly namespace: string;
}

export function everyRightIsNeeded({ values, namespace }: Minimal, manifests: readonly Manifest[]): void {
  vi.setConfig({ testTimeout: 240_000, hookTimeout: 240_000 });
  const rights = rightsIn(manifests);
  let world: World;
  let audit: Audit;
  let proxy: TrustingProxy;
  let made = 0;

  beforeAll(async () => {
    audit = await Audit.of(`system:serviceaccount:${operatorNamespace}:lakebranch`);
    const ownerPermissions = '--enable-admission-plugins=OwnerReferencesPermissionEnforcement';
    // As before 1.34: what a newer one streams has to be listed.
    const withoutStreamedLists = '--feature-gates=WatchList=false';
    world = await World.start({
      values,
      apiServerArgs: [...audit.apiServerArgs, ownerPermissions, withoutStreamedLists],
      emulatorArgs: ['--no-postgres'],
      // No test waits for the room that another one takes.
      operatorEnv: { LAKEBRANCH_PROJECT_LIMIT: '1000' },
    });
    await throughProxy();
    await world.stack.emulator.setBehaviour({ limits: { unarchivedBranches: 1000 } });
    await world.namespace(namespace);
    await world.bclass('default', { restore: { allowed: true } });
  });
  afterAll(async () => {
    await world?.stop();
    proxy?.stop();
    await audit?.remove();
  });

  /** Else the operator would see at its start that a right is lacking, and never get to where it needs it. */
  async function throughProxy(): Promise<void> {
    const { dir, cluster, operator } = world.stack;
    const { server, ca } = await apiServerIn(cluster.adminKubeconfig);
    proxy = await startTrustingProxy(server, ca);
    const kubeconfig = join(dir, 'operator.kubeconfig');
    const text = await readFile(kubeconfig, 'utf8');
    await writeFile(kubeconfig, text.replaceAll(server, proxy.url).replaceAll(base64(ca), base64(proxy.ca)));
    await operator.stop();
    await operator.start();
  }

  const kube = () => world.stack.kube;
  const peek = <T extends KubeObject>(
    type: ResourceType,
    key: { namespace?: string; name: string },
  ): Promise<T | undefined> =>
    kube()
      .get<T>(type, key)
      .catch((error: unknown) => {
        if (isNotFound(error)) return undefined;
        throw error;
      });
  const branch = async (key: Key, spec: object = {}): Promise<void> => {
    await world.apply(key, { verify: { login: 'Never' }, ...spec });
  };
  const isReady = async (key: Key): Promise<boolean> => {
    const object = await world.get(key);
    return object !== undefined && readyOf(object)?.status === 'True';
  };
  const ready = async (key: Key): Promise<void> => {
    await branch(key);
    await world.whenReady(key);
  };
  const eventsOf = async (
    { name }: { name: string },
    place = namespace,
  ): Promise<(KubeObject & { series?: object; reason?: string; note?: string })[]> => {
    const { items } = await kube().list<KubeObject & { regarding?: { name?: string }; series?: object }>(
      eventResource,
      { namespace: place },
    );
    return items.filter(({ regarding }) => regarding?.name === name);
  };
  const rotate = (key: Key, token: string): Promise<unknown> =>
    kube().mergePatch(databaseBranchResource, key, { spec: { credentials: { rotateToken: token } } });
  const revisionOf = async (key: Key): Promise<number> => (await world.get(key))?.status?.credentials?.revision ?? 0;
  const restore = async (key: Key): Promise<void> => {
    const target = { time: new Date(Date.now() - 1000).toISOString() };
    const template = { spec: { verify: { login: 'Never' } } };
    const spec = { source: { branch: 'production' }, target, branchTemplate: template };
    await kube().create(pointInTimeRestoreResource, { metadata: key, spec } as KubeObject);
  };
  const restored = async (key: Key): Promise<boolean> => {
    const object = await peek<KubeObject & { status?: { conditions?: [] } }>(pointInTimeRestoreResource, key);
    return findCondition(object?.status?.conditions ?? [], 'Succeeded')?.status === 'True';
  };
  const isThere = async (type: ResourceType, key: { namespace?: string; name: string }): Promise<boolean> =>
    (await peek(type, key)) !== undefined;

  const becomesReady: Flow = { begin: (key) => branch(key), done: isReady };
  /** Stopped before, so that it is the new process that is refused. */
  const starts: Flow = {
    before: () => world.stack.operator.stop(),
    async begin(key) {
      await branch(key);
      await world.stack.operator.launch();
    },
    done: isReady,
  };
  const restores: Flow = { begin: restore, done: restored };
  const usesClass: Flow = {
    async begin(key) {
      await world.bclass(key.name);
      await branch(key, { className: key.name });
    },
    async done({ name }) {
      const object = await peek<KubeObject & { status?: { conditions?: [] } }>(branchClassResource, { name });
      const usable = findCondition(object?.status?.conditions ?? [], 'Ready')?.status === 'True';
      return usable && (object?.metadata.finalizers ?? []).length > 0;
    },
  };

  const flows: Readonly<Record<string, Flow>> = {
    'list databasebranches': starts,
    'watch databasebranches': starts,
    'list branchclasses': starts,
    'watch branchclasses': starts,
    'list pointintimerestores': starts,
    'watch pointintimerestores': starts,
    'get leases': starts,
    'update leases': starts,
    'create leases': {
      ...starts,
      async before() {
        await world.stack.operator.stop();
        await kube().remove(leaseResource, { namespace: operatorNamespace, name: 'lakebranch' });
      },
    },
    'get namespaces': starts,
    'patch databasebranches': becomesReady,
    'update databasebranches/status': becomesReady,
    // The API server asks for it when the Secret names its owner.
    'update databasebranches/finalizers': { ...becomesReady, refused: 'create secrets' },
    'get secrets': becomesReady,
    'create secrets': becomesReady,
    'patch secrets': {
      once: true,
      before: ready,
      begin: (key) => rotate(key, 'a').then(() => undefined),
      done: async (key) => (await revisionOf(key)) === 2,
    },
    'delete secrets': {
      before: ready,
      async begin(key) {
        // Somebody deletes the branch at the provider; the next token cannot be had.
        const id = (await world.get(key))?.status?.branch?.id ?? '';
        await world.stack.emulator.call(world.stack.manager, 'DELETE', `projects/shop/branches/${id}`);
        await rotate(key, 'a');
      },
      done: async (key) => !(await isThere(secretResource, key)),
    },
    'get databasebranches': restores,
    'create databasebranches': restores,
    'get pointintimerestores': restores,
    'patch pointintimerestores': restores,
    'update pointintimerestores/status': restores,
    'patch branchclasses': usesClass,
    'update branchclasses/status': usesClass,
    'create events': {
      once: true,
      begin: (key) => branch(key),
      done: async (key) => (await eventsOf(key)).some(({ reason }) => reason === 'CredentialIssued'),
    },
    // The same again is counted, not told anew.
    'patch events': {
      once: true,
      async before(key) {
        await ready(key);
        await rotate(key, 'a');
        await until('the first is told', async () => (await revisionOf(key)) === 2);
      },
      begin: (key) => rotate(key, 'b').then(() => undefined),
      done: async (key) => (await eventsOf(key)).some(({ series }) => series !== undefined),
    },
  };
  /** Told of a class, because the object is gone: in the namespace `default`. */
  const retains: Flow = {
    once: true,
    async before(key) {
      await branch(key, { deletionPolicy: 'Retain' });
      await world.whenReady(key);
    },
    begin: (key) => world.remove(key),
    done: async (key) =>
      (await eventsOf({ name: 'default' }, 'default')).some(({ note }) => note?.includes(`/${key.name} `)),
  };

  function flowOf({ role, verb, resource, object }: Right): Flow | undefined {
    if (resource === 'events' && role.metadata.namespace === 'default') return retains;
    // Of classes: read again by a new process.
    if (resource === 'secrets' && object !== undefined) return starts;
    return flows[`${verb} ${resource}`];
  }

  const setRules = async ({ role }: Right, rules: readonly Rule[]): Promise<void> => {
    await kube().mergePatch(roleResource(role), { ...role.metadata }, { rules });
  };

  const fresh = (): Key => ({ namespace, name: `o-${++made}` });

  test('there are rights, and every one has a flow that needs it', () => {
    expect(rights.length).toBeGreaterThan(20);
    expect(rights.filter((right) => flowOf(right) === undefined).map(nameOf)).toEqual([]);
  });

  test.each(rights.map((right) => [nameOf(right), right] as const))('%s', async (_name, right) => {
    const flow = flowOf(right)!;
    const [refusedVerb, refusedResource] = (flow.refused ?? `${right.verb} ${right.resource}`).split(' ');
    const key = fresh();
    await flow.before?.(key);

    const from = await audit.position();
    await setRules(right, without(right));
    try {
      await flow.begin(key);
      await until(`the API server refuses ${right.verb} ${right.resource}`, async () =>
        (await audit.refused(from)).some(
          ({ verb, objectRef: { resource = '', subresource, name } = { resource: '' } }) =>
            verb === refusedVerb &&
            [resource, ...(subresource ? [subresource] : [])].join('/') === refusedResource &&
            (right.object === undefined || name === right.object),
        ),
      );
      expect(await flow.done(key), 'it gets done without the right').toBe(false);
    } finally {
      await setRules(right, right.role['rules'] as Rule[]);
    }

    const again = flow.once ? fresh() : key;
    if (again !== key) {
      await flow.before?.(again);
      await flow.begin(again);
    }
    await until('it gets done with the right', async () => {
      // In a cluster a process that ended for want of the right would be started again, too.
      if (world.stack.operator.ended() !== undefined) await world.stack.operator.launch();
      return flow.done(again);
    });
  });
}

async function apiServerIn(kubeconfig: string): Promise<{ server: string; ca: string }> {
  const config = parse(await readFile(kubeconfig, 'utf8')) as { clusters: [{ cluster: Record<string, string> }] };
  const { server = '', 'certificate-authority-data': ca = '' } = config.clusters[0].cluster;
  return { server, ca: Buffer.from(ca, 'base64').toString() };
}

/** Rendered before the tests are declared: each right is one of them. */
export const manifestsOf = (values: Values): Promise<Manifest[]> => render(values);
