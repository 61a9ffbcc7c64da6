// Runs `docker build` for both targets of the Dockerfile.

import { execFile, execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { SetupError, withProgress } from '../long-step.mjs';
import { root } from './bundle.ts';
import { layOutImages, ownArchitecture, sourceDate, type Architecture } from './image-files.ts';

const run = promisify(execFile);

export interface ImageOptions {
  readonly tag: string;
  /** An image with Node.js 24; the Dockerfile's own choice if left out. */
  readonly base?: string;
  /** Whose files are laid out besides, for a build that somebody starts by hand. */
  readonly architectures?: readonly Architecture[];
  /** How Docker is reached, if not as usual. */
  readonly env?: Readonly<Record<string, string>>;
}

/** Bundles, and builds both images for this machine. Resolves with their names: the operator's, the emulator's. */
export async function buildImages(options: ImageOptions): Promise<readonly [string, string]> {
  await withProgress('Bundling', () => run(process.execPath, [join(root, 'scripts/build.ts')]));
  await layOutImages([...new Set([ownArchitecture, ...(options.architectures ?? [])])]);
  const names = [`lakebranch:${options.tag}`, `lakebranch-emulator:${options.tag}`] as const;
  await withProgress('Building images', async () => {
    await build('operator', names[0], options);
    await build('emulator', names[1], options);
  });
  return names;
}

async function build(target: string, name: string, { base, env = {} }: ImageOptions): Promise<void> {
  const values = {
    ...(base === undefined ? {} : { NODE_IMAGE: base }),
    TARGETARCH: ownArchitecture,
    SOURCE_DATE_EPOCH: String(sourceDate()), // BuildKit dates the image by it
    VERSION: (JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string }).version,
    REVISION: revision(),
  };
  const args = Object.entries(values).flatMap(([key, value]) => ['--build-arg', `${key}=${value}`]);
  try {
    await run('docker', ['build', '--target', target, '--tag', name, ...args, '.'], {
      cwd: root,
      env: { ...process.env, ...env },
      maxBuffer: 64 * 1024 * 1024,
    });
  } catch (error) {
    const { stderr = '', message } = error as Error & { stderr?: string };
    const words = stderr.trim().split('\n').slice(-5).join('\n');
    throw new SetupError(
      `docker build of ${name} failed: ${words || message}\nWithout a registry, say with NODE_IMAGE which image at hand has Node.js 24.`,
    );
  }
}

function revision(): string {
  try {
    return execFileSync('git', ['rev-parse', 'HEAD'], { cwd: root, encoding: 'utf8', stdio: 'pipe' }).trim();
  } catch {
    return 'unknown';
  }
}
