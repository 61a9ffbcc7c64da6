// One pass over one PointInTimeRestore: look, decide, do one thing, say what happened.
import type { PointInTimeRestore, PointInTimeRestoreStatus } from '../../api/v1alpha1/point-in-time-restore.ts';
import type { Kube } from '../../kit/kube.ts';
import { lookAgain, settled, type Next } from '../../kit/result.ts';
import type { Announcement } from '../database-branch/announce.ts';
import { createBranch, markEnded } from './act.ts';
import { announce } from './announce.ts';
import type { Measure } from '../../metrics/measurement.ts';
import { decide } from './decide.ts';
import { measure } from './measure.ts';
import { observe, type ObserveDeps } from './observe.ts';
import type { Plan, State } from './plan.ts';
import { report } from './report.ts';
import type { World } from './world.ts';

export interface ReconcileDeps extends ObserveDeps {
  readonly kube: Kube;
  readonly now: () => Date;
  readonly writeStatus: (
    restore: PointInTimeRestore,
    status: PointInTimeRestoreStatus,
    signal: AbortSignal,
  ) => Promise<PointInTimeRestore>;
  readonly tell: (restore: PointInTimeRestore, announcements: readonly Announcement[]) => void;
  readonly log: (restore: PointInTimeRestore, plan: Plan, outcome: string) => void;
  readonly measured: Measure;
}

export async function reconcile(deps: ReconcileDeps, restore: PointInTimeRestore, signal: AbortSignal): Promise<Next> {
  const world = await observe(deps, restore, signal);
  const now = deps.now();
  // What is too late, or has not come, ends the restore for good: that is not for the clock of this node to say.
  const plan = decide(world, new Date(now.getTime() + (deps.kube.clockOffsetMs() ?? 0)));
  switch (plan.do) {
    case 'nothing':
      return settled;
    case 'say':
      return conclude(deps, { world, state: plan.state, now }, signal);
    case 'end':
      return over(deps, { world, plan, now }, signal);
    case 'create':
      return create(deps, { world, plan, now }, signal);
  }
}

interface Step<P> {
  readonly world: World;
  readonly plan: P;
  readonly now: Date;
}

async function over(
  deps: ReconcileDeps,
  { world, plan, now }: Step<Extract<Plan, { do: 'end' }>>,
  signal: AbortSignal,
): Promise<Next> {
  const ended = { reason: plan.reason, time: plan.time ?? now };
  const marked = await markEnded(deps.kube, world.restore, ended, signal);
  deps.log(marked, plan, plan.reason);
  // What the next pass would see, if this one went no further.
  const after: World = { ...world, restore: marked, ended };
  const said = decide(after, now);
  if (said.do !== 'say') return lookAgain(0, 'the restore changed meanwhile');
  return conclude(deps, { world: after, state: said.state, now }, signal);
}

async function create(
  deps: ReconcileDeps,
  { world, plan, now }: Step<Extract<Plan, { do: 'create' }>>,
  signal: AbortSignal,
): Promise<Next> {
  const created = await createBranch(deps.kube, world.restore, plan.className, signal);
  deps.log(world.restore, plan, created.is);
  switch (created.is) {
    case 'stale':
      return lookAgain(staleMs, 'something changed meanwhile');
    case 'refused':
      return conclude(deps, { world, state: created.state, now }, signal);
    case 'made': {
      deps.made.add(world.restore.metadata.uid ?? '');
      const after: World = { ...world, made: true, target: { is: 'ours', object: created.object } };
      const said = decide(after, now);
      if (said.do !== 'say') return lookAgain(0, 'it is decided at once');
      return conclude(deps, { world: after, state: said.state, now, created: true }, signal);
    }
  }
}

async function conclude(
  deps: ReconcileDeps,
  { world, state, now, created = false }: { world: World; state: State; now: Date; created?: boolean },
  signal: AbortSignal,
): Promise<Next> {
  const after = await deps.writeStatus(world.restore, report(world, state, now), signal);
  deps.tell(after, announce(world, after, created));
  measure(world, after).forEach(deps.measured);
  if (state.is === 'restored' || state.is === 'failed') return settled;
  return lookAgain(lookMs, state.reason);
}

/** Our own write may not be in the cache yet. */
const staleMs = 500;
/** Labels of a namespace and quotas wake nobody, so they are looked at. */
const lookMs = 60_000;
