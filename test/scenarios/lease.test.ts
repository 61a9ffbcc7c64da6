// Every branch has an end: by the operator at its time, and by the provider if nobody is left to do it.
import { afterEach, expect, test } from 'vitest';
import { annotationKey, branchClassResource, databaseBranchResource, secretResource } from '../../src/api/names.ts';
import type { BranchClass } from '../../src/api/v1alpha1/branch-class.ts';
import type { DatabaseBranch } from '../../src/api/v1alpha1/database-branch.ts';
import { nextLeaseInstant } from '../../src/controllers/database-branch/lease.ts';
import type { KubeObject } from '../../src/kit/kube.ts';
import { Scenario, type ScenarioOptions } from '../scenario.ts';

const hourMs = 3_600_000;
const minuteMs = 60_000;
const leaseMs = 96 * hourMs;
let world: Scenario;
const begin = (options?: ScenarioOptions): Scenario => (world = new Scenario(options));
afterEach(() => world.stop());

const db = { namespace: 'pr-1', name: 'db' };
const nowMs = (): number => world.clock.now().getTime();
const edit = (change: (object: DatabaseBranch) => void): void =>
  void world.kube.edit<DatabaseBranch>(databaseBranchResource, db, change);
const editClass = (change: (bclass: BranchClass) => void): void =>
  void world.kube.edit<BranchClass>(branchClassResource, { name: 'default' }, change);
const branchOf = (name = 'db') =>
  world
    .branches()
    .find(({ uid }) => uid === (world.object(name)?.status?.branch ?? world.object(name)?.status?.candidate)?.uid);
/** How long the provider would keep the branch if nobody asked it again. */
const leftMs = (name = 'db'): number => (branchOf(name)?.expiresAt ?? Infinity) - nowMs();
const expiration = (name = 'db') => world.object(name)?.status?.expiration;
const endMs = (name = 'db'): number => Date.parse(expiration(name)?.expireTime ?? '');
const branchPath = '/api/2.0/postgres/projects/*/branches/*';

interface Happened extends KubeObject {
  readonly type: string;
  readonly reason: string;
  readonly note: string;
}
const events = (reason: string): Happened[] =>
  world.kube
    .all<Happened>({ group: 'events.k8s.io', version: 'v1', plural: 'events', kind: 'Event', namespaced: true })
    .filter((event) => event.reason === reason);

interface Sent {
  readonly atMs: number;
  readonly method: string;
  /** Below the project. */
  readonly path: string;
  readonly spec: { readonly expire_time?: string; readonly no_expiry?: boolean };
}

/** What is sent to the provider from now on. */
function recording(): Sent[] {
  const sent: Sent[] = [];
  const handle = world.emulator.handle.bind(world.emulator);
  world.emulator.handle = (request) => {
    const [, path] = /projects\/shop\/([^?]*)/.exec(request.url) ?? [];
    if (path === undefined) return handle(request);
    const { spec = {} } = JSON.parse(request.body || '{}') as { spec?: Sent['spec'] };
    sent.push({ atMs: nowMs(), method: request.method, path, spec });
    return handle(request);
  };
  return sent;
}

/** From now on each GET of a branch takes so long. */
function slowGets(ms: number): void {
  const handle = world.emulator.handle.bind(world.emulator);
  world.emulator.handle = async (request) => {
    if (request.method === 'GET' && /branches\/[^/]+$/.test(request.url)) await world.hold(ms);
    return handle(request);
  };
}

const expiries = (sent: readonly Sent[], method: string): Sent[] =>
  sent.filter((one) => one.method === method && /^branches(\/[^/]+)?$/.test(one.path));
const aheadHours = ({ spec, atMs }: Sent): number => Math.round((Date.parse(spec.expire_time ?? '') - atMs) / hourMs);

const long = { expiration: { ttl: '300h' } };

async function given(spec: Partial<DatabaseBranch['spec']> = long, options?: ScenarioOptions): Promise<void> {
  begin(options).launch();
  world.apply('db', spec);
  await world.settle(3 * minuteMs);
  expect(world.ready('db'), world.describe()).toBe('True');
}

function killAll(): void {
  for (const { kill } of world.processes) kill();
}

test('every 12 hours, each object at an instant of its own, the lease is whole again: never less than 84 of 96 hours', async () => {
  begin().launch();
  const names = Array.from({ length: 4 }, (_, n) => `db-${n}`);
  for (const name of names) world.apply(name, { expiration: { ttl: '300h' } });
  await world.settle(3 * minuteMs);
  const sent = recording();
  for (let n = 0; n < 24; n++) {
    await world.settle(hourMs);
    for (const name of names) expect(leftMs(name)).toBeGreaterThanOrEqual(84 * hourMs);
  }
  const instants = new Set<number>();
  for (const name of names) {
    const path = `branches/${branchOf(name)?.id ?? ''}`;
    const patches = sent.filter((one) => one.path === path && one.method === 'PATCH');
    expect(patches).toHaveLength(2);
    for (const { atMs } of patches) instants.add(atMs % (12 * hourMs));
    expect(patches.map(aheadHours)).toEqual([96, 96]);
    // Each with the GET that guards it.
    expect(sent.filter((one) => one.path === path)).toHaveLength(4);
  }
  expect(instants.size).toBeGreaterThanOrEqual(4);
  expect(instants.size).toBeLessThanOrEqual(8);
}, 60_000);

test('the provider is never told more than ten minutes past the end, and nothing more once it knows the end', async () => {
  await given({ expiration: { ttl: '40h' } }, { classes: [{ spec: { expiration: { lease: '24h' } } }] });
  for (let n = 0; n < 28; n++) {
    await world.settle(hourMs);
    expect(branchOf()?.expiresAt).toBeLessThanOrEqual(endMs() + 10 * minuteMs);
  }
  expect(branchOf()?.expiresAt).toBe(endMs() + 10 * minuteMs);
  const sent = recording();
  await world.settle(11 * hourMs);
  expect(expiries(sent, 'PATCH')).toEqual([]);
});

test('a restart extends nothing early and nothing late', async () => {
  await given();
  await world.settle(20 * hourMs);
  const lease = expiration()?.leaseTime;
  const sent = recording();
  killAll();
  world.launch();
  await world.settle(minuteMs);
  expect(expiries(sent, 'PATCH')).toEqual([]);
  expect(expiration()?.leaseTime).toBe(lease);
  await world.settle(12 * hourMs);
  expect(expiries(sent, 'PATCH')).toHaveLength(1);
});

test('an operator that is away for 84 hours loses no branch', async () => {
  begin().launch();
  const names = Array.from({ length: 3 }, (_, n) => `db-${n}`);
  for (const name of names) world.apply(name, { expiration: { ttl: '300h' } });
  await world.settle(14 * hourMs);
  killAll();
  await world.settle(84 * hourMs - minuteMs);
  expect(world.branches()).toHaveLength(3);
  world.launch();
  await world.settle(5 * minuteMs);
  for (const name of names) {
    expect(await world.opens(name)).toBe(true);
    expect(leftMs(name)).toBeGreaterThanOrEqual(84 * hourMs);
  }
});

test('a branch whose lease ran out while nobody was there is LeaseLapsed, one whose end had come is Expired', async () => {
  begin().launch();
  world.apply('lapsed', { expiration: { ttl: '300h' } });
  world.apply('over', { expiration: { ttl: '50h' } });
  await world.settle();
  killAll();
  await world.settle(97 * hourMs);
  expect(world.branches()).toEqual([]);
  world.launch();
  await world.settle(5 * minuteMs);
  expect(world.ready('lapsed')).toBe('False LeaseLapsed');
  expect(world.ready('over')).toBe('False Expired');
  for (const name of ['lapsed', 'over']) expect(world.secret(name)).toBeUndefined();
});

test('an expiry that was held up for 30 s is not sent: it is computed anew', async () => {
  await given();
  const dueMs = nextLeaseInstant(world.object('db')?.metadata.uid ?? '', world.clock.now()).getTime();
  await world.settle(dueMs - nowMs() - 1000);
  slowGets(5000);
  const sent = recording();
  world.emulator.faults.inject({
    method: 'PATCH',
    path: branchPath,
    times: 1,
    trouble: { kind: 'answer', status: 429, retryAfterSeconds: 28 },
  });
  await world.settle(5 * minuteMs);
  const patches = expiries(sent, 'PATCH');
  expect(patches).toHaveLength(2);
  for (const { spec, atMs } of patches)
    expect(atMs + leaseMs - Date.parse(spec.expire_time ?? '')).toBeLessThanOrEqual(1000);
  expect(leftMs()).toBeGreaterThan(95 * hourMs);
});

test('a pass that is older than 30 s sends no expiry', async () => {
  await given();
  const dueMs = nextLeaseInstant(world.object('db')?.metadata.uid ?? '', world.clock.now()).getTime();
  await world.settle(dueMs - nowMs() - 20_000);
  killAll();
  edit(({ spec }) => void (spec.reset = { token: '', strategy: 'Switch', drain: '10m' }));
  slowGets(5000);
  const sent = recording();
  let held = 0;
  world.kube.failBefore((call) => {
    if (held > 0 || call.verb !== 'get' || call.type.plural !== 'secrets' || call.key !== 'pr-1/db') return undefined;
    held++;
    return world.hold(28_000);
  });
  world.launch();
  await world.settle(3 * minuteMs);
  expect(held).toBe(1);
  // The GET of the pass that was too old, and that of the next one.
  const path = `branches/${branchOf()?.id ?? ''}`;
  const first = sent.filter((one) => one.path === path).slice(0, 3);
  expect(first.map(({ method }) => method)).toEqual(['GET', 'GET', 'PATCH']);
  expect(leftMs()).toBeGreaterThan(95 * hourMs);
});

const longLeased: ScenarioOptions['classes'] = [
  { spec: { expiration: { default: '400h', max: '720h', lease: '336h' } } },
];
const roomy = { unarchivedBranches: 40, expirationSeconds: 100 * 3600 };

test('a POST that is refused as too far ahead is tried with less, once each, and the class remembers what was taken', async () => {
  begin({ classes: longLeased, behaviour: { limits: roomy } }).launch();
  await world.byHand('PATCH', 'projects/shop?update_mask=spec.history_retention_duration', {
    spec: { history_retention_duration: '864000s' },
  });
  await world.settle(11 * minuteMs);
  const sent = recording();
  world.apply('db');
  await world.settle(3 * minuteMs);
  expect(world.ready('db'), world.describe()).toBe('True');
  expect(expiries(sent, 'POST').map(aheadHours)).toEqual([336, 240, 168, 24]);
  expect(world.condition('db', 'ExpirationClamped')?.status).toBe('True');
  expect(expiration()?.clampedFrom).toBeDefined();
  sent.length = 0;
  const others = Array.from({ length: 25 }, (_, n) => `other-${n}`);
  for (const name of others) world.apply(name);
  await world.settle(3 * minuteMs);
  for (const name of others) expect(world.condition(name, 'ExpirationClamped')?.status).toBe('True');
  expect(expiries(sent, 'POST').map(aheadHours)).toEqual(others.map(() => 24));
  expect(events('LeaseClamped')).toHaveLength(26);
}, 120_000);

test('what the provider has granted once is never shortened, though it refuses as much from now on', async () => {
  begin({ classes: longLeased, behaviour: { limits: { unarchivedBranches: 40 } } }).launch();
  const names = Array.from({ length: 6 }, (_, n) => `db-${n}`);
  for (const name of names) world.apply(name);
  await world.settle(3 * minuteMs);
  world.emulator.faults.set({ limits: { expirationSeconds: 100 * 3600 } });
  const sent = recording();
  await world.settle(13 * hourMs);
  const perObject = Map.groupBy(expiries(sent, 'PATCH'), ({ path }) => path);
  for (const tried of perObject.values()) expect(tried.map(aheadHours).filter((hours) => hours < 320)).toEqual([]);
  expect(perObject.size).toBe(names.length);
  for (const name of names) expect(leftMs(name)).toBeGreaterThan(320 * hourMs);
}, 120_000);

test('a PATCH that is refused as too far ahead is tried with less, once each, and the class remembers what was taken', async () => {
  begin({ classes: longLeased, behaviour: { limits: { unarchivedBranches: 40 } } }).launch();
  for (const name of ['db', 'other']) world.apply(name);
  await world.settle(3 * minuteMs);
  world.emulator.faults.set({ limits: { expirationSeconds: 100 * 3600 } });
  const shorten = (name: string): Promise<void> =>
    world.byHand('PATCH', `projects/shop/branches/${branchOf(name)?.id ?? ''}?update_mask=spec.expiration`, {
      spec: { expire_time: new Date(nowMs() + 5 * hourMs).toISOString() },
    });
  const sent = recording();
  const byUs = (): number[] =>
    expiries(sent, 'PATCH')
      .map(aheadHours)
      .filter((hours) => hours !== 5);
  await shorten('db');
  await world.settle(15 * minuteMs);
  expect(byUs()).toEqual([336, 168, 24]);
  expect(world.condition('db', 'ExpirationClamped')?.status).toBe('True');
  sent.length = 0;
  await shorten('other');
  await world.settle(15 * minuteMs);
  expect(byUs()).toEqual([24]);
  expect(leftMs('other')).toBeGreaterThan(23 * hourMs);
});

test.each<[string, Partial<DatabaseBranch['spec']>]>([
  ['never', { expiration: { never: true } }],
  ['children: Allow', { children: 'Allow' }],
])(
  '%s: leased until it is on record and served, then without an expiry, and the status says who ends it',
  async (_what, spec) => {
    begin({
      classes: [{ spec: { expiration: { allowNever: true } } }],
      behaviour: { initMs: 5000, loginRefusedMs: 20_000 },
    }).launch();
    const sent = recording();
    world.apply('db', { expiration: { ttl: '300h' }, ...spec });
    await world.until('the branch is there', () => world.branches().length === 1);
    while (world.ready('db') !== 'True') {
      expect((world.branches()[0]?.expiresAt ?? Infinity) - nowMs()).toBeLessThanOrEqual(leaseMs);
      await world.settle(1000);
    }
    await world.settle(minuteMs);
    const [patch] = expiries(sent, 'PATCH');
    expect(patch?.spec).toEqual({ no_expiry: true });
    const recorded = world.kube
      .history<DatabaseBranch>(databaseBranchResource, db)
      .find(({ object }) => object.status?.branch?.uid !== undefined);
    expect(recorded?.at.getTime()).toBeLessThanOrEqual(patch?.atMs ?? 0);
    expect(branchOf()?.expiresAt).toBeUndefined();
    expect(expiration()).toMatchObject({ enforcedBy: 'Operator' });
    expect(expiration()?.leaseTime).toBeUndefined();
    await world.settle(26 * hourMs);
    expect(world.ready('db')).toBe('True');
    expect(expiries(sent, 'PATCH')).toHaveLength(1);
  },
);

test('children: Allow ends at its time by the hand of the operator', async () => {
  await given({ children: 'Allow', expiration: { ttl: '30h' } });
  await world.settle(29 * hourMs);
  expect(world.branches()).toHaveLength(1);
  expect(branchOf()?.expiresAt).toBeUndefined();
  await world.settle(70 * minuteMs);
  expect(world.ready('db')).toBe('False Expired');
  expect(world.branches()).toEqual([]);
});

test('children: Allow that becomes Forbid is leased again, and the other way round', async () => {
  await given({ ...long, children: 'Allow' });
  expect(branchOf()?.expiresAt).toBeUndefined();
  edit(({ spec }) => void (spec.children = 'Forbid'));
  await world.settle(minuteMs);
  expect(leftMs()).toBeGreaterThan(95 * hourMs);
  expect(expiration()).toMatchObject({ enforcedBy: 'Provider' });
  edit(({ spec }) => void (spec.children = 'Allow'));
  await world.settle(minuteMs);
  expect(branchOf()?.expiresAt).toBeUndefined();
  expect(expiration()).toMatchObject({ enforcedBy: 'Operator' });
});

test('children: Forbid on a branch that still has children gets its lease when they are gone', async () => {
  await given({ ...long, children: 'Allow' });
  const parent = `projects/shop/branches/${branchOf()?.id ?? ''}`;
  await world.byHand('POST', 'projects/shop/branches?branch_id=fork', {
    spec: { source_branch: parent, no_expiry: true },
  });
  const sent = recording();
  edit(({ spec }) => void (spec.children = 'Forbid'));
  await world.settle(2 * hourMs);
  expect(branchOf()?.expiresAt).toBeUndefined();
  expect(await world.opens('db')).toBe(true);
  expect(world.ready('db')).toBe('True');
  expect(expiration()).toMatchObject({ enforcedBy: 'Operator' });
  expect(expiries(sent, 'PATCH').length).toBeLessThan(30);
  await world.removeBranch('fork');
  await world.settle(15 * minuteMs);
  expect(leftMs()).toBeGreaterThan(95 * hourMs);
  expect(world.condition('db', 'ExpirationClamped')).toBeUndefined();
});

test('an edit of the class neither shortens, kills nor revives', async () => {
  await given({});
  const end = endMs();
  world.apply('other', { expiration: { ttl: '1h' } });
  await world.settle(2 * hourMs);
  expect(world.ready('other')).toBe('False Expired');
  editClass(({ spec }) => void Object.assign(spec.expiration, { default: '1h', max: '2h' }));
  await world.settle(5 * hourMs);
  expect(endMs()).toBe(end);
  expect(world.ready('db')).toBe('True');
  expect(await world.opens('db')).toBe(true);
  editClass(({ spec }) => void Object.assign(spec.expiration, { default: '700h', max: '700h' }));
  await world.settle(hourMs);
  expect(endMs()).toBe(end);
  expect(world.ready('other')).toBe('False Expired');
  expect(world.branches()).toHaveLength(1);
});

test('an edit of the lease in the class is followed, and no branch outlives the new one', async () => {
  await given();
  editClass(({ spec }) => void (spec.expiration.lease = '48h'));
  await world.settle(12 * minuteMs);
  expect(leftMs()).toBeLessThanOrEqual(48 * hourMs);
  await world.settle(13 * hourMs);
  expect(leftMs()).toBeGreaterThanOrEqual(36 * hourMs);
  editClass(({ spec }) => void (spec.expiration.lease = '96h'));
  await world.settle(13 * hourMs);
  expect(leftMs()).toBeGreaterThanOrEqual(84 * hourMs);
});

test('a reset does not move the end', async () => {
  await given();
  const end = endMs();
  await world.settle(20 * hourMs);
  edit(({ spec }) => void (spec.reset = { token: '1', strategy: 'Switch', drain: '5m' }));
  await world.settle(10 * minuteMs);
  expect(endMs()).toBe(end);
});

const loseStatus = (): void => edit((object) => void delete object.status);

test('a pin that is lost and that the class would have expired by now: a day more, and a warning, once', async () => {
  await given({});
  await world.settle(25 * hourMs);
  editClass(({ spec }) => void (spec.expiration.default = '24h'));
  killAll();
  loseStatus();
  world.launch();
  await world.settle(5 * minuteMs);
  expect(world.ready('db')).toBe('True');
  expect(endMs() - nowMs()).toBeGreaterThan(23.8 * hourMs);
  expect(endMs() - nowMs()).toBeLessThanOrEqual(24 * hourMs);
  expect(events('ExpirationPinnedAnew')).toHaveLength(1);
  expect(events('ExpirationPinnedAnew')[0]).toMatchObject({ type: 'Warning' });
  expect(events('ExpirationPinnedAnew')[0]?.note).toContain(expiration()?.expireTime);
  const end = endMs();
  await world.settle(20 * hourMs);
  expect(endMs()).toBe(end);
  expect(events('ExpirationPinnedAnew')).toHaveLength(1);
  await world.settle(4 * hourMs);
  expect(world.ready('db')).toBe('False Expired');
  expect(world.branches()).toEqual([]);
});

test('a pin that is lost although the class is as it was is the same again, without a word', async () => {
  await given({});
  const before = expiration()?.expireTime;
  killAll();
  loseStatus();
  world.launch();
  await world.settle(5 * minuteMs);
  expect(expiration()?.expireTime).toBe(before);
  expect(events('ExpirationPinnedAnew')).toEqual([]);
});

test('a pin that is lost when the maximum is lower by now: the object ends when its own ttl says', async () => {
  await given({ expiration: { ttl: '200h' } });
  const before = expiration()?.expireTime;
  editClass(({ spec }) => void Object.assign(spec.expiration, { default: '24h', max: '48h' }));
  killAll();
  loseStatus();
  world.launch();
  await world.settle(5 * minuteMs);
  expect(expiration()?.expireTime).toBe(before);
  expect(world.ready('db')).toBe('True');
});

test('at the end: first the mark, then the Secret, then the branch, then the status; wherever the process dies', async () => {
  let points = 0;
  for (const how of ['before', 'after', 'answerLost'] as const) {
    for (let write = 1; write <= 5; write++) {
      begin().launch();
      world.apply('db', { expiration: { ttl: '2h' } });
      await world.settle(2 * hourMs - minuteMs);
      killAll();
      const { fence } = world.launch();
      await world.settle(55_000);
      killAll();
      expect(fence.writes).toBe(0);
      world.launch({ write, how });
      await world.settle(minuteMs);
      killAll();
      // Not even a class that would give it longer brings it back.
      editClass(({ spec }) => void Object.assign(spec.expiration, { default: '700h', max: '700h' }));
      world.launch();
      await world.settle(30 * minuteMs);
      const where = `${how} ${write}: ${world.describe()}`;
      expect(world.ready('db'), where).toBe('False Expired');
      expect(world.secret('db'), where).toBeUndefined();
      expect(world.branches(), where).toEqual([]);
      const at = (found: { at: Date } | undefined): number => found?.at.getTime() ?? NaN;
      const marked = world.kube
        .history<DatabaseBranch>(databaseBranchResource, db)
        .find(({ object }) => object.metadata.annotations?.[annotationKey.ended] !== undefined);
      const withdrawn = world.kube.history(secretResource, db).find(({ event }) => event === 'DELETED');
      const deleted = world.emulator.admin.log().find(({ what }) => what === 'branch.delete');
      expect(at(marked), where).toBeLessThanOrEqual(at(withdrawn));
      expect(at(withdrawn), where).toBeLessThanOrEqual(at(deleted));
      await world.stop();
      points++;
    }
  }
  expect(points).toBe(15);
}, 120_000);

test.each<[string, () => void, () => void]>([
  ['the API server', () => void (world.kube.offsetMs = 3 * minuteMs), () => void (world.kube.offsetMs = 0)],
  [
    'the provider, which is behind',
    () => world.emulator.faults.set({ clockSkewMs: -3 * minuteMs }),
    () => world.emulator.faults.set({ clockSkewMs: 0 }),
  ],
])(
  'nothing is deleted for age while our clock differs from that of %s; the credential stays fresh, and the status says why',
  async (_who, skew, right) => {
    await given({ children: 'Allow', expiration: { ttl: '2h' } });
    skew();
    await world.settle(4 * hourMs);
    expect(world.branches(), world.describe()).toHaveLength(1);
    expect(await world.opens('db')).toBe(true);
    expect(world.ready('db')).toBe('True');
    expect(world.condition('db', 'Expiring')?.reason).toBe('ClockSkewed');
    right();
    await world.settle(5 * minuteMs);
    expect(world.ready('db')).toBe('False Expired');
    expect(world.branches()).toEqual([]);
  },
);

test('clocks that differ by less than two minutes stop nothing', async () => {
  await given({ expiration: { ttl: '2h' } });
  world.kube.offsetMs = -100_000;
  world.emulator.faults.set({ clockSkewMs: 100_000 });
  await world.settle(2 * hourMs + minuteMs);
  expect(world.ready('db')).toBe('False Expired');
});

test('a branch that the provider has removed at its end is given up even while clocks differ', async () => {
  await given({ expiration: { ttl: '2h' } });
  world.kube.offsetMs = 5 * minuteMs;
  await world.settle(2 * hourMs + 30 * minuteMs);
  expect(world.branches()).toEqual([]);
  expect(world.ready('db')).toBe('False Expired');
  expect(world.secret('db')).toBeUndefined();
});

test('the end is announced a day and an hour before, once each, also when the operator starts anew', async () => {
  await given({ expiration: { ttl: '48h' } });
  const relaunch = async (): Promise<void> => {
    killAll();
    world.launch();
    await world.settle(2 * minuteMs);
  };
  await world.settle(23 * hourMs + 50 * minuteMs);
  expect(events('ExpiresSoon')).toHaveLength(0);
  expect(world.condition('db', 'Expiring')).toBeUndefined();
  await world.settle(8 * minuteMs);
  expect(events('ExpiresSoon')).toHaveLength(1);
  expect(world.condition('db', 'Expiring')?.message).toContain('24 hours');
  await relaunch();
  await world.settle(22 * hourMs + 50 * minuteMs);
  await relaunch();
  expect(events('ExpiresSoon')).toHaveLength(1);
  await world.settle(10 * minuteMs);
  expect(events('ExpiresSoon')).toHaveLength(2);
  expect(world.condition('db', 'Expiring')?.message).toContain('hour');
  await relaunch();
  await world.settle(30 * minuteMs);
  expect(events('ExpiresSoon')).toHaveLength(2);
  expect(events('ExpiresSoon').every(({ type }) => type === 'Warning')).toBe(true);
});

test('a life that is made longer takes the warning back', async () => {
  await given({ expiration: { ttl: '24h' } });
  await world.settle(23 * hourMs);
  expect(world.condition('db', 'Expiring')?.status).toBe('True');
  edit(({ spec }) => void (spec.expiration = { ttl: '200h' }));
  await world.settle(minuteMs);
  expect(world.condition('db', 'Expiring')).toBeUndefined();
  await world.settle(13 * hourMs);
  expect(world.ready('db')).toBe('True');
  expect(leftMs()).toBeGreaterThan(84 * hourMs);
});

test('a branch that somebody protects has no lease: the status says so, and the lease comes back with the end of that', async () => {
  await given();
  await world.protectBranch(branchOf()?.id ?? '');
  await world.settle(12 * minuteMs);
  expect(expiration()).toMatchObject({ enforcedBy: 'Operator' });
  expect(expiration()?.leaseTime).toBeUndefined();
  expect(world.condition('db', 'Drifted')?.message).toContain('protected');
  expect(world.ready('db')).toBe('True');
  const sent = recording();
  await world.settle(2 * hourMs);
  expect(await world.opens('db')).toBe(true);
  expect(sent.filter(({ method }) => method !== 'GET')).toEqual([]);
  expect(sent.filter(({ path }) => path.startsWith('branches/')).length).toBeLessThan(15);
  await world.byHand('PATCH', `projects/shop/branches/${branchOf()?.id ?? ''}?update_mask=spec.is_protected`, {
    spec: { is_protected: false },
  });
  await world.settle(12 * minuteMs);
  expect(expiration()).toMatchObject({ enforcedBy: 'Provider' });
  expect(world.condition('db', 'Drifted')).toBeUndefined();
  expect(leftMs()).toBeGreaterThan(84 * hourMs);
});

test('a protected branch outlives its object’s end without a Secret, is named, and goes when it may', async () => {
  await given({ expiration: { ttl: '3h' } });
  const id = branchOf()?.id ?? '';
  await world.protectBranch(id);
  await world.settle(4 * hourMs);
  expect(world.ready('db')).toBe('False Expired');
  expect(world.secret('db')).toBeUndefined();
  expect(world.condition('db', 'Ready')?.message).toContain(id);
  await world.protectBranch(id, false);
  await world.settle(5 * minuteMs);
  expect(world.branches()).toEqual([]);
});

test.each<[string, object]>([
  ['shortened', { expire_time: '2026-11-26T12:00:00Z' }],
  ['lengthened', { expire_time: '2026-12-20T12:00:00Z' }],
  ['removed', { no_expiry: true }],
])('an expiry that somebody has %s is as it should be within ten minutes', async (_how, spec) => {
  await given();
  await world.settle(5 * hourMs);
  await world.byHand('PATCH', `projects/shop/branches/${branchOf()?.id ?? ''}?update_mask=spec.expiration`, { spec });
  await world.settle(11 * minuteMs);
  expect(leftMs()).toBeLessThanOrEqual(leaseMs);
  expect(leftMs()).toBeGreaterThanOrEqual(84 * hourMs);
  expect(expiration()?.enforcedBy).toBe('Provider');
  expect(Date.parse(expiration()?.leaseTime ?? '')).toBe(branchOf()?.expiresAt);
});

test('a size that somebody has changed is as it should be after the next extension of the lease', async () => {
  await given({ ...long, endpoint: { minCU: '0.5', maxCU: 2 } });
  await world.byHand(
    'PATCH',
    `projects/shop/branches/${branchOf()?.id ?? ''}/endpoints/primary?update_mask=spec.autoscaling_limit_max_cu`,
    { spec: { autoscaling_limit_max_cu: 8 } },
  );
  await world.settle(13 * hourMs);
  expect(Object.values(branchOf()?.endpoints ?? {})[0]).toMatchObject({ minCU: 0.5, maxCU: 2 });
});

test('Retain: the provider is told the whole life as soon as the branch is on record, and the object may then go', async () => {
  begin({ behaviour: { initMs: 5000 } }).launch();
  world.apply('db', { deletionPolicy: 'Retain', expiration: { ttl: '300h' } });
  await world.until('the branch is there', () => world.branches().length === 1);
  expect((world.branches()[0]?.expiresAt ?? 0) - nowMs()).toBeLessThanOrEqual(leaseMs);
  await world.settle(2 * minuteMs);
  expect(branchOf()?.expiresAt).toBe(endMs() + 10 * minuteMs);
  const sent = recording();
  await world.settle(24 * hourMs);
  expect(expiries(sent, 'PATCH')).toEqual([]);
  world.kube.delete(databaseBranchResource, db);
  await world.settle(minuteMs);
  expect(world.object('db')).toBeUndefined();
  expect(world.branches()).toHaveLength(1);
  await world.settle(277 * hourMs);
  expect(world.branches()).toEqual([]);
});

test('Retain is about deleting the object: at its end the branch goes', async () => {
  await given({ deletionPolicy: 'Retain', expiration: { ttl: '5h' } });
  await world.settle(5 * hourMs);
  expect(world.ready('db')).toBe('False Expired');
  expect(world.branches()).toEqual([]);
});

test('Retain, where the provider takes no such life: as far ahead as it allows, again and again, and the condition says so', async () => {
  await given({ ...long, deletionPolicy: 'Retain' }, { behaviour: { limits: { expirationSeconds: 200 * 3600 } } });
  await world.settle(10 * minuteMs);
  expect(world.condition('db', 'ExpirationClamped')?.status).toBe('True');
  for (let n = 0; n < 2; n++) {
    await world.settle(20 * hourMs);
    expect(leftMs()).toBeGreaterThanOrEqual(156 * hourMs);
  }
  expect(world.ready('db')).toBe('True');
});

test.each([403, 409, 429, 503])(
  'a lease that cannot be extended (%d) is tried again until it can, and nothing else suffers',
  async (status) => {
    await given();
    world.emulator.faults.inject({ method: 'PATCH', path: branchPath, trouble: { kind: 'answer', status } });
    await world.settle(20 * hourMs);
    expect(await world.opens('db')).toBe(true);
    expect(world.ready('db')).toBe('True');
    world.emulator.faults.clear();
    await world.settle(5 * minuteMs);
    expect(leftMs()).toBeGreaterThan(84 * hourMs);
  },
);
