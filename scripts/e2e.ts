// `make e2e`: the images and the chart on a real cluster, from installing to uninstalling. The last line counts the
// steps; without Docker it is skipped, loudly.

import { rmSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { baseImage } from '../test/e2e/base-image/build.ts';
import { borrowCluster, createKindCluster, type Cluster } from '../test/e2e/cluster.ts';
import { mayInstall } from '../test/e2e/debian.ts';
import { findDocker, NoDocker, type Docker } from '../test/e2e/docker.ts';
import { makeImages } from '../test/e2e/images.ts';
import { nodeImage } from '../test/e2e/node-image/build.ts';
import { countLine, runSteps, type Counts, type Step } from '../test/e2e/run-steps.ts';
import { installation } from '../test/e2e/story/install.ts';
import { operations } from '../test/e2e/story/operations.ts';
import { previewing } from '../test/e2e/story/preview.ts';
import { cacheFolder } from '../test/e2e/toolchain.ts';
import { claimCluster, removeTraces, saveDiagnosis } from '../test/e2e/traces.ts';
import { createWorld } from '../test/e2e/world.ts';
import { elapsed, runMain, SetupError, withLock, withProgress } from './long-step.mjs';

const context = process.env['E2E_CONTEXT'] || undefined;
const registry = process.env['E2E_REGISTRY'] ?? '';
const logs = join(import.meta.dirname, '../.lakebranch/e2e-logs');
const story: readonly Step[] = [...installation, ...previewing, ...operations];

/** Twice what a run takes that builds everything for the first time. */
const deadlineMinutes = 40;
const tidyingMinutes = 5;

const say = (line: string): void => void process.stdout.write(`${line}\n`);

await runMain(async () => {
  const begun = performance.now();
  let counts: Counts = { passed: 0, failed: 1, skipped: story.length };
  try {
    // One at a time: they share the daemon's folder and the name of the cluster.
    counts = await withLock(join(cacheFolder(), 'run.lock'), 'e2e', () => run(interruption()));
    say(`The e2e took ${elapsed(begun)}.`);
  } catch (error) {
    if (error instanceof NoDocker) {
      say(`!!! THE E2E IS SKIPPED: ${error.message}.`);
      counts = { passed: 0, failed: 0, skipped: 1 };
    } else say(`The e2e failed: ${error instanceof SetupError ? error.message : String((error as Error).stack)}`);
  }
  say(countLine(counts));
  // Not by itself: after an interruption a command may still be at work, for nothing.
  process.exit(counts.failed > 0 ? 1 : 0);
});

async function run(interrupted: Promise<never>): Promise<Counts> {
  const docker = await findDocker(join(cacheFolder(), 'docker'));
  say(`Docker: ${docker.what}`);
  try {
    const base = await Promise.race([baseImage(docker), interrupted]);
    const images = await Promise.race([makeImages(docker, base.name), interrupted]);
    const cluster = await createCluster(docker, base.pulled, interrupted);
    try {
      return await tell(docker, cluster, images, interrupted);
    } finally {
      if (context === undefined) await withProgress('Removing the cluster', () => cluster.stop());
      else await cluster.stop();
    }
  } finally {
    await docker.stop();
  }
}

async function createCluster(docker: Docker, pulls: boolean, interrupted: Promise<never>): Promise<Cluster> {
  if (context !== undefined) return borrowCluster(docker, context, registry);
  if (pulls) {
    try {
      return await createKindCluster(docker, undefined, interrupted);
    } catch (error) {
      // The base may have been at hand without a registry.
      if (!mayInstall() || !(error as Error).message.includes('failed to pull image')) throw error;
    }
  }
  const image = await Promise.race([nodeImage(docker), interrupted]);
  return createKindCluster(docker, image, interrupted);
}

async function tell(
  docker: Docker,
  cluster: Cluster,
  images: readonly string[],
  interrupted: Promise<never>,
): Promise<Counts> {
  const world = await createWorld(docker, cluster, images);
  try {
    say(`Cluster: ${cluster.what}`);
    if (context !== undefined) await claimCluster(world);
    await withProgress('Loading the images into it', () => Promise.race([cluster.load(images), interrupted]));
    const counts = await runSteps(story, world, say, interrupted);
    if (counts.failed > 0) {
      rmSync(logs, { recursive: true, force: true });
      mkdirSync(logs, { recursive: true });
      for (const [file, text] of Object.entries(await saveDiagnosis(world))) writeFileSync(join(logs, file), text);
      say(`What the cluster says of itself is in ${logs}.`);
    }
    if (context !== undefined) await removeTraces(world);
    return counts;
  } finally {
    world.close();
  }
}

/** Rejects at Ctrl-C, or when something hangs. That ends the run like an error does, so that everything is tidied up. */
function interruption(): Promise<never> {
  const interrupted = new Promise<never>((_resolve, reject) => {
    const tooLong = (): void => {
      setTimeout(giveUp, tidyingMinutes * 60_000).unref();
      reject(new SetupError(`it has taken ${deadlineMinutes} minutes, and tidies up`));
    };
    setTimeout(tooLong, deadlineMinutes * 60_000).unref();
    for (const signal of ['SIGINT', 'SIGTERM'] as const)
      process.once(signal, () => reject(new SetupError('it was interrupted, and tidies up')));
  });
  interrupted.catch(() => undefined);
  return interrupted;
}

/** What does not let itself be tidied up must not hold up whoever waits for the result. */
function giveUp(): void {
  say(`Tidying up has taken ${tidyingMinutes} minutes more, and is given up: containers and processes may be left.`);
  say(countLine({ passed: 0, failed: 1, skipped: story.length }));
  process.exit(1);
}
