// Which fields a kind of ours must have, and which of them the API server does not know. It drops what it does not know
// without a word, so an operator on older CRDs would lose what it writes.
import * as z from 'zod';

/** Dotted paths below a kind, like `spec.provider.auth`; `[]` behind a list. Those within maps are no fields. */
export function fieldsOf(schema: z.core.$ZodType, path = ''): string[] {
  if (schema instanceof z.ZodObject)
    return Object.entries<z.core.$ZodType>(schema.shape).flatMap(([name, inner]) => {
      const at = path === '' ? name : `${path}.${name}`;
      return [at, ...fieldsOf(inner, at)];
    });
  if (schema instanceof z.ZodArray) return fieldsOf(schema.element, `${path}[]`);
  const inner: unknown = 'innerType' in schema._zod.def ? schema._zod.def.innerType : undefined;
  return inner instanceof z.ZodType ? fieldsOf(inner, path) : [];
}

/** As far as an OpenAPI document describes one. */
export interface OpenApiSchema {
  readonly properties?: Readonly<Record<string, OpenApiSchema>>;
  readonly items?: OpenApiSchema;
  readonly 'x-kubernetes-group-version-kind'?: readonly {
    readonly group: string;
    readonly version: string;
    readonly kind: string;
  }[];
}

/** The fields that the schema does not have; of a part that is missing as a whole only the part itself. */
export function missingFields(fields: readonly string[], schema: OpenApiSchema): string[] {
  const missing = fields.filter((field) => !has(schema, field.split('.')));
  return missing.filter((field) => !missing.some((other) => field !== other && isWithin(field, other)));
}

const isWithin = (field: string, part: string): boolean =>
  field.startsWith(`${part}.`) || field.startsWith(`${part}[]`);

function has(schema: OpenApiSchema, [first, ...rest]: readonly string[]): boolean {
  if (first === undefined) return true;
  const name = first.replace(/(\[\])+$/, '');
  let inner = schema.properties && Object.hasOwn(schema.properties, name) ? schema.properties[name] : undefined;
  for (let lists = (first.length - name.length) / 2; lists > 0; lists--) inner = inner?.items;
  return inner !== undefined && has(inner, rest);
}
