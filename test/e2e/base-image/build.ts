// The base of the project's images: pulled as every user has it, or made from Debian's packages and npm's Node.js.

import { cpSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { $ } from 'zx';
import { withProgress } from '../../../scripts/long-step.mjs';
import { debootstrap, mayInstall } from '../debian.ts';
import { NoDocker, type Docker } from '../docker.ts';
import { cacheFolder, hashFiles } from '../toolchain.ts';

const root = join(import.meta.dirname, '../../..');
const packages = ['ca-certificates', 'libstdc++6'];
const pullSeconds = 300;

export interface BaseImage {
  readonly name: string;
  /** Images come from a registry here, as everywhere. */
  readonly pulled: boolean;
}

/** @throws NoDocker where it can be neither pulled nor made */
export async function baseImage(docker: Docker): Promise<BaseImage> {
  const env = { ...process.env, ...docker.env, DOCKER_BUILDKIT: '0' };
  const sh = $({ quiet: true, nothrow: true, env, timeout: `${pullSeconds}s` });
  const name = /^ARG NODE_IMAGE=(\S+)$/m.exec(readFileSync(join(root, 'Dockerfile'), 'utf8'))?.[1] ?? '';
  const has = async (image: string): Promise<boolean> => (await sh`docker image inspect ${image}`).exitCode === 0;
  const pulled =
    (await has(name)) || (await withProgress(`Pulling ${name}`, () => sh`docker pull ${name}`)).exitCode === 0;
  if (pulled) return { name, pulled };
  process.stdout.write(`Pulling ${name}: there is no image registry, so it is made here\n`);
  const ours = `lakebranch-e2e/base:${hashFiles(import.meta.dirname, ['*'], process.version)}`;
  const isThere = await has(ours);
  if (!isThere && !mayInstall())
    throw new NoDocker(
      `Docker answers, but cannot pull ${name}, and only root on a Debian-like Linux can make an image in its place. Let it pull, or load that image and kind's node image`,
    );
  if (!isThere) await withProgress('Making the base image from packages', () => make(ours, env));
  return { name: ours, pulled };
}

async function make(tag: string, env: NodeJS.ProcessEnv): Promise<void> {
  const folder = join(cacheFolder(), 'base-image');
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  const hook = 'chroot "$1" useradd --uid 1000 --user-group --create-home --shell /bin/bash node';
  await debootstrap(packages, join(folder, 'debian.tar'), hook);
  cpSync(process.execPath, join(folder, 'node'), { dereference: true });
  cpSync(join(import.meta.dirname, 'Dockerfile'), join(folder, 'Dockerfile'));
  await $({ quiet: true, env })`docker build --tag ${tag} ${folder}`;
  rmSync(folder, { recursive: true });
}
