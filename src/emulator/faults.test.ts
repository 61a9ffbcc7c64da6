import { expect, test } from 'vitest';
import {
  aBench,
  aBranch,
  change,
  given,
  itemsOf,
  microtasks,
  refusalOf,
  textAt,
} from '../../test/fakes/emulator-caller.ts';
import { ConnectionLost } from './gateway.ts';

const branches = 'projects/shop/branches';
const dev = `${branches}/dev`;

test('a scripted answer meets as many requests as it says, and only those that match', async () => {
  const { send, emulator } = await aBench();
  emulator.faults.inject({
    method: 'get',
    path: '/api/2.0/postgres/projects/*',
    times: 2,
    trouble: { kind: 'answer', status: 429, retryAfterSeconds: 7 },
  });
  expect((await send('GET', branches)).status).toBe(200);
  const throttled = await send('GET', 'projects/shop');
  expect(throttled).toMatchObject({
    status: 429,
    headers: { 'retry-after': '7', 'content-type': 'application/json' },
    body: { error_code: 'RESOURCE_EXHAUSTED' },
  });
  expect((await send('GET', 'projects/shop')).status).toBe(429);
  expect((await send('GET', 'projects/shop')).status).toBe(200);
});

test('a scripted answer can be a page that is no JSON', async () => {
  const { send, emulator } = await aBench();
  const page = '<html><title>502 Bad Gateway</title></html>';
  emulator.faults.inject({
    path: '**',
    times: 1,
    trouble: { kind: 'answer', status: 502, body: page, contentType: 'text/html' },
  });
  expect(await send('GET', 'projects')).toMatchObject({
    status: 502,
    text: page,
    headers: { 'content-type': 'text/html' },
  });
});

test('the token endpoint can be in trouble too', async () => {
  const { emulator } = await aBench();
  emulator.faults.inject({ path: '/oidc/v1/token', trouble: { kind: 'answer', status: 503 } });
  const { status } = await emulator.handle({ method: 'POST', url: '/oidc/v1/token', headers: {} });
  expect(status).toBe(503);
});

test.each([
  ['an answer lost after the write', { kind: 'loseAnswer' }, 1],
  ['a request lost before it', { kind: 'loseRequest' }, 0],
] as const)('%s', async (_, trouble, made) => {
  const { send, emulator } = await aBench();
  emulator.faults.inject({ method: 'POST', times: 1, trouble });
  await expect(send('POST', `${branches}?branch_id=dev`, aBranch)).rejects.toThrow(ConnectionLost);
  await emulator.idle();
  expect(itemsOf((await send('GET', branches)).body, 'branches')).toHaveLength(1 + made);
});

test('a create that fails with 500 can have landed', async () => {
  const { send, emulator } = await aBench();
  emulator.faults.inject({ method: 'POST', times: 1, trouble: { kind: 'failAfter' } });
  expect((await send('POST', `${branches}?branch_id=dev`, aBranch)).status).toBe(500);
  await emulator.idle();
  expect((await send('GET', dev)).status).toBe(200);
});

test('a fault can be taken away, and all of them at once', async () => {
  const { send, emulator } = await aBench();
  const takeAway = emulator.faults.inject({ trouble: { kind: 'answer', status: 500 } });
  takeAway();
  expect((await send('GET', 'projects')).status).toBe(200);
  emulator.faults.inject({ trouble: { kind: 'answer', status: 500 } });
  emulator.faults.set({ limits: { unarchivedBranches: 0 } });
  emulator.faults.clear();
  expect((await send('POST', `${branches}?branch_id=dev`, aBranch)).status).toBe(200);
});

test('a delayed answer comes when its time has come', async () => {
  const { send, emulator, clock } = await aBench();
  emulator.faults.inject({ trouble: { kind: 'delay', ms: 5000 }, times: 1 });
  let status = 0;
  const answered = send('GET', 'projects').then((answer) => (status = answer.status));
  await microtasks();
  expect(status).toBe(0);
  clock.advance(5000);
  await answered;
  expect(status).toBe(200);
});

test('a branch stays INIT as long as told, and the operation with it', async () => {
  const { send, emulator, clock } = await aBench();
  emulator.faults.set({ initMs: 3000 });
  const { body } = await send('POST', `${branches}?branch_id=dev`, aBranch);
  clock.advance(2999);
  await microtasks();
  expect((await send('GET', dev)).body['status']).toMatchObject({ current_state: 'INIT', pending_state: 'READY' });
  expect((await send('GET', textAt(body, 'name'))).body['done']).toBe(false);
  clock.advance(1);
  await emulator.idle();
  expect((await send('GET', dev)).body['status']).toMatchObject({ current_state: 'READY' });
  expect((await send('GET', textAt(body, 'name'))).body['done']).toBe(true);
});

test('an operation can be done before its branch is ready', async () => {
  const { send, emulator, clock } = await aBench();
  emulator.faults.set({ initMs: 3000, doneBeforeReady: true });
  const { body } = await send('POST', `${branches}?branch_id=dev`, aBranch);
  await microtasks();
  expect((await send('GET', textAt(body, 'name'))).body['done']).toBe(true);
  expect(textAt((await send('GET', dev)).body, 'status.current_state')).toBe('INIT');
  clock.advance(3000);
  await microtasks();
  expect(textAt((await send('GET', dev)).body, 'status.current_state')).toBe('READY');
});

test('a failed create leaves a branch in INIT', async () => {
  const { send, emulator } = await aBench();
  emulator.faults.set({ createFails: true });
  const { body } = await send('POST', `${branches}?branch_id=dev`, aBranch);
  await emulator.idle();
  expect((await send('GET', textAt(body, 'name'))).body).toMatchObject({
    done: true,
    error: { error_code: 'INTERNAL_ERROR' },
  });
  expect(textAt((await send('GET', dev)).body, 'status.current_state')).toBe('INIT');
});

test('a branch hides for a while after its create, but its id is taken', async () => {
  const bench = await aBench();
  bench.emulator.faults.set({ notFoundAfterCreateMs: 2000 });
  await bench.send('POST', `${branches}?branch_id=dev`, aBranch);
  expect(await refusalOf(bench, `GET ${dev}`)).toBe('404 NOT_FOUND branch id not found');
  expect(itemsOf((await bench.send('GET', branches)).body, 'branches')).toHaveLength(0);
  expect(await refusalOf(bench, `POST ${branches}?branch_id=dev`, aBranch)).toMatch(/already exists/);
  bench.clock.advance(2000);
  expect((await bench.send('GET', dev)).status).toBe(200);
});

test('a delete during INIT is answered and ignored, if told so', async () => {
  const { send, emulator, clock } = await aBench();
  emulator.faults.set({ initMs: 3000, deleteIgnoredDuringInit: true });
  await send('POST', `${branches}?branch_id=dev`, aBranch);
  const { status, body } = await send('DELETE', dev);
  expect(status).toBe(200);
  clock.advance(3000);
  await emulator.idle();
  expect((await send('GET', textAt(body, 'name'))).body['done']).toBe(true);
  expect(textAt((await send('GET', dev)).body, 'status.current_state')).toBe('READY');
  await send('DELETE', dev);
  await emulator.idle();
  expect((await send('GET', dev)).status).toBe(404);
});

test('otherwise a delete during INIT ends the create and leaves no data', async () => {
  const { send, emulator, dataPlane } = await aBench();
  emulator.faults.set({ initMs: 3000 });
  const { body } = await send('POST', `${branches}?branch_id=dev`, aBranch);
  await send('DELETE', dev);
  await emulator.idle();
  expect((await send('GET', textAt(body, 'name'))).body).toMatchObject({
    done: true,
    error: { error_code: 'ABORTED' },
  });
  expect((await send('GET', dev)).status).toBe(404);
  expect(dataPlane.branchUids()).toHaveLength(1);
});

test('a slow delete shows the branch until it is gone', async () => {
  const bench = await aBench();
  await given.dev(bench);
  bench.emulator.faults.set({ deleteMs: 1200 });
  await bench.send('DELETE', dev);
  expect((await bench.send('GET', dev)).body['status']).toMatchObject({ pending_state: 'DELETED' });
  bench.clock.advance(1200);
  await bench.emulator.idle();
  expect((await bench.send('GET', dev)).status).toBe(404);
});

test('operations say that they are not done for some polls', async () => {
  const { send, emulator } = await aBench();
  emulator.faults.set({ operationPolls: 2 });
  const { body } = await send('POST', `${branches}?branch_id=dev`, aBranch);
  await emulator.idle();
  const polls: unknown[] = [];
  for (let n = 0; n < 3; n++) polls.push((await send('GET', textAt(body, 'name'))).body['done']);
  expect(polls).toEqual([false, false, true]);
});

test('the first answer can already be done', async () => {
  const { send, emulator } = await aBench();
  emulator.faults.set({ operationsDoneAtOnce: true });
  const { body } = await send('POST', `${branches}?branch_id=dev`, aBranch);
  expect(body).toMatchObject({ done: true, response: { status: { current_state: 'READY' } } });
});

test('a skewed clock shows in the Date header and in every instant, and decides what has expired', async () => {
  const { send, emulator, clock } = await aBench();
  emulator.faults.set({ clockSkewMs: 3_600_000 });
  const { headers } = await send('POST', `${branches}?branch_id=dev`, { spec: { ttl: '7200s' } });
  expect(headers['date']).toBe('Mon, 05 Oct 2026 13:00:00 GMT');
  const { body } = await send('GET', dev);
  expect(textAt(body, 'create_time')).toBe('2026-10-05T13:00:00Z');
  expect(textAt(body, 'status.expire_time')).toBe('2026-10-05T15:00:00Z');
  clock.advance(2 * 3_600_000);
  await emulator.idle();
  expect((await send('GET', dev)).status).toBe(404);
});

test('moving the clock of the service expires what is due', async () => {
  const bench = await aBench();
  await given.dev(bench);
  bench.emulator.faults.set({ clockSkewMs: 2 * 86_400_000 });
  bench.clock.advance(1000);
  await bench.emulator.idle();
  expect((await bench.send('GET', dev)).status).toBe(404);
});

test('a full project can be had at any time', async () => {
  const bench = await aBench();
  bench.emulator.faults.set({
    limits: { unarchivedBranches: 1 },
    variants: { tooManyUnarchived: { status: 429, code: 'RESOURCE_EXHAUSTED' } },
  });
  expect(await refusalOf(bench, `POST ${branches}?branch_id=dev`, aBranch)).toBe(
    '429 RESOURCE_EXHAUSTED The project has reached the limit of 1 unarchived branches',
  );
});

test.each([
  ['project', /^409 ABORTED Your project already has conflicting operations/],
  ['branch', /^200$/],
] as const)('two creates at once, where conflicts count per %s', async (conflicts, second) => {
  const bench = await aBench();
  bench.emulator.faults.set({ conflicts, initMs: 1000 });
  await bench.send('POST', `${branches}?branch_id=a`, aBranch);
  expect(await refusalOf(bench, `POST ${branches}?branch_id=b`, aBranch)).toMatch(second);
  bench.clock.advance(1000);
  await bench.emulator.idle();
});

test('roles of a branch in INIT wait, also where nothing conflicts', async () => {
  const bench = await aBench();
  bench.emulator.faults.set({ conflicts: 'never', initMs: 1000 });
  await bench.send('POST', `${branches}?branch_id=dev`, aBranch);
  await change({ ...bench, emulator: { ...bench.emulator, idle: microtasks } }, 'POST', `${dev}/roles?role_id=app`, {
    spec: { postgres_role: 'app' },
  });
  bench.clock.advance(1000);
  await bench.emulator.idle();
  expect((await bench.send('GET', `${dev}/roles/app`)).status).toBe(200);
});

test('a name that no error has is a mistake of the test', async () => {
  const { emulator } = await aBench();
  const variants: Record<string, object> = { nope: { status: 400 } };
  expect(() => emulator.faults.set({ variants })).toThrow('there is no error named nope');
});
