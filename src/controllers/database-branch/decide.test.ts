import { expect, test } from 'vitest';
import {
  aBranch,
  absent,
  anEndpoint,
  anIssuedSecret,
  aRole,
  aWorld,
  hours,
  later,
  minutes,
  notAsked,
  now,
  object,
  prepared,
  present,
  served,
  sourceEndpoint,
  unknown,
  wish,
  flat,
  type Flat,
} from '../../../test/builders/world.ts';
import { LakebaseError } from '../../lakebase/errors.ts';
import { decide } from './decide.ts';

const refusal = (code: ConstructorParameters<typeof LakebaseError>[0]) => new LakebaseError(code, 'no');
const failure = (code: ConstructorParameters<typeof LakebaseError>[0], nextInMs = 5000) => ({
  attempts: 1,
  sinceMs: 1000,
  nextInMs,
  error: refusal(code),
});

/** What it does, and the detail that tells one from another. */
function short(change: Flat): string {
  const plan = decide(aWorld(flat(change)), now);
  switch (plan.do) {
    case 'look':
    case 'lookAround':
      return `look ${plan.at}`;
    case 'setExpiry':
      return `setExpiry ${plan.why}`;
    case 'wait':
      return `${plan.stalled ? 'stalled' : 'wait'} ${plan.reason}`;
    case 'issue':
      return `issue ${plan.why}`;
    case 'markEnded':
      return `ended ${plan.reason}`;
    default:
      return plan.do;
  }
}

const dueAt = (ms: number) => ({
  credentials: {
    secretName: 'db',
    username: 'app',
    issueTime: later(ms - hours(0.5)).toISOString(),
    renewTime: later(ms).toISOString(),
    expireTime: later(ms + hours(0.5)).toISOString(),
    revision: 1,
  },
});
const endsAt = (ms: number) => ({ expiration: { expireTime: later(ms).toISOString() } });

const expired = { expiration: { expireTime: later(-1000), pinnedFrom: 'p' } };
const problem = (reason: 'SourceNotAllowed' | 'NamespaceNotAllowed' | 'TemplateInvalid' | 'ClassNotFound') => ({
  problems: [{ reason, message: 'm' }],
});

test.each<[string, Flat, string]>([
  ['an unclaimed object is claimed before anything is looked at', { claimed: false }, 'claim'],
  ['a claimed object looks for its branch', {}, 'look branch'],
  ['before the first POST it asks whether the id was once deleted', { branch: absent }, 'look deletedIds'],
  [
    'then the branch is asked for',
    { branch: absent, rememberedAsDeleted: present(false), place: 'free' },
    'createBranch',
  ],
  [
    'an id that the provider remembers as deleted is not used again',
    { branch: absent, rememberedAsDeleted: present(true) },
    'ended DeletedExternally',
  ],
  ['an outage is not an absence', { branch: unknown() }, 'wait ProviderUnreachable'],
  [
    'an outage while asking for deleted ids posts nothing',
    { branch: absent, rememberedAsDeleted: unknown('unavailable') },
    'wait ProviderUnavailable',
  ],
  [
    'a POST is not repeated at once',
    { branch: absent, memory: { postedMsAgo: 500, startingMs: 500 } },
    'wait BranchCreating',
  ],
  [
    'a POST that showed nothing is repeated after 10 s',
    {
      branch: absent,
      rememberedAsDeleted: present(false),
      place: 'free',
      memory: { postedMsAgo: 10_000, startingMs: 10_000 },
    },
    'createBranch',
  ],
  [
    'after two minutes of silence it says so',
    { branch: absent, memory: { postedMsAgo: 1, startingMs: minutes(2) } },
    'wait CreateUnclear',
  ],
  [
    'a refusal for two minutes is for a person',
    {
      branch: absent,
      place: 'free',
      memory: { postedMsAgo: 1, startingMs: minutes(2), refusal: refusal('invalid') },
    },
    'stalled CreateRefused',
  ],
  [
    'a refused credential is for a person at once',
    { branch: absent, memory: { postedMsAgo: 1, startingMs: 1, refusal: refusal('unauthenticated') } },
    'stalled Unauthenticated',
  ],
  [
    'a forbidden create is for a person at once',
    {
      branch: absent,
      place: 'free',
      memory: { postedMsAgo: 1, startingMs: 1, refusal: refusal('denied') },
    },
    'stalled PermissionDenied',
  ],
  [
    'a source that is not there is for a person',
    { branch: absent, memory: { postedMsAgo: 1, startingMs: 1, refusal: refusal('notFound') } },
    'stalled SourceNotFound',
  ],
  [
    'a refusal looks whether there is room',
    { branch: absent, memory: { postedMsAgo: 1, startingMs: 1, refusal: refusal('conflict') } },
    'look place',
  ],
  [
    'a full project is a wait, whatever code it answered with',
    {
      branch: absent,
      place: 'full',
      memory: { postedMsAgo: 1, startingMs: 1, refusal: refusal('throttled') },
    },
    'wait WaitingForBranchSlot',
  ],
  [
    'a full project is not asked again and again',
    {
      branch: absent,
      place: 'full',
      memory: { postedMsAgo: minutes(5), startingMs: minutes(6), refusal: refusal('invalid') },
    },
    'wait WaitingForBranchSlot',
  ],
])('create: %s', (_sentence, change, expected) => expect(short(change)).toBe(expected));

test.each<[string, Flat, string]>([
  [
    'a branch that is seen for the first time is put on record',
    { branch: present(aBranch({ state: 'INIT' })) },
    'record',
  ],
  [
    'a branch in INIT is waited for',
    { branch: present(aBranch({ state: 'INIT' })), recorded: { uid: 'br-1', served: false } },
    'wait BranchStarting',
  ],
  [
    'a branch in INIT for 10 minutes is named',
    {
      branch: present(aBranch({ state: 'INIT', createTime: later(-minutes(11)) })),
      recorded: { uid: 'br-1', served: false },
    },
    'wait BranchStuckInInit',
  ],
  [
    'a branch in INIT for an hour is for a person',
    {
      object: { ...object, metadata: { ...object.metadata, creationTimestamp: later(-hours(2)).toISOString() } },
      branch: present(aBranch({ state: 'INIT', createTime: later(-hours(1)) })),
      recorded: { uid: 'br-1', served: false },
    },
    'stalled BranchStuckInInit',
  ],
  [
    'a branch from another source is not ours',
    { branch: present(aBranch({ sourceBranch: 'staging' })) },
    'stalled BranchNotOurs',
  ],
  [
    'a branch older than the object is not ours',
    { branch: present(aBranch({ createTime: later(-hours(1)) })) },
    'stalled BranchNotOurs',
  ],
  [
    'a branch under our id with another uid than recorded is never touched',
    { branch: present(aBranch({ uid: 'br-2' })), recorded: { uid: 'br-1', served: true } },
    'stalled BranchNotOurs',
  ],
  [
    'a ready branch has its endpoint looked at',
    { branch: present(aBranch()), recorded: { uid: 'br-1', served: false } },
    'look endpoint',
  ],
  [
    'a change under way is looked at before the next one',
    { ...prepared, memory: { operationRuns: true } },
    'look operation',
  ],
  [
    'a change under way is waited for',
    { ...prepared, memory: { operationRuns: true }, operationDone: present(false) },
    'wait EndpointStarting',
  ],
  [
    'an endpoint without host is waited for',
    { ...prepared, endpoint: present((({ host: _none, ...rest }) => rest)(anEndpoint())) },
    'wait EndpointStarting',
  ],
  ['an endpoint that is not listed yet is waited for', { ...prepared, endpoint: absent }, 'wait EndpointStarting'],
  ['sizes come before the login', { ...prepared, wish: { size: { maxCU: 2 } } }, 'resize'],
  [
    'sizes that are right are left alone',
    {
      ...prepared,
      wish: { size: { maxCU: 2 } },
      endpoint: present(anEndpoint({ maxCU: 2 })),
      sourceEndpoints: present([sourceEndpoint]),
    },
    'issue First',
  ],
  [
    'an endpoint that changes is waited for',
    { ...prepared, endpoint: present(anEndpoint({ pending: true })) },
    'wait EndpointStarting',
  ],
  ['the role is looked at', { ...prepared, memory: {} }, 'look role'],
  ['a missing role is made', { ...prepared, memory: {}, role: absent }, 'createRole'],
  [
    'a role that was just asked for is not asked for again',
    { ...prepared, memory: { rolePostedMsAgo: 100 }, role: absent },
    'wait RolePending',
  ],
  [
    'a role that lacks its membership gets it',
    { ...prepared, memory: {}, role: present(aRole({ membershipRoles: ['OTHER'] })) },
    'extendRole',
  ],
  [
    'a role of another kind is for a person',
    { ...prepared, memory: {}, role: present(aRole({ authMethod: 'NO_LOGIN' })) },
    'stalled RoleUnusable',
  ],
  [
    'a refused role is retried',
    { ...prepared, memory: { role: failure('conflict') }, role: absent },
    'wait RolePending',
  ],
  [
    'a role refused for 10 minutes is for a person',
    { ...prepared, memory: { role: { ...failure('invalid'), sinceMs: minutes(11) } }, role: absent },
    'stalled RoleRefused',
  ],
  [
    'an inherited role is not looked at',
    { ...prepared, wish: { roleOnBranch: false }, memory: { loggedIn: true } },
    'look sourceEndpoints',
  ],
  ['the credential logs in once before it is handed out', { ...prepared, memory: { roleSeen: true } }, 'login'],
  [
    'a refused login is tried again later',
    {
      ...prepared,
      memory: { roleSeen: true, login: { attempts: 1, sinceMs: 500, nextInMs: 500, message: 'm', kind: 'refused' } },
    },
    'wait LoginPending',
  ],
  [
    'a login refused for a minute is reported',
    {
      ...prepared,
      memory: { roleSeen: true, login: { attempts: 9, sinceMs: 61_000, nextInMs: 500, message: 'm', kind: 'refused' } },
    },
    'wait LoginFailed',
  ],
  [
    'a missing role is looked for on the source',
    {
      ...prepared,
      roleOnSource: notAsked,
      memory: {
        roleSeen: true,
        login: { attempts: 9, sinceMs: 61_000, nextInMs: 500, message: 'm', kind: 'roleMissing' },
      },
    },
    'look roleOnSource',
  ],
  [
    'without a network path the login is skipped',
    {
      ...prepared,
      memory: { roleSeen: true, login: { attempts: 1, sinceMs: 500, nextInMs: 500, message: 'm', kind: 'noPath' } },
    },
    'look sourceEndpoints',
  ],
  [
    'verify.login Never skips it',
    { ...prepared, wish: { verifyLogin: false }, memory: { roleSeen: true } },
    'look sourceEndpoints',
  ],
  ['the source is looked at before the first write', prepared, 'look sourceEndpoints'],
  [
    'a source that cannot be read stops the write',
    { ...prepared, sourceEndpoints: unknown() },
    'wait ProviderUnreachable',
  ],
  ['a source that is gone stops the write', { ...prepared, sourceEndpoints: absent }, 'stalled SourceNotFound'],
  [
    'the host of the source stops the write',
    { ...prepared, sourceEndpoints: present([{ ...sourceEndpoint, host: 'ep-1.example' }]) },
    'stalled EndpointMismatch',
  ],
  ['the proof leads to the Secret', { ...prepared, sourceEndpoints: present([sourceEndpoint]) }, 'issue First'],
  [
    'a mint that failed is waited for',
    {
      ...prepared,
      sourceEndpoints: present([sourceEndpoint]),
      memory: { roleSeen: true, loggedIn: true, mint: failure('unavailable') },
    },
    'wait ProviderUnavailable',
  ],
])('prepare: %s', (_sentence, change, expected) => expect(short(change)).toBe(expected));

const ours = (overrides: Parameters<typeof anIssuedSecret>[0]) => ({
  secret: { is: 'ours', secret: anIssuedSecret(overrides) } as const,
});
const leased = (ms: number) => ({
  ...object,
  status: { ...object.status, expiration: { leaseTime: later(ms).toISOString(), enforcedBy: 'Provider' as const } },
});

test.each<[string, Flat, string]>([
  ['an unusable class stops a create', { wish: undefined, ...problem('ClassNotFound') }, 'stalled ClassNotFound'],
  ['a source that is not allowed stops a create', problem('SourceNotAllowed'), 'stalled SourceNotAllowed'],
  [
    'a Secret of somebody else stops a create',
    { secret: { is: 'foreign', controller: 'Deployment/x' } },
    'stalled SecretNotOwned',
  ],
  [
    'an older object with the same Secret name stops a create',
    { secretNameTakenBy: 'other' },
    'stalled SecretNotOwned',
  ],
  [
    'a namespace that lost its permission gets no new Secret',
    { ...prepared, ...problem('NamespaceNotAllowed'), sourceEndpoints: present([sourceEndpoint]) },
    'stalled NamespaceNotAllowed',
  ],
  [
    'in a namespace that is being deleted a Secret that exists is renewed',
    {
      ...served,
      namespaceTerminating: true,
      object: leased(hours(72) + minutes(5)),
      ...ours({ issueTime: later(-minutes(40)), expireTime: later(minutes(20)) }),
    },
    'issue RenewalDue',
  ],
  [
    'and one that is missing is not made',
    { ...prepared, recorded: { uid: 'br-1', served: true }, namespaceTerminating: true },
    'wait NamespaceTerminating',
  ],
  ['before the Secret was read nothing is decided', { secret: { is: 'notRead' } }, 'idle'],
])('permission: %s', (_sentence, change, expected) => expect(short(change)).toBe(expected));

test.each([
  ['when the token dies', later(minutes(0.2)), later(hours(1)), minutes(0.2)],
  ['when the branch ends', later(hours(1)), later(minutes(0.3)), minutes(0.3)],
  ['after a while, if neither is near', later(hours(1)), later(hours(1)), undefined],
  ['after a while, if both have passed', later(-2), later(-1), undefined],
])('whoever waits for a person looks again %s', (_when, expireTime, end, lookInMs) => {
  const secret = { is: 'ours', secret: anIssuedSecret({ expireTime }) } as const;
  const moved = { username: 'another', paused: 'changes', wish: { expiration: { expireTime: end } } } as const;
  const plan = decide(
    aWorld({ secret, ...moved, ...problem('ClassNotFound'), wanted: { memory: { gone: false } } }),
    now,
  );
  expect(plan).toMatchObject({ do: 'wait' });
  expect(plan.do === 'wait' && plan.lookInMs).toBe(lookInMs);
});

test.each([
  ['in its turn', {}, minutes(3), minutes(3)],
  ['a minute before its token is due', dueAt(minutes(5)), minutes(8), minutes(4)],
  ['a minute before the branch ends', endsAt(minutes(2)), minutes(8), minutes(1)],
  ['in a second when that has passed', endsAt(-1), minutes(8), 1000],
])('a Secret that was not read yet is read %s', (_when, status, secretReadInMs, lookInMs) => {
  const world = aWorld({ secret: { is: 'notRead' }, object: { ...object, status }, memory: { secretReadInMs } });
  expect(decide(world, now)).toEqual({ do: 'idle', lookInMs });
});

test.each<[string, Flat, string]>([
  [
    'a served branch with a fresh token is left alone',
    { ...served, object: leased(hours(72) + minutes(5)) },
    'wait Available',
  ],
  [
    'a token that is due is renewed without a look at the branch',
    {
      ...served,
      object: leased(hours(72) + minutes(5)),
      ...ours({ issueTime: later(-minutes(40)), expireTime: later(minutes(20)) }),
    },
    'issue RenewalDue',
  ],
  [
    'a new rotateToken renews',
    { ...served, object: leased(hours(72) + minutes(5)), wish: { rotateToken: 'x' } },
    'issue RotationRequested',
  ],
  [
    'a changed template is written with the same token',
    { ...served, object: leased(hours(72) + minutes(5)), wish: { shape: { ...wish.shape, port: 5433 } } },
    'render',
  ],
  [
    'a failed mint waits for its turn',
    {
      ...served,
      object: leased(hours(72) + minutes(5)),
      ...ours({ issueTime: later(-minutes(40)), expireTime: later(minutes(20)) }),
      memory: { mint: failure('unavailable') },
    },
    'wait Available',
  ],
  [
    'renewal goes on while the class refuses the namespace',
    {
      ...served,
      object: leased(hours(72) + minutes(5)),
      ...problem('NamespaceNotAllowed'),
      notAllowedSince: later(-hours(23)),
      ...ours({ issueTime: later(-minutes(40)), expireTime: later(minutes(20)) }),
    },
    'issue RenewalDue',
  ],
  [
    'a day later it does not',
    {
      ...served,
      object: leased(hours(72) + minutes(5)),
      ...problem('NamespaceNotAllowed'),
      notAllowedSince: later(-hours(25)),
      ...ours({ issueTime: later(-minutes(40)), expireTime: later(minutes(20)) }),
    },
    'stalled NamespaceNotAllowed',
  ],
  [
    'a mint that says 404 has the branch looked at',
    { ...served, object: leased(hours(72) + minutes(5)), memory: { mintSaidGone: true } },
    'look branch',
  ],
  [
    'a branch that is gone ends the object',
    { ...served, object: leased(hours(72) + minutes(5)), branch: absent, tagged: present([]) },
    'ended DeletedExternally',
  ],
  [
    'one 404 is not enough to end it: a LIST is asked too',
    { ...served, object: leased(hours(72) + minutes(5)), branch: absent },
    'look freshFamily',
  ],
  [
    'a project that is not found ends nothing',
    { ...served, object: leased(hours(72) + minutes(5)), branch: absent, tagged: absent },
    'stalled ProjectNotFound',
  ],
  [
    'a LIST that fails ends nothing',
    { ...served, object: leased(hours(72) + minutes(5)), branch: absent, tagged: unknown() },
    'wait ProviderUnreachable',
  ],
  [
    'a branch that was deleted softly is gone',
    { ...served, object: leased(hours(72) + minutes(5)), branch: present(aBranch({ state: 'DELETED' })) },
    'ended DeletedExternally',
  ],
  [
    'gone after its lease is told apart',
    { ...served, object: leased(-1000), branch: absent, tagged: present([]) },
    'ended LeaseLapsed',
  ],
  [
    'gone after its expiry is Expired',
    { ...served, object: leased(-1000), branch: absent, tagged: present([]), wish: expired },
    'ended Expired',
  ],
  [
    'an outage loses nothing',
    { ...served, object: leased(hours(72) + minutes(5)), branch: unknown(), memory: { mintSaidGone: true } },
    'wait Available',
  ],
  ['a lease that was never recorded has the branch looked at', served, 'look branch'],
  [
    'a lease that lags is pushed forward',
    {
      ...served,
      branch: present(aBranch({ expireTime: later(hours(50)) })),
      wish: { expiration: { pinnedFrom: 'p', expireTime: later(hours(200)) } },
    },
    'setExpiry lease',
  ],
  [
    'a lease beyond a shortened expiry is pulled back',
    {
      ...served,
      branch: present(aBranch({ expireTime: later(hours(90)) })),
      wish: { expiration: { pinnedFrom: 'p', expireTime: later(hours(1)) } },
    },
    'setExpiry lease',
  ],
  [
    'a lease at its final value stays',
    {
      ...served,
      branch: present(aBranch()),
      wish: { expiration: { pinnedFrom: 'p', expireTime: later(hours(72) - minutes(5)) } },
    },
    'wait Available',
  ],
  [
    'a Secret whose branch has another uid is withdrawn',
    { ...served, branch: present(aBranch({ uid: 'br-9' })) },
    'deleteSecret',
  ],
  [
    'a Secret from a backup is withdrawn',
    { secret: { is: 'restored', uid: 's', resourceVersion: '1', branchUid: 'br-0' } },
    'deleteSecret',
  ],
  [
    'a damaged Secret is proved anew',
    {
      ...prepared,
      recorded: { uid: 'br-1', served: true },
      secret: { is: 'damaged', uid: 's', resourceVersion: '1', branchUid: undefined },
      sourceEndpoints: present([sourceEndpoint]),
    },
    'issue Healing',
  ],
  [
    'a deleted Secret is made again',
    { ...prepared, recorded: { uid: 'br-1', served: true }, sourceEndpoints: present([sourceEndpoint]) },
    'issue Healing',
  ],
  [
    'another login has everything looked at again',
    { ...served, object: leased(hours(72) + minutes(5)), username: 'other' },
    'look branch',
  ],
  [
    'another host is not a rotation',
    {
      ...served,
      branch: present(aBranch()),
      endpoint: present(anEndpoint({ host: 'new.example' })),
      roleOnSource: present(false),
      memory: { roleSeen: true, loggedIn: true, endpoint: { uid: anEndpoint().uid, host: 'new.example' } },
      sourceEndpoints: present([sourceEndpoint]),
      object: leased(hours(72) + minutes(5)),
    },
    'issue BindingChanged',
  ],
  [
    'an edited size is followed',
    {
      ...served,
      object: leased(hours(72) + minutes(5)),
      specSeen: false,
      branch: present(aBranch()),
      endpoint: present(anEndpoint({ maxCU: 1 })),
      wish: { size: { maxCU: 2 } },
    },
    'resize',
  ],
])('care: %s', (_sentence, change, expected) => expect(short(change)).toBe(expected));

test.each<[string, Flat, string]>([
  ['an expired object asks the provider for its clock', { ...served, wish: expired }, 'look branch'],
  [
    'then it is marked before anything is taken away',
    { ...served, wish: expired, branch: present(aBranch()) },
    'ended Expired',
  ],
  [
    'a clock that is off deletes nothing',
    { ...served, wish: expired, branch: present(aBranch()), clockSkewMs: minutes(3) },
    'wait ClockSkewed',
  ],
  [
    'a clock that was not heard deletes nothing',
    { ...served, wish: expired, branch: unknown(), clockSkewMs: undefined },
    'wait ClockSkewed',
  ],
  ['an ended object first loses its Secret', { ...served, ended: { reason: 'Expired', time: 't' } }, 'deleteSecret'],
  ['then its branches are looked for', { ended: { reason: 'Expired', time: 't' } }, 'look freshFamily'],
  ['then they are deleted', { ended: { reason: 'Expired', time: 't' }, tagged: present([aBranch()]) }, 'deleteBranch'],
  [
    'a DELETE is not repeated at once',
    { ended: { reason: 'Expired', time: 't' }, tagged: present([aBranch()]), memory: { deletedMsAgo: 100 } },
    'stalled Expired',
  ],
  [
    'a DELETE that was ignored is repeated',
    { ended: { reason: 'Expired', time: 't' }, tagged: present([aBranch()]), memory: { deletedMsAgo: 10_000 } },
    'deleteBranch',
  ],
  [
    'then it stays and says so',
    { ended: { reason: 'DeletedExternally', time: 't' }, tagged: absent },
    'stalled DeletedExternally',
  ],
])('end: %s', (_sentence, change, expected) => expect(short(change)).toBe(expected));

const deleting = { deleting: true, recorded: { uid: 'br-1', served: true } };
test.each<[string, Flat, string]>([
  ['every branch with the tag is looked for', deleting, 'look freshFamily'],
  ['and deleted', { ...deleting, tagged: present([aBranch()]) }, 'deleteBranch'],
  [
    'a DELETE under way is waited for',
    { ...deleting, tagged: present([aBranch()]), memory: { deletedMsAgo: 100 } },
    'wait Deleting',
  ],
  [
    'a DELETE that was ignored is sent again',
    { ...deleting, tagged: present([aBranch({ state: 'INIT' })]), memory: { deletedMsAgo: 10_000 } },
    'deleteBranch',
  ],
  ['a recorded branch that is gone lets the object go', { ...deleting, tagged: absent }, 'release'],
  [
    'a branch that was deleted softly is gone',
    { ...deleting, tagged: present([aBranch({ deleteTime: now })]) },
    'release',
  ],
  ['an outage never lets the object go', { ...deleting, tagged: unknown() }, 'wait DeletionWaiting'],
  [
    'an id that nobody ever saw must have been quiet for a minute',
    { deleting: true, tagged: absent, memory: { leadingMs: 59_000 } },
    'wait Deleting',
  ],
  [
    'a POST within that minute counts',
    { deleting: true, tagged: absent, memory: { postedMsAgo: 59_000 } },
    'wait Deleting',
  ],
  ['then it lets the object go', { deleting: true, tagged: absent, memory: { postedMsAgo: 61_000 } }, 'release'],
  [
    'a protected branch blocks',
    { ...deleting, tagged: present([aBranch({ isProtected: true })]) },
    'stalled DeletionBlocked',
  ],
  [
    'an object without a branch does not need its class',
    { deleting: true, wish: undefined, ...problem('ClassNotFound') },
    'release',
  ],
  [
    'an object with a branch waits for its class',
    { ...deleting, wish: undefined, ...problem('ClassNotFound') },
    'wait DeletionWaiting',
  ],
  ['break glass lets it go', { ...deleting, releaseAsked: true }, 'release'],
  ['an object that we never claimed is not ours to hold', { ...deleting, claimed: false }, 'wait Deleting'],
])('delete: %s', (_sentence, change, expected) => expect(short(change)).toBe(expected));

test('a wait for a served branch is never for no time at all, whatever failed before', () => {
  const failed = { attempts: 1, sinceMs: 1000, nextInMs: -5000, error: refusal('unreachable') };
  const memory = { size: failed, lease: failed, checkInMs: -1, askedMsAgo: 0, secretReadInMs: -1 };
  for (const specSeen of [true, false]) {
    const plan = decide(
      aWorld(
        flat({
          ...served,
          object: leased(hours(72) + minutes(5)),
          specSeen,
          branch: unknown(),
          tagged: unknown(),
          memory,
        }),
      ),
      now,
    );
    expect(plan).toMatchObject({ do: 'wait' });
    expect(plan.do === 'wait' && plan.lookInMs).toBeGreaterThanOrEqual(1000);
  }
});
