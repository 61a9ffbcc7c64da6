import { expect, test } from 'vitest';
import { countLine, runSteps, type Step } from './run-steps.ts';
import type { World } from './world.ts';

const world = {} as World;
const never = new Promise<never>(() => undefined);
const good: Step = { title: 'good', run: () => Promise.resolve('seen') };
const bad: Step = { title: 'bad', run: () => Promise.reject(new Error('it is not so')) };

async function run(steps: Step[], interrupted = never): Promise<{ lines: string[]; counted: string }> {
  const lines: string[] = [];
  const counts = await runSteps(steps, world, (line) => lines.push(line), interrupted);
  return { lines, counted: countLine(counts) };
}

test('each step is a line with its time and what was seen', async () => {
  const { lines, counted } = await run([good, good]);
  expect(lines).toEqual([
    expect.stringMatching(/^ok +\d+\.\d s {2}good: seen$/),
    expect.stringMatching(/^ok +\d+\.\d s {2}good: seen$/),
  ]);
  expect(counted).toBe('2 passed, 0 failed');
});

test('the first failure ends the run, and the rest counts as skipped', async () => {
  const { lines, counted } = await run([good, bad, good, good]);
  expect(lines.at(-1)).toMatch(/^FAIL +\d+\.\d s {2}bad: it is not so$/);
  expect(counted).toBe('1 passed, 1 failed, 2 skipped');
});

test('an interruption is a failure of the step that it meets', async () => {
  const interrupted = Promise.reject<never>(new Error('interrupted'));
  const hanging: Step = { title: 'hanging', run: () => new Promise<never>(() => undefined) };
  const { counted } = await run([hanging], interrupted);
  expect(counted).toBe('0 passed, 1 failed');
});
