// What happened, in order: for tests that ask what the world went through, and for a person at the admin route.
import type { Instant } from './state.ts';

export interface JournalEntry {
  readonly at: Date;
  /** Like `branch.create`, `branch.ready`, `branch.delete`, `branch.expire`, `role.create`, `credential.mint`, `login.refused`, `token.exchange`. */
  readonly what: string;
  /** Name of the resource. */
  readonly name: string;
  readonly uid?: string;
  /** Principal who asked for it; absent when the service did it by itself. */
  readonly by?: string;
  readonly why?: string;
}

/** Enough for the longest test; a bound, because an emulator may run for weeks. */
const most = 100_000;

export class Journal {
  #entries: JournalEntry[] = [];
  readonly #requests = new Map<string, number>();

  note(at: Instant, entry: Omit<JournalEntry, 'at'>): void {
    if (this.#entries.length >= most) this.#entries = this.#entries.slice(most / 2);
    this.#entries.push({ at: new Date(at), ...entry });
  }

  /** Counts a request under the pattern of its route. */
  count(route: string): void {
    this.#requests.set(route, (this.#requests.get(route) ?? 0) + 1);
  }

  entries(): readonly JournalEntry[] {
    return this.#entries;
  }

  requests(): Readonly<Record<string, number>> {
    return Object.fromEntries(this.#requests);
  }
}
