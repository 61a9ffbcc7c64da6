import { expect, test } from 'vitest';
import { aBranch, anEndpoint, aRole, aView, aWorld, now, present } from '../../../test/builders/world.ts';
import { ManualClock } from '../../kit/clock.ts';
import { LakebaseError } from '../../lakebase/errors.ts';
import { carriedAfter, withCarried } from './carry.ts';
import { Memory } from './memory.ts';
import { done, stale, type Outcome } from './outcome.ts';
import type { Plan } from './plan.ts';
import { absent } from './world.ts';

const branch = aBranch();
const seen = {
  uid: branch.uid,
  branch: present(branch),
  endpoint: present(anEndpoint()),
  role: present(aRole()),
  sourceEndpoints: present([]),
  roleOnSource: present(false),
};
const world = aWorld({ wanted: seen, clockSkewMs: 40 });
const fresh = aView({ uid: branch.uid });
const error = new LakebaseError('unavailable', 'no');
const failed: Outcome = { is: 'failed', error };

/** What the pass after the step need not look at again. */
function known(does: Plan['do'], outcome: Outcome = done, view = fresh): string[] {
  const {
    branch: b,
    endpoint,
    role,
    sourceEndpoints,
    roleOnSource,
  } = withCarried(view, carriedAfter(world, { do: does } as Plan, outcome));
  const all = Object.entries({ branch: b, endpoint, role, sourceEndpoints, roleOnSource });
  return all.filter(([, { seen: is }]) => is !== 'notAsked').map(([at]) => at);
}

const everything = ['branch', 'endpoint', 'role', 'sourceEndpoints', 'roleOnSource'];
const but = (sight: string): string[] => everything.filter((at) => at !== sight);

test.each<[Plan['do'], string[]]>([
  ['record', everything],
  ['login', everything],
  ['resize', but('endpoint')],
  ['createRole', but('role')],
  ['extendRole', but('role')],
  ['claim', []],
  ['createBranch', []],
  ['issue', []],
  ['setExpiry', []],
  ['deleteBranch', []],
  ['wait', []],
  ['idle', []],
])('after %s it is known: %j', (step, expected) => expect(known(step)).toEqual(expected));

test.each([stale, failed])('a step that was not taken, $is, leaves everything to be looked at', (outcome) =>
  expect(known('record', outcome)).toEqual([]),
);

test('what was seen of one branch says nothing of another that has its id, or of another id', () => {
  expect(known('record', done, aView({ uid: 'br-2' }))).toEqual([]);
  expect(known('record', done, aView({ uid: undefined }))).toEqual([]);
  expect(known('record', done, aView({ id: 'another', uid: branch.uid }))).toEqual([]);
});

test('that something was not there, or could not be told, is never carried on', () => {
  const lacking = aWorld({ wanted: { ...seen, role: absent, endpoint: { seen: 'unknown', error } } });
  const { role, endpoint } = withCarried(fresh, carriedAfter(lacking, { do: 'record' }, done));
  expect([role.seen, endpoint.seen]).toEqual(['notAsked', 'notAsked']);
});

test('the clocks were compared when the branch was seen', () => {
  expect(carriedAfter(world, { do: 'record' }, done)?.clockSkewMs).toBe(40);
});

test('what is served is carried on beside what a reset asks for', () => {
  const old = { ...seen, id: 'old', uid: 'br-old', branch: present(aBranch({ id: 'old', uid: 'br-old' })) };
  const carried = carriedAfter(aWorld({ served: old, wanted: seen }), { do: 'record' }, done);
  expect(withCarried(aView({ id: 'old', uid: 'br-old' }), carried).branch).toEqual(old.branch);
  expect(withCarried(fresh, carried).branch).toEqual(seen.branch);
});

test('a second after the oldest look began it is forgotten, and it is taken once', () => {
  const clock = new ManualClock(now);
  const memory = new Memory(clock);
  const carried = carriedAfter(world, { do: 'record' }, done);
  const at = clock.monotonicMs();
  clock.advance(999);
  memory.carry('u-1', at, carried);
  expect(memory.takeCarried('u-1', 7)).toEqual({ at, value: carried });
  expect(memory.takeCarried('u-1', 7)).toEqual({ at: 7 });
  memory.carry('u-1', at, carried);
  clock.advance(1);
  expect(memory.takeCarried('u-1', 7)).toEqual({ at: 7 });
});
