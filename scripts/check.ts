// `make check`: the one gate that a change has to pass besides the tests. Runs every check, then names what failed.

import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { elapsed } from './long-step.mjs';

const root = join(import.meta.dirname, '..');
const tool = (name: string): string => join(root, 'node_modules/.bin', name);

const checks: readonly { readonly name: string; readonly command: readonly [string, ...string[]] }[] = [
  { name: 'format', command: [tool('prettier'), '--check', '--log-level=warn', '.'] },
  { name: 'lint', command: [tool('oxlint'), 'src', 'test', 'scripts', 'vitest.config.ts'] },
  { name: 'types', command: [tool('tsc'), '--project', '.'] },
  { name: 'generated files', command: [process.execPath, 'scripts/generate.ts', '--check'] },
];

// The tools are scripts that look for `node` on PATH, where an older one may lie.
const env = { ...process.env, PATH: `${join(root, 'node_modules/.bin')}:${process.env['PATH']}` };

const failed = checks.filter(({ name, command: [command, ...args] }) => {
  const begun = performance.now();
  const { status } = spawnSync(command, args, { cwd: root, env, stdio: 'inherit' });
  console.log(`${status === 0 ? 'ok    ' : 'FAILED'} ${name} (${elapsed(begun)})`);
  return status !== 0;
});

if (failed.length > 0) {
  console.error(
    `Failed: ${failed.map(({ name }) => name).join(', ')}. "make format" and "make generate" repair what they can.`,
  );
  process.exitCode = 1;
}
