// The sequence of operations that a seed stands for.
import { Dice } from './dice.ts';
import { kinds, type Kind } from './kinds.ts';
import { Model } from './model.ts';
import type { Operation } from './operation.ts';
import { troubleKinds } from './troubles.ts';

export interface ScriptOptions {
  readonly seed: number;
  readonly operations: number;
  /** Kinds, or what they begin with, that are not drawn: `kill`, `fault`, `secret.tamper`. */
  readonly without: readonly string[];
}

/** Some operations follow each other at once, so that they meet in the middle of a flow; others let it go on for a while. */
const longestPauseMs = 400;
const atOncePercent = 40;

export function* script({ seed, operations, without }: ScriptOptions): Generator<Operation> {
  const dice = new Dice(seed);
  const model = new Model();
  const table = [...kinds, ...troubleKinds].filter(
    ({ kind }) => !without.some((left) => kind === left || kind.startsWith(`${left}.`)),
  );
  for (let number = 1; number <= operations; number++) {
    const drawn = draw(table, model, dice);
    yield { number, ...drawn, thenMs: dice.chance(atOncePercent) ? 0 : dice.roll(longestPauseMs) };
  }
}

function draw(table: readonly Kind[], model: Model, dice: Dice): Pick<Operation, 'kind' | 'action'> {
  for (;;) {
    const kind = dice.weighted(table);
    const action = kind?.draw(model, dice);
    if (kind && action) return { kind: kind.kind, action };
  }
}
