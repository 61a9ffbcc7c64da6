// `make images`: lakebranch and lakebranch-emulator as images in the Docker at hand.

import { spawnSync } from 'node:child_process';
import { buildImages } from './build/images.ts';
import { runMain, SetupError } from './long-step.mjs';

await runMain(async () => {
  if (spawnSync('docker', ['info'], { stdio: 'ignore' }).status !== 0)
    throw new SetupError('make images needs Docker: no Docker daemon answers to "docker info".');
  const tag = process.env['TAG'] || 'dev';
  const base = process.env['NODE_IMAGE'] || undefined;
  const architectures = (process.env['ARCHITECTURES'] ?? '').split(',').filter((name) => name !== '');
  if (!architectures.every((name) => name === 'amd64' || name === 'arm64'))
    throw new SetupError(`ARCHITECTURES=${architectures.join(',')}: write amd64, arm64 or both, separated by a comma.`);
  const options = { tag, architectures, ...(base === undefined ? {} : { base }) };
  for (const image of await buildImages(options)) console.log(image);
});
