import fc from 'fast-check';
import { expect, test } from 'vitest';
import { ManualClock } from '../kit/clock.ts';
import { LakebaseError } from '../lakebase/errors.ts';
import type { Branch } from '../lakebase/model.ts';
import { forWaiters, projectKey, Projects, type Lister, type Project } from './projects.ts';

const branch = (id: string, change: Partial<Branch> = {}): Branch => ({
  id,
  uid: `br-${id}`,
  project: 'shop',
  state: 'READY',
  isDefault: false,
  isProtected: false,
  sourceBranch: 'production',
  ...change,
});

/** A provider whose LISTs end when the test says so. */
class Provider implements Lister {
  /** Those that run: oldest first. */
  readonly running: PromiseWithResolvers<Branch[]>[] = [];
  lists = 0;

  listBranches(): Promise<Branch[]> {
    this.lists++;
    const answer = Promise.withResolvers<Branch[]>();
    this.running.push(answer);
    return answer.promise;
  }

  answer(...ids: string[]): void {
    this.answerWith(ids.map((id) => branch(id)));
  }

  answerWith(branches: Branch[]): void {
    this.next().resolve(branches);
  }

  fail(error: LakebaseError): void {
    this.next().reject(error);
  }

  next(): PromiseWithResolvers<Branch[]> {
    return this.running.shift() ?? expect.unreachable('no LIST runs');
  }
}

interface Scene {
  readonly clock: ManualClock;
  readonly provider: Provider;
  readonly projects: Projects;
  readonly project: Project;
}

const place = { host: 'https://dbc.example', project: 'shop' };
const { signal } = new AbortController();
const outage = new LakebaseError('unavailable', 'out of order');

function scene(): Scene {
  const clock = new ManualClock(new Date('2026-11-25T10:00:00Z'));
  const projects = new Projects(clock);
  return { clock, provider: new Provider(), projects, project: projects.of(place) };
}

/** A LIST that is answered at once. */
async function listed({ project, provider }: Scene, ...ids: string[]) {
  const asked = project.snapshot(provider, { maxAgeMs: 0 }, signal);
  provider.answer(...ids);
  return asked;
}

const idsOf = ({ branches }: { branches: readonly Branch[] }): string[] => branches.map(({ id }) => id);

test('classes share a project if host and project are the same, however the host is spelled', () => {
  const { projects, project } = scene();
  expect(projects.of({ host: 'https://DBC.example:443', project: 'shop' })).toBe(project);
  expect(projects.of({ host: 'https://dbc.example', project: 'other' })).not.toBe(project);
  expect(projects.of({ host: 'https://other.example', project: 'shop' })).not.toBe(project);
  expect(projectKey(place)).toBe('https://dbc.example/shop');
  expect(projectKey({ host: 'https://dbc.example:99999', project: 'shop' })).toBe('https://dbc.example:99999/shop');
});

test('all who ask at the same time share one LIST', async () => {
  const { project, provider } = scene();
  const asked = [forWaiters, { maxAgeMs: 500 }, { afterOurLastWrite: true }].map((wanted) =>
    project.snapshot(provider, wanted, signal),
  );
  provider.answer('a');
  expect((await Promise.all(asked)).map(idsOf)).toEqual([['a'], ['a'], ['a']]);
  expect(provider.lists).toBe(1);
});

test.each<[string, number, Parameters<Project['snapshot']>[1], boolean]>([
  ['a waiter takes a LIST of 29 s ago', 29_000, forWaiters, true],
  ['a waiter looks again after 30 s', 30_000, forWaiters, false],
  ['whoever follows a transition takes what is young enough', 499, { maxAgeMs: 500 }, true],
  ['whoever follows a transition does not take what is older', 500, { maxAgeMs: 500 }, false],
  ['who trusts nothing always asks', 0, { maxAgeMs: 0 }, false],
  ['who names no age takes what is not older than 30 s', 30_000, { afterOurLastWrite: true }, false],
])('%s', async (_sentence, ageMs, wanted, reused) => {
  const it = scene();
  await listed(it, 'a');
  it.clock.advance(ageMs);
  const asked = it.project.snapshot(it.provider, wanted, signal);
  expect(it.provider.lists).toBe(reused ? 1 : 2);
  if (!reused) it.provider.answer('b');
  expect(idsOf(await asked)).toEqual(reused ? ['a'] : ['b']);
});

test.each<[string, (project: Project) => void]>([
  ['a POST', (project) => project.willPost('x')],
  ['a DELETE', (project) => project.willDelete('a')],
  ['the end of a deletion', (project) => project.freed('a')],
])('after %s, a LIST of before is not enough for those who need a later one', async (_what, write) => {
  const it = scene();
  const { project, provider } = it;
  const before = await listed(it, 'a');
  expect(project.isCurrent(before)).toBe(true);
  write(project);
  expect(project.isCurrent(before)).toBe(false);
  expect(await project.snapshot(provider, { maxAgeMs: 500 }, signal)).toBe(before);
  const asked = project.snapshot(provider, forWaiters, signal);
  provider.answer('b');
  expect(idsOf(await asked)).toEqual(['b']);
  expect(project.isCurrent(await asked)).toBe(true);
});

test('a LIST that began before our write is not joined by those who need a later one', async () => {
  const { project, provider } = scene();
  const early = project.snapshot(provider, forWaiters, signal);
  project.willPost('x');
  const late = project.snapshot(provider, forWaiters, signal);
  const joined = project.snapshot(provider, forWaiters, signal);
  expect(provider.lists).toBe(2);
  const [first, second] = [provider.next(), provider.next()];
  second.resolve([branch('new')]);
  first.resolve([branch('old')]);
  expect(idsOf(await early)).toEqual(['old']);
  expect(idsOf(await late)).toEqual(['new']);
  expect(await joined).toBe(await late);
  // The older LIST ended later, and does not take the place of the newer.
  expect(await project.snapshot(provider, forWaiters, signal)).toBe(await late);
});

test('a failure is told to all who waited, and is not kept', async () => {
  const { project, provider } = scene();
  const asked = [1, 2].map(() => project.snapshot(provider, forWaiters, signal));
  provider.fail(outage);
  for (const each of asked) await expect(each).rejects.toBe(outage);
  const again = project.snapshot(provider, forWaiters, signal);
  provider.answer('a');
  expect(idsOf(await again)).toEqual(['a']);
});

test('what one class is refused says nothing about another: its objects ask themselves, and share that LIST', async () => {
  const { project, provider } = scene();
  const stranger = new Provider();
  const refused = project.snapshot(stranger, forWaiters, signal);
  const joined = [1, 2, 3].map(() => project.snapshot(provider, forWaiters, signal));
  expect(provider.lists).toBe(0);
  stranger.fail(outage);
  await expect(refused).rejects.toBe(outage);
  await expect.poll(() => provider.running.length).toBe(1);
  provider.answer('a');
  for (const each of joined) expect(idsOf(await each)).toEqual(['a']);
  expect(provider.lists).toBe(1);
});

test('whoever gives up does not take the LIST from the others', async () => {
  const { project, provider } = scene();
  const controller = new AbortController();
  const hasty = project.snapshot(provider, forWaiters, controller.signal);
  const patient = project.snapshot(provider, forWaiters, signal);
  controller.abort(new Error('the pass is over'));
  await expect(hasty).rejects.toThrow('the pass is over');
  provider.answer('a');
  expect(idsOf(await patient)).toEqual(['a']);
});

test('whoever gives up asks for nothing more, also when it waited for the LIST of another class', async () => {
  const { project, provider } = scene();
  const stranger = new Provider();
  const controller = new AbortController();
  const other = project.snapshot(stranger, forWaiters, signal);
  const hasty = project.snapshot(provider, forWaiters, controller.signal);
  controller.abort(new Error('the pass is over'));
  await expect(hasty).rejects.toThrow('the pass is over');
  expect(provider.lists).toBe(0);
  stranger.answer('a');
  expect(idsOf(await other)).toEqual(['a']);
});

test('an older LIST that ends does not hide the newer one that runs', async () => {
  const { project, provider } = scene();
  const early = project.snapshot(provider, forWaiters, signal);
  project.willPost('x');
  const late = project.snapshot(provider, forWaiters, signal);
  provider.answer('old');
  await early;
  const joined = project.snapshot(provider, forWaiters, signal);
  expect(provider.lists).toBe(2);
  provider.answer('new');
  expect(await joined).toBe(await late);
});

test('only branches that are neither archived nor deleted count', async () => {
  const { project, provider } = scene();
  const asked = project.snapshot(provider, forWaiters, signal);
  provider.answerWith([
    branch('production', { isDefault: true }),
    branch('starting', { state: 'INIT' }),
    branch('asleep', { state: 'ARCHIVED' }),
    branch('gone', { state: 'DELETED' }),
    branch('going', { deleteTime: new Date() }),
  ]);
  expect(project.unarchived(await asked)).toBe(2);
});

test('a branch that was asked for counts at once, and no more than once', async () => {
  const it = scene();
  const before = await listed(it, 'production');
  it.project.willPost('x');
  it.project.willPost('x');
  expect(it.project.unarchived(before)).toBe(2);
  expect(it.project.unarchived(await listed(it, 'production', 'x'))).toBe(2);
});

test('it counts for two minutes although no LIST shows it', async () => {
  const it = scene();
  it.project.willPost('x');
  expect(it.project.unarchived(await listed(it))).toBe(1);
  it.clock.advance(2 * 60_000 - 1);
  expect(it.project.unarchived(await listed(it))).toBe(1);
  it.clock.advance(1);
  expect(it.project.unarchived(await listed(it))).toBe(0);
});

test('once a LIST has shown it, the LISTs that follow say whether it is there', async () => {
  const it = scene();
  const before = await listed(it);
  it.project.willPost('x');
  await listed(it, 'x');
  expect(it.project.unarchived(await listed(it))).toBe(0);
  // To those that came before, it is as unseen as ever.
  expect(it.project.unarchived(before)).toBe(1);
});

test('of two LISTs that ran at the same time, what one showed is not taken for gone because the other does not', async () => {
  const { project, provider } = scene();
  const first = project.snapshot(provider, forWaiters, signal);
  project.willPost('x');
  const second = project.snapshot(provider, forWaiters, signal);
  const [readLate, readEarly] = [provider.next(), provider.next()];
  readLate.resolve([branch('x')]);
  readEarly.resolve([]);
  expect(project.unarchived(await first)).toBe(1);
  expect(project.unarchived(await second)).toBe(1);
});

test('a refused POST does not count', async () => {
  const it = scene();
  it.project.willPost('x');
  it.project.postFailed('x');
  expect(it.project.unarchived(await listed(it))).toBe(0);
});

test('a refusal says nothing about an earlier POST that was not answered', async () => {
  const it = scene();
  it.project.willPost('x');
  it.project.willPost('x');
  it.project.postFailed('x');
  expect(it.project.unarchived(await listed(it))).toBe(1);
  it.project.postFailed('never asked for');
});

test('a branch that we delete counts until a LIST that began afterwards does not show it', async () => {
  const it = scene();
  const before = await listed(it, 'production', 'x');
  it.project.willDelete('x');
  expect(it.project.unarchived(before)).toBe(2);
  expect(it.project.unarchived(await listed(it, 'production', 'x'))).toBe(2);
  expect(it.project.unarchived(await listed(it, 'production'))).toBe(1);
});

test('one that no LIST has shown yet counts on although it is deleted, until it was seen to be gone', async () => {
  const it = scene();
  it.project.willPost('x');
  it.project.willDelete('x');
  expect(it.project.unarchived(await listed(it))).toBe(1);
  it.project.freed('x');
  expect(it.project.unarchived(await listed(it))).toBe(0);
});

test('a LIST that ran while we deleted proves nothing', async () => {
  const it = scene();
  const running = it.project.snapshot(it.provider, forWaiters, signal);
  it.project.willDelete('x');
  it.provider.answer('production');
  expect(it.project.unarchived(await running)).toBe(2);
});

test('those who wait look again 30 s after the last LIST began, and soon but not at once if that failed long ago', async () => {
  const it = scene();
  await listed(it);
  expect(it.project.nextLookMs()).toBe(30_000);
  it.clock.advance(10_000);
  expect(it.project.nextLookMs()).toBe(20_000);
  const failing = it.project.snapshot(it.provider, { maxAgeMs: 0 }, signal);
  it.provider.fail(outage);
  await expect(failing).rejects.toBe(outage);
  expect(it.project.nextLookMs()).toBe(30_000);
  it.clock.advance(60_000);
  expect(it.project.nextLookMs()).toBe(1_000);
});

test('a freed slot is told to those who listen, with the project it is in', () => {
  const { projects, project } = scene();
  const told: unknown[] = [];
  const stop = projects.onFreed((freed) => told.push(freed));
  project.freed('a');
  projects.of({ ...place, project: 'other' }).freed('a');
  stop();
  project.freed('a');
  expect(told).toEqual([place, { ...place, project: 'other' }]);
});

/** A change whose end the test decides; `running` counts those that have begun and not ended. */
class Changes {
  running = 0;
  most = 0;
  readonly begun: string[] = [];
  readonly ends: PromiseWithResolvers<void>[] = [];

  change(name: string): () => Promise<string> {
    return async () => {
      this.begun.push(name);
      this.most = Math.max(this.most, ++this.running);
      const end = Promise.withResolvers<void>();
      this.ends.push(end);
      await end.promise.finally(() => this.running--);
      return name;
    };
  }
}

test('changes run side by side while the provider allows it', async () => {
  const { project } = scene();
  const changes = new Changes();
  const all = ['a', 'b'].map((name) => project.exclusively(changes.change(name), signal));
  expect(changes.begun).toEqual(['a', 'b']);
  changes.ends.forEach(({ resolve }) => resolve());
  expect(await Promise.all(all)).toEqual(['a', 'b']);
});

test('after a conflict they run one after another, also past one that fails or gives up, and for a minute', async () => {
  const { clock, project } = scene();
  const changes = new Changes();
  const controller = new AbortController();
  project.conflictSeen();
  const [a, b, c] = [
    project.exclusively(changes.change('a'), signal),
    project.exclusively(changes.change('b'), controller.signal),
    project.exclusively(changes.change('c'), signal),
  ];
  await expect.poll(() => changes.begun).toEqual(['a']);
  controller.abort(new Error('the pass is over'));
  await expect(b).rejects.toThrow('the pass is over');
  expect(changes.begun).toEqual(['a']);
  changes.ends[0]?.reject(outage);
  await expect(a).rejects.toBe(outage);
  await expect.poll(() => changes.begun).toEqual(['a', 'c']);
  clock.advance(59_999);
  const d = project.exclusively(changes.change('d'), signal);
  clock.advance(1);
  const e = project.exclusively(changes.change('e'), signal);
  expect(changes.begun).toEqual(['a', 'c', 'e']);
  changes.ends[1]?.resolve();
  await expect.poll(() => changes.begun).toEqual(['a', 'c', 'e', 'd']);
  changes.ends.forEach(({ resolve }) => resolve());
  expect(await Promise.all([c, d, e])).toEqual(['c', 'd', 'e']);
});

// Whatever the order of events, the count is never below what there is: of that, free slots are made.

type Event = 'postLands' | 'postIsLost' | 'postIsRefused' | 'delete' | 'appears' | 'goes' | 'list';
const someEvents = fc.array(
  fc.record({
    event: fc.constantFrom<Event>('postLands', 'postIsLost', 'postIsRefused', 'delete', 'appears', 'goes', 'list'),
    id: fc.constantFrom('a', 'b', 'c'),
  }),
  { maxLength: 40 },
);

test('no branch of ours is ever forgotten in the count, whatever LISTs show late', async () => {
  await fc.assert(
    fc.asyncProperty(someEvents, async (events) => {
      const it = scene();
      const { project } = it;
      /** What is there; and what of it LISTs show. */
      const there = new Set<string>();
      const shown = new Set<string>();
      const used = new Set<string>();
      let snapshot = await listed(it);
      for (const { event, id } of events) {
        switch (event) {
          case 'postLands':
          case 'postIsLost':
            if (used.has(id) && !there.has(id)) break; // An id that was deleted is never used again.
            project.willPost(id);
            used.add(id);
            there.add(id);
            break;
          case 'postIsRefused':
            if (used.has(id) && !there.has(id)) break;
            project.willPost(id);
            project.postFailed(id);
            break;
          case 'appears':
            if (there.has(id)) shown.add(id);
            break;
          case 'delete':
            if (there.has(id)) project.willDelete(id);
            break;
          case 'goes':
            if (!there.delete(id)) break;
            shown.delete(id);
            project.freed(id);
            break;
          case 'list':
            snapshot = await listed(it, ...shown);
            break;
        }
        expect(project.unarchived(snapshot)).toBeGreaterThanOrEqual(there.size);
      }
    }),
    { numRuns: 300 },
  );
});
