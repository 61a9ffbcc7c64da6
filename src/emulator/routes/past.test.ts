// Branches of the past where no rows are behind the API: which moment a request reaches, and how it is refused.
import { expect, test } from 'vitest';
import { ManualClock } from '../../kit/clock.ts';
import {
  aBench,
  aBranch,
  aParent,
  change,
  itemsOf,
  refusalOf,
  textAt,
  type Bench,
} from '../../../test/fakes/emulator-caller.ts';
import { formatLsn } from '../lsn.ts';
import { noDataPlane } from '../no-data-plane.ts';
import { memoryStore } from '../store.ts';

const branches = 'projects/shop/branches';
const dev = `${branches}/dev`;
const past = `${branches}/past`;
const post = `POST ${branches}?branch_id=past`;
const hour = 3_600_000;

/** The project exists since noon, `dev` since 13:00:10; now it is 15:00:10. Without WAL a position is an instant. */
async function aBenchWithHistory(parts: Parameters<typeof aBench>[0] = {}): Promise<Bench> {
  const bench = await aBench(parts);
  bench.clock.advance(hour + 10_000);
  await change(bench, 'POST', `${branches}?branch_id=dev`, aParent);
  bench.clock.advance(2 * hour);
  return bench;
}

const from = (source: Record<string, string>): { spec: object } => ({
  spec: { no_expiry: true, source_branch: dev, ...source },
});
const lsnAt = (time: string): string => formatLsn(BigInt(Date.parse(time)));
const at = (time: string): string => `2026-10-05T${time}Z`;

async function statusOf(bench: Bench, name = past): Promise<Record<string, unknown>> {
  return (await bench.send('GET', name)).body['status'] as Record<string, unknown>;
}

test.each([
  ['a time', { source_branch_time: at('13:30:07.123') }, at('13:30:07.123')],
  ['the moment of its creation', { source_branch_time: at('13:00:10') }, at('13:00:10')],
  ['this moment', { source_branch_time: at('15:00:10') }, at('15:00:10')],
  ['a time with another zone', { source_branch_time: '2026-10-05T15:30:07+02:00' }, at('13:30:07')],
  ['a position', { source_branch_lsn: lsnAt(at('13:30:07.123')) }, at('13:30:07.123')],
])('a branch of %s says what was reached', async (_, source, time) => {
  const bench = await aBenchWithHistory();
  await change(bench, 'POST', `${branches}?branch_id=past`, from(source));
  expect(await statusOf(bench)).toMatchObject({
    current_state: 'READY',
    source_branch: dev,
    source_branch_time: time,
    source_branch_lsn: lsnAt(time),
  });
});

test.each([
  ['to the last multiple of the step', 12_000, at('13:30:07'), at('13:30:00')],
  ['not, when it is one', 12_000, at('13:30:12'), at('13:30:12')],
  ['to the beginning of the branch, if that is later', hour, at('13:30:07'), at('13:00:10')],
  ['not, when there is no step', 0, at('13:30:07.123'), at('13:30:07.123')],
])('a time is moved back %s', async (_, sourceTimeSnapMs, asked, reached) => {
  const bench = await aBenchWithHistory();
  bench.emulator.faults.set({ sourceTimeSnapMs });
  await change(bench, 'POST', `${branches}?branch_id=past`, from({ source_branch_time: asked }));
  expect(await statusOf(bench)).toMatchObject({ source_branch_time: reached });
});

const invalid = '400 INVALID_PARAMETER_VALUE';

/** [sentence, how much later it is, source, refusal] */
test.each<[string, number, Record<string, string>, string]>([
  [
    'a whole minute',
    0,
    { source_branch_time: at('14:00:00') },
    '500 INTERNAL_ERROR The request could not be processed. Please try again later and contact Databricks if the problem persists.',
  ],
  [
    'a time that is still to come',
    0,
    { source_branch_time: at('15:00:10.001') },
    `${invalid} source_branch_time must not be in the future`,
  ],
  [
    'a time before the branch was created',
    0,
    { source_branch_time: at('13:00:09.999') },
    `${invalid} source_branch_time is before the source branch was created`,
  ],
  [
    'a time that has left the window',
    7 * 24 * hour,
    { source_branch_time: at('15:00:09.999') },
    `${invalid} source_branch_time is older than the history retention of the project (604800s)`,
  ],
  ['the oldest time of the window', 7 * 24 * hour, { source_branch_time: at('15:00:10') }, '200'],
  [
    'a time without a zone',
    0,
    { source_branch_time: '2026-10-05T14:00:01' },
    `${invalid} Invalid value for field 'source_branch_time': "2026-10-05T14:00:01" is not an RFC 3339 time with a zone`,
  ],
  [
    'a position in other words',
    0,
    { source_branch_lsn: '1A2B3C' },
    `${invalid} source_branch_lsn is not a log sequence number such as "0/1A2B3C"`,
  ],
  [
    'a position that is still to come',
    0,
    { source_branch_lsn: lsnAt(at('15:00:10.001')) },
    `${invalid} source_branch_lsn is beyond the end of the log of the source branch`,
  ],
  [
    'a position before the branch was created',
    0,
    { source_branch_lsn: lsnAt(at('13:00:09.999')) },
    `${invalid} source_branch_lsn is before the source branch was created`,
  ],
  [
    'a position that has left the window',
    7 * 24 * hour,
    { source_branch_lsn: lsnAt(at('15:00:09.999')) },
    `${invalid} source_branch_lsn is older than the history retention of the project (604800s)`,
  ],
  [
    'a time and a position',
    0,
    { source_branch_time: at('13:30:07'), source_branch_lsn: lsnAt(at('13:30:07')) },
    `${invalid} Only one of 'source_branch_time' and 'source_branch_lsn' can be set.`,
  ],
  [
    'a snapshot',
    0,
    { source_snapshot: 'projects/shop/snapshots/s' },
    '501 NOT_IMPLEMENTED This emulator has no snapshots: leave out spec.source_snapshot.',
  ],
  [
    'a source that is not there',
    0,
    { source_branch: `${branches}/nope`, source_branch_time: at('13:30:07') },
    '404 NOT_FOUND branch id not found',
  ],
])('refused or not: %s', async (_, laterMs, source, refusal) => {
  const bench = await aBenchWithHistory();
  bench.clock.advance(laterMs);
  expect(await refusalOf(bench, post, from(source))).toBe(refusal);
  expect((await bench.send('GET', past)).status).toBe(refusal === '200' ? 200 : 404);
});

test('refused: a source that expires', async () => {
  const bench = await aBench();
  await change(bench, 'POST', `${branches}?branch_id=dev`, aBranch);
  bench.clock.advance(10_000);
  expect(await refusalOf(bench, post, from({ source_branch_time: at('12:00:05') }))).toBe(
    '400 BAD_REQUEST Branches with an expiration date cannot have child branches',
  );
});

test('refused: a source that is still being made', async () => {
  const bench = await aBench();
  bench.emulator.faults.set({ initMs: 60_000 });
  await bench.send('POST', `${branches}?branch_id=dev`, aParent);
  bench.clock.advance(10_000);
  expect(await refusalOf(bench, post, from({ source_branch_time: at('12:00:05') }))).toBe(
    `${invalid} source_branch_time is before the source branch was created`,
  );
});

test('a whole minute is taken when the service is told not to fail on it', async () => {
  const bench = await aBenchWithHistory();
  bench.emulator.faults.set({ wholeMinuteFails: false });
  await change(bench, 'POST', `${branches}?branch_id=past`, from({ source_branch_time: at('14:00:00') }));
  expect(await statusOf(bench)).toMatchObject({ source_branch_time: at('14:00:00') });
});

test('a shorter retention counts from the next request on', async () => {
  const bench = await aBenchWithHistory();
  bench.clock.advance(3 * 24 * hour);
  const request = from({ source_branch_time: at('14:00:01') });
  const spec = { history_retention_duration: '172800s' };
  await change(bench, 'PATCH', 'projects/shop?update_mask=spec.history_retention_duration', { spec });
  expect(await refusalOf(bench, post, request)).toBe(
    `${invalid} source_branch_time is older than the history retention of the project (172800s)`,
  );
});

test('times are those of the clock of the service, however wrong it goes', async () => {
  const asked: unknown[] = [];
  const plane = noDataPlane();
  const dataPlane = {
    ...plane,
    pointAt: (uid: string, target: Parameters<typeof plane.pointAt>[1]) => {
      asked.push(target);
      return plane.pointAt(uid, target);
    },
  };
  const bench = await aBench({ dataPlane });
  bench.emulator.faults.set({ clockSkewMs: hour });
  await change(bench, 'POST', `${branches}?branch_id=dev`, aParent);
  bench.clock.advance(20_000);
  await change(bench, 'POST', `${branches}?branch_id=past`, from({ source_branch_time: at('13:00:07.5') }));
  expect(asked).toEqual([{ time: Date.parse(at('12:00:07.5')) }]);
  expect(await statusOf(bench)).toMatchObject({ source_branch_time: at('13:00:07.500') });
});

test('it has the roles and databases of that moment, not those that came, changed or went since', async () => {
  const bench = await aBenchWithHistory();
  const role = (id: string, superuser: boolean): object => ({
    spec: { postgres_role: id, membership_roles: superuser ? ['DATABRICKS_SUPERUSER'] : [] },
  });
  await change(bench, 'POST', `${dev}/roles?role_id=early`, role('early', false));
  await change(bench, 'POST', `${dev}/roles?role_id=gone`, role('gone', false));
  const app = { spec: { postgres_database: 'app', role: `${dev}/roles/early` } };
  await change(bench, 'POST', `${dev}/databases?database_id=app`, app);
  bench.clock.advance(10_000);
  const asked = bench.clock.now().toISOString();
  bench.clock.advance(10_000);
  await change(bench, 'PATCH', `${dev}/roles/early?update_mask=spec.membership_roles`, role('early', true));
  await change(bench, 'DELETE', `${dev}/roles/gone`);
  await change(bench, 'POST', `${dev}/roles?role_id=late`, role('late', false));
  const renamed = { spec: { postgres_database: 'renamed' } };
  await change(bench, 'PATCH', `${dev}/databases/app?update_mask=spec.postgres_database`, renamed);
  await change(bench, 'POST', `${branches}?branch_id=past`, from({ source_branch_time: asked }));

  const roles = itemsOf((await bench.send('GET', `${past}/roles`)).body, 'roles');
  expect(roles.map((each) => textAt(each, 'role_id')).sort()).toEqual([
    'early',
    'gone',
    expect.stringMatching(/^sp-/) as string,
  ]);
  expect(roles.find((each) => textAt(each, 'role_id') === 'early')).toMatchObject({ status: { membership_roles: [] } });
  const databases = itemsOf((await bench.send('GET', `${past}/databases`)).body, 'databases');
  expect(databases.map((each) => textAt(each, 'status.postgres_database')).sort()).toEqual([
    'app',
    'databricks_postgres',
  ]);
  expect(JSON.stringify(bench.emulator.admin.branches())).not.toContain('"password"');
});

test('a process that was killed meanwhile makes it from the same moment', async () => {
  const [clock, store, plane] = [new ManualClock(new Date(at('12:00:00'))), memoryStore(), noDataPlane()];
  const torn = { ...plane, restore: () => new Promise<void>(() => {}) };
  const before = await aBenchWithHistory({ clock, store, dataPlane: torn });
  await before.send('POST', `${branches}?branch_id=past`, from({ source_branch_time: at('13:30:07') }));
  clock.advance(hour);

  const restored: string[] = [];
  const watched = {
    ...plane,
    restore: async (uid: string, source: string, lsn: string) => {
      restored.push(lsn);
      await plane.restore(uid, source, lsn);
    },
  };
  const after = await aBench({ clock, store, dataPlane: watched });
  expect(restored).toEqual([lsnAt(at('13:30:07'))]);
  expect(await statusOf(after)).toMatchObject({ current_state: 'READY', source_branch_time: at('13:30:07') });
});

test('a branch with a child of its past cannot go', async () => {
  const bench = await aBenchWithHistory();
  await change(bench, 'POST', `${branches}?branch_id=past`, from({ source_branch_time: at('13:30:07') }));
  expect(await refusalOf(bench, `DELETE ${dev}`)).toBe('400 BAD_REQUEST cannot delete branch that has child branches');
});
