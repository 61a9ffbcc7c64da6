import { expect, test } from 'vitest';
import {
  aBench,
  aBranch,
  aParent,
  change,
  given,
  itemsOf,
  refusalOf,
  textAt,
} from '../../../test/fakes/emulator-caller.ts';

const branches = 'projects/shop/branches';
const dev = `${branches}/dev`;

test('a create answers with an operation that is not done, and ends in a branch that is ready', async () => {
  const bench = await aBench();
  const { status, body } = await bench.send('POST', `${branches}?branch_id=dev`, aBranch);
  expect({ status, body }).toEqual({
    status: 200,
    body: {
      name: expect.stringMatching(new RegExp(`^${dev}/operations/[0-9a-f-]{36}$`)) as string,
      metadata: { '@type': 'type.googleapis.com/databricks.postgres.v1.BranchOperationMetadata' },
      done: false,
    },
  });
  await bench.emulator.idle();
  const branch = (await bench.send('GET', dev)).body;
  expect(branch).toEqual({
    name: dev,
    branch_id: 'dev',
    uid: expect.stringMatching(/^br-[a-z]+-[a-z]+-[a-z0-9]{8}$/) as string,
    parent: 'projects/shop',
    create_time: '2026-10-05T12:00:00Z',
    update_time: '2026-10-05T12:00:00Z',
    status: {
      branch_id: 'dev',
      current_state: 'READY',
      state_change_time: '2026-10-05T12:00:00Z',
      default: false,
      is_protected: false,
      source_branch: `${branches}/production`,
      source_branch_time: '2026-10-05T12:00:00Z',
      expire_time: '2026-10-06T12:00:00Z',
    },
  });
  const operation = (await bench.send('GET', textAt(body, 'name'))).body;
  expect(operation['done']).toBe(true);
  expect(operation['response']).toEqual({
    '@type': 'type.googleapis.com/databricks.postgres.v1.Branch',
    ...branch,
  });
});

test('the root branch has no source and does not expire', async () => {
  const { send } = await aBench();
  const { body } = await send('GET', `${branches}/production`);
  expect(new Set(Object.keys(body['status'] as object))).toEqual(
    new Set(['branch_id', 'current_state', 'default', 'is_protected', 'state_change_time']),
  );
});

test('a branch inherits roles and databases of its source as they are at the fork', async () => {
  const bench = await aBench();
  await change(bench, 'POST', `${branches}/production/roles?role_id=app`, { spec: { postgres_role: 'app' } });
  await given.dev(bench);
  await change(bench, 'POST', `${branches}/production/roles?role_id=late`, { spec: { postgres_role: 'late' } });
  const roles = itemsOf((await bench.send('GET', `${dev}/roles`)).body, 'roles').map((role) => role['role_id']);
  expect(new Set(roles)).toEqual(new Set(['app', 'sp-00000000-0000-4000-8000-00000000beef']));
  const databases = itemsOf((await bench.send('GET', `${dev}/databases`)).body, 'databases');
  expect(databases).toMatchObject([
    { database_id: 'databricks-postgres', name: `${dev}/databases/databricks-postgres` },
  ]);
});

test.each([
  ['never', { no_expiry: true }, undefined],
  ['by ttl, counted from the creation', { ttl: '90.5s' }, '2026-10-05T12:01:30.500Z'],
  ['at a time, in another zone', { expire_time: '2026-10-05T16:00:00+02:00' }, '2026-10-05T14:00:00Z'],
])('expires %s', async (_, spec, expected) => {
  const bench = await aBench();
  await change(bench, 'POST', `${branches}?branch_id=dev`, { spec });
  const { body } = await bench.send('GET', dev);
  expect((body['status'] as Record<string, unknown>)['expire_time']).toBe(expected);
});

test('a changed expiration is absolute, and a ttl in it counts from the creation', async () => {
  const bench = await aBench();
  await given.dev(bench);
  bench.clock.advance(1_800_000);
  await change(bench, 'PATCH', `${dev}?update_mask=spec.expiration`, { spec: { ttl: '3600s' } });
  expect(textAt((await bench.send('GET', dev)).body, 'status.expire_time')).toBe('2026-10-05T13:00:00Z');
  await change(bench, 'PATCH', `${dev}?update_mask=spec.expiration`, { spec: { expire_time: '2026-10-07T00:00:00Z' } });
  expect(textAt((await bench.send('GET', dev)).body, 'status.expire_time')).toBe('2026-10-07T00:00:00Z');
  await change(bench, 'PATCH', `${dev}?update_mask=spec.expiration`, { spec: { no_expiry: true } });
  expect(textAt((await bench.send('GET', dev)).body, 'status.expire_time')).toBe('undefined');
});

test('a variant counts a changed ttl from now', async () => {
  const bench = await aBench();
  await given.dev(bench);
  bench.emulator.faults.set({ ttlOnUpdateCountsFrom: 'now' });
  bench.clock.advance(1_800_000);
  await change(bench, 'PATCH', `${dev}?update_mask=spec.expiration`, { spec: { ttl: '3600s' } });
  expect(textAt((await bench.send('GET', dev)).body, 'status.expire_time')).toBe('2026-10-05T13:30:00Z');
});

test('an expired branch is gone with its data and endpoints, and only show_deleted still knows it', async () => {
  const bench = await aBench();
  await given.dev(bench);
  const uid = textAt((await bench.send('GET', dev)).body, 'uid');
  bench.clock.advance(86_400_000);
  await bench.emulator.idle();
  expect(await refusalOf(bench, `GET ${dev}`)).toBe('404 NOT_FOUND branch id not found');
  expect(bench.dataPlane.branchUids()).not.toContain(uid);
  expect(itemsOf((await bench.send('GET', branches)).body, 'branches')).toHaveLength(1);
  const all = itemsOf((await bench.send('GET', `${branches}?show_deleted=true`)).body, 'branches');
  expect(all[1]).toMatchObject({
    uid,
    status: {
      current_state: 'DELETED',
      delete_time: '2026-10-06T12:00:00Z',
      purge_time: '2026-10-13T12:00:00Z',
      default: false,
    },
  });
  bench.clock.advance(7 * 86_400_000);
  await bench.emulator.idle();
  expect(itemsOf((await bench.send('GET', `${branches}?show_deleted=true`)).body, 'branches')).toHaveLength(1);
});

test('a delete answers with an operation whose response is empty, and the id is free again', async () => {
  const bench = await aBench();
  await given.dev(bench);
  const first = textAt((await bench.send('GET', dev)).body, 'uid');
  const operation = await change(bench, 'DELETE', dev);
  expect(operation['response']).toEqual({ '@type': 'type.googleapis.com/google.protobuf.Empty' });
  expect(bench.dataPlane.branchUids()).not.toContain(first);
  await given.dev(bench);
  expect(textAt((await bench.send('GET', dev)).body, 'uid')).not.toBe(first);
  expect((await bench.send('GET', textAt(operation, 'name'))).body['done']).toBe(true);
});

test('a purged branch is remembered by nobody', async () => {
  const bench = await aBench();
  await given.dev(bench);
  await change(bench, 'DELETE', `${dev}?purge=true`);
  expect(itemsOf((await bench.send('GET', `${branches}?show_deleted=true`)).body, 'branches')).toHaveLength(1);
  expect(bench.dataPlane.branchUids()).toHaveLength(1);
});

test('replace_existing changes what is there and keeps uid and source', async () => {
  const bench = await aBench();
  await given.dev(bench);
  const before = (await bench.send('GET', dev)).body;
  await change(bench, 'POST', `${branches}?branch_id=dev&replace_existing=true`, aParent);
  const after = (await bench.send('GET', dev)).body;
  expect(textAt(after, 'uid')).toBe(textAt(before, 'uid'));
  expect(textAt(after, 'status.expire_time')).toBe('undefined');
});

test('a deleted branch can be brought back while its data is kept, without its expiration', async () => {
  const bench = await aBench({ settings: { keepDeletedSeconds: 600 } });
  await given.dev(bench);
  const before = (await bench.send('GET', dev)).body;
  const host = (await bench.send('GET', `${dev}/endpoints/primary`)).body;
  await change(bench, 'DELETE', dev);
  bench.clock.advance(599_000);
  await change(bench, 'POST', `${dev}/undelete`, {});
  expect((await bench.send('GET', `${dev}/endpoints/primary`)).body).toEqual(host);
  const after = (await bench.send('GET', dev)).body;
  expect(textAt(after, 'uid')).toBe(textAt(before, 'uid'));
  expect(textAt(after, 'status.expire_time')).toBe('undefined');
  await change(bench, 'DELETE', dev);
  bench.clock.advance(601_000);
  await bench.emulator.idle();
  expect(bench.dataPlane.branchUids()).toHaveLength(1);
  expect(await refusalOf(bench, `POST ${dev}/undelete`, {})).toContain('already removed the data');
});

test('a branch that is brought back before its delete is done has open endpoints', async () => {
  const bench = await aBench({ settings: { keepDeletedSeconds: 600 } });
  await given.dev(bench);
  const { uid } = (await bench.send('GET', `${dev}/endpoints/primary`)).body;
  const { closeEndpoint } = bench.dataPlane;
  const slow = Promise.withResolvers<void>();
  bench.dataPlane.closeEndpoint = (each) => slow.promise.then(() => closeEndpoint(each));
  await bench.send('DELETE', dev);
  await bench.send('POST', `${dev}/undelete`, {});
  slow.resolve();
  await bench.emulator.idle();
  expect(bench.dataPlane.endpointActivity(String(uid)).state).toBe('ACTIVE');
});

test('lists come in pages that neither repeat nor leave out', async () => {
  const bench = await aBench();
  for (const name of ['a', 'b', 'c', 'd']) await change(bench, 'POST', `${branches}?branch_id=${name}`, aBranch);
  const seen: unknown[] = [];
  let token = '';
  do {
    const { body } = await bench.send('GET', `${branches}?page_size=2&page_token=${token}`);
    const page = itemsOf(body, 'branches');
    expect(page.length).toBeLessThanOrEqual(2);
    seen.push(...page.map((branch) => branch['branch_id']));
    // Something goes between two pages.
    if (seen.length === 2) await change(bench, 'DELETE', `${branches}/a`);
    token = (body['next_page_token'] as string | undefined) ?? '';
  } while (token !== '');
  expect(seen).toEqual(['production', 'a', 'b', 'c', 'd']);
});

test('ten unarchived branches, then no more until one goes', async () => {
  const bench = await aBench();
  for (let n = 1; n < 10; n++) await change(bench, 'POST', `${branches}?branch_id=b${n}`, aBranch);
  const create = `POST ${branches}?branch_id=eleventh`;
  expect(await refusalOf(bench, create, aBranch)).toBe(
    '400 BAD_REQUEST The project has reached the limit of 10 unarchived branches',
  );
  await change(bench, 'DELETE', `${branches}/b1`);
  expect(await refusalOf(bench, create, aBranch)).toBe('200');
});

test('the children of a protected branch get passwords of their own', async () => {
  const bench = await aBench();
  await given.protectedDev(bench);
  await change(bench, 'POST', `${dev}/roles?role_id=app`, { spec: { postgres_role: 'app' } });
  await change(bench, 'POST', `${branches}?branch_id=child`, { spec: { ttl: '60s', source_branch: dev } });
  const password = async (branch: string): Promise<string> =>
    textAt((await bench.send('POST', `${branches}/${branch}/roles/app/password`, {})).body, 'password');
  expect(await password('dev')).toMatch(/^[a-z0-9]{24}$/);
  expect(await password('child')).not.toBe(await password('dev'));
});

test('the size is counted again only after a while', async () => {
  const bench = await aBench();
  let counted = 0;
  bench.dataPlane.sizeOf = () => Promise.resolve(++counted * 1000);
  const size = async (): Promise<string> =>
    textAt((await bench.send('GET', `${branches}/production`)).body, 'status.logical_size_bytes');
  expect(await size()).toBe('1000');
  bench.clock.advance(9_999);
  expect(await size()).toBe('1000');
  bench.clock.advance(1);
  expect(await size()).toBe('2000');
});
