// Writes a status when it says something new, and only over the version that it was computed from.
import { isDeepStrictEqual } from 'node:util';
import type { CallOptions, Kube, KubeObject, ResourceType } from './kube.ts';

/**
 * Returns the object as it stands afterwards; without a difference it is the object given, and no request is made.
 * Throws KubeError Conflict when somebody else wrote meanwhile: the pass then starts again from a read.
 */
export async function writeStatus<S, T extends KubeObject & { status?: S }>(
  kube: Kube,
  type: ResourceType,
  object: T,
  status: S,
  options: CallOptions = {},
): Promise<T> {
  const next = plain(status);
  if (isDeepStrictEqual(plain(object.status), next)) return object;
  return kube.replace<T>(type, { ...object, status: next }, { ...options, subresource: 'status' });
}

/** A status that one of our writes left; not one that was lost, which the API server fills in from the CRD. */
export const isWritten = (status: { readonly observedGeneration?: number } | undefined): boolean =>
  (status?.observedGeneration ?? -1) !== -1;

/** As it would come back from the API server: without undefined fields. */
const plain = <S>(value: S): S => (value === undefined ? value : (JSON.parse(JSON.stringify(value)) as S));
