// The control plane as one object without sockets: a request in, an answer out. server.ts puts it behind HTTP, scenario
// tests call it directly.
import type { FederationPolicy } from './federation.ts';
import { Faults } from './faults.ts';
import { Gateway, type EmulatorRequest, type EmulatorResponse } from './gateway.ts';
import { Journal, type JournalEntry } from './journal.ts';
import { Lifecycle } from './lifecycle.ts';
import { authorizeLogin, type LoginAttempt } from './login.ts';
import { newProject } from './creation.ts';
import { Operations } from './operations.ts';
import { newUuid, secureRandom, type Random } from './random.ts';
import { establish, serviceEndpointDefaults } from './routes/projects.ts';
import { defaultSettings, type EmulatorSettings } from './settings.ts';
import { Sizes } from './sizes.ts';
import { entry, type BranchRecord, type EmulatorState, type Instant } from './state.ts';
import { noStore, Saver, type Store } from './store.ts';
import { newSigningKey, Tokens } from './tokens.ts';
import type { Clock } from '../kit/clock.ts';
import type { DataPlane, LoginVerdict } from './data-plane.ts';
import type { Log, Workspace } from './workspace.ts';

export interface EmulatorParts {
  readonly clock: Clock;
  readonly dataPlane: DataPlane;
  /** What is left out takes its default. */
  readonly settings?: Partial<EmulatorSettings>;
  /** Default: nothing is kept. */
  readonly store?: Store;
  readonly random?: Random;
  readonly log?: Log;
}

/** A branch as the emulator knows it, soft-deleted ones included. */
export type BranchFacts = Readonly<BranchRecord> & { readonly project: string };

/** Views for tests and people; no client of the real service has them. */
export interface EmulatorAdmin {
  branches(): BranchFacts[];
  /** Everything that happened since the process started, oldest first. */
  log(): readonly JournalEntry[];
  /** How many requests each route has answered, by `<method> <pattern>`. */
  requests(): Readonly<Record<string, number>>;
  /** Those that were set here, besides those of the settings. */
  federationPolicies(): readonly FederationPolicy[];
  setFederationPolicies(policies: readonly FederationPolicy[]): void;
}

export interface Emulator {
  /** Throws ConnectionLost where a fault cuts the connection, and nothing else. */
  handle(request: EmulatorRequest): Promise<EmulatorResponse>;
  /** Whether a client may log in to a database. */
  authorizeLogin(attempt: LoginAttempt): Promise<LoginVerdict>;
  readonly faults: Faults;
  readonly admin: EmulatorAdmin;
  /** Resolves when the seeded projects exist and everything from the last run is back. `handle` waits for it. */
  readonly started: Promise<void>;
  /** Resolves when no operation and no sweep is under way. Waits for ever where one waits for a clock that nobody moves. */
  idle(): Promise<void>;
  /** Ends timers and stores the state. The data plane is stopped by whoever made it. */
  stop(): Promise<void>;
}

export function createEmulator(parts: EmulatorParts): Emulator {
  const workspace = new LiveWorkspace(parts);
  const gateway = new Gateway(workspace);
  const started = start(workspace);
  // Reported to whoever waits for it; without this line a failure before anyone does would end the process.
  started.catch(() => {});
  return {
    async handle(request) {
      await started;
      return gateway.handle(request);
    },
    async authorizeLogin(attempt) {
      await started;
      const verdict = await authorizeLogin(workspace, attempt);
      await workspace.saver.saved();
      return verdict;
    },
    faults: workspace.faults,
    admin: {
      branches: () => branchFacts(workspace.state),
      log: () => workspace.journal.entries(),
      requests: () => workspace.journal.requests(),
      federationPolicies: () => workspace.state.federationPolicies ?? [],
      setFederationPolicies: (policies) => {
        workspace.state.federationPolicies = [...policies];
        workspace.changed();
      },
    },
    started,
    async idle() {
      await workspace.operations.idle();
      await workspace.lifecycle.idle();
    },
    async stop() {
      workspace.lifecycle.stop();
      await workspace.saver.saved();
    },
  };
}

class LiveWorkspace implements Workspace {
  readonly state: EmulatorState;
  readonly settings: EmulatorSettings;
  readonly clock: Clock;
  readonly random: Random;
  readonly dataPlane: DataPlane;
  readonly faults: Faults;
  readonly journal = new Journal();
  readonly sizes: Sizes;
  readonly tokens: Tokens;
  readonly operations: Operations;
  readonly lifecycle: Lifecycle;
  readonly log: Log;
  readonly saver: Saver;

  constructor({ clock, dataPlane, settings, store = noStore, random = secureRandom, log = () => {} }: EmulatorParts) {
    this.clock = clock;
    this.dataPlane = dataPlane;
    this.settings = { ...defaultSettings, ...settings };
    this.random = random;
    this.log = log;
    this.state = store.load() ?? newState(random);
    this.saver = new Saver(store, this.state, (error) => log('state could not be stored', { error: String(error) }));
    this.sizes = new Sizes(clock, dataPlane);
    this.tokens = new Tokens(this.state.signingKey, this.state.workspaceId);
    this.operations = new Operations(this);
    this.lifecycle = new Lifecycle(this);
    this.faults = new Faults(this.settings.behaviour, () => this.lifecycle.rearm());
  }

  now(): Instant {
    return this.clock.now().getTime() + this.faults.behaviour.clockSkewMs;
  }

  changed(): void {
    this.saver.changed();
  }

  nextSequence(): number {
    return this.state.nextSequence++;
  }
}

function newState(random: Random): EmulatorState {
  return {
    format: 1,
    workspaceId: String(1_000_000_000 + Math.floor(random() * 8_000_000_000)),
    accountId: newUuid(random),
    nextSequence: 1,
    signingKey: newSigningKey(),
    projects: {},
    operations: {},
  };
}

async function start(workspace: LiveWorkspace): Promise<void> {
  await workspace.lifecycle.resume();
  workspace.operations.abortUnfinished();
  for (const id of workspace.settings.projects) await seed(workspace, id);
  await workspace.saver.saved();
}

/** A project that is there, or was deleted on purpose, is left alone. */
async function seed(workspace: Workspace, id: string): Promise<void> {
  const { settings, state, journal } = workspace;
  const [owner] = settings.principals;
  if (!owner || entry(state.projects, id)) return;
  const endpointDefaults = { ...serviceEndpointDefaults, suspendSeconds: settings.suspendSeconds };
  const { pgSettings, ...sizes } = endpointDefaults;
  journal.note(workspace.now(), { what: 'project.create', name: `projects/${id}` });
  const project = newProject(workspace, { id, owner, endpointDefaults });
  await establish(workspace, project, { isProtected: false, sizes, pgSettings });
}

function branchFacts(state: EmulatorState): BranchFacts[] {
  return Object.values(state.projects).flatMap((project) =>
    [...Object.values(project.branches), ...project.deletedBranches].map((branch) => ({
      ...structuredClone(branch),
      roles: withoutPasswords(branch),
      former: undefined,
      project: project.id,
    })),
  );
}

const withoutPasswords = ({ roles }: BranchRecord): BranchRecord['roles'] =>
  Object.fromEntries(Object.entries(roles).map(([id, role]) => [id, { ...role, password: undefined }]));
