// The cluster of the e2e: kind, or one that somebody else keeps.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { $ } from 'zx';
import { SetupError, withProgress } from '../../scripts/long-step.mjs';
import { builtBinaries } from '../control-plane/binaries.ts';
import type { Docker } from './docker.ts';
import { buildKind } from './toolchain.ts';

export interface Cluster {
  readonly what: string;
  /** Of an administrator. */
  readonly kubeconfig: string;
  /** Goes before programs that talk to it. */
  readonly enter: readonly string[];
  /** Put in front of image names; empty where images are loaded into the node. */
  readonly registry: string;
  /** Makes images of this machine usable there. */
  load(images: readonly string[]): Promise<void>;
  /** Ends a container like a crash does, by its id; undefined where nobody may. */
  readonly kill?: (container: string) => Promise<void>;
  stop(): Promise<void>;
}

const name = 'lakebranch-e2e';

/** `image` is that of the node; kind's own choice if left out. */
export async function createKindCluster(
  docker: Docker,
  image: string | undefined,
  interrupted: Promise<never>,
): Promise<Cluster> {
  const kind = await buildKind();
  const folder = mkdtempSync(join(tmpdir(), 'lakebranch-e2e-'));
  const kubeconfig = join(folder, 'kubeconfig');
  const sh = $({ quiet: true, env: { ...process.env, ...docker.env, KUBECONFIG: kubeconfig } });
  const stop = async (): Promise<void> => {
    await sh`${docker.enter} ${kind} delete cluster --name ${name}`;
    rmSync(folder, { recursive: true, force: true });
  };
  // What a run that was killed has left.
  await sh`${docker.enter} ${kind} delete cluster --name ${name}`;
  const which = image === undefined ? [] : ['--image', image];
  const args = ['--name', name, '--config', join(import.meta.dirname, 'cluster.yaml'), '--wait', '180s', ...which];
  try {
    await withProgress('Creating a kind cluster', () =>
      Promise.race([sh`${docker.enter} ${kind} create cluster ${args}`, interrupted]),
    );
  } catch (error) {
    await stop().catch(() => undefined);
    throw error;
  }
  return {
    what: 'kind',
    kubeconfig,
    enter: docker.enter,
    registry: '',
    load: async (images) => {
      await sh`${docker.enter} ${kind} load docker-image --name ${name} ${images}`;
    },
    kill: async (container) => {
      await sh`docker exec ${name}-control-plane ctr --namespace k8s.io task kill --signal SIGKILL ${container}`;
    },
    stop,
  };
}

/** The cluster of a context of the user's kubeconfig. Images get there by way of `registry`, or into kind. */
export async function borrowCluster(docker: Docker, context: string, registry: string): Promise<Cluster> {
  const { kubectl } = await builtBinaries();
  const folder = mkdtempSync(join(tmpdir(), 'lakebranch-e2e-'));
  const kubeconfig = join(folder, 'kubeconfig');
  const view = await $({
    quiet: true,
    nothrow: true,
  })`${kubectl} config view --raw --minify --flatten --context ${context}`;
  if (view.exitCode !== 0)
    throw new SetupError(
      `E2E_CONTEXT=${context}: the kubeconfig has no such context; "kubectl config get-contexts" lists them.`,
    );
  writeFileSync(kubeconfig, view.stdout, { mode: 0o600 });
  const sh = $({ quiet: true, env: { ...process.env, ...docker.env } });
  const kindName = /^kind-(.+)$/.exec(context)?.[1];
  if (registry === '' && kindName === undefined)
    throw new SetupError(
      `E2E_CONTEXT=${context}: say with E2E_REGISTRY where this cluster pulls images from that this machine can push to.`,
    );
  const push = async (image: string): Promise<void> => {
    await sh`docker tag ${image} ${registry}/${image}`;
    await sh`docker push ${registry}/${image}`;
  };
  return {
    what: `your cluster, ${context}`,
    kubeconfig,
    enter: [],
    registry,
    load: async (images) => {
      if (registry === '') await sh`${await buildKind()} load docker-image --name ${kindName ?? ''} ${images}`;
      else for (const image of images) await push(image);
    },
    stop: () => {
      rmSync(folder, { recursive: true, force: true });
      return Promise.resolve();
    },
  };
}
