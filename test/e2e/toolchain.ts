// The programs of the offline node, from the Go modules in ./toolchain; built once into the project's cache.
// What the test control plane is made of (etcd, kube-apiserver, kube-controller-manager, kubectl) comes from there.

import { createHash } from 'node:crypto';
import { existsSync, globSync, mkdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { runLogged, SetupError, withLock, withProgress } from '../../scripts/long-step.mjs';
import { kubernetesVersion, linkerFlags } from '../control-plane/binaries.ts';

const toolchain = join(import.meta.dirname, 'toolchain');

interface GoModule {
  /** Folder below ./toolchain. */
  readonly name: string;
  readonly packages: readonly string[];
  readonly programs: readonly string[];
  readonly flags?: readonly string[];
  readonly minutes: string;
}

const containerd = 'github.com/containerd/containerd/v2/cmd';
const cni = 'github.com/containernetworking/plugins/plugins';

const modules = {
  kind: {
    name: 'kubernetes',
    packages: ['sigs.k8s.io/kind'],
    programs: ['kind'],
    minutes: 'half a minute',
  },
  kubernetes: {
    name: 'kubernetes',
    packages: ['kubeadm', 'kubelet', 'kube-proxy', 'kube-scheduler'].map((name) => `k8s.io/kubernetes/cmd/${name}`),
    programs: ['kubeadm', 'kubelet', 'kube-proxy', 'kube-scheduler'],
    minutes: '1 to 2 minutes after the control plane was built',
  },
  runtime: {
    name: 'runtime',
    packages: [
      ...['containerd', 'containerd-shim-runc-v2', 'ctr'].map((name) => `${containerd}/${name}`),
      ...['ipam/host-local', 'main/loopback', 'main/ptp', 'meta/portmap'].map((name) => `${cni}/${name}`),
    ],
    programs: ['containerd', 'containerd-shim-runc-v2', 'ctr', 'host-local', 'loopback', 'ptp', 'portmap'],
    flags: ['-tags', 'no_btrfs no_zfs no_devmapper'],
    minutes: '1 to 2 minutes',
  },
  images: {
    name: 'images',
    packages: ['./coredns', './idle'],
    programs: ['coredns', 'idle'],
    minutes: '1 to 2 minutes',
  },
} as const satisfies Record<string, GoModule>;

export type Part = keyof typeof modules;

/** `$XDG_CACHE_HOME/lakebranch/e2e`, or below ~/.cache. */
export const cacheFolder = (): string =>
  join(process.env['XDG_CACHE_HOME'] || join(homedir(), '.cache'), 'lakebranch', 'e2e');

/** Builds what is missing of these parts, and resolves with the folder of each. Says what it does. */
export async function buildParts(parts: readonly Part[]): Promise<Record<string, string>> {
  const folders: Record<string, string> = {};
  for (const part of parts) folders[part] = await buildPart(part);
  return folders;
}

/** The path of kind, built if it is missing. */
export const buildKind = async (): Promise<string> => join(await buildPart('kind'), 'kind');

async function buildPart(part: Part): Promise<string> {
  const module: GoModule = modules[part];
  const home = join(cacheFolder(), `${part}-${process.arch}-${hashOf(module)}`);
  const bin = join(home, 'bin');
  if (existsSync(bin)) return bin;
  await withLock(join(home, 'build.lock'), `${part} for the e2e`, async () => {
    if (existsSync(bin)) return;
    const draft = join(home, 'building');
    rmSync(draft, { recursive: true, force: true });
    mkdirSync(draft, { recursive: true });
    await compile(part, module, draft, join(home, 'build.log'));
    renameSync(draft, bin);
  });
  return bin;
}

async function compile(part: string, module: GoModule, draft: string, log: string): Promise<void> {
  const cwd = join(toolchain, module.name);
  const ldflags = module.name === 'kubernetes' ? linkerFlags() : '-s -w';
  const flags = ['-v', '-mod=readonly', '-trimpath', ...(module.flags ?? []), '-ldflags', ldflags];
  const what = `Building ${module.programs.join(', ')}`;
  const args = ['build', ...flags, '-o', `${draft}/`, ...module.packages];
  const compiled = (): number => (existsSync(log) ? readFileSync(log, 'utf8').split('\n').length - 1 : 0);
  await withProgress(what, () => runLogged(what, log, 'go', args, { cwd, env: { ...process.env, CGO_ENABLED: '0' } }), {
    hint: `, with Go; ${module.minutes}, once`,
    detail: () => `, ${compiled()} packages`,
  });
  const missing = module.programs.filter((program) => !existsSync(join(draft, program)));
  if (missing.length > 0) throw new SetupError(`Building ${part} left out ${missing.join(', ')}; see ${log}.`);
}

/** Where a Go module of a part has its source, such as kind's with the files of its images. */
export const moduleOf = (part: Part): string => join(toolchain, modules[part].name);

/** Changes with every file that what is built depends on. */
function hashOf(module: GoModule): string {
  return hashFiles(join(toolchain, module.name), ['go.mod', 'go.sum', '**/*.go'], JSON.stringify(module));
}

/** 12 hexadecimal digits for the contents of files below a folder, and a text beside them. */
export function hashFiles(folder: string, patterns: readonly string[], text = ''): string {
  const hash = createHash('sha256').update(text).update(kubernetesVersion());
  for (const file of globSync(patterns, { cwd: folder }).toSorted())
    hash.update(file).update(readFileSync(join(folder, file)));
  return hash.digest('hex').slice(0, 12);
}
