// One run of chaos: performs the script, judges everything that was seen, and lets the world settle now and then.
import { setTimeout as pause } from 'node:timers/promises';
import { databaseBranchResource, namespaceResource } from '../../src/api/names.ts';
import type { DatabaseBranch } from '../../src/api/v1alpha1/database-branch.ts';
import { findCondition } from '../../src/kit/conditions.ts';
import { keyOf, type KubeObject } from '../../src/kit/kube.ts';
import { parseBranchId } from '../../src/lakebase/ids.ts';
import { sources, startArena, type Arena } from './arena.ts';
import type { History, Version } from './history.ts';
import { judgeBooks, judgeJournal, judgeObject, isSecret } from './laws.ts';
import { Ledger } from './ledger.ts';
import type { Operation } from './operation.ts';
import { Performer } from './perform.ts';
import { projects } from './emulator.ts';
import { script, type ScriptOptions } from './script.ts';
import { isOurs, judgeSecret } from './secret-laws.ts';
import { deadTokens, unsettled } from './settled.ts';
import { Tally, type Violation } from './tally.ts';
import type { Secret } from '../../src/credentials/secret.ts';

export interface ChaosOptions extends ScriptOptions {
  /** So many operations lie between two rests of the world. */
  readonly settleEvery: number;
  /** How many violations end the run. */
  readonly stopAfter: number;
  /** Where logs are kept when something was violated. */
  readonly logs: string;
  /** Called every ten seconds. */
  readonly onProgress?: (line: string) => void;
}

export interface ChaosResult {
  readonly violations: readonly Violation[];
  /** What was done and seen, in lines. */
  readonly figures: string;
}

/**
 * Bounds a hang: a branch whose uid nobody noted is said to be absent after a minute, a failed request waits as long, and
 * branches that a lost status told of are looked for after two minutes, and then drained one by one.
 */
const settleDeadlineMs = 240_000;
const farewellDeadlineMs = 240_000;
/** Tokens live for 30 s at rest, and are replaced after half of that. */
const soakMs = 18_000;
const judgeEvery = 20;

export async function runChaos(options: ChaosOptions): Promise<ChaosResult> {
  const run = new Run(options);
  try {
    await run.begin();
    await run.performAll();
    await run.farewell();
  } finally {
    await run.end();
  }
  return { violations: run.tally.violations, figures: run.tally.figures() };
}

class Run {
  readonly tally: Tally;
  readonly #options: ChaosOptions;
  readonly #ledger = new Ledger();
  /** Heard of and not yet judged. */
  #heard: Version[] = [];
  #arena: Arena | undefined;
  #performer: Performer | undefined;

  constructor(options: ChaosOptions) {
    this.#options = options;
    this.tally = new Tally(options.seed, options.operations, options.onProgress);
  }

  get #world(): Arena {
    if (!this.#arena) throw new Error('the arena is not open');
    return this.#arena;
  }

  async begin(): Promise<void> {
    this.#arena = await startArena(this.#options.seed, (version) => void this.#heard.push(version));
    this.#ledger.clusterID = this.#arena.clusterID;
    this.#performer = new Performer(this.#arena, this.#ledger);
    this.#ledger.noteBranches(await this.#arena.emulator.branches());
    this.tally.began();
  }

  async performAll(): Promise<void> {
    for (const operation of script(this.#options)) {
      if (this.#isOver()) return;
      await this.#perform(operation);
      if (operation.number % judgeEvery === 0) await this.#judge();
      // The last rest is part of the farewell.
      const { settleEvery, operations } = this.#options;
      if (operation.number % settleEvery === 0 && operation.number < operations) await this.#settle();
    }
  }

  #isOver(): boolean {
    return this.tally.violations.length >= this.#options.stopAfter;
  }

  async #perform(operation: Operation): Promise<void> {
    const outcome = await this.#performer?.perform(operation.action);
    this.tally.performed(operation, outcome ?? 'missed');
    this.#note();
    await pause(operation.thenMs);
  }

  /** Objects become known at once, so that later operations can find them; they are judged together, later. */
  #note(): void {
    for (const version of this.#heard.slice(this.#noted)) this.#ledger.note(version);
    this.#noted = this.#heard.length;
  }
  #noted = 0;

  async #judge(): Promise<void> {
    const { emulator, history, manager, loginNames } = this.#world;
    const identities = { manager, loginNames };
    // The journal first: what it tells of was allowed by versions that are older, and those are heard of next.
    const journal = await emulator.newJournal();
    await history.caughtUp();
    this.#note();
    const versions = this.#heard;
    this.#heard = [];
    this.#noted = 0;
    this.#ledger.noteBranches(await emulator.branches());
    this.tally.saw(versions, journal);
    this.#convict(judgeJournal(journal, this.#ledger, identities));
    this.#convict(judgeBooks(this.#ledger));
    for (const version of versions) {
      this.#convict(judgeObject(version));
      if (isSecret(version)) this.#convict(judgeSecret(version, this.#ledger, identities));
    }
  }

  #convict(what: readonly string[]): void {
    for (const each of what) this.tally.convict(each);
  }

  async #settle(): Promise<void> {
    await this.#performer?.calm();
    const begun = performance.now();
    for (;;) {
      await this.#judge();
      const complaints = unsettled(this.#world.history, this.#ledger, new Date());
      if (complaints.length === 0) break;
      if (performance.now() - begun > settleDeadlineMs) {
        this.#convict(complaints.map((each) => `not settled after ${settleDeadlineMs / 1000} s of calm: ${each}`));
        break;
      }
      await pause(250);
    }
    await this.#tidy();
    await this.#soak();
    this.tally.settled(performance.now() - begun - soakMs, statesOf(this.#world.history));
  }

  /** Branches that objects left behind on purpose are looked at, and then deleted by hand, or they would fill the projects. */
  async #tidy(): Promise<void> {
    const { history, emulator } = this.#world;
    const present = new Set(history.all(databaseBranchResource).map(({ metadata }) => metadata.uid));
    for (const branch of this.#ledger.branches.values()) {
      const uid = this.#ledger.byTag.get(parseBranchId(branch.id)?.tag ?? '')?.uid;
      if (!branch.live || present.has(uid) || !this.#ledger.isRetained(branch)) continue;
      const ill = this.#ledger.ill(branch);
      if (ill !== undefined) this.tally.convict(ill);
      await emulator.byHand('DELETE', `projects/${branch.project}/branches/${branch.id}`);
    }
    await this.#judge();
  }

  /** Long enough for each token to be replaced once while nothing is wrong: none may die meanwhile. */
  async #soak(): Promise<void> {
    const begun = performance.now();
    while (performance.now() - begun < soakMs && !this.#isOver()) {
      await pause(500);
      await this.#judge();
      this.#convict(deadTokens(this.#world.history, new Date()));
    }
  }

  /** Everything is deleted; nothing of ours may be left, and everything that is not ours must be. */
  async farewell(): Promise<void> {
    if (this.#isOver()) return;
    await this.#settle();
    const { kube, history, emulator } = this.#world;
    const objects = history.all<DatabaseBranch>(databaseBranchResource);
    await Promise.all(
      objects.map(({ metadata }) => kube.remove(databaseBranchResource, metadata).catch(() => undefined)),
    );
    const begun = performance.now();
    let left: string[];
    do {
      await pause(500);
      await this.#judge();
      left = this.#leftovers();
    } while (left.length > 0 && performance.now() - begun < farewellDeadlineMs);
    await this.#tidy();
    this.#convict(left.map((each) => `left after ${farewellDeadlineMs / 1000} s: ${each}`));
    const live = new Set(
      (await emulator.branches())
        .filter(({ state }) => state !== 'DELETED')
        .map(({ project, id }) => `${project}/${id}`),
    );
    const theirs = [
      ...this.#ledger.handMade,
      ...projects.flatMap((project) => sources.map((id) => `${project}/${id}`)),
    ];
    this.#convict(theirs.filter((each) => !live.has(each)).map((each) => `branch ${each}, which is not ours, is gone`));
    await this.#searchLogs();
  }

  #leftovers(): string[] {
    const { history } = this.#world;
    const objects = history
      .all<DatabaseBranch>(databaseBranchResource)
      .map(({ metadata, status }) => `object ${keyOf(metadata)}: ${JSON.stringify(status?.conditions?.[0])}`);
    const namespaces = history
      .all<KubeObject>(namespaceResource)
      .filter(({ metadata }) => metadata.deletionTimestamp !== undefined)
      .map(({ metadata }) => `namespace ${metadata.name}`);
    const secrets = history
      .all<Secret>({ ...databaseBranchResource, plural: 'secrets' })
      .filter(isOurs)
      .map(({ metadata }) => `Secret ${keyOf(metadata)}`);
    const branches = [...this.#ledger.branches.values()]
      .filter(
        (branch) =>
          branch.facts.state !== 'DELETED' &&
          !this.#ledger.isRetained(branch) &&
          [...this.#ledger.byTag.keys()].some((tag) => branch.id.includes(`-${tag}-`)),
      )
      .map(({ id }) => `branch ${id}`);
    return [...objects, ...namespaces, ...secrets, ...branches];
  }

  async #searchLogs(): Promise<void> {
    const log = await this.#world.operators.logs();
    if (/eyJ[A-Za-z0-9_-]{10,}/.test(log)) this.tally.convict('a log of an operator shows a token');
    const odd = log
      .split('\n')
      .filter((line) => line !== '' && !line.startsWith('{') && !line.startsWith('lakebranch: '));
    if (odd.length > 0)
      this.tally.convict(`an operator ended in a way that it should not: ${odd.slice(0, 6).join(' / ')}`);
  }

  async end(): Promise<void> {
    this.tally.ended({ starts: this.#arena?.operators.starts ?? 0, forbidden: [...this.#ledger.forbidden.keys()] });
    if (this.tally.violations.length > 0 || this.tally.failed)
      await this.#arena?.saveLogs(this.#options.logs).catch(() => undefined);
    await this.#arena?.stop();
  }
}

/** What each object says of itself that is not being deleted. */
const statesOf = (history: History): string[] =>
  history
    .all<DatabaseBranch>(databaseBranchResource)
    .filter(({ metadata }) => metadata.deletionTimestamp === undefined)
    .map(({ status }) => findCondition(status?.conditions ?? [], 'Ready')?.reason ?? 'nothing');
