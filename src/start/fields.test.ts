import { readFile } from 'node:fs/promises';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { crdPath, kinds } from '../../scripts/generate/crds.ts';
import { branchClassSchema } from '../api/v1alpha1/branch-class.ts';
import { databaseBranchSchema } from '../api/v1alpha1/database-branch.ts';
import { pointInTimeRestoreSchema } from '../api/v1alpha1/point-in-time-restore.ts';
import { fieldsOf, missingFields, type OpenApiSchema } from './fields.ts';

interface Crd {
  spec: { versions: { schema: { openAPIV3Schema: OpenApiSchema } }[] };
}

const schemas = {
  DatabaseBranch: databaseBranchSchema,
  BranchClass: branchClassSchema,
  PointInTimeRestore: pointInTimeRestoreSchema,
};

/** Every path of properties in a schema, as fieldsOf names them. */
function paths({ properties, items }: OpenApiSchema, path = ''): string[] {
  if (items) return paths(items, `${path}[]`);
  return Object.entries(properties ?? {}).flatMap(([name, inner]) => {
    const at = path === '' ? name : `${path}.${name}`;
    return [at, ...paths(inner, at)];
  });
}

describe.each(Object.entries(schemas))('%s', (name, schema) => {
  const crd = async (): Promise<OpenApiSchema> => {
    const kind = kinds.find(({ resource }) => resource.kind === name)!;
    const { spec } = parse(await readFile(crdPath(kind), 'utf8')) as Crd;
    return spec.versions[0]!.schema.openAPIV3Schema;
  };

  test('its fields are those of its CRD, and none of them is missing there', async () => {
    const described = await crd();
    const inCrd = paths(described).filter((path) => /^(spec|status)/.test(path));
    expect(fieldsOf(schema).toSorted()).toEqual(inCrd.toSorted());
    expect(missingFields(fieldsOf(schema), described)).toEqual([]);
  });
});

const fields = ['spec', 'spec.auth', 'spec.auth.name', 'spec.list', 'spec.list[].key', 'status'];
const text: OpenApiSchema = {};
const full: OpenApiSchema = {
  properties: {
    spec: {
      properties: {
        auth: { properties: { name: text } },
        list: { items: { properties: { key: text, more: text } } },
      },
    },
    status: text,
  },
};
const spec = (properties: Record<string, OpenApiSchema>): OpenApiSchema => ({
  properties: { spec: { properties }, status: text },
});
const { auth, list } = full.properties!['spec']!.properties! as { auth: OpenApiSchema; list: OpenApiSchema };

test.each<[string, OpenApiSchema, string[]]>([
  ['all that is needed, and something newer', full, []],
  ['a part that is missing is named as a whole', spec({ list }), ['spec.auth']],
  ['a field of a part', spec({ list, auth: { properties: {} } }), ['spec.auth.name']],
  ['a field of the items of a list', spec({ auth, list: { items: {} } }), ['spec.list[].key']],
  ['a list that is none any more', spec({ auth, list: text }), ['spec.list[].key']],
  ['nothing of it', {}, ['spec', 'status']],
  ['a name that every object inherits', { properties: { spec: full.properties!['spec']!, status: text } }, []],
])('%s', (_sentence, schema, missing) => {
  expect(missingFields(fields, schema)).toEqual(missing);
});

test('what every JavaScript object has is no field', () => {
  expect(missingFields(['constructor'], { properties: {} })).toEqual(['constructor']);
});
