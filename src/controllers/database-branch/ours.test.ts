import { expect, test } from 'vitest';
import {
  aBranch,
  anIssuedSecret,
  aRole,
  aView,
  aWorld,
  later,
  minutes,
  now,
  object,
  wish,
  type WorldChange,
} from '../../../test/builders/world.ts';
import type { Branch, Role } from '../../lakebase/model.ts';
import {
  endpointMoved,
  isBeingDeleted,
  isGone,
  isStranger,
  mayBeDeleted,
  notOurs,
  roleDefect,
  type Claim,
} from './ours.ts';
import type { EndpointSeen } from './world.ts';

const branch = aBranch({ id: 'db-1', createTime: now });
const root = aBranch({ id: 'db-1' });
delete (root as { sourceBranch?: string }).sourceBranch;
const ageless = aBranch({ id: 'db-1' });
delete (ageless as { createTime?: Date }).createTime;

const claim: Claim = {
  recordedUid: 'br-1',
  source: 'production',
  mayComeFrom: (source) => source === 'production',
  objectCreated: now,
  skewMs: 0,
};

test.each<[string, Branch, Partial<Claim>, string | undefined]>([
  ['the branch that was recorded is ours', branch, {}, undefined],
  ['a branch of which nothing was recorded yet may be ours', branch, { recordedUid: undefined }, undefined],
  [
    'another branch under the same id is not',
    branch,
    { recordedUid: 'br-0' },
    'branch db-1 has uid br-1, but this object made br-0',
  ],
  ['the default branch is not', { ...branch, isDefault: true }, {}, 'branch db-1 is the default branch'],
  ['a protected branch is not', { ...branch, isProtected: true }, {}, 'branch db-1 is protected'],
  [
    'a branch of another source is not',
    { ...branch, sourceBranch: 'staging' },
    {},
    'branch db-1 was made from staging, not from production',
  ],
  ['a root branch is not', root, {}, 'branch db-1 was made from nothing (a root branch), not from production'],
  ['of a served branch the source is not asked', root, { mayComeFrom: undefined }, undefined],
  [
    'a branch 10 minutes older than the object may be ours',
    { ...branch, createTime: later(-minutes(10)) },
    {},
    undefined,
  ],
  [
    'a branch older than that is not',
    { ...branch, createTime: later(-minutes(10) - 1) },
    {},
    'branch db-1 is older than this object',
  ],
  [
    'a clock that is 2 minutes ahead gives it 2 minutes more',
    { ...branch, createTime: later(-minutes(12)) },
    { skewMs: minutes(2) },
    undefined,
  ],
  [
    'so does a clock that is 2 minutes behind',
    { ...branch, createTime: later(-minutes(12)) },
    { skewMs: -minutes(2) },
    undefined,
  ],
  [
    'and no more than that',
    { ...branch, createTime: later(-minutes(12) - 1) },
    { skewMs: -minutes(2) },
    'branch db-1 is older than this object',
  ],
  ['a branch that does not tell its age may be ours', ageless, {}, undefined],
])('%s', (_sentence, seen, change, expected) => expect(notOurs(seen, { ...claim, ...change })).toBe(expected));

test.each<[string, Branch, boolean]>([
  ['a child may be deleted', branch, true],
  ['the default branch never', { ...branch, isDefault: true }, false],
  ['a protected branch never', { ...branch, isProtected: true }, false],
  ['a root branch never', root, false],
])('%s', (_sentence, seen, expected) => expect(mayBeDeleted(seen)).toBe(expected));

test.each<[string, Branch, boolean]>([
  ['a ready branch is there', branch, false],
  ['a branch in the state DELETED is gone', { ...branch, state: 'DELETED' }, true],
  ['a branch with a time of deletion is gone', { ...branch, deleteTime: now }, true],
])('%s', (_sentence, seen, expected) => expect(isGone(seen)).toBe(expected));

test.each<[string, Partial<Role>, string[], string | undefined]>([
  ['the role of a service principal with OAuth will do', {}, [], undefined],
  ['a role with a password will not', { authMethod: 'PG_PASSWORD_SCRAM_SHA_256' }, [], 'unusable'],
  ['the role of a user will not', { identityType: 'USER' }, [], 'unusable'],
  ['all memberships are there', { membershipRoles: ['a', 'b', 'c'] }, ['a', 'b'], undefined],
  ['one membership is lacking', { membershipRoles: ['a'] }, ['a', 'b'], 'lacksMembership'],
])('%s', (_sentence, change, wanted, expected) => expect(roleDefect(aRole(change), wanted)).toBe(expected));

test.each<[string, number | undefined, boolean]>([
  ['no DELETE was sent', undefined, false],
  ['one was sent a moment ago', 9_999, true],
  ['one was sent, and has led to nothing', 10_000, false],
])('%s', (_sentence, deletedMsAgo, expected) =>
  expect(isBeingDeleted(aView({ memory: { deletedMsAgo } }))).toBe(expected),
);

const onRecord = { id: wish.branchId, uid: 'br-1' };
const status = (change: object): WorldChange => ({ object: { ...object, status: { ...object.status, ...change } } });
const otherTag = wish.branchId.replace(/[a-z2-7]{16}-[a-z2-7]{6}$/, 'a'.repeat(16) + '-former');

test.each<[string, WorldChange, Partial<Branch>, boolean]>([
  ['a branch of which nothing is on record is no stranger', {}, { uid: 'br-9' }, false],
  ['nor is one that the status only names', { served: { uid: undefined } }, { uid: 'br-9' }, false],
  ['another one under the id of what is served is', { served: { uid: 'br-1' } }, { uid: 'br-9' }, true],
  ['or under that of what the status says is served', status({ branch: onRecord }), { uid: 'br-9' }, true],
  ['or of what was served before', status({ superseded: [onRecord] }), { uid: 'br-9' }, true],
  ['the very one is not', status({ branch: onRecord, superseded: [onRecord] }), {}, false],
  ['one without the tag of the object is', {}, { id: otherTag }, true],
  ['unless nobody knows the tag', { wish: undefined }, { id: otherTag }, false],
])('%s', (_sentence, change, seen, expected) => expect(isStranger(aWorld(change), aBranch(seen))).toBe(expected));

const { binding } = anIssuedSecret();

test.each<[string, EndpointSeen | undefined, boolean]>([
  ['an endpoint that nobody looked at has not moved', undefined, false],
  ['nor one that is as it was proved', { uid: 'ep-1', host: 'ep-1.example' }, false],
  ['nor one that shows no host for a while', { uid: 'ep-1', host: undefined }, false],
  ['one with another host has', { uid: 'ep-1', host: 'ep-2.example' }, true],
  ['and another one in its place', { uid: 'ep-2', host: 'ep-1.example' }, true],
  ['and one that is gone', 'none', true],
])('%s', (_sentence, endpoint, expected) =>
  expect(endpointMoved(aView({ memory: { endpoint } }), binding)).toBe(expected),
);
