// Every knob of the control plane, with its default. The flags and variables of the process are read in flags.ts.
import { ordinaryBehaviour, type Behaviour } from './faults.ts';
import type { FederationPolicy } from './federation.ts';
import type { Principal } from './principals.ts';

export interface EmulatorSettings {
  /** Projects that exist from the first start on; their owner is the first principal. */
  readonly projects: readonly string[];
  readonly principals: readonly Principal[];
  /** Whose tokens of other issuers are exchanged; the admin route adds more. */
  readonly federationPolicies: readonly FederationPolicy[];
  /** `open`: every principal may do everything. `enforced`: the owner, and whom the permissions API names. */
  readonly permissions: 'open' | 'enforced';
  /** Life of an access token of the workspace. */
  readonly accessTokenSeconds: number;
  /** Branches expire at multiples of this. */
  readonly sweepIntervalMs: number;
  /** How long the rows of a deleted branch are kept, so that it can be undeleted; 0: not at all. */
  readonly keepDeletedSeconds: number;
  /** How long a deleted project or branch is listed with `show_deleted`. */
  readonly rememberDeletedSeconds: number;
  /** The major version of the PostgreSQL behind it. */
  readonly pgVersion: number;
  /** Of the seeded projects: seconds without sessions until an endpoint sleeps. */
  readonly suspendSeconds: number;
  readonly behaviour: Behaviour;
}

/** For a laptop: both are no secrets, and the emulator listens on the loopback address only unless told otherwise. */
export const developmentPrincipal: Principal = {
  name: '00000000-0000-4000-8000-00000000beef',
  kind: 'SERVICE_PRINCIPAL',
  secret: 'not-a-secret',
};

export const defaultSettings: EmulatorSettings = {
  projects: ['shop'],
  principals: [developmentPrincipal],
  federationPolicies: [],
  permissions: 'open',
  accessTokenSeconds: 3600,
  sweepIntervalMs: 1000,
  keepDeletedSeconds: 0,
  rememberDeletedSeconds: 7 * 24 * 3600,
  pgVersion: 17,
  suspendSeconds: 300,
  behaviour: ordinaryBehaviour,
};
