// kubectl as a person runs it, against one cluster as its admin.
import { execFile } from 'node:child_process';
import { join } from 'node:path';

/** Which kubectl, and whose cluster. */
export interface KubectlTarget {
  readonly kubectl: string;
  readonly adminKubeconfig: string;
}

export interface KubectlOptions {
  readonly input?: string;
}

/** kubectl said no. The message is what it wrote to standard error. */
export class KubectlError extends Error {
  override readonly name = 'KubectlError';
}

/** Resolves with what it printed, trimmed. */
export function runKubectl(
  { kubectl, adminKubeconfig }: KubectlTarget,
  args: readonly string[],
  options: KubectlOptions = {},
): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = execFile(
      kubectl,
      args,
      { env: kubectlEnvironment(adminKubeconfig), maxBuffer: 64 * 1024 * 1024 },
      (error, stdout, stderr) => {
        if (!error) return resolve(stdout.trim());
        reject(new KubectlError(`kubectl ${args.slice(0, 3).join(' ')}: ${stderr.trim() || error.message}`));
      },
    );
    // kubectl may refuse before it has read all of its input.
    child.stdin?.on('error', () => undefined);
    child.stdin?.end(options.input ?? '');
  });
}

/**
 * Whatever KUBECONFIG the caller has must not decide which cluster is written to; and what kubectl learns of a server is
 * kept beside the kubeconfig, out of the home folder.
 */
export const kubectlEnvironment = (kubeconfig: string): NodeJS.ProcessEnv => ({
  ...process.env,
  KUBECONFIG: kubeconfig,
  KUBECACHEDIR: join(kubeconfig, '..', 'kubectl-cache'),
});
