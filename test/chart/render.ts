// What Helm makes of the chart, as objects. Values are written as people write them: in YAML.
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { parseAllDocuments, stringify } from 'yaml';
import type { KubeObject } from '../../src/kit/kube.ts';
import { toolBinary } from '../tools/build.ts';

export const chart = join(import.meta.dirname, '../../charts/lakebranch');
export interface Release {
  readonly name: string;
  readonly namespace: string;
}
export const release: Release = { name: 'lakebranch', namespace: 'lakebranch-system' };

export type Values = Readonly<Record<string, unknown>>;

/** An object with whatever its kind has beside metadata. */
export interface Manifest extends KubeObject {
  apiVersion: string;
  kind: string;
  // Manifests of a dozen kinds, of which a test looks at a few fields.
  // oxlint-disable-next-line typescript/no-explicit-any
  [field: string]: any;
}

/** Helm said no. The message is what it wrote to standard error. */
export class HelmError extends Error {
  override readonly name = 'HelmError';
}

/** Resolves with standard output. `kubeconfig` may be left out where no cluster is asked. */
export async function helm(args: readonly string[], values: Values = {}, kubeconfig = '/dev/null'): Promise<string> {
  const program = await toolBinary('helm');
  const env = { ...process.env, KUBECONFIG: kubeconfig };
  return new Promise((resolve, reject) => {
    const all = [...args, ...(Object.keys(values).length > 0 ? ['--values', '-'] : [])];
    const child = execFile(program, all, { env, maxBuffer: 64 * 1024 * 1024 }, (error, stdout, stderr) => {
      if (error) reject(new HelmError(stderr.trim() || error.message));
      else resolve(stdout);
    });
    // Helm may refuse before it has read all of its input.
    child.stdin?.on('error', () => undefined);
    child.stdin?.end(stringify(values));
  });
}

const rendered = new Map<string, Promise<Manifest[]>>();

/** All objects of the chart, hooks and CRDs included. The same values are rendered once. @throws HelmError */
export function render(values: Values = {}, { name, namespace }: Release = release): Promise<Manifest[]> {
  const key = JSON.stringify([values, name, namespace]);
  const known = rendered.get(key);
  if (known) return known;
  const objects = helm(['template', name, chart, '--namespace', namespace], values).then(manifestsIn);
  rendered.set(key, objects);
  return objects;
}

export const manifestsIn = (yaml: string): Manifest[] =>
  parseAllDocuments(yaml)
    .map((document) => document.toJS() as Manifest | null)
    .filter((object) => object !== null);

export function only(manifests: readonly Manifest[], kind: string, name?: string): Manifest {
  const found = manifests.filter(
    (object) => object.kind === kind && (name === undefined || object.metadata.name === name),
  );
  if (found.length !== 1) throw new Error(`${found.length} of ${kind} ${name ?? ''} were rendered, not one`);
  return found[0]!;
}

export const of = (manifests: readonly Manifest[], kind: string): Manifest[] =>
  manifests.filter((object) => object.kind === kind);
