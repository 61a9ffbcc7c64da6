// A pod that runs one command to its end.

import { until } from '../stack/until.ts';
import type { KubeObject, World } from './world.ts';

export interface PodSpec {
  readonly namespace: string;
  readonly name: string;
  readonly image: string;
  readonly command: readonly string[];
  readonly env?: readonly object[];
  /** Name of a Secret to mount where applications look for their login. */
  readonly secret?: string;
}

/** Resolves with its output, and removes it. @throws with its output if it fails */
export async function runPod(world: World, spec: PodSpec): Promise<string> {
  const { apply, get, kubectl, cluster } = world;
  const { namespace, name } = spec;
  const image = [...(cluster.registry ? [cluster.registry] : []), spec.image].join('/');
  await apply({ apiVersion: 'v1', kind: 'Pod', metadata: { namespace, name }, spec: podOf(spec, image) });
  try {
    const phase = await until(`pod ${name} has ended`, async () => {
      const pod = await get<KubeObject & { status: { phase: string } }>('pod', name, '-n', namespace);
      return ['Succeeded', 'Failed'].includes(pod.status.phase) && pod.status.phase;
    });
    const output = (await kubectl('logs', name, '-n', namespace)).trim();
    if (phase === 'Failed') throw new Error(`${spec.command.join(' ')} failed: ${output}`);
    return output;
  } finally {
    await kubectl('delete', 'pod', name, '-n', namespace, '--grace-period=1', '--ignore-not-found');
  }
}

const podOf = ({ command, env = [], secret }: PodSpec, image: string): object => ({
  restartPolicy: 'Never',
  automountServiceAccountToken: false,
  securityContext: { runAsNonRoot: true, seccompProfile: { type: 'RuntimeDefault' } },
  containers: [
    {
      name: 'main',
      image,
      imagePullPolicy: 'IfNotPresent',
      command,
      env,
      securityContext: {
        allowPrivilegeEscalation: false,
        readOnlyRootFilesystem: true,
        capabilities: { drop: ['ALL'] },
      },
      volumeMounts: secret === undefined ? [] : [{ name: 'db', mountPath: '/var/run/db', readOnly: true }],
    },
  ],
  volumes: secret === undefined ? [] : [{ name: 'db', secret: { secretName: secret } }],
});
