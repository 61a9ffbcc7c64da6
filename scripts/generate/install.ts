// deploy/install.yaml: the chart with its default values, for people without Helm. Rendered by Helm itself.
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { chartFolder } from './chart.ts';

const root = join(import.meta.dirname, '../..');
const namespace = 'lakebranch-system';

const header = `# Generated from ${chartFolder} by \`npm run generate\`. Do not edit.
# The operator for all namespaces. The kinds are in crds.yaml, which comes first; both with
#   kubectl apply --server-side -f deploy/crds.yaml -f deploy/install.yaml
apiVersion: v1
kind: Namespace
metadata:
  name: ${namespace}
  labels:
    pod-security.kubernetes.io/enforce: restricted
`;

/** @param helm path of a Helm program */
export async function installYaml(helm: string): Promise<string> {
  const args = ['template', 'lakebranch', join(root, chartFolder), '--namespace', namespace, '--no-hooks'];
  const { stdout } = await promisify(execFile)(helm, [...args, '--set', 'crds.enabled=false,uninstall.guard=false']);
  return header + withoutHelm(stdout);
}

/** What only Helm understands, or what only it may claim. The comments stay: they say what each right is for. */
const withoutHelm = (yaml: string): string =>
  yaml
    .replaceAll(/^# Source: .*\n/gm, '')
    .replaceAll(/^ +(helm\.sh\/chart|app\.kubernetes\.io\/managed-by): .*\n/gm, '')
    .replaceAll(/\n+---\n/g, '\n---\n')
    .replace(/\n+$/, '\n');
