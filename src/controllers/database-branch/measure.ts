// What a pass adds to counters and histograms. Pure.
import { renewTime } from '../../credentials/plan.ts';
import type { Measurement } from '../../metrics/measurement.ts';
import { refusalReasons } from '../../metrics/words.ts';
import type { Outcome } from './outcome.ts';
import type { Plan } from './plan.ts';
import type { World } from './world.ts';

export interface Measured {
  readonly world: World;
  readonly plan: Plan;
  readonly outcome: Outcome;
  readonly now: Date;
}

export function measure({ world, plan, outcome, now }: Measured): Measurement[] {
  // What has ended for it was counted when it ended.
  if (plan.do === 'wait') return world.ended ? [] : refused(plan.reason);
  if (outcome.is === 'refused') return refused(outcome.state.reason);
  if (outcome.is !== 'done') return [];
  switch (plan.do) {
    case 'markEnded':
      return refused(plan.reason);
    case 'issue':
      return issued(world, plan, now);
    case 'release':
      return since(world.object.metadata.deletionTimestamp, now).map((seconds) => ({
        is: 'deleted',
        className: world.object.spec.className,
        seconds,
      }));
    default:
      return [];
  }
}

const refused = (reason: string): Measurement[] =>
  refusalReasons.flatMap((known) => (known === reason ? [{ is: 'refused', reason: known }] : []));

function issued({ object, uid }: World, { why, replaces }: Extract<Plan, { do: 'issue' }>, now: Date): Measurement[] {
  const { metadata, spec } = object;
  if (why === 'RenewalDue' && replaces && 'issueTime' in replaces) {
    const lateSeconds = Math.max(0, (now.getTime() - renewTime(replaces, uid).getTime()) / 1000);
    return [{ is: 'issued', reason: why, lateSeconds }];
  }
  const created = why === 'First' ? since(metadata.creationTimestamp, now) : [];
  return [
    { is: 'issued', reason: why },
    ...created.map((seconds): Measurement => ({ is: 'created', className: spec.className, seconds })),
  ];
}

/** None if it is not known. */
const since = (time: string | undefined, now: Date): number[] =>
  time === undefined ? [] : [Math.max(0, (now.getTime() - Date.parse(time)) / 1000)];
