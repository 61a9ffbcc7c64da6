// The rights in rendered roles, each by itself, and a role without one of them. Pure.
import type { ResourceType } from '../../src/kit/kube.ts';
import type { Manifest } from './render.ts';

export interface Rule {
  readonly apiGroups: readonly string[];
  readonly resources: readonly string[];
  readonly verbs: readonly string[];
  readonly resourceNames?: readonly string[];
}

/** One verb on one resource in one role; of one object, where the rule names them. */
export interface Right {
  readonly role: Manifest;
  readonly rule: number;
  readonly resource: string;
  readonly verb: string;
  readonly object: string | undefined;
}

export const nameOf = ({ role, verb, resource, object }: Right): string =>
  `${verb} ${resource}${object === undefined ? '' : `/${object}`} in ${role.metadata.namespace ?? 'the cluster'}`;

/** Those of the roles that are bound to the operator; others are for people. */
export function rightsIn(manifests: readonly Manifest[]): Right[] {
  const bound = new Set(
    manifests
      .filter(({ kind }) => kind.endsWith('Binding'))
      .map((binding) => `${binding['roleRef']?.kind}/${binding['roleRef']?.name}`),
  );
  return manifests
    .filter(({ kind, metadata }) => bound.has(`${kind}/${metadata.name}`))
    .flatMap((role) =>
      (role['rules'] as Rule[]).flatMap(({ resources, verbs, resourceNames }, rule) =>
        resources.flatMap((resource) =>
          verbs.flatMap((verb) =>
            (resourceNames ?? [undefined]).map((object): Right => ({ role, rule, resource, verb, object })),
          ),
        ),
      ),
    );
}

/** The rules of its role without it, and nothing else changed. */
export function without({ role, rule, resource, verb, object }: Right): Rule[] {
  return (role['rules'] as Rule[]).flatMap((all, index): Rule[] => {
    if (index !== rule) return [all];
    const resources = all.resources.filter((other) => other !== resource);
    const verbs = all.verbs.filter((other) => other !== verb);
    const resourceNames = all.resourceNames?.filter((other) => other !== object) ?? [];
    return [
      ...(resources.length > 0 ? [{ ...all, resources }] : []),
      ...(verbs.length > 0 ? [{ ...all, resources: [resource], verbs }] : []),
      ...(resourceNames.length > 0 ? [{ ...all, resources: [resource], verbs: [verb], resourceNames }] : []),
    ];
  });
}

export const roleResource = ({ kind }: Manifest): ResourceType => ({
  group: 'rbac.authorization.k8s.io',
  version: 'v1',
  plural: `${kind.toLowerCase()}s`,
  kind,
  namespaced: kind === 'Role',
});
