// `kindest/node` without an image registry: the programs from Go modules, the userland from Debian's packages, put
// together by `kind build node-image` itself, which is made to find every image it would else pull.

import { cpSync, linkSync, mkdirSync, readFileSync, rmSync, writeFileSync, chmodSync, globSync } from 'node:fs';
import { basename, join } from 'node:path';
import { $ } from 'zx';
import { withProgress } from '../../../scripts/long-step.mjs';
import { builtBinaries, kubernetesVersion } from '../../control-plane/binaries.ts';
import { debootstrap } from '../debian.ts';
import type { Docker } from '../docker.ts';
import { buildParts, cacheFolder, hashFiles, moduleOf } from '../toolchain.ts';

const here = import.meta.dirname;

/** What kind's base image has of Debian, less what only network storage and rootless runs need. */
const nodePackages = (
  'systemd conntrack iptables nftables iproute2 ethtool util-linux mount kmod libseccomp2 e2fsprogs bash ' +
  'ca-certificates curl jq procps runc'
).split(' ');

/** The tag of the node image, which is built unless this Docker has it. */
export async function nodeImage(docker: Docker): Promise<string> {
  const recipe = hashFiles(join(here, '..'), ['node-image/*', 'toolchain/*/{go.mod,go.sum}', 'toolchain/**/*.go']);
  const tag = `lakebranch-e2e/node:${kubernetesVersion()}-${recipe}`;
  if (await exists(docker, tag)) return tag;
  const folder = join(cacheFolder(), 'node-image');
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(join(folder, 'bin'), { recursive: true });
  const programs = await collectPrograms(join(folder, 'bin'));
  let now = '';
  const made = (): Promise<void> =>
    build(docker, folder, { kind: programs['kind'] ?? '', tag }, (step) => (now = step));
  await withProgress('Building a kind node image', made, {
    hint: ' from packages, because none can be pulled; 2 to 4 minutes, once',
    detail: () => `, ${now}`,
  });
  rmSync(folder, { recursive: true, force: true });
  return tag;
}

const exists = async (docker: Docker, tag: string): Promise<boolean> =>
  (await dockerShell(docker)({ nothrow: true })`docker image inspect ${tag}`).exitCode === 0;

const dockerShell = (docker: Docker): typeof $ =>
  $({ quiet: true, env: { ...process.env, ...docker.env, DOCKER_BUILDKIT: '0' } });

/** Links every program into `bin`; resolves with the path of each. */
async function collectPrograms(bin: string): Promise<Record<string, string>> {
  const folders = await buildParts(['kind', 'kubernetes', 'runtime', 'images']);
  const files = [
    ...Object.values(folders).flatMap((folder) => globSync(join(folder, '*'))),
    ...Object.values(await builtBinaries()),
  ];
  for (const file of files) linkSync(file, join(bin, basename(file)));
  return Object.fromEntries(files.map((file) => [basename(file), file]));
}

async function build(
  docker: Docker,
  folder: string,
  { kind, tag }: { readonly kind: string; readonly tag: string },
  step: (name: string) => void,
): Promise<void> {
  const sh = dockerShell(docker);
  const source = await kindSource();
  kindFiles(join(source, 'images/base/files'), join(folder, 'kind-files'));
  for (const file of ['Dockerfile', '10-kindnet.conflist']) cpSync(join(here, file), join(folder, file));
  step('Debian');
  await debootstrap(nodePackages, join(folder, 'userland.tar'));
  step('images');

  const base = 'lakebranch-e2e/node-base:latest';
  const target = (name: string, program: string, tags: readonly string[]): Promise<unknown> =>
    sh`docker build --target ${name} --build-arg PROGRAM=${program} ${tags.flatMap((as) => ['--tag', as])} ${folder}`;
  await target('base', '', [base]);

  const names = await imageNames(join(folder, 'bin/kubeadm'), source);
  for (const program of ['kube-apiserver', 'kube-controller-manager', 'kube-scheduler', 'etcd'])
    await target('component', program, [names.of(program)]);
  await target('kube-proxy', '', [names.of('kube-proxy')]);
  await target('coredns', '', [names.of('coredns')]);
  await target('idle', '', names.idle);

  step('archives');
  const server = join(folder, 'kubernetes/server/bin');
  mkdirSync(server, { recursive: true });
  writeFileSync(join(folder, 'kubernetes/version'), kubernetesVersion());
  for (const program of ['kubeadm', 'kubelet', 'kubectl'])
    linkSync(join(folder, 'bin', program), join(server, program));
  const alone = ['kube-apiserver', 'kube-controller-manager', 'kube-scheduler'];
  for (const program of alone) await save(sh, [names.of(program)], join(server, `${program}.tar`));
  const others = [names.of('kube-proxy'), names.of('etcd'), names.of('coredns'), ...names.idle];
  await save(sh, others, join(server, 'kube-proxy.tar'));

  step('kind build node-image');
  const release = join(folder, 'server.tar.gz');
  await sh`tar --create --directory ${folder} kubernetes | gzip -1 > ${release}`;
  // kind unpacks it and leaves that lying.
  const inFolder = sh({ env: { ...process.env, ...docker.env, TMPDIR: folder } });
  await inFolder`${kind} build node-image --type file --base-image ${base} --image ${tag} ${release}`;
  // They bear the names of images that somebody may want to pull one day.
  await sh({ nothrow: true })`docker image rm --no-prune ${[...alone.map((program) => names.of(program)), ...others]}`;
}

async function kindSource(): Promise<string> {
  const { stdout } = await $({ quiet: true, cwd: moduleOf('kind') })`go list -m -f {{.Dir}} sigs.k8s.io/kind`;
  return stdout.trim();
}

/** The module cache makes everything read-only and nothing executable. */
function kindFiles(from: string, to: string): void {
  for (const part of ['etc', 'kind', 'usr']) cpSync(join(from, part), join(to, part), { recursive: true });
  for (const file of globSync('**/*', { cwd: to })) {
    const program = /^(kind\/bin|usr\/local\/bin)\//.test(file) || !/\/[^/]*\./.test(file);
    chmodSync(join(to, file), program ? 0o755 : 0o644);
  }
}

/** The names under which kubeadm and kind ask for images. */
async function imageNames(kubeadm: string, source: string): Promise<{ of(program: string): string; idle: string[] }> {
  const { stdout } = await $({
    quiet: true,
  })`${kubeadm} config images list --kubernetes-version ${kubernetesVersion()}`;
  const required = stdout.trim().split('\n');
  const containerd = readFileSync(join(source, 'images/base/files/etc/containerd/config.toml'), 'utf8');
  const constants = globSync('pkg/build/nodeimage/const_*.go', { cwd: source });
  const ofKind = constants.flatMap((file) => [
    ...readFileSync(join(source, file), 'utf8').matchAll(/^(?:const |\t)\w+Image = "(.+)"$/gm),
  ]);
  return {
    of: (program) => {
      const found = required.find((name) => new RegExp(`/${program}:`).test(name));
      if (found === undefined) throw new Error(`kubeadm asks for no image of ${program}`);
      return found;
    },
    idle: [/sandbox_image = "(.+)"/.exec(containerd)?.[1], ...ofKind.map(([, name]) => name)].filter(
      (name) => name !== undefined,
    ),
  };
}

/** kind reads the tags of an archive from its first list of names, so the one that has them all goes first. */
async function save(sh: typeof $, tags: readonly string[], archive: string): Promise<void> {
  const folder = `${archive}.d`;
  mkdirSync(folder);
  await sh`docker save ${tags} | tar --extract --directory ${folder}`;
  const repositories: Record<string, Record<string, string>> = {};
  for (const tag of tags) {
    const colon = tag.lastIndexOf(':');
    (repositories[tag.slice(0, colon)] ??= {})[tag.slice(colon + 1)] = '0'.repeat(64);
  }
  rmSync(join(folder, 'repositories'), { force: true });
  writeFileSync(join(folder, 'repositories'), JSON.stringify(repositories));
  await sh({ cwd: folder })`tar --create --file ${archive} repositories --exclude=./repositories .`;
  rmSync(folder, { recursive: true });
}
