// What every part of the control plane shares: the state, the clock it is read against, and the machinery around it.
import type { Clock } from '../kit/clock.ts';
import type { DataPlane } from './data-plane.ts';
import type { Faults } from './faults.ts';
import type { Journal } from './journal.ts';
import type { Lifecycle } from './lifecycle.ts';
import type { Operations } from './operations.ts';
import type { Random } from './random.ts';
import type { EmulatorSettings } from './settings.ts';
import type { Sizes } from './sizes.ts';
import type { EmulatorState, Instant } from './state.ts';
import type { Tokens } from './tokens.ts';

/** For people; never given a token or a secret. */
export type Log = (message: string, fields?: Readonly<Record<string, unknown>>) => void;

export interface Workspace {
  readonly state: EmulatorState;
  readonly settings: EmulatorSettings;
  readonly clock: Clock;
  readonly random: Random;
  readonly dataPlane: DataPlane;
  readonly faults: Faults;
  readonly journal: Journal;
  readonly sizes: Sizes;
  readonly tokens: Tokens;
  readonly operations: Operations;
  readonly lifecycle: Lifecycle;
  readonly log: Log;
  /** The provider's clock: ours plus the skew that a fault may have set. */
  now(): Instant;
  /** To be called after every change of the state: it is stored. */
  changed(): void;
  nextSequence(): number;
}
