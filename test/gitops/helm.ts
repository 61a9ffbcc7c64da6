// Helm as a person runs it, against one cluster or none.
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import type { KubectlTarget } from '../stack/kubectl.ts';
import { toolBinary } from '../tools/build.ts';

export const previewChart = join(import.meta.dirname, '../../examples/preview-chart');

export interface HelmOptions {
  readonly cluster?: KubectlTarget;
  /** Where Helm keeps what it remembers, out of the home folder. */
  readonly dir: string;
}

/** Resolves with what it printed. Throws with what it complained about. */
export async function runHelm({ cluster, dir }: HelmOptions, ...args: string[]): Promise<string> {
  const helm = await toolBinary('helm');
  const env = {
    PATH: process.env['PATH'],
    HOME: dir,
    HELM_CACHE_HOME: join(dir, 'helm-cache'),
    HELM_CONFIG_HOME: join(dir, 'helm-config'),
    HELM_DATA_HOME: join(dir, 'helm-data'),
    KUBECONFIG: cluster?.adminKubeconfig ?? join(dir, 'none'),
  };
  return new Promise((resolve, reject) => {
    execFile(helm, args, { env, maxBuffer: 64 * 1024 * 1024 }, (error, stdout, stderr) => {
      if (error) reject(new Error(`helm ${args.slice(0, 2).join(' ')}: ${stderr.trim() || error.message}`));
      else resolve(stdout);
    });
  });
}
