// The images that the e2e installs: the project's own, and the application of the preview.

import { build } from 'esbuild';
import { copyFileSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { $ } from 'zx';
import { buildImages } from '../../scripts/build/images.ts';
import type { Docker } from './docker.ts';

export const tag = 'e2e';
export const appImage = { repository: 'lakebranch-e2e-app', tag };

/** Resolves with the names of all of them. */
export async function makeImages(docker: Docker, base: string): Promise<readonly string[]> {
  const env = { ...docker.env, ...builder(await hasBuildx()) };
  const ours = await buildImages({ tag, base, env });
  const name = `${appImage.repository}:${appImage.tag}`;
  await makeApp(name, base, env);
  return [...ours, name];
}

const hasBuildx = async (): Promise<boolean> =>
  (await $({ quiet: true, nothrow: true })`docker buildx version`).exitCode === 0;

/** A client without buildx has only the builder that is called legacy. */
const builder = (buildx: boolean): Record<string, string> => (buildx ? {} : { DOCKER_BUILDKIT: '0' });

async function makeApp(name: string, base: string, env: Readonly<Record<string, string>>): Promise<void> {
  const app = join(import.meta.dirname, 'app');
  const folder = mkdtempSync(join(tmpdir(), 'lakebranch-e2e-app-'));
  try {
    await build({
      entryPoints: [join(app, 'app.ts')],
      outfile: join(folder, 'app.mjs'),
      bundle: true,
      platform: 'node',
      target: 'node24',
      format: 'esm',
      external: ['pg-native'],
      banner: { js: `import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);` },
      logLevel: 'warning',
    });
    copyFileSync(join(app, 'Dockerfile'), join(folder, 'Dockerfile'));
    const sh = $({ quiet: true, env: { ...process.env, ...env } });
    await sh`docker build --tag ${name} --build-arg NODE_IMAGE=${base} ${folder}`;
  } finally {
    rmSync(folder, { recursive: true });
  }
}
