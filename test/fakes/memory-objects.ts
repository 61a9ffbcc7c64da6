// Pure parts of the in-memory API server: its refusals, and what the verbs make of an object.
import {
  KubeError,
  type ApplyOptions,
  type KubeObject,
  type ObjectKey,
  type PatchOptions,
  type Preconditions,
  type ResourceType,
} from '../../src/kit/kube.ts';
import { applied, closed, conflicts, opened, type Ownership, type Tree } from './field-ownership.ts';

/** What survives the wire. */
export const json = <T>(value: T): T => JSON.parse(JSON.stringify(value)) as T;

export const namespaces: ResourceType = {
  group: '',
  version: 'v1',
  plural: 'namespaces',
  kind: 'Namespace',
  namespaced: false,
};

/** Kinds that have a status subresource and a generation: everything that a CRD would define. */
export const isCustom = ({ group }: ResourceType): boolean => group.includes('.') && !group.endsWith('.k8s.io');

export const failure = (
  code: number,
  reason: string,
  message: string,
  causes?: { reason: string; message: string }[],
) => new KubeError('memory', code, { code, reason, message, ...(causes ? { details: { causes } } : {}) });

export const notFound = (type: ResourceType, name: string) =>
  failure(404, 'NotFound', `${type.plural} "${name}" not found`);

export const conflict = (type: ResourceType, name: string, why: string) =>
  failure(409, 'Conflict', `Operation cannot be fulfilled on ${type.plural} "${name}": ${why}`);

export const sameKind = (a: ResourceType, b: ResourceType): boolean => a.group === b.group && a.plural === b.plural;

export const onlySubresource = ({ subresource }: PatchOptions): { subresource?: 'status' } =>
  subresource ? { subresource } : {};

/** What field managers own: the object without its identity and the fields that the server sets. */
export function bodyOf(object: KubeObject): Tree {
  const { apiVersion: _apiVersion, kind: _kind, metadata, ...rest } = object;
  const { labels, annotations, finalizers, ownerReferences } = metadata;
  return opened(json({ metadata: { labels, annotations, finalizers, ownerReferences }, ...rest }));
}

/** The main resource leaves status alone, and the status subresource everything else. */
export function merged(
  { type, object }: { type: ResourceType; object: KubeObject },
  next: KubeObject,
  { subresource }: PatchOptions,
): KubeObject {
  const statusOf = (of: KubeObject): unknown => (of as { status?: unknown }).status;
  if (subresource) return json({ ...object, status: statusOf(next) });
  return isCustom(type) ? json({ ...next, status: statusOf(object) }) : next;
}

function appliedPart(type: ResourceType, object: KubeObject, { subresource }: PatchOptions): KubeObject {
  const { metadata, status, ...rest } = object as KubeObject & { status?: unknown };
  if (subresource) return json({ metadata: { name: metadata.name }, status }) as KubeObject;
  return isCustom(type) ? { ...rest, metadata } : object;
}

export const managerOf = ({ fieldManager, subresource }: ApplyOptions): string =>
  `${fieldManager}/${subresource ?? ''}`;

/** Server-side apply onto an object that exists; 409 when another manager's value stands in the way and force is off. */
export function appliedOnto(
  stored: { type: ResourceType; object: KubeObject; ownership: Ownership },
  object: KubeObject,
  options: ApplyOptions,
): { next: KubeObject; ownership: Ownership } {
  const manager = managerOf(options);
  const wanted = bodyOf(appliedPart(stored.type, withDecodedSecret(stored.type, object), options));
  const current = bodyOf(stored.object);
  const disputed = options.force === false ? conflicts(current, wanted, stored.ownership, manager) : [];
  if (disputed.length > 0) {
    const causes = disputed.map((path) => ({ reason: 'FieldManagerConflict', message: path }));
    throw failure(409, 'Conflict', `Apply failed with ${disputed.length} conflicts`, causes);
  }
  const ownership = structuredClone(stored.ownership);
  const body = closed(applied(current, wanted, ownership, manager));
  const { apiVersion, kind, metadata } = stored.object;
  const { name, namespace } = metadata;
  const next = { apiVersion, kind, ...body, metadata: { ...(body['metadata'] as object), name, namespace } };
  return { next: json(next) as KubeObject, ownership };
}

export function namespaceTerminating(type: ResourceType, { name, namespace }: ObjectKey): KubeError {
  const message = `namespace ${namespace} is being terminated`;
  const full = `${type.plural} "${name}" is forbidden: unable to create new content in ${message}`;
  return failure(403, 'Forbidden', full, [{ reason: 'NamespaceTerminating', message }]);
}

/** 409 Conflict for another uid, or a version that is not the present one. */
export function checkPreconditions(stored: { type: ResourceType; object: KubeObject }, wanted: Preconditions): void {
  const { metadata } = stored.object;
  const { uid, resourceVersion } = wanted;
  if (uid && uid !== metadata.uid) {
    const why = `Precondition failed: UID in precondition: ${uid}, UID in object meta: ${metadata.uid}`;
    throw conflict(stored.type, metadata.name, why);
  }
  if (resourceVersion && resourceVersion !== metadata.resourceVersion) {
    throw conflict(
      stored.type,
      metadata.name,
      'the object has been modified; please apply your changes to the latest version',
    );
  }
}

/** What a PATCH makes conditional; on `status` the API server does not look at the uid. */
export function patchPreconditions(metadata: Preconditions, { subresource }: PatchOptions): Preconditions {
  const { uid: _uid, ...withoutUid } = metadata;
  return subresource ? withoutUid : metadata;
}

/** RFC 7386. */
export function mergePatched(target: unknown, patch: unknown): unknown {
  if (typeof patch !== 'object' || patch === null || Array.isArray(patch)) return patch;
  const isMap = typeof target === 'object' && target !== null && !Array.isArray(target);
  const result: Record<string, unknown> = isMap ? { ...target } : {};
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) delete result[key];
    else result[key] = mergePatched(result[key], value);
  }
  return result;
}

/** `stringData` of a Secret is a way of writing `data`. */
export function withDecodedSecret(type: ResourceType, object: KubeObject): KubeObject {
  const { stringData, ...secret } = object as KubeObject & { data?: object; stringData?: Record<string, string> };
  if (type.group !== '' || type.plural !== 'secrets' || !stringData) return object;
  const encoded = Object.entries(stringData).map(([key, value]) => [key, Buffer.from(value).toString('base64')]);
  return { ...secret, data: { ...secret.data, ...Object.fromEntries(encoded) } } as KubeObject;
}
