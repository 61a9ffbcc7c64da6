import { expect, test } from 'vitest';
import { aBranchClass } from '../../../test/builders/branch-class.ts';
import { aDatabaseBranch } from '../../../test/builders/database-branch.ts';
import type { Change } from '../../../test/builders/merge.ts';
import type { BranchClassStatus } from '../../api/v1alpha1/branch-class.ts';
import type { DatabaseBranch } from '../../api/v1alpha1/database-branch.ts';
import { countsOf, countTheSame, limitOf, withCountsOf } from './counts.ts';
import { report } from './report.ts';

const now = new Date('2026-11-25T10:00:00Z');
const identity = { id: 'b', uid: 'br' };
const reconciling = (reason: string): Change<DatabaseBranch['status']> => ({
  conditions: [
    { type: 'Reconciling', status: 'True', reason, message: 'm', lastTransitionTime: '2026-11-25T09:00:00Z' },
  ],
});
const unleased = { branch: identity, expiration: { enforcedBy: 'Operator' } } as const;
const leased = { branch: identity, expiration: { enforcedBy: 'Provider' } } as const;

test.each<[string, Change<DatabaseBranch['status']>, [used: number, queued: number, unleased: number]]>([
  ['an object of which nothing was said yet counts for nothing', undefined, [0, 0, 0]],
  ['an object that waits for its turn to be looked at counts for nothing', {}, [0, 0, 0]],
  ['one that is served counts as used', leased, [1, 0, 0]],
  ['and so does one whose first branch is in the making', { candidate: identity }, [1, 0, 0]],
  ['one with a place in the queue waits', { queue: { position: 3 } }, [0, 1, 0]],
  ['one that waits for the project', reconciling('WaitingForBranchSlot'), [0, 1, 0]],
  ['or for its class', reconciling('ClassLimitReached'), [0, 1, 0]],
  ['or for its namespace', reconciling('NamespaceLimitReached'), [0, 1, 0]],
  ['or for something else', reconciling('BranchCreating'), [0, 0, 0]],
  ['a reset that waits is used too', { ...leased, queue: { position: 1 } }, [1, 1, 0]],
  ['a branch that only the operator removes is unleased', unleased, [1, 0, 1]],
  ['without a branch there is nothing to remove', { expiration: { enforcedBy: 'Operator' } }, [0, 0, 0]],
])('%s', (_sentence, status, expected) => {
  const object = aDatabaseBranch({ status });
  const counts = countsOf([object]);
  expect([counts.used, counts.queued, counts.unleased.length]).toEqual(expected);
  expect(countTheSame(object, aDatabaseBranch())).toBe(expected.every((count) => count === 0));
});

test('a branch that is leased from now on changes the counts', () => {
  const [before, after] = [aDatabaseBranch({ status: unleased }), aDatabaseBranch({ status: leased })];
  expect(countTheSame(before, after)).toBe(false);
});

const named = (n: number): DatabaseBranch[] =>
  Array.from({ length: n }, (_, index) =>
    aDatabaseBranch({
      metadata: { namespace: 'team', name: `db-${String(n - index).padStart(2, '0')}` },
      status: unleased,
    }),
  );

/** What the class says about these objects. */
const said = (objects: DatabaseBranch[], bclass = aBranchClass()): BranchClassStatus =>
  report(
    {
      bclass,
      deleting: false,
      held: true,
      users: 0,
      projectLimit: 10,
      counts: countsOf(objects),
      project: { seen: 'notAsked' },
    },
    now,
  );
const message = ({ conditions }: BranchClassStatus): string | undefined =>
  conditions?.find(({ type }) => type === 'Unleased')?.message;

test('the status tells what is used, queued and unleased', () => {
  const objects = [...named(2), aDatabaseBranch({ status: { queue: { position: 1 } } })];
  expect(said(objects)).toMatchObject({ used: { branches: 2, limit: 9 }, queued: 1, unleased: 2 });
  expect(message(said(objects))).toContain('branches of team/db-01, team/db-02 in time');
});

test('without unleased branches nothing is said about them', () => {
  const before = said(named(1));
  expect(message(before)).toBeDefined();
  const after = said([], aBranchClass({ status: before as Change<BranchClassStatus> }));
  expect(after).toMatchObject({ used: { branches: 0 }, queued: 0, unleased: 0 });
  expect(message(after)).toBeUndefined();
});

test('at most ten are named', () => {
  expect(message(said(named(10)))).toContain('team/db-10 in time');
  expect(message(said(named(11)))).toContain('team/db-10 and 1 more in time');
  expect(message(said(named(12)))).toContain('team/db-10 and 2 more in time');
});

test('the limit is the total of the class, else all that a project holds beside its root', () => {
  expect(limitOf(aBranchClass({ spec: { limits: { total: 4 } } }), 10)).toBe(4);
  expect(limitOf(aBranchClass({ spec: { limits: { reserve: 1 } } }), 10)).toBe(9);
});

test('counts that are held back are those of before, and nothing else is', () => {
  const before = said(named(1));
  const next = { ...said(named(3)), observedGeneration: 7, historyRetention: '24h' };
  expect(withCountsOf(before, next)).toEqual({ ...before, observedGeneration: 7, historyRetention: '24h' });
  expect(withCountsOf(before, said([]))).toEqual(before);
  expect(withCountsOf(next, next)).toEqual(next);
});

test('where nothing was counted before, nothing is', () => {
  const { used: _used, queued: _queued, unleased: _unleased, ...uncounted } = said([]);
  expect(withCountsOf({}, said(named(1)))).toStrictEqual(uncounted);
});
