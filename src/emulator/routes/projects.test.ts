import { expect, test } from 'vitest';
import { ManualClock } from '../../kit/clock.ts';
import {
  aBench,
  change,
  given,
  itemsOf,
  refusalOf,
  startOfTest,
  textAt,
  type RefusalRow,
} from '../../../test/fakes/emulator-caller.ts';

const branches = 'projects/shop/branches';
const dev = `${branches}/dev`;

test.each<RefusalRow>([
  [
    'a project needs an id',
    'nothing',
    'POST projects',
    { spec: {} },
    `400 INVALID_PARAMETER_VALUE Field 'project_id' is required, expected non-default value (not "")!`,
  ],
  [
    'a project exists',
    'nothing',
    'POST projects?project_id=shop',
    { spec: {} },
    '409 ALREADY_EXISTS project with such id already exists in the workspace',
  ],
  [
    'a project with a protected branch stays',
    'protectedDev',
    'DELETE projects/shop',
    undefined,
    '400 BAD_REQUEST cannot delete project with protected branches',
  ],
  [
    'an expiring branch is no default',
    'dev',
    'PATCH projects/shop?update_mask=spec.default_branch',
    { spec: { default_branch: dev } },
    '400 BAD_REQUEST The default branch cannot have an expiration date',
  ],
  [
    'another PostgreSQL',
    'nothing',
    'POST projects?project_id=old',
    { spec: { pg_version: 16 } },
    '400 INVALID_PARAMETER_VALUE This emulator runs PostgreSQL 17 only: leave out spec.pg_version, or set it to 17.',
  ],
  [
    'a credential needs an endpoint',
    'nothing',
    'POST credentials',
    {},
    `400 INVALID_PARAMETER_VALUE Field 'endpoint' is required, expected non-default value (not "")!`,
  ],
  [
    'a life below five minutes',
    'nothing',
    'POST credentials',
    { endpoint: `${branches}/production/endpoints/primary`, ttl: '299s' },
    "400 INVALID_PARAMETER_VALUE Invalid value for field 'ttl': must lie between 300s and 3600s",
  ],
  [
    'a life above an hour',
    'nothing',
    'POST credentials',
    { endpoint: `${branches}/production/endpoints/primary`, ttl: '3601s' },
    "400 INVALID_PARAMETER_VALUE Invalid value for field 'ttl': must lie between 300s and 3600s",
  ],
  [
    'a credential for a branch that is gone',
    'nothing',
    'POST credentials',
    { endpoint: `${dev}/endpoints/primary` },
    '404 NOT_FOUND branch id not found',
  ],
  [
    'an operation nobody knows',
    'nothing',
    `GET ${dev}/operations/x`,
    undefined,
    `404 NOT_FOUND operation id not found: ${dev}/operations/x`,
  ],
  [
    'a first endpoint of an impossible size',
    'nothing',
    'POST projects?project_id=other',
    { spec: {}, initial_endpoint_spec: { autoscaling_limit_min_cu: 4, autoscaling_limit_max_cu: 2 } },
    "400 INVALID_PARAMETER_VALUE Invalid value for field 'initial_endpoint_spec.autoscaling_limit_max_cu': must not be smaller than the minimum",
  ],
  [
    'a negative page',
    'nothing',
    'GET projects?page_size=-1',
    undefined,
    "400 INVALID_PARAMETER_VALUE Invalid value for field 'page_size': must not be negative",
  ],
])('refused: %s', async (_, there, request, body, refusal) => {
  const bench = await aBench();
  await given[there](bench);
  expect(await refusalOf(bench, request, body)).toBe(refusal);
});

test('a new project has its root branch, its endpoint, its owner and its database', async () => {
  const bench = await aBench();
  await change(bench, 'POST', 'projects?project_id=demo', { spec: { display_name: 'Demo', pg_version: 17 } });
  expect((await bench.send('GET', 'projects/demo')).body).toEqual({
    name: 'projects/demo',
    project_id: 'demo',
    uid: expect.stringMatching(/^[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}$/) as string,
    create_time: '2026-10-05T12:00:00Z',
    update_time: '2026-10-05T12:00:00Z',
    status: {
      project_id: 'demo',
      owner: '00000000-0000-4000-8000-00000000beef',
      display_name: 'Demo',
      pg_version: 17,
      history_retention_duration: '604800s',
      default_branch: 'projects/demo/branches/production',
      default_endpoint_settings: {
        autoscaling_limit_min_cu: 1,
        autoscaling_limit_max_cu: 1,
        suspend_timeout_duration: '86400s',
      },
      enable_pg_native_login: false,
      branch_logical_size_limit_bytes: 8796093022208,
    },
  });
  const production = 'projects/demo/branches/production';
  expect((await bench.send('GET', production)).body['status']).toMatchObject({ default: true, current_state: 'READY' });
  const databases = itemsOf((await bench.send('GET', `${production}/databases`)).body, 'databases');
  expect(databases).toMatchObject([
    { status: { database_id: 'databricks-postgres', postgres_database: 'databricks_postgres' } },
  ]);
});

test('what is only said at the create counts for the root branch', async () => {
  const bench = await aBench();
  await change(bench, 'POST', 'projects?project_id=demo', {
    spec: {},
    initial_branch_spec: { is_protected: true },
    initial_endpoint_spec: { autoscaling_limit_max_cu: 4, no_suspension: true },
  });
  const production = 'projects/demo/branches/production';
  expect(textAt((await bench.send('GET', production)).body, 'status.is_protected')).toBe('true');
  expect((await bench.send('GET', `${production}/endpoints/primary`)).body['status']).toMatchObject({
    autoscaling_limit_max_cu: 4,
    no_suspension: true,
  });
});

test('a masked change of a project changes that and nothing else', async () => {
  const bench = await aBench();
  await change(bench, 'PATCH', 'projects/shop?update_mask=spec.display_name%2Cspec.enable_pg_native_login', {
    spec: { display_name: 'Shop', enable_pg_native_login: true, history_retention_duration: '172800s' },
  });
  expect((await bench.send('GET', 'projects/shop')).body['status']).toMatchObject({
    display_name: 'Shop',
    enable_pg_native_login: true,
    history_retention_duration: '604800s',
  });
});

test('a bare spec without endpoint settings fails with 500 where others than the usual are stored, and yet lands', async () => {
  const bench = await aBench();
  expect(await refusalOf(bench, 'PATCH projects/shop?update_mask=spec', { spec: { display_name: 'New' } })).toMatch(
    /^500 INTERNAL_ERROR The request could not be processed\./,
  );
  expect(textAt((await bench.send('GET', 'projects/shop')).body, 'status.display_name')).toBe('New');
});

test('a deleted project keeps its id, comes back with its root, without the branches that people made', async () => {
  const bench = await aBench();
  await given.dev(bench);
  await change(bench, 'DELETE', 'projects/shop');
  expect(await refusalOf(bench, 'GET projects/shop')).toBe('404 NOT_FOUND project id not found');
  expect(itemsOf((await bench.send('GET', 'projects')).body, 'projects')).toEqual([]);
  const [deleted] = itemsOf((await bench.send('GET', 'projects?show_deleted=true')).body, 'projects');
  expect(deleted).toMatchObject({ delete_time: '2026-10-05T12:00:00Z', purge_time: '2026-10-12T12:00:00Z' });
  expect(await refusalOf(bench, 'POST projects?project_id=shop', { spec: {} })).toMatch(/^409 ALREADY_EXISTS/);
  await change(bench, 'POST', 'projects/shop/undelete', {});
  const left = itemsOf((await bench.send('GET', branches)).body, 'branches');
  expect(left.map((branch) => branch['branch_id'])).toEqual(['production']);
});

test('a project that is brought back before its delete is done has open endpoints', async () => {
  const bench = await aBench();
  await given.dev(bench);
  const { uid } = (await bench.send('GET', `${branches}/production/endpoints/primary`)).body;
  const { closeEndpoint } = bench.dataPlane;
  const slow = Promise.withResolvers<void>();
  bench.dataPlane.closeEndpoint = (each) => slow.promise.then(() => closeEndpoint(each));
  await bench.send('DELETE', 'projects/shop');
  await bench.send('POST', 'projects/shop/undelete', {});
  slow.resolve();
  await bench.emulator.idle();
  expect(bench.dataPlane.endpointActivity(String(uid)).state).toBe('ACTIVE');
});

test('a purged project frees its id and leaves no data', async () => {
  const bench = await aBench();
  await given.dev(bench);
  await change(bench, 'DELETE', 'projects/shop');
  await change(bench, 'DELETE', 'projects/shop?purge=true');
  expect(bench.dataPlane.branchUids()).toEqual([]);
  expect(await refusalOf(bench, 'POST projects?project_id=shop', { spec: {} })).toBe('200');
});

test('a deleted project is forgotten after seven days', async () => {
  const bench = await aBench();
  await change(bench, 'DELETE', 'projects/shop');
  bench.clock.advance(7 * 86_400_000);
  await bench.emulator.idle();
  expect(itemsOf((await bench.send('GET', 'projects?show_deleted=true')).body, 'projects')).toEqual([]);
  expect(bench.dataPlane.branchUids()).toEqual([]);
});

test.each<[string, object, number | null, string]>([
  ['an hour when nothing is asked', {}, null, '2026-10-05T13:00:00Z'],
  ['as asked', { ttl: '900s' }, null, '2026-10-05T12:15:00Z'],
  ['until an instant', { expire_time: '2026-10-05T12:30:00Z' }, null, '2026-10-05T12:30:00Z'],
  ['shorter than asked, where the service grants less', { ttl: '900s' }, 30, '2026-10-05T12:00:30Z'],
])('a credential lives %s', async (_, life, grantedSeconds, expireTime) => {
  const { send, emulator } = await aBench({ clock: new ManualClock(startOfTest) });
  emulator.faults.set({ grantedSeconds });
  const { status, body } = await send('POST', 'credentials', {
    endpoint: `${branches}/production/endpoints/primary`,
    ...life,
  });
  expect(status).toBe(200);
  expect(body).toEqual({
    token: expect.stringMatching(/^ey[\w-]+\.[\w-]+\.[\w-]+$/) as string,
    expire_time: expireTime,
  });
});

test('two credentials of the same instant differ', async () => {
  const { send } = await aBench();
  const request = { endpoint: `${branches}/production/endpoints/primary` };
  const tokens = [await send('POST', 'credentials', request), await send('POST', 'credentials', request)];
  expect(textAt(tokens[0]!.body, 'token')).not.toBe(textAt(tokens[1]!.body, 'token'));
});
