import { expect, test } from 'vitest';
import { aBranchClass } from '../../../test/builders/branch-class.ts';
import { aDatabaseBranch } from '../../../test/builders/database-branch.ts';
import type { Change } from '../../../test/builders/merge.ts';
import { annotationKey } from '../../api/names.ts';
import type { DatabaseBranch } from '../../api/v1alpha1/database-branch.ts';
import { endedMark } from '../../lakebase/ids.ts';
import { lineOf } from './standing.ts';

type Row = Change<DatabaseBranch>;

const served = { branch: { id: 'b-1', uid: 'br-1' } };
const candidate = { candidate: { id: 'b-2', uid: 'br-2' } };
const reset = { reset: { token: '5' } };
const replace = { reset: { token: '5', strategy: 'Replace' } } as const;
const withSecret = {
  credentials: {
    secretName: 's',
    username: 'u',
    issueTime: '2026-09-21T12:00:00Z',
    expireTime: '2026-09-21T13:00:00Z',
    revision: 1,
  },
};
const deleting = { deletionTimestamp: '2026-09-21T13:00:00Z' };
const ended = (token: string) => ({
  annotations: { [annotationKey.ended]: `${endedMark(token)}/Expired/2026-09-21T13:00:00Z` },
});
const paused = (value: string) => ({ annotations: { [annotationKey.paused]: value } });
const stalled = (observedGeneration: number, status: 'True' | 'False' = 'True') => ({
  conditions: [
    {
      type: 'Stalled',
      status,
      reason: 'R',
      message: 'm',
      lastTransitionTime: '2026-09-21T12:00:00Z',
      observedGeneration,
    },
  ],
});

/** What one object does in the line of its class: `waits to create`, `holds`, both, or `stands aside`. */
function told(object: DatabaseBranch, scene: Partial<Parameters<typeof lineOf>[0]> = {}): string {
  const line = lineOf({
    projectLimit: 10,
    classes: [aBranchClass()],
    objects: [object],
    aside: () => false,
    started: () => false,
    restored: () => false,
    ...scene,
  });
  const [waiter] = line.waiters;
  const words = [...(waiter ? [`waits to ${waiter.errand}`] : []), ...(line.holders.length > 0 ? ['holds'] : [])];
  return words.join(', ') || 'stands aside';
}

test.each<[string, Row, string]>([
  ['an object that nobody has looked at yet waits', {}, 'waits to create'],
  ['one without a branch waits', { status: { observedGeneration: 1 } }, 'waits to create'],
  ['one whose status somebody emptied waits', { status: { conditions: undefined } }, 'waits to create'],
  ['one whose first branch is in the making waits no more', { status: candidate }, 'holds'],
  ['one that is served holds its slot', { status: served }, 'holds'],
  ['one that is being deleted waits for nothing', { metadata: deleting }, 'stands aside'],
  ['but holds its slot until its branch is gone', { metadata: deleting, status: served }, 'holds'],
  ['one that has ended waits for nothing', { metadata: ended('') }, 'stands aside'],
  ['but holds its slot until its branch is gone', { metadata: ended(''), status: served }, 'holds'],
  ['with a new reset token it waits again', { metadata: ended(''), spec: reset }, 'waits to create'],
  ['unless that token has ended too', { metadata: ended('5'), spec: reset }, 'stands aside'],
  ['a paused object waits for nothing', { metadata: paused('true') }, 'stands aside'],
  ['nor one that is paused in all', { metadata: paused('all') }, 'stands aside'],
  ['one that is paused holds its slot', { metadata: paused('all'), status: served }, 'holds'],
  ['another word does not pause it', { metadata: paused('false') }, 'waits to create'],
  ['one that waits for a person waits for no slot', { status: stalled(1) }, 'stands aside'],
  ['after an edit it may wait for one', { status: stalled(1), metadata: { generation: 2 } }, 'waits to create'],
  ['a condition that is not True says nothing', { status: stalled(1, 'False') }, 'waits to create'],
  ['a new reset token waits for a second branch', { spec: reset, status: served }, 'waits to reset, holds'],
  ['one that stalls in it does not', { spec: reset, status: { ...served, ...stalled(1) } }, 'holds'],
  [
    'one that has given up its Secret, and so its branch, waits for its own slot',
    { spec: replace, status: served },
    'waits to replace, holds',
  ],
  [
    'one that has not given them up yet waits as any other reset',
    { spec: replace, status: { ...served, ...withSecret } },
    'waits to reset, holds',
  ],
  ['one that lost its Secret otherwise has given up nothing', { spec: reset, status: served }, 'waits to reset, holds'],
  [
    'a reset whose branch is in the making waits no more',
    { spec: reset, status: { ...served, ...candidate } },
    'holds',
  ],
  ['a paused reset waits for nothing', { metadata: paused('true'), spec: reset, status: served }, 'holds'],
  [
    'a token that is honoured waits for nothing',
    { spec: reset, status: { branch: { ...served.branch, resetToken: '5' } } },
    'holds',
  ],
  [
    'a token that is taken back is a reset too',
    { status: { branch: { ...served.branch, resetToken: '5' } } },
    'waits to reset, holds',
  ],
  ['a first create with a token is no reset', { spec: replace }, 'waits to create'],
  ['an object of another class is none of ours', { spec: { className: 'other' } }, 'stands aside'],
])('%s', (_sentence, change, expected) => {
  expect(told(aDatabaseBranch(change))).toBe(expected);
});

test('a create that was asked for holds its slot before any status tells of it', () => {
  expect(told(aDatabaseBranch({}), { started: () => true })).toBe('holds');
});

test('a reset that was asked for waits no more', () => {
  expect(told(aDatabaseBranch({ spec: reset, status: served }), { started: () => true })).toBe('holds');
});

test('one that was seen to be held up by something else stands aside, unless it is the one that asks', () => {
  const object = aDatabaseBranch({ spec: reset, status: served });
  expect(told(object, { aside: () => true })).toBe('holds');
  expect(told(object, { aside: () => true, asking: object })).toBe('waits to reset, holds');
});

test('a class that is being deleted makes nothing new', () => {
  const classes = [aBranchClass({ metadata: { deletionTimestamp: '2026-09-21T13:00:00Z' } })];
  expect(told(aDatabaseBranch({}), { classes })).toBe('stands aside');
  expect(told(aDatabaseBranch({ status: served }), { classes })).toBe('holds');
});

test('who asks stands in line although its last status calls it stalled', () => {
  const asking = aDatabaseBranch({ status: stalled(1) });
  expect(told(asking, { asking })).toBe('waits to create');
});

test('who asks stands in line although its last status tells of a candidate', () => {
  const asking = aDatabaseBranch({ status: candidate });
  expect(told(asking, { asking })).toBe('waits to create, holds');
});

test('who asks is taken as it knows itself, and counts once', () => {
  const cached = aDatabaseBranch({});
  expect(told(cached, { asking: aDatabaseBranch({ status: served }) })).toBe('holds');
  expect(told(cached, { asking: aDatabaseBranch({ metadata: { resourceVersion: '2' } }) })).toBe('waits to create');
});

test('who asks stands in line although the cache has not heard of it', () => {
  expect(told(aDatabaseBranch({}), { objects: [], asking: aDatabaseBranch({}) })).toBe('waits to create');
});

test('waiters and holders carry what the order and the limits need', () => {
  const waiting = aDatabaseBranch({
    metadata: { name: 'w', uid: 'u-w', namespace: 'team-a', creationTimestamp: '2026-09-21T12:00:05Z' },
  });
  const holding = aDatabaseBranch({
    metadata: { name: 'h', uid: 'u-h', namespace: 'team-b' },
    status: { ...served, expiration: { expireTime: '2026-09-24T12:00:00Z' } },
  });
  const limited = aBranchClass({ spec: { limits: { total: 8, perNamespace: 2, reserve: 1 } } });
  const line = lineOf({
    projectLimit: 10,
    classes: [limited],
    objects: [waiting, holding],
    aside: () => false,
    started: () => false,
    restored: () => false,
  });
  expect(line.waiters).toEqual([
    {
      uid: 'u-w',
      name: 'w',
      namespace: 'team-a',
      className: 'default',
      errand: 'create',
      creationTimestamp: '2026-09-21T12:00:05Z',
    },
  ]);
  expect(line.holders).toEqual([
    { className: 'default', namespace: 'team-b', restored: false, expireTime: new Date('2026-09-24T12:00:00Z') },
  ]);
  expect(line.limits).toEqual(new Map([['default', { total: 8, perNamespace: 2, reserve: 1 }]]));
});

test('what a restore made stands in line as a restore, and its slot is none of its namespace', () => {
  const restored = (): boolean => true;
  expect(told(aDatabaseBranch(), { restored })).toBe('waits to restore');
  expect(told(aDatabaseBranch({ status: { ...served }, spec: { reset: { token: '1' } } }), { restored })).toBe(
    'waits to reset, holds',
  );
  const objects = [aDatabaseBranch({ status: served })];
  const line = lineOf({
    projectLimit: 10,
    classes: [aBranchClass()],
    objects,
    aside: () => false,
    started: () => false,
    restored,
  });
  expect(line.holders).toMatchObject([{ restored: true }]);
});

test('nobody knows when a slot is free again whose holder has no expiry', () => {
  const holding = aDatabaseBranch({ status: served });
  const line = lineOf({
    projectLimit: 10,
    classes: [aBranchClass()],
    objects: [holding],
    aside: () => false,
    started: () => false,
    restored: () => false,
  });
  expect(line.holders).toStrictEqual([{ className: 'default', namespace: 'preview-42', restored: false }]);
});

test('a class without limits sets none', () => {
  const line = lineOf({
    projectLimit: 10,
    classes: [aBranchClass()],
    objects: [],
    aside: () => false,
    started: () => false,
    restored: () => false,
  });
  expect(line.limits.get('default')).toEqual({ total: Infinity, perNamespace: Infinity, reserve: 0 });
});
