// The life of branches behind the API: their data is made, they become READY, they expire, they go.
// Steps on the data of one branch run one after another; between two of them the branch may have been deleted, so each
// looks again.
import { sleep } from '../kit/clock.ts';
import { unreachable } from '../kit/result.ts';
import { booksAt } from './books.ts';
import { Refusal } from './errors.ts';
import { newPassword } from './random.ts';
import { dueBy, earliestDue, sweepTime, type Due } from './sweep.ts';
import {
  branchName,
  entry,
  isRoot,
  projectName,
  type BranchRecord,
  type BranchSource,
  type EndpointRecord,
  type Instant,
  type ProjectRecord,
  type RoleRecord,
} from './state.ts';
import type { PostgresRole } from './data-plane.ts';
import { branchView } from './views.ts';
import type { Workspace } from './workspace.ts';

const superuserGroup = 'DATABRICKS_SUPERUSER';
export const implicitDatabase = 'databricks_postgres';

/** How the data plane is told about a role. */
export const postgresRoleOf = (role: RoleRecord): PostgresRole => ({
  name: role.postgresRole,
  login: role.authMethod !== 'NO_LOGIN',
  superuserMember: role.membershipRoles.includes(superuserGroup),
  ...role.attributes,
});

export class Lifecycle {
  readonly #workspace: Workspace;
  readonly #stop = new AbortController();
  /** Ends the wait in INIT of a branch that is deleted meanwhile, or of all at the end. */
  readonly #provisioning = new Map<string, AbortController>();
  /** The last step on the data of each branch. */
  readonly #tails = new Map<string, Promise<void>>();
  /** What sweeps have begun and not yet finished. */
  readonly #sweeping = new Set<Promise<void>>();
  #cancelSweep: () => void = () => {};
  /** The earliest instant at which anything is due, as far as known. */
  #expected: Instant = Infinity;

  constructor(workspace: Workspace) {
    this.#workspace = workspace;
  }

  /** Runs `step` after every earlier step on the data of this branch, whatever became of those. */
  inTurn<T>(branchUid: string, step: () => Promise<T>): Promise<T> {
    const before = this.#tails.get(branchUid) ?? Promise.resolve();
    const result = before.then(step);
    const tail = result.then(
      () => {},
      () => {},
    );
    this.#tails.set(branchUid, tail);
    void tail.then(() => {
      if (this.#tails.get(branchUid) === tail) this.#tails.delete(branchUid);
    });
    return result;
  }

  /** Waits in the clock of the emulator; nothing when `ms` is 0. */
  async pause(ms: number, signal: AbortSignal = this.#stop.signal): Promise<void> {
    if (ms > 0) await sleep(this.#workspace.clock, ms, signal);
  }

  /** Makes the data of a branch in INIT, opens its endpoints and lets it become READY, no sooner than `initMs` from now. */
  async provision(project: ProjectRecord, branch: BranchRecord, initMs: number): Promise<void> {
    const giveUp = new AbortController();
    this.#provisioning.set(branch.uid, giveUp);
    const signal = AbortSignal.any([giveUp.signal, this.#stop.signal]);
    try {
      await Promise.all([this.inTurn(branch.uid, () => this.#makeData(project, branch)), this.pause(initMs, signal)]);
    } catch (error) {
      if (signal.aborted) throw new Refusal('aborted', { why: 'the branch was deleted' });
      throw error;
    } finally {
      this.#provisioning.delete(branch.uid);
    }
    if (isGoing(branch)) throw new Refusal('aborted', { why: 'the branch was deleted' });
    this.#becomeReady(project, branch);
  }

  #becomeReady(project: ProjectRecord, branch: BranchRecord): void {
    const { journal, faults } = this.#workspace;
    const now = this.#workspace.now();
    branch.state = 'READY';
    branch.stateSince = now;
    branch.updatedAt = now;
    for (const endpoint of Object.values(branch.endpoints)) endpoint.settlesAt = now + faults.behaviour.settleMs;
    this.keepHistory(project, branch);
    journal.note(now, { what: 'branch.ready', name: branchName(project.id, branch.id), uid: branch.uid });
    this.#workspace.changed();
  }

  async #makeData(project: ProjectRecord, branch: BranchRecord): Promise<void> {
    if (isGoing(branch)) return;
    if (branch.source) {
      await this.#tails.get(branch.source.uid);
      this.#inherit(branch, project);
      await this.#copySource(branch.uid, branch.source);
    } else {
      await this.#makeRoot(branch);
    }
    if (isGoing(branch)) return;
    await this.openEndpoints(branch);
  }

  async #copySource(branchUid: string, source: BranchSource): Promise<void> {
    const { dataPlane } = this.#workspace;
    if (source.fromPast && source.lsn !== undefined) await dataPlane.restore(branchUid, source.uid, source.lsn);
    else source.lsn = await dataPlane.fork(branchUid, source.uid);
  }

  async #makeRoot(branch: BranchRecord): Promise<void> {
    const { dataPlane } = this.#workspace;
    await dataPlane.createRoot(branch.uid);
    for (const role of Object.values(branch.roles)) await dataPlane.putRole(branch.uid, postgresRoleOf(role));
    for (const { postgresDatabase, roleId } of Object.values(branch.databases)) {
      const owner = entry(branch.roles, roleId)?.postgresRole;
      if (owner !== undefined) await dataPlane.alterDatabase(branch.uid, postgresDatabase, { owner });
    }
  }

  /** A branch has the roles and databases of its source as they are, or were, at the moment that it is made of. */
  #inherit(branch: BranchRecord, project: ProjectRecord): void {
    const source = branch.source && entry(project.branches, branch.source.id);
    if (!branch.source || source?.uid !== branch.source.uid) return;
    if (!branch.source.fromPast) branch.source.time = this.#workspace.now();
    const books = branch.source.fromPast ? booksAt(source, branch.source.time) : source;
    branch.roles = structuredClone(books.roles);
    branch.databases = structuredClone(books.databases);
    // The children of a protected branch do not share its passwords.
    if (!source.isProtected) return;
    for (const role of Object.values(branch.roles)) {
      if (role.password !== undefined) role.password = newPassword(this.#workspace.random);
    }
  }

  /** Tells the data plane how long the past of the branch can be asked for. */
  keepHistory(project: ProjectRecord, branch: BranchRecord): void {
    const { dataPlane, log } = this.#workspace;
    void this.inTurn(branch.uid, async () => {
      if (!isGoing(branch)) await dataPlane.keepHistory(branch.uid, project.historySeconds);
    }).catch((error: unknown) => log('old history could not be removed', { branch: branch.id, error: String(error) }));
  }

  async openEndpoint(branch: BranchRecord, endpoint: EndpointRecord): Promise<void> {
    const { dataPlane } = this.#workspace;
    endpoint.host = await dataPlane.openEndpoint(endpoint.uid, branch.uid);
    await dataPlane.setSuspend(endpoint.uid, endpoint.suspendSeconds);
    this.#workspace.changed();
  }

  /**
   * Deletes a branch after `afterMs`. With `purge` nothing is remembered of it. Resolves when it is gone and its
   * sessions have ended; its rows go too, unless the settings keep them for a while.
   */
  async remove(project: ProjectRecord, branch: BranchRecord, how: { purge: boolean; afterMs: number }): Promise<void> {
    branch.deleting = true;
    branch.purging = how.purge;
    this.#provisioning.get(branch.uid)?.abort();
    await this.pause(how.afterMs);
    this.#markDeleted(project, branch, how.purge);
    await this.inTurn(branch.uid, async () => {
      for (const endpoint of Object.values(branch.endpoints)) {
        await this.#workspace.dataPlane.closeEndpoint(endpoint.uid);
      }
    });
    if (how.purge || this.#workspace.settings.keepDeletedSeconds === 0) await this.#discard(branch);
  }

  #markDeleted(project: ProjectRecord, branch: BranchRecord, purge: boolean): void {
    const { settings } = this.#workspace;
    const now = this.#workspace.now();
    branch.state = 'DELETED';
    branch.stateSince = now;
    branch.deletedAt = now;
    branch.purgeAt = purge ? now : now + settings.rememberDeletedSeconds * 1000;
    delete project.branches[branch.id];
    // Also when purged: its data has to be found again if this process is killed now.
    project.deletedBranches.push(branch);
    this.expectAt(Math.min(branch.purgeAt, now + settings.keepDeletedSeconds * 1000));
    this.#workspace.changed();
  }

  /** Takes back the deletion of a branch whose rows are still kept. */
  async restore(project: ProjectRecord, branch: BranchRecord): Promise<void> {
    const now = this.#workspace.now();
    project.deletedBranches = project.deletedBranches.filter((each) => each !== branch);
    project.branches[branch.id] = branch;
    const back: Partial<BranchRecord> = { state: 'READY', stateSince: now, updatedAt: now, deleting: false };
    Object.assign(branch, back, { expiresAt: undefined, deletedAt: undefined, purgeAt: undefined });
    this.#workspace.changed();
    await this.reopenEndpoints(branch);
  }

  /** Of a branch that comes back: they may just be closing. */
  reopenEndpoints(branch: BranchRecord): Promise<void> {
    return this.inTurn(branch.uid, () => this.openEndpoints(branch));
  }

  async openEndpoints(branch: BranchRecord): Promise<void> {
    for (const endpoint of Object.values(branch.endpoints)) await this.openEndpoint(branch, endpoint);
  }

  #discard(branch: BranchRecord): Promise<void> {
    return this.inTurn(branch.uid, async () => {
      await this.#workspace.dataPlane.destroy(branch.uid);
      branch.dataGone = true;
      this.#workspace.changed();
    });
  }

  /** Soft-deletes a project: its endpoints close, the branches that people made go, the root waits to be undeleted. */
  async removeProject(project: ProjectRecord, purge: boolean): Promise<void> {
    const now = this.#workspace.now();
    project.deletedAt = now;
    // Also when purged: what is left of it is found and finished if this process is killed now.
    project.purgeAt = purge ? now : now + this.#workspace.settings.rememberDeletedSeconds * 1000;
    this.expectAt(project.purgeAt);
    this.#workspace.changed();
    for (const branch of Object.values(project.branches).filter((each) => !isRoot(each))) {
      await this.remove(project, branch, { purge, afterMs: 0 });
    }
    if (purge) return this.#forgetProject(project);
    for (const branch of Object.values(project.branches)) {
      await this.inTurn(branch.uid, () => this.#closeEndpoints(project, branch));
    }
  }

  /** Not if the project was brought back meanwhile. */
  async #closeEndpoints(project: ProjectRecord, branch: BranchRecord): Promise<void> {
    if (project.deletedAt === undefined) return;
    for (const { uid } of Object.values(branch.endpoints)) await this.#workspace.dataPlane.closeEndpoint(uid);
  }

  async #forgetProject(project: ProjectRecord): Promise<void> {
    for (const branch of [...Object.values(project.branches), ...project.deletedBranches]) {
      branch.deleting = true;
      for (const { uid } of Object.values(branch.endpoints)) await this.#workspace.dataPlane.closeEndpoint(uid);
      if (!branch.dataGone) await this.#discard(branch);
    }
    const { state, journal } = this.#workspace;
    if (entry(state.projects, project.id) !== project) return;
    delete state.projects[project.id];
    journal.note(this.#workspace.now(), { what: 'project.purge', name: projectName(project.id) });
    this.#workspace.changed();
  }

  async #forgetBranch(project: ProjectRecord, branch: BranchRecord): Promise<void> {
    if (!branch.dataGone) await this.#discard(branch);
    project.deletedBranches = project.deletedBranches.filter((each) => each !== branch);
    this.#workspace.changed();
  }

  /** To be called when something will be due at `instant`: the sweep comes no later than that asks for. */
  expectAt(instant: Instant): void {
    if (instant < this.#expected) this.#armFor(instant);
  }

  /** Looks anew when the next sweep is to come: after a sweep, and when the clock of the provider was moved. */
  rearm(): void {
    const { state, settings } = this.#workspace;
    this.#armFor(earliestDue(state, settings.keepDeletedSeconds * 1000));
  }

  #armFor(instant: Instant): void {
    const { settings, clock } = this.#workspace;
    this.#cancelSweep();
    this.#expected = instant;
    if (instant === Infinity || this.stopped) return;
    const now = this.#workspace.now();
    this.#cancelSweep = clock.after(sweepTime(instant, settings.sweepIntervalMs, now) - now, () => this.#sweep());
  }

  #sweep(): void {
    const { state, settings } = this.#workspace;
    const due = dueBy(state, settings.keepDeletedSeconds * 1000, this.#workspace.now());
    for (const each of due) {
      const work = this.#carryOut(each).catch((error: unknown) => {
        this.#workspace.log('sweep failed', { what: each.what, project: each.project.id, error: String(error) });
      });
      this.#sweeping.add(work);
      void work.then(() => this.#sweeping.delete(work));
    }
    this.rearm();
  }

  async #carryOut(due: Due): Promise<void> {
    switch (due.what) {
      case 'expire':
        this.#noteExpiry(due.project, due.branch);
        return this.remove(due.project, due.branch, { purge: false, afterMs: 0 });
      case 'discard':
        return this.#discard(due.branch);
      case 'forgetBranch':
        return this.#forgetBranch(due.project, due.branch);
      case 'forgetProject':
        return this.#forgetProject(due.project);
      default:
        return unreachable(due);
    }
  }

  #noteExpiry(project: ProjectRecord, branch: BranchRecord): void {
    const name = branchName(project.id, branch.id);
    this.#workspace.journal.note(this.#workspace.now(), { what: 'branch.expire', name, uid: branch.uid });
  }

  /** After a restart: deletions are finished, branches in INIT are made again, endpoints listen again. */
  async resume(): Promise<void> {
    for (const project of Object.values(this.#workspace.state.projects)) {
      for (const branch of Object.values(project.branches)) {
        try {
          await this.#resumeBranch(project, branch);
        } catch (error) {
          const name = branchName(project.id, branch.id);
          this.#workspace.log('branch could not be resumed', { branch: name, error: String(error) });
        }
      }
    }
    this.rearm();
  }

  async #resumeBranch(project: ProjectRecord, branch: BranchRecord): Promise<void> {
    const { operations, dataPlane } = this.#workspace;
    const name = branchName(project.id, branch.id);
    const projectDeleted = project.deletedAt !== undefined;
    if (branch.deleting || (projectDeleted && !isRoot(branch))) {
      await operations.takeUp(name, async () => {
        await this.remove(project, branch, { purge: branch.purging ?? false, afterMs: 0 });
        return undefined;
      });
    } else if (branch.state === 'INIT') {
      await operations.takeUp(name, async () => {
        // What the killed process had copied may be torn.
        await dataPlane.destroy(branch.uid);
        await this.provision(project, branch, 0);
        return branchView(project, branch);
      });
    } else if (!projectDeleted) {
      await this.openEndpoints(branch);
      this.keepHistory(project, branch);
    }
  }

  /** Resolves when no sweep is under way. */
  async idle(): Promise<void> {
    while (this.#sweeping.size > 0) await Promise.all(this.#sweeping);
  }

  get stopped(): boolean {
    return this.#stop.signal.aborted;
  }

  stop(): void {
    this.#cancelSweep();
    this.#stop.abort();
    for (const giveUp of this.#provisioning.values()) giveUp.abort();
  }
}

const isGoing = (branch: BranchRecord): boolean => branch.deleting || branch.deletedAt !== undefined;
