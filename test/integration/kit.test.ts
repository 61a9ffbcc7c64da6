// The kit against a real API server, and the API server in memory against the same sentences: what the scenario tests
// are told in memory must be what a cluster says.
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { ManualClock, systemClock } from '../../src/kit/clock.ts';
import { KubeEventRecorder } from '../../src/kit/events.ts';
import { addFinalizer, removeFinalizer } from '../../src/kit/finalizers.ts';
import { HttpKube } from '../../src/kit/kube-http.ts';
import {
  isAlreadyExists,
  isConflict,
  isNamespaceTerminating,
  isNotFound,
  KubeError,
  type Kube,
  type KubeObject,
  type ResourceType,
} from '../../src/kit/kube.ts';
import { connectionFrom } from '../../src/kit/kubeconfig.ts';
import { Leader } from '../../src/kit/leader.ts';
import { Reflector } from '../../src/kit/reflector.ts';
import { writeStatus } from '../../src/kit/status.ts';
import { MemoryKube } from '../fakes/memory-kube.ts';
import { sharedControlPlane } from '../control-plane/shared.ts';

const widgets: ResourceType = { group: 'kit.test', version: 'v1', plural: 'widgets', kind: 'Widget', namespaced: true };
const secrets: ResourceType = { group: '', version: 'v1', plural: 'secrets', kind: 'Secret', namespaced: true };
const namespaces: ResourceType = {
  group: '',
  version: 'v1',
  plural: 'namespaces',
  kind: 'Namespace',
  namespaced: false,
};
const events: ResourceType = {
  group: 'events.k8s.io',
  version: 'v1',
  plural: 'events',
  kind: 'Event',
  namespaced: true,
};
const crds: ResourceType = {
  group: 'apiextensions.k8s.io',
  version: 'v1',
  plural: 'customresourcedefinitions',
  kind: 'CustomResourceDefinition',
  namespaced: false,
};

interface Widget extends KubeObject {
  spec?: { size?: number; color?: string };
  status?: { observed?: number; conditions?: { type: string; status: string }[] };
}
interface Secret extends KubeObject {
  data?: Record<string, string>;
}

const widgetCrd = {
  metadata: { name: 'widgets.kit.test' },
  spec: {
    group: 'kit.test',
    scope: 'Namespaced',
    names: { plural: 'widgets', singular: 'widget', kind: 'Widget', listKind: 'WidgetList' },
    versions: [
      {
        name: 'v1',
        served: true,
        storage: true,
        subresources: { status: {} },
        schema: {
          openAPIV3Schema: {
            type: 'object',
            properties: {
              spec: { type: 'object', properties: { size: { type: 'integer' }, color: { type: 'string' } } },
              status: {
                type: 'object',
                properties: {
                  observed: { type: 'integer' },
                  conditions: {
                    type: 'array',
                    'x-kubernetes-list-type': 'map',
                    'x-kubernetes-list-map-keys': ['type'],
                    items: {
                      type: 'object',
                      required: ['type'],
                      properties: { type: { type: 'string' }, status: { type: 'string' } },
                    },
                  },
                },
              },
            },
          },
        },
      },
    ],
  },
};

const patience = { timeout: 60_000, interval: 50 };
const namespace = 'kit';
let real: HttpKube;
const memory = new MemoryKube({ clock: new ManualClock(new Date('2026-01-01T00:00:00Z')) });

beforeAll(async () => {
  const connection = await connectionFrom({ KUBECONFIG: sharedControlPlane().adminKubeconfig });
  real = new HttpKube({ connection, clock: systemClock, userAgent: 'kit-test' });
  await real.apply(crds, widgetCrd as unknown as KubeObject, { fieldManager: 'tests' });
  for (const kube of [real, memory]) await kube.create(namespaces, { metadata: { name: namespace } });
  await vi.waitFor(() => real.list(widgets), patience);
});

afterAll(() => real.close());

const failureOf = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    () => 'no failure',
    (error: unknown) => error,
  );

const codeOf = async (promise: Promise<unknown>): Promise<unknown> => {
  const failure = await failureOf(promise);
  return failure instanceof KubeError ? `${failure.code} ${failure.reason}` : failure;
};

let count = 0;
const newKey = () => ({ namespace, name: `object-${(count += 1)}` });
const me = { fieldManager: 'me' };

describe.each<[string, () => Kube]>([
  ['a real API server', () => real],
  ['the API server in memory', () => memory],
])('%s', (_, server) => {
  test('counts generations by the spec alone, and keeps status apart', async () => {
    const kube = server();
    const key = newKey();
    const made = await kube.create<Widget>(widgets, { metadata: key, spec: { size: 1 }, status: { observed: 7 } });
    expect([made.metadata.generation, made.status]).toEqual([1, undefined]);
    const stated = await writeStatus<unknown, Widget>(kube, widgets, { ...made, spec: { size: 9 } }, { observed: 1 });
    expect(stated).toMatchObject({ spec: { size: 1 }, status: { observed: 1 }, metadata: { generation: 1 } });
    const resized = await kube.replace<Widget>(widgets, { ...stated, spec: { size: 2 }, status: { observed: 9 } });
    expect(resized).toMatchObject({ spec: { size: 2 }, status: { observed: 1 }, metadata: { generation: 2 } });
    const labelled = await kube.mergePatch<Widget>(widgets, key, { metadata: { labels: { a: 'b' } } });
    expect(labelled.metadata.generation).toBe(2);
    const same = await kube.mergePatch<Widget>(widgets, key, { metadata: { labels: { a: 'b' } } });
    expect(same.metadata.resourceVersion).toBe(labelled.metadata.resourceVersion);
  });

  test('tells conflicts from objects that exist and from those that do not', async () => {
    const kube = server();
    const key = newKey();
    const absent = { ...key, name: 'absent' };
    const old = await kube.create<Widget>(widgets, { metadata: key, spec: { size: 1 } });
    expect(isAlreadyExists(await failureOf(kube.create<Widget>(widgets, { metadata: key })))).toBe(true);
    await kube.mergePatch(widgets, key, { spec: { size: 2 } });
    const { resourceVersion = '' } = old.metadata;
    const uid = '00000000-0000-0000-0000-000000000bad';
    const spec = { size: 3 };
    const stale = { metadata: { ...key, resourceVersion }, spec };
    const foreign = { metadata: { ...key, uid }, spec };
    for (const [name, attempt] of Object.entries({
      'replace, stale': () => kube.replace(widgets, { ...old, spec }),
      'patch, stale': () => kube.mergePatch(widgets, key, stale),
      'patch, other uid': () => kube.mergePatch(widgets, key, foreign),
      'apply, stale': () => kube.apply(widgets, stale, me),
      'apply, other uid': () => kube.apply(widgets, foreign, me),
      'apply to nothing with uid': () => kube.apply(widgets, { metadata: { ...absent, uid }, spec }, me),
      'remove, other uid': () => kube.remove(widgets, key, { uid }),
      'remove, stale': () => kube.remove(widgets, key, { resourceVersion }),
      'finalizer, stale': () => addFinalizer(kube, widgets, old, 'kit.test/x'),
      'status, stale': () => writeStatus<unknown, Widget>(kube, widgets, old, { observed: 5 }),
    })) {
      expect([name, isConflict(await failureOf(attempt()))]).toEqual([name, true]);
    }
    const { resourceVersion: _resourceVersion, ...unversioned } = old.metadata;
    expect(await codeOf(kube.replace(widgets, { ...old, metadata: unversioned }))).toBe('422 Invalid');
    for (const [name, attempt] of Object.entries({
      get: () => kube.get(widgets, absent),
      replace: () => kube.replace(widgets, { ...old, metadata: { ...old.metadata, name: 'absent' } }),
      patch: () => kube.mergePatch(widgets, absent, { spec }),
      remove: () => kube.remove(widgets, absent),
      'apply to a status': () => kube.apply(widgets, { metadata: absent }, { ...me, subresource: 'status' }),
      'create in no namespace': () => kube.create(widgets, { metadata: { namespace: 'nowhere', name: 'a' } }),
    })) {
      expect([name, isNotFound(await failureOf(attempt()))]).toEqual([name, true]);
    }
    expect((await kube.get<Widget>(widgets, key)).spec).toEqual({ size: 2 });
  });

  test('is careless in three places, on which nobody may lean', async () => {
    const kube = server();
    const key = newKey();
    const { metadata } = await kube.create<Widget>(widgets, { metadata: key });
    const { resourceVersion = '' } = metadata;
    const uid = '00000000-0000-0000-0000-000000000bad';
    const status = { ...me, subresource: 'status' } as const;
    const other = await kube.apply<Widget>(widgets, { metadata: { ...key, uid }, status: { observed: 2 } }, status);
    expect(other.status).toEqual({ observed: 2 });
    const made = await kube.apply<Widget>(widgets, { metadata: { ...newKey(), resourceVersion } }, me);
    expect(made.metadata.generation).toBe(1);
    const versioned = kube.create<Widget>(widgets, { metadata: { ...newKey(), resourceVersion } });
    expect(await failureOf(versioned)).toMatchObject({ code: 500 });
  });

  test('applies what one manager wants, takes back what it no longer wants, and keeps the rest', async () => {
    const kube = server();
    const key = newKey();
    await kube.apply<Secret>(
      secrets,
      { metadata: { ...key, labels: { mine: '1' } }, data: { a: 'MQ==', b: 'Mg==' } },
      me,
    );
    await kube.mergePatch(secrets, key, { metadata: { labels: { theirs: '2' } }, data: { c: 'Mw==' } });
    const next = await kube.apply<Secret>(secrets, { metadata: key, data: { a: 'NA==' } }, me);
    expect([next.data, next.metadata.labels]).toEqual([{ a: 'NA==', c: 'Mw==' }, { theirs: '2' }]);
    const again = await kube.apply<Secret>(secrets, { metadata: key, data: { a: 'NA==' } }, me);
    expect(again.metadata.resourceVersion).toBe(next.metadata.resourceVersion);
    const disputed = kube.apply<Secret>(secrets, { metadata: key, data: { c: 'NQ==' } }, { ...me, force: false });
    expect(await failureOf(disputed)).toMatchObject({
      code: 409,
      status: { details: { causes: [{ reason: 'FieldManagerConflict' }] } },
    });
    const status = (type: string): Widget => ({ metadata: widget, status: { conditions: [{ type, status: 'True' }] } });
    const widget = newKey();
    await kube.create<Widget>(widgets, { metadata: widget });
    await kube.apply(widgets, status('A'), { fieldManager: 'a', subresource: 'status' });
    const both = await kube.apply<Widget>(widgets, status('B'), { fieldManager: 'b', subresource: 'status' });
    expect(both.status?.conditions?.map(({ type }) => type)).toEqual(['A', 'B']);
  });

  test('holds a deleted object by its finalizers, and lets none be added', async () => {
    const kube = server();
    const key = newKey();
    const made = await kube.create<Widget>(widgets, { metadata: { ...key, finalizers: ['kit.test/theirs'] } });
    const held = await addFinalizer(kube, widgets, made, 'kit.test/mine');
    expect(held.metadata.finalizers).toEqual(['kit.test/theirs', 'kit.test/mine']);
    await kube.remove(widgets, key, { uid: made.metadata.uid! });
    const deleted = await kube.get<Widget>(widgets, key);
    expect([deleted.metadata.deletionTimestamp !== undefined, deleted.metadata.generation]).toEqual([true, 2]);
    expect(await codeOf(addFinalizer(kube, widgets, deleted, 'kit.test/late'))).toBe('422 Invalid');
    await kube.remove(widgets, key);
    const theirs = await removeFinalizer(kube, widgets, deleted, 'kit.test/mine');
    expect(theirs.metadata.finalizers).toEqual(['kit.test/theirs']);
    await removeFinalizer(kube, widgets, theirs, 'kit.test/theirs');
    expect(isNotFound(await failureOf(kube.get(widgets, key)))).toBe(true);
  });

  test('refuses a finalizer for an object that was replaced by another of its name', async () => {
    const kube = server();
    const key = newKey();
    const old = await kube.create<Widget>(widgets, { metadata: key });
    await kube.remove(widgets, key);
    await kube.create<Widget>(widgets, { metadata: key });
    expect(isConflict(await failureOf(addFinalizer(kube, widgets, old, 'kit.test/mine')))).toBe(true);
    expect(isConflict(await failureOf(writeStatus<unknown, Widget>(kube, widgets, old, { observed: 1 })))).toBe(true);
  });

  test('collects what a deleted object owned', async () => {
    const kube = server();
    const [owner, owned] = [newKey(), newKey()];
    // A kind that the collector knows from the start: it looks for new ones only every half minute.
    const { metadata } = await kube.create<Secret>(secrets, { metadata: owner });
    const reference = {
      apiVersion: 'v1',
      kind: 'Secret',
      name: owner.name,
      uid: metadata.uid!,
      controller: true,
    };
    await kube.create<Secret>(secrets, { metadata: { ...owned, ownerReferences: [reference] } });
    await kube.remove(secrets, owner);
    await vi.waitFor(async () => expect(isNotFound(await failureOf(kube.get(secrets, owned)))).toBe(true), patience);
  });

  test('empties a namespace that is deleted, and lets nothing new into it', async () => {
    const kube = server();
    const doomed = { namespace: 'doomed', name: 'a' };
    await kube.create(namespaces, { metadata: { name: 'doomed' } });
    const held = await kube.create<Widget>(widgets, { metadata: { ...doomed, finalizers: ['kit.test/mine'] } });
    await kube.remove(namespaces, { name: 'doomed' });
    const create = await failureOf(kube.create<Secret>(secrets, { metadata: doomed }));
    const apply = await failureOf(kube.apply<Secret>(secrets, { metadata: doomed }, me));
    expect([isNamespaceTerminating(create), isNamespaceTerminating(apply)]).toEqual([true, true]);
    const deleting = await vi.waitFor(async () => {
      const object = await kube.get<Widget>(widgets, doomed);
      expect(object.metadata.deletionTimestamp).toBeDefined();
      return object;
    }, patience);
    expect(deleting.metadata.uid).toBe(held.metadata.uid);
    await removeFinalizer(kube, widgets, deleting, 'kit.test/mine');
    await vi.waitFor(async () => {
      expect(isNotFound(await failureOf(kube.get(namespaces, { name: 'doomed' })))).toBe(true);
    }, patience);
  });

  test('lists in pages and by labels', async () => {
    const kube = server();
    const labels = { page: 'yes' };
    for (let index = 0; index < 3; index += 1) await kube.create(widgets, { metadata: { ...newKey(), labels } });
    const options = { namespace, labelSelector: 'page=yes', limit: 2 };
    const first = await kube.list<Widget>(widgets, options);
    const rest = await kube.list<Widget>(widgets, { ...options, continue: first.metadata.continue! });
    expect([first.items.length, rest.items.length, rest.metadata.continue || undefined]).toEqual([2, 1, undefined]);
    expect(rest.items[0]).toMatchObject({ apiVersion: 'kit.test/v1', kind: 'Widget' });
  });

  test('feeds a reflector: the present state, then every change', async () => {
    const kube = server();
    const labels = { watched: 'yes' };
    const [early, late] = [newKey(), newKey()];
    await kube.create<Widget>(widgets, { metadata: { ...early, labels }, spec: { size: 1 } });
    const told: string[] = [];
    const options = { kube, clock: systemClock, type: widgets, namespace, labelSelector: 'watched=yes' };
    const reflector = new Reflector<Widget>(options, (change, { metadata, spec }) => {
      told.push(`${change} ${metadata.name} ${spec?.size}`);
    });
    const abort = new AbortController();
    const running = reflector.run(abort.signal);
    await reflector.whenSynced;
    await kube.create<Widget>(widgets, { metadata: { ...late, labels }, spec: { size: 2 } });
    await kube.mergePatch(widgets, early, { spec: { size: 3 } });
    await kube.mergePatch(widgets, late, { metadata: { labels: { watched: 'no' } } });
    await kube.remove(widgets, early);
    await vi.waitFor(() => expect(told.length).toBe(5), patience);
    expect(told).toEqual([
      `add ${early.name} 1`,
      `add ${late.name} 2`,
      `update ${early.name} 3`,
      `delete ${late.name} 2`,
      `delete ${early.name} 3`,
    ]);
    abort.abort();
    await running;
  });

  test('takes events with their series, and none in a namespace that is not there', async () => {
    const kube = server();
    const dropped: unknown[] = [];
    const onDropped = (error: unknown) => dropped.push(error);
    const recorder = new KubeEventRecorder({
      kube,
      clock: systemClock,
      controller: 'kit.test/x',
      instance: 'test',
      onDropped,
    });
    const key = newKey();
    const regarding = await kube.create<Widget>(widgets, { metadata: key });
    const happening = {
      type: 'Normal',
      reason: 'Painted',
      action: 'Paint',
      note: '€'.repeat(2_000),
      resource: widgets,
    } as const;
    for (let times = 0; times < 3; times += 1) recorder.record({ ...happening, regarding });
    recorder.record({ ...happening, regarding: { metadata: { namespace: 'nowhere', name: 'a', uid: 'u' } } });
    await recorder.flushed();
    expect(dropped).toHaveLength(1);
    const { items } = await kube.list<KubeObject & { series?: { count: number } }>(events, { namespace });
    const mine = items.filter(({ metadata }) => metadata.name.startsWith(`${key.name}.`));
    expect(mine.map(({ series }) => series?.count)).toEqual([2]);
  });

  test('gives a Lease to one of two', async () => {
    const kube = server();
    const stop = new AbortController();
    const led: string[] = [];
    const candidate = (identity: string): Promise<unknown> => {
      const errors: unknown[] = [];
      const leader = new Leader({
        kube,
        clock: systemClock,
        namespace,
        name: 'kit',
        identity,
        onError: (e) => errors.push(e),
      });
      return leader
        .run(stop.signal, (signal) => {
          led.push(identity);
          return new Promise((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
        })
        .then((ended) => [ended, errors]);
    };
    const both = [candidate('one'), candidate('two')];
    await vi.waitFor(() => expect(led).toHaveLength(1), patience);
    stop.abort();
    expect(await Promise.all(both)).toEqual([
      ['stopped', []],
      ['stopped', []],
    ]);
    expect(led).toHaveLength(1);
  });
});

test('the real server tells its version and its clock', async () => {
  expect(await real.getRaw('/version')).toMatchObject({ major: expect.any(String) as string });
  expect(Math.abs(real.clockOffsetMs() ?? Infinity)).toBeLessThan(60_000);
});

test('the real server gives out a token through the subresource of a ServiceAccount', async () => {
  const accounts: ResourceType = {
    group: '',
    version: 'v1',
    plural: 'serviceaccounts',
    kind: 'ServiceAccount',
    namespaced: true,
  };
  const account = { namespace, name: 'tester' };
  await real.create(accounts, { metadata: account });
  const body = { apiVersion: 'authentication.k8s.io/v1', kind: 'TokenRequest', spec: { expirationSeconds: 600 } };
  const { status } = (await real.createSubresource(accounts, account, 'token', body)) as { status: { token: string } };
  expect(status.token.split('.')).toHaveLength(3);
});
