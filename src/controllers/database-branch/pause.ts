// When to look at the object again. The plan names the instant; only transitions are paced by what was learned.
import { lookAgain, settled, type Next } from '../../kit/result.ts';
import type { Outcome } from './outcome.ts';
import type { Memory } from './memory.ts';
import type { Sighting } from './observe.ts';
import { idleMs, nextLookMs } from './pacing.ts';
import { trouble, type Plan } from './plan.ts';
import type { World } from './world.ts';

/** `since`: monotonic ms at which the pass began. */
export function pause(
  memory: Memory,
  { since, world }: Pick<Sighting, 'since' | 'world'>,
  plan: Plan,
  outcome: Outcome,
): Next {
  if (outcome.is === 'failed')
    return lookAgain(remembered.has(plan.do) ? 0 : trouble(outcome.error).lookInMs, `${plan.do} failed`);
  if (outcome.is === 'refused') return lookAgain(0, `${plan.do} refused`);
  // The object is read from the cache: until that has caught up, the same write would be refused again and again.
  if (outcome.is === 'stale') return lookAgain(ofObject.has(plan.do) ? catchUpMs : 0, 'something changed meanwhile');
  if (plan.do === 'idle') return lookAgain(plan.lookInMs, 'the Secret is to be read');
  if (plan.do === 'wait' && plan.transition)
    return lookAgain(transitionLook(memory, world, plan.transition, since), `${plan.transition} in transition`);
  memory.endTransition(world.uid, since);
  if (plan.do !== 'wait') return lookAgain(0, `did ${plan.do}`);
  return plan.lookInMs === Infinity ? settled : lookAgain(plan.lookInMs ?? idleMs, plan.reason);
}

const ofObject = new Set<Plan['do']>(['claim', 'markEnded', 'release']);
const catchUpMs = 200;

/** Their failures are remembered with a backoff of their own, which the next decision waits for. */
const remembered = new Set<Plan['do']>([
  'createBranch',
  'createRole',
  'extendRole',
  'login',
  'issue',
  'resize',
  'setExpiry',
]);

function transitionLook(memory: Memory, { uid, wish }: World, kind: string, since: number): number {
  const place = `${wish?.project ?? ''}/${kind}`;
  return nextLookMs(memory.transitionMs(uid, place, since), memory.pace.usualMs(place));
}
