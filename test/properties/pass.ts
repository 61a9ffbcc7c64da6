// One pass over a random world without anything around it: decide, look, decide again.
import { decide } from '../../src/controllers/database-branch/decide.ts';
import type { Plan } from '../../src/controllers/database-branch/plan.ts';
import type { World } from '../../src/controllers/database-branch/world.ts';
import { now } from '../builders/world.ts';
import { answered } from './answers.ts';
import type { Scene } from './scenes.ts';

export type Step = Exclude<Plan, { do: 'look' | 'lookAround' }>;

export interface Pass {
  /** As it was seen when the step was decided. */
  readonly world: World;
  readonly plan: Step;
  /** What was looked at, in order. */
  readonly looks: readonly string[];
  /** Why the pass was broken off. */
  readonly breach?: string;
}

export function pass({ world: start, answers }: Scene): Pass {
  const looks: string[] = [];
  let world = start;
  let plan = decide(world, now);
  while (plan.do === 'look' || plan.do === 'lookAround') {
    const question = plan.do === 'look' ? `${plan.at} of ${plan.of.id}` : plan.at.replace('freshFamily', 'family');
    if (looks.includes(question)) return broken(world, looks, `asks for ${question} again`);
    if (!world.wish) return broken(world, looks, `asks for ${question} without a class to ask with`);
    looks.push(question);
    world = answered(world, answers, plan);
    plan = decide(world, now);
  }
  return { world, plan, looks };
}

const broken = (world: World, looks: readonly string[], breach: string): Pass => ({
  world,
  plan: { do: 'idle', lookInMs: 1 },
  looks,
  breach,
});
