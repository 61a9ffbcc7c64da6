import { expect, test } from 'vitest';
import { object } from '../../../test/builders/world.ts';
import type { DatabaseBranch } from '../../api/v1alpha1/database-branch.ts';
import { referredBy } from './refer.ts';

const child: DatabaseBranch = {
  ...object,
  spec: { ...object.spec, source: { databaseBranchRef: { name: 'parent' } } },
};
const branch = { id: 'parent-1', uid: 'br-9' };
const parent: DatabaseBranch = {
  ...object,
  metadata: { ...object.metadata, name: 'parent', uid: 'u-9' },
  spec: { ...object.spec, children: 'Allow' },
  status: { ...object.status, branch, expiration: { enforcedBy: 'Operator' } } as DatabaseBranch['status'] & object,
};
const leased = { ...parent, status: { ...parent.status, expiration: { enforcedBy: 'Provider' } } } as DatabaseBranch;
const unborn = { ...parent, status: { expiration: { enforcedBy: 'Operator' } } } as DatabaseBranch;

function without<T extends object>(value: T, key: keyof T): T {
  const copy = { ...value };
  delete copy[key];
  return copy;
}

/** What it comes to when the namespace holds these. */
function refer(asking: DatabaseBranch, ...others: readonly DatabaseBranch[]) {
  const key = ({ metadata }: DatabaseBranch): string => `${metadata.namespace}/${metadata.name}`;
  return referredBy({ get: (asked: string) => others.find((other) => key(other) === asked) }, asking);
}

test('a source that is no reference leads nowhere', () => {
  expect(refer(object, parent)).toBeUndefined();
});

test('a reference leads to the branch of the other object', () => {
  expect(refer(child, parent)).toEqual({ branchId: 'parent-1' });
});

test.each<[string, readonly DatabaseBranch[], string, RegExp]>([
  ['that does not exist', [], 'SourceRefNotFound', /DatabaseBranch parent.*does not exist/],
  [
    'of another namespace',
    [{ ...parent, metadata: { ...parent.metadata, namespace: 'pr-2' } }],
    'SourceRefNotFound',
    /does not exist in this namespace/,
  ],
  [
    'of another class',
    [{ ...parent, spec: { ...parent.spec, className: 'big' } }],
    'SourceRefNotAllowed',
    /is of class big/,
  ],
  [
    'that has no children',
    [{ ...parent, spec: { ...parent.spec, children: 'Forbid' } }],
    'SourceRefNotAllowed',
    /children: Forbid/,
  ],
  [
    'that is being deleted',
    [{ ...parent, metadata: { ...parent.metadata, deletionTimestamp: '2026-11-25T10:00:00Z' } }],
    'SourceRefNotAllowed',
    /is being deleted/,
  ],
  ['that has no status yet', [without(parent, 'status')], 'SourceRefNotReady', /has no branch yet/],
  ['that has no branch yet', [unborn], 'SourceRefNotReady', /has no branch yet/],
  ['whose branch the provider may remove', [leased], 'SourceRefNotReady', /has no branch yet/],
])('a reference to an object %s is refused', (_sentence, others, reason, message) => {
  expect(refer(child, ...others)).toEqual({
    problem: expect.objectContaining({ reason, message: expect.stringMatching(message) }) as unknown,
  });
});

test('a reference to the object itself is refused', () => {
  const self = { ...child, spec: { ...child.spec, source: { databaseBranchRef: { name: 'db' } } } };
  expect(refer(self, self)).toMatchObject({
    problem: { reason: 'SourceRefNotAllowed', message: expect.stringContaining('this very object') as unknown },
  });
});

test('a reference that is not ready, or not there yet, may become so without an edit', () => {
  expect(refer(child, unborn)).toMatchObject({ problem: { passes: true } });
  expect(refer(child)).toMatchObject({ problem: { passes: true } });
});
