import { defineConfig } from 'vitest/config';

// Generous, because they only bound a hang: the machine may be building something beside the tests.
const timeouts = { testTimeout: 90_000, hookTimeout: 180_000, teardownTimeout: 30_000 };

export default defineConfig({
  test: {
    maxWorkers: 2,
    // Of the tests of one file that say `test.concurrent`; they wait rather than work.
    maxConcurrency: 16,
    projects: [
      {
        test: {
          ...timeouts,
          name: 'unit',
          include: ['src/**/*.test.ts', 'scripts/**/*.test.ts', 'test/**/*.test.ts'],
          exclude: ['test/integration/**', 'test/chart/**', '**/node_modules/**'],
        },
      },
      {
        test: {
          ...timeouts,
          name: 'integration',
          include: ['test/integration/**/*.test.ts', 'test/chart/**/*.test.ts'],
          // Runs only when a file of this project does.
          globalSetup: ['test/tools/setup.ts', 'test/control-plane/shared.ts'],
        },
      },
    ],
  },
});
