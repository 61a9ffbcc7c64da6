// Every name that other software or a later version of this one can see. A changed name here is a breaking change.

export const apiGroup = 'lakebranch.dev';
export const apiVersion = 'v1alpha1';

/** On a DatabaseBranch: a Lakebase branch may exist that must be deleted first. */
export const databaseBranchFinalizer = 'lakebranch.dev/branch';
/** On a BranchClass: a DatabaseBranch still needs it to reach its branch. */
export const branchClassFinalizer = 'lakebranch.dev/in-use';

/** Owner of our fields in managedFields. */
export const fieldManager = 'lakebranch';
/** `reportingController` of our Events. */
export const reportingController = 'lakebranch.dev/operator';

/** What the API server needs to be told about a kind; the shape that the `kube` port asks for. */
interface ResourceNames {
  readonly group: string;
  readonly version: string;
  readonly plural: string;
  readonly kind: string;
  readonly namespaced: boolean;
}

export const databaseBranchResource: ResourceNames = {
  group: apiGroup,
  version: apiVersion,
  plural: 'databasebranches',
  kind: 'DatabaseBranch',
  namespaced: true,
};

export const branchClassResource: ResourceNames = {
  group: apiGroup,
  version: apiVersion,
  plural: 'branchclasses',
  kind: 'BranchClass',
  namespaced: false,
};

export const pointInTimeRestoreResource: ResourceNames = {
  group: apiGroup,
  version: apiVersion,
  plural: 'pointintimerestores',
  kind: 'PointInTimeRestore',
  namespaced: true,
};

export const secretResource: ResourceNames = {
  group: '',
  version: 'v1',
  plural: 'secrets',
  kind: 'Secret',
  namespaced: true,
};

export const namespaceResource: ResourceNames = {
  group: '',
  version: 'v1',
  plural: 'namespaces',
  kind: 'Namespace',
  namespaced: false,
};

export const leaseResource: ResourceNames = {
  group: 'coordination.k8s.io',
  version: 'v1',
  plural: 'leases',
  kind: 'Lease',
  namespaced: true,
};

export const eventResource: ResourceNames = {
  group: 'events.k8s.io',
  version: 'v1',
  plural: 'events',
  kind: 'Event',
  namespaced: true,
};

export const annotationKey = {
  /** On our Secret: `<namespace>/<name>` of its DatabaseBranch. Survives a backup, unlike the owner reference. */
  owner: 'lakebranch.dev/owner',
  /** On our Secret: provider's id of the branch that it opens. */
  branchId: 'lakebranch.dev/branch-id',
  /** On our Secret: provider's uid of the branch that it opens. */
  branchUid: 'lakebranch.dev/branch-uid',
  /** On our Secret: provider's uid of the endpoint that it names. */
  endpointUid: 'lakebranch.dev/endpoint-uid',
  /** On our Secret: hash of branch uid, endpoint uid, host and user, as they were proved to belong together. */
  proof: 'lakebranch.dev/proof',
  /** On our Secret: counts the tokens written into it, from 1. */
  revision: 'lakebranch.dev/revision',
  /** On our Secret: RFC 3339, when its token was asked for. */
  issueTime: 'lakebranch.dev/issue-time',
  /** On our Secret: RFC 3339, when its token dies. */
  expireTime: 'lakebranch.dev/expire-time',
  /** On our Secret: hash of everything in it that is ours; another hash means that somebody edited it. */
  contentHash: 'lakebranch.dev/content-hash',
  /** On our Secret: hash of what shaped it beside the credential (database, port, template). */
  shapeHash: 'lakebranch.dev/shape-hash',
  /** On our Secret: names of the keys, labels and annotations that we set, so that they can be taken away again. */
  keys: 'lakebranch.dev/keys',
  /** On our Secret: hash of the last `spec.credentials.rotateToken` that was honoured. */
  rotateTokenHash: 'lakebranch.dev/rotate-token-hash',
  /**
   * On a DatabaseBranch: `<token hash>/<reason>/<time>`; its branch has ended and is not made again. On a
   * PointInTimeRestore the same, of the empty token: it is over and does nothing any more.
   */
  ended: 'lakebranch.dev/ended',
  /** On a DatabaseBranch: uid of the PointInTimeRestore that made it. */
  restore: 'lakebranch.dev/restore',
  /** On a DatabaseBranch, by a person: the object's own uid, to let it go although its branch cannot be deleted. */
  release: 'lakebranch.dev/release',
  /** On a DatabaseBranch, by a person: one of `pausedValue`. */
  paused: 'lakebranch.dev/paused',
  /** On a DatabaseBranch, by the kubectl plugin: what `paused` said before the object was parked. */
  pausedBefore: 'lakebranch.dev/paused-before',
} as const;

/** What the annotation `paused` may say. */
export const pausedValue = {
  /** No creates, resets or size changes; login, lease, expiry and deletion go on. */
  changes: 'true',
  /** Nothing at all but deletion, once the provider knows the whole life of the branch. */
  all: 'all',
} as const;

/** On every Secret that we write. */
export const managedByLabel = { key: 'app.kubernetes.io/managed-by', value: 'lakebranch' } as const;

/** On the DatabaseBranch CRD: its objects can be bound by implementations of servicebinding.io. */
export const provisionedServiceLabel = { key: 'servicebinding.io/provisioned-service', value: 'true' } as const;

/**
 * Annotations of other tools that we set on our Secret, unless its template does: a fresh token is no reason to restart
 * or to refresh anything that reads the mounted files.
 */
export const quietAnnotations = {
  'reloader.stakater.com/ignore': 'true',
  'argocd.argoproj.io/ignore-resource-updates': 'true',
} as const;

export const secretType = 'servicebinding.io/postgresql';

/** Keys of our Secret, in the order of the documentation. `certificates` is there only with a private CA. */
export const secretKeys = [
  'type',
  'provider',
  'host',
  'port',
  'database',
  'dbname',
  'username',
  'password',
  'uri',
  'jdbc-uri',
  'sslmode',
  'expires-at',
  'certificates',
] as const;

/** Keys of the Secrets that a BranchClass names, in the operator's namespace. */
export const classSecretKey = { clientId: 'client-id', clientSecret: 'client-secret', ca: 'ca.crt' } as const;
