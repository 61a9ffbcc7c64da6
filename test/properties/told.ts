// What is said of the steps of random worlds, with each thing that may become of a step.
import type { DatabaseBranch } from '../../src/api/v1alpha1/database-branch.ts';
import { done, namespaceTerminating, type Outcome } from '../../src/controllers/database-branch/outcome.ts';
import { stall, writeRefused } from '../../src/controllers/database-branch/plan.ts';
import { report } from '../../src/controllers/database-branch/report.ts';
import type { World } from '../../src/controllers/database-branch/world.ts';
import { shapeHash } from '../../src/credentials/secret.ts';
import { LakebaseError } from '../../src/lakebase/errors.ts';
import { Token } from '../../src/lakebase/token.ts';
import { anIssuedSecret, later, minutes, now } from '../builders/world.ts';
import type { Pass } from './pass.ts';
import { tokenText } from './scenes.ts';
import { passes } from './whenever.ts';

export type Status = NonNullable<DatabaseBranch['status']>;
export type Said = Pass & { readonly outcome: Outcome };

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
export function secretAfter({ world: { secret, wish }, plan, outcome }: Said): World['secret'] {
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
export const say = (said: Said, at = now): Status => plain(report({ ...said, secret: secretAfter(said), now: at }));

export const after = ({ world, ...said }: Said, status: Status): Said => ({
  ...said,
  world: { ...world, object: { ...world.object, status } },
});

export interface Told {
  readonly said: Said;
  readonly status: Status;
}

let told: readonly Told[] | undefined;

/** Every step of the random worlds, with each of its outcomes and what is then said. */
export function everything(): readonly Told[] {
  const all = (['living', 'leaving', 'ended', 'any'] as const)
    .flatMap((population) => passes(population))
    .filter((_, n) => n % 3 === 0);
  const steps = all.flatMap((seen) => outcomesOf(seen).map((outcome): Said => ({ ...seen, outcome })));
  return (told ??= steps.map((said) => ({ said, status: say(said) })));
}
