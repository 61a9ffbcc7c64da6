// World: what a decision rests on. By default an object that was claimed and has seen nothing yet.
import type { BranchClass } from '../../src/api/v1alpha1/branch-class.ts';
import type { DatabaseBranch } from '../../src/api/v1alpha1/database-branch.ts';
import { databaseBranchFinalizer } from '../../src/api/names.ts';
import {
  absent,
  notAsked,
  type BranchMemoryView,
  type BranchView,
  type Family,
  type MemoryView,
  type Place,
  type Seen,
  type World,
} from '../../src/controllers/database-branch/world.ts';
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
  spec: {
    className: 'default',
    children: 'Forbid',
    deletionPolicy: 'Delete',
    credentials: { database: 'databricks_postgres', tokenTTL: '1h' },
  },
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

/** What everything is forked from. */
export const aRoot = (overrides: Partial<Branch> = {}): Branch => {
  const {
    sourceBranch: _source,
    expireTime: _end,
    ...root
  } = aBranch({ id: 'production', uid: 'br-0', isDefault: true });
  return { ...root, createTime: later(-hours(1000)), ...overrides };
};

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
  binding: { branchId: wish.branchId, branchUid: 'br-1', endpointUid: 'ep-1', host: 'ep-1.example', username: 'app' },
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
  leadingMs: hours(1),
  postedMsAgo: undefined,
  write: undefined,
  secretReadInMs: minutes(1),
  untold: false,
  checkInMs: minutes(10),
  checkedMsAgo: minutes(1),
  unnoted: [],
  deletionFailures: 0,
  ceilingMs: undefined,
};

const calmBranch: BranchMemoryView = {
  postedMsAgo: undefined,
  startingMs: undefined,
  postedExpireTime: undefined,
  refusal: undefined,
  refusedAheadMs: undefined,
  loggedIn: false,
  login: undefined,
  mintSaidGone: false,
  mint: undefined,
  role: undefined,
  lease: undefined,
  size: undefined,
  operationRuns: false,
  rolePostedMsAgo: undefined,
  deletedMsAgo: undefined,
  sized: false,
  endpointCheckDue: false,
  roleCheckDue: false,
  endpoint: undefined,
  roleSeen: false,
  askedMsAgo: undefined,
  gone: false,
  vacant: false,
};

export type ViewChange = Partial<Omit<BranchView, 'memory'>> & { memory?: Partial<BranchMemoryView> };

/** A branch of the object of which nothing was seen yet in this pass. */
export const aView = ({ memory, ...change }: ViewChange = {}): BranchView => ({
  id: wish.branchId,
  uid: undefined,
  branch: notAsked,
  endpoint: notAsked,
  role: notAsked,
  operationDone: notAsked,
  source: notAsked,
  sourceEndpoints: notAsked,
  roleOnSource: notAsked,
  memory: { ...calmBranch, ...memory },
  ...change,
});

/** A branch of the object as a LIST shows it. */
export const relative = (branch: Branch, memory: Partial<BranchMemoryView> = {}): BranchView =>
  aView({ id: branch.id, uid: branch.uid, branch: present(branch), memory });

export const family = (branches: readonly BranchView[], children: readonly string[] = []): Seen<Family> =>
  present({ branches, children });

export type WorldChange = Partial<Omit<World, 'memory' | 'wish' | 'served' | 'wanted'>> & {
  memory?: Partial<MemoryView>;
  wish?: Partial<Wish> | undefined;
  /** The branch that the object asks for; served too, unless `served` says otherwise. */
  wanted?: ViewChange;
  served?: ViewChange | 'wanted' | undefined;
};

export function aWorld({ memory, wanted, served: servedChange, ...change }: WorldChange = {}): World {
  const wished = 'wish' in change && change.wish === undefined ? undefined : { ...wish, ...change.wish };
  const wantedView = aView({ ...(wished ? { id: wished.branchId } : {}), ...wanted });
  return {
    object,
    uid: 'u-1',
    deleting: false,
    claimed: true,
    ended: undefined,
    paused: 'no',
    releaseAsked: false,
    bclass,
    problems: [],
    namespaceTerminating: false,
    notAllowedSince: undefined,
    specSeen: true,
    secret: { is: 'none' },
    secretNameTakenBy: undefined,
    asker: 'nobody',
    family: notAsked,
    rememberedAsDeleted: notAsked,
    place: notAsked,
    turn: 'mine',
    maxWaitMs: minutes(15),
    username: 'app',
    clockSkewMs: 0,
    ...change,
    served: servedChange === 'wanted' ? wantedView : servedChange && aView(servedChange),
    wanted: wished ? wantedView : undefined,
    wish: wished,
    memory: { ...calm, ...memory },
  };
}

/** What the object of this world asks for. */
export const wishIn = (world: World): Wish => ({ ...wish, ...world.wish });
export const wantedIn = ({ wanted }: World): BranchView => there(wanted);
export const servedIn = ({ served }: World): BranchView => there(served);

function there(view: BranchView | undefined): BranchView {
  if (!view) throw new Error('the world of this test has no such branch');
  return view;
}

/** A world with one branch, all in one: what is said of the branch, of the object and of the memory of both. */
export type Flat = Partial<Omit<World, 'memory' | 'wish' | 'served' | 'wanted' | 'family' | 'place'>> &
  Partial<Omit<BranchView, 'memory' | 'id' | 'uid'>> & {
    memory?: Partial<MemoryView & BranchMemoryView>;
    wish?: Partial<Wish> | undefined;
    recorded?: { uid: string; served: boolean };
    /** Branches that a LIST of the object's branches shows, with what is remembered of each. */
    tagged?: Seen<readonly Branch[]>;
    /** Whether there is a slot. */
    place?: 'free' | 'full';
  };

const sights = ['branch', 'endpoint', 'role', 'operationDone', 'sourceEndpoints', 'roleOnSource'] as const;

export function flat({ recorded, tagged, place, memory = {}, ...rest }: Flat): WorldChange {
  const seen = Object.fromEntries(sights.filter((key) => key in rest).map((key) => [key, rest[key]]));
  const others = Object.fromEntries(
    Object.entries(rest).filter(([key]) => !(sights as readonly string[]).includes(key)),
  );
  const objectMemory = Object.fromEntries(Object.entries(memory).filter(([key]) => key in calm));
  const branchMemory = Object.fromEntries(Object.entries(memory).filter(([key]) => key in calmBranch));
  return {
    ...others,
    memory: objectMemory,
    wanted: { uid: recorded?.uid, ...seen, memory: branchMemory },
    ...(recorded?.served ? { served: 'wanted' as const } : {}),
    ...(tagged === undefined
      ? {}
      : {
          family: tagged.seen === 'present' ? family(tagged.value.map((one) => relative(one, branchMemory))) : tagged,
        }),
    ...(place === undefined
      ? {}
      : {
          place: present<Place>({
            verdict: place === 'free' ? { go: true } : { go: false, position: 1, because: 'project' },
            lookInMs: 30_000,
            snapshot: { at: 0, step: 0, branches: [] },
          }),
        }),
  };
}

export const present = <T>(value: T) => ({ seen: 'present', value }) as const;
export const unknown = (code: LakebaseErrorCode = 'unreachable') =>
  ({ seen: 'unknown', error: new LakebaseError(code, 'no answer') }) as const;
export { absent, notAsked };

/** A branch that is served and fine. */
export const served: Flat = {
  secret: { is: 'ours', secret: anIssuedSecret() },
  recorded: { uid: 'br-1', served: true },
};

/** A branch that waits for nothing but its Secret. */
export const prepared: Flat = {
  recorded: { uid: 'br-1', served: false },
  branch: present(aBranch()),
  endpoint: present(anEndpoint()),
  roleOnSource: present(false),
  memory: { roleSeen: true, loggedIn: true },
};
