// One pass over one DatabaseBranch.
import type { DatabaseBranch } from '../../api/v1alpha1/database-branch.ts';
import { settled, type Next } from '../../kit/result.ts';
import type { Outcome } from './outcome.ts';
import { carriedAfter } from './carry.ts';
import { decide } from './decide.ts';
import type { Sighting } from './observe.ts';
import { standsAside, type BranchSight, type Left, type ObjectSight, type Plan } from './plan.ts';
import type { Announcement } from './announce.ts';
import { announce } from './announce.ts';
import type { Measure } from '../../metrics/measurement.ts';
import { measure } from './measure.ts';
import type { Memory } from './memory.ts';
import { pause } from './pause.ts';
import { report } from './report.ts';
import type { BranchView, World } from './world.ts';

type Step = Exclude<Plan, { do: 'look' | 'lookAround' }>;

export interface ReconcileDeps {
  readonly observe: (object: DatabaseBranch, signal: AbortSignal) => Promise<Sighting>;
  readonly look: (sighting: Sighting, at: BranchSight, of: BranchView, signal: AbortSignal) => Promise<Sighting>;
  readonly lookAround: (sighting: Sighting, at: ObjectSight, signal: AbortSignal) => Promise<Sighting>;
  readonly act: (sighting: Sighting, plan: Step, signal: AbortSignal) => Promise<Outcome>;
  readonly writeStatus: (
    object: DatabaseBranch,
    status: NonNullable<DatabaseBranch['status']>,
    signal: AbortSignal,
  ) => Promise<DatabaseBranch>;
  readonly tell: (object: DatabaseBranch, announcements: readonly Announcement[]) => void;
  /** The object has gone, its branch has not. */
  readonly left: (object: DatabaseBranch, left: Left) => void;
  readonly log: (object: DatabaseBranch, plan: Step, outcome: Outcome) => void;
  readonly measured: Measure;
  readonly memory: Memory;
  readonly now: () => Date;
}

/** Look, think, do one thing, say what happened. */
export function reconciler(deps: ReconcileDeps) {
  return async (cached: DatabaseBranch, signal: AbortSignal): Promise<Next> => {
    const sighting = await deps.observe(deps.memory.newest(cached), signal);
    const { seen, plan } = await think(deps, sighting, signal);
    if (plan.do === 'wait') deps.memory.noteAside(seen.world.object, standsAside(plan));
    const outcome = await deps.act(seen, plan, signal);
    deps.log(seen.world.object, plan, outcome);
    measure({ world: seen.world, plan, outcome, now: deps.now() }).forEach(deps.measured);
    if (plan.do === 'release' && outcome.is === 'done') return released(deps, seen.world, plan);
    await say(deps, { seen, plan, outcome }, signal);
    deps.memory.carry(seen.world.uid, seen.lookedFrom, carriedAfter(seen.world, plan, outcome));
    return pause(deps.memory, seen, plan, outcome);
  };
}

/** Deciding may ask for further looks; each is taken once per pass, so this ends. */
async function think(
  deps: ReconcileDeps,
  sighting: Sighting,
  signal: AbortSignal,
): Promise<{ seen: Sighting; plan: Step }> {
  let seen = sighting;
  let plan = decide(seen.world, deps.now());
  while (plan.do === 'look' || plan.do === 'lookAround') {
    seen =
      plan.do === 'look'
        ? await deps.look(seen, plan.at, plan.of, signal)
        : await deps.lookAround(seen, plan.at, signal);
    plan = decide(seen.world, deps.now());
  }
  return { seen, plan };
}

function released(deps: ReconcileDeps, { uid, object }: World, { left }: Extract<Plan, { do: 'release' }>): Next {
  deps.memory.forget(uid);
  if (left) deps.left(object, left);
  return settled;
}

async function say(
  deps: ReconcileDeps,
  pass: { seen: Sighting; plan: Step; outcome: Outcome },
  signal: AbortSignal,
): Promise<void> {
  const { world } = pass.seen;
  if (pass.plan.do === 'idle' || pass.outcome.is === 'stale') return;
  const before = pass.outcome.is === 'done' && pass.outcome.object ? pass.outcome.object : world.object;
  if (isPassing(pass.plan, pass.outcome)) {
    deps.tell(before, announce({ before, after: before, world, plan: pass.plan, outcome: pass.outcome }));
    return;
  }
  const secret = deps.memory.of(world.uid).secret?.value ?? world.secret;
  const status = report({ world, plan: pass.plan, outcome: pass.outcome, secret, now: deps.now() });
  const after = await deps.writeStatus(before, status, signal);
  deps.memory.wrote(before, after);
  deps.tell(after, announce({ before: world.object, after, world, plan: pass.plan, outcome: pass.outcome }));
}

/**
 * The pass that follows at once says what came of these steps, and nothing is lost with them: ids are computed anew, and
 * what was made is found by looking. Only that the provider refused a later expiry is seen nowhere.
 */
const passing = new Set<Plan['do']>(['claim', 'createBranch', 'createRole', 'extendRole', 'resize', 'login']);

const isPassing = (plan: Step, { is }: Outcome): boolean =>
  is === 'done' && passing.has(plan.do) && !(plan.do === 'createBranch' && plan.expiry.clampedFrom);
