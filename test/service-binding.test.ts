// The Service Binding specification 1.1, as far as a provisioned service has to keep it.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { parse } from 'yaml';
import { renderSecret, type Secret } from '../src/credentials/secret.ts';
import { Token } from '../src/lakebase/token.ts';

interface Schema {
  readonly type?: string;
  readonly required?: readonly string[];
  readonly properties?: Readonly<Record<string, Schema>>;
}

interface Definition {
  readonly metadata: { readonly labels: Readonly<Record<string, string>> };
  readonly spec: { readonly versions: readonly { readonly schema: { readonly openAPIV3Schema: Schema } }[] };
}

const path = join(import.meta.dirname, '../crds/lakebranch.dev_databasebranches.yaml');
const definition = parse(readFileSync(path, 'utf8')) as Definition;

const reference = {
  apiVersion: 'lakebranch.dev/v1alpha1',
  kind: 'DatabaseBranch',
  name: 'db',
  uid: 'object-1',
  controller: true,
};
const secret: Secret = renderSecret(
  'db',
  { namespace: 'shop', name: 'db', uid: 'object-1', reference },
  {
    database: 'databricks_postgres',
    port: 5432,
    certificates: '-----BEGIN CERTIFICATE-----\n',
    template: { data: {}, labels: {}, annotations: {} },
  },
  {
    binding: { branchId: 'b', branchUid: 'b-1', endpointUid: 'e-1', host: 'e-1.example', username: 'client-id' },
    token: new Token('token'),
    issueTime: new Date('2026-01-01T00:00:00Z'),
    expireTime: new Date('2026-01-01T01:00:00Z'),
    revision: 1,
    rotateTokenHash: '',
  },
);
const value = (key: string): string => Buffer.from(secret.data?.[key] ?? '', 'base64').toString('utf8');

test('a workload finds the well-known entries under their well-known names', () => {
  const wellKnown = ['type', 'provider', 'host', 'port', 'uri', 'username', 'password', 'certificates'];
  expect(wellKnown.filter((key) => value(key) === '')).toEqual([]);
  expect([value('type'), value('provider')]).toEqual(['postgresql', 'databricks-lakebase']);
  expect(new URL(value('uri'))).toMatchObject({
    protocol: 'postgresql:',
    hostname: value('host'),
    port: value('port'),
  });
});

test('what those who know CloudNativePG look for is there as well', () => {
  expect(['dbname', 'jdbc-uri'].filter((key) => value(key) === '')).toEqual([]);
});

test('every entry has a name that may be a file', () => {
  expect(Object.keys(secret.data ?? {}).filter((key) => !/^[a-z0-9.-]{1,253}$/.test(key))).toEqual([]);
});

test('the type of the Secret repeats the entry `type`', () => {
  expect(secret.type).toBe(`servicebinding.io/${value('type')}`);
});

test('the kind is a provisioned service: labelled as one, with status.binding.name', () => {
  expect(definition.metadata.labels).toHaveProperty(['servicebinding.io/provisioned-service'], 'true');
  expect(definition.spec.versions.length).toBeGreaterThan(0);
  for (const version of definition.spec.versions) {
    const binding = version.schema.openAPIV3Schema.properties?.['status']?.properties?.['binding'];
    expect(binding).toMatchObject({ required: ['name'], properties: { name: { type: 'string' } } });
  }
});
