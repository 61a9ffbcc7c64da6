// What random worlds and random answers are made of.
import fc from 'fast-check';
import type { BranchMemoryView, EndpointSeen, MemoryView } from '../../src/controllers/database-branch/world.ts';
import { branchId } from '../../src/lakebase/ids.ts';
import { LakebaseError, type LakebaseErrorCode } from '../../src/lakebase/errors.ts';
import { aWorld, hours, later, minutes } from '../builders/world.ts';

/** The ids of the branches that the object asks for with these reset tokens, and their usual uids. */
export const tokens = ['', 'a', 'b'] as const;
export type ResetToken = (typeof tokens)[number];
export const idOf = (resetToken: ResetToken): string => ids[resetToken];
const idFor = (resetToken: string, uid = 'u-1', clusterID = 'cluster'): string =>
  branchId({ clusterID, namespace: 'pr-1', name: 'db', uid, resetToken });
const ids: Readonly<Record<ResetToken, string>> = { '': idFor(''), a: idFor('a'), b: idFor('b') };
/** Branches that are somebody else's. */
export const foreignIds = ['production', 'staging-1', idFor('', 'u-2'), idFor('', 'u-1', 'another')] as const;

export const uidOf = (id: string): string => `br-${id.slice(-12)}`;
export const uidFor = (id: string, is: 'right' | 'swapped'): string =>
  is === 'right' ? uidOf(id) : `br-swap-${id.slice(-6)}`;

/** Mostly what is usual, now and then anything else. */
export const usually = <T, U>(usual: T, other: fc.Arbitrary<U>, weight = 8): fc.Arbitrary<T | U> =>
  fc.oneof({ weight, arbitrary: fc.constant(usual) }, { weight: 1, arbitrary: other });

export const maybe = <T>(value: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> => fc.option(value, { nil: undefined });

/** What is usual, but for at most `most` of its fields. */
export function but<T extends object>(
  usual: T,
  others: { readonly [K in keyof T]?: fc.Arbitrary<T[K]> },
  most = 3,
): fc.Arbitrary<T> {
  const fields = Object.entries<fc.Arbitrary<unknown> | undefined>(others).flatMap(([key, values]) =>
    values ? [values.map((value) => [key, value] as const)] : [],
  );
  return fc.array(fc.oneof(...fields), { maxLength: most }).map((list) => ({ ...usual, ...Object.fromEntries(list) }));
}

const codes: readonly LakebaseErrorCode[] = [
  'notFound',
  'exists',
  'conflict',
  'throttled',
  'unauthenticated',
  'denied',
  'invalid',
  'unavailable',
  'unreachable',
];
export const errors: fc.Arbitrary<LakebaseError> = fc
  .record({
    code: fc.constantFrom(...codes),
    retryAfterMs: fc.constantFrom(undefined, undefined, 0, 250, 30_000),
    providerCode: fc.constantFrom(undefined, 'QUOTA_EXCEEDED', 'REQUEST_LIMIT_EXCEEDED'),
  })
  .map(({ code, ...details }) => new LakebaseError(code, 'the provider said so', details));

const agoMs = fc.constantFrom(0, 400, 5_000, 9_999, 10_000, 30_000, 59_999, 60_000, minutes(3), hours(2));
const aheadMs = fc.constantFrom(-5_000, 0, 1, 4_000, 60_000);
const failures = fc.record({
  attempts: fc.integer({ min: 1, max: 9 }),
  sinceMs: agoMs,
  nextInMs: aheadMs,
  error: errors,
});
const yes = fc.constant(true);

const quiet = aWorld();
export const branchMemories: fc.Arbitrary<BranchMemoryView> = but<BranchMemoryView>(
  { ...quiet.wanted!.memory, roleSeen: true, loggedIn: true, sized: true },
  {
    postedMsAgo: agoMs,
    startingMs: agoMs,
    refusal: errors,
    refusedAheadMs: fc.constantFrom(hours(1), hours(24), hours(96), hours(300)),
    loggedIn: fc.constant(false),
    login: fc.record({
      attempts: fc.integer({ min: 1, max: 9 }),
      sinceMs: agoMs,
      nextInMs: aheadMs,
      message: fc.constant('no such role'),
      kind: fc.constantFrom('roleMissing', 'refused', 'noPath'),
    }),
    mintSaidGone: yes,
    mint: failures,
    role: failures,
    lease: failures,
    size: failures,
    deletedMsAgo: agoMs,
    sized: fc.constant(false),
    endpointCheckDue: yes,
    roleCheckDue: yes,
    endpoint: fc.constantFrom<EndpointSeen[]>(
      'none',
      { uid: 'ep-1', host: 'ep-1.example' },
      { uid: 'ep-2', host: 'ep-1.example' },
    ),
    operationRuns: yes,
    rolePostedMsAgo: agoMs,
    roleSeen: fc.constant(false),
    askedMsAgo: fc.constantFrom(0, 59_999, 60_000),
    vacant: yes,
    gone: yes,
  },
);

export const memories: fc.Arbitrary<MemoryView> = but(quiet.memory, {
  leadingMs: fc.constantFrom(0, 59_999, 60_000),
  postedMsAgo: agoMs,
  write: fc.record({ message: fc.constant('denied by a webhook'), nextInMs: aheadMs }),
  secretReadInMs: fc.constantFrom(1, 30_000),
  untold: fc.constant(true),
  checkInMs: fc.constantFrom(0, 1),
  checkedMsAgo: fc.constantFrom(0, 4_999, 5_000, Infinity),
  deletionFailures: fc.constantFrom(2, 3, 8),
  ceilingMs: fc.constantFrom(hours(24), hours(168)),
});

export const someToken = fc.constantFrom(...tokens);
/** A branch of the object as status or Secret remember it. */
export const known = fc
  .record({ token: someToken, is: usually<'right', 'swapped'>('right', fc.constant('swapped')) })
  .map(({ token, is }) => ({ id: idOf(token), uid: uidFor(idOf(token), is) }));
export const instants = fc
  .constantFrom(-hours(50), -minutes(6), -minutes(1), 0, minutes(1), minutes(9), hours(20), hours(96), hours(300))
  .map(later);
