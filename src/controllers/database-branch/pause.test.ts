import { beforeEach, expect, test } from 'vitest';
import { aWorld, now } from '../../../test/builders/world.ts';
import { Reason } from '../../api/v1alpha1/reasons.ts';
import { ManualClock } from '../../kit/clock.ts';
import type { Next } from '../../kit/result.ts';
import { LakebaseError } from '../../lakebase/errors.ts';
import { Memory } from './memory.ts';
import { done, stale, type Outcome } from './outcome.ts';
import { pause } from './pause.ts';
import { waitFor, type Plan } from './plan.ts';
import type { World } from './world.ts';

let clock: ManualClock;
let memory: Memory;
beforeEach(() => {
  clock = new ManualClock(now);
  memory = new Memory(clock);
});

const wait = (more: Partial<Plan & { do: 'wait' }> = {}): Plan => waitFor(Reason.BranchCreating, 'm', more);
const record: Plan = { do: 'record' };
const failed = (retryAfterMs?: number): Outcome => ({
  is: 'failed',
  error: new LakebaseError('throttled', 'no', retryAfterMs === undefined ? {} : { retryAfterMs }),
});
const refused: Outcome = { is: 'refused', state: waitFor(Reason.SecretPending, 'm') };

const after = (plan: Plan, outcome: Outcome = done): Next => pauseAfter(aWorld(), plan, outcome);
const pauseAfter = (world: World, plan: Plan, outcome: Outcome = done): Next =>
  pause(memory, { world, since: clock.monotonicMs() }, plan, outcome);
const inMs = (next: Next): number | string => (next.kind === 'lookAgain' ? next.inMs : next.kind);

test.each<[string, Plan, Outcome, number | string]>([
  ['after a step comes the next', record, done, 0],
  ['what was refused is decided anew', record, refused, 0],
  ['what was stale is read anew', record, stale, 0],
  ['an object when the cache has had time to hear of it', { do: 'claim' }, stale, 200],
  ['also when its end is noted', { do: 'markEnded', reason: 'Expired' }, stale, 200],
  ['or its finalizer goes', { do: 'release', why: 'no branch is left' }, stale, 200],
  ['a failure waits 10 s', record, failed(), 10_000],
  ['or as long as the provider asks', record, failed(3000), 3000],
  ['to idle is to wait for the next read', { do: 'idle', lookInMs: 700 }, done, 700],
  ['a wait for a person looks again after a minute', wait(), done, 60_000],
  ['a wait for an instant is as long as that', wait({ lookInMs: 5 }), done, 5],
  ['a wait for nothing is the end', wait({ lookInMs: Infinity }), done, 'settled'],
])('%s', (_sentence, plan, outcome, expected) => expect(inMs(after(plan, outcome))).toBe(expected));

const steps = ['createBranch', 'createRole', 'extendRole', 'login', 'issue', 'resize', 'setExpiry'] as const;
test.each(steps)('a failed %s has a backoff of its own, which the next decision knows', (step) => {
  expect(inMs(after({ do: step } as Plan, failed()))).toBe(0);
});

test('a transition is looked at faster once it is known how long it takes', () => {
  const changing = wait({ transition: 'branch' });
  expect(inMs(after(changing))).toBe(100);
  clock.advance(800);
  expect(inMs(after(changing))).toBe(200);
  after(record);
  expect(memory.pace.usualMs('shop/branch')).toBe(800);
  expect(inMs(after(changing))).toBe(800);
});

test('what ended between two looks is taken to have ended in the middle', () => {
  const changing = wait({ transition: 'branch' });
  after(changing);
  clock.advance(600);
  after(changing);
  clock.advance(200);
  after(record);
  expect(memory.pace.usualMs('shop/branch')).toBe(700);
});

test.each([stale, refused, failed()])(
  'an outcome that settles nothing, $is, does not end the transition',
  (outcome) => {
    after(wait({ transition: 'branch' }));
    after(record, outcome);
    expect(memory.pace.usualMs('shop/branch')).toBeUndefined();
  },
);

test('without a class the place is unknown, and paced all the same', () => {
  const orphan = aWorld({ wish: undefined });
  pauseAfter(orphan, wait({ transition: 'delete' }));
  clock.advance(300);
  pauseAfter(orphan, record);
  expect(memory.pace.usualMs('/delete')).toBe(150);
});
