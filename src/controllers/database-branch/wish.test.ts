import { expect, test } from 'vitest';
import { aBranchClass } from '../../../test/builders/branch-class.ts';
import { aDatabaseBranch } from '../../../test/builders/database-branch.ts';
import type { Change } from '../../../test/builders/merge.ts';
import type { BranchClass } from '../../api/v1alpha1/branch-class.ts';
import type { DatabaseBranch } from '../../api/v1alpha1/database-branch.ts';
import { Reason } from '../../api/v1alpha1/reasons.ts';
import { branchId } from '../../lakebase/ids.ts';
import {
  mayComeFrom,
  secretNameOf,
  wishOf,
  type Expiration,
  type Wish,
  type WishContext,
  type Wished,
} from './wish.ts';

interface Scene {
  readonly spec?: Change<DatabaseBranch['spec']>;
  readonly status?: Change<DatabaseBranch['status']>;
  readonly bclass?: Change<BranchClass['spec']>;
  readonly classStatus?: Change<BranchClass['status']>;
  readonly context?: Partial<WishContext>;
}

const { metadata } = aDatabaseBranch();
const created = new Date(metadata.creationTimestamp ?? '');
const after = (hours: number): Date => new Date(created.getTime() + hours * 3_600_000);

function ask({ spec = {}, status = {}, bclass = {}, classStatus = {}, context }: Scene): Wished {
  const object = aDatabaseBranch({ spec, status });
  const known = aBranchClass({ spec: bclass, status: classStatus });
  return wishOf(object, known, { clusterID: 'cluster', now: after(1), hasSecret: false, ...context });
}
const wished = (scene: Scene): Wish => ask(scene).wish;
/** `Reason: words` of what a person must change. */
const problems = (scene: Scene): string[] => ask(scene).problems.map(({ reason, message }) => `${reason}: ${message}`);

test('an object that asks for nothing gets what its class has', () => {
  const { wish, problems: complaints } = ask({});
  expect(complaints).toEqual([]);
  expect(wish).toStrictEqual({
    branchId: branchId({
      clusterID: 'cluster',
      namespace: 'preview-42',
      name: 'database',
      uid: metadata.uid ?? '',
      resetToken: '',
    }),
    resetToken: '',
    strategy: 'Switch',
    drainMs: 5 * 60_000,
    past: undefined,
    project: 'shop',
    source: 'production',
    sourcePatterns: ['production', 'staging-*'],
    life: 'leased',
    historyRetentionMs: undefined,
    expiration: { expireTime: after(72), pinnedFrom: unasked },
    warnings: [after(48), after(71)],
    leaseMs: 96 * 3_600_000,
    size: {},
    secretName: 'database',
    shape: {
      database: 'databricks_postgres',
      port: 5432,
      template: { data: {}, labels: {}, annotations: {} },
    },
    rotateToken: '',
    tokenTTLSeconds: 3600,
    roleOnBranch: true,
    membershipRoles: ['DATABRICKS_SUPERUSER'],
    verifyLogin: true,
  });
});

/** Hash of an expiration that asks for nothing: it is on record in every status, so it may never change. */
const unasked = 'fe44a8cccd89edae';

const inherited: Scene = { bclass: { login: { role: 'Inherited' } } };
const itself: Scene = { bclass: { login: { sameAsProvider: true } } };
test.each<[string, Scene, Partial<Wish>]>([
  ['the login of the class is made on the branch', {}, { roleOnBranch: true }],
  ['unless it comes along with the fork', inherited, { roleOnBranch: false }],
  ['or is that of the provider', itself, { roleOnBranch: false }],
  ['a login is tried unless the object says never', { spec: { verify: { login: 'Auto' } } }, { verifyLogin: true }],
  ['or it says never', { spec: { verify: { login: 'Never' } } }, { verifyLogin: false }],
  ['a token is renewed on request', { spec: { credentials: { rotateToken: 'now' } } }, { rotateToken: 'now' }],
  ['the branch goes with its object', { spec: { deletionPolicy: 'Delete' } }, { life: 'leased' }],
  ['one that stays knows its end from the start', { spec: { deletionPolicy: 'Retain' } }, { life: 'retained' }],
  ['one that may have children cannot expire', { spec: { children: 'Allow' } }, { life: 'unleased' }],
  ['nor can one without an end', { spec: { expiration: { never: true } } }, { life: 'unleased' }],
  [
    'what the project remembers is known once it was seen',
    { classStatus: { historyRetention: '24h' } },
    { historyRetentionMs: 24 * 3_600_000 },
  ],
  [
    'a reset has a token, a way and a drain',
    { spec: { reset: { token: 'two', strategy: 'Replace', drain: '2m' } } },
    { resetToken: 'two', strategy: 'Replace', drainMs: 2 * 60_000 },
  ],
])('%s', (_sentence, scene, expected) => expect(wished(scene)).toMatchObject(expected));

test('a reset asks for another branch', () => {
  const { branchId: id } = wished({ spec: { reset: { token: 'two' } } });
  expect(id).not.toBe(wished({}).branchId);
  expect(id.slice(0, -6)).toBe(wished({}).branchId.slice(0, -6));
});

test('the Secret has the name of the object, unless it has one of its own', () => {
  expect(secretNameOf(aDatabaseBranch())).toBe('database');
  expect(secretNameOf(aDatabaseBranch({ spec: { credentials: { secretName: 'login' } } }))).toBe('login');
});

const from = (branch: string, resetToken = ''): Change<DatabaseBranch['status']> => ({
  branch: { id: 'b', uid: 'u', resetToken, source: { branch } },
});
const noDefault: Scene = { bclass: { sources: { default: undefined } } };
const askFor = (branch: string): Scene => ({ spec: { source: { branch } } });

test.each<[string, Scene, source: string, patterns: readonly string[]]>([
  ['the default of the class, or any that it allows', {}, 'production', ['production', 'staging-*']],
  ['the one that is named, and no other', askFor('staging-1'), 'staging-1', []],
  [
    'what the branch was made from, though the default has changed',
    { status: from('staging-1') },
    'staging-1',
    ['production', 'staging-*'],
  ],
  ['after a reset the default again', { status: from('staging-1', 'one') }, 'production', ['production', 'staging-*']],
  [
    'of a branch whose source was not seen, the default',
    { status: { branch: { id: 'b', uid: 'u', resetToken: '' } } },
    'production',
    ['production', 'staging-*'],
  ],
  ['none at all', noDefault, '', ['production', 'staging-*']],
  [
    'the branch of another object',
    { spec: { source: { databaseBranchRef: { name: 'x' } } }, context: { referred: { branchId: 'its-branch' } } },
    'its-branch',
    [],
  ],
])('the source: %s', (_sentence, scene, source, patterns) => {
  expect(wished(scene)).toMatchObject({ source, sourcePatterns: patterns });
});

const broken = { problem: { reason: Reason.SourceRefNotFound, message: 'no such object' } };
test.each<[string, Scene, string[]]>([
  ['allowed', askFor('staging-1'), []],
  [
    'not allowed',
    askFor('secret'),
    [
      'SourceNotAllowed: class default does not allow source secret: use one of production, staging-*, or ask the platform team to add it to spec.sources.allow',
    ],
  ],
  [
    'missing',
    noDefault,
    ['SourceNotAllowed: class default has no default source: set spec.source.branch to one of production, staging-*'],
  ],
  ['the branch of another object needs no leave', { context: { referred: { branchId: 'its-branch' } } }, []],
  ['another object that is not there', { context: { referred: broken } }, ['SourceRefNotFound: no such object']],
])('a source that is %s', (_sentence, scene, expected) => expect(problems(scene)).toEqual(expected));

test('a reference that leads nowhere gives no source', () => {
  expect(wished({ context: { referred: broken } }).source).toBe('');
});

const idOf = (uid: string, resetToken: string): string =>
  branchId({ clusterID: 'c', namespace: 'n', name: 'n', uid, resetToken });
test.each<[string, { source: string; sourcePatterns: string[] }, string | undefined, boolean]>([
  ['the very one', { source: 'production', sourcePatterns: [] }, 'production', true],
  ['another one', { source: 'production', sourcePatterns: [] }, 'staging-1', false],
  [
    'another one that is allowed, where none was named',
    { source: 'production', sourcePatterns: ['staging-*'] },
    'staging-1',
    true,
  ],
  ['another one that is not', { source: 'production', sourcePatterns: ['staging-*'] }, 'secret', false],
  ['none', { source: 'production', sourcePatterns: ['*'] }, undefined, false],
  ['the next branch of the same object', { source: idOf('a', ''), sourcePatterns: [] }, idOf('a', 'two'), true],
  ['a branch of another object', { source: idOf('a', ''), sourcePatterns: [] }, idOf('b', ''), false],
])('whether a branch was made from what was asked for: %s', (_sentence, wish, id, expected) => {
  expect(mayComeFrom({ ...wished({}), ...wish }, id)).toBe(expected);
});

const pin = (expireTime: Date | undefined, pinnedFrom = unasked): Change<DatabaseBranch['status']> => ({
  expiration: { pinnedFrom, ...(expireTime ? { expireTime: expireTime.toISOString() } : {}) },
});
const served = (now: Date): Partial<WishContext> => ({ hasSecret: true, now });
const unserved = (now: Date): Partial<WishContext> => ({ hasSecret: false, now });
const ttl = (text: string): Change<DatabaseBranch['spec']> => ({ expiration: { ttl: text } });
const never: Change<DatabaseBranch['spec']> = { expiration: { never: true } };
const allowNever = { expiration: { allowNever: true } };
const hashOf = (spec: Change<DatabaseBranch['spec']>): string =>
  wished({ spec, bclass: { expiration: { allowNever: true, max: '720h' } } }).expiration.pinnedFrom ?? '';
const refusedTTL = 'ExpirationExceedsMaximum';
const refusedNever = 'NeverExpireNotAllowed';

test.each<[string, Scene, end: Date | undefined, problem: string | undefined]>([
  ['that of the class', {}, after(72), undefined],
  ['a life of its own', { spec: ttl('2h') }, after(2), undefined],
  ['an instant', { spec: { expiration: { at: after(5).toISOString() } } }, after(5), undefined],
  ['the longest that the class allows', { spec: ttl('336h') }, after(336), undefined],
  ['longer than the class allows', { spec: ttl('337h') }, undefined, refusedTTL],
  [
    'an instant later than the class allows',
    { spec: { expiration: { at: after(337).toISOString() } } },
    undefined,
    refusedTTL,
  ],
  ['longer, after an end that it allowed', { spec: ttl('337h'), status: pin(after(9)) }, after(9), refusedTTL],
  ['none, if the class allows it', { spec: never, bclass: allowNever }, undefined, undefined],
  ['none, if the class does not', { spec: never }, undefined, refusedNever],
  ['none, after an end that it allowed', { spec: never, status: pin(after(9)) }, after(9), refusedNever],
  [
    'none any more, after none was allowed',
    { spec: ttl('337h'), status: pin(undefined, hashOf(never)) },
    undefined,
    refusedTTL,
  ],

  [
    'what is on record stays when the class changes',
    { status: pin(after(9)), bclass: { expiration: { default: '1h' } } },
    after(9),
    undefined,
  ],
  ['none on record stays none', { spec: never, status: pin(undefined, hashOf(never)) }, undefined, undefined],
  ['an edit is followed', { spec: ttl('2h'), status: pin(after(9)) }, after(2), undefined],
  [
    'an edit of a served branch too',
    { spec: ttl('2h'), status: pin(after(9)), context: served(after(3)) },
    after(2),
    undefined,
  ],
  [
    'also back to the default',
    { status: pin(after(9), hashOf(ttl('2h'))), context: served(after(80)) },
    after(72),
    undefined,
  ],
  [
    'but not beyond what the class allows',
    { spec: ttl('337h'), status: pin(after(9)), context: served(after(3)) },
    after(9),
    refusedTTL,
  ],

  ['lost from the status, it is computed anew', { context: served(after(71)) }, after(72), undefined],
  ['or, if that were over, a day from now', { context: served(after(72)) }, after(96), undefined],
  ['its own words still count', { spec: ttl('2h'), context: served(after(3)) }, after(2), undefined],
  [
    'and its own instant',
    { spec: { expiration: { at: after(2).toISOString() } }, context: served(after(3)) },
    after(2),
    undefined,
  ],
  ['though the class allows less now', { spec: ttl('400h'), context: served(after(3)) }, after(400), undefined],
  ['what is not served has nothing to lose', { context: unserved(after(80)) }, after(72), undefined],
])('the end: %s', (_sentence, scene, end, problem) => {
  const { wish, problems: complaints } = ask(scene);
  expect(wish.expiration.expireTime).toEqual(end);
  expect('expireTime' in wish.expiration).toBe(end !== undefined);
  expect(complaints.map(({ reason }) => reason)).toEqual(problem === undefined ? [] : [problem]);
});

test.each<[string, Scene, Expiration]>([
  ['what was asked for', { spec: ttl('2h') }, { expireTime: after(2), pinnedFrom: hashOf(ttl('2h')) }],
  ['no end', { spec: never, bclass: allowNever }, { pinnedFrom: hashOf(never) }],
  ['nothing, if the class refuses it', { spec: never }, {}],
  [
    'what it was before, if the class refuses the edit',
    { spec: never, status: pin(after(9), 'p') },
    { expireTime: after(9), pinnedFrom: 'p' },
  ],
  ['a day of grace', { context: served(after(99)) }, { expireTime: after(123), pinnedFrom: unasked, reprieved: true }],
])('put on record is %s', (_sentence, scene, expected) => expect(wished(scene).expiration).toStrictEqual(expected));

test('each way of asking for an end is told from the others, and from none, by what is on record', () => {
  const ways = [{}, ttl('2h'), ttl('120m'), { expiration: { at: after(2).toISOString() } }, never];
  expect(new Set(ways.map(hashOf)).size).toBe(ways.length);
  for (const way of ways) expect(hashOf(way)).toMatch(/^[0-9a-f]{16}$/);
});

test('a refused end says how long the branch would live, and what may be had', () => {
  expect(problems({ spec: ttl('337h') })).toEqual([
    'ExpirationExceedsMaximum: the branch would live for 337h, class default allows 336h: shorten spec.expiration',
  ]);
});

test.each<[string, string, Date[]]>([
  ['a day and an hour before the end', '25h', [after(1), after(24)]],
  ['no day before, where it lives for a day', '24h', [after(23)]],
  ['an hour before, where it lives for longer', '61m', [after(1 / 60)]],
  ['not at all, where it lives for an hour', '1h', []],
])('people are warned %s', (_sentence, life, expected) => {
  expect(wished({ spec: ttl(life) }).warnings).toEqual(expected);
});
test('without an end nobody is warned', () => {
  expect(wished({ spec: never, bclass: allowNever }).warnings).toEqual([]);
});

const endpoint = (spec: Scene['spec'], bclass: Change<BranchClass['spec']> = {}): Scene => ({
  ...(spec ? { spec } : {}),
  bclass,
});
const classMax = { endpoint: { maxCU: 4, suspendAfter: '10m' } };
test.each<[string, Scene, Wish['size']]>([
  ['that of the provider', {}, {}],
  [
    'that of the class',
    endpoint({}, { endpoint: { minCU: 1, maxCU: 4, suspendAfter: '10m' } }),
    { minCU: 1, maxCU: 4, suspendAfterSeconds: 600 },
  ],
  [
    'its own',
    endpoint(
      { endpoint: { minCU: 2, maxCU: 3, suspendAfter: '5m' } },
      { endpoint: { minCU: 1, maxCU: 4, suspendAfter: '10m' } },
    ),
    { minCU: 2, maxCU: 3, suspendAfterSeconds: 300 },
  ],
  [
    'its own maximum lowers the minimum of the class',
    endpoint({ endpoint: { maxCU: 1 } }, { endpoint: { minCU: 2, maxCU: 4 } }),
    { minCU: 1, maxCU: 1 },
  ],
  [
    'its own maximum leaves a lower minimum',
    endpoint({ endpoint: { maxCU: 3 } }, { endpoint: { minCU: 2, maxCU: 4 } }),
    { minCU: 2, maxCU: 3 },
  ],
  ['a minimum alone', endpoint({}, { endpoint: { minCU: 2 } }), { minCU: 2 }],
  ['parts of a unit', endpoint({ endpoint: { minCU: '0.5', maxCU: 1 } }), { minCU: 0.5, maxCU: 1 }],
])('the size of the endpoint: %s', (_sentence, scene, expected) => expect(wished(scene).size).toStrictEqual(expected));

const tooLarge = 'endpoint asks for 5 CU, class default allows 4: lower spec.endpoint.maxCU';
test.each<[string, Scene, string[]]>([
  ['as the class allows', endpoint({ endpoint: { maxCU: 4, suspendAfter: '10m' } }, classMax), []],
  ['larger than the class allows', endpoint({ endpoint: { maxCU: 5 } }, classMax), [tooLarge]],
  [
    'with a minimum above that',
    endpoint({ endpoint: { minCU: 5 } }, classMax),
    [tooLarge, 'endpoint.minCU 5 is above maxCU 4: lower minCU or raise maxCU'],
  ],
  ['a minimum alone, where the class has no maximum', endpoint({ endpoint: { minCU: 20 } }), []],
  ['a maximum alone', endpoint({ endpoint: { maxCU: 18 } }), []],
  ['as far apart as may be', endpoint({ endpoint: { minCU: 1, maxCU: 17 } }), []],
  [
    'further apart',
    endpoint({ endpoint: { minCU: 1, maxCU: 18 } }),
    ['endpoint.maxCU may be at most 16 above minCU: raise minCU or lower maxCU'],
  ],
  [
    'awake for longer than the class allows',
    endpoint({ endpoint: { suspendAfter: '601s' } }, classMax),
    ['endpoint.suspendAfter is longer than class default allows (10m)'],
  ],
  ['awake for long, where the class says nothing', endpoint({ endpoint: { suspendAfter: '100h' } }), []],
])('a size %s', (_sentence, scene, expected) => {
  expect(problems(scene)).toEqual(expected.map((message) => `EndpointSizeNotAllowed: ${message}`));
});

const template = (data: Record<string, string>, context: Partial<WishContext> = {}): Scene => ({
  spec: { credentials: { template: { data, labels: { l: '1' }, annotations: { a: '2' } } } },
  context,
});
test('what cannot be filled in is left out of the Secret, and said', () => {
  const scene = template({ DATABASE_URL: '{{ .uri }}', BAD: '{{ .nothing }}' });
  expect(wished(scene).shape.template).toStrictEqual({
    data: { DATABASE_URL: '{{ .uri }}' },
    labels: { l: '1' },
    annotations: { a: '2' },
  });
  expect(problems(scene)).toEqual([
    expect.stringContaining('TemplateInvalid: spec.credentials.template.data.BAD: {{ .nothing }} is not a key'),
  ]);
});

test('certificates can be filled in where the class has a private authority', () => {
  const data = { CA: '{{ .certificates }}' };
  expect(problems(template(data))).toHaveLength(1);
  expect(problems(template(data, { ca: 'PEM' }))).toEqual([]);
  expect(wished(template(data, { ca: 'PEM' })).shape).toMatchObject({ certificates: 'PEM', template: { data } });
});

test('of several problems all are told, that of the source first', () => {
  const scene = template({ BAD: '{{' });
  const spec = { ...scene.spec, source: { branch: 'secret' }, ...never, endpoint: { minCU: 1, maxCU: 18 } };
  expect(ask({ ...scene, spec }).problems.map(({ reason }) => reason)).toEqual([
    'SourceNotAllowed',
    'NeverExpireNotAllowed',
    'EndpointSizeNotAllowed',
    'TemplateInvalid',
  ]);
});
