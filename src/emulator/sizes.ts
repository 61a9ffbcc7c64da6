// How large the data of branches is. Counting it walks all their files, and clients ask for a branch many times a second
// while they wait for it, so an answer is good for a while.
import type { Clock } from '../kit/clock.ts';
import type { DataPlane } from './data-plane.ts';

const goodForMs = 10_000;

export class Sizes {
  readonly #clock: Clock;
  readonly #dataPlane: DataPlane;
  readonly #counted = new Map<string, { readonly atMs: number; readonly bytes: Promise<number | undefined> }>();

  constructor(clock: Clock, dataPlane: DataPlane) {
    this.#clock = clock;
    this.#dataPlane = dataPlane;
  }

  /** Bytes; undefined where the data plane cannot tell. */
  of(branchUid: string): Promise<number | undefined> {
    const nowMs = this.#clock.monotonicMs();
    for (const [uid, { atMs }] of this.#counted) if (nowMs - atMs >= goodForMs) this.#counted.delete(uid);
    const counted = this.#counted.get(branchUid);
    if (counted) return counted.bytes;
    const bytes = this.#dataPlane.sizeOf(branchUid).catch(() => undefined);
    this.#counted.set(branchUid, { atMs: nowMs, bytes });
    return bytes;
  }
}
