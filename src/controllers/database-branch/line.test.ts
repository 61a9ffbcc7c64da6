import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  lineUp,
  mayGo,
  nextInLine,
  nextSlotTime,
  type Errand,
  type Holder,
  type Limits,
  type LineParts,
  type Verdict,
  type Waiter,
} from './line.ts';

const projectLimit = 10;

const unlimited: Limits = { total: Infinity, perNamespace: Infinity, reserve: 0 };

/** `a` waits in namespace `team-a`, and is older than `b`. */
function waiter(name: string, change: Partial<Waiter> = {}): Waiter {
  return {
    uid: name,
    name,
    namespace: `team-${name}`,
    className: 'default',
    errand: 'create',
    creationTimestamp: `2026-09-21T12:00:${String(name.charCodeAt(0) - 97).padStart(2, '0')}Z`,
    ...change,
  };
}

const holder = (namespace: string, change: Partial<Holder> = {}): Holder => ({
  className: 'default',
  namespace,
  restored: false,
  ...change,
});

interface Scene {
  readonly waiters: readonly Waiter[];
  readonly holders?: readonly Holder[];
  readonly limits?: Partial<Limits>;
  readonly unarchived?: number;
}

const partsOf = ({ waiters, holders = [], limits = {} }: Scene): LineParts => ({
  waiters,
  holders,
  limits: new Map([
    ['default', { ...unlimited, ...limits }],
    ['other', unlimited],
  ]),
  projectLimit,
});

/** Everybody in order, with what becomes of each: `a goes`, `b 1 project`. */
function told(scene: Scene): string {
  const line = lineUp(partsOf(scene));
  return line.waiters
    .map(({ uid }) => {
      const verdict = mayGo(uid, line, scene.unarchived ?? 1);
      return verdict.go ? `${uid} goes` : `${uid} ${verdict.position} ${verdict.because}`;
    })
    .join(', ');
}

test.each<[string, Scene, string]>([
  ['alone in a project with room, it goes', { waiters: [waiter('a')] }, 'a goes'],
  ['nine branches leave room for one', { waiters: [waiter('a'), waiter('b')], unarchived: 9 }, 'a goes, b 2 project'],
  [
    'ten branches are all that there may be',
    { waiters: [waiter('a'), waiter('b')], unarchived: 10 },
    'a 1 project, b 2 project',
  ],
  ['more than ten are no worse', { waiters: [waiter('a')], unarchived: 12 }, 'a 1 project'],
  ['the older comes first', { waiters: [waiter('b'), waiter('a')], unarchived: 9 }, 'a goes, b 2 project'],
  [
    'of one age, the uid decides',
    {
      waiters: [waiter('a', { creationTimestamp: 'T' }), waiter('b', { creationTimestamp: 'T' })].reverse(),
      unarchived: 9,
    },
    'a goes, b 2 project',
  ],
  [
    'a namespace with fewer branches comes first, though its object is younger',
    { waiters: [waiter('a'), waiter('b')], holders: [holder('team-a')], unarchived: 9 },
    'b goes, a 2 project',
  ],
  [
    'only branches of the same class count for that',
    { waiters: [waiter('a'), waiter('b')], holders: [holder('team-a', { className: 'other' })], unarchived: 9 },
    'a goes, b 2 project',
  ],
  [
    'a branch that a restore made does not count for that',
    { waiters: [waiter('a'), waiter('b')], holders: [holder('team-a', { restored: true })], unarchived: 9 },
    'a goes, b 2 project',
  ],
  [
    'who replaces its branch goes first, then restores, then resets, then creates',
    {
      waiters: [
        waiter('a'),
        waiter('b', { errand: 'reset' }),
        waiter('c', { errand: 'restore' }),
        waiter('d', { errand: 'replace' }),
      ],
      unarchived: 7,
    },
    'd goes, c goes, b goes, a 4 project',
  ],
  [
    'what a class reserves is not for creates nor resets',
    { waiters: [waiter('a', { errand: 'reset' }), waiter('b')], limits: { reserve: 1 }, unarchived: 9 },
    'a 1 project, b 2 project',
  ],
  [
    'but for restores and for who replaces its branch',
    { waiters: [waiter('a', { errand: 'restore' }), waiter('b')], limits: { reserve: 1 }, unarchived: 9 },
    'a goes, b 2 project',
  ],
  [
    'a slot that was given up for a reset is not taken by a restore',
    {
      waiters: [waiter('a', { errand: 'restore' }), waiter('b', { errand: 'replace' })],
      limits: { reserve: 1 },
      unarchived: 9,
    },
    'b goes, a 2 project',
  ],
  [
    'the total of the class holds up its own creates',
    { waiters: [waiter('a'), waiter('b')], holders: [holder('team-x')], limits: { total: 2 } },
    'a goes, b 2 classTotal',
  ],
  [
    'the reserve is part of the total',
    { waiters: [waiter('a')], holders: [holder('team-x')], limits: { total: 2, reserve: 1 } },
    'a 1 classTotal',
  ],
  [
    'a restore takes the last of the total, but no more than that',
    {
      waiters: [waiter('a', { errand: 'restore' }), waiter('b', { errand: 'restore' })],
      holders: [holder('team-x')],
      limits: { total: 2, reserve: 1 },
    },
    'a goes, b 2 classTotal',
  ],
  [
    'a reset needs no room in its class',
    { waiters: [waiter('a', { errand: 'reset' })], holders: [holder('team-a')], limits: { total: 1, perNamespace: 1 } },
    'a goes',
  ],
  [
    'nor does one that replaces',
    {
      waiters: [waiter('a', { errand: 'replace' })],
      holders: [holder('team-a')],
      limits: { total: 1, perNamespace: 1 },
    },
    'a goes',
  ],
  [
    'nor do they take any',
    {
      waiters: [waiter('a', { errand: 'reset' }), waiter('b', { errand: 'replace' }), waiter('c'), waiter('d')],
      limits: { total: 1, perNamespace: 1 },
    },
    'b goes, a goes, c goes, d 4 classTotal',
  ],
  [
    'a full class does not hold up another class of the project',
    {
      waiters: [waiter('a'), waiter('b', { className: 'other' })],
      holders: [holder('team-x')],
      limits: { total: 1 },
      unarchived: 9,
    },
    'a 1 classTotal, b goes',
  ],
  [
    'a full namespace does not hold up another',
    {
      waiters: [waiter('a'), waiter('b'), waiter('c', { namespace: 'team-a' })],
      limits: { perNamespace: 1 },
      unarchived: 8,
    },
    'a goes, b goes, c 3 namespace',
  ],
  [
    'a restore takes no slot of its namespace',
    {
      waiters: [waiter('a', { errand: 'restore' }), waiter('b', { namespace: 'team-a' })],
      limits: { perNamespace: 1 },
    },
    'a goes, b goes',
  ],
  [
    'and needs none there',
    { waiters: [waiter('a', { errand: 'restore' })], holders: [holder('team-a')], limits: { perNamespace: 1 } },
    'a goes',
  ],
  [
    'whoever reserves waits for its turn, also in front of a class that does not',
    {
      waiters: [waiter('a'), waiter('b', { className: 'other' })],
      holders: [holder('team-x')],
      limits: { reserve: 1 },
      unarchived: 9,
    },
    'a 1 project, b 2 project',
  ],
  [
    'unless it would wait for ever, because foreign branches leave less than it reserves',
    { waiters: [waiter('a'), waiter('b', { className: 'other' })], limits: { reserve: 1 }, unarchived: 9 },
    'a 1 project, b goes',
  ],
])('%s', (_sentence, scene, expected) => {
  expect(told(scene)).toBe(expected);
});

test('whoever does not wait is not judged', () => {
  const line = lineUp(partsOf({ waiters: [waiter('a')] }));
  expect(() => mayGo('b', line, 1)).toThrow('object b does not stand in line');
});

test('a waiter of a class without known limits is a mistake of the caller', () => {
  const line = lineUp(partsOf({ waiters: [waiter('a', { className: 'unknown' })] }));
  expect(() => mayGo('a', line, 1)).toThrow('class unknown');
});

test('those are woken who go next, and nobody who is held up by its own class', () => {
  const waiters = [waiter('a'), waiter('b', { namespace: 'team-a' }), waiter('c'), waiter('d')];
  const line = lineUp(partsOf({ waiters, limits: { perNamespace: 1 } }));
  expect(nextInLine(line, 2).map(({ uid }) => uid)).toEqual(['a', 'c']);
  expect(nextInLine(line, 9).map(({ uid }) => uid)).toEqual(['a', 'c', 'd']);
  expect(nextInLine(line, 0)).toEqual([]);
});

const at = (minute: number): Date => new Date(Date.UTC(2026, 8, 21, 12, minute));

test.each<[string, Parameters<typeof nextSlotTime>[1], Date | undefined]>([
  ['of the project, any branch that ends', 'project', at(1)],
  ['of the class, one of the class', 'classTotal', at(2)],
  ['of the namespace, one of both that no restore made', 'namespace', at(4)],
])('the next slot %s', (_sentence, because, expected) => {
  const holders = [
    holder('team-a'),
    holder('team-x', { className: 'other', expireTime: at(1) }),
    holder('team-x', { expireTime: at(2) }),
    holder('team-a', { expireTime: at(3), restored: true }),
    holder('team-a', { expireTime: at(5) }),
    holder('team-a', { expireTime: at(4) }),
  ];
  expect(nextSlotTime(waiter('a'), because, lineUp(partsOf({ waiters: [], holders })))).toEqual(expected);
});

test('nobody knows when the next slot is free if nothing expires', () => {
  const line = lineUp(partsOf({ waiters: [], holders: [holder('team-a')] }));
  expect(nextSlotTime(waiter('a'), 'project', line)).toBeUndefined();
});

// What holds for every line.

const anErrand = fc.constantFrom<Errand>('replace', 'restore', 'reset', 'create');
const aClassName = fc.constantFrom('small', 'large');
const aNamespace = fc.constantFrom('team-a', 'team-b', 'team-c');
const someWaiters = fc.uniqueArray(
  fc.record({
    uid: fc.stringMatching(/^[a-z]{1,3}$/),
    name: fc.constant('database'),
    namespace: aNamespace,
    className: aClassName,
    errand: anErrand,
    creationTimestamp: fc.constantFrom('2026-09-21T12:00:00Z', '2026-09-21T12:00:01Z', '2026-09-21T12:00:02Z'),
  }),
  { selector: ({ uid }) => uid, maxLength: 14 },
);
const someHolders = fc.array(fc.record({ namespace: aNamespace, className: aClassName, restored: fc.boolean() }), {
  maxLength: 10,
});
const someLimits = fc.record({
  total: fc.oneof(fc.constant(Infinity), fc.integer({ min: 0, max: 10 })),
  perNamespace: fc.oneof(fc.constant(Infinity), fc.integer({ min: 0, max: 4 })),
  reserve: fc.integer({ min: 0, max: 4 }),
});
const someParts: fc.Arbitrary<LineParts> = fc
  .record({ waiters: someWaiters, holders: someHolders, small: someLimits, large: someLimits })
  .map(({ waiters, holders, small, large }) => ({
    waiters,
    holders,
    limits: new Map(Object.entries({ small, large })),
    projectLimit,
  }));
const aCount = fc.integer({ min: 0, max: 12 });
const runs = { numRuns: 500 };

const verdicts = (parts: LineParts, unarchived: number): [Waiter, Verdict][] => {
  const line = lineUp(parts);
  return line.waiters.map((each) => [each, mayGo(each.uid, line, unarchived)]);
};
const going = (parts: LineParts, unarchived: number): Waiter[] =>
  verdicts(parts, unarchived).flatMap(([each, { go }]) => (go ? [each] : []));
const positionOf = (verdict: Verdict): number => (verdict.go ? 0 : verdict.position);

test('the order does not depend on how the objects came in', () => {
  fc.assert(
    fc.property(someParts, fc.infiniteStream(fc.nat()), (parts, numbers) => {
      const keyed = parts.waiters.map((each) => ({ each, key: numbers.next().value ?? 0 }));
      const shuffled = keyed.sort((a, b) => a.key - b.key).map(({ each }) => each);
      const uids = (waiters: readonly Waiter[]): string[] =>
        lineUp({ ...parts, waiters }).waiters.map(({ uid }) => uid);
      expect(uids(shuffled)).toEqual(uids(parts.waiters));
      expect(new Set(uids(shuffled)).size).toBe(parts.waiters.length);
    }),
    runs,
  );
});

test('no more go than the project has room for, and none when there is none', () => {
  fc.assert(
    fc.property(someParts, aCount, (parts, unarchived) => {
      expect(going(parts, unarchived).length).toBeLessThanOrEqual(Math.max(0, projectLimit - unarchived));
    }),
    runs,
  );
});

test('whoever goes leaves free what its class reserves, unless it may take that', () => {
  fc.assert(
    fc.property(someParts, aCount, (parts, unarchived) => {
      const left = going(parts, unarchived).map(({ errand, className }, goneBefore) => {
        const free = projectLimit - unarchived - goneBefore - 1;
        const kept = errand === 'create' || errand === 'reset' ? parts.limits.get(className)!.reserve : 0;
        return free - kept;
      });
      expect(Math.min(0, ...left)).toBe(0);
    }),
    runs,
  );
});

/** How far the holders and those who go are above what the limits of a class allow. */
function excess(
  className: string,
  { total, reserve, perNamespace }: Limits,
  parts: LineParts,
  gone: Waiter[],
): number[] {
  const held = parts.holders.filter((each) => each.className === className);
  const ofClass = gone.filter((each) => each.className === className);
  const creates = ofClass.filter(({ errand }) => errand === 'create');
  const restores = ofClass.filter(({ errand }) => errand === 'restore');
  const used = held.length + creates.length + restores.length;
  const namespaces = creates.map(({ namespace }) => {
    const all = [...held.filter(({ restored }) => !restored), ...creates];
    return all.filter((each) => each.namespace === namespace).length - perNamespace;
  });
  return [
    ...(creates.length > 0 ? [used - (total - reserve)] : []),
    ...(restores.length > 0 ? [used - total] : []),
    ...namespaces,
  ];
}

test('no class and no namespace gets more than its limits, if all go that may', () => {
  fc.assert(
    fc.property(someParts, aCount, (parts, unarchived) => {
      const gone = going(parts, unarchived);
      const all = [...parts.limits].flatMap(([className, limits]) => excess(className, limits, parts, gone));
      expect(Math.max(0, ...all)).toBe(0);
    }),
    runs,
  );
});

test('with room for one, two never go', () => {
  fc.assert(
    fc.property(someParts, (parts) => {
      expect(going(parts, projectLimit - 1).length).toBeLessThanOrEqual(1);
    }),
    runs,
  );
});

/** What a place in the line became when somebody else left it; the better, the smaller. */
function moved(before: Verdict, now: Verdict): number {
  if (before.go || now.go) return before.go && !now.go ? Infinity : 0;
  return now.position - before.position;
}

test('nobody is left behind: when one leaves the line, all others are as far as before, or one place further', () => {
  fc.assert(
    fc.property(someParts, aCount, fc.nat(), (parts, unarchived, choice) => {
      const before = verdicts(parts, unarchived);
      const leaving = choice % Math.max(1, before.length);
      const waiters = before.filter((_, place) => place !== leaving).map(([each]) => each);
      const after = verdicts({ ...parts, waiters }, unarchived);
      const moves = after.map(([, now], place) => moved(before[place < leaving ? place : place + 1]![1], now));
      expect(moves.filter((move) => move !== 0 && move !== -1)).toEqual([]);
      expect(after.slice(0, leaving)).toEqual(before.slice(0, leaving));
    }),
    runs,
  );
});

test('without limits of classes, everybody moves up by exactly one when the first leaves', () => {
  fc.assert(
    fc.property(someWaiters, (waiters) => {
      const limits = new Map([
        ['small', unlimited],
        ['large', unlimited],
      ]);
      const before = verdicts({ waiters, holders: [], limits, projectLimit }, projectLimit - 1);
      const after = verdicts(
        { waiters: before.slice(1).map(([each]) => each), holders: [], limits, projectLimit },
        projectLimit,
      );
      expect(before.map(([, verdict]) => positionOf(verdict))).toEqual(
        before.map((_, index) => (index === 0 ? 0 : index + 1)),
      );
      expect(after.map(([, verdict]) => positionOf(verdict))).toEqual(before.slice(1).map((_, index) => index + 1));
    }),
    runs,
  );
});

test('namespaces take turns: with room for one, the one that goes is of a namespace that has least of those that wait', () => {
  fc.assert(
    fc.property(someWaiters, (waiters) => {
      const limits = new Map([['small', unlimited]]);
      let left = waiters.map((each): Waiter => ({ ...each, className: 'small', errand: 'create' }));
      const holders: Holder[] = [];
      const has = (namespace: string): number => holders.filter((each) => each.namespace === namespace).length;
      while (left.length > 0) {
        const [next] = going({ waiters: left, holders, limits, projectLimit }, projectLimit - 1);
        expect(has(next!.namespace)).toBe(Math.min(...left.map(({ namespace }) => has(namespace))));
        holders.push(holder(next!.namespace, { className: 'small' }));
        left = left.filter(({ uid }) => uid !== next!.uid);
      }
      expect(holders.length).toBe(waiters.length);
    }),
    runs,
  );
});
