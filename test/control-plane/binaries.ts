// Where the programs of the test control plane come from. In this order: the folder that KUBEBUILDER_ASSETS
// names, PATH, the project's cache, else built with Go from the module in ./toolchain into that cache.

import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  accessSync,
  constants,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
} from 'node:fs';
import { homedir } from 'node:os';
import { delimiter, join } from 'node:path';
import { runLogged, SetupError, withLock, withProgress } from '../../scripts/long-step.mjs';

export const binaryNames = ['etcd', 'kube-apiserver', 'kube-controller-manager', 'kubectl'] as const;
export type BinaryName = (typeof binaryNames)[number];
/** The absolute path of each program. */
export type Binaries = Readonly<Record<BinaryName, string>>;

type Environment = Readonly<Record<string, string | undefined>>;

const toolchain = join(import.meta.dirname, 'toolchain');
/** The oldest Go that can fetch the newer one which go.mod asks for. */
const oldestGo = '1.24';

/** Finds every program, building what is found nowhere. Says what it does while that takes minutes. */
export async function findOrBuildBinaries(env: Environment = process.env): Promise<Binaries> {
  return findBinaries(env, cacheFolder(env)) ?? builtBinaries(env);
}

/** Every program as the toolchain pins it, whatever else the machine has. */
export async function builtBinaries(env: Environment = process.env): Promise<Binaries> {
  const cache = cacheFolder(env);
  const found = findBinaries({}, cache);
  if (found) return found;
  await withLock(join(cache, '..', 'build.lock'), 'Kubernetes test binaries', async () => {
    if (!findBinaries({}, cache)) await build(env, cache);
  });
  const built = findBinaries({}, cache);
  if (!built) throw new SetupError(`Building the Kubernetes test binaries left some of them out; see ${cache}.`);
  return built;
}

/** The path of every program, or undefined if one of them is found nowhere. */
export function findBinaries(env: Environment, cache: string): Binaries | undefined {
  const folders = [env['KUBEBUILDER_ASSETS'], ...(env['PATH'] ?? '').split(delimiter), cache];
  const find = (name: BinaryName): string | undefined =>
    folders
      .filter((folder) => folder)
      .map((folder) => join(folder!, name))
      .find(isExecutable);
  const paths = binaryNames.map((name) => [name, find(name)] as const);
  return paths.every(([, path]) => path !== undefined) ? (Object.fromEntries(paths) as Binaries) : undefined;
}

/** Keyed by what is built and for which machine, so that a changed pin or a shared home never meets old programs. */
export function cacheFolder(env: Environment): string {
  const base = env['XDG_CACHE_HOME'] || join(homedir(), '.cache');
  const hash = createHash('sha256');
  for (const file of ['go.mod', 'go.sum']) hash.update(readFileSync(join(toolchain, file)));
  const key = `${kubernetesVersion()}-${process.platform}-${process.arch}-${hash.digest('hex').slice(0, 12)}`;
  return join(base, 'lakebranch', 'control-plane', key, 'bin');
}

async function build(env: Environment, cache: string): Promise<void> {
  const parent = join(cache, '..');
  requireGo(env);
  // Under the lock every such folder is what a build that died has left.
  for (const name of readdirSync(parent))
    if (name.startsWith('building-')) rmSync(join(parent, name), { recursive: true });
  const draft = join(parent, `building-${process.pid}`);
  mkdirSync(draft);
  const log = join(parent, 'build.log');
  try {
    const args = ['build', '-v', '-mod=readonly', '-trimpath', '-ldflags', linkerFlags(), '-o', `${draft}/`, 'tool'];
    const options = { cwd: toolchain, env: { HOME: homedir(), ...env, CGO_ENABLED: '0' } };
    const compile = (): Promise<void> => runLogged('Building the Kubernetes test binaries', log, 'go', args, options);
    await withProgress(`Building Kubernetes ${kubernetesVersion()} for tests`, compile, {
      hint: ', with Go; this takes 4 to 8 minutes on two cores and is done once',
      detail: () => `, ${linesOf(log)} packages`,
    });
    // Go names a program after its folder, and that of etcd is called server.
    renameSync(join(draft, 'server'), join(draft, 'etcd'));
    rmSync(cache, { recursive: true, force: true });
    renameSync(draft, cache);
  } finally {
    rmSync(draft, { recursive: true, force: true });
  }
}

/** Stamps the version as a release build does; `kubectl version` and the API server's /version show it. */
export function linkerFlags(): string {
  const version = kubernetesVersion();
  const [major, minor] = version.slice(1).split('.');
  const stamps = { gitVersion: version, gitMajor: major, gitMinor: minor, gitTreeState: 'clean' };
  const packages = ['k8s.io/component-base/version', 'k8s.io/client-go/pkg/version'];
  const flags = packages.flatMap((pkg) => Object.entries(stamps).map(([name, value]) => `-X ${pkg}.${name}=${value}`));
  return ['-s', '-w', ...flags].join(' ');
}

function requireGo(env: Environment): void {
  const needed = /^go (\S+)$/m.exec(readFileSync(join(toolchain, 'go.mod'), 'utf8'))?.[1] ?? oldestGo;
  const purpose = 'to build the Kubernetes test binaries (or set KUBEBUILDER_ASSETS to a folder that holds them)';
  let version: string;
  try {
    version = goEnv('GOVERSION', env).replace(/^go/, '');
  } catch {
    throw new SetupError(`Go is missing: install Go ${needed} or newer ${purpose}.`);
  }
  if (isOlder(version, oldestGo)) {
    throw new SetupError(`Go ${version} is too old: install Go ${needed} or newer ${purpose}.`);
  }
  if (isOlder(version, needed) && goEnv('GOTOOLCHAIN', env) === 'local') {
    throw new SetupError(
      `Go ${version} is older than ${needed} and may not fetch it: set GOTOOLCHAIN=auto, or install Go ${needed} or newer, ${purpose}.`,
    );
  }
}

// Outside the module, because inside it an old Go would first try to fetch the newer one.
function goEnv(name: string, env: Environment): string {
  return execFileSync('go', ['env', name], { cwd: '/', env, encoding: 'utf8', stdio: 'pipe' }).trim();
}

/** Compares '1.24.3' with '1.26': by the first two numbers. */
function isOlder(version: string, than: string): boolean {
  const [major = 0, minor = 0] = version.split('.').map((part) => Number.parseInt(part, 10));
  const [otherMajor = 0, otherMinor = 0] = than.split('.').map((part) => Number.parseInt(part, 10));
  return major < otherMajor || (major === otherMajor && minor < otherMinor);
}

export function kubernetesVersion(): string {
  const version = /k8s\.io\/kubernetes (v\S+)/.exec(readFileSync(join(toolchain, 'go.mod'), 'utf8'))?.[1];
  if (!version) throw new Error('go.mod of the toolchain names no version of k8s.io/kubernetes');
  return version;
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    return false;
  }
}

function linesOf(file: string): number {
  return existsSync(file) ? readFileSync(file, 'utf8').split('\n').length - 1 : 0;
}
