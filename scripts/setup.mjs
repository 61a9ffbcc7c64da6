// Installs the npm packages unless they are there already, and sees to it that node_modules/.bin/node is a
// Node 24, which runs everything else. Plain JavaScript, because the machine's own Node may be 20.

import { execFileSync } from 'node:child_process';
import { readFileSync, rmSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { runLogged, runMain, SetupError, withLock, withProgress } from './long-step.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
const modules = join(root, 'node_modules');
const scratch = join(root, '.lakebranch');
const node24 = join(modules, '.bin/node');

await runMain(async () => {
  if (installed() && worksAsNode24(node24)) return;
  await withLock(join(scratch, 'setup.lock'), 'npm packages', async () => {
    if (!installed()) await install();
    if (!worksAsNode24(node24)) useOwnNode();
  });
});

async function install() {
  const log = join(scratch, 'npm-ci.log');
  const args = ['ci', '--loglevel=error', '--no-fund', '--no-audit'];
  await withProgress('Installing npm packages', () => runLogged('npm ci', log, 'npm', args, { cwd: root }));
}

/** Does node_modules hold what the lock file asks for? npm writes its own record of the tree last, so a broken-off install has none. */
function installed() {
  try {
    const wanted = packagesOf(join(root, 'package-lock.json'));
    const present = packagesOf(join(modules, '.package-lock.json'));
    return Object.entries(wanted).every(
      ([path, entry]) => path === '' || (path in present ? present[path].version === entry.version : entry.optional),
    );
  } catch {
    return false;
  }
}

function packagesOf(lockFile) {
  return JSON.parse(readFileSync(lockFile, 'utf8')).packages;
}

function worksAsNode24(command) {
  try {
    const version = execFileSync(command, ['--version'], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
    return Number(/^v(\d+)/.exec(version)?.[1]) >= 24;
  } catch {
    return false;
  }
}

/** npm carries Node 24 for Linux with glibc only; elsewhere the machine's own has to do. */
function useOwnNode() {
  if (!worksAsNode24(process.execPath)) {
    throw new SetupError(
      `Node.js ${process.version} is too old: on this ${process.platform} machine (${process.arch}) lakebranch needs Node.js 24 or newer.`,
    );
  }
  rmSync(node24, { force: true });
  symlinkSync(process.execPath, node24);
}
