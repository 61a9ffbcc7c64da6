// Long-running operations: every change answers with one, and goes on behind it. Also the place where two changes that
// exclude each other are told apart.
import { Refusal, answerTo } from './errors.ts';
import { newTraceId, newUuid } from './random.ts';
import { entry, type OperationKind, type OperationRecord } from './state.ts';
import type { Json } from './masks.ts';
import type { Workspace } from './workspace.ts';

export interface Change {
  /** Full name of the resource that changes. */
  readonly resource: string;
  readonly kind: OperationKind;
  readonly projectId: string;
  /** Absent for a change of the project itself. */
  readonly branchUid?: string;
  /** False for changes of a branch as a whole: they exclude others only where conflicts count per project. */
  readonly exclusive: boolean;
  /** Does it; resolves with the changed resource, or with undefined after a delete. */
  run(): Promise<Json | undefined>;
}

const typePrefix = 'type.googleapis.com/databricks.postgres.v1.';
const empty: Json = { '@type': 'type.googleapis.com/google.protobuf.Empty' };

/** Finished operations stay readable, but not for ever: the state is written as a whole. */
const finishedKept = 1000;

export class Operations {
  readonly #workspace: Workspace;
  readonly #held = new Set<string>();
  readonly #polls = new Map<string, number>();
  readonly #finished = new Map<string, Promise<void>>();

  constructor(workspace: Workspace) {
    this.#workspace = workspace;
  }

  /** Starts a change and names its operation. Refuses if one that excludes it is under way. */
  start(change: Change): OperationRecord {
    const { random, state } = this.#workspace;
    const locks = this.#locksOf(change);
    if (locks.some((lock) => this.#held.has(lock))) throw new Refusal('conflictingOperations');
    for (const lock of locks) this.#held.add(lock);
    const record: OperationRecord = {
      name: `${change.resource}/operations/${newUuid(random)}`,
      kind: change.kind,
      startedAt: this.#workspace.now(),
      done: false,
    };
    state.operations[record.name] = record;
    void this.#follow(record, () => change.run()).finally(() => {
      for (const lock of locks) this.#held.delete(lock);
    });
    this.#workspace.changed();
    return record;
  }

  /** Does what a former process began under an operation of this resource, and finishes that operation with it. */
  async takeUp(resource: string, run: Change['run']): Promise<void> {
    const unfinished = Object.values(this.#workspace.state.operations).filter(
      ({ name, done }) => !done && name.startsWith(`${resource}/operations/`),
    );
    const record = unfinished.at(-1);
    if (record) await this.#follow(record, run);
    else await run();
  }

  #follow(record: OperationRecord, run: Change['run']): Promise<void> {
    const finished = this.#run(record, run).finally(() => this.#finished.delete(record.name));
    this.#finished.set(record.name, finished);
    return finished;
  }

  /** An operation as GET answers it; undefined when there is none of that name. Counts as a poll. */
  poll(name: string): Json | undefined {
    const record = entry(this.#workspace.state.operations, name);
    if (!record) return undefined;
    const polls = (this.#polls.get(name) ?? 0) + 1;
    this.#polls.set(name, polls);
    const hidden = polls <= this.#workspace.faults.behaviour.operationPolls;
    return view(hidden ? { ...record, done: false } : record);
  }

  /** The answer to the request that started it. */
  async answer(record: OperationRecord): Promise<Json> {
    const seen = view(record);
    if (!this.#workspace.faults.behaviour.operationsDoneAtOnce) return seen;
    await this.#finished.get(record.name);
    return view(record);
  }

  /** Ends what a former process left unfinished: nobody else will. */
  abortUnfinished(): void {
    const { state } = this.#workspace;
    for (const record of Object.values(state.operations)) {
      if (!record.done) this.#fail(record, new Refusal('aborted', { why: 'the emulator was restarted' }));
    }
  }

  /** Resolves when nothing is under way any more. */
  async idle(): Promise<void> {
    while (this.#finished.size > 0) await Promise.all(this.#finished.values());
  }

  async #run(record: OperationRecord, run: Change['run']): Promise<void> {
    try {
      const result = await run();
      record.response = result ? { '@type': `${typePrefix}${record.kind}`, ...result } : empty;
      record.done = true;
    } catch (error) {
      // A stopped emulator leaves it for the next process to take up.
      if (this.#workspace.lifecycle.stopped) return;
      this.#fail(record, error);
    }
    this.#prune();
    this.#workspace.changed();
  }

  #fail(record: OperationRecord, error: unknown): void {
    const { random, faults, log } = this.#workspace;
    if (!(error instanceof Refusal)) log('operation failed', { operation: record.name, error: String(error) });
    const refusal = error instanceof Refusal ? error : new Refusal('internal');
    const { body } = answerTo(refusal, newTraceId(random), faults.behaviour.variants);
    record.error = { ...body, details: [...body.details] };
    record.done = true;
  }

  #locksOf(change: Change): string[] {
    const { conflicts } = this.#workspace.faults.behaviour;
    if (conflicts === 'project') return [change.projectId];
    return conflicts === 'branch' && change.exclusive && change.branchUid !== undefined ? [change.branchUid] : [];
  }

  #prune(): void {
    const { operations } = this.#workspace.state;
    const names = Object.keys(operations);
    for (const name of names.slice(0, Math.max(0, names.length - finishedKept))) {
      if (!operations[name]?.done) continue;
      delete operations[name];
      this.#polls.delete(name);
    }
  }
}

/** `done` always stands there; `response` and `error` only in a finished one, and never both. */
function view(record: OperationRecord): Json {
  return {
    name: record.name,
    metadata: { '@type': `${typePrefix}${record.kind}OperationMetadata` },
    done: record.done,
    ...(record.done && record.response ? { response: record.response } : {}),
    ...(record.done && record.error ? { error: record.error } : {}),
  };
}
