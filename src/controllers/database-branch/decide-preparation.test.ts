// From a branch that is the object's own to its first login: what has to be ready, and what is said while it is not.
import { expect, test } from 'vitest';
import { told } from '../../../test/builders/plan.ts';
import {
  aBranch,
  absent,
  anEndpoint,
  aRole,
  aWorld,
  bclass,
  flat,
  hours,
  later,
  minutes,
  now,
  object,
  prepared,
  present,
  unknown,
  type Flat,
  wishIn,
  wantedIn,
} from '../../../test/builders/world.ts';
import type { LakebaseErrorCode } from '../../lakebase/errors.ts';
import type { Branch } from '../../lakebase/model.ts';
import { prepare } from './decide-preparation.ts';
import type { Past } from './past.ts';
import type { BranchMemoryView } from './world.ts';

const ready = { roleSeen: true, loggedIn: true };
/** All that comes after the login is not for here. */
const goesOn = 'look sourceEndpoints of wanted';

function step({ memory, ...change }: Flat, branch: Branch = aBranch()): string {
  const world = aWorld(flat({ ...prepared, ...change, memory: { ...ready, ...memory } }));
  const view = wantedIn(world);
  return told(prepare(world, wishIn(world), view, branch, now));
}

const failure = (nextInMs: number, code: LakebaseErrorCode = 'conflict', sinceMs = 1) => ({
  attempts: 1,
  sinceMs,
  nextInMs,
  error: unknown(code).error,
});
const inInit = (ms: number) => aBranch({ state: 'INIT', createTime: later(-ms) });
const ageless = (({ createTime: _none, ...branch }) => branch)(aBranch({ state: 'INIT' }));
const created = (creationTimestamp: string | undefined) => ({
  object: {
    ...object,
    metadata: {
      ...(({ creationTimestamp: _none, ...rest }) => rest)(object.metadata),
      ...(creationTimestamp ? { creationTimestamp } : {}),
    },
  },
});

test.each<[string, Branch, Flat, string]>([
  ['it may take ten minutes', inInit(minutes(10) - 1), {}, 'wait BranchStarting, for the branch'],
  ['then that is said', inInit(minutes(10)), {}, 'wait BranchStuckInInit, 10 s'],
  ['for an hour', inInit(hours(1) - 1), {}, 'wait BranchStuckInInit, 10 s'],
  ['then it is for a person', inInit(hours(1)), {}, 'stalled BranchStuckInInit, 10 s'],
  [
    'one that does not tell its age is as old as the object',
    ageless,
    created(later(-hours(1)).toISOString()),
    'stalled BranchStuckInInit, 10 s',
  ],
  ['or new', ageless, created(undefined), 'wait BranchStarting, for the branch'],
])('a branch is starting: %s', (_sentence, branch, change, expected) => expect(step(change, branch)).toBe(expected));

const position: Past = { is: 'lsn', requested: '1/A0' };
const asOf = (ms: number) => aBranch({ sourceLsn: '1/A0', createTime: now, sourceTime: later(-ms) });
const restoring = {
  ...bclass,
  spec: { ...bclass.spec, restore: { allowed: true, maxAge: '24h', via: 'Any' } },
} as const;

test.each<[string, Branch, Flat, string]>([
  ['as much as the class allows', asOf(hours(24)), {}, goesOn],
  ['also by a clock that was not heard', asOf(hours(24)), { clockSkewMs: undefined }, goesOn],
  ['more', asOf(hours(24) + 1), {}, 'markEnded RestoreWindowExceeded'],
  ['by a clock that is ahead it is not', asOf(hours(24) + 1), { clockSkewMs: -1 }, goesOn],
  ['without its class nobody can say so', asOf(hours(24) + 1), { bclass: undefined }, goesOn],
])('the age of a position: %s', (_sentence, branch, change, expected) =>
  expect(step({ bclass: restoring, wish: { past: position }, ...change }, branch)).toBe(expected),
);

const hostless = (({ host: _none, ...endpoint }) => endpoint)(anEndpoint());
const starts = 'wait EndpointStarting, for the endpoint';
const aged = (ms: number) => aBranch({ createTime: later(-ms) });

test.each<[string, Flat, Branch, string]>([
  ['it is looked at', { endpoint: { seen: 'notAsked' } }, aBranch(), 'look endpoint of wanted'],
  ['an outage is waited for', { endpoint: unknown() }, aBranch(), 'wait ProviderUnreachable, 10 s'],
  ['one that is not there yet too', { endpoint: absent }, aBranch(), starts],
  ['and one without a host', { endpoint: present(hostless) }, aBranch(), starts],
  ['and one that says so', { endpoint: present(anEndpoint({ state: 'INIT' })) }, aBranch(), starts],
  ['for ten minutes', { endpoint: absent }, aged(minutes(10) - 1), starts],
  ['then that is said', { endpoint: absent }, aged(minutes(10)), 'wait EndpointStarting, 10 s'],
  ['unless nobody knows for how long it is', { endpoint: absent }, { ...ageless, state: 'READY' }, starts],
  ['when it is there it goes on', {}, aBranch(), goesOn],
])('an endpoint: %s', (_sentence, change, branch, expected) => expect(step(change, branch)).toBe(expected));

const running = { operationRuns: true };
const size = { size: { maxCU: 2 } };
const resize = 'resize wanted {"maxCU":2}';

test.each<[string, Flat, string]>([
  ['one that is under way is looked at', { memory: running }, 'look operation of wanted'],
  [
    'in an outage nothing is known of it',
    { memory: running, operationDone: unknown() },
    'wait ProviderUnreachable, 10 s',
  ],
  ['and waited for', { memory: running, operationDone: present(false) }, starts],
  ['sizes are set', { wish: size }, resize],
  ['once', { wish: size, memory: { sized: true } }, goesOn],
  ['a refusal is waited for', { wish: size, memory: { size: failure(1) } }, 'wait ProviderConflict, 1 ms'],
  ['and tried again', { wish: size, memory: { size: failure(0) } }, resize],
  ['what the endpoint makes of it is waited for', { endpoint: present(anEndpoint({ pending: true })) }, starts],
])('a change: %s', (_sentence, change, expected) => expect(step(change)).toBe(expected));

const roleWith = (memory: Partial<BranchMemoryView>, change: Flat = {}): Flat => ({
  ...change,
  memory: { roleSeen: false, ...memory },
});
const lacking = { role: present(aRole({ membershipRoles: [] })) };

test.each<[string, Flat, string]>([
  ['its name has to be known', { username: undefined }, 'wait RolePending, 1 s'],
  ['it is looked at', roleWith({}), 'look role of wanted'],
  ['not when it was seen', { memory: { roleSeen: true } }, goesOn],
  ['until that is due again', { memory: { roleSeen: true, roleCheckDue: true } }, 'look role of wanted'],
  ['not where it comes with the source', roleWith({}, { wish: { roleOnBranch: false } }), goesOn],
  ['in an outage nothing is known of it', roleWith({}, { role: unknown() }), 'wait ProviderUnreachable, 10 s'],
  ['it is made', roleWith({}, { role: absent }), 'createRole app on wanted'],
  ['that takes its time', roleWith({ rolePostedMsAgo: 9_999 }, { role: absent }), 'wait RolePending, for the role'],
  ['and is asked for again', roleWith({ rolePostedMsAgo: 10_000 }, { role: absent }), 'createRole app on wanted'],
  ['it gets what it lacks', roleWith({}, lacking), 'extendRole app on wanted'],
  ['which takes its time too', roleWith({ rolePostedMsAgo: 9_999 }, lacking), 'wait RolePending, for the role'],
  [
    'one of another kind is for a person',
    roleWith({}, { role: present(aRole({ identityType: 'USER' })) }),
    'stalled RoleUnusable',
  ],
  ['when it is right it goes on', roleWith({}, { role: present(aRole()) }), goesOn],
  ['a refusal is waited for', roleWith({ role: failure(1) }, { role: absent }), 'wait RolePending, 1 ms'],
  ['and tried again', roleWith({ role: failure(0) }, { role: absent }), 'createRole app on wanted'],
  ['for ten minutes', roleWith({ role: failure(1, 'invalid', minutes(10)) }), 'wait RolePending, 1 ms'],
  ['then it is for a person', roleWith({ role: failure(1, 'invalid', minutes(10) + 1) }), 'stalled RoleRefused, 1 ms'],
  [
    'a credential that is not accepted is at once',
    roleWith({ role: failure(1, 'unauthenticated') }),
    'stalled Unauthenticated, 1 ms',
  ],
  ['so is a lacking permission', roleWith({ role: failure(1, 'denied') }), 'stalled PermissionDenied, 1 ms'],
  ['and a project that is not there', roleWith({ role: failure(1, 'notFound') }), 'stalled ProjectNotFound, 1 ms'],
])('the role of the login: %s', (_sentence, change, expected) => expect(step(change)).toBe(expected));

test.each<[string, number, string]>([
  ['is waited for, and no login is spent on it', 1, 'stalled SecretWriteRefused, 1 ms'],
  ['is tried again, after a login', 0, 'login app on wanted'],
])('a Secret that the API server refuses %s', (_sentence, nextInMs, expected) =>
  expect(step({ memory: { loggedIn: false, write: { message: 'm', nextInMs } } })).toBe(expected),
);
