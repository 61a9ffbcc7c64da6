// Stands in for the Job controller, the scheduler and the kubelet, which the test control plane does not have: runs the
// container of one Job as a process, with the arguments, the variables and the ServiceAccount that its pod would have.
import { execFile } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { ControlPlane } from '../control-plane/control-plane.ts';
import { builtBundles } from '../stack/built.ts';
import { runKubectl } from '../stack/kubectl.ts';
import { until } from '../stack/until.ts';
import type { Manifest } from './render.ts';

export interface JobRun {
  readonly code: number;
  readonly output: string;
}

/** Waits for the Job, runs it once, and says in its status how it ended. */
export async function runJob(controlPlane: ControlPlane, namespace: string, name: string): Promise<JobRun> {
  // One that has ended is of an earlier attempt, and about to be replaced.
  const job = await until(`Job ${name} is there`, async () => {
    const args = ['-n', namespace, 'get', 'job', name, '-o', 'json', '--ignore-not-found'];
    const found = JSON.parse((await runKubectl(controlPlane, args)) || 'null') as Manifest | null;
    return found !== null && !found['status']?.conditions && found;
  });
  const pod = job['spec'].template.spec as Manifest;
  const run = await runContainer(controlPlane, namespace, pod);
  const now = new Date().toISOString();
  const condition = (type: string): object => ({ type, status: 'True', lastTransitionTime: now, reason: 'Stand-in' });
  const status =
    run.code === 0
      ? { succeeded: 1, completionTime: now, conditions: [condition('SuccessCriteriaMet'), condition('Complete')] }
      : { failed: 1, conditions: [condition('FailureTarget'), condition('Failed')] };
  const patch = JSON.stringify({ status: { startTime: now, ...status, uncountedTerminatedPods: {} } });
  await runKubectl(controlPlane, [
    '-n',
    namespace,
    'patch',
    'job',
    name,
    '--subresource=status',
    '--type=merge',
    '-p',
    patch,
  ]);
  return run;
}

async function runContainer(controlPlane: ControlPlane, namespace: string, pod: Manifest): Promise<JobRun> {
  const account = pod['serviceAccountName'] as string;
  const token = await runKubectl(controlPlane, ['-n', namespace, 'create', 'token', account]);
  const KUBECONFIG = join(controlPlane.dir, `${account}.kubeconfig`);
  await writeFile(KUBECONFIG, controlPlane.kubeconfigFor(token), { mode: 0o600 });
  const [container] = pod['containers'] as [{ args: string[]; env: { name: string; value?: string }[] }];
  // What the downward API would fill in.
  const env = container.env.map(({ name, value }) => [
    name,
    value ?? (name === 'LAKEBRANCH_NAMESPACE' ? namespace : 'pod'),
  ]);
  const { operator } = await builtBundles();
  return new Promise((resolve) => {
    const options = { env: { PATH: process.env['PATH'], KUBECONFIG, ...(Object.fromEntries(env) as object) } };
    execFile(process.execPath, [operator, ...container.args], options, (error, stdout, stderr) =>
      resolve({ code: error ? Number(error.code) : 0, output: stdout + stderr }),
    );
  });
}
