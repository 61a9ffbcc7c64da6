// `make images`: lakebranch and lakebranch-emulator as images in the Docker at hand.

import { spawnSync } from 'node:child_process';
import { buildImages } from './build/images.ts';
import { runMain, SetupError } from './long-step.mjs';

await runMain(async () => {
  if (spawnSync('docker', ['info'], { stdio: 'ignore' }).status !== 0)
    throw new SetupError('make images needs Docker: no Docker daemon answers to "docker info".');
  const tag = process.env['TAG'] || 'dev';
  const base = process.env['NODE_IMAGE'] || undefined;
  for (const image of await buildImages({ tag, ...(base === undefined ? {} : { base }) })) console.log(image);
});
