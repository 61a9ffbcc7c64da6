// Labels of namespaces, read by name: the operator may neither list nor watch them.
import { namespaceResource } from '../api/names.ts';
import type { Clock } from '../kit/clock.ts';
import type { Kube, KubeObject } from '../kit/kube.ts';

const readAgainMs = 10_000;

export class Namespaces {
  readonly #kube: Kube;
  readonly #clock: Clock;
  readonly #reads = new Map<string, { at: number; labels: Promise<Readonly<Record<string, string>>> }>();

  constructor(kube: Kube, clock: Clock) {
    this.#kube = kube;
    this.#clock = clock;
  }

  /** At most 10 s old. Throws KubeError or KubeUnreachable. */
  labels(name: string): Promise<Readonly<Record<string, string>>> {
    const now = this.#clock.monotonicMs();
    const known = this.#reads.get(name);
    if (known && now - known.at < readAgainMs) return known.labels;
    for (const [other, { at }] of this.#reads) if (now - at >= readAgainMs) this.#reads.delete(other);
    const labels = this.#kube
      .get<KubeObject>(namespaceResource, { name })
      .then(({ metadata }) => metadata.labels ?? {});
    labels.catch(() => this.#reads.delete(name));
    this.#reads.set(name, { at: now, labels });
    return labels;
  }
}
