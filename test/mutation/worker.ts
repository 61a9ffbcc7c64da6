// A process that keeps one vitest warm and runs single test files in it, each time with one source file replaced.
// Nothing is written to the disk: the text goes straight to vitest's transform.
import { join } from 'node:path';
import { createVitest, type TestModule, type Vitest } from 'vitest/node';
import { overLimit, type Answer, type Task } from './messages.ts';

const root = join(import.meta.dirname, '../..');
const replaced = new Map<string, string>();

const vitest = await createVitest(
  'test',
  {
    root,
    // Of the repository's own configuration nothing is needed, and its projects would not know the plugin.
    config: false,
    include: ['src/**/*.test.ts', 'test/**/*.test.ts'],
    setupFiles: [join(import.meta.dirname, 'same-seed.ts')],
    watch: false,
    reporters: [],
    maxWorkers: 1,
    // Their processor time counts as that of this process.
    pool: 'threads',
    bail: 1,
    // For a test that waits for what never comes, and uses no processor time.
    testTimeout: 180_000,
    // On the disk it would outlive the mutant.
    fsModuleCache: false,
  },
  {
    plugins: [
      { name: 'mutant', enforce: 'pre', transform: (_code, id) => replaced.get(id.split('?')[0] ?? id) ?? null },
    ],
  },
);

process.on('message', (task: Task) => void answer(task));
// The run is over, or died.
process.on('disconnect', () => process.exit());
process.send?.('ready');

async function answer(task: Task): Promise<void> {
  const before = process.cpuUsage();
  const usedMs = (): number => {
    const { user, system } = process.cpuUsage(before);
    return (user + system) / 1000;
  };
  const watch = setInterval(() => usedMs() > task.limitMs && process.send?.(overLimit), 200);
  const error = await run(vitest, task);
  clearInterval(watch);
  process.send?.({ passed: error === undefined, usedMs: usedMs(), error: error ?? '' } satisfies Answer);
}

/** What went wrong, or undefined. */
async function run(within: Vitest, { test, file, code }: Task): Promise<string | undefined> {
  const path = join(root, file);
  if (code !== undefined) replaced.set(path, code);
  within.invalidateFile(path);
  const specification = within.getRootProject().createSpecification(join(root, test));
  const { testModules, unhandledErrors } = await within.runTestSpecifications([specification]);
  replaced.delete(path);
  within.invalidateFile(path);
  // The result also tells of earlier runs.
  const module = testModules.find(({ moduleId }) => moduleId === specification.moduleId);
  return module?.state() === 'passed' && unhandledErrors.length === 0 ? undefined : firstError(module);
}

function firstError(module: TestModule | undefined): string {
  const [error] = module?.errors() ?? [];
  if (error) return error.message;
  for (const test of module?.children.allTests('failed') ?? [])
    return `${test.fullName}: ${test.result().errors?.[0]?.message ?? 'failed'}`;
  return 'an error outside of the tests';
}
