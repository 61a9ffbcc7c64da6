// What the programs that wait for our objects conclude from them, asked of their own code: test/tools has it.
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import type { KubeObject } from '../../src/kit/kube.ts';
import type { KStatus } from '../kstatus.ts';
import { toolBinary } from '../tools/build.ts';

/** What users give Argo CD. */
export const argocdConfig = join(import.meta.dirname, '../../deploy/argocd/argocd-cm.yaml');

/** For the hook that builds the tools: it only bounds a hang. */
export const buildTimeoutMs = 30 * 60_000;

export interface Health {
  readonly status: 'Healthy' | 'Progressing' | 'Degraded' | 'Suspended' | 'Missing' | 'Unknown';
  readonly message?: string;
}

export type ArgoRequest = { readonly object: KubeObject } & (
  | { readonly do: 'health' | 'discover' | 'decode' }
  | { readonly do: 'run'; readonly action: string; readonly parameters?: Readonly<Record<string, string>> }
  | { readonly do: 'render'; readonly parameters: Readonly<Record<string, unknown>> }
);

export interface ArgoAnswer {
  readonly health?: Health;
  readonly actions?: readonly { readonly name: string; readonly disabled?: boolean }[];
  readonly object?: KubeObject;
  /** Why there is no answer. */
  readonly error?: string;
}

/** Argo CD's answers, in the order of the requests. */
export const askArgo = async (requests: readonly ArgoRequest[]): Promise<ArgoAnswer[]> =>
  answers<ArgoAnswer>(await toolBinary('argocd'), ['ask', argocdConfig], requests);

export async function healthOf(objects: readonly KubeObject[]): Promise<Health[]> {
  const given = await askArgo(objects.map((object) => ({ do: 'health', object })));
  return given.map(({ health, error }) => {
    if (!health) throw new Error(error ?? 'Argo CD knows no health of this kind');
    return health;
  });
}

/** What kstatus says, in the order of the objects. */
export async function askKstatus(objects: readonly KubeObject[]): Promise<KStatus[]> {
  const given = await answers<{ status: KStatus }>(await toolBinary('kstatus'), [], objects);
  return given.map(({ status }) => status);
}

/** A program that reads JSON lines and writes as many. Throws with what it complained about. */
async function answers<T>(program: string, args: readonly string[], requests: readonly object[]): Promise<T[]> {
  const child = spawn(program, args, { stdio: 'pipe' });
  const ended = new Promise<number | null>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', resolve);
  });
  // A program that ends early closes its input; why it ended is told below.
  child.stdin.on('error', () => undefined);
  child.stdin.end(requests.map((request) => `${JSON.stringify(request)}\n`).join(''));
  const [out, complaint, code] = await Promise.all([text(child.stdout), text(child.stderr), ended]);
  const lines = out.split('\n').filter((line) => line !== '');
  if (code !== 0 || lines.length !== requests.length)
    throw new Error(
      `${program} ${args.join(' ')}: ${lines.length} of ${requests.length} answers, ${code}: ${complaint}`,
    );
  return lines.map((line) => JSON.parse(line) as T);
}
