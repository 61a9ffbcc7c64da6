// What the chart gets from elsewhere: its CRDs from src/api, its README and schema from values.yaml.
import { isMap, isScalar, parseDocument, type Pair, type YAMLMap } from 'yaml';
import * as z from 'zod';
import { chartValues } from './chart-values.ts';
import { crdYaml, type KindDefinition } from './crds.ts';

export const chartFolder = 'charts/lakebranch';
export const chartCrdPath = ({ resource }: KindDefinition): string =>
  `${chartFolder}/templates/crd-${resource.plural}.yaml`;

/** Inside a template two braces begin an action, and descriptions of fields show some. */
const escaped = (yaml: string): string => yaml.replaceAll(/\{\{|\}\}/g, (braces) => `{{ "${braces}" }}`);

const chartLabels = '    {{- include "lakebranch.labels" . | nindent 4 }}\n';
const keep = '  annotations:\n    {{- if .Values.crds.keep }}\n    helm.sh/resource-policy: keep\n    {{- end }}\n';

/** A CRD as a template: installed on demand, upgraded with the chart, and left there when the release goes. */
export function chartCrd(kind: KindDefinition): string {
  const yaml = escaped(crdYaml(kind));
  const labelled = yaml.includes('\nmetadata:\n  labels:\n')
    ? yaml.replace('\nmetadata:\n  labels:\n', `\nmetadata:\n${keep}  labels:\n${chartLabels}`)
    : yaml.replace('\nmetadata:\n', `\nmetadata:\n${keep}  labels:\n${chartLabels}`);
  return `{{- if .Values.crds.enabled }}\n${labelled}{{- end }}\n`;
}

/** deploy/crds.yaml: all kinds in one file. */
export const allCrds = (kinds: readonly KindDefinition[]): string => kinds.map(crdYaml).join('---\n');

export interface ValueDoc {
  /** Like metrics.monitor.kind. */
  readonly path: string;
  /** As YAML in one line. */
  readonly preset: string;
  readonly text: string;
}

/** Every value that has a comment in values.yaml, in its order. @throws if a value has none and nothing below it has one. */
export function valueDocs(valuesYaml: string): ValueDoc[] {
  const { contents } = parseDocument(valuesYaml);
  if (!isMap(contents)) throw new Error('values.yaml is no map');
  return docsOf(contents as YAMLMap, [], contents.commentBefore ?? undefined);
}

function docsOf(map: YAMLMap, path: readonly string[], firstComment: string | undefined): ValueDoc[] {
  return map.items.flatMap((pair: Pair, index) => {
    const { key, value } = pair;
    if (!isScalar(key)) throw new Error('values.yaml: a key is no text');
    const here = [...path, String(key.value)];
    // The comment before the first key of a map belongs to the map, as the parser sees it.
    const comment = key.commentBefore ?? (index === 0 ? firstComment : undefined);
    const inner = isMap(value) && !value.flow ? (value as YAMLMap) : undefined;
    const preset = JSON.stringify(isMap(value) || !isScalar(value) ? toJs(value) : value.value);
    const own = comment === undefined ? [] : [{ path: here.join('.'), preset, text: inOneLine(comment) }];
    if (own.length > 0) return own;
    if (inner) return docsOf(inner, here, inner.commentBefore ?? undefined);
    throw new Error(`values.yaml: ${here.join('.')} has no comment`);
  });
}

const toJs = (value: unknown): unknown => (value as { toJSON(): unknown }).toJSON();

const inOneLine = (comment: string): string =>
  comment
    .split('\n\n')
    .at(-1)!
    .split('\n')
    .map((line) => line.trim())
    .join(' ')
    .trim();

/** JSON Schema, which Helm checks at install, upgrade, lint and template. */
export function chartSchema(valuesYaml: string): string {
  const schema = z.toJSONSchema(chartValues, { target: 'draft-7', io: 'input' }) as Schema;
  const described = valueDocs(valuesYaml).reduce((all, doc) => describe(all, doc.path.split('.'), doc.text), schema);
  return `${JSON.stringify(described, undefined, 2)}\n`;
}

interface Schema {
  properties?: Record<string, Schema>;
  description?: string;
  [key: string]: unknown;
}

function describe(schema: Schema, [name, ...rest]: readonly string[], description: string): Schema {
  if (name === undefined) return { description, ...schema };
  const inner = schema.properties?.[name];
  if (!inner) throw new Error(`values.yaml: ${name} is not in scripts/generate/chart-values.ts`);
  return { ...schema, properties: { ...schema.properties, [name]: describe(inner, rest, description) } };
}

export function chartReadme(valuesYaml: string): string {
  const rows = valueDocs(valuesYaml).map(
    ({ path, preset, text }) => `| \`${path}\` | ${inCode(preset)} | ${text.replaceAll('|', '\\|')} |`,
  );
  return `${[
    '<!-- Generated from values.yaml by `npm run generate`. Do not edit. -->',
    '',
    '# lakebranch',
    '',
    'A Kubernetes operator that gives every preview its own real Postgres database: a branch of Databricks Lakebase, with a',
    'login in a Secret that never goes stale.',
    '',
    '```sh',
    'helm install lakebranch charts/lakebranch --namespace lakebranch-system --create-namespace',
    '```',
    '',
    'How to install, upgrade and uninstall, and which scope to take: [docs/install.md](../../docs/install.md).',
    'What each right is for: [docs/security.md](../../docs/security.md).',
    '',
    '## Values',
    '',
    'A value that is not in this table is refused, with its path.',
    '',
    '| Value | Default | Meaning |',
    '| --- | --- | --- |',
    ...rows,
  ].join('\n')}\n`;
}

const inCode = (preset: string): string => (preset === '""' ? '' : `\`${preset.replaceAll('|', '\\|')}\``);
