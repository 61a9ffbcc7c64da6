// Adds and removes one finalizer and leaves those of others alone.
import type { CallOptions, Kube, KubeObject, ResourceType } from './kube.ts';

/** Conditional on the version that was seen: throws KubeError Conflict when somebody else wrote meanwhile. */
export function addFinalizer<T extends KubeObject>(
  kube: Kube,
  type: ResourceType,
  object: T,
  finalizer: string,
  options: CallOptions = {},
): Promise<T> {
  const present = object.metadata.finalizers ?? [];
  return present.includes(finalizer)
    ? Promise.resolve(object)
    : setFinalizers(kube, type, object, [...present, finalizer], options);
}

/** As `addFinalizer`. The object is gone afterwards if it was being deleted and this was the last finalizer. */
export function removeFinalizer<T extends KubeObject>(
  kube: Kube,
  type: ResourceType,
  object: T,
  finalizer: string,
  options: CallOptions = {},
): Promise<T> {
  const present = object.metadata.finalizers ?? [];
  if (!present.includes(finalizer)) return Promise.resolve(object);
  const rest = present.filter((name) => name !== finalizer);
  return setFinalizers(kube, type, object, rest, options);
}

// A merge patch replaces the whole list; uid and resourceVersion make sure that it is the list that was seen.
function setFinalizers<T extends KubeObject>(
  kube: Kube,
  type: ResourceType,
  { metadata }: T,
  finalizers: readonly string[],
  options: CallOptions,
): Promise<T> {
  const { namespace, name, uid, resourceVersion } = metadata;
  if (!uid || !resourceVersion) throw new TypeError(`${type.kind} ${name} was never read: it has no resourceVersion`);
  return kube.mergePatch<T>(type, { namespace, name }, { metadata: { uid, resourceVersion, finalizers } }, options);
}
