// From a zod schema to the structural schema of a CRD. What a CRD cannot express, or what would be lost on the way, stops
// the build: the API server would refuse it, or worse, accept everything.
import * as z from 'zod';

export interface StructuralSchema {
  type?: string;
  description?: string;
  default?: unknown;
  enum?: unknown[];
  format?: string;
  pattern?: string;
  minLength?: number;
  maxLength?: number;
  minimum?: number;
  maximum?: number;
  minItems?: number;
  maxItems?: number;
  minProperties?: number;
  maxProperties?: number;
  required?: string[];
  properties?: Record<string, StructuralSchema>;
  items?: StructuralSchema;
  additionalProperties?: StructuralSchema;
  'x-kubernetes-int-or-string'?: true;
  'x-kubernetes-list-type'?: string;
  'x-kubernetes-list-map-keys'?: string[];
  'x-kubernetes-validations'?: { rule: string; message: string; fieldPath?: string }[];
}

/** Throws an Error that names the place and says what to write instead. */
export function structural(schema: z.ZodType): StructuralSchema {
  const json = z.toJSONSchema(schema, {
    target: 'openapi-3.0',
    // What a person writes: fields with a default may be left out.
    io: 'input',
    reused: 'inline',
    cycles: 'throw',
    unrepresentable: 'throw',
    override: ({ zodSchema, path }) => refuseLosses(zodSchema, path.join('.')),
  });
  const { $schema: _dialect, ...rest } = json;
  return convert(rest, '');
}

/** What zod knows and JSON Schema does not say. */
function refuseLosses({ _zod: { def } }: z.core.$ZodTypes, path: string): void {
  const custom = (def.checks ?? []).some((check) => check._zod.def.check === 'custom');
  if (custom) fail(path, 'a refinement is not seen by the API server; write it as a CEL rule');
  if (def.type === 'catch') fail(path, 'catch() would become a default; leave it out');
  if (def.type === 'pipe') fail(path, 'the API server does not transform; parse the value where it is used');
}

type Json = Record<string, unknown>;

const keywords = new Set([
  'type',
  'description',
  'default',
  'enum',
  'format',
  'pattern',
  'minLength',
  'maxLength',
  'minimum',
  'maximum',
  'minItems',
  'maxItems',
  'minProperties',
  'maxProperties',
  'required',
  'properties',
  'items',
  'additionalProperties',
  'x-kubernetes-int-or-string',
  'x-kubernetes-list-type',
  'x-kubernetes-list-map-keys',
  'x-kubernetes-validations',
]);

const formats: ReadonlySet<unknown> = new Set(['int32', 'int64', 'date-time']);

const intOrString = 'x-kubernetes-int-or-string';

function convert(schema: Json, path: string): StructuralSchema {
  const { [intOrString]: mixed, ...rest } = schema;
  if (mixed === true) return convertIntOrString(rest, path);
  for (const keyword of Object.keys(schema))
    if (!keywords.has(keyword)) fail(path, remedies[keyword] ?? `a CRD has no ${keyword}`);
  switch (schema['type']) {
    case 'object':
      return convertObject(schema, path);
    case 'array':
      requireBound(schema, 'maxItems', path);
      return { ...schema, items: convert(child(schema['items']), `${path}[]`) };
    case 'string':
      return convertString(schema, path);
    case 'integer':
      return convertInteger(schema);
    case 'boolean':
      return { ...schema };
    case 'number':
      return fail(path, 'floats lose digits between languages; use an integer, or int-or-string');
    default:
      return fail(path, 'a CRD needs a type here');
  }
}

const unionRemedy = 'a union is not structural; use one object with optional members and a CEL rule';

const remedies: Record<string, string> = {
  anyOf: unionRemedy,
  oneOf: unionRemedy,
  not: 'a negation is not structural; use a CEL rule',
  definitions: 'a reference is not allowed; leave out meta({ id }) and recursion',
  nullable: 'null is pruned by the API server; use an optional field',
};

function convertIntOrString({ anyOf: _either, ...rest }: Json, path: string): StructuralSchema {
  for (const keyword of Object.keys(rest)) if (!keywords.has(keyword)) fail(path, `int-or-string has no ${keyword}`);
  return { ...rest, [intOrString]: true };
}

function convertObject(schema: Json, path: string): StructuralSchema {
  const { properties, additionalProperties, required, ...rest } = schema;
  if (properties === undefined) {
    requireBound(schema, 'maxProperties', path);
    return { ...rest, additionalProperties: convert(child(additionalProperties), `${path}{}`) };
  }
  if (additionalProperties !== undefined) fail(path, 'the API server prunes unknown fields; use a plain z.object');
  const converted = Object.entries(child(properties)).map(([name, value]) => {
    const at = path === '' ? name : `${path}.${name}`;
    if (typeof child(value)['description'] !== 'string')
      fail(at, 'describe the field for the person who runs kubectl explain');
    return [name, convert(child(value), at)] as const;
  });
  const names = Array.isArray(required) ? required.map(String).sort() : [];
  return { ...rest, properties: Object.fromEntries(converted), ...(names.length > 0 ? { required: names } : {}) };
}

function convertString(schema: Json, path: string): StructuralSchema {
  const { format, pattern } = schema;
  if (format !== undefined && !formats.has(format))
    fail(path, `the API server does not check format ${JSON.stringify(format)}; use a pattern or a CEL rule`);
  if (typeof pattern === 'string' && /\(\?[=!<]|\\[1-9]/.test(pattern))
    fail(path, `pattern ${pattern} is not RE2: no look-around, no back-references`);
  if (schema['enum'] === undefined) requireBound(schema, 'maxLength', path);
  return { ...schema };
}

/** zod bounds every integer by what a double can hold; the API server knows 64 bits. */
function convertInteger(schema: Json): StructuralSchema {
  const { minimum, maximum, ...rest } = schema;
  return {
    ...rest,
    format: 'int64',
    ...(typeof minimum === 'number' && minimum !== Number.MIN_SAFE_INTEGER ? { minimum } : {}),
    ...(typeof maximum === 'number' && maximum !== Number.MAX_SAFE_INTEGER ? { maximum } : {}),
  };
}

function requireBound(schema: Json, keyword: string, path: string): void {
  if (schema[keyword] === undefined)
    fail(path, `set an upper bound (${keyword}): CEL rules are priced by the largest value allowed`);
}

const child = (value: unknown): Json =>
  typeof value === 'object' && value !== null ? Object.fromEntries(Object.entries(value)) : {};

function fail(path: string, message: string): never {
  throw new Error(`${path === '' ? 'schema' : path}: ${message}`);
}
