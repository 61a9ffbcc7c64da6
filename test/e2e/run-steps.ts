// Runs steps one after the other, each a line with its time; the first that fails ends the run.

import type { World } from './world.ts';

export interface Step {
  readonly title: string;
  /** Resolves with what was seen, in a few words. Throws if the world is not as it should be. */
  readonly run: (world: World) => Promise<string>;
}

export interface Counts {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
}

export const countLine = ({ passed, failed, skipped }: Counts): string =>
  `${passed} passed, ${failed} failed${skipped === 0 ? '' : `, ${skipped} skipped`}`;

export async function runSteps(
  steps: readonly Step[],
  world: World,
  say: (line: string) => void,
  interrupted: Promise<never>,
): Promise<Counts> {
  let passed = 0;
  for (const { title, run } of steps) {
    const begun = performance.now();
    const line = (mark: string, text: string): void =>
      say(`${mark.padEnd(4)} ${((performance.now() - begun) / 1000).toFixed(1).padStart(6)} s  ${title}: ${text}`);
    try {
      line('ok', await Promise.race([run(world), interrupted]));
      passed++;
    } catch (error) {
      line('FAIL', (error as Error).message);
      return { passed, failed: 1, skipped: steps.length - passed - 1 };
    }
  }
  return { passed, failed: 0, skipped: 0 };
}
