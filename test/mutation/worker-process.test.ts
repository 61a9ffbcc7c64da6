import { expect, onTestFinished, test } from 'vitest';
import { WorkerProcess } from './worker-process.ts';

// Of a real worker with a real test file: that a slip is noticed, an endless loop ended, and the worker good afterwards.
test('a mutant is killed, a harmless change passes, and one that loops for ever is stopped', async () => {
  const worker = new WorkerProcess();
  onTestFinished(() => worker.close());
  const task = { test: 'src/api/duration.test.ts', file: 'src/api/duration.ts', limitMs: 60_000 };
  const loops = 'export const parseDuration = () => { for (;;); }; export const formatDuration = parseDuration;';
  expect(await worker.run(task)).toMatchObject({ passed: true });
  expect(await worker.run({ ...task, code: 'export const parseDuration = () => 1;' })).toMatchObject({
    passed: false,
  });
  expect(await worker.run({ ...task, code: loops, limitMs: 2_000 })).toBe('timeout');
  expect(await worker.run(task)).toMatchObject({ passed: true });
});
