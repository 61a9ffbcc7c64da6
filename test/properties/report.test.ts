import { expect, test } from 'vitest';
import { databaseBranchStatus } from '../../src/api/v1alpha1/database-branch-status.ts';
import type { DatabaseBranch } from '../../src/api/v1alpha1/database-branch.ts';
import { Reason } from '../../src/api/v1alpha1/reasons.ts';
import { done, namespaceTerminating, type Outcome } from '../../src/controllers/database-branch/outcome.ts';
import { stall, writeRefused } from '../../src/controllers/database-branch/plan.ts';
import { report } from '../../src/controllers/database-branch/report.ts';
import type { World } from '../../src/controllers/database-branch/world.ts';
import { shapeHash } from '../../src/credentials/secret.ts';
import { LakebaseError } from '../../src/lakebase/errors.ts';
import { Token } from '../../src/lakebase/token.ts';
import { anIssuedSecret, hours, later, minutes, now } from '../builders/world.ts';
import { expectLawfulStatus } from '../kstatus.ts';
import type { Pass } from './pass.ts';
import { tokenText } from './scenes.ts';
import { passes } from './whenever.ts';

type Status = NonNullable<DatabaseBranch['status']>;
type Said = Pass & { readonly outcome: Outcome };

const failures = (['unreachable', 'denied', 'invalid', 'conflict'] as const).map((code): Outcome => ({
  is: 'failed',
  error: new LakebaseError(code, 'the provider said so'),
}));
const refusals: readonly Outcome[] = [
  { is: 'refused', state: stall(writeRefused('denied by a webhook')) },
  { is: 'refused', state: namespaceTerminating },
];

/** What may become of a step; none for those after which nothing is said. */
function outcomesOf({ plan }: Pass): readonly Outcome[] {
  switch (plan.do) {
    case 'idle':
    case 'release':
      return [];
    case 'wait':
    case 'record':
    case 'claim':
    case 'markEnded':
    case 'deleteSecret':
      return [done];
    case 'issue':
      return [done, ...failures, ...refusals];
    case 'render':
      return [done, ...refusals];
    default:
      return [done, ...failures];
  }
}

/** The Secret as it stands after the step. */
function secretAfter({ world: { secret, wish }, plan, outcome }: Said): World['secret'] {
  if (outcome.is !== 'done' || !wish) return secret;
  if (plan.do === 'deleteSecret') return { is: 'none' };
  const shape = shapeHash(wish.shape);
  if (plan.do === 'render') return { is: 'ours', secret: { ...plan.secret, shapeHash: shape } };
  if (plan.do !== 'issue') return secret;
  const token = new Token(`${tokenText}-new`);
  const life = { issueTime: now, expireTime: later(minutes(60)) };
  return {
    is: 'ours',
    secret: anIssuedSecret({ binding: plan.binding, token, ...life, revision: 4, shapeHash: shape }),
  };
}

const plain = (status: Status): Status => JSON.parse(JSON.stringify(status)) as Status;
const say = (said: Said, at = now): Status => plain(report({ ...said, secret: secretAfter(said), now: at }));

const after = ({ world, ...said }: Said, status: Status): Said => ({
  ...said,
  world: { ...world, object: { ...world.object, status } },
});

interface Told {
  readonly said: Said;
  readonly status: Status;
}

let told: readonly Told[] | undefined;

/** Every step of the random worlds, with each of its outcomes and what is then said. */
function everything(): readonly Told[] {
  const all = (['living', 'leaving', 'ended', 'any'] as const)
    .flatMap((population) => passes(population))
    .filter((_, n) => n % 3 === 0);
  const steps = all.flatMap((seen) => outcomesOf(seen).map((outcome): Said => ({ ...seen, outcome })));
  return (told ??= steps.map((said) => ({ said, status: say(said) })));
}

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
