// Which rights the operator of a stack has, and where it works: what deploy/install.yaml says, or the chart with values.
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { manifestsIn, render, type Manifest, type Values } from '../chart/render.ts';

export interface Rights {
  /** Namespaces, ServiceAccounts, roles and bindings. */
  readonly objects: readonly Manifest[];
  /** Of the operator's container, as far as they are plain values. */
  readonly env: Readonly<Record<string, string>>;
  /** Those with a role of their own, beside that of the operator and `default`. */
  readonly namespaces: readonly string[];
}

const installYaml = join(import.meta.dirname, '../../deploy/install.yaml');

/** Without values Helm is not needed. */
export async function rightsOf(values: Values | undefined): Promise<Rights> {
  const all = values === undefined ? manifestsIn(await readFile(installYaml, 'utf8')) : await render(values);
  const kinds = ['Namespace', 'ServiceAccount', 'ClusterRole', 'ClusterRoleBinding', 'Role', 'RoleBinding'];
  const objects = all.filter(({ kind }) => kinds.includes(kind));
  const deployment = all.find(({ kind, metadata }) => kind === 'Deployment' && metadata.name === 'lakebranch');
  const env = deployment?.['spec'].template.spec.containers[0].env as { name: string; value?: string }[];
  return {
    objects,
    env: Object.fromEntries(env.flatMap(({ name, value }) => (value === undefined ? [] : [[name, value] as const]))),
    namespaces: [...new Set(objects.map(({ metadata }) => metadata.namespace ?? 'default'))].filter(
      (name) => name !== 'default',
    ),
  };
}
