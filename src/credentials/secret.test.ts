import { expect, test } from 'vitest';
import { inspect } from 'node:util';
import { annotationKey } from '../api/names.ts';
import { Token } from '../lakebase/token.ts';
import {
  readSecret,
  renderSecret,
  rotateTokenHash,
  secretPatch,
  secretValues,
  shapeHash,
  type IssuedCredential,
  type Secret,
  type SecretOwner,
  type SecretShape,
} from './secret.ts';

const owner: SecretOwner = {
  namespace: 'pr-1',
  name: 'db',
  uid: 'u-1',
  reference: {
    apiVersion: 'lakebranch.dev/v1alpha1',
    kind: 'DatabaseBranch',
    name: 'db',
    uid: 'u-1',
    controller: true,
  },
};
const shape: SecretShape = {
  database: 'databricks_postgres',
  port: 5432,
  template: { data: { DATABASE_URL: '{{ .uri }}' }, labels: { team: 'shop' }, annotations: { note: 'x' } },
};
const credential: IssuedCredential = {
  binding: {
    branchId: 'pr-1-db-aaaaaaaaaaaaaaaa-bbbbbb',
    branchUid: 'br-1',
    endpointUid: 'ep-1',
    host: 'ep-1.example',
    username: 'a@b',
  },
  token: new Token('to/k=n'),
  issueTime: new Date('2026-11-25T10:00:00Z'),
  expireTime: new Date('2026-11-25T11:00:00Z'),
  revision: 3,
  rotateTokenHash: rotateTokenHash(''),
};
const stored = (change: Partial<Secret> = {}): Secret => {
  const rendered = renderSecret('db', owner, shape, credential);
  return {
    ...rendered,
    ...change,
    metadata: { ...rendered.metadata, uid: 's-1', resourceVersion: '9', ...change.metadata },
  };
};
const plain = (secret: Secret, key: string): string => Buffer.from(secret.data?.[key] ?? '', 'base64').toString();

test('the keys are those of the documentation, percent-encoded where they are URIs', () => {
  expect(secretValues(shape, credential)).toEqual({
    type: 'postgresql',
    provider: 'databricks-lakebase',
    host: 'ep-1.example',
    port: '5432',
    database: 'databricks_postgres',
    dbname: 'databricks_postgres',
    username: 'a@b',
    password: 'to/k=n',
    uri: 'postgresql://a%40b:to%2Fk%3Dn@ep-1.example:5432/databricks_postgres?sslmode=require',
    'jdbc-uri': 'jdbc:postgresql://ep-1.example:5432/databricks_postgres?sslmode=require',
    sslmode: 'require',
    'expires-at': '2026-11-25T11:00:00.000Z',
  });
});

test('what is written is read back', () => {
  const seen = readSecret(stored(), owner);
  expect(seen).toMatchObject({
    is: 'ours',
    secret: { ...credential, uid: 's-1', resourceVersion: '9', shapeHash: shapeHash(shape) },
  });
  expect(seen.is === 'ours' && seen.secret.token.reveal()).toBe('to/k=n');
});

test('Reloader passes the Secret over, unless the template asks it not to', () => {
  const ignore = 'reloader.stakater.com/ignore';
  const asking = { ...shape, template: { ...shape.template, annotations: { [ignore]: 'false' } } };
  const quiet = renderSecret('db', owner, shape, credential);
  const loud = renderSecret('db', owner, asking, credential);
  expect(quiet.metadata.annotations).toHaveProperty([ignore], 'true');
  expect(loud.metadata.annotations).toHaveProperty([ignore], 'false');
  // Taken out of the template again, it is back at once.
  const keys = { data: [], labels: [], annotations: [ignore] };
  const patch = secretPatch(quiet, { resourceVersion: '9', keys }) as { metadata: { annotations: object } };
  expect(patch.metadata.annotations).toHaveProperty([ignore], 'true');
});

test('the template adds keys, labels and annotations, and never replaces ours', () => {
  const secret = renderSecret(
    'db',
    owner,
    { ...shape, template: { ...shape.template, data: { ...shape.template.data, host: 'evil' } } },
    credential,
  );
  expect(plain(secret, 'DATABASE_URL')).toContain('@ep-1.example:5432');
  expect(plain(secret, 'host')).toBe('ep-1.example');
  expect(secret.metadata.labels).toMatchObject({ team: 'shop', 'app.kubernetes.io/managed-by': 'lakebranch' });
});

test.each<[string, (secret: Secret) => void]>([
  ['an edited host', (secret) => void (secret.data!['host'] = Buffer.from('other').toString('base64'))],
  ['an emptied Secret', (secret) => void (secret.data = {})],
  ['a removed template key', (secret) => void delete secret.data!['DATABASE_URL']],
  ['an edited branch uid', (secret) => void (secret.metadata.annotations![annotationKey.branchUid] = 'br-2')],
  [
    'an edited expiry',
    (secret) => void (secret.metadata.annotations![annotationKey.expireTime] = '2030-01-01T00:00:00Z'),
  ],
  ['removed annotations', (secret) => void (secret.metadata.annotations = {})],
])('%s makes the Secret damaged', (_sentence, edit) => {
  const secret = structuredClone(stored());
  edit(secret);
  expect(readSecret(secret, owner).is).toBe('damaged');
});

test('keys and metadata of others do not damage it', () => {
  const secret = stored();
  secret.data!['extra'] = 'eA==';
  secret.metadata.labels!['theirs'] = 'x';
  secret.metadata.annotations!['theirs'] = 'x';
  expect(readSecret(secret, owner).is).toBe('ours');
});

test.each<[string, Partial<Secret['metadata']>, string]>([
  ['controlled by another object', { ownerReferences: [{ ...owner.reference, uid: 'u-2' }] }, 'foreign'],
  ['from a backup: no controller, our label, our name', { ownerReferences: [] }, 'restored'],
  [
    'no controller and another owner named',
    { ownerReferences: [], annotations: { [annotationKey.owner]: 'pr-2/db' } },
    'foreign',
  ],
  ['no controller and no label', { ownerReferences: [], labels: {} }, 'foreign'],
])('%s', (_sentence, metadata, expected) =>
  expect(readSecret(stored({ metadata: { ...stored().metadata, ...metadata } }), owner).is).toBe(expected),
);

test('a patch takes away what an earlier template had set and nothing else', () => {
  const next = renderSecret('db', owner, { ...shape, template: { data: {}, labels: {}, annotations: {} } }, credential);
  const seen = readSecret(stored(), owner);
  const patch = secretPatch(next, seen.is === 'ours' ? seen.secret : { resourceVersion: '' });
  expect(patch).toMatchObject({
    metadata: { resourceVersion: '9', labels: { team: null }, annotations: { note: null } },
    data: { DATABASE_URL: null },
  });
  expect(
    Object.values((patch as { data: Record<string, unknown> }).data).filter((value) => value === null),
  ).toHaveLength(1);
});

test('a patch leaves the owner references of others alone', () => {
  const seen = readSecret(stored(), owner);
  const next = renderSecret('db', owner, shape, credential);
  const patch = secretPatch(next, seen.is === 'ours' ? seen.secret : { resourceVersion: '' });
  // A merge patch replaces lists as a whole.
  expect(patch).not.toHaveProperty('metadata.ownerReferences');
});

test('a template key that bears the name of something built in is taken away too', () => {
  const next = renderSecret('db', owner, { ...shape, template: { data: {}, labels: {}, annotations: {} } }, credential);
  const keys = { data: ['constructor'], labels: ['constructor'], annotations: ['constructor'] };
  expect(secretPatch(next, { resourceVersion: '9', keys })).toMatchObject({
    metadata: { labels: { constructor: null }, annotations: { constructor: null } },
    data: { constructor: null },
  });
});

test('nothing that is printed of an issued Secret holds its token', () => {
  const seen = readSecret(stored(), owner);
  for (const text of [
    inspect(seen, { depth: 9, showHidden: true }),
    JSON.stringify(seen),
    `${JSON.stringify(credential)}`,
  ])
    expect(text).not.toContain('to/k=n');
});
