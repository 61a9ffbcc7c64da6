// The undo button, from the object that asks for the past to the login that opens it: what it says on the way, what it
// refuses, and what is left of it in the end.
import { afterEach, describe, expect, test } from 'vitest';
import {
  annotationKey,
  branchClassResource,
  databaseBranchResource,
  eventResource,
  namespaceResource,
  pointInTimeRestoreResource,
} from '../../src/api/names.ts';
import type { BranchClass } from '../../src/api/v1alpha1/branch-class.ts';
import type { PointInTimeRestore, PointInTimeRestoreSpec } from '../../src/api/v1alpha1/point-in-time-restore.ts';
import { formatLsn } from '../../src/emulator/lsn.ts';
import { findCondition } from '../../src/kit/conditions.ts';
import { KubeError, type KubeObject } from '../../src/kit/kube.ts';
import type { Change } from '../builders/merge.ts';
import { expectLawfulStatus, kstatusOf } from '../kstatus.ts';
import { Scenario, type ScenarioOptions } from '../scenario.ts';

const hourMs = 3_600_000;
const minuteMs = 60_000;
/** The provider goes back to the last multiple of twelve seconds. */
const slow = { sourceTimeSnapMs: 12_000, initMs: 900, operationMs: 300, deleteMs: 400, notFoundAfterCreateMs: 500 };
const allowed: Change<BranchClass> = { spec: { restore: { allowed: true, maxAge: '168h', via: 'Any' } } };
/** Without data the emulator counts positions in milliseconds. */
const position = formatLsn(BigInt(Date.parse('2026-11-25T10:56:02Z')));
const undo = { namespace: 'pr-1', name: 'undo' };
/** Two hours and a bit before the restore; the source is an hour older. */
const past = { time: '2026-11-25T10:56:02Z' };
let world: Scenario;
afterEach(() => world.stop());

/** At one o'clock, of a source that was made at ten. */
async function begin(classes: Change<BranchClass>[] = [allowed], options: ScenarioOptions = {}): Promise<void> {
  world = new Scenario({ behaviour: slow, classes, ...options });
  await world.settle(3 * hourMs);
  world.launch();
}

const restored = (name = 'undo'): PointInTimeRestore => {
  const found = world.restored(name);
  if (!found) throw new Error(`there is no restore ${name}`);
  return found;
};
const said = (name = 'undo', type = 'Succeeded'): string =>
  findCondition(restored(name).status?.conditions ?? [], type)?.message ?? '';
const ids = (): string[] => world.branches().map(({ id }) => id);
const made = (): number => world.emulator.admin.log().filter(({ what }) => what === 'branch.create').length;
const madeObjects = (name = 'undo'): number =>
  world.kube.history(databaseBranchResource, { namespace: 'pr-1', name }).filter(({ event }) => event === 'ADDED')
    .length;
const changeClass = (change: (bclass: BranchClass) => void): void =>
  void world.kube.edit<BranchClass>(branchClassResource, { name: 'default' }, change);
const events = (): (KubeObject & { reason: string; note: string; regarding: { kind: string } })[] =>
  world.kube.all(eventResource);
const told = (): string[] =>
  events()
    .filter(({ regarding }) => regarding.kind === 'PointInTimeRestore')
    .map(({ reason }) => reason);

describe('the straight path', () => {
  test('a branch of the past with a login of its own, and a record of what was asked for and made', async () => {
    await begin();
    world.restore('undo', past);
    await world.until('it is under way', () => said().includes('BranchStarting'));
    expect(kstatusOf(restored())).toBe('InProgress');
    expect(world.succeeded('undo')).toBe('Unknown Restoring');
    await world.settle();
    expect(world.succeeded('undo'), world.describe()).toBe('True Restored');
    expect(kstatusOf(restored())).toBe('Current');
    expect(await world.opens('undo')).toBe(true);
    expect(restored().metadata.annotations?.[annotationKey.ended]).toMatch(/^[a-z2-7]{6}\/Restored\/2026-11-25T13:00:/);
    const { startTime = '', completionTime = '', durationMilliseconds, ...status } = restored().status ?? {};
    expect(status).toMatchObject({
      requestedTime: '2026-11-25T10:56:02.000Z',
      actualTime: '2026-11-25T10:56:00.000Z',
      skewSeconds: 2,
      window: { earliest: '2026-11-18T13:00:00.000Z', latest: '2026-11-25T13:00:00.000Z' },
      branchRef: { name: 'undo' },
    });
    expect(durationMilliseconds).toBe(Date.parse(completionTime) - Date.parse(startTime));
    expect(durationMilliseconds).toBeGreaterThan(900);
    expect(world.object('undo')?.metadata.ownerReferences).toBeUndefined();
    expect(world.object('undo')?.metadata.annotations?.[annotationKey.restore]).toBe(restored().metadata.uid);
    expect(told()).toEqual(['RestoreStarted', 'Restored']);
    expect(events().find(({ reason }) => reason === 'Restored')?.note).toMatch(
      /its login is in Secret undo\. To look into it: psql "\$\(kubectl get secret -n pr-1 undo -o jsonpath=/,
    );
  });

  test('the object is like its template, and outlives the restore by its own expiry', async () => {
    await begin();
    world.restore('undo', past, {
      branchTemplate: {
        metadata: { name: 'yesterday', labels: { team: 'shop' }, annotations: { 'example.com/why': 'INC-7' } },
        spec: { expiration: { ttl: '2h' }, endpoint: { maxCU: 2 } },
      },
    });
    await world.settle();
    const object = world.object('yesterday');
    expect(object?.metadata.labels).toEqual({ team: 'shop' });
    expect(object?.metadata.annotations).toMatchObject({ 'example.com/why': 'INC-7' });
    expect(object?.spec).toMatchObject({ className: 'default', expiration: { ttl: '2h' }, endpoint: { maxCU: 2 } });
    expect(restored().status?.branchRef).toEqual({ name: 'yesterday' });
    world.kube.delete(pointInTimeRestoreResource, undo);
    await world.settle(hourMs);
    expect(world.ready('yesterday')).toBe('True');
    expect(await world.opens('yesterday')).toBe(true);
    await world.settle(hourMs);
    expect(world.ready('yesterday')).toBe('False Expired');
    expect(ids()).toEqual([]);
  });

  test.each<[sentence: string, PointInTimeRestoreSpec['target'], Change<PointInTimeRestore['status']>]>([
    [
      'ago counts from the creation',
      { time: undefined, ago: '15m' } as never,
      { requestedTime: '2026-11-25T12:45:00.000Z' },
    ],
    ['a position of the log', { lsn: position }, { actualLSN: position }],
  ])('%s', async (_sentence, target, expected) => {
    await begin();
    world.restore('undo', JSON.parse(JSON.stringify(target)) as PointInTimeRestoreSpec['target']);
    await world.settle();
    expect(world.succeeded('undo'), world.describe()).toBe('True Restored');
    expect(restored().status).toMatchObject(expected ?? {});
  });

  test('what the provider may only have repeated is not verified', async () => {
    await begin([allowed], { behaviour: { ...slow, sourceTimeSnapMs: 0 } });
    world.restore('undo', { time: '2026-11-25T10:56:00Z' });
    await world.settle();
    expect(world.succeeded('undo'), world.describe()).toBe('True Restored');
    expect(restored().status?.actualTime).toBe('2026-11-25T10:55:59.999Z');
    expect(restored().status).not.toHaveProperty('skewSeconds');
    expect(said()).toContain('not verified');
  });

  test('what is too far off is no success: both instants are told, and neither branch nor login is left', async () => {
    await begin([allowed], { behaviour: { ...slow, sourceTimeSnapMs: hourMs } });
    world.restore('undo', past);
    await world.settle();
    expect(world.succeeded('undo'), world.describe()).toBe('False TimeSkewTooLarge');
    expect(kstatusOf(restored())).toBe('Failed');
    expect(said()).toMatch(/as of 2026-11-25T10:56:02\.000Z.*as of 2026-11-25T10:00:00\.000Z/);
    expect(restored().status?.skewSeconds).toBe(56 * 60 + 2);
    expect(ids()).toEqual([]);
    expect(world.secret('undo')).toBeUndefined();
    expect(told()).toEqual(['RestoreStarted', 'RestoreFailed']);
  });

  test('a full project: it says that it waits, and goes on', async () => {
    await begin([allowed], { behaviour: { ...slow, limits: { unarchivedBranches: 2 } } });
    world.apply('db');
    await world.settle();
    world.restore('undo', past);
    await world.settle();
    expect(world.succeeded('undo')).toBe('Unknown Restoring');
    expect(said()).toMatch(/^DatabaseBranch undo: WaitingForBranchSlot: /);
    world.kube.delete(databaseBranchResource, { namespace: 'pr-1', name: 'db' });
    await world.settle();
    expect(world.succeeded('undo')).toBe('True Restored');
  });

  test('from the branch of another object, of its class', async () => {
    await begin([{}, { ...allowed, metadata: { name: 'other' } }]);
    world.restore('undo', past, { source: { databaseBranchRef: { name: 'db' } } });
    await world.settle();
    expect(world.succeeded('undo')).toBe('Unknown SourceRefNotFound');
    world.apply('db', { className: 'other', children: 'Allow' });
    await world.settle();
    expect(world.object('undo')?.spec.className).toBe('other');
    // The branch did not exist at that instant.
    expect(world.succeeded('undo')).toBe('False RestoreWindowExceeded');
    expect(kstatusOf(restored())).toBe('Failed');
    expect(said()).toMatch(/before its source was made/);
    await world.settle(hourMs);
    world.restore('later', { ago: '30m' }, { source: { databaseBranchRef: { name: 'db' } } });
    await world.settle();
    expect(world.succeeded('later'), world.describe()).toBe('True Restored');
    expect(await world.opens('later')).toBe(true);
  });
});

describe('what is refused', () => {
  test.each<[string, PointInTimeRestoreSpec['target'], string, RegExp]>([
    ['an instant to come', { time: '2026-11-25T14:00:00Z' }, 'False RestoreTimeInFuture', /has not come yet/],
    [
      'an instant before the window',
      { time: '2026-11-18T09:00:00Z' },
      'False RestoreWindowExceeded',
      /the earliest is 2026-11-18T13:00:00\.000Z/,
    ],
  ])('%s, for good', async (_sentence, target, expected, words) => {
    await begin();
    world.restore('undo', target);
    await world.settle();
    expect(world.succeeded('undo')).toBe(expected);
    expect(said()).toMatch(words);
    changeClass(({ spec }) => void (spec.restore = { allowed: true, maxAge: '840h', via: 'Any' }));
    await world.settle(3 * hourMs);
    expect(world.succeeded('undo')).toBe(expected);
    expect(madeObjects()).toBe(0);
    expect(told()).toEqual(['RestoreFailed']);
  });

  test.each<[string, Change<BranchClass>[], expected: string, mend: () => void]>([
    ['there is no class', [{ metadata: { name: 'other' } }], 'Unknown ClassNotFound', () => world.addClass(allowed)],
    [
      'the class allows no restores',
      [{}],
      'Unknown RestoreNotAllowed',
      () => changeClass(({ spec }) => void (spec.restore = { allowed: true, maxAge: '168h', via: 'Any' })),
    ],
    [
      'the namespace is not allowed',
      [{ spec: { ...allowed.spec, allowedNamespaces: { matchLabels: { team: 'shop' } } } }],
      'Unknown NamespaceNotAllowed',
      () =>
        void world.kube.edit(
          namespaceResource,
          { name: 'pr-1' },
          ({ metadata }) => void (metadata.labels = { preview: 'true', team: 'shop' }),
        ),
    ],
  ])('%s: it is said, and goes on when it is mended', async (_sentence, classes, expected, mend) => {
    await begin(classes);
    world.restore('undo', past);
    await world.settle();
    expect(world.succeeded('undo')).toBe(expected);
    expect(kstatusOf(restored())).toBe('Failed');
    expect(made()).toBe(0);
    mend();
    await world.settle(3 * minuteMs);
    expect(world.succeeded('undo'), world.describe()).toBe('True Restored');
  });

  test('a position that turns out to be older than the class allows: no login, no branch, and both are told', async () => {
    await begin([{ spec: { restore: { allowed: true, maxAge: '2h', via: 'Any' } } }]);
    world.restore('undo', { lsn: position });
    await world.settle();
    expect(world.succeeded('undo'), world.describe()).toBe('False RestoreWindowExceeded');
    expect(kstatusOf(restored())).toBe('Failed');
    expect(restored().status).toMatchObject({ actualLSN: position, actualTime: '2026-11-25T10:56:02.000Z' });
    expect(said()).toMatch(/is the source as of 2026-11-25T10:56:02\.000Z, further back than spec\.restore\.maxAge/);
    expect(world.ready('undo')).toBe('False RestoreWindowExceeded');
    expect(ids()).toEqual([]);
    expect(world.emulator.admin.log().filter(({ what }) => what === 'credential.mint')).toEqual([]);
    await world.settle(3 * hourMs);
    expect(made()).toBe(1);
  });

  test('a position beyond the end of the log: refused in the words of the provider, and nothing is made when it comes', async () => {
    await begin();
    world.restore('undo', { lsn: formatLsn(BigInt(Date.parse('2026-11-25T15:00:00Z'))) });
    await world.settle(minuteMs);
    expect(world.succeeded('undo')).toBe('Unknown Restoring');
    await world.settle(4 * minuteMs);
    expect(world.succeeded('undo'), world.describe()).toBe('False CreateRefused');
    expect(kstatusOf(restored())).toBe('Failed');
    expect(said()).toMatch(/is beyond the end of the log of the source branch/);
    expect(world.condition('undo', 'Stalled')?.message).toMatch(/is beyond the end of the log of the source branch/);
    await world.settle(4 * hourMs);
    expect(made()).toBe(0);
  });

  test('the window passes while it waits for a slot: over for good, also when the class allows more and a slot is free', async () => {
    await begin([
      { spec: { restore: { allowed: true, maxAge: '2h10m', via: 'Any' }, limits: { total: 1, reserve: 0 } } },
    ]);
    world.apply('db');
    await world.settle();
    world.restore('undo', past);
    await world.settle(minuteMs);
    expect(said()).toMatch(/^DatabaseBranch undo: ClassLimitReached/);
    await world.settle(10 * minuteMs);
    expect(world.succeeded('undo'), world.describe()).toBe('False RestoreWindowExceeded');
    expect(world.ready('undo')).toBe('False RestoreWindowExceeded');
    changeClass(({ spec }) => void (spec.restore = { allowed: true, maxAge: '168h', via: 'Any' }));
    world.kube.delete(databaseBranchResource, { namespace: 'pr-1', name: 'db' });
    await world.settle(hourMs);
    expect(ids()).toEqual([]);
    expect(made()).toBe(1);
  });

  test('a source that does not exist: over after two minutes, and nothing is made when it comes', async () => {
    await begin();
    world.restore('undo', past, { source: { databaseBranchRef: { name: 'db' } } });
    await world.settle(minuteMs);
    expect(world.succeeded('undo')).toBe('Unknown SourceRefNotFound');
    await world.settle(2 * minuteMs);
    expect(world.succeeded('undo')).toBe('False RestoreSourceNotFound');
    expect(kstatusOf(restored())).toBe('Failed');
    world.apply('db', { children: 'Allow' });
    await world.settle(minuteMs);
    expect(madeObjects()).toBe(0);
  });

  test('a clock of the node that is ahead ends neither the wait for a source nor a window', async () => {
    await begin([{ spec: { restore: { allowed: true, maxAge: '2h30m', via: 'Any' } } }]);
    world.kube.offsetMs = -30 * minuteMs;
    world.emulator.faults.set({ clockSkewMs: -30 * minuteMs });
    // By the API server it is half past twelve.
    world.kube.seed<PointInTimeRestore>(pointInTimeRestoreResource, {
      ...world.restore('undo', past, { source: { databaseBranchRef: { name: 'db' } } }),
      metadata: { ...undo, name: 'later', creationTimestamp: '2026-11-25T12:30:00Z' },
    });
    world.restore('window', { time: '2026-11-25T10:10:02Z' });
    await world.settle(minuteMs);
    expect(world.succeeded('later')).toBe('Unknown SourceRefNotFound');
    expect(world.succeeded('window')).toBe('Unknown Restoring');
  });

  test('a class that goes half-way: what its object says, and on when the class is back', async () => {
    await begin([allowed], { behaviour: { ...slow, initMs: 30_000 } });
    world.restore('undo', past);
    await world.until('the branch was asked for', () => ids().length === 1);
    world.kube.edit(branchClassResource, { name: 'default' }, ({ metadata }) => void (metadata.finalizers = []));
    world.kube.delete(branchClassResource, { name: 'default' });
    await world.settle(2 * minuteMs);
    expect(world.succeeded('undo')).toBe('Unknown ClassNotFound');
    expect(said()).toMatch(/^DatabaseBranch undo: BranchClass default does not exist/);
    world.addClass(allowed);
    await world.settle(2 * minuteMs);
    expect(world.succeeded('undo'), world.describe()).toBe('True Restored');
    expect(made()).toBe(1);
  });

  test('an object of that name: it is not touched, and when it goes the restore goes on', async () => {
    await begin();
    const before = world.apply('undo', { expiration: { ttl: '300h' } });
    await world.settle();
    world.restore('undo', past);
    await world.settle();
    expect(world.succeeded('undo')).toBe('Unknown TargetExists');
    expect(world.object('undo')?.spec).toEqual(before.spec);
    expect(await world.opens('undo')).toBe(true);
    world.kube.delete(databaseBranchResource, undo);
    await world.settle();
    expect(world.succeeded('undo'), world.describe()).toBe('True Restored');
    expect(world.object('undo')?.metadata.uid).not.toBe(before.metadata.uid);
  });

  test('two restores that want one name at once: one has it, the other says so', async () => {
    await begin();
    const branchTemplate = { metadata: { name: 'wanted' } };
    world.restore('one', past, { branchTemplate });
    world.restore('two', past, { branchTemplate });
    await world.settle();
    expect([world.succeeded('one'), world.succeeded('two')].sort()).toEqual(['True Restored', 'Unknown TargetExists']);
    expect(made()).toBe(1);
  });

  test('what the API server does not take is said in its words, and goes on when it does', async () => {
    await begin();
    const message = 'databasebranches.lakebranch.dev "undo" is forbidden: exceeded quota: dbb';
    const heal = world.kube.failBefore(({ verb, type }) =>
      verb === 'create' && type.plural === 'databasebranches'
        ? new KubeError('POST', 403, { code: 403, reason: 'Forbidden', message })
        : undefined,
    );
    world.restore('undo', past);
    await world.settle(5 * minuteMs);
    expect(world.succeeded('undo')).toBe('Unknown RequestRefused');
    expect(said()).toContain(message);
    heal();
    await world.settle(2 * minuteMs);
    expect(world.succeeded('undo')).toBe('True Restored');
  });

  test('in a namespace that goes nothing is made, and nothing of it is left', async () => {
    await begin([allowed], { behaviour: { ...slow, initMs: 30_000 } });
    world.restore('undo', past);
    await world.until('the branch was asked for', () => ids().length === 1);
    world.kube.delete(namespaceResource, { name: 'pr-1' });
    const before = world.kube.calls.length;
    await world.settle(3 * minuteMs);
    expect(world.kube.calls.slice(before).filter(({ verb }) => verb === 'create')).toEqual([]);
    expect(world.kube.peek(namespaceResource, { name: 'pr-1' }), world.describe()).toBeUndefined();
    expect(ids()).toEqual([]);
  });
});

describe('what is deleted', () => {
  test('the restore before it made anything: nothing is left', async () => {
    await begin([{}]);
    world.restore('undo', past);
    await world.settle();
    world.kube.delete(pointInTimeRestoreResource, undo);
    changeClass(({ spec }) => void (spec.restore = { allowed: true, maxAge: '168h', via: 'Any' }));
    await world.settle();
    expect(madeObjects()).toBe(0);
    expect(made()).toBe(0);
  });

  test('the restore while a finalizer of somebody holds it: nothing is made any more', async () => {
    await begin([{}]);
    world.restore('undo', past);
    world.kube.edit(pointInTimeRestoreResource, undo, ({ metadata }) => void (metadata.finalizers = ['example.com/x']));
    await world.settle();
    world.kube.delete(pointInTimeRestoreResource, undo);
    changeClass(({ spec }) => void (spec.restore = { allowed: true, maxAge: '168h', via: 'Any' }));
    await world.settle();
    expect(madeObjects()).toBe(0);
  });

  test('the restore in the middle: its object owns the branch, is served, and ends by its own expiry', async () => {
    await begin();
    world.restore('undo', past, { branchTemplate: { spec: { expiration: { ttl: '1h' } } } });
    await world.until('the branch was asked for', () => ids().length === 1);
    world.kube.delete(pointInTimeRestoreResource, undo);
    await world.settle();
    expect(world.ready('undo'), world.describe()).toBe('True');
    await world.settle(hourMs);
    expect(ids()).toEqual([]);
  });

  const onlyRestores: Change<BranchClass> = {
    spec: { restore: { ...allowed.spec?.restore, via: 'PointInTimeRestoreOnly' } },
  };

  test('the restore, where only restores may, before its object had its turn: that makes nothing any more', async () => {
    await begin([onlyRestores], { behaviour: { ...slow, limits: { unarchivedBranches: 2 } } });
    world.apply('db');
    await world.settle();
    world.restore('undo', past);
    await world.settle();
    world.kube.delete(pointInTimeRestoreResource, undo);
    world.kube.delete(databaseBranchResource, { namespace: 'pr-1', name: 'db' });
    await world.settle(hourMs);
    expect(world.ready('undo')).toBe('False RestoreGone');
    expect(ids()).toEqual([]);
  });

  test('the restore, where only restores may, after it was done: its object is served as ever', async () => {
    await begin([onlyRestores]);
    world.restore('undo', past);
    await world.settle();
    world.kube.delete(pointInTimeRestoreResource, undo);
    await world.settle(3 * hourMs);
    expect(world.ready('undo')).toBe('True');
    expect(await world.opens('undo')).toBe(true);
  });

  test.each<[string, () => Promise<void>, RegExp]>([
    [
      'somebody deletes its object',
      () => Promise.resolve(world.kube.delete(databaseBranchResource, undo)),
      /was deleted before it was ready/,
    ],
    ['its object comes to its end', () => world.settle(hourMs), /ended \(Expired\) before it was ready/],
  ])('%s: it is over, and nothing is made again', async (_sentence, lose, words) => {
    await begin([allowed], { behaviour: { ...slow, initMs: 2 * hourMs } });
    world.restore('undo', past, { branchTemplate: { spec: { expiration: { ttl: '30m' } } } });
    await world.until('the branch was asked for', () => ids().length === 1);
    await lose();
    await world.settle(3 * hourMs);
    expect(world.succeeded('undo'), world.describe()).toBe('False RestoredBranchGone');
    expect(said()).toMatch(words);
    expect(madeObjects()).toBe(1);
    expect(made()).toBe(1);
  });

  test('its object after it was ready: the record stays, and nothing is made again', async () => {
    await begin();
    world.restore('undo', past);
    await world.settle();
    const { status } = restored();
    world.kube.delete(databaseBranchResource, undo);
    await world.settle(hourMs);
    world.processes.at(-1)?.kill();
    world.launch();
    await world.settle(hourMs);
    expect(restored().status).toEqual(status);
    expect(madeObjects()).toBe(1);
    expect(told()).toEqual(['RestoreStarted', 'Restored']);
  });
});

/** The operator dies, the status is lost, another operator starts. */
function wipeStatus(): void {
  for (const { kill } of world.processes) kill();
  world.kube.edit<PointInTimeRestore>(pointInTimeRestoreResource, undo, (restore) => void delete restore.status);
  world.launch();
}

/** As Velero does it, or a GitOps tool without the annotations: another uid, another creation, no status. */
function bringBack(annotations: 'kept' | 'lost'): void {
  const { metadata, spec } = restored();
  for (const { kill } of world.processes) kill();
  world.kube.delete(pointInTimeRestoreResource, undo);
  world.kube.seed(pointInTimeRestoreResource, {
    metadata: { ...undo, ...(annotations === 'kept' ? { annotations: metadata.annotations ?? {} } : {}) },
    spec,
  } as KubeObject);
  world.launch();
}

describe('what is lost', () => {
  test.each<[string, stage: () => boolean]>([
    ['before anything was made', () => true],
    ['when its object was made', () => madeObjects() === 1],
    ['when the branch was asked for', () => ids().length === 1],
    ['when its object is served', () => world.ready('undo') === 'True'],
    ['when it is over', () => world.succeeded('undo') === 'True Restored'],
  ])('the status, %s: it ends as it would have, with one object', async (_sentence, stage) => {
    await begin();
    world.restore('undo', past);
    await world.until('the stage', stage);
    wipeStatus();
    await world.settle(2 * minuteMs);
    expect(world.succeeded('undo'), world.describe()).toBe('True Restored');
    expect(restored().status).toMatchObject({ skewSeconds: 2, branchRef: { name: 'undo' } });
    expect(restored().status?.durationMilliseconds).toBeGreaterThanOrEqual(0);
    expect(madeObjects()).toBe(1);
    expect(made()).toBe(1);
  });

  test('the status of one that is over, with the operator running: it is written again', async () => {
    await begin();
    world.restore('undo', past);
    await world.settle();
    world.kube.edit<PointInTimeRestore>(pointInTimeRestoreResource, undo, (restore) => void delete restore.status);
    await world.settle();
    expect(world.succeeded('undo')).toBe('True Restored');
  });

  test('the annotation of one that is over, whose object is gone: it is put back, and the record stays', async () => {
    await begin();
    world.restore('undo', past);
    await world.settle();
    world.kube.delete(databaseBranchResource, undo);
    await world.settle();
    const { status, metadata } = restored();
    world.kube.edit(pointInTimeRestoreResource, undo, (object) => void delete object.metadata.annotations);
    await world.settle();
    expect(restored().status).toEqual(status);
    expect(restored().metadata.annotations).toEqual(metadata.annotations);
    expect(madeObjects()).toBe(1);
  });

  test('the status of one that was too far off: it is never tried again', async () => {
    await begin([allowed], { behaviour: { ...slow, sourceTimeSnapMs: hourMs } });
    world.restore('undo', past);
    await world.settle();
    const before = said();
    wipeStatus();
    await world.settle(2 * minuteMs);
    expect(world.succeeded('undo')).toBe('False TimeSkewTooLarge');
    expect(said()).toBe(before);
    expect(made()).toBe(1);
  });

  test.each(['with', 'without'])(
    'all but the annotation, %s its object: it reports, and makes nothing',
    async (object) => {
      await begin();
      world.restore('undo', past);
      await world.settle();
      if (object === 'without') world.kube.delete(databaseBranchResource, undo);
      await world.settle(24 * hourMs);
      const [before, tellings] = [ids(), told().length];
      bringBack('kept');
      await world.settle(hourMs);
      expect(world.succeeded('undo')).toBe('True Restored');
      expect(kstatusOf(restored())).toBe('Current');
      expect(ids()).toEqual(before);
      expect(madeObjects()).toBe(1);
      expect(restored().status).not.toHaveProperty('startTime');
      expect(told()).toHaveLength(tellings);
    },
  );

  test('also the annotation, within the window: it is another restore, and the name decides', async () => {
    await begin();
    world.restore('undo', past);
    await world.settle();
    bringBack('lost');
    await world.settle(hourMs);
    expect(world.succeeded('undo')).toBe('Unknown TargetExists');
    world.kube.delete(databaseBranchResource, undo);
    await world.settle();
    expect(world.succeeded('undo'), world.describe()).toBe('True Restored');
    expect(madeObjects()).toBe(2);
  });

  test('also the annotation, after the window: it is too late, for good', async () => {
    await begin();
    world.restore('undo', past);
    await world.settle();
    world.kube.delete(databaseBranchResource, undo);
    await world.settle(168 * hourMs);
    bringBack('lost');
    await world.settle(hourMs);
    expect(world.succeeded('undo')).toBe('False RestoreWindowExceeded');
    expect(madeObjects()).toBe(1);
  });
});

test('every status on the way was lawful, each after the one before', async () => {
  await begin();
  world.restore('undo', past);
  await world.settle();
  const versions = world.kube.history<PointInTimeRestore>(pointInTimeRestoreResource, undo);
  expect(versions.length).toBeGreaterThan(4);
  for (const [index, { object }] of versions.entries()) expectLawfulStatus(object, versions[index - 1]?.object);
});

test('a restore costs the API server little: one object, one mark, and a status for each thing it says', async () => {
  await begin();
  world.restore('undo', past);
  await world.settle(10 * minuteMs);
  const calls = world.kube.calls.filter(
    ({ type, key, verb }) => type.plural === 'pointintimerestores' && key === 'pr-1/undo' && verb !== 'watch',
  );
  expect(calls.filter(({ verb }) => verb === 'mergePatch')).toHaveLength(1);
  expect(calls.filter(({ verb }) => verb === 'get')).toHaveLength(1);
  const words = new Set(
    world.kube
      .history<PointInTimeRestore>(pointInTimeRestoreResource, undo)
      .map(({ object }) => findCondition(object.status?.conditions ?? [], 'Ready')?.message),
  );
  expect(calls.filter(({ verb }) => verb === 'replace').length).toBeLessThanOrEqual(words.size + 2);
});
