// Holds laws against the steps of random worlds. Each population is drawn and walked once, for all laws about it.
import fc from 'fast-check';
import { expect } from 'vitest';
import { pass, type Pass, type Step } from './pass.ts';
import { runs } from './runs.ts';
import { scenes, type Fixed } from './scenes.ts';

export type Of<D extends Step['do']> = Extract<Step, { do: D }>;

/** Whom a law is about, and how many of them are drawn. */
export const populations = {
  living: { fixed: { deleting: false, ended: false }, count: 6000 },
  leaving: { fixed: { deleting: true }, count: 3000 },
  ended: { fixed: { deleting: false, ended: true }, count: 1000 },
  any: { fixed: {}, count: 3000 },
} as const satisfies Readonly<Record<string, { fixed: Fixed; count: number }>>;
export type Population = keyof typeof populations;

/** A law about the steps of these kinds; it throws where it is broken. */
export function whenever<D extends Step['do']>(
  does: D | readonly D[],
  among: Population | readonly Population[],
  law: (seen: Pass & { plan: Of<D> }) => void,
): void {
  const kinds: readonly string[] = [does].flat();
  const isAbout = (seen: Pass): seen is Pass & { plan: Of<D> } => kinds.includes(seen.plan.do);
  const all = [among].flat();
  const met = all.flatMap((population) => passes(population)).filter(isAbout);
  // A law that nothing was held against is none.
  expect(met.length, `worlds in which the step was ${kinds.join(' or ')}`).toBeGreaterThan(20);
  if (met.every((seen) => holds(law, seen))) return;
  for (const population of all) smallestBreach(population, (seen) => isAbout(seen) && law(seen));
  // Only if the search for a smaller one did not meet it.
  met.forEach(law);
}

function holds<T>(law: (seen: T) => void, seen: T): boolean {
  try {
    law(seen);
    return true;
  } catch {
    return false;
  }
}

/** The same worlds once more, one by one, to find the simplest that breaks the law. */
function smallestBreach(population: Population, law: (seen: Pass) => unknown): void {
  const { fixed, count } = populations[population];
  const property = fc.property(scenes(fixed), (scene) => void law(pass(scene)));
  const { counterexample, errorInstance } = fc.check(property, { seed: runs(count).seed ?? 1, numRuns: count });
  if (!counterexample) return;
  const [scene] = counterexample;
  const { world, plan, looks } = pass(scene);
  const told = [`looks: ${looks.join(', ')}`, `step: ${fc.stringify(plan)}`, `world: ${fc.stringify(world)}`];
  throw new Error(told.join('\n'), { cause: errorInstance });
}

const drawn = new Map<Population, readonly Pass[]>();

export function passes(population: Population): readonly Pass[] {
  const known = drawn.get(population);
  if (known) return known;
  const { fixed, count } = populations[population];
  const { numRuns, seed } = runs(count);
  const fresh = fc.sample(scenes(fixed), { numRuns: numRuns ?? count, seed: seed ?? 1 }).map(pass);
  drawn.set(population, fresh);
  return fresh;
}
