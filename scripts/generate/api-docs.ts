// docs/api.md: every field, its default, and every sentence with which a manifest can be refused.
import { apiGroup, apiVersion } from '../../src/api/names.ts';
import type { KindDefinition } from './crds.ts';
import type { StructuralSchema } from './structural.ts';

interface Field {
  /** Dotted, from the root of the object; `[]` is an item of a list, `{}` a value of a map. */
  readonly path: string;
  readonly required: boolean;
  readonly schema: StructuralSchema;
}

export function apiDocs(kinds: readonly KindDefinition[]): string {
  const intro = [
    '<!-- Generated from src/api by `npm run generate`. Do not edit. -->',
    '# API',
    `Group \`${apiGroup}\`, version \`${apiVersion}\`. The same texts are shown by \`kubectl explain\`.`,
    'Durations are written in hours, minutes and seconds: `72h`, `1h30m`. Days are not a unit. Times are RFC 3339 with a zone.',
    'Compute units are whole numbers, or halves in quotes: `2`, `"0.5"`.',
  ];
  return [...intro, ...kinds.flatMap(kindDocs)].join('\n\n') + '\n';
}

function kindDocs({ resource, shortName, schema }: KindDefinition): string[] {
  const { kind, namespaced } = resource;
  const fields = fieldsOf(schema, '');
  const under = (root: string): Field[] => fields.filter(({ path }) => path.startsWith(`${root}.`));
  return [
    `## ${kind}`,
    schema.description ?? '',
    `${namespaced ? 'Lives in a namespace' : 'One for the whole cluster'}; short name \`${shortName}\`.`,
    `### ${kind}: what you write`,
    fieldTable(under('spec')),
    `### ${kind}: what is refused`,
    refusals(kind, schema),
    `### ${kind}: what the operator writes`,
    fieldTable(under('status')),
  ];
}

function fieldsOf(schema: StructuralSchema, path: string): Field[] {
  const required = new Set(schema.required);
  const own = Object.entries(schema.properties ?? {}).flatMap(([name, value]) => {
    const at = path === '' ? name : `${path}.${name}`;
    return [{ path: at, required: required.has(name), schema: value }, ...fieldsOf(value, at)];
  });
  return [...own, ...inner(schema.items, `${path}[]`), ...inner(schema.additionalProperties, `${path}{}`)];
}

const inner = (schema: StructuralSchema | undefined, path: string): Field[] =>
  schema ? [{ path, required: false, schema }, ...fieldsOf(schema, path)] : [];

function fieldTable(fields: readonly Field[]): string {
  const rows = fields
    .filter(({ schema }) => schema.description !== undefined)
    .map(
      ({ path, required, schema }) =>
        `| \`${path}\` | ${typeOf(schema)} | ${presence(required, schema)} | ${cell(schema.description ?? '')} |`,
    );
  return ['| Field | Type | If left out | Meaning |', '|--|--|--|--|', ...rows].join('\n');
}

function presence(required: boolean, { default: value }: StructuralSchema): string {
  if (required) return 'required';
  // The default of an object is only there to make way for the defaults of its fields.
  const isObject = typeof value === 'object' && !Array.isArray(value);
  if (value === undefined || isObject) return '';
  return code(typeof value === 'string' && value !== '' ? value : JSON.stringify(value));
}

function typeOf(schema: StructuralSchema): string {
  if (schema['x-kubernetes-int-or-string']) return 'number or text';
  if (schema.enum && schema.type === 'string') return schema.enum.map((value) => code(String(value))).join(' or ');
  if (schema.format === 'date-time') return 'time';
  if (schema.additionalProperties) return 'map of texts';
  if (schema.items) return `list of ${schema.items.type === 'string' ? 'texts' : 'objects'}`;
  return { string: 'text', integer: 'number', boolean: 'true or false' }[schema.type ?? ''] ?? 'object';
}

function refusals(kind: string, root: StructuralSchema): string {
  const lines = [{ path: '', schema: root }, ...fieldsOf(root, '')].flatMap(({ path, schema }) =>
    (schema['x-kubernetes-validations'] ?? []).map(({ message, fieldPath = '' }) => {
      const field = `${path}${fieldPath}`.replace(/^\./, '') || kind;
      return `- \`${field}\`: ${message}`;
    }),
  );
  return lines.join('\n');
}

const code = (text: string): string => `\`${text}\``;
const cell = (text: string): string => text.replaceAll('|', '\\|').replaceAll('\n', ' ');
