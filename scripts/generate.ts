// Writes what is generated from src: the CRDs, four pages of the documentation, and the dashboard; and the settings of
// Argo CD.
// With --check it writes nothing and fails when a file is not what it would write.
import { readFile, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { apiDocs } from './generate/api-docs.ts';
import { argocdFiles } from './generate/argocd.ts';
import { crdPath, crdYaml, kinds } from './generate/crds.ts';
import { dashboardJson } from './generate/dashboard.ts';
import { metricsDocs } from './generate/metrics-docs.ts';
import { pluginDocs } from './generate/plugin-docs.ts';
import { reasonsDocs } from './generate/reasons-docs.ts';

const generated: readonly (readonly [string, string])[] = [
  ...kinds.map((kind) => [crdPath(kind), crdYaml(kind)] as const),
  ['docs/api.md', apiDocs(kinds)],
  ['charts/lakebranch/files/dashboard.json', dashboardJson()],
  ['docs/metrics.md', metricsDocs()],
  ['docs/reasons.md', reasonsDocs()],
  ...argocdFiles(),
  ['docs/plugin.md', pluginDocs()],
];

const inRepository = (path: string): string => fileURLToPath(new URL(`../${path}`, import.meta.url));

async function isCurrent(path: string, text: string): Promise<boolean> {
  const present = await readFile(inRepository(path), 'utf8').catch(() => undefined);
  return present === text;
}

const stale: string[] = [];
for (const [path, text] of generated) {
  if (await isCurrent(path, text)) continue;
  stale.push(path);
  if (!process.argv.includes('--check')) await writeFile(inRepository(path), text);
}

if (process.argv.includes('--check') && stale.length > 0) {
  console.error(`not up to date: ${stale.join(', ')}. Run \`npm run generate\` and commit the result.`);
  process.exitCode = 1;
} else {
  console.log(stale.length > 0 ? `wrote ${stale.join(', ')}` : 'generated files are up to date');
}
