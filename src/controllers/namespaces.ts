// Namespaces, read by name: the operator may neither list nor watch them.
import { namespaceResource } from '../api/names.ts';
import type { Clock } from '../kit/clock.ts';
import { isNotFound, type Kube, type KubeObject } from '../kit/kube.ts';

const readAgainMs = 10_000;

export interface NamespaceSeen {
  readonly labels: Readonly<Record<string, string>>;
  readonly terminating: boolean;
}

export class Namespaces {
  readonly #kube: Kube;
  readonly #clock: Clock;
  readonly #reads = new Map<string, { at: number; seen: Promise<NamespaceSeen> }>();

  constructor(kube: Kube, clock: Clock) {
    this.#kube = kube;
    this.#clock = clock;
  }

  /**
   * At most 10 s old. A namespace that is gone counts as terminating: what is left of it has to be tidied up all the same.
   * Throws KubeError and KubeUnreachable.
   */
  read(name: string): Promise<NamespaceSeen> {
    const now = this.#clock.monotonicMs();
    const known = this.#reads.get(name);
    if (known && now - known.at < readAgainMs) return known.seen;
    for (const [other, { at }] of this.#reads) if (now - at >= readAgainMs) this.#reads.delete(other);
    const seen = this.#fetch(name);
    seen.catch(() => this.#reads.delete(name));
    this.#reads.set(name, { at: now, seen });
    return seen;
  }

  async #fetch(name: string): Promise<NamespaceSeen> {
    try {
      const { metadata } = await this.#kube.get<KubeObject>(namespaceResource, { name });
      return { labels: metadata.labels ?? {}, terminating: metadata.deletionTimestamp !== undefined };
    } catch (error) {
      if (isNotFound(error)) return { labels: {}, terminating: true };
      throw error;
    }
  }
}
