// Which files are mutated, and which tests have to notice.
import { globSync } from 'node:fs';
import { basename, join } from 'node:path';
import { reachableFrom } from './imports.ts';

export interface Target {
  /** Paths from the root of the repository. */
  readonly file: string;
  readonly tests: readonly string[];
}

const root = join(import.meta.dirname, '../..');

/** Beyond what a mutant can be given: they take more than a minute each. */
const tooLong = ['chaos.test.ts', 'random-kills.test.ts'];

const controllerTests = ['src/controllers/**/*.test.ts'];
const stories = ['test/scenarios/*.test.ts'];

const groups: readonly { readonly files: string; readonly tests: readonly string[] }[] = [
  { files: 'src/credentials/{plan,proof,template}.ts', tests: ['src/credentials/*.test.ts'] },
  { files: 'src/lakebase/ids.ts', tests: ['src/lakebase/ids.test.ts'] },
  { files: 'src/controllers/branch-class/{counts,decide,report}.ts', tests: [...controllerTests, ...stories] },
  {
    files: 'src/controllers/point-in-time-restore/{announce,decide,plan,report*,world}.ts',
    tests: [...controllerTests, ...stories],
  },
  {
    files:
      'src/controllers/database-branch/{announce,carry,decide*,ended,lease,line,ours,pacing,past,pause,plan,refer,report*,size,slots,standing,wish}.ts',
    tests: [...controllerTests, ...stories],
  },
];

/** Of the tests only those that bring the file along. */
export const targets: readonly Target[] = groups.flatMap(({ files, tests }) => {
  const candidates = tests.flatMap(paths).filter((test) => !tooLong.includes(basename(test)));
  return paths(files)
    .filter((file) => !file.endsWith('.test.ts'))
    .map((file) => ({ file, tests: candidates.filter((test) => brings(test, file)) }));
});

function brings(test: string, file: string): boolean {
  return reachableFrom(join(root, test)).has(join(root, file));
}

export const isStory = (test: string): boolean => test.startsWith('test/scenarios/');

function paths(pattern: string): readonly string[] {
  return globSync(pattern, { cwd: root }).toSorted();
}

/** The table of the file itself comes first, the stories last, so that most mutants meet the fastest tests first. */
export function inOrder({ file, tests }: Target, expectedMs: (test: string) => number): readonly string[] {
  const beside = file.replace(/\.ts$/, '.test.ts');
  const rank = (test: string): number => (test === beside ? 0 : isStory(test) ? 2 : 1);
  return tests.toSorted((a, b) => rank(a) - rank(b) || expectedMs(a) - expectedMs(b));
}
