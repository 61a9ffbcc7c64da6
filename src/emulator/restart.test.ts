import { mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { ManualClock } from '../kit/clock.ts';
import { aBench, aBranch, given, itemsOf, startOfTest, textAt, type Bench } from '../../test/fakes/emulator-caller.ts';
import { noDataPlane } from './no-data-plane.ts';
import { fileStore, memoryStore, Saver, type Store } from './store.ts';
import type { EmulatorState } from './state.ts';

const branches = 'projects/shop/branches';
const dev = `${branches}/dev`;

/** The same machine, data plane and state; another process. */
function machine(store: Store = memoryStore()): () => Promise<Bench> {
  const clock = new ManualClock(startOfTest);
  const dataPlane = noDataPlane();
  return () => aBench({ clock, dataPlane, store });
}

test('everything is there after a restart, tokens included', async () => {
  const start = machine();
  const before = await start();
  await given.dev(before);
  const branch = (await before.send('GET', dev)).body;
  const endpoint = (await before.send('GET', `${dev}/endpoints/primary`)).body;
  const { body: credential } = await before.send('POST', 'credentials', { endpoint: `${dev}/endpoints/primary` });
  await before.emulator.stop();

  const after = await start();
  expect((await after.send('GET', dev)).body).toEqual(branch);
  expect((await after.send('GET', `${dev}/endpoints/primary`)).body).toEqual(endpoint);
  const login = await after.emulator.authorizeLogin({
    endpoint: { uid: textAt(endpoint, 'uid') },
    user: '00000000-0000-4000-8000-00000000beef',
    password: textAt(credential, 'token'),
    database: 'databricks_postgres',
  });
  expect(login).toEqual({ ok: true });
});

test('a write is stored before it is answered: a killed process has promised nothing it does not know', async () => {
  const start = machine();
  const before = await start();
  before.emulator.faults.set({ initMs: 60_000 });
  const { body: operation } = await before.send('POST', `${branches}?branch_id=dev`, aBranch);

  // Not stopped: killed.
  const after = await start();
  await after.emulator.idle();
  expect(textAt((await after.send('GET', dev)).body, 'status.current_state')).toBe('READY');
  expect((await after.send('GET', textAt(operation, 'name'))).body).toMatchObject({
    done: true,
    response: { status: { current_state: 'READY' } },
  });
});

test('a branch that was INIT is made again from nothing', async () => {
  const clock = new ManualClock(startOfTest);
  const store = memoryStore();
  const torn = { ...noDataPlane(), fork: () => new Promise<undefined>(() => {}) };
  const before = await aBench({ clock, store, dataPlane: torn });
  await before.send('POST', `${branches}?branch_id=dev`, aBranch);

  const done: string[] = [];
  const whole = noDataPlane();
  const watched = {
    ...whole,
    destroy: (uid: string) => whole.destroy(uid).then(() => void done.push('destroy')),
    fork: async () => void done.push('fork'),
  };
  const after = await aBench({ clock, store, dataPlane: watched });
  expect(done).toEqual(['destroy', 'fork']);
  expect(textAt((await after.send('GET', dev)).body, 'status.current_state')).toBe('READY');
});

test('a delete that was under way is finished', async () => {
  const start = machine();
  const before = await start();
  await given.dev(before);
  before.emulator.faults.set({ deleteMs: 60_000 });
  const { body: operation } = await before.send('DELETE', dev);

  const after = await start();
  expect((await after.send('GET', dev)).status).toBe(404);
  expect(after.dataPlane.branchUids()).toHaveLength(1);
  expect((await after.send('GET', textAt(operation, 'name'))).body).toMatchObject({ done: true });
});

test('what was being purged is gone after a restart, and its id free', async () => {
  const start = machine();
  const before = await start();
  await given.dev(before);
  const { closeEndpoint } = before.dataPlane;
  before.dataPlane.closeEndpoint = () => new Promise<void>(() => {});
  await before.send('DELETE', 'projects/shop?purge=true');
  before.dataPlane.closeEndpoint = closeEndpoint;

  const after = await start();
  after.clock.advance(1000);
  await after.emulator.idle();
  expect(itemsOf((await after.send('GET', 'projects?show_deleted=true')).body, 'projects')).toEqual([]);
  expect(after.dataPlane.branchUids()).toEqual([]);
});

test('a branch that was being purged is remembered by nobody after a restart', async () => {
  const start = machine();
  const before = await start();
  await given.dev(before);
  before.emulator.faults.set({ deleteMs: 60_000 });
  await before.send('DELETE', `${dev}?purge=true`);

  const after = await start();
  expect(itemsOf((await after.send('GET', `${branches}?show_deleted=true`)).body, 'branches')).toHaveLength(1);
});

test('a change of a role that was under way ends as aborted', async () => {
  const start = machine();
  const before = await start();
  before.emulator.faults.set({ operationMs: 60_000 });
  const { body: operation } = await before.send('POST', `${branches}/production/roles?role_id=app`, {
    spec: { postgres_role: 'app' },
  });

  const after = await start();
  expect((await after.send('GET', textAt(operation, 'name'))).body).toMatchObject({
    done: true,
    error: { error_code: 'ABORTED' },
  });
  expect((await after.send('GET', `${branches}/production/roles/app`)).status).toBe(404);
});

test('a branch that expired while nobody ran is gone soon after the start', async () => {
  const clock = new ManualClock(startOfTest);
  const dataPlane = noDataPlane();
  const store = memoryStore();
  const before = await aBench({ clock, dataPlane, store });
  await given.dev(before);
  await before.emulator.stop();
  clock.advance(48 * 3_600_000);

  const after = await aBench({ clock, dataPlane, store });
  clock.advance(1000);
  await after.emulator.idle();
  expect(itemsOf((await after.send('GET', branches)).body, 'branches')).toHaveLength(1);
});

test('a deleted project is not seeded again', async () => {
  const start = machine();
  const before = await start();
  await before.send('DELETE', 'projects/shop');
  await before.emulator.idle();
  await before.emulator.stop();
  const after = await start();
  expect((await after.send('GET', 'projects/shop')).status).toBe(404);
});

test('the file is replaced as a whole, readable by its owner only', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'emulator-store-'));
  try {
    const start = machine(fileStore(folder));
    await given.dev(await start());
    expect(readdirSync(folder)).toEqual(['control-plane.json']);
    expect(statSync(join(folder, 'control-plane.json')).mode & 0o777).toBe(0o600);
    expect((await (await start()).send('GET', dev)).status).toBe(200);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test('changes during a write share the next one, and saved() means stored', async () => {
  const written: number[] = [];
  const waiting: (() => void)[] = [];
  const store: Store = {
    load: () => undefined,
    save: (json) =>
      new Promise((resolve) => {
        waiting.push(() => {
          written.push((JSON.parse(json) as EmulatorState).nextSequence);
          resolve();
        });
      }),
  };
  const state = { nextSequence: 1 } as EmulatorState;
  const saver = new Saver(store, state, () => {});
  const change = (): Promise<void> => {
    state.nextSequence += 1;
    saver.changed();
    return saver.saved();
  };
  const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

  const first = change();
  await turn();
  const others = [change(), change(), change()];
  waiting.shift()?.();
  await first;
  await turn();
  waiting.shift()?.();
  await Promise.all(others);
  expect(written).toEqual([2, 5]);
});

test('what nobody asked about is stored as well', async () => {
  const store = memoryStore();
  const bench = await aBench({ store });
  bench.emulator.faults.set({ initMs: 1000 });
  await bench.send('POST', `${branches}?branch_id=dev`, aBranch);
  bench.clock.advance(1000);
  await bench.emulator.idle();
  await new Promise((resolve) => setImmediate(resolve));
  const stored = store.load()?.projects['shop']?.branches['dev'];
  expect(stored?.state).toBe('READY');
});

test('a store that fails fails the request and is tried again', async () => {
  const disk = memoryStore();
  let full = false;
  const store: Store = { ...disk, save: (json) => (full ? Promise.reject(new Error('ENOSPC')) : disk.save(json)) };
  const bench = await aBench({ store });
  full = true;
  expect((await bench.send('POST', `${branches}?branch_id=dev`, aBranch)).status).toBe(500);
  full = false;
  expect((await bench.send('DELETE', dev)).status).toBe(200);
});
