// What can be done to the world. Plain data: printed in reports, and the same for the same seed.
import type { BehaviourChange, Fault } from '../../src/emulator/faults.ts';

export interface Key {
  readonly namespace: string;
  readonly name: string;
}

export type Tampering =
  | 'empty'
  | 'garbledHost'
  | 'sourceHost'
  | 'siblingHost'
  | 'oldPassword'
  | 'stripOwner'
  | 'junkAnnotation'
  | 'foreignKey';

export type Action =
  | { readonly do: 'createNamespace'; readonly name: string; readonly allowed: boolean }
  | { readonly do: 'removeNamespace'; readonly name: string }
  | { readonly do: 'labelNamespace'; readonly name: string; readonly allowed: boolean }
  | {
      readonly do: 'createObject';
      readonly key: Key;
      readonly spec: object;
      readonly annotations?: Record<string, string>;
    }
  | { readonly do: 'removeObject'; readonly key: Key }
  /** A merge patch. */
  | { readonly do: 'patchObject'; readonly key: Key; readonly patch: object }
  /** `expiration.at` so soon from then on. */
  | { readonly do: 'expireSoon'; readonly key: Key; readonly seconds: number }
  | { readonly do: 'wipeStatus'; readonly key: Key }
  | { readonly do: 'patchClass'; readonly name: string; readonly patch: object }
  | { readonly do: 'tamper'; readonly key: Key; readonly how: Tampering }
  | { readonly do: 'removeSecret'; readonly key: Key }
  | { readonly do: 'createForeignSecret'; readonly key: Key }
  | { readonly do: 'fault'; readonly fault: Fault }
  | { readonly do: 'behave'; readonly change: BehaviourChange }
  | { readonly do: 'calm' }
  /** Somebody deletes the branches of an object at the provider. */
  | { readonly do: 'deleteByHand'; readonly project: string; readonly key: Key }
  | { readonly do: 'makeByHand'; readonly project: string; readonly id: string }
  | { readonly do: 'removeByHand'; readonly project: string; readonly id: string }
  | { readonly do: 'kill'; readonly who: Victim; readonly downMs: number }
  | { readonly do: 'freeze'; readonly who: Victim; readonly forMs: number }
  /** A further operator that leads without having been elected. */
  | { readonly do: 'rogue'; readonly forMs: number };

export type Victim = 'leader' | 'standby' | 'emulator' | 'apiServer';

export interface Operation {
  readonly number: number;
  readonly kind: string;
  readonly action: Action;
  /** Before the next one. */
  readonly thenMs: number;
}
