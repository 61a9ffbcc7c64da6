// What an operator may do and where it works: as deploy/install.yaml has it, or the chart with some values.
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { manifestsIn, release, render, type Manifest, type Values } from '../chart/render.ts';

export interface Rights {
  /** Namespaces, ServiceAccounts, roles, bindings and policies. */
  readonly objects: readonly Manifest[];
  /** Variables of the operator, as far as they are plain values. */
  readonly env: Readonly<Record<string, string>>;
}

const installYaml = join(import.meta.dirname, '../../deploy/install.yaml');
const kinds =
  /^(Namespace|ServiceAccount|ClusterRole|ClusterRoleBinding|Role|RoleBinding|ValidatingAdmissionPolicy(Binding)?)$/;

/** Only with values Helm is needed. Namespaces that the chart expects to be there are made with the rest. */
export async function rightsOf(values?: Values): Promise<Rights> {
  const all = values ? await render(values) : manifestsIn(await readFile(installYaml, 'utf8'));
  const objects = all.filter(({ kind }) => kinds.test(kind));
  return { objects: [...(values ? namespacesOf(objects) : []), ...objects], env: envOf(all) };
}

/** Helm and kubectl leave them to whoever installs. */
function namespacesOf(objects: readonly Manifest[]): Manifest[] {
  const names = new Set([release.namespace, ...objects.map(({ metadata }) => metadata.namespace ?? 'default')]);
  names.delete('default');
  return [...names].map((name) => ({ apiVersion: 'v1', kind: 'Namespace', metadata: { name } }));
}

function envOf(manifests: readonly Manifest[]): Record<string, string> {
  const deployment = manifests.find(({ kind, metadata }) => kind === 'Deployment' && metadata.name === 'lakebranch');
  const variables = deployment?.['spec'].template.spec.containers[0].env as { name: string; value?: string }[];
  return Object.fromEntries(variables.flatMap(({ name, value }) => (value === undefined ? [] : [[name, value]])));
}
