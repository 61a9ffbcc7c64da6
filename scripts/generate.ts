// Writes what is generated: from src/api and src/cli the CRDs and three pages of the documentation, from
// values.yaml the rest of the chart, from the chart deploy/install.yaml.
// With --check it writes nothing and fails when a file is not what it would write. It then builds nothing either: if Helm
// is not built yet, deploy/install.yaml is left to the test of the chart.
import { existsSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { apiDocs } from './generate/api-docs.ts';
import { allCrds, chartCrd, chartCrdPath, chartFolder, chartReadme, chartSchema } from './generate/chart.ts';
import { crdPath, crdYaml, kinds } from './generate/crds.ts';
import { installYaml } from './generate/install.ts';
import { pluginDocs } from './generate/plugin-docs.ts';
import { reasonsDocs } from './generate/reasons-docs.ts';
import { cachedTool, toolBinary } from '../test/tools/build.ts';

const inRepository = (path: string): string => fileURLToPath(new URL(`../${path}`, import.meta.url));
const values = await readFile(inRepository(`${chartFolder}/values.yaml`), 'utf8');

const generated: readonly (readonly [string, string])[] = [
  ...kinds.map((kind) => [crdPath(kind), crdYaml(kind)] as const),
  ...kinds.map((kind) => [chartCrdPath(kind), chartCrd(kind)] as const),
  ['deploy/crds.yaml', allCrds(kinds)],
  [`${chartFolder}/values.schema.json`, chartSchema(values)],
  [`${chartFolder}/README.md`, chartReadme(values)],
  ['docs/api.md', apiDocs(kinds)],
  ['docs/reasons.md', reasonsDocs()],
  ['docs/plugin.md', pluginDocs()],
];

async function isCurrent(path: string, text: string): Promise<boolean> {
  const present = await readFile(inRepository(path), 'utf8').catch(() => undefined);
  return present === text;
}

const checking = process.argv.includes('--check');
const stale: string[] = [];

async function settle(path: string, text: string): Promise<void> {
  if (await isCurrent(path, text)) return;
  stale.push(path);
  if (!checking) await writeFile(inRepository(path), text);
}

for (const [path, text] of generated) await settle(path, text);
// After the others, because it is rendered from them.
const installPath = 'deploy/install.yaml';
if (!checking || existsSync(cachedTool('helm'))) await settle(installPath, await installYaml(await toolBinary('helm')));
else console.log(`${installPath} was not looked at: Helm is not built yet`);

if (checking && stale.length > 0) {
  console.error(`not up to date: ${stale.join(', ')}. Run \`npm run generate\` and commit the result.`);
  process.exitCode = 1;
} else {
  console.log(stale.length > 0 ? `wrote ${stale.join(', ')}` : 'generated files are up to date');
}
