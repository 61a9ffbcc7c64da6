// What a provider may answer to the looks of a pass: mostly what is usual, and every kind of wrong.
import fc from 'fast-check';
import type { Branch, Endpoint, Role } from '../../src/lakebase/model.ts';
import type { LakebaseError } from '../../src/lakebase/errors.ts';
import type { Plan } from '../../src/controllers/database-branch/plan.ts';
import {
  absent,
  withView,
  type BranchMemoryView,
  type BranchView,
  type Place,
  type Seen,
  type World,
} from '../../src/controllers/database-branch/world.ts';
import { aBranch, anEndpoint, aRole, aRoot, aView, hours, later, minutes, present } from '../builders/world.ts';
import { isGone, roleDefect } from '../../src/controllers/database-branch/ours.ts';
import { branchMemories, but, errors, foreignIds, idOf, someToken, uidFor, uidOf, usually } from './draws.ts';

/** An answer that depends on what it is about. */
type About<A, T> = { readonly seen: 'present'; readonly of: (about: A) => T };
type Answer<A, T> =
  { readonly seen: 'absent' } | { readonly seen: 'unknown'; readonly error: LakebaseError } | About<A, T>;

interface Asked {
  readonly world: World;
  readonly view: BranchView;
}

export interface BranchAnswers {
  readonly branch: Answer<Asked, Branch>;
  readonly endpoint: Answer<Asked, Endpoint>;
  readonly role: Answer<Asked, Role>;
  readonly operationDone: Answer<Asked, boolean>;
  readonly sourceEndpoints: Answer<Asked, readonly Endpoint[]>;
  readonly roleOnSource: Answer<Asked, boolean>;
}

export interface Answers {
  readonly served: BranchAnswers;
  readonly wanted: BranchAnswers;
  readonly family: Answer<World, { readonly branches: readonly BranchView[]; readonly children: readonly string[] }>;
  readonly deletedIds: Answer<World, boolean>;
  readonly place: Answer<World, Place>;
  readonly turn: 'mine' | 'waiting';
  readonly clockSkewMs: number | undefined;
}

const seen = <A, T>(good: fc.Arbitrary<(about: A) => T>, weight = 12): fc.Arbitrary<Answer<A, T>> =>
  fc.oneof(
    { weight, arbitrary: good.map((of) => ({ seen: 'present', of }) as const) },
    { weight: 1, arbitrary: fc.constant(absent) },
    { weight: 1, arbitrary: errors.map((error) => ({ seen: 'unknown', error }) as const) },
  );

/** Hosts of which some are the same to DNS. */
const hosts = fc.constantFrom('ep-1.example', 'EP-1.Example', 'ep-1.example.', 'ep-2.example', '', '.', undefined);

const expireTimes = fc.constantFrom(
  undefined,
  later(-minutes(3)),
  later(minutes(4)),
  later(hours(5)),
  later(hours(95)),
  later(hours(96)),
  later(hours(500)),
);

interface BranchTwist {
  readonly uid: 'right' | 'swapped';
  readonly change: Partial<Branch>;
  readonly expireTime: Date | undefined;
  readonly root: boolean;
}

const twisted: fc.Arbitrary<Partial<Branch>> = fc.oneof(
  fc.constantFrom<Partial<Branch>>(
    { isDefault: true },
    { isProtected: true },
    { project: 'another' },
    { state: 'INIT' },
    { state: 'UNKNOWN' },
    { state: 'DELETED' },
    { state: 'ARCHIVED' },
    { deleteTime: later(-minutes(1)) },
    { createTime: later(-hours(900)) },
    { sourceBranch: 'somebody-elses' },
    { sourceBranch: 'staging-1' },
  ),
  someToken.map((token) => ({ sourceBranch: idOf(token) })),
);

const asUsual: BranchTwist = { uid: 'right', change: {}, expireTime: later(hours(72) + minutes(5)), root: false };
const branchTwists: fc.Arbitrary<BranchTwist> = but(
  asUsual,
  {
    uid: fc.constant('swapped'),
    change: twisted,
    expireTime: expireTimes,
    root: fc.constant(true),
  },
  2,
);

const branchOf = (
  { uid, change, expireTime, root }: BranchTwist,
  { id, uid: recorded, source }: { id: string; uid: string | undefined; source: string },
): Branch => {
  const {
    sourceBranch,
    expireTime: _usual,
    ...rest
  } = aBranch({
    id,
    uid: uid === 'right' ? (recorded ?? uidOf(id)) : `br-else-${id.slice(-6)}`,
    sourceBranch: source,
    ...change,
  });
  return {
    ...rest,
    ...(root || sourceBranch === undefined ? {} : { sourceBranch }),
    ...(expireTime ? { expireTime } : {}),
  };
};

const sourceOf = ({ wish }: World): string => (wish?.source === '' ? 'production' : (wish?.source ?? 'production'));

const branches = seen<Asked, Branch>(
  branchTwists.map(
    (twist) =>
      ({ world, view: { id, uid } }) =>
        branchOf(twist, { id, uid, source: sourceOf(world) }),
  ),
  14,
);

const endpointChanges = fc.oneof(
  fc.constantFrom<Partial<Endpoint>>(
    { uid: 'ep-2' },
    { uid: '' },
    { branch: 'production' },
    { project: 'another' },
    { type: 'READ_ONLY' },
    { state: 'INIT' },
    { state: 'IDLE' },
    { pending: true },
    { maxCU: 2 },
  ),
  hosts.map((host) => (host === undefined ? {} : { host })),
);
const endpointOf = (branch: string, change: Partial<Endpoint>, hostless = false): Endpoint => {
  const { host, ...rest } = { ...anEndpoint(), branch, ...change };
  return hostless || host === undefined ? rest : { ...rest, host };
};
const endpoints = seen<Asked, Endpoint>(
  fc.record({ change: usually({}, endpointChanges, 2), hostless: usually(false, fc.constant(true)) }).map(
    ({ change, hostless }) =>
      ({ view: { id } }) =>
        endpointOf(id, change, hostless),
  ),
);

const sourceEndpoints = seen<Asked, readonly Endpoint[]>(
  fc
    .array(
      fc.record({
        uid: usually('ep-0', fc.constantFrom('ep-1', 'ep-2'), 6),
        host: usually<string | undefined, string | undefined>('ep-0.example', hosts, 4),
      }),
      { maxLength: 2 },
    )
    .map(
      (list) =>
        ({ world }) =>
          list.map(({ uid, host }) =>
            endpointOf(sourceOf(world), { uid, ...(host === undefined ? {} : { host }) }, host === undefined),
          ),
    ),
);

const roles = seen<Asked, Role>(
  fc
    .constantFrom<Partial<Role>>(
      {},
      {},
      {},
      { membershipRoles: [] },
      { authMethod: 'PASSWORD' },
      { identityType: 'USER' },
    )
    .map((change) => () => aRole(change)),
);

const yesOrNo = <A>(usual: boolean, weight = 12): fc.Arbitrary<Answer<A, boolean>> =>
  seen<A, boolean>(
    usually(usual, fc.constant(!usual)).map((value) => () => value),
    weight,
  );

const good: BranchAnswers = {
  branch: {
    seen: 'present',
    of: ({ world, view: { id, uid } }) => branchOf(asUsual, { id, uid, source: sourceOf(world) }),
  },
  endpoint: { seen: 'present', of: ({ view: { id } }) => endpointOf(id, {}) },
  role: { seen: 'present', of: () => aRole() },
  operationDone: { seen: 'present', of: () => true },
  sourceEndpoints: {
    seen: 'present',
    of: ({ world }) => [endpointOf(sourceOf(world), { uid: 'ep-0', host: 'ep-0.example' })],
  },
  roleOnSource: { seen: 'present', of: () => false },
};

const branchAnswers = (isThere: fc.Arbitrary<boolean>): fc.Arbitrary<BranchAnswers> =>
  fc
    .tuple(
      isThere,
      but<BranchAnswers>(
        good,
        {
          branch: branches,
          endpoint: endpoints,
          role: roles,
          operationDone: yesOrNo(false),
          sourceEndpoints,
          roleOnSource: yesOrNo(true),
        },
        2,
      ),
    )
    .map(([there, given]) => (there ? given : { ...given, branch: absent }));

interface Relative {
  readonly id: string;
  readonly uid: 'right' | 'swapped';
  readonly parent: string | undefined;
  readonly twist: BranchTwist;
  readonly memory: BranchMemoryView;
}

const relatives: fc.Arbitrary<Relative> = fc.record({
  id: fc.oneof(
    { weight: 10, arbitrary: someToken.map(idOf) },
    { weight: 1, arbitrary: fc.constantFrom(...foreignIds) },
  ),
  uid: usually('right', fc.constant('swapped')),
  parent: usually(undefined, someToken.map(idOf)),
  twist: branchTwists,
  memory: branchMemories,
});

const familyAnswers: Answers['family'] extends infer T ? fc.Arbitrary<T> : never = seen(
  fc
    .record({
      members: fc.uniqueArray(relatives, { maxLength: 3, selector: ({ id }) => id }),
      children: usually([], fc.constantFrom(['child-1'], ['child-1', 'child-2'])),
    })
    .map(({ members, children }) => (world: World) => ({
      children,
      branches: members.map(({ id, uid, parent, twist, memory }) => {
        const branch = branchOf(twist, { id, uid: uidFor(id, uid), source: parent ?? sourceOf(world) });
        return aView({ id: branch.id, uid: branch.uid, branch: present(branch), memory });
      }),
    })),
  6,
);

const freePlace = {
  seen: 'present',
  of: (): Place => ({ verdict: { go: true }, lookInMs: 30_000, snapshot: { at: 0, step: 0, branches: [] } }),
} as const;
const places: fc.Arbitrary<Answers['place']> = seen(
  fc
    .record({
      go: usually(true, fc.constant(false), 3),
      because: fc.constantFrom('project', 'classTotal', 'namespace'),
    })
    .map(({ go, because }) => (): Place => ({
      verdict: go ? { go } : { go, position: 2, because },
      lookInMs: 30_000,
      ...(go ? {} : { nextSlotTime: later(hours(2)) }),
      snapshot: { at: 0, step: 0, branches: [] },
    })),
);

/** `departing`: the object is on its way out, so that its branches are asked for together. */
export const answers = (departing: boolean): fc.Arbitrary<Answers> =>
  fc.record({
    served: branchAnswers(usually(true, fc.constant(false), 5)),
    wanted: branchAnswers(fc.boolean()),
    family: departing
      ? familyAnswers
      : usually({ seen: 'present', of: () => ({ branches: [], children: [] }) } as const, familyAnswers, 1),
    deletedIds: usually({ seen: 'present', of: () => false } as const, yesOrNo<World>(true, 2), 3),
    place: usually(freePlace, places, 3),
    turn: usually<'mine', 'waiting'>('mine', fc.constant('waiting')),
    clockSkewMs: usually<number | undefined, number | undefined>(0, fc.constantFrom(undefined, minutes(10))),
  });

const told = <A, T>(answer: Answer<A, T>, about: A): Seen<T> =>
  answer.seen === 'present' ? { seen: 'present', value: answer.of(about) } : answer;

type Look = Extract<Plan, { do: 'look' | 'lookAround' }>;

/** The world after the look, as look.ts would leave it: what was seen, and what it teaches the memory. */
export function answered(world: World, given: Answers, plan: Look): World {
  if (plan.do === 'look') return branchAnswered(world, given, plan);
  switch (plan.at) {
    case 'deletedIds':
      return { ...world, rememberedAsDeleted: told(given.deletedIds, world) };
    case 'place':
      return { ...world, place: told(given.place, world) };
    case 'turn':
      return { ...world, turn: given.turn };
    case 'family':
    case 'freshFamily':
      return withFamily({ ...world, family: told(given.family, world) });
  }
}

/** What a LIST shows of the served and the wanted branch is seen of them too. */
function withFamily(world: World): World {
  if (world.family.seen !== 'present') return world;
  return world.family.value.branches.reduce((so, { id, branch }) => {
    const view = [so.served, so.wanted].find((own) => own?.id === id);
    return !view || view.branch.seen === 'present' ? so : withView(so, { ...view, branch });
  }, world);
}

function branchAnswered(world: World, given: Answers, { at, of }: Extract<Look, { do: 'look' }>): World {
  const own = given[of.id === world.served?.id ? 'served' : 'wanted'];
  const asked: Asked = { world, view: of };
  switch (at) {
    case 'branch': {
      const branch = told(own.branch, asked);
      return {
        ...withView(world, { ...of, branch, memory: taughtByBranch(of, branch) }),
        clockSkewMs: given.clockSkewMs,
      };
    }
    case 'operation': {
      const operationDone = told(own.operationDone, asked);
      const over = operationDone.seen === 'absent' || (operationDone.seen === 'present' && operationDone.value);
      const operationRuns = of.memory.operationRuns && !over;
      return withView(world, { ...of, operationDone, memory: { ...of.memory, operationRuns } });
    }
    case 'endpoint':
      return withView(world, taughtByEndpoint({ ...of, endpoint: told(own.endpoint, asked) }));
    case 'role':
      return withView(world, taughtByRole({ ...of, role: told(own.role, asked) }));
    case 'roleOnSource':
      return withView(world, { ...of, roleOnSource: told(own.roleOnSource, asked) });
    case 'source':
      return withView(world, { ...of, source: present(aRoot({ id: sourceOf(world) })) });
    case 'sourceEndpoints':
      return withView(world, { ...of, sourceEndpoints: told(own.sourceEndpoints, asked) });
  }
}

function taughtByBranch({ memory, uid }: BranchView, branch: Seen<Branch>): BranchMemoryView {
  const isThere = branch.seen === 'present';
  const gone = isThere
    ? isGone(branch.value) && branch.value.uid === uid
    : memory.gone || (branch.seen === 'absent' && uid !== undefined);
  return {
    ...memory,
    askedMsAgo: 0,
    gone,
    mintSaidGone: branch.seen === 'unknown' && memory.mintSaidGone,
    endpointCheckDue: memory.endpointCheckDue || (isThere && memory.mintSaidGone),
  };
}

function taughtByEndpoint(view: BranchView): BranchView {
  const { endpoint, memory } = view;
  if (endpoint.seen === 'unknown' || endpoint.seen === 'notAsked') return view;
  const known = endpoint.seen === 'absent' ? 'none' : { uid: endpoint.value.uid, host: endpoint.value.host };
  return { ...view, memory: { ...memory, endpointCheckDue: false, endpoint: known } };
}

function taughtByRole(view: BranchView): BranchView {
  const { role, memory } = view;
  if (role.seen !== 'present') return view;
  const defect = roleDefect(role.value, aRole().membershipRoles);
  const roleCheckDue = memory.roleCheckDue && defect === 'lacksMembership';
  return { ...view, memory: { ...memory, roleSeen: memory.roleSeen || defect === undefined, roleCheckDue } };
}
