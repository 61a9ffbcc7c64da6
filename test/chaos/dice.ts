// A repeatable stream of choices: the same seed, the same run.

export class Dice {
  #state: number;

  constructor(seed: number) {
    // Neighbouring seeds must not begin alike, and xorshift never leaves 0.
    this.#state = Math.imul(seed ^ 0x9e37_79b9, 0x85eb_ca6b) >>> 0 || 1;
    for (let warm = 0; warm < 8; warm++) this.#next();
  }

  /** xorshift32. */
  #next(): number {
    this.#state ^= this.#state << 13;
    this.#state ^= this.#state >>> 17;
    this.#state ^= this.#state << 5;
    return this.#state >>> 0;
  }

  /** 0 … sides − 1. */
  roll(sides: number): number {
    return this.#next() % sides;
  }

  /** Both ends included. */
  between(least: number, most: number): number {
    return least + this.roll(most - least + 1);
  }

  /** True in `percent` of 100 cases. */
  chance(percent: number): boolean {
    return this.roll(100) < percent;
  }

  /** Undefined only for an empty list. */
  pick<T>(list: readonly T[]): T | undefined {
    return list[this.roll(Math.max(1, list.length))];
  }

  /** One of the items, each as likely as its weight says; undefined only for an empty list. */
  weighted<T extends { readonly weight: number }>(list: readonly T[]): T | undefined {
    let left = this.roll(
      Math.max(
        1,
        list.reduce((sum, { weight }) => sum + weight, 0),
      ),
    );
    for (const item of list) {
      left -= item.weight;
      if (left < 0) return item;
    }
    return undefined;
  }
}
