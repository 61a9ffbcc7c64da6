import fc from 'fast-check';
import { expect, test } from 'vitest';
import { aBranchClass } from '../../../test/builders/branch-class.ts';
import { aDatabaseBranch } from '../../../test/builders/database-branch.ts';
import type { Change } from '../../../test/builders/merge.ts';
import type { BranchClass } from '../../api/v1alpha1/branch-class.ts';
import type { DatabaseBranch } from '../../api/v1alpha1/database-branch.ts';
import { ManualClock } from '../../kit/clock.ts';
import { keyOf } from '../../kit/kube.ts';
import type { Branch } from '../../lakebase/model.ts';
import { Projects, type Lister } from '../projects.ts';
import { Slots, type SlotSeen } from './slots.ts';

const { signal } = new AbortController();
const minute = (n: number): string => new Date(Date.UTC(2026, 8, 21, 12, n)).toISOString();

const object = (name: string, change: Change<DatabaseBranch> = {}): DatabaseBranch =>
  aDatabaseBranch({ ...change, metadata: { name, uid: `u-${name}`, namespace: `team-${name}`, ...change.metadata } });

const served = (name: string, change: Change<DatabaseBranch> = {}): DatabaseBranch =>
  object(name, { ...change, status: { branch: { id: name, uid: `br-${name}` }, ...change.status } });

const branch = (id: string): Branch => ({
  id,
  uid: `br-${id}`,
  project: 'shop',
  state: 'READY',
  isDefault: false,
  isProtected: false,
});

/** Everything that a pass would look at, in this process. */
class Scene {
  readonly clock = new ManualClock(new Date(minute(30)));
  readonly projects = new Projects(this.clock);
  readonly objects = new Map<string, DatabaseBranch>();
  readonly written = new Map<string, DatabaseBranch>();
  readonly started = new Set<string>();
  readonly classes: BranchClass[] = [aBranchClass()];
  readonly branches = new Set<string>();
  lists = 0;
  readonly client: Lister = {
    listBranches: async () => {
      this.lists++;
      return [...this.branches].map(branch);
    },
  };
  readonly slots = new Slots({
    projects: this.projects,
    projectLimit: 10,
    objects: { byIndex: (name, value) => this.byIndex(name, value) },
    classes: { list: () => this.classes },
    newest: (cached) => this.written.get(cached.metadata.uid ?? '') ?? cached,
    aside: () => false,
    started: ({ metadata }) => this.started.has(metadata.uid ?? ''),
    restoreOf: () => undefined,
  });

  constructor(...objects: DatabaseBranch[]) {
    this.put(...objects);
  }

  put(...objects: DatabaseBranch[]): void {
    for (const each of objects) this.objects.set(each.metadata.uid ?? '', each);
  }

  byIndex(name: string, value: string): DatabaseBranch[] {
    if (name !== 'class') throw new Error(`there is no index ${name}`);
    return [...this.objects.values()].filter(({ spec }) => spec.className === value);
  }

  get project() {
    return this.projects.of(this.bclass.spec.provider);
  }

  get bclass(): BranchClass {
    return this.classes[0] ?? expect.unreachable('there is a class');
  }

  look(asking: DatabaseBranch): Promise<SlotSeen> {
    return this.slots.look(asking, this.bclass, this.client, signal);
  }
}

const full = Array.from({ length: 10 }, (_, index) => `foreign-${index}`);

test('with room, it goes', async () => {
  const a = object('a');
  const seen = await new Scene(a).look(a);
  expect(seen.verdict).toEqual({ go: true });
  expect(seen.nextSlotTime).toBeUndefined();
});

test('without, it is told its place, when a branch ends, and when to look again; many who ask share one LIST', async () => {
  const [a, b] = [
    object('a', { metadata: { creationTimestamp: minute(1) } }),
    object('b', { metadata: { creationTimestamp: minute(2) } }),
  ];
  const scene = new Scene(a, b, served('x', { status: { expiration: { expireTime: minute(59) } } }));
  full.forEach((id) => scene.branches.add(id));
  const seen = await Promise.all([b, a].map((each) => scene.look(each)));
  expect(seen.map(({ verdict }) => verdict)).toEqual([
    { go: false, position: 2, because: 'project' },
    { go: false, position: 1, because: 'project' },
  ]);
  expect(seen.map(({ nextSlotTime }) => nextSlotTime?.toISOString())).toEqual([minute(59), minute(59)]);
  expect(seen.map(({ lookInMs }) => lookInMs)).toEqual([30_000, 30_000]);
  expect(scene.lists).toBe(1);
});

test('with room, it is told of no slot that it could wait for', async () => {
  const a = object('a');
  const end = { expiration: { expireTime: minute(59) } };
  const { verdict, nextSlotTime } = await new Scene(
    a,
    served('x', { metadata: { namespace: 'team-a' }, status: end }),
  ).look(a);
  expect(verdict).toEqual({ go: true });
  expect(nextSlotTime).toBeUndefined();
});

test('when no branch ever ends, it is told no time', async () => {
  const a = object('a');
  const scene = new Scene(a, served('x'));
  full.forEach((id) => scene.branches.add(id));
  const seen = await scene.look(a);
  expect(seen.verdict).toEqual({ go: false, position: 1, because: 'project' });
  expect(seen).not.toHaveProperty('nextSlotTime');
});

test('who waits for a slot of its namespace is told when one ends there, not elsewhere', async () => {
  const inTeam = (team: string, end: string): DatabaseBranch =>
    served(`x-${team}`, { metadata: { namespace: `team-${team}` }, status: { expiration: { expireTime: end } } });
  const [a, b] = [object('a'), object('b')];
  const scene = new Scene(a, b, inTeam('a', minute(40)), inTeam('b', minute(50)));
  scene.classes[0] = aBranchClass({ spec: { limits: { perNamespace: 1 } } });
  const seen = await Promise.all([a, b].map((each) => scene.look(each)));
  expect(seen.map(({ verdict }) => verdict)).toEqual([
    { go: false, position: 1, because: 'namespace' },
    { go: false, position: 1, because: 'namespace' },
  ]);
  expect(seen.map(({ nextSlotTime }) => nextSlotTime?.toISOString())).toEqual([minute(40), minute(50)]);
});

test('who asks may go although the cache has not heard of it yet', async () => {
  const a = object('a');
  expect((await new Scene().look(a)).verdict).toEqual({ go: true });
});

test('objects of all classes of the project stand in one line, those of other projects do not', async () => {
  const early = { creationTimestamp: minute(1) };
  const a = object('a', { metadata: { creationTimestamp: minute(9) } });
  const scene = new Scene(
    a,
    object('b', { metadata: early, spec: { className: 'second' } }),
    object('c', { metadata: early, spec: { className: 'elsewhere' } }),
  );
  scene.classes.push(
    aBranchClass({ metadata: { name: 'second' } }),
    aBranchClass({ metadata: { name: 'elsewhere' }, spec: { provider: { project: 'other' } } }),
  );
  full.forEach((id) => scene.branches.add(id));
  expect((await scene.look(a)).verdict).toEqual({ go: false, position: 2, because: 'project' });
});

test('what the cache has not heard of counts: a write of ours, and a branch that was asked for', async () => {
  const [a, b, c] = [object('a'), object('b'), object('c')];
  const scene = new Scene(a, b, c);
  scene.classes[0] = aBranchClass({ spec: { limits: { total: 2 } } });
  expect((await scene.look(c)).verdict).toEqual({ go: false, position: 3, because: 'classTotal' });
  scene.written.set('u-a', served('a'));
  scene.started.add('u-b');
  expect((await scene.look(c)).verdict).toEqual({ go: false, position: 1, because: 'classTotal' });
});

test('whose POST was not answered may send it again', async () => {
  const a = object('a');
  const scene = new Scene(a);
  full.forEach((id) => scene.branches.add(id));
  scene.started.add('u-a');
  const { verdict, snapshot } = await scene.look(a);
  expect(verdict).toEqual({ go: true });
  expect(scene.slots.mayStillGo(a, scene.bclass, snapshot)).toBe(true);
});

test('what was asked for since the LIST takes its room', async () => {
  const [a, b] = [object('a'), object('b', { metadata: { creationTimestamp: minute(1) } })];
  const scene = new Scene(a, b);
  full.slice(1).forEach((id) => scene.branches.add(id));
  const { verdict, snapshot } = await scene.look(a);
  expect(verdict).toEqual({ go: true });
  expect(scene.slots.mayStillGo(a, scene.bclass, snapshot)).toBe(true);
  scene.project.willPost('b');
  scene.started.add('u-b');
  expect(scene.slots.mayStillGo(a, scene.bclass, snapshot)).toBe(false);
});

test('those who go next are woken when a slot is freed', () => {
  const [a, b, c] = ['a', 'b', 'c'].map((name, index) =>
    object(name, { metadata: { creationTimestamp: minute(index) } }),
  );
  const scene = new Scene(c!, b!, a!, served('x'));
  const woken: string[] = [];
  scene.projects.onFreed((project) => woken.push(...scene.slots.next(project, 2)));
  scene.project.freed('gone');
  expect(woken).toEqual([keyOf(a!.metadata), keyOf(b!.metadata)]);
});

// The whole of it, with everything that takes time taking any time: passes, LISTs, POSTs, what LISTs show, status writes.

interface Story {
  readonly objects: readonly { readonly namespace: string; readonly late: boolean }[];
  readonly alreadyServed: readonly { readonly namespace: string; readonly leaves: boolean }[];
  readonly foreign: number;
  readonly limits: { readonly total: number; readonly perNamespace: number; readonly reserve: number };
}

const aStory: fc.Arbitrary<Story> = fc.record({
  objects: fc.array(fc.record({ namespace: fc.constantFrom('p', 'q', 'r'), late: fc.boolean() }), { maxLength: 8 }),
  alreadyServed: fc.array(fc.record({ namespace: fc.constantFrom('p', 'q', 'r'), leaves: fc.boolean() }), {
    maxLength: 3,
  }),
  foreign: fc.integer({ min: 0, max: 8 }),
  limits: fc.record({
    total: fc.integer({ min: 1, max: 10 }),
    perNamespace: fc.integer({ min: 1, max: 4 }),
    reserve: fc.integer({ min: 0, max: 2 }),
  }),
});

class Play {
  readonly scene = new Scene();
  readonly story: Story;
  readonly #scheduler: fc.Scheduler;
  /** What is there, shown by LISTs or not yet. */
  readonly there = new Set<string>();
  /** The highest number of branches that were there at once. */
  most = 0;
  #hurries = false;

  constructor(story: Story, scheduler: fc.Scheduler) {
    this.story = story;
    this.#scheduler = scheduler;
    const { scene } = this;
    const { limits, foreign, alreadyServed, objects } = story;
    scene.classes[0] = aBranchClass({ spec: { limits } });
    alreadyServed.forEach(({ namespace }, index) => scene.put(served(`s${index}`, { metadata: { namespace } })));
    alreadyServed.forEach((_, index) => this.#appear(`s${index}`));
    for (let index = 0; index < foreign; index++) this.#appear(`foreign-${index}`);
    objects.forEach(({ late }, index) => late || scene.put(this.#waiting(index)));
  }

  async run(): Promise<void> {
    const { objects, alreadyServed } = this.story;
    const waits = objects.map(async ({ late }, index) => {
      if (late) await this.#wait(`o${index} is applied`);
      const asking = this.#waiting(index);
      this.scene.put(asking);
      for (let pass = 0; pass < 4; pass++) if (await this.#pass(asking)) return;
    });
    const leaves = alreadyServed.map(({ leaves }, index) => leaves && this.#leave(`s${index}`));
    await this.#scheduler.waitFor(Promise.all([...waits, ...leaves]));
    await this.#settle();
  }

  /** Looks again every 30 s until nobody goes any more; now nothing takes time. */
  async #settle(): Promise<void> {
    this.#hurries = true;
    for (let gone = 1; gone > 0;) {
      gone = 0;
      this.scene.clock.advance(30_000);
      for (const each of this.scene.objects.values()) if (!each.status?.branch && (await this.#pass(each))) gone++;
    }
  }

  #waiting(index: number): DatabaseBranch {
    const { namespace } = this.story.objects[index]!;
    return object(`o${index}`, { metadata: { namespace, creationTimestamp: minute(index) } });
  }

  async #leave(name: string): Promise<void> {
    const { scene, there } = this;
    await this.#wait(`${name} is deleted`);
    scene.project.willDelete(name);
    await this.#wait(`DELETE of ${name} lands`);
    there.delete(name);
    scene.branches.delete(name);
    await this.#wait(`${name} is seen to be gone`);
    scene.project.freed(name);
    scene.objects.delete(`u-${name}`);
  }

  async #pass(asking: DatabaseBranch): Promise<boolean> {
    const { scene } = this;
    const { name, uid = '' } = asking.metadata;
    const client: Lister = {
      listBranches: async (project) => {
        await this.#wait('LIST arrives');
        const branches = await scene.client.listBranches(project);
        await this.#wait('LIST is answered');
        return branches;
      },
    };
    const { verdict, snapshot } = await scene.slots.look(asking, scene.bclass, client, signal);
    await this.#wait(`${name} looks at more`);
    if (!verdict.go || !scene.slots.mayStillGo(asking, scene.bclass, snapshot)) return false;
    scene.project.willPost(name);
    scene.started.add(uid);
    await this.#wait(`POST of ${name} lands`);
    this.there.add(name);
    this.most = Math.max(this.most, this.there.size);
    await this.#wait(`LISTs show ${name}`);
    this.#appear(name);
    await this.#wait(`${name} is served`);
    scene.put(served(name, { metadata: asking.metadata as Change<DatabaseBranch['metadata']> }));
    scene.started.delete(uid);
    return true;
  }

  #appear(id: string): void {
    this.there.add(id);
    this.scene.branches.add(id);
    this.most = Math.max(this.most, this.there.size);
  }

  async #wait(what: string): Promise<void> {
    if (!this.#hurries) await this.#scheduler.schedule(Promise.resolve(), what);
  }
}

test('whatever takes how long, limits are never passed, and in the end nobody waits while there is room', async () => {
  await fc.assert(
    fc.asyncProperty(aStory, fc.scheduler(), async (story, scheduler) => {
      const play = new Play(story, scheduler);
      const before = play.most;
      await play.run();
      const { total, perNamespace, reserve } = story.limits;
      const all = [...play.scene.objects.values()];
      const holding = all.filter(({ status }) => status?.branch !== undefined);
      const inNamespace = (namespace = ''): number =>
        holding.filter(({ metadata }) => metadata.namespace === namespace).length;
      const hadBefore = (namespace = ''): number =>
        story.alreadyServed.filter((each) => each.namespace === namespace).length;
      expect(play.most).toBeLessThanOrEqual(Math.max(before, 10 - reserve));
      expect(holding.length).toBeLessThanOrEqual(Math.max(story.alreadyServed.length, total - reserve));
      for (const { metadata } of all)
        expect(inNamespace(metadata.namespace)).toBeLessThanOrEqual(
          Math.max(hadBefore(metadata.namespace), perNamespace),
        );
      const couldGo = all.filter(
        ({ metadata, status }) =>
          !status?.branch &&
          inNamespace(metadata.namespace) < perNamespace &&
          holding.length < total - reserve &&
          play.there.size < 10 - reserve,
      );
      expect(couldGo).toEqual([]);
    }),
    { numRuns: 300 },
  );
});
