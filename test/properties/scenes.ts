// Random worlds: an object with any history, any Secret and any memory, and what the provider answers when it is asked.
import fc from 'fast-check';
import type { BranchClass } from '../../src/api/v1alpha1/branch-class.ts';
import type { DatabaseBranch } from '../../src/api/v1alpha1/database-branch.ts';
import { Reason } from '../../src/api/v1alpha1/reasons.ts';
import { wishOf, type Problem } from '../../src/controllers/database-branch/wish.ts';
import type { BranchMemoryView, MemoryView, World } from '../../src/controllers/database-branch/world.ts';
import { rotateTokenHash, shapeHash } from '../../src/credentials/secret.ts';
import type { Condition } from '../../src/kit/kube.ts';
import { sameBranch } from '../../src/lakebase/ids.ts';
import { Token } from '../../src/lakebase/token.ts';
import { anIssuedSecret, aWorld, bclass, hours, later, minutes, now, object } from '../builders/world.ts';
import { answers, type Answers } from './answers.ts';
import {
  branchMemories,
  but,
  idOf,
  instants,
  known,
  maybe,
  memories,
  someToken,
  uidOf,
  type ResetToken,
} from './draws.ts';

/** What every token in these worlds begins with: to be found nowhere but in the Secret. */
export const tokenText = 'eyJhbGciOiJub25lIn0-of-a-random-world';

export interface Scene {
  readonly world: World;
  readonly answers: Answers;
}

/** What properties are about is held fixed. */
export interface Fixed {
  readonly deleting?: boolean;
  readonly ended?: boolean;
}

export const scenes = (fixed: Fixed = {}): fc.Arbitrary<Scene> =>
  histories
    .chain((history) =>
      fc.record({
        spec: specs(history),
        status: statuses(history),
        secret: secrets(history),
        bclass: classes,
        facts: facts(fixed),
        memory: memories,
        servedMemory: branchMemories,
        wantedMemory: branchMemories,
        answers: answers(fixed.deleting === true || fixed.ended === true),
      }),
    )
    .map(({ answers: given, ...parts }) => ({ world: worldOf(parts), answers: given }));

/** How far the object has come. */
interface History {
  readonly wants: ResetToken;
  readonly serves?: ResetToken;
  readonly prepares?: ResetToken;
  readonly hasSecret: boolean;
}

const histories = fc.constantFrom<History>(
  { wants: '', hasSecret: false },
  { wants: '', prepares: '', hasSecret: false },
  { wants: '', serves: '', hasSecret: true },
  { wants: '', serves: '', hasSecret: false },
  { wants: 'a', serves: '', hasSecret: true },
  { wants: 'a', serves: '', prepares: 'a', hasSecret: true },
  { wants: 'b', serves: '', prepares: 'a', hasSecret: true },
  { wants: 'a', serves: '', prepares: 'a', hasSecret: false },
);

type Spec = DatabaseBranch['spec'];
interface SpecDraw {
  readonly resetToken: ResetToken;
  readonly strategy: 'Switch' | 'Replace';
  readonly drain: string;
  readonly policy: 'Delete' | 'Retain';
  readonly children: 'Forbid' | 'Allow';
  readonly expiration: NonNullable<Spec['expiration']> | undefined;
  readonly maxCU: number | undefined;
  readonly login: 'Auto' | 'Never';
  readonly rotateToken: string;
  readonly source: string | undefined;
}

const specs = ({ wants }: History): fc.Arbitrary<Spec> =>
  but<SpecDraw>(
    {
      resetToken: wants,
      strategy: 'Switch',
      drain: '5m',
      policy: 'Delete',
      children: 'Forbid',
      expiration: undefined,
      maxCU: undefined,
      login: 'Auto',
      rotateToken: '',
      source: undefined,
    },
    {
      resetToken: someToken,
      strategy: fc.constant('Replace'),
      drain: fc.constantFrom('2m', '24h'),
      policy: fc.constant('Retain'),
      children: fc.constant('Allow'),
      expiration: fc.constantFrom<SpecDraw['expiration'][]>(
        { ttl: '72h' },
        { ttl: '10m' },
        { ttl: '720h' },
        { at: later(hours(5)).toISOString() },
        { never: true },
      ),
      maxCU: fc.constant(2),
      login: fc.constant('Never'),
      rotateToken: fc.constant('r'),
      source: fc.constantFrom('production', 'staging-1'),
    },
  ).map(specOf);

function specOf({ policy, expiration, maxCU, login, source, rotateToken, children, ...draw }: SpecDraw): Spec {
  return {
    ...object.spec,
    children,
    // A retained branch always has an end, and no children: the API server sees to that.
    deletionPolicy: expiration?.never || children === 'Allow' ? 'Delete' : policy,
    ...(expiration ? { expiration } : {}),
    ...(maxCU === undefined ? {} : { endpoint: { maxCU } }),
    ...(source === undefined ? {} : { source: { branch: source } }),
    reset: { token: draw.resetToken, strategy: draw.strategy, drain: draw.drain },
    verify: { login },
    credentials: { ...object.spec.credentials, rotateToken },
  };
}

interface Identity {
  readonly id: string;
  readonly uid: string;
}
const remembered = (token: ResetToken | undefined): Identity | undefined =>
  token === undefined ? undefined : { id: idOf(token), uid: uidOf(idOf(token)) };

interface StatusDraw {
  readonly branch: Identity | undefined;
  readonly candidate: Identity | undefined;
  readonly superseded: readonly { readonly known: Identity; readonly until: Date | undefined }[];
  readonly expiration:
    | {
        readonly pinned: boolean;
        readonly expireTime: Date | undefined;
        readonly enforcedBy: 'Provider' | 'Operator' | undefined;
        readonly leaseTime: Date | undefined;
      }
    | undefined;
  readonly observedGeneration: number;
  readonly credentials: boolean;
  readonly mismatch: boolean;
}

const statuses = ({ serves, prepares, hasSecret }: History): fc.Arbitrary<StatusDraw> =>
  but<StatusDraw>(
    {
      branch: remembered(serves),
      candidate: remembered(prepares),
      superseded: [],
      expiration: {
        pinned: true,
        expireTime: undefined,
        enforcedBy: 'Provider',
        leaseTime: later(hours(72) + minutes(5)),
      },
      observedGeneration: 2,
      credentials: hasSecret,
      mismatch: false,
    },
    {
      branch: maybe(known),
      candidate: maybe(known),
      superseded: fc.uniqueArray(fc.record({ known, until: maybe(instants) }), {
        maxLength: 2,
        selector: ({ known: { uid } }) => uid,
      }),
      expiration: maybe(
        fc.record({
          pinned: fc.boolean(),
          expireTime: maybe(instants),
          enforcedBy: fc.constantFrom('Provider', 'Operator', undefined),
          leaseTime: maybe(instants),
        }),
      ),
      observedGeneration: fc.constantFrom(-1, 1),
      credentials: fc.boolean(),
      mismatch: fc.constant(true),
    },
  );

type SecretDraw =
  | Exclude<World['secret'], { is: 'ours' }>
  | {
      readonly is: 'ours';
      readonly known: Identity;
      readonly issuedMinutesAgo: number;
      readonly lifeMinutes: number;
      readonly revision: number;
      readonly rotated: boolean;
      readonly shaped: boolean;
    };

function secrets({ serves, hasSecret }: History): fc.Arbitrary<SecretDraw> {
  const identity = { uid: 's-1', resourceVersion: '9', branchUid: undefined };
  const others = fc.constantFrom<SecretDraw[]>(
    { is: 'none' },
    { is: 'notRead' },
    { is: 'leaving' },
    { is: 'foreign', controller: undefined },
    { is: 'foreign', controller: 'Deployment/x' },
    { is: 'damaged', ...identity },
    { is: 'restored', ...identity },
  );
  const ours = (usual: Identity): fc.Arbitrary<SecretDraw> =>
    but<Extract<SecretDraw, { is: 'ours' }>>(
      { is: 'ours', known: usual, issuedMinutesAgo: 2, lifeMinutes: 60, revision: 3, rotated: true, shaped: true },
      {
        known,
        issuedMinutesAgo: fc.constantFrom(0, 26, 34, 50, 61),
        lifeMinutes: fc.constant(9),
        rotated: fc.constant(false),
        shaped: fc.constant(false),
      },
      2,
    );
  return hasSecret
    ? fc.oneof({ weight: 5, arbitrary: ours(remembered(serves ?? '')!) }, { weight: 1, arbitrary: others })
    : fc.oneof(
        { weight: 4, arbitrary: fc.constant<SecretDraw>({ is: 'none' }) },
        { weight: 1, arbitrary: others },
        { weight: 1, arbitrary: known.chain(ours) },
      );
}

const problems: fc.Arbitrary<readonly Problem[]> = fc
  .constantFrom(
    Reason.ClassNotFound,
    Reason.ClassTerminating,
    Reason.ClassMoved,
    Reason.NamespaceNotAllowed,
    Reason.SourceNotAllowed,
    Reason.TemplateInvalid,
    Reason.ExpirationExceedsMaximum,
    Reason.EndpointSizeNotAllowed,
    Reason.ClusterIDChanged,
  )
  .map((reason) => [{ reason, message: 'somebody has to change it' }]);

const classes: fc.Arbitrary<BranchClass> = but<{ role: 'CreateOnBranch' | 'Inherited'; allowNever: boolean }>(
  { role: 'CreateOnBranch', allowNever: true },
  { role: fc.constant('Inherited'), allowNever: fc.constant(false) },
  1,
).map(({ role, allowNever }) => ({
  ...bclass,
  spec: {
    ...bclass.spec,
    login: { ...bclass.spec.login, role },
    expiration: { ...bclass.spec.expiration, allowNever },
  },
}));

interface Facts {
  readonly deletingForMs: number | undefined;
  readonly ended: boolean;
  readonly claimed: boolean;
  readonly paused: World['paused'];
  readonly releaseAsked: boolean;
  readonly namespaceTerminating: boolean;
  readonly hasWish: boolean;
  readonly problems: readonly Problem[];
  readonly notAllowedForMs: number | undefined;
  readonly secretNameTakenBy: string | undefined;
  readonly username: string | undefined;
  readonly clockSkewMs: number | undefined;
  readonly createdMsAgo: number;
}

const deletingFor = fc.constantFrom<(number | undefined)[]>(0, minutes(14), minutes(15), hours(30));

function facts({ deleting, ended }: Fixed): fc.Arbitrary<Facts> {
  const drawn = but<Facts>(
    {
      deletingForMs: undefined,
      ended: ended ?? false,
      claimed: true,
      paused: 'no',
      releaseAsked: false,
      namespaceTerminating: false,
      hasWish: true,
      problems: [],
      notAllowedForMs: undefined,
      secretNameTakenBy: undefined,
      username: 'app',
      clockSkewMs: 0,
      createdMsAgo: minutes(5),
    },
    {
      ...(deleting === undefined ? { deletingForMs: deletingFor } : {}),
      ...(ended === undefined ? { ended: fc.constant(true) } : {}),
      claimed: fc.constant(false),
      paused: fc.constantFrom('changes', 'all'),
      releaseAsked: fc.constant(true),
      namespaceTerminating: fc.constant(true),
      hasWish: fc.constant(false),
      problems,
      notAllowedForMs: fc.constantFrom(0, hours(23), hours(25)),
      secretNameTakenBy: fc.constant('older'),
      username: fc.constantFrom(undefined, '', 'another'),
      clockSkewMs: fc.constantFrom(undefined, minutes(1), minutes(10), -minutes(10)),
      createdMsAgo: fc.constantFrom(hours(60), hours(80), hours(400)),
    },
  );
  if (!deleting) return drawn;
  return fc.tuple(drawn, deletingFor).map(([one, deletingForMs]) => ({ ...one, deletingForMs }));
}

interface Parts {
  readonly spec: Spec;
  readonly status: StatusDraw;
  readonly secret: SecretDraw;
  readonly bclass: BranchClass;
  readonly facts: Facts;
  readonly memory: MemoryView;
  readonly servedMemory: BranchMemoryView;
  readonly wantedMemory: BranchMemoryView;
}

/** As observe.ts would put it together: what is served by Secret or status, what is wanted by the spec. */
function worldOf({ spec, status, secret: drawn, bclass: ofClass, facts: fact, ...parts }: Parts): World {
  const { memory, servedMemory, wantedMemory } = parts;
  const bare: DatabaseBranch = { ...object, metadata: metadataOf(fact), spec };
  const context = { clusterID: 'cluster', now, hasSecret: drawn.is === 'ours' };
  const pinned = wishOf(bare, ofClass, context).wish.expiration;
  const whole: DatabaseBranch = { ...bare, status: statusOf(status, pinned, ofClass) };
  const { wish } = wishOf(whole, ofClass, context);
  const record = drawn.is === 'ours' ? drawn.known : status.branch;
  const servesWanted = record !== undefined && sameBranch(record.id, wish.branchId);
  const others = [...(status.candidate ? [status.candidate] : []), ...status.superseded.map((one) => one.known)];
  const candidate = others.find(({ id }) => id === wish.branchId);
  const served = record && { ...record, memory: servedMemory };
  return aWorld({
    object: whole,
    deleting: fact.deletingForMs !== undefined,
    claimed: fact.claimed,
    ended: fact.ended ? { reason: 'Expired', time: later(-minutes(1)).toISOString() } : undefined,
    paused: fact.paused,
    releaseAsked: fact.releaseAsked,
    bclass: fact.hasWish ? ofClass : undefined,
    problems: fact.hasWish || fact.problems.length > 0 ? fact.problems : [noClass],
    namespaceTerminating: fact.namespaceTerminating,
    notAllowedSince: fact.notAllowedForMs === undefined ? undefined : later(-fact.notAllowedForMs),
    specSeen: status.observedGeneration === 2,
    secret: secretOf(drawn, wish.shape),
    secretNameTakenBy: fact.secretNameTakenBy,
    username: fact.username,
    clockSkewMs: fact.clockSkewMs,
    turn: 'notAsked',
    memory,
    wish: fact.hasWish ? wish : undefined,
    wanted: servesWanted ? { ...record, memory: servedMemory } : { uid: candidate?.uid, memory: wantedMemory },
    ...(served ? { served: servesWanted && fact.hasWish ? 'wanted' : served } : {}),
  });
}

const noClass: Problem = { reason: Reason.ClassNotFound, message: 'there is no such class' };

function metadataOf({ createdMsAgo, deletingForMs }: Facts): DatabaseBranch['metadata'] {
  return {
    ...object.metadata,
    generation: 2,
    creationTimestamp: later(-createdMsAgo).toISOString(),
    ...(deletingForMs === undefined ? {} : { deletionTimestamp: later(-deletingForMs).toISOString() }),
  };
}

const mismatch: Condition = {
  type: 'Ready',
  status: 'False',
  reason: Reason.EndpointMismatch,
  message: 'no credential is handed out',
  lastTransitionTime: '2026-11-25T09:59:00Z',
  observedGeneration: 1,
};

type Status = NonNullable<DatabaseBranch['status']>;

function statusOf(draw: StatusDraw, pinned: Wished, { spec: { provider } }: BranchClass): Status {
  const { branch, candidate, superseded, credentials } = draw;
  return {
    observedGeneration: draw.observedGeneration,
    ...(branch ? { branch: { ...branch, project: provider.project, workspace: new URL(provider.host).host } } : {}),
    ...(candidate ? { candidate } : {}),
    ...(superseded.length > 0 ? { superseded: superseded.map(asSuperseded) } : {}),
    ...(draw.expiration ? { expiration: expirationOf(draw.expiration, pinned) } : {}),
    ...(credentials ? shownCredentials : {}),
    conditions: draw.mismatch ? [mismatch] : [],
  };
}

const asSuperseded = ({ known: one, until }: StatusDraw['superseded'][number]) => ({
  ...one,
  ...(until ? { until: until.toISOString() } : {}),
});

interface Wished {
  readonly expireTime?: Date;
  readonly pinnedFrom?: string;
}

function expirationOf(draw: NonNullable<StatusDraw['expiration']>, wished: Wished): NonNullable<Status['expiration']> {
  const { pinned, enforcedBy, leaseTime } = draw;
  const expireTime = wished.expireTime && (draw.expireTime ?? wished.expireTime);
  return {
    ...(pinned && wished.pinnedFrom !== undefined ? { pinnedFrom: wished.pinnedFrom } : {}),
    ...(pinned && expireTime ? { expireTime: expireTime.toISOString() } : {}),
    ...(enforcedBy ? { enforcedBy } : {}),
    ...(leaseTime ? { leaseTime: leaseTime.toISOString() } : {}),
  };
}

const shownCredentials = {
  credentials: {
    secretName: 'db',
    username: 'app',
    issueTime: later(-minutes(2)).toISOString(),
    expireTime: later(minutes(58)).toISOString(),
    revision: 1,
  },
  binding: { name: 'db' },
};

function secretOf(drawn: SecretDraw, shape: Parameters<typeof shapeHash>[0]): World['secret'] {
  if (drawn.is !== 'ours') return drawn;
  const { known: one, issuedMinutesAgo, lifeMinutes, revision, rotated, shaped } = drawn;
  const issueTime = later(-minutes(issuedMinutesAgo));
  return {
    is: 'ours',
    secret: anIssuedSecret({
      binding: { branchId: one.id, branchUid: one.uid, endpointUid: 'ep-1', host: 'ep-1.example', username: 'app' },
      token: new Token(`${tokenText}-old`),
      issueTime,
      expireTime: new Date(issueTime.getTime() + minutes(lifeMinutes)),
      revision,
      rotateTokenHash: rotateTokenHash(rotated ? '' : 'before'),
      shapeHash: shaped ? shapeHash(shape) : 'of another shape',
    }),
  };
}
