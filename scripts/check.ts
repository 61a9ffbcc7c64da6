// `make check`: the one gate that a change has to pass besides the tests. Runs every check, then names what failed.
// make and npm put the tools on PATH.

import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { elapsed } from './long-step.mjs';

const root = join(import.meta.dirname, '..');

const checks: readonly { readonly name: string; readonly command: readonly [string, ...string[]] }[] = [
  { name: 'format', command: ['prettier', '--check', '--log-level=warn', '.'] },
  { name: 'lint', command: ['oxlint', 'src', 'test', 'scripts', 'vitest.config.ts'] },
  { name: 'types', command: ['tsc', '--project', '.'] },
  { name: 'generated files', command: [process.execPath, 'scripts/generate.ts', '--check'] },
];

const failed = checks.filter(({ name, command: [command, ...args] }) => {
  const begun = performance.now();
  const { status } = spawnSync(command, args, { cwd: root, stdio: 'inherit' });
  console.log(`${status === 0 ? 'ok    ' : 'FAILED'} ${name} (${elapsed(begun)})`);
  return status !== 0;
});

if (failed.length > 0) {
  console.error(
    `Failed: ${failed.map(({ name }) => name).join(', ')}. "make format" and "make generate" repair what they can.`,
  );
  process.exitCode = 1;
}
