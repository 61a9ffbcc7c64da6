// Operator, API server and provider in one process, on a clock that only the test moves. Processes of the operator can
// be killed at any write, have its answer lost, and overlap; the world outside them goes on.
import {
  branchClassResource,
  databaseBranchResource,
  pointInTimeRestoreResource,
  secretResource,
} from '../src/api/names.ts';
import { branchClassSchema, type BranchClass } from '../src/api/v1alpha1/branch-class.ts';
import { databaseBranchSchema, type DatabaseBranch } from '../src/api/v1alpha1/database-branch.ts';
import {
  pointInTimeRestoreSchema,
  type PointInTimeRestore,
  type PointInTimeRestoreSpec,
} from '../src/api/v1alpha1/point-in-time-restore.ts';
import { createOperator, type Operator } from '../src/app.ts';
import type { Measurement } from '../src/metrics/measurement.ts';
import { tokensBy } from '../src/clients.ts';
import type { SubjectTokens } from '../src/controllers/providers.ts';
import type { Left } from '../src/controllers/database-branch/plan.ts';
import type { Secret } from '../src/credentials/secret.ts';
import { createEmulator, type Emulator } from '../src/emulator/emulator.ts';
import type { BehaviourChange } from '../src/emulator/faults.ts';
import type { EmulatorRequest, EmulatorResponse } from '../src/emulator/gateway.ts';
import { noDataPlane } from '../src/emulator/no-data-plane.ts';
import { ManualClock } from '../src/kit/clock.ts';
import { findCondition } from '../src/kit/conditions.ts';
import type { Condition } from '../src/kit/kube.ts';
import { createLog } from '../src/kit/log.ts';
import { httpLakebaseClient } from '../src/lakebase/http-client.ts';
import { parseBranchId } from '../src/lakebase/ids.ts';
import { limited, type RequestBudget } from '../src/lakebase/limiter.ts';
import type { Login } from '../src/lakebase/login.ts';
import { aBranchClass } from './builders/branch-class.ts';
import { changed, type Change } from './builders/merge.ts';
import { emulatorTransport } from './fakes/emulator-transport.ts';
import { MemoryKube } from './fakes/memory-kube.ts';
import type { KindRules } from './fakes/memory-store.ts';
import { Fences, type Fence, type KillPoint } from './fakes/fence.ts';
import { expectLawfulStatus } from './kstatus.ts';

export const operatorNamespace = 'lakebranch-system';
export const host = 'https://lakebase.test';
const start = new Date('2026-11-25T10:00:00.000Z');
export const manager = { clientId: '11111111-1111-4111-8111-111111111111', secret: 'manager-client-secret' };
export const appLogin = { clientId: '22222222-2222-4222-8222-222222222222', secret: 'login-client-secret' };

export interface ScenarioOptions {
  readonly behaviour?: BehaviourChange;
  /** Default: one class `default` that allows namespaces labelled `preview: "true"`. */
  readonly classes?: readonly Change<BranchClass>[];
  readonly withoutCredentials?: boolean;
  /** Tokens of the cluster, for classes with workload identity. */
  readonly subjectTokens?: SubjectTokens;
  /** Requests per second to the provider, and at once after a quiet time; as many as it likes when absent. */
  readonly budget?: RequestBudget;
}

/** One running operator. */
export interface Process {
  readonly operator: Operator;
  readonly fence: Fence;
  /** As SIGKILL: nothing that it does from now on takes effect. */
  kill(): void;
}

export class Scenario {
  readonly clock = new ManualClock(start);
  readonly kube: MemoryKube;
  readonly emulator: Emulator;
  readonly processes: Process[] = [];
  readonly logLines: string[] = [];
  /** Objects that were let go although their branch is still there. */
  readonly left: Left[] = [];
  /** What the operators told their metrics. */
  readonly measurements: Measurement[] = [];
  /** What the operator reads and sees in place of a text of the provider: a host or an id that has become another. */
  readonly #disguises = new Map<string, string>();
  readonly #fences = new Fences();
  readonly #projectLimit: number;
  readonly #budget: RequestBudget | undefined;
  readonly #subjectTokens: SubjectTokens;
  #checked = 0;

  constructor({
    behaviour = {},
    classes = [{}],
    withoutCredentials = false,
    subjectTokens = new Map(),
    budget,
  }: ScenarioOptions = {}) {
    this.kube = new MemoryKube({ clock: this.clock, rules });
    this.#projectLimit = behaviour.limits?.unarchivedBranches ?? 10;
    this.#budget = budget;
    this.#subjectTokens = subjectTokens;
    let seed = 1;
    this.emulator = createEmulator({
      clock: this.clock,
      dataPlane: noDataPlane(),
      random: () => (seed = (seed * 48_271) % 2_147_483_647) / 2_147_483_647,
      settings: {
        projects: ['shop'],
        principals: [
          { name: manager.clientId, kind: 'SERVICE_PRINCIPAL', secret: manager.secret },
          { name: appLogin.clientId, kind: 'SERVICE_PRINCIPAL', secret: appLogin.secret },
        ],
      },
    });
    this.emulator.faults.set(behaviour);
    this.kube.addNamespace(operatorNamespace);
    this.kube.addNamespace('pr-1', { preview: 'true' });
    if (!withoutCredentials) {
      this.addClientSecret('manager', manager);
      this.addClientSecret('login', appLogin);
    }
    for (const change of classes) this.addClass(change);
  }

  addClientSecret(name: string, { clientId, secret }: { clientId: string; secret: string }): void {
    this.kube.seed<Secret>(secretResource, {
      metadata: { namespace: operatorNamespace, name },
      data: { 'client-id': base64(clientId), 'client-secret': base64(secret) },
    });
  }

  addClass(change: Change<BranchClass> = {}): void {
    const ours = aBranchClass({
      spec: {
        provider: { host, auth: { clientSecretRef: { name: 'manager' } } },
        login: { auth: { clientSecretRef: { name: 'login' } } },
      },
    });
    const { metadata, spec } = changed(ours, change);
    this.kube.seed<BranchClass>(branchClassResource, {
      ...defaulted(branchClassSchema, { spec }),
      metadata: { name: metadata.name },
    } as BranchClass);
  }

  /** Starts an operator. With `killAt`, the process dies at that write, before or after it took effect. */
  launch(killAt?: KillPoint, clusterID = 'test-cluster', previousClusterIDs: readonly string[] = []): Process {
    const handle = async (request: EmulatorRequest): Promise<EmulatorResponse> => {
      const answer = await this.emulator.handle(request);
      return { ...answer, body: this.#disguised(answer.body) };
    };
    const fence = this.#fences.around(this.kube, emulatorTransport({ handle }), killAt);
    const stop = new AbortController();
    const clock = fence.clock(this.clock);
    const transport = this.#budget ? limited(fence.transport, clock, this.#budget) : fence.transport;
    const operator = createOperator({
      kube: fence.kube,
      clock,
      log: createLog('info', { write: (line: string) => void this.logLines.push(line) }),
      makeClient: ({ host: address, proof }) => {
        const common = {
          host: address,
          transport,
          clock,
          userAgent: 'lakebranch/test',
        };
        return httpLakebaseClient({ ...common, tokens: tokensBy(proof, common) });
      },
      subjectTokens: this.#subjectTokens,
      login: this.#login(fence),
      namespace: operatorNamespace,
      clusterID,
      previousClusterIDs,
      deletionMaxWaitMs: 15 * 60_000,
      projectLimit: this.#projectLimit,
      metrics: {
        left: (left) => void this.left.push(left),
        measured: (measurement) => void this.measurements.push(measurement),
      },
      watchNamespaces: [],
      workers: 8,
      identity: `operator-${this.processes.length}`,
    });
    void operator.watch(stop.signal);
    void operator.lead(stop.signal);
    const process: Process = {
      operator,
      fence,
      kill: () => {
        fence.kill();
        stop.abort(new Error('killed'));
      },
    };
    fence.onKill = () => process.kill();
    this.processes.push(process);
    return process;
  }

  #login(fence: Fence): Login {
    return async (target) => {
      const verdict = await fence.track(() =>
        this.emulator.authorizeLogin({
          endpoint: { host: this.#undisguised(target.host) },
          user: target.user,
          password: target.token.reveal(),
          database: target.database,
        }),
      );
      return verdict.ok ? { ok: true } : { ok: false, kind: 'refused', message: verdict.message };
    };
  }

  /** From now on the provider's answers say `shown` wherever they said `real`, and a login to host `shown` reaches `real`. */
  disguise(real: string, shown: string): void {
    this.#disguises.set(real, shown);
  }

  #disguised(text: string): string {
    return [...this.#disguises].reduce((so, [real, shown]) => so.replaceAll(real, shown), text);
  }

  #undisguised(host: string): string {
    return [...this.#disguises].find(([, shown]) => shown === host)?.[0] ?? host;
  }

  /** Creates an object as kubectl would. */
  apply(name: string, spec: Partial<DatabaseBranch['spec']> = {}, namespace = 'pr-1'): DatabaseBranch {
    return this.kube.seed<DatabaseBranch>(databaseBranchResource, {
      metadata: { namespace, name },
      ...databaseBranchSchema.parse({ spec }),
    });
  }

  /** Creates a restore as kubectl would. */
  restore(
    name: string,
    target: PointInTimeRestoreSpec['target'],
    spec: Partial<PointInTimeRestoreSpec> = {},
    namespace = 'pr-1',
  ): PointInTimeRestore {
    return this.kube.seed<PointInTimeRestore>(pointInTimeRestoreResource, {
      metadata: { namespace, name },
      ...pointInTimeRestoreSchema.parse({ spec: { source: { branch: 'production' }, target, ...spec } }),
    });
  }

  restored(name: string, namespace = 'pr-1'): PointInTimeRestore | undefined {
    return this.kube.peek<PointInTimeRestore>(pointInTimeRestoreResource, { namespace, name });
  }

  /** Status and reason of Succeeded, like `True Restored`. */
  succeeded(name: string, namespace = 'pr-1'): string {
    const { conditions = [] } = this.restored(name, namespace)?.status ?? {};
    const { status, reason } = findCondition(conditions, 'Succeeded') ?? { status: 'none', reason: '' };
    return `${status} ${reason}`;
  }

  /** Runs until nothing happens any more, moving the clock from timer to timer, for at most `withinMs` of its time. */
  async settle(withinMs = 60_000): Promise<void> {
    const until = this.clock.now().getTime() + withinMs;
    for (;;) {
      await this.#quiet();
      const next = this.clock.nextTimer();
      if (!next || next.getTime() > until) break;
      this.clock.advanceTo(next);
    }
    this.clock.advanceTo(new Date(until));
    await this.#quiet();
    this.#checkStatuses();
  }

  /** Settles until `holds`, or fails after `withinMs` of the clock's time. */
  async until(what: string, holds: () => boolean, withinMs = 10 * 60_000): Promise<void> {
    const until = this.clock.now().getTime() + withinMs;
    for (;;) {
      await this.#quiet();
      if (holds()) return;
      const next = this.clock.nextTimer();
      if (!next || next.getTime() > until) throw new Error(`never came true: ${what}\n${this.describe()}`);
      this.clock.advanceTo(next);
    }
  }

  /** Every status that was ever written must be lawful, not only the last. */
  #checkStatuses(): void {
    const versions = this.kube.versions();
    for (; this.#checked < versions.length; this.#checked++) {
      const version = versions[this.#checked];
      if (!version || !reporting.has(version.type.plural) || version.event !== 'MODIFIED') continue;
      expectLawfulStatus(version.object as DatabaseBranch | PointInTimeRestore);
    }
  }

  async #quiet(): Promise<void> {
    for (let calm = 0, before = -1; calm < 4;) {
      await new Promise((resolve) => setImmediate(resolve));
      const activity = this.#fences.activity + this.kube.versions().length;
      calm = this.#fences.inFlight === 0 && activity === before ? calm + 1 : 0;
      before = activity;
    }
  }

  objects(): DatabaseBranch[] {
    return this.kube.all<DatabaseBranch>(databaseBranchResource);
  }

  object(name: string, namespace = 'pr-1'): DatabaseBranch | undefined {
    return this.kube.peek<DatabaseBranch>(databaseBranchResource, { namespace, name });
  }

  condition(name: string, type: string, namespace = 'pr-1'): Condition | undefined {
    return findCondition(this.object(name, namespace)?.status?.conditions ?? [], type);
  }

  /** `True`, or status and reason of Ready. */
  ready(name: string, namespace = 'pr-1'): string {
    const { status, reason } = this.condition(name, 'Ready', namespace) ?? { status: 'none', reason: '' };
    return status === 'True' ? status : `${status} ${reason}`;
  }

  secret(name: string, namespace = 'pr-1'): Record<string, string> | undefined {
    const secret = this.kube.peek<Secret>(secretResource, { namespace, name });
    return (
      secret &&
      Object.fromEntries(
        Object.entries(secret.data ?? {}).map(([key, value]) => [key, Buffer.from(value, 'base64').toString()]),
      )
    );
  }

  /** Live branches that an operator made, in all projects. */
  branches(): ReturnType<Emulator['admin']['branches']> {
    return this.emulator.admin
      .branches()
      .filter((branch) => branch.deletedAt === undefined && parseBranchId(branch.id) !== undefined);
  }

  /** Whether the Secret of an object opens the branch of that object, asked of the provider. */
  async opens(name: string, namespace = 'pr-1'): Promise<boolean> {
    const { host: address = '', username = '', password = '', database = '' } = this.secret(name, namespace) ?? {};
    const verdict = await this.emulator.authorizeLogin({
      endpoint: { host: this.#undisguised(address) },
      user: username,
      password,
      database,
    });
    return verdict.ok;
  }

  /** What a person does at the provider; fails unless the provider does it. */
  async byHand(method: 'POST' | 'PATCH' | 'DELETE', path: string, body?: object): Promise<void> {
    const basic = base64(`${manager.clientId}:${manager.secret}`);
    const token = await this.emulator.handle({
      method: 'POST',
      url: `${host}/oidc/v1/token`,
      headers: { authorization: `Basic ${basic}`, 'content-type': 'application/x-www-form-urlencoded' },
      body: 'grant_type=client_credentials&scope=all-apis',
    });
    const { access_token: accessToken } = JSON.parse(token.body) as { access_token: string };
    const answer = await this.emulator.handle({
      method,
      url: `${host}/api/2.0/postgres/${path}`,
      headers: { authorization: `Bearer ${accessToken}`, 'content-type': 'application/json' },
      ...(body ? { body: JSON.stringify(body) } : {}),
    });
    if (answer.status !== 200) throw new Error(`${method} ${path}: ${answer.status} ${answer.body}`);
  }

  /** Somebody deletes a branch at the provider. */
  removeBranch(id: string): Promise<void> {
    return this.byHand('DELETE', `projects/shop/branches/${id}`);
  }

  /** Somebody protects a branch, or ends that. */
  async protectBranch(id: string, isProtected = true): Promise<void> {
    const path = `projects/shop/branches/${id}?update_mask=`;
    // A branch that expires cannot be protected.
    await this.byHand('PATCH', `${path}spec.expiration`, { spec: { no_expiry: true } });
    await this.byHand('PATCH', `${path}spec.is_protected`, { spec: { is_protected: isProtected } });
  }

  /** Holds up a call that is under way, but not the clock. */
  hold(ms: number): Promise<void> {
    this.#fences.inFlight -= 1;
    return new Promise((resolve) => {
      this.clock.after(ms, () => {
        this.#fences.inFlight += 1;
        resolve();
      });
    });
  }

  describe(): string {
    const objects = this.objects().map((object) => `${object.metadata.name}: ${JSON.stringify(object.status)}`);
    const restores = this.kube
      .all<PointInTimeRestore>(pointInTimeRestoreResource)
      .map(({ metadata, status }) => `${metadata.name}: ${JSON.stringify({ ...metadata.annotations, ...status })}`);
    return [`at ${this.clock.now().toISOString()}`, ...restores, ...objects, ...this.logLines.slice(-15)].join('\n');
  }

  async stop(): Promise<void> {
    for (const process of this.processes) process.kill();
    await this.emulator.stop();
  }
}

const reporting: ReadonlySet<string> = new Set([databaseBranchResource.plural, pointInTimeRestoreResource.plural]);

const base64 = (text: string): string => Buffer.from(text).toString('base64');

/** What the CRDs default and refuse, as far as scenarios rely on it. */
const rules: readonly KindRules[] = [
  {
    type: databaseBranchResource,
    defaults: (object) => void Object.assign(object, defaulted(databaseBranchSchema, object)),
  },
  {
    type: pointInTimeRestoreResource,
    defaults: (object) => void Object.assign(object, defaulted(pointInTimeRestoreSchema, object)),
  },
  { type: branchClassResource, defaults: (object) => void Object.assign(object, defaulted(branchClassSchema, object)) },
];

function defaulted(schema: { parse(value: unknown): object }, object: object): object {
  return schema.parse(object);
}
