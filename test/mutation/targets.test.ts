import { expect, test } from 'vitest';
import { inOrder, targets } from './targets.ts';

const testsOf = (file: string): readonly string[] => targets.find((target) => target.file === file)?.tests ?? [];

test('a file is tried with the tests that bring it along, and with no others', () => {
  const tests = testsOf('src/controllers/database-branch/lease.ts');
  expect(tests).toContain('src/controllers/database-branch/lease.test.ts');
  expect(tests).toContain('src/controllers/database-branch/decide.test.ts');
  expect(tests).toContain('test/scenarios/life.test.ts');
  expect(tests).not.toContain('src/controllers/database-branch/pacing.test.ts');
});

test('every mutated file has a test', () => {
  expect(targets.filter(({ tests }) => tests.length === 0)).toEqual([]);
});

test('its own test comes first, the stories last, and among equals the one that finds most in its time', () => {
  const tests = ['test/scenarios/a.test.ts', 'src/slow.test.ts', 'src/quick.test.ts', 'src/x.test.ts'];
  const order = inOrder({ file: 'src/x.ts', tests }, (one) => (one.includes('slow') ? 9 : 1));
  expect(order).toEqual(['src/x.test.ts', 'src/quick.test.ts', 'src/slow.test.ts', 'test/scenarios/a.test.ts']);
});
