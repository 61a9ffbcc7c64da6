// The table of what goes wrong by itself: at the provider, and with the processes.
import type { BehaviourChange, Trouble } from '../../src/emulator/faults.ts';
import type { Dice } from './dice.ts';
import type { Kind } from './kinds.ts';
import type { Victim } from './operation.ts';

const api = '/api/2.0/postgres';
const paths: readonly string[] = [
  `${api}/**`,
  `${api}/projects/*/branches`,
  `${api}/projects/*/branches/*`,
  `${api}/projects/*/branches/*/endpoints**`,
  `${api}/projects/*/branches/*/roles**`,
  `${api}/**/operations/*`,
  `${api}/credentials`,
  '/oidc/v1/token',
];
/** Mostly any: many a method does not go with the path. */
const methods: readonly (string | undefined)[] = [undefined, undefined, undefined, 'GET', 'POST', 'PATCH', 'DELETE'];

const troubles: readonly ((dice: Dice) => Trouble)[] = [
  () => ({ kind: 'answer', status: 429, retryAfterSeconds: 1 }),
  (dice) => ({ kind: 'answer', status: dice.pick([500, 502, 503, 504]) ?? 500 }),
  () => ({ kind: 'answer', status: 502, body: '<html>Bad Gateway</html>', contentType: 'text/html' }),
  () => ({ kind: 'answer', status: 409, errorCode: 'ABORTED', message: 'There are conflicting operations.' }),
  () => ({ kind: 'answer', status: 400, message: 'The request was refused, who knows why.' }),
  () => ({ kind: 'answer', status: 200, body: '{"half": ' }),
  () => ({ kind: 'failAfter' }),
  () => ({ kind: 'failAfter', status: 503 }),
  () => ({ kind: 'loseAnswer' }),
  () => ({ kind: 'loseRequest' }),
  (dice) => ({ kind: 'delay', ms: dice.between(50, 3000) }),
];

// Not among them: the 404 window and the clock. Changed in mid-run they would hide a branch that was visible before.
const behaviours: readonly ((dice: Dice) => BehaviourChange)[] = [
  (dice) => ({ initMs: dice.pick([0, 60, 500, 2500]) }),
  (dice) => ({ operationMs: dice.pick([0, 15, 300, 1500]) }),
  (dice) => ({ deleteMs: dice.pick([0, 40, 400, 3000]) }),
  (dice) => ({ settleMs: dice.pick([0, 200, 1000]) }),
  (dice) => ({ operationPolls: dice.roll(4) }),
  (dice) => ({ operationsDoneAtOnce: dice.chance(40) }),
  (dice) => ({ doneBeforeReady: dice.chance(60) }),
  (dice) => ({ deleteIgnoredDuringInit: dice.chance(70) }),
  (dice) => ({ grantedSeconds: dice.pick([20, 25, 40, 60]) }),
  (dice) => ({ conflicts: dice.pick(['branch', 'project', 'never']) }),
  (dice) => ({ pageSize: dice.pick([1, 2, 100]) }),
  (dice) => ({ ttlOnUpdateCountsFrom: dice.pick(['creation', 'now']) }),
];

const kill =
  (who: Victim, mostMs: number): Kind['draw'] =>
  (_model, dice) => ({ do: 'kill', who, downMs: dice.between(0, mostMs) });
const freeze =
  (who: Victim, leastMs: number, mostMs: number): Kind['draw'] =>
  (_model, dice) => ({ do: 'freeze', who, forMs: dice.between(leastMs, mostMs) });

export const troubleKinds: readonly Kind[] = [
  {
    kind: 'fault',
    weight: 14,
    draw(_model, dice) {
      const method = dice.pick(methods);
      const trouble = dice.pick(troubles)?.(dice);
      if (!trouble) return undefined;
      const meets = { path: dice.pick(paths) ?? '', times: dice.between(1, 4), ...(method ? { method } : {}) };
      return { do: 'fault', fault: { ...meets, trouble } };
    },
  },
  {
    kind: 'behaviour',
    weight: 9,
    draw: (_model, dice) => ({ do: 'behave', change: dice.pick(behaviours)?.(dice) ?? {} }),
  },
  { kind: 'calm', weight: 6, draw: () => ({ do: 'calm' }) },
  { kind: 'kill.leader', weight: 4, draw: kill('leader', 0) },
  { kind: 'kill.standby', weight: 1, draw: kill('standby', 0) },
  { kind: 'kill.emulator', weight: 3, draw: kill('emulator', 1200) },
  { kind: 'kill.apiServer', weight: 1, draw: kill('apiServer', 500) },
  { kind: 'freeze.leader', weight: 1, draw: freeze('leader', 15_500, 19_000) },
  { kind: 'freeze.emulator', weight: 1, draw: freeze('emulator', 500, 4000) },
  { kind: 'freeze.apiServer', weight: 1, draw: freeze('apiServer', 300, 3000) },
  { kind: 'rogue', weight: 1, draw: (_model, dice) => ({ do: 'rogue', forMs: dice.between(2000, 12_000) }) },
];
