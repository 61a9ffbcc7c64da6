// The rows that can be measured, in the order in which they run: first what takes a quiet machine.
import type { Figure } from './figures.ts';
import { restart } from './fleet.ts';
import { away, life, steady } from './long-times.ts';
import { many } from './many.ts';
import { namespace } from './namespace.ts';
import { one } from './one.ts';
import { restore } from './restore.ts';
import { rotation } from './rotation.ts';
import type { Say } from './say.ts';

export interface Row {
  readonly name: string;
  readonly title: string;
  readonly measure: (say: Say) => Promise<readonly Figure[]>;
  /** Runs only when it is asked for by name. */
  readonly apart?: true;
}

export const rows: readonly Row[] = [
  { name: 'one', title: 'One object, apply → Ready', measure: one },
  { name: 'many', title: 'Hundreds of objects at once', measure: many },
  { name: 'rotation', title: 'Rotation', measure: rotation },
  { name: 'namespace', title: 'A namespace is deleted', measure: namespace },
  { name: 'restart', title: 'Start with 10,000 objects, and memory', measure: restart },
  { name: 'steady', title: 'Steady state', measure: steady },
  { name: 'life', title: 'Life left of tokens', measure: life },
  { name: 'away', title: 'Operator or cluster away', measure: away },
  { name: 'restore', title: 'A restore, apply → rows read', measure: restore, apart: true },
];
