// How often to look while something is in transition: learned, so that few looks find the end soon after it happened.

/** What a person repairs elsewhere (a Secret, a label, a branch at the provider) wakes nobody, so it is looked for. */
export const idleMs = 60_000;
/** A request that may be repeated, and whose effect is not seen, is repeated this often. */
export const askAgainMs = 10_000;
/** A DELETE during INIT may be ignored by the provider: it is sent again so often. */
export const deleteAgainMs = 10_000;

/** Without history: steps that grow by a quarter, from 100 ms. With it: one look at the usual time, then 5 % steps. */
export function nextLookMs(waitedMs: number, usualMs: number | undefined): number {
  const step =
    usualMs !== undefined && waitedMs < usualMs ? usualMs - waitedMs : waitedMs * (usualMs === undefined ? 0.25 : 0.05);
  return Math.min(1000, Math.max(usualMs === undefined ? 100 : 50, step));
}

/** Remembers how long the last changes of each kind took, per workspace; bounded, and may vanish at any time. */
export class Pace {
  readonly #last = new Map<string, number[]>();

  note(kind: string, tookMs: number): void {
    const times = this.#last.get(kind) ?? [];
    times.push(tookMs);
    if (times.length > 15) times.shift();
    this.#last.set(kind, times);
  }

  usualMs(kind: string): number | undefined {
    const times = [...(this.#last.get(kind) ?? [])].sort((a, b) => a - b);
    return times.length === 0 ? undefined : times[Math.floor(times.length / 2)];
  }
}
