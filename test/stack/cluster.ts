// Where the stack runs: a control plane of its own that ends with it, or a cluster that somebody else keeps.
import { execFile } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { SetupError } from '../../scripts/long-step.mjs';
import { findOrBuildBinaries } from '../control-plane/binaries.ts';
import { startControlPlane, type ControlPlane, type ControlPlaneOptions } from '../control-plane/control-plane.ts';

export interface Cluster {
  /** A kubectl program. */
  readonly kubectl: string;
  /** Path of a kubeconfig that may do everything. */
  readonly adminKubeconfig: string;
  /** Somebody else's: what we made in it must be taken away again. */
  readonly borrowed: boolean;
  /** Of a control plane of our own: ends it with a SIGTERM, for use after `outlive`. */
  readonly guardianPid?: number;
  /** The text of a kubeconfig for a bearer token of a ServiceAccount. */
  kubeconfigFor(token: string): string;
  outlive(): Promise<void>;
  stop(): Promise<void>;
}

export async function startCluster(options: ControlPlaneOptions = {}): Promise<Cluster> {
  return clusterOf(await startControlPlane(options));
}

const clusterOf = (controlPlane: ControlPlane): Cluster => ({
  kubectl: controlPlane.kubectl,
  adminKubeconfig: controlPlane.adminKubeconfig,
  borrowed: false,
  guardianPid: controlPlane.guardianPid,
  kubeconfigFor: (token) => controlPlane.kubeconfigFor(token),
  outlive: () => controlPlane.outlive(),
  stop: () => controlPlane.stop(),
});

interface Kubeconfig {
  readonly users: readonly { readonly name: string }[];
  readonly contexts: readonly { readonly name: string; readonly context: { readonly cluster: string } }[];
}

/** The cluster of a context of the user's kubeconfig. Its part of the kubeconfig is copied into `dir`. */
export async function borrowCluster(context: string, dir: string): Promise<Cluster> {
  const kubectl = await findKubectl();
  const text = await configOf(kubectl, context);
  const adminKubeconfig = join(dir, 'admin.kubeconfig');
  await writeFile(adminKubeconfig, text, { mode: 0o600 });
  return {
    kubectl,
    adminKubeconfig,
    borrowed: true,
    kubeconfigFor: (token) => withToken(JSON.parse(text) as Kubeconfig, token),
    outlive: () => Promise.resolve(),
    stop: () => Promise.resolve(),
  };
}

const run = promisify(execFile);

async function findKubectl(): Promise<string> {
  const onPath = await run('kubectl', ['version', '--client']).catch(() => undefined);
  return onPath ? 'kubectl' : (await findOrBuildBinaries()).kubectl;
}

async function configOf(kubectl: string, context: string): Promise<string> {
  const args = ['config', 'view', '--raw', '--minify', '--flatten', '--output=json', `--context=${context}`];
  try {
    return (await run(kubectl, args)).stdout;
  } catch {
    throw new SetupError(
      `CONTEXT=${context}: the kubeconfig has no such context; "kubectl config get-contexts" lists them.`,
    );
  }
}

/** Same server and authority, another user. */
function withToken(config: Kubeconfig, token: string): string {
  const [context] = config.contexts;
  const name = 'lakebranch';
  const ours = {
    ...config,
    users: [{ name, user: { token } }],
    contexts: [{ name, context: { cluster: context?.context.cluster, user: name } }],
    'current-context': name,
  };
  return JSON.stringify(ours);
}
