import fc from 'fast-check';
import { expect, test } from 'vitest';
import { annotationKey, managedByLabel, secretKeys } from '../../src/api/names.ts';
import {
  readSecret,
  renderSecret,
  secretPatch,
  secretValues,
  shapeHash,
  type IssuedCredential,
  type Secret,
  type SecretOwner,
  type SecretShape,
} from '../../src/credentials/secret.ts';
import { Token } from '../../src/lakebase/token.ts';
import { runs } from './runs.ts';

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

const reserved: readonly string[] = secretKeys;
const dataKeys = fc.oneof(
  fc.stringMatching(/^[-._a-zA-Z0-9]{1,20}$/).filter((key) => !reserved.includes(key)),
  fc.constantFrom('constructor', 'toString', '__proto__', 'DATABASE_URL'),
);
const names = fc.stringMatching(/^([a-z0-9]{1,8}\/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,10}[A-Za-z0-9])?$/);
const texts = fc
  .oneof(fc.string({ maxLength: 20 }), fc.string({ unit: 'grapheme', maxLength: 20 }))
  .filter((text) => !text.includes('{{'));
const pieces = fc.oneof(
  texts.filter((text) => !text.includes('{')),
  fc.constantFrom('{{ .uri }}', '{{.password}}', '{{ .dbname }}'),
);
const templates = fc.array(pieces, { maxLength: 4 }).map((list) => list.join(' '));

const shapes: fc.Arbitrary<SecretShape> = fc
  .record({
    database: fc.string({ unit: 'grapheme', minLength: 1, maxLength: 63 }),
    port: fc.integer({ min: 1, max: 65_535 }),
    certificates: fc.option(texts, { nil: undefined }),
    data: fc.dictionary(dataKeys, templates, { maxKeys: 4 }),
    labels: fc.dictionary(names, fc.stringMatching(/^[a-z0-9]{0,8}$/), { maxKeys: 3 }),
    annotations: fc.dictionary(names, texts, { maxKeys: 3 }),
  })
  .map(({ database, port, certificates, ...template }) => ({
    database,
    port,
    ...(certificates === undefined ? {} : { certificates }),
    template,
  }));

const instants = fc.date({ min: new Date('2026-01-01'), max: new Date('2030-01-01'), noInvalidDate: true });
const credentials: fc.Arbitrary<IssuedCredential> = fc.record({
  binding: fc.record({
    branchId: fc.stringMatching(/^[a-z]{3,9}-[a-z2-7]{16}-[a-z2-7]{6}$/),
    branchUid: fc.string({ minLength: 1 }),
    endpointUid: fc.string({ minLength: 1 }),
    host: fc.oneof(fc.domain(), fc.ipV6()),
    username: fc.string({ unit: 'grapheme', minLength: 1 }),
  }),
  token: fc.string({ unit: 'grapheme', minLength: 1, maxLength: 200 }).map((text) => new Token(text)),
  issueTime: instants,
  expireTime: instants,
  revision: fc.integer({ min: 1, max: 1_000_000 }),
  rotateTokenHash: fc.stringMatching(/^[0-9a-f]{32}$/),
});

type Texts = Record<string, string>;
const foreign = fc.record({
  data: fc.dictionary(fc.stringMatching(/^foreign\.[a-z]{1,5}$/), fc.base64String({ maxLength: 12 }), { maxKeys: 2 }),
  labels: fc.dictionary(fc.stringMatching(/^other\.io\/[a-z]{1,5}$/), fc.constant('x'), { maxKeys: 2 }),
  annotations: fc.dictionary(fc.stringMatching(/^other\.io\/[a-z]{1,5}$/), texts, { maxKeys: 2 }),
});

/** As the API server would hold it, with what others have added. */
const stored = (secret: Secret, added: { data: Texts; labels: Texts; annotations: Texts }): Secret => ({
  ...secret,
  metadata: {
    ...secret.metadata,
    uid: 's-1',
    resourceVersion: '9',
    labels: { ...secret.metadata.labels, ...added.labels },
    annotations: { ...secret.metadata.annotations, ...added.annotations },
  },
  data: { ...secret.data, ...added.data },
});

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** RFC 7386. */
function merged(target: unknown, patch: unknown): unknown {
  if (!isRecord(patch)) return patch;
  const entries = new Map(isRecord(target) ? Object.entries(target) : []);
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) entries.delete(key);
    else entries.set(key, merged(entries.get(key), value));
  }
  return Object.fromEntries(entries);
}

test('what was written is read back, whatever others have put beside it', () => {
  fc.assert(
    fc.property(shapes, credentials, foreign, (shape, credential, added) => {
      const seen = readSecret(stored(renderSecret('db', owner, shape, credential), added), owner);
      expect(seen.is).toBe('ours');
      if (seen.is !== 'ours') return;
      const { token, ...read } = seen.secret;
      const { token: given, ...written } = credential;
      expect(token.reveal()).toBe(given.reveal());
      expect(read).toMatchObject({ ...written, uid: 's-1', resourceVersion: '9', shapeHash: shapeHash(shape) });
    }),
    runs(500),
  );
});

test('every own key holds what the documentation says, and every template key is there, filled in', () => {
  fc.assert(
    fc.property(shapes, credentials, (shape, credential) => {
      const { data = {} } = renderSecret('db', owner, shape, credential);
      const values = secretValues(shape, credential);
      const plain = new Map(Object.entries(data).map(([key, text]) => [key, Buffer.from(text, 'base64').toString()]));
      for (const [key, value] of Object.entries(values)) expect(plain.get(key)).toBe(value);
      expect([...plain.keys()].sort()).toEqual([...Object.keys(values), ...Object.keys(shape.template.data)].sort());
      for (const key of Object.keys(shape.template.data)) expect(plain.get(key)).not.toContain('{{');
    }),
    runs(300),
  );
});

test('one edited byte of what is ours is seen, wherever it is', () => {
  fc.assert(
    fc.property(shapes, credentials, fc.nat(), fc.nat(), fc.boolean(), (shape, credential, which, where, drop) => {
      const secret = stored(renderSecret('db', owner, shape, credential), { data: {}, labels: {}, annotations: {} });
      const annotations = Object.keys(secret.metadata.annotations ?? {}).filter((key) => ours.has(key));
      const places = [
        ...Object.keys(secret.data ?? {}).map((key) => ({ of: 'data', key }) as const),
        ...annotations.map((key) => ({ of: 'annotations', key }) as const),
      ];
      const { of, key } = places[which % places.length]!;
      const values = new Map(Object.entries((of === 'data' ? secret.data : secret.metadata.annotations) ?? {}));
      const text = values.get(key) ?? '';
      if (drop || text === '') values.delete(key);
      else values.set(key, flipped(text, where % text.length));
      const edited = Object.fromEntries(values);
      const now: Secret =
        of === 'data'
          ? { ...secret, data: edited }
          : { ...secret, metadata: { ...secret.metadata, annotations: edited } };
      expect(readSecret(now, owner).is, `${of} ${key}`).toBe('damaged');
    }),
    runs(1000),
  );
});

const ours: ReadonlySet<string> = new Set([
  annotationKey.owner,
  annotationKey.branchId,
  annotationKey.branchUid,
  annotationKey.endpointUid,
  annotationKey.proof,
  annotationKey.revision,
  annotationKey.issueTime,
  annotationKey.expireTime,
  annotationKey.rotateTokenHash,
  annotationKey.shapeHash,
  annotationKey.keys,
  annotationKey.contentHash,
]);

const flipped = (text: string, index: number): string =>
  text.slice(0, index) + (text[index] === 'A' ? 'B' : 'A') + text.slice(index + 1);

test('the patch makes the new Secret of the old one: ours is replaced, what an earlier template set goes, the rest stays', () => {
  fc.assert(
    fc.property(fc.tuple(shapes, shapes), fc.tuple(credentials, credentials), foreign, (shape, credential, added) => {
      const before = stored(renderSecret('db', owner, shape[0], credential[0]), added);
      const last = readSecret(before, owner);
      if (last.is !== 'ours') throw new Error(`the old one is ${last.is}`);
      const next = renderSecret('db', owner, shape[1], credential[1]);
      const patched = merged(before, secretPatch(next, last.secret)) as Secret;
      const seen = readSecret(patched, owner);
      expect(seen.is === 'ours' && seen.secret.token.reveal()).toBe(credential[1].token.reveal());
      expect(seen.is === 'ours' && seen.secret.binding).toEqual(credential[1].binding);
      const expected = stored(next, added);
      expect(new Map(Object.entries(patched.data ?? {}))).toEqual(new Map(Object.entries(expected.data ?? {})));
      expect(patched.metadata.labels).toEqual(expected.metadata.labels);
      expect(patched.metadata.annotations).toEqual(expected.metadata.annotations);
      expect(patched.metadata.resourceVersion).toBe('9');
      expect(patched.metadata.ownerReferences).toEqual([owner.reference]);
    }),
    runs(500),
  );
});

test('a patch of what has not changed changes nothing', () => {
  fc.assert(
    fc.property(shapes, credentials, foreign, (shape, credential, added) => {
      const rendered = renderSecret('db', owner, shape, credential);
      const before = stored(rendered, added);
      const last = readSecret(before, owner);
      if (last.is !== 'ours') throw new Error(`the old one is ${last.is}`);
      expect(merged(before, secretPatch(rendered, last.secret))).toEqual(before);
      expect(rendered.metadata.labels?.[managedByLabel.key]).toBe(managedByLabel.value);
    }),
    runs(300),
  );
});
