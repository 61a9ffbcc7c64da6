// World: what a decision rests on. By default an object that was claimed and has seen nothing yet.
import type { BranchClass } from '../../src/api/v1alpha1/branch-class.ts';
import type { DatabaseBranch } from '../../src/api/v1alpha1/database-branch.ts';
import { databaseBranchFinalizer } from '../../src/api/names.ts';
import { absent, notAsked, type MemoryView, type World } from '../../src/controllers/database-branch/world.ts';
import { wishOf, type Wish } from '../../src/controllers/database-branch/wish.ts';
import { rotateTokenHash, shapeHash, type IssuedSecret } from '../../src/credentials/secret.ts';
import { LakebaseError, type LakebaseErrorCode } from '../../src/lakebase/errors.ts';
import type { Branch, Endpoint, Role } from '../../src/lakebase/model.ts';
import { Token } from '../../src/lakebase/token.ts';

export const now = new Date('2026-11-25T10:00:00Z');
export const minutes = (n: number): number => n * 60_000;
export const hours = (n: number): number => n * 3_600_000;
export const later = (ms: number): Date => new Date(now.getTime() + ms);

export const object: DatabaseBranch = {
  metadata: {
    name: 'db',
    namespace: 'pr-1',
    uid: 'u-1',
    resourceVersion: '5',
    generation: 1,
    creationTimestamp: later(-minutes(5)).toISOString(),
    finalizers: [databaseBranchFinalizer],
  },
  spec: { className: 'default', credentials: { database: 'databricks_postgres', tokenTTL: '1h' } },
  status: { observedGeneration: 1, conditions: [] },
};

export const bclass: BranchClass = {
  metadata: { name: 'default', uid: 'c-1', resourceVersion: '2', generation: 1 },
  spec: {
    provider: {
      host: 'https://dbc.example',
      project: 'shop',
      port: 5432,
      auth: { clientSecretRef: { name: 'manager' } },
    },
    login: {
      auth: { clientSecretRef: { name: 'login' } },
      role: 'CreateOnBranch',
      membershipRoles: ['DATABRICKS_SUPERUSER'],
    },
    sources: { allow: ['production', 'staging-*'], default: 'production' },
    allowedNamespaces: {},
    expiration: { default: '72h', max: '336h', allowNever: false, lease: '96h' },
  },
};

export const { wish } = wishOf(object, bclass, { clusterID: 'cluster', now, hasSecret: false });

export const aBranch = (overrides: Partial<Branch> = {}): Branch => ({
  id: wish.branchId,
  uid: 'br-1',
  project: 'shop',
  state: 'READY',
  isDefault: false,
  isProtected: false,
  sourceBranch: 'production',
  createTime: later(-minutes(4)),
  expireTime: later(hours(72) + minutes(5)),
  ...overrides,
});

export const anEndpoint = (overrides: Partial<Endpoint> = {}): Endpoint => ({
  id: 'primary',
  uid: 'ep-1',
  project: 'shop',
  branch: wish.branchId,
  type: 'READ_WRITE',
  state: 'ACTIVE',
  pending: false,
  host: 'ep-1.example',
  ...overrides,
});

export const sourceEndpoint: Endpoint = { ...anEndpoint(), uid: 'ep-0', branch: 'production', host: 'ep-0.example' };

export const aRole = (overrides: Partial<Role> = {}): Role => ({
  id: 'sp-app',
  postgresRole: 'app',
  identityType: 'SERVICE_PRINCIPAL',
  authMethod: 'LAKEBASE_OAUTH_V1',
  membershipRoles: ['DATABRICKS_SUPERUSER'],
  ...overrides,
});

export const anIssuedSecret = (overrides: Partial<IssuedSecret> = {}): IssuedSecret => ({
  uid: 's-1',
  resourceVersion: '9',
  binding: { branchUid: 'br-1', endpointUid: 'ep-1', host: 'ep-1.example', username: 'app' },
  token: new Token('t'),
  issueTime: later(-minutes(2)),
  expireTime: later(minutes(58)),
  revision: 1,
  rotateTokenHash: rotateTokenHash(''),
  shapeHash: shapeHash(wish.shape),
  keys: { data: [], labels: [], annotations: [] },
  ...overrides,
});

const calm: MemoryView = {
  postedMsAgo: undefined,
  startingMs: undefined,
  leadingMs: hours(1),
  refusal: undefined,
  loggedIn: false,
  login: undefined,
  mintSaidGone: false,
  mint: undefined,
  role: undefined,
  lease: undefined,
  size: undefined,
  write: undefined,
  operationRuns: false,
  rolePostedMsAgo: undefined,
  deletedMsAgo: undefined,
  sized: false,
  roleSeen: false,
  secretReadInMs: minutes(1),
  branchCheckInMs: minutes(10),
  branchAskedMsAgo: undefined,
};

export type WorldChange = Partial<Omit<World, 'memory' | 'wish'>> & {
  memory?: Partial<MemoryView>;
  wish?: Partial<Wish> | undefined;
};

export function aWorld({ memory, ...change }: WorldChange = {}): World {
  const wished = 'wish' in change && change.wish === undefined ? undefined : { ...wish, ...change.wish };
  return {
    object,
    uid: 'u-1',
    deleting: false,
    claimed: true,
    ended: undefined,
    releaseAsked: false,
    bclass,
    problems: [],
    namespaceTerminating: false,
    notAllowedSince: undefined,
    specSeen: true,
    secret: { is: 'none' },
    secretNameTakenBy: undefined,
    recorded: undefined,
    branch: notAsked,
    tagged: notAsked,
    rememberedAsDeleted: notAsked,
    unarchived: notAsked,
    operationDone: notAsked,
    endpoint: notAsked,
    role: notAsked,
    roleOnSource: notAsked,
    sourceEndpoints: notAsked,
    username: 'app',
    clockSkewMs: 0,
    ...change,
    wish: wished,
    memory: { ...calm, ...memory },
  };
}

export const present = <T>(value: T) => ({ seen: 'present', value }) as const;
export const unknown = (code: LakebaseErrorCode = 'unreachable') =>
  ({ seen: 'unknown', error: new LakebaseError(code, 'no answer') }) as const;
export { absent, notAsked };

/** A branch that is served and fine. */
export const served: WorldChange = {
  secret: { is: 'ours', secret: anIssuedSecret() },
  recorded: { uid: 'br-1', served: true },
};

/** A branch that waits for nothing but its Secret. */
export const prepared: WorldChange = {
  recorded: { uid: 'br-1', served: false },
  branch: present(aBranch()),
  endpoint: present(anEndpoint()),
  roleOnSource: present(false),
  memory: { roleSeen: true, loggedIn: true },
};
