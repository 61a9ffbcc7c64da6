// What the Secret of a DatabaseBranch looks like, and what can be read back from it. Pure.
import { createHash } from 'node:crypto';
import { annotationKey, managedByLabel, quietAnnotations, secretType } from '../api/names.ts';
import type { KubeObject, ObjectMeta, OwnerReference } from '../kit/kube.ts';
import { Token } from '../lakebase/token.ts';
import type { Binding } from './proof.ts';
import { fillTemplate } from './template.ts';

export interface Secret extends KubeObject {
  type?: string;
  /** Base64. */
  data?: Record<string, string>;
}

/** The object that the Secret belongs to. */
export interface SecretOwner {
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
  readonly reference: OwnerReference;
}

/** Everything in the Secret that is not the credential: from the spec and the class. */
export interface SecretShape {
  readonly database: string;
  readonly port: number;
  /** PEM, with a private CA. */
  readonly certificates?: string;
  readonly template: {
    readonly data: Readonly<Record<string, string>>;
    readonly labels: Readonly<Record<string, string>>;
    readonly annotations: Readonly<Record<string, string>>;
  };
}

export interface IssuedCredential {
  readonly binding: Binding;
  readonly token: Token;
  readonly issueTime: Date;
  readonly expireTime: Date;
  /** Counts the tokens written into this Secret, from 1. */
  readonly revision: number;
  /** Hash of the last honoured `spec.credentials.rotateToken`. */
  readonly rotateTokenHash: string;
}

/** A Secret of ours as it was read, or as our own last write returned it. */
export interface IssuedSecret extends IssuedCredential {
  readonly uid: string;
  readonly resourceVersion: string;
  readonly shapeHash: string;
  /** Data and annotation keys that we set and that may have to be taken away again. */
  readonly keys: ManagedKeys;
}

export interface ManagedKeys {
  readonly data: readonly string[];
  readonly labels: readonly string[];
  readonly annotations: readonly string[];
}

/**
 * - `ours`      controlled by this object and whole
 * - `damaged`   controlled by this object, but emptied or edited: nothing in it is believed
 * - `restored`  from a backup: names this object but is controlled by nobody
 * - `foreign`   anything else; never touched
 */
export type SecretSeen =
  | { readonly is: 'ours'; readonly secret: IssuedSecret }
  | {
      readonly is: 'damaged' | 'restored';
      readonly uid: string;
      readonly resourceVersion: string;
      readonly branchUid: string | undefined;
    }
  | { readonly is: 'foreign'; readonly controller: string | undefined }
  | { readonly is: 'leaving' };

/** Whose Secret this is and what it holds. */
export function readSecret(secret: Secret, owner: Omit<SecretOwner, 'reference'>): SecretSeen {
  const { metadata } = secret;
  const controller = metadata.ownerReferences?.find((reference) => reference.controller);
  const identity = {
    uid: metadata.uid ?? '',
    resourceVersion: metadata.resourceVersion ?? '',
    branchUid: metadata.annotations?.[annotationKey.branchUid],
  };
  if (controller && controller.uid !== owner.uid)
    return { is: 'foreign', controller: `${controller.kind}/${controller.name}` };
  if (!controller && !namesOwner(metadata, owner)) return { is: 'foreign', controller: undefined };
  if (metadata.deletionTimestamp) return { is: 'leaving' };
  if (!controller) return { is: 'restored', ...identity };
  const issued = parseIssued(secret);
  return issued ? { is: 'ours', secret: issued } : { is: 'damaged', ...identity };
}

const namesOwner = (metadata: ObjectMeta, owner: { namespace: string; name: string }): boolean =>
  metadata.labels?.[managedByLabel.key] === managedByLabel.value &&
  metadata.annotations?.[annotationKey.owner] === `${owner.namespace}/${owner.name}`;

/** Undefined when anything in it is not as we wrote it. */
function parseIssued(secret: Secret): IssuedSecret | undefined {
  const { uid, resourceVersion, annotations = {} } = secret.metadata;
  const keys = parseKeys(annotations[annotationKey.keys]);
  if (!uid || !resourceVersion || !keys) return undefined;
  if (annotations[annotationKey.contentHash] !== contentHash(secret, keys)) return undefined;
  const text = (key: keyof typeof annotationKey): string => annotations[annotationKey[key]] ?? '';
  const value = (key: string): string => decode(secret.data?.[key]);
  return {
    uid,
    resourceVersion,
    binding: {
      branchId: text('branchId'),
      branchUid: text('branchUid'),
      endpointUid: text('endpointUid'),
      host: value('host'),
      username: value('username'),
    },
    token: new Token(value('password')),
    issueTime: new Date(text('issueTime')),
    expireTime: new Date(text('expireTime')),
    revision: Number(text('revision')),
    rotateTokenHash: text('rotateTokenHash'),
    shapeHash: text('shapeHash'),
    keys,
  };
}

function parseKeys(text: string | undefined): ManagedKeys | undefined {
  if (!text) return undefined;
  const [data, labels, annotations] = text.split(';').map((list) => list.split(',').filter((key) => key !== ''));
  return data && labels && annotations ? { data, labels, annotations } : undefined;
}

const printKeys = (keys: ManagedKeys): string =>
  [keys.data, keys.labels, keys.annotations].map((list) => list.join(',')).join(';');

/** The whole Secret for this credential: to be created, or to be merged over one of ours. */
export function renderSecret(
  name: string,
  owner: SecretOwner,
  shape: SecretShape,
  credential: IssuedCredential,
): Secret {
  const values = secretValues(shape, credential);
  const templated = Object.fromEntries(
    Object.entries(shape.template.data).map(([key, text]) => [key, fillTemplate(text, values)]),
  );
  const data = encodeAll({ ...templated, ...values });
  const { binding } = credential;
  const keys: ManagedKeys = {
    data: Object.keys(data).sort(),
    labels: Object.keys(shape.template.labels).sort(),
    annotations: Object.keys(shape.template.annotations).sort(),
  };
  const secret: Secret & { metadata: { annotations: Record<string, string> } } = {
    apiVersion: 'v1',
    kind: 'Secret',
    type: secretType,
    metadata: {
      name,
      namespace: owner.namespace,
      labels: { ...shape.template.labels, [managedByLabel.key]: managedByLabel.value },
      annotations: {
        ...quietAnnotations,
        ...shape.template.annotations,
        [annotationKey.owner]: `${owner.namespace}/${owner.name}`,
        [annotationKey.branchId]: binding.branchId,
        [annotationKey.branchUid]: binding.branchUid,
        [annotationKey.endpointUid]: binding.endpointUid,
        [annotationKey.proof]: bindingHash(binding),
        [annotationKey.revision]: String(credential.revision),
        [annotationKey.issueTime]: credential.issueTime.toISOString(),
        [annotationKey.expireTime]: credential.expireTime.toISOString(),
        [annotationKey.rotateTokenHash]: credential.rotateTokenHash,
        [annotationKey.shapeHash]: shapeHash(shape),
        [annotationKey.keys]: printKeys(keys),
      },
      ownerReferences: [owner.reference],
    },
    data,
  };
  secret.metadata.annotations[annotationKey.contentHash] = contentHash(secret, keys);
  return secret;
}

/**
 * JSON merge patch that turns a Secret of ours into `next`: conditional on the resourceVersion last seen, taking away
 * what an earlier template had set, leaving everything that others added. Our owner reference is there already, and a
 * merge patch would put the list of it alone in the place of the others'.
 */
export function secretPatch(
  next: Secret,
  last: { readonly resourceVersion: string; readonly keys?: ManagedKeys },
): unknown {
  const gone = (keys: readonly string[] | undefined, kept: object = {}): Record<string, null> =>
    Object.fromEntries((keys ?? []).filter((key) => !Object.hasOwn(kept, key)).map((key) => [key, null]));
  const { metadata } = next;
  return {
    metadata: {
      resourceVersion: last.resourceVersion,
      labels: { ...gone(last.keys?.labels, metadata.labels), ...metadata.labels },
      annotations: { ...gone(last.keys?.annotations, metadata.annotations), ...metadata.annotations },
    },
    data: { ...gone(last.keys?.data, next.data), ...next.data },
  };
}

/** The keys that are ours, in plain text. */
export function secretValues(
  shape: SecretShape,
  { binding, token, expireTime }: IssuedCredential,
): Record<string, string> {
  const { database, port, certificates } = shape;
  const { host, username } = binding;
  const address = `${host.includes(':') ? `[${host}]` : host}:${port}/${encodeURIComponent(database)}`;
  const password = token.reveal();
  return {
    type: 'postgresql',
    provider: 'databricks-lakebase',
    host,
    port: String(port),
    database,
    dbname: database,
    username,
    password,
    uri: `postgresql://${encodeURIComponent(username)}:${encodeURIComponent(password)}@${address}?sslmode=require`,
    // Without the login: JDBC URLs end up in logs.
    'jdbc-uri': `jdbc:postgresql://${address}?sslmode=require`,
    sslmode: 'require',
    'expires-at': expireTime.toISOString(),
    ...(certificates === undefined ? {} : { certificates }),
  };
}

/** Changes when the Secret has to be written again although the credential is good. */
export const shapeHash = (shape: SecretShape): string => hash(stable(shape));

/** Names what was proved, so that a later pass and a reader can tell that the Secret still says the same. */
export const bindingHash = ({ branchId, branchUid, endpointUid, host, username }: Binding): string =>
  hash([branchId, branchUid, endpointUid, host, username].join('\n'));

export const rotateTokenHash = (token: string): string => hash(token);

/** Over what we wrote and nothing else, so that keys and annotations of others do no harm. */
function contentHash({ data, metadata }: Secret, keys: ManagedKeys): string {
  const annotations = hashed.map((key) => [key, metadata.annotations?.[key] ?? null]);
  const values = keys.data.map((key) => [key, data?.[key] ?? null]);
  return hash(stable({ annotations: Object.fromEntries(annotations), data: Object.fromEntries(values) }));
}

const hashed = [
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
];

const hash = (text: string): string => createHash('sha256').update(text).digest('hex').slice(0, 32);

/** JSON with sorted keys: equal values give equal text. */
const stable = (value: unknown): string =>
  JSON.stringify(value, (_key, inner: unknown) =>
    inner !== null && typeof inner === 'object' && !Array.isArray(inner)
      ? Object.fromEntries(Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : 1)))
      : inner,
  );

const decode = (base64: string | undefined): string => Buffer.from(base64 ?? '', 'base64').toString('utf8');
const encodeAll = (values: Record<string, string>): Record<string, string> =>
  Object.fromEntries(
    Object.entries(values).map(([key, value]) => [key, Buffer.from(value, 'utf8').toString('base64')]),
  );
