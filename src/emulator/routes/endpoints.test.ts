import { expect, test } from 'vitest';
import { noDataPlane } from '../no-data-plane.ts';
import {
  aBench,
  change,
  given,
  itemsOf,
  refusalOf,
  textAt,
  type RefusalRow,
} from '../../../test/fakes/emulator-caller.ts';
import { developmentPrincipal } from '../settings.ts';

const branches = 'projects/shop/branches';
const primary = `${branches}/production/endpoints/primary`;

test.each<RefusalRow>([
  [
    'no such endpoint',
    'nothing',
    `GET ${branches}/production/endpoints/nope`,
    undefined,
    '404 NOT_FOUND endpoint id not found',
  ],
  [
    'one read-write endpoint',
    'nothing',
    `POST ${branches}/production/endpoints?endpoint_id=b`,
    { spec: { endpoint_type: 'ENDPOINT_TYPE_READ_WRITE' } },
    '409 ALREADY_EXISTS read_write endpoint already exists',
  ],
  [
    'an endpoint needs an id',
    'nothing',
    `POST ${branches}/production/endpoints`,
    { spec: { endpoint_type: 'ENDPOINT_TYPE_READ_ONLY' } },
    `400 INVALID_PARAMETER_VALUE Field 'endpoint_id' is required, expected non-default value (not "")!`,
  ],
  [
    'the primary stays',
    'nothing',
    `DELETE ${branches}/production/endpoints/primary`,
    undefined,
    `400 BAD_REQUEST Cannot delete read-write endpoint '${branches}/production/endpoints/primary'. Read-write endpoints cannot be deleted.`,
  ],
  [
    'a maximum below the minimum',
    'nothing',
    `PATCH ${branches}/production/endpoints/primary?update_mask=spec.autoscaling_limit_max_cu`,
    { spec: { autoscaling_limit_max_cu: 0.5 } },
    "400 INVALID_PARAMETER_VALUE Invalid value for field 'spec.autoscaling_limit_max_cu': must not be smaller than the minimum",
  ],
  [
    'a spread above sixteen',
    'nothing',
    `PATCH ${branches}/production/endpoints/primary?update_mask=spec.autoscaling_limit_max_cu`,
    { spec: { autoscaling_limit_max_cu: 18 } },
    "400 INVALID_PARAMETER_VALUE Invalid value for field 'spec.autoscaling_limit_max_cu': must be at most 16 above the minimum",
  ],
])('refused: %s', async (_, there, request, body, refusal) => {
  const bench = await aBench();
  await given[there](bench);
  expect(await refusalOf(bench, request, body)).toBe(refusal);
});

test('a primary endpoint has a host of its own and the sizes of the project', async () => {
  const bench = await aBench();
  await change(bench, 'PATCH', 'projects/shop?update_mask=spec.default_endpoint_settings', {
    spec: {
      default_endpoint_settings: {
        autoscaling_limit_min_cu: 0.5,
        autoscaling_limit_max_cu: 4,
        suspend_timeout_duration: '120s',
      },
    },
  });
  await given.dev(bench);
  const [endpoint] = itemsOf((await bench.send('GET', `${branches}/dev/endpoints`)).body, 'endpoints');
  const uid = String(endpoint?.['uid']);
  expect(endpoint).toEqual({
    name: `${branches}/dev/endpoints/primary`,
    endpoint_id: 'primary',
    uid: expect.stringMatching(/^ep-[a-z]+-[a-z]+-[a-z0-9]{8}$/) as string,
    parent: `${branches}/dev`,
    create_time: '2026-10-05T12:00:00Z',
    update_time: '2026-10-05T12:00:00Z',
    status: {
      endpoint_id: 'primary',
      endpoint_type: 'ENDPOINT_TYPE_READ_WRITE',
      autoscaling_limit_min_cu: 0.5,
      autoscaling_limit_max_cu: 4,
      suspend_timeout_duration: '120s',
      disabled: false,
      current_state: 'ACTIVE',
      hosts: { host: `${uid}.emulator.test` },
    },
  });
});

test('an endpoint of a branch in INIT has no host and is pending', async () => {
  let proceed: () => void = () => {};
  const forked = new Promise<void>((resolve) => (proceed = resolve));
  const instant = noDataPlane();
  const slow = { ...instant, fork: (...of: [string, string]) => forked.then(() => instant.fork(...of)) };
  const bench = await aBench({ dataPlane: slow });
  await bench.send('POST', `${branches}?branch_id=dev`, { spec: { ttl: '60s' } });
  const { body } = await bench.send('GET', `${branches}/dev/endpoints/primary`);
  expect(body['status']).toMatchObject({ current_state: 'INIT', pending_state: 'ACTIVE', hosts: {} });
  proceed();
  await bench.emulator.idle();
  expect(textAt((await bench.send('GET', `${branches}/dev/endpoints/primary`)).body, 'status.pending_state')).toBe(
    'undefined',
  );
});

test('the state is that of the data plane', async () => {
  const bench = await aBench();
  const { body } = await bench.send('GET', primary);
  bench.dataPlane.setActivity(textAt(body, 'uid'), 'IDLE', new Date('2026-10-05T11:59:00Z'));
  expect((await bench.send('GET', primary)).body['status']).toMatchObject({
    current_state: 'IDLE',
    last_active_time: '2026-10-05T11:59:00Z',
  });
});

test.each<[string, string, unknown, string[]]>([
  ['other sizes restart it', 'spec.autoscaling_limit_max_cu', { autoscaling_limit_max_cu: 2 }, ['restart']],
  [
    'other settings restart it',
    'spec.settings.pg_settings',
    { settings: { pg_settings: { work_mem: '8MB' } } },
    ['restart'],
  ],
  ['another suspend time does not', 'spec.suspension', { suspend_timeout_duration: '600s' }, ['suspend 600']],
  ['nor does never suspending', 'spec.suspension', { no_suspension: true }, ['suspend never']],
  ['the same size does nothing', 'spec.autoscaling_limit_max_cu', { autoscaling_limit_max_cu: 1 }, []],
])('%s', async (_, mask, spec, expected) => {
  const bench = await aBench();
  const done: string[] = [];
  bench.dataPlane.restartEndpoint = () => Promise.resolve(void done.push('restart'));
  bench.dataPlane.setSuspend = (_uid, seconds) => Promise.resolve(void done.push(`suspend ${seconds ?? 'never'}`));
  await change(bench, 'PATCH', `${primary}?update_mask=${mask}`, { spec });
  expect(done).toEqual(expected);
});

test('whoever was cut off by disabling an endpoint does not slip in again meanwhile', async () => {
  const bench = await aBench();
  const { uid } = (await bench.send('GET', primary)).body;
  const { token } = (await bench.send('POST', 'credentials', { endpoint: primary })).body;
  const verdicts: unknown[] = [];
  bench.dataPlane.restartEndpoint = async () => {
    const login = { user: developmentPrincipal.name, password: String(token), database: 'databricks_postgres' };
    verdicts.push(await bench.emulator.authorizeLogin({ endpoint: { uid: String(uid) }, ...login }));
  };
  await change(bench, 'PATCH', `${primary}?update_mask=spec.disabled`, { spec: { disabled: true } });
  expect(verdicts).toEqual([{ ok: false, sqlState: '57P03', message: 'endpoint is disabled' }]);
});

test('a changed endpoint shows what it was given', async () => {
  const bench = await aBench();
  await change(bench, 'PATCH', `${primary}?update_mask=spec.autoscaling_limit_min_cu%2Cspec.suspension`, {
    spec: { autoscaling_limit_min_cu: 0.5, autoscaling_limit_max_cu: 9, no_suspension: true },
  });
  expect((await bench.send('GET', primary)).body['status']).toMatchObject({
    autoscaling_limit_min_cu: 0.5,
    autoscaling_limit_max_cu: 1,
    no_suspension: true,
  });
});

test('a settling endpoint says so and refuses the next change', async () => {
  const bench = await aBench();
  bench.emulator.faults.set({ settleMs: 5000 });
  const request = `PATCH ${primary}?update_mask=spec.autoscaling_limit_max_cu`;
  await change(bench, 'PATCH', `${primary}?update_mask=spec.autoscaling_limit_max_cu`, {
    spec: { autoscaling_limit_max_cu: 2 },
  });
  expect(textAt((await bench.send('GET', primary)).body, 'status.pending_state')).toBe('ACTIVE');
  expect(await refusalOf(bench, request, { spec: { autoscaling_limit_max_cu: 4 } })).toBe(
    '409 RESOURCE_CONFLICT Endpoint reconciliation still in progress',
  );
  bench.clock.advance(5000);
  expect(await refusalOf(bench, request, { spec: { autoscaling_limit_max_cu: 4 } })).toBe('200');
});

test('a read-only endpoint comes with a host and goes again', async () => {
  const bench = await aBench();
  await change(bench, 'POST', `${branches}/production/endpoints?endpoint_id=ro`, {
    spec: { endpoint_type: 'ENDPOINT_TYPE_READ_ONLY', autoscaling_limit_min_cu: 0.5 },
  });
  const { body } = await bench.send('GET', `${branches}/production/endpoints/ro`);
  const host = `${textAt(body, 'uid')}.emulator.test`;
  expect(body['status']).toMatchObject({ hosts: { host, read_only_host: host }, autoscaling_limit_min_cu: 0.5 });
  await change(bench, 'DELETE', `${branches}/production/endpoints/ro`);
  expect(itemsOf((await bench.send('GET', `${branches}/production/endpoints`)).body, 'endpoints')).toHaveLength(1);
});
