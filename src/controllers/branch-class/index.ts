// A BranchClass: is its project there, who still needs it, and how much of it is in use.
import { isDeepStrictEqual } from 'node:util';
import { branchClassFinalizer, branchClassResource } from '../../api/names.ts';
import type { BranchClass } from '../../api/v1alpha1/branch-class.ts';
import type { DatabaseBranch } from '../../api/v1alpha1/database-branch.ts';
import type { Cache } from '../../kit/cache.ts';
import type { Clock } from '../../kit/clock.ts';
import { addFinalizer, removeFinalizer } from '../../kit/finalizers.ts';
import type { Kube } from '../../kit/kube.ts';
import type { WorkQueue } from '../../kit/queue.ts';
import { lookAgain, settled, type Next } from '../../kit/result.ts';
import { writeStatus } from '../../kit/status.ts';
import { LakebaseError } from '../../lakebase/errors.ts';
import type { Provider, Providers } from '../providers.ts';
import { countsOf, countTheSame, withCountsOf } from './counts.ts';
import { decide, holdsClass, type ProjectSeen, type World } from './decide.ts';
import { report } from './report.ts';

export interface BranchClassDeps {
  readonly kube: Kube;
  readonly clock: Clock;
  readonly classes: Cache<BranchClass>;
  readonly objects: Cache<DatabaseBranch>;
  readonly providers: Providers;
  readonly projectLimit: number;
}

/** A project that is there seldom goes; one that is not is looked for again soon. */
const healthyMs = 60 * 60_000;
const unhealthyMs = 10_000;
/** Whether its credentials can still be read is looked at more often: that costs the provider nothing. */
const credentialsMs = 5 * 60_000;
/** Counts change with every object; they are written no more often than this. */
const countsMs = 10_000;

export function branchClassController(deps: BranchClassDeps): {
  reconcile: (key: string, signal: AbortSignal) => Promise<Next>;
} {
  const asked = new Map<string, Asked>();
  const counted = new Map<string, number>();
  deps.classes.subscribe((change, { metadata }) => {
    if (change !== 'delete') return;
    asked.delete(metadata.uid ?? '');
    counted.delete(metadata.uid ?? '');
  });
  return {
    reconcile: async (key, signal) => {
      const bclass = deps.classes.get(key);
      return bclass ? pass({ ...deps, asked, counted }, bclass, signal) : settled;
    },
  };
}

interface PassDeps extends BranchClassDeps {
  readonly asked: Map<string, Asked>;
  /** By uid of the class: monotonic ms when this process last wrote other counts than were there. */
  readonly counted: Map<string, number>;
}

async function pass(deps: PassDeps, bclass: BranchClass, signal: AbortSignal): Promise<Next> {
  const world = await observe(deps, bclass, signal);
  const plan = decide(world);
  switch (plan.do) {
    case 'hold':
      await addFinalizer(deps.kube, branchClassResource, bclass, branchClassFinalizer, { signal });
      return lookAgain(0, 'holds the class');
    case 'release':
      await removeFinalizer(deps.kube, branchClassResource, bclass, branchClassFinalizer, { signal });
      return lookAgain(0, 'let the class go');
    case 'report': {
      const countsInMs = await say(deps, world, signal);
      if (countsInMs > 0) return lookAgain(countsInMs, 'the counts were written a moment ago');
      return lookAgain(world.project.seen === 'present' ? credentialsMs : unhealthyMs, 'look for the project again');
    }
  }
}

/** Returns the ms until new counts may be written that were held back; 0 if none were. What is wrong is said at once. */
async function say({ kube, clock, counted }: PassDeps, world: World, signal: AbortSignal): Promise<number> {
  const { bclass } = world;
  const { uid = '' } = bclass.metadata;
  const now = clock.monotonicMs();
  const next = report(world, clock.now());
  const asBefore = withCountsOf(bclass.status ?? {}, next);
  const differs = !isDeepStrictEqual(next, asBefore);
  const waitMs = differs ? (counted.get(uid) ?? -Infinity) + countsMs - now : 0;
  await writeStatus(kube, branchClassResource, bclass, waitMs > 0 ? asBefore : next, { signal });
  if (differs && waitMs <= 0) counted.set(uid, now);
  return Math.max(0, waitMs);
}

async function observe(deps: PassDeps, bclass: BranchClass, signal: AbortSignal): Promise<World> {
  const { classes, objects } = deps;
  const { metadata } = classes.get(bclass.metadata.name) ?? bclass;
  const ours = objects.byIndex('class', metadata.name);
  const deleting = metadata.deletionTimestamp !== undefined;
  return {
    bclass,
    deleting,
    held: metadata.finalizers?.includes(branchClassFinalizer) ?? false,
    users: ours.filter(holdsClass).length,
    counts: countsOf(ours),
    projectLimit: deps.projectLimit,
    project: deleting ? { seen: 'notAsked' } : await projectSeen(deps, bclass, signal),
  };
}

/** What was last seen of the project of a class, so that objects that come and go do not have it asked for. */
interface Asked {
  readonly at: number;
  readonly generation: number | undefined;
  readonly manager: Provider['manager'];
  readonly project: ProjectSeen;
}

async function projectSeen(
  { clock, providers, asked }: PassDeps,
  bclass: BranchClass,
  signal: AbortSignal,
): Promise<ProjectSeen> {
  const { uid = '', generation } = bclass.metadata;
  const provider = await providers.of(bclass);
  if (!provider.usable) return { seen: 'unusable', reason: provider.reason, message: provider.message };
  const { manager } = provider.provider;
  const last = asked.get(uid);
  const keptMs = last?.project.seen === 'present' ? healthyMs : unhealthyMs;
  const asBefore = last?.generation === generation && last?.manager === manager;
  if (last && asBefore && clock.monotonicMs() - last.at < keptMs) return last.project;
  const project = await askForProject(manager, bclass, signal);
  asked.set(uid, { at: clock.monotonicMs(), generation, manager, project });
  return project;
}

async function askForProject(
  manager: Provider['manager'],
  bclass: BranchClass,
  signal: AbortSignal,
): Promise<ProjectSeen> {
  try {
    return { seen: 'present', value: await manager.getProject(bclass.spec.provider.project, signal) };
  } catch (error) {
    if (error instanceof LakebaseError) return { seen: 'unknown', error };
    throw error;
  }
}

/** A class wakes itself; an object wakes the class that it names, whose users or counts it may have changed. */
export function wakeBranchClasses(
  { classes, objects }: Pick<BranchClassDeps, 'classes' | 'objects'>,
  queue: WorkQueue,
): void {
  classes.subscribe((_change, bclass) => queue.add(bclass.metadata.name, classes.synced ? 'high' : 'low'));
  objects.subscribe((change, object, old) => {
    const same = old !== undefined && holdsClass(object) === holdsClass(old) && countTheSame(object, old);
    if (change !== 'update' || !same) queue.add(object.spec.className, 'low');
  });
}
