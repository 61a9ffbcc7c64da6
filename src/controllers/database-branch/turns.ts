// Whose token is renewed next when many are due at once: the one that dies soonest. A cache that may vanish at any time.

/** More of them at a time would only wait for the provider's budget of requests, in whatever order they came. */
const atOnce = 16;

/** A token that is due. */
export interface Due {
  readonly uid: string;
  /** Key of the object in the queue. */
  readonly key: string;
  /** Whose budget of requests the mint is taken from. */
  readonly workspace: string;
  readonly expireTime: Date;
  /** Ms until it may be tried again, after a failure. */
  readonly inMs: number;
}

interface Waiting extends Due {
  /** Monotonic ms. */
  readonly fromMs: number;
}

interface Line {
  /** Uids of those whose turn it is. */
  readonly minting: Set<string>;
  readonly waiting: Map<string, Waiting>;
}

export interface TurnsOptions {
  /** Monotonic ms. */
  readonly nowMs: () => number;
  /** Told of everybody who may go now and is not asking. */
  readonly wake: (key: string) => void;
}

/** One line per workspace. A turn lasts until the pass that uses it is over, however that went. */
export class Turns {
  readonly #options: TurnsOptions;
  readonly #lines = new Map<string, Line>();

  constructor(options: TurnsOptions) {
    this.#options = options;
  }

  /** Who is due by what was on record when this process began to lead; the first of them are woken at once. */
  expect(all: readonly Due[]): void {
    for (const due of all) this.#add(due);
    for (const line of this.#lines.values()) this.#next(line);
  }

  /** Whether the token may be renewed now. Whoever has to wait for others is woken when it may. */
  ask(due: Due): boolean {
    const line = this.#add(due);
    this.#next(line, due.uid);
    return line.minting.has(due.uid);
  }

  /** Call after each pass over an object. A turn that came too late for it is asked for again at the pass that it woke. */
  passed(uid: string): void {
    for (const line of this.#lines.values()) if (line.minting.delete(uid)) this.#next(line);
  }

  /** The object is gone. */
  forget(uid: string): void {
    for (const line of this.#lines.values()) line.waiting.delete(uid);
    this.passed(uid);
  }

  #add(due: Due): Line {
    let line = this.#lines.get(due.workspace);
    if (!line) this.#lines.set(due.workspace, (line = { minting: new Set(), waiting: new Map() }));
    if (!line.minting.has(due.uid)) line.waiting.set(due.uid, { ...due, fromMs: this.#options.nowMs() + due.inMs });
    return line;
  }

  #next({ minting, waiting }: Line, asking?: string): void {
    const nowMs = this.#options.nowMs();
    while (minting.size < atOnce) {
      const next = soonest(waiting, nowMs);
      if (!next) return;
      waiting.delete(next.uid);
      minting.add(next.uid);
      if (next.uid !== asking) this.#options.wake(next.key);
    }
  }
}

function soonest(waiting: ReadonlyMap<string, Waiting>, nowMs: number): Waiting | undefined {
  let first: Waiting | undefined;
  for (const due of waiting.values())
    if (due.fromMs <= nowMs && (!first || due.expireTime < first.expireTime)) first = due;
  return first;
}
