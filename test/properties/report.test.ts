import { expect, test } from 'vitest';
import { databaseBranchStatus } from '../../src/api/v1alpha1/database-branch-status.ts';
import { Reason } from '../../src/api/v1alpha1/reasons.ts';
import type { World } from '../../src/controllers/database-branch/world.ts';
import { hours, later, now } from '../builders/world.ts';
import { expectLawfulStatus } from '../kstatus.ts';
import { after, everything, say, secretAfter, type Said, type Status } from './told.ts';

function ofEveryStatus(law: (said: Said, status: Status) => void): void {
  expect(everything().length).toBeGreaterThan(1000);
  for (const { said: one, status } of everything()) {
    try {
      law(one, status);
    } catch (cause) {
      const { world, plan, outcome } = one;
      const shown = [plan, outcome, status, world].map((part) => JSON.stringify(part)).join('\n');
      throw new Error(`${cause instanceof Error ? cause.message : ''}\n${shown}`, { cause });
    }
  }
}

test('what is said of any step tells every waiter the truth', () => {
  ofEveryStatus(({ world: { object } }, status) => expectLawfulStatus({ ...object, status }));
});

test('what is said of any step is what the API server takes, field by field', () => {
  ofEveryStatus((_, status) => expect(databaseBranchStatus.parse(status)).toEqual(status));
});

test('lastTransitionTime moves only when a condition flips', () => {
  let before: Status['conditions'] = [];
  ofEveryStatus((said) => {
    const { object } = said.world;
    const earlier = after(said, { ...object.status, conditions: before ?? [] });
    const status = say(earlier);
    expectLawfulStatus({ ...object, status }, earlier.world.object);
    // Under the next world lie the conditions of this one, as if they had been said an hour ago.
    before = say(said, later(-hours(1))).conditions;
  });
});

test('what is said of a wait is written once, and of a step that is taken again at most twice', () => {
  ofEveryStatus((said, status) => {
    const again = say(after(said, status));
    if (said.plan.do === 'wait' && isCoherent(said.world)) expect(again).toEqual(status);
    expect(say(after(said, again))).toEqual(again);
  });
});

/**
 * A status that nobody has edited or restored: it agrees with the Secret, and names each branch once. The place for a
 * candidate is one: one that is not wanted any more makes way for the next.
 */
function isCoherent({ served, wanted, object: { status } }: World): boolean {
  const named = [status?.branch, status?.candidate, ...(status?.superseded ?? [])].flatMap((known) => known?.id ?? []);
  if (status?.candidate && status.candidate.id !== wanted?.id) return false;
  return status?.branch?.id === served?.id && new Set(named).size === named.length;
}

test('no token is ever shown', () => {
  ofEveryStatus((_, status) => expect(JSON.stringify(status)).not.toContain('eyJ'));
});

test('an object is Ready only while the Secret opens a branch of its own with a token that lives', () => {
  ofEveryStatus((said, status) => {
    const ready = status.conditions?.find(({ type }) => type === 'Ready');
    if (ready?.status !== 'True') return;
    const secret = secretAfter(said);
    expect(ready.reason).toBe(Reason.Available);
    expect(secret.is === 'ours' && secret.secret.expireTime > now).toBe(true);
    expect(said.world).toMatchObject({ deleting: false, ended: undefined });
  });
});
