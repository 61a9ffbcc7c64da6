// Everything that the operator asks of the API server, once, with the reason. The manifests that grant it are held
// against this list, and a start holds it against what was granted.

/**
 * - `cluster`    everywhere
 * - `watched`    in each namespace that is watched
 * - `operator`   in the operator's own namespace
 * - `default`    where Events about objects without a namespace go
 * - `kubeSystem` the namespace kube-system, itself
 */
export type Place = 'cluster' | 'watched' | 'operator' | 'default' | 'kubeSystem';

export interface Right {
  /** '' for the core group. */
  readonly group: string;
  /** Plural, with its subresource: `databasebranches/status`. */
  readonly resource: string;
  readonly verbs: readonly string[];
  readonly place: Place;
  readonly why: string;
  /** A start does not ask for it, because it may be granted in parts; what is lacking is then said by who needs it. */
  readonly unasked?: true;
  /** Needed only with this setting. */
  readonly only?: 'leaderElection' | 'ownClusterID';
}

const ours = 'lakebranch.dev';

export const rights: readonly Right[] = [
  {
    group: ours,
    resource: 'databasebranches',
    verbs: ['list', 'watch', 'patch'],
    place: 'watched',
    why: 'reads the objects; patches finalizers and the mark of their end, never the spec',
  },
  {
    group: ours,
    resource: 'databasebranches',
    verbs: ['get', 'create'],
    place: 'watched',
    why: 'a PointInTimeRestore makes one; it is read once more before that, because what the watch has told may be old',
  },
  { group: ours, resource: 'databasebranches/status', verbs: ['update'], place: 'watched', why: 'reports' },
  {
    group: ours,
    resource: 'databasebranches/finalizers',
    verbs: ['update'],
    place: 'watched',
    why: 'owner references that block deletion, where OwnerReferencesPermissionEnforcement is on',
  },
  {
    group: ours,
    resource: 'pointintimerestores',
    verbs: ['list', 'watch', 'patch', 'get'],
    place: 'watched',
    why: 'reads the restores; patches the mark of their end, never the spec',
  },
  { group: ours, resource: 'pointintimerestores/status', verbs: ['update'], place: 'watched', why: 'reports' },
  {
    group: ours,
    resource: 'branchclasses',
    verbs: ['list', 'watch', 'patch'],
    place: 'cluster',
    why: 'reads the classes; patches the finalizer that keeps a class while branches need it',
  },
  { group: ours, resource: 'branchclasses/status', verbs: ['update'], place: 'cluster', why: 'reports' },
  {
    group: '',
    resource: 'secrets',
    verbs: ['get', 'create', 'patch', 'delete'],
    place: 'watched',
    why: 'one Secret per DatabaseBranch, by name. No list and no watch: the operator cannot go through your Secrets',
  },
  {
    group: '',
    resource: 'secrets',
    verbs: ['get'],
    place: 'operator',
    why: 'client secrets and certificate authorities that classes name; may be granted for certain names only',
    unasked: true,
  },
  {
    group: '',
    resource: 'namespaces',
    verbs: ['get'],
    place: 'watched',
    why: 'labels of one namespace at a time, to ask the class whether it is allowed',
  },
  {
    group: '',
    resource: 'namespaces',
    verbs: ['get'],
    place: 'kubeSystem',
    why: 'its uid names the cluster, unless LAKEBRANCH_CLUSTER_ID does',
    only: 'ownClusterID',
  },
  {
    group: 'events.k8s.io',
    resource: 'events',
    verbs: ['create', 'patch'],
    place: 'watched',
    why: 'tells of transitions',
  },
  {
    group: 'events.k8s.io',
    resource: 'events',
    verbs: ['create'],
    place: 'default',
    why: 'tells of classes, which have no namespace; no two of these are the same, so none is counted up',
  },
  {
    group: 'coordination.k8s.io',
    resource: 'leases',
    verbs: ['get', 'create', 'update'],
    place: 'operator',
    why: 'one leader at a time',
    only: 'leaderElection',
  },
];

export interface Scope {
  /** The operator's own. */
  readonly namespace: string;
  /** Empty: all. */
  readonly watchNamespaces: readonly string[];
  readonly leaderElection: boolean;
  /** Undefined: the uid of kube-system. */
  readonly clusterID: string | undefined;
}

/** One question to the API server. */
export interface Access {
  readonly group: string;
  readonly resource: string;
  readonly verb: string;
  /** Undefined: in all namespaces, or of a kind that has none. */
  readonly namespace?: string;
  readonly name?: string;
}

/** What an operator with these settings needs, each verb by itself. */
export function accessesOf(scope: Scope): Access[] {
  const needed = rights.filter(({ only, unasked }) => !unasked && (only === undefined || settings[only](scope)));
  return needed.flatMap((right) =>
    placesOf(right, scope).flatMap((place) =>
      right.verbs.map((verb) => ({ group: right.group, resource: right.resource, verb, ...place })),
    ),
  );
}

const settings: Readonly<Record<NonNullable<Right['only']>, (scope: Scope) => boolean>> = {
  leaderElection: ({ leaderElection }) => leaderElection,
  ownClusterID: ({ clusterID }) => clusterID === undefined,
};

function placesOf(
  { place, resource }: Right,
  { namespace, watchNamespaces }: Scope,
): Pick<Access, 'namespace' | 'name'>[] {
  const everywhere = watchNamespaces.length === 0;
  switch (place) {
    case 'cluster':
      return [{}];
    case 'watched':
      if (everywhere) return [{}];
      // A namespace is read as if it were within itself.
      return watchNamespaces.map((name) => ({ namespace: name, ...(resource === 'namespaces' ? { name } : {}) }));
    case 'operator':
      return [{ namespace }];
    case 'default':
      return everywhere || watchNamespaces.includes('default') ? [] : [{ namespace: 'default' }];
    case 'kubeSystem':
      return everywhere ? [] : [{ namespace: 'kube-system', name: 'kube-system' }];
  }
}

/**
 * Those of the missing that hold up nothing but one of several namespaces. Its RoleBinding goes with it when it is
 * deleted, and whoever administers it can delete it: the others must not stand still for that.
 */
export function ofSomeNamespaces(missing: readonly Access[], { watchNamespaces }: Scope): Access[] {
  const within = missing.filter(({ namespace = '' }) => watchNamespaces.includes(namespace)).filter(isOfOneNamespace);
  const lacking = new Set(within.map(({ namespace }) => namespace));
  return lacking.size < watchNamespaces.length ? within : [];
}

/** Not what the Lease needs, nor what fills the caches, which wait for all namespaces. */
const isOfOneNamespace = ({ group, resource, verb }: Access): boolean =>
  resource !== 'leases' && !(group === ours && ['list', 'watch'].includes(verb));

const mostNamed = 12;

/** `get, create secrets in namespace pr-1; update leases.coordination.k8s.io in …` */
export function inWords(missing: readonly Access[]): string {
  const verbs = new Map<string, string[]>();
  for (const access of missing) {
    const what = whatOf(access);
    verbs.set(what, [...new Set([...(verbs.get(what) ?? []), access.verb])]);
  }
  const phrases = [...verbs].map(([what, all]) => `${all.join(', ')} ${what}`);
  const more = phrases.length - mostNamed;
  return phrases.slice(0, mostNamed).join('; ') + (more > 0 ? `; and ${more} more` : '');
}

function whatOf({ group, resource, namespace, name }: Access): string {
  const [plural = '', subresource] = resource.split('/');
  const kind = (group === '' ? plural : `${plural}.${group}`) + (subresource === undefined ? '' : `/${subresource}`);
  if (name !== undefined) return `${kind} ${name}`;
  if (namespace !== undefined) return `${kind} in namespace ${namespace}`;
  const clusterWide = plural === 'branchclasses' || plural === 'namespaces';
  return `${kind} ${clusterWide ? 'in the cluster' : 'in all namespaces'}`;
}
