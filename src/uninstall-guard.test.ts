import { beforeEach, expect, test } from 'vitest';
import { aBranchClass } from '../test/builders/branch-class.ts';
import { aDatabaseBranch } from '../test/builders/database-branch.ts';
import { MemoryKube } from '../test/fakes/memory-kube.ts';
import {
  branchClassFinalizer,
  branchClassResource,
  databaseBranchFinalizer,
  databaseBranchResource,
  leaseResource,
} from './api/names.ts';
import { ManualClock } from './kit/clock.ts';
import { KubeError, type KubeObject } from './kit/kube.ts';
import { Leader, type Ended } from './kit/leader.ts';
import { refuseWhileNeeded, releaseFinalizers, StillNeeded, type GuardParts } from './uninstall-guard.ts';

let clock: ManualClock;
let kube: MemoryKube;
let parts: GuardParts;

beforeEach(() => {
  clock = new ManualClock(new Date('2026-09-21T12:00:00Z'));
  kube = new MemoryKube({ clock });
  for (const name of ['pr-1', 'pr-2', 'lakebranch-system']) kube.addNamespace(name);
  parts = {
    kube,
    clock,
    namespace: 'lakebranch-system',
    watchNamespaces: [],
    signal: new AbortController().signal,
  };
});

const finalizersOf = (object: KubeObject | undefined): readonly string[] => object?.metadata.finalizers ?? [];

function branch(namespace: string, finalizers: string[] = [databaseBranchFinalizer], status: object = {}): void {
  kube.seed(
    databaseBranchResource,
    aDatabaseBranch({ metadata: { namespace, uid: `uid-${namespace}`, finalizers }, status }),
  );
}

/** Lets promises settle and moves the clock, until `work` is done. */
async function driven<T>(work: Promise<T>): Promise<T> {
  let settled = false;
  const end = (): void => void (settled = true);
  work.then(end, end);
  for (let step = 0; !settled && step < 200; step++) {
    for (let turn = 0; turn < 50; turn++) await Promise.resolve();
    clock.advance(500);
  }
  return work;
}

test('with nothing left it lets the release go, and objects without our finalizer do not count', async () => {
  branch('pr-1', ['example.com/theirs']);
  await expect(refuseWhileNeeded(parts)).resolves.toBeUndefined();
});

test('names every object that is left, how its branch ends, and what to do', async () => {
  branch('pr-1', [databaseBranchFinalizer], {
    branch: { id: 'pr-1-database-x', uid: 'u' },
    expiration: { leaseTime: '2026-09-25T12:00:00Z' },
  });
  branch('pr-2');
  const refusal = await refuseWhileNeeded(parts).catch((error: unknown) => error);
  expect(refusal).toBeInstanceOf(StillNeeded);
  const { message } = refusal as Error;
  expect(message).toContain('DatabaseBranch pr-1/database: branch leased until 2026-09-25T12:00:00Z');
  expect(message).toContain('DatabaseBranch pr-2/database: no branch yet, or no longer');
  expect(message).toContain('kubectl delete pitr,dbb -A --all');
  expect(message).toContain('uninstall.releaseFinalizers=true');
});

test('also refuses for objects in a namespace that the operator no longer works in', async () => {
  branch('pr-2');
  await expect(refuseWhileNeeded({ ...parts, watchNamespaces: ['pr-1'] })).rejects.toThrow(
    /pr-2\/database: .*the operator does not work in this namespace/,
  );
  await driven(releaseFinalizers({ ...parts, watchNamespaces: ['pr-1'] }));
  expect(finalizersOf(kube.peek(databaseBranchResource, { namespace: 'pr-2', name: 'database' }))).toEqual([]);
});

test('looks only where the operator works if it may not look elsewhere', async () => {
  kube.failBefore(({ verb, type, key }) =>
    verb === 'list' && type.kind === 'DatabaseBranch' && key === ''
      ? new KubeError('GET databasebranches', 403, { reason: 'Forbidden' })
      : undefined,
  );
  branch('pr-2');
  await expect(refuseWhileNeeded({ ...parts, watchNamespaces: ['pr-1'] })).resolves.toBeUndefined();
  await expect(refuseWhileNeeded({ ...parts, watchNamespaces: ['pr-1', 'pr-2'] })).rejects.toThrow('pr-2/database');
  await expect(refuseWhileNeeded(parts)).rejects.toThrow('Forbidden');
});

test('waits for the operator to take its finalizer from a class whose last object has gone', async () => {
  kube.seed(branchClassResource, aBranchClass({ metadata: { finalizers: [branchClassFinalizer] } }));
  const guard = refuseWhileNeeded(parts);
  clock.after(5_000, () => {
    kube.edit<KubeObject>(branchClassResource, { name: 'default' }, ({ metadata }) => delete metadata.finalizers);
  });
  await expect(driven(guard)).resolves.toBeUndefined();
});

test('refuses when a class stays in use', async () => {
  kube.seed(branchClassResource, aBranchClass({ metadata: { finalizers: [branchClassFinalizer] } }));
  await expect(driven(refuseWhileNeeded(parts))).rejects.toThrow('BranchClass default: in use');
});

test('takes its own finalizers and no others', async () => {
  branch('pr-1', ['example.com/theirs', databaseBranchFinalizer]);
  kube.seed(branchClassResource, aBranchClass({ metadata: { finalizers: [branchClassFinalizer] } }));
  await driven(releaseFinalizers(parts));
  expect(finalizersOf(kube.peek(databaseBranchResource, { namespace: 'pr-1', name: 'database' }))).toEqual([
    'example.com/theirs',
  ]);
  expect(finalizersOf(kube.peek(branchClassResource, { name: 'default' }))).toEqual([]);
});

test('takes finalizers only when the leader has ended, who would put them back', async () => {
  branch('pr-1');
  let ended: Ended | undefined;
  let finalizersAtTheEnd: readonly string[] = [];
  const seen = (): readonly string[] =>
    finalizersOf(kube.peek(databaseBranchResource, { namespace: 'pr-1', name: 'database' }));
  const leader = new Leader({
    kube,
    clock,
    namespace: 'lakebranch-system',
    name: 'lakebranch',
    identity: 'lakebranch-0',
  });
  const leading = leader
    .run(
      new AbortController().signal,
      (term) => new Promise((resolve) => term.addEventListener('abort', () => resolve(), { once: true })),
    )
    .then((how) => {
      ended = how;
      finalizersAtTheEnd = seen();
    });
  for (let turn = 0; turn < 50; turn++) await Promise.resolve();
  expect(leader.leading).toBe(true);

  await driven(releaseFinalizers(parts));

  await leading;
  expect([ended, finalizersAtTheEnd, seen()]).toEqual(['lost', [databaseBranchFinalizer], []]);
});

test('no other process leads until the release is gone', async () => {
  const lease = { metadata: { namespace: 'lakebranch-system', name: 'lakebranch' }, spec: { holderIdentity: '' } };
  kube.seed(leaseResource, lease as KubeObject);
  await driven(releaseFinalizers(parts));
  const next = new Leader({
    kube,
    clock,
    namespace: 'lakebranch-system',
    name: 'lakebranch',
    identity: 'lakebranch-1',
  });
  const stop = new AbortController();
  const run = next.run(stop.signal, () => Promise.resolve());
  for (let turn = 0; turn < 20; turn++) {
    for (let each = 0; each < 20; each++) await Promise.resolve();
    clock.advance(2_000);
  }
  expect(next.leading).toBe(false);
  stop.abort(new Error('the test is over'));
  expect(await run).toBe('stopped');
});
