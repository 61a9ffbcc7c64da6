// Command line programs that tests and generators need and that are no npm packages: each is pinned by a Go module of
// its own beside this file, whose go.mod names it in a `tool` directive, and built once into the project's cache.
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { homedir } from 'node:os';
import { basename, join } from 'node:path';
import { runLogged, SetupError, withLock, withProgress } from '../../scripts/long-step.mjs';

/**
 * The path of the program that the module `test/tools/<name>` pins, built if it is not there yet; says so while it takes.
 * @throws SetupError that names the log, if it cannot be built
 */
export async function toolBinary(name: string): Promise<string> {
  const program = cachedTool(name);
  if (existsSync(program)) return program;
  await withLock(`${program}.lock`, name, async () => {
    if (!existsSync(program)) await build(name, program);
  });
  return program;
}

/** Where `toolBinary` puts it: keyed by what is built and for which machine. Nothing need be there. */
export function cachedTool(name: string): string {
  const base = process.env['XDG_CACHE_HOME'] || join(homedir(), '.cache');
  const hash = createHash('sha256');
  for (const file of ['go.mod', 'go.sum']) hash.update(readFileSync(join(moduleOf(name), file)));
  const key = `${process.platform}-${process.arch}-${hash.digest('hex').slice(0, 12)}`;
  return join(base, 'lakebranch', name, key, name);
}

async function build(name: string, program: string): Promise<void> {
  const folder = join(program, '..');
  mkdirSync(folder, { recursive: true });
  // Under the lock every such folder is what a build that died has left.
  for (const entry of readdirSync(folder))
    if (entry.startsWith('building-')) rmSync(join(folder, entry), { recursive: true });
  const draft = join(folder, `building-${process.pid}`);
  mkdirSync(draft);
  const log = join(folder, 'build.log');
  const pkg = toolPackage(name);
  // The flags of the control plane's build, so that Go need not compile what both use twice.
  const args = ['build', '-v', '-mod=readonly', '-trimpath', '-ldflags', '-s -w', '-o', `${draft}/`, pkg];
  const options = { cwd: moduleOf(name), env: { ...process.env, CGO_ENABLED: '0' } };
  try {
    await withProgress(`Building ${name} for tests`, () => runLogged(`Building ${name}`, log, 'go', args, options), {
      hint: ', with Go; this is done once',
      detail: () => `, ${linesOf(log)} packages`,
    });
    renameSync(join(draft, programOf(pkg)), program);
  } finally {
    rmSync(draft, { recursive: true, force: true });
  }
}

const moduleOf = (name: string): string => join(import.meta.dirname, name);

function toolPackage(name: string): string {
  const pkg = /^tool (\S+)$/m.exec(readFileSync(join(moduleOf(name), 'go.mod'), 'utf8'))?.[1];
  if (!pkg) throw new SetupError(`test/tools/${name}/go.mod names no tool.`);
  return pkg;
}

/** Go names a program after its folder, unless that is a major version. */
const programOf = (pkg: string): string => basename(pkg.replace(/\/v\d+$/, ''));

const linesOf = (file: string): number => (existsSync(file) ? readFileSync(file, 'utf8').split('\n').length - 1 : 0);
