// One leader at a time, by a Lease. Validity is measured on the monotonic clock: a follower counts from when it saw a
// change, the leader from when it sent its last renewal, and another's renewTime is never compared with our own clock.
// Leadership is no lock on the outside world: every write to the provider must be repeatable all the same.
import { sleep, type Clock } from './clock.ts';
import { isAlreadyExists, isConflict, isNotFound, type Kube, type KubeObject, type ResourceType } from './kube.ts';
import { shareOf } from './spread.ts';

const leases: ResourceType = {
  group: 'coordination.k8s.io',
  version: 'v1',
  plural: 'leases',
  kind: 'Lease',
  namespaced: true,
};

interface Lease extends KubeObject {
  spec?: {
    holderIdentity?: string;
    leaseDurationSeconds?: number;
    acquireTime?: string;
    renewTime?: string;
    leaseTransitions?: number;
  };
}

export interface LeaderOptions {
  readonly kube: Kube;
  readonly clock: Clock;
  readonly namespace: string;
  readonly name: string;
  /** Unique among the candidates. */
  readonly identity: string;
  /** client-go's numbers: a follower takes over 15 s after the last renewal it saw. */
  readonly leaseMs?: number;
  /** The leader gives up when its last successful renewal was sent so long ago. */
  readonly renewDeadlineMs?: number;
  readonly retryMs?: number;
  readonly onError?: (error: unknown) => void;
}

/** How leadership ended. After `lost` the process should end: the simplest fence. */
export type Ended = 'stopped' | 'lost';

export class Leader {
  readonly #options: Required<Omit<LeaderOptions, 'onError'>> & Pick<LeaderOptions, 'onError'>;
  #known: Lease | undefined;
  #seen = { spec: '', at: 0 };
  #renewedAt = -Infinity;
  #leading = false;

  constructor(options: LeaderOptions) {
    this.#options = { leaseMs: 15_000, renewDeadlineMs: 10_000, retryMs: 2_000, ...options };
    const { leaseMs, renewDeadlineMs, retryMs } = this.#options;
    if (leaseMs <= renewDeadlineMs || renewDeadlineMs <= retryMs * 1.2)
      throw new RangeError('leaseMs > renewDeadlineMs > 1.2 × retryMs must hold');
  }

  get leading(): boolean {
    return this.#leading;
  }

  /** Milliseconds since the last successful renewal was sent; for the health check of a leader. */
  renewedMsAgo(): number {
    return this.#options.clock.monotonicMs() - this.#renewedAt;
  }

  /**
   * Waits for leadership, then runs `work` until it is lost or `signal` aborts. The signal that `work` gets aborts
   * first; the Lease is released only after `work` has stopped.
   */
  async run(signal: AbortSignal, work: (signal: AbortSignal) => Promise<void>): Promise<Ended> {
    if (!(await this.#acquire(signal))) return 'stopped';
    this.#leading = true;
    const term = new AbortController();
    const fence = this.#fence(() => term.abort(new Error('the Lease was not renewed in time')));
    const working = work(term.signal);
    // A failure of the work ends the term; it is thrown below, after the Lease was seen to.
    working.catch((error: unknown) => term.abort(error));
    await this.#hold(signal, term, fence.arm);
    fence.cancel();
    this.#leading = false;
    if (!term.signal.aborted) term.abort(new Error('leadership ends'));
    await working.finally(() => (signal.aborted ? this.#release() : undefined));
    return signal.aborted ? 'stopped' : 'lost';
  }

  async #acquire(signal: AbortSignal): Promise<boolean> {
    for (let attempt = 0; !signal.aborted; attempt++) {
      if (await this.#tryOnce()) return true;
      await this.#pause(attempt, signal);
    }
    return false;
  }

  async #hold(signal: AbortSignal, term: AbortController, renewed: () => void): Promise<void> {
    const either = AbortSignal.any([signal, term.signal]);
    for (let attempt = 0; ; attempt++) {
      await this.#pause(attempt, either);
      if (either.aborted) return;
      if (await this.#tryOnce()) renewed();
      else if (this.#heldByAnother()) return;
    }
  }

  // A timer of its own: a renewal that is stuck in flight must not keep us leading.
  #fence(onDeadline: () => void): { arm: () => void; cancel: () => void } {
    const { clock, renewDeadlineMs } = this.#options;
    let cancel = (): void => {};
    const arm = (): void => {
      cancel();
      cancel = clock.after(Math.max(0, this.#renewedAt + renewDeadlineMs - clock.monotonicMs()), onDeadline);
    };
    arm();
    return { arm, cancel: () => cancel() };
  }

  async #pause(attempt: number, signal: AbortSignal): Promise<void> {
    const { clock, retryMs, identity } = this.#options;
    await sleep(clock, retryMs * (1 + 0.2 * shareOf(`${identity}/${attempt}`)), signal).catch(() => {});
  }

  #heldByAnother(): boolean {
    const holder = this.#known?.spec?.holderIdentity;
    return holder !== undefined && holder !== '' && holder !== this.#options.identity;
  }

  /** One attempt to become or stay leader. */
  async #tryOnce(): Promise<boolean> {
    const { clock, onError } = this.#options;
    const sentAt = clock.monotonicMs();
    try {
      if (!(await this.#write())) return false;
      this.#renewedAt = sentAt;
      return true;
    } catch (error) {
      if (isConflict(error) || isNotFound(error)) this.#known = undefined;
      else if (!isAlreadyExists(error)) onError?.(error);
      return false;
    }
  }

  async #write(): Promise<boolean> {
    const { kube, namespace, name, identity, leaseMs, renewDeadlineMs } = this.#options;
    const timeoutMs = Math.floor(renewDeadlineMs / 2);
    const renewTime = this.#microTime();
    const mine = { holderIdentity: identity, leaseDurationSeconds: Math.ceil(leaseMs / 1000), renewTime };
    const lease = this.#leading && this.#known ? this.#known : await this.#read(timeoutMs);
    if (!lease) {
      const fresh: Lease = {
        metadata: { namespace, name },
        spec: { ...mine, acquireTime: renewTime, leaseTransitions: 0 },
      };
      this.#observe(await kube.create<Lease>(leases, fresh, { timeoutMs }));
      return true;
    }
    const held = lease.spec?.holderIdentity === identity;
    if (!held && this.#stillValid(lease)) return false;
    const transition = held
      ? {}
      : { acquireTime: renewTime, leaseTransitions: (lease.spec?.leaseTransitions ?? 0) + 1 };
    this.#observe(
      await kube.replace<Lease>(leases, { ...lease, spec: { ...lease.spec, ...mine, ...transition } }, { timeoutMs }),
    );
    return true;
  }

  async #read(timeoutMs: number): Promise<Lease | undefined> {
    const { kube, namespace, name } = this.#options;
    try {
      const lease = await kube.get<Lease>(leases, { namespace, name }, { timeoutMs });
      this.#observe(lease);
      return lease;
    } catch (error) {
      if (isNotFound(error)) return undefined;
      throw error;
    }
  }

  #stillValid({ spec }: Lease): boolean {
    if (!spec?.holderIdentity) return false;
    const durationMs =
      spec.leaseDurationSeconds === undefined ? this.#options.leaseMs : spec.leaseDurationSeconds * 1000;
    return this.#options.clock.monotonicMs() < this.#seen.at + durationMs;
  }

  #observe(lease: Lease): void {
    const spec = JSON.stringify(lease.spec);
    if (spec !== this.#seen.spec) this.#seen = { spec, at: this.#options.clock.monotonicMs() };
    this.#known = lease;
  }

  /** Best effort: without it the next leader waits for the Lease to run out. */
  async #release(): Promise<void> {
    const { kube, identity, onError } = this.#options;
    const lease = this.#known;
    if (lease?.spec?.holderIdentity !== identity) return;
    const spec = { ...lease.spec, holderIdentity: '', leaseDurationSeconds: 1, renewTime: this.#microTime() };
    await kube
      .replace<Lease>(leases, { ...lease, spec }, { timeoutMs: 2_000 })
      .catch((error: unknown) => onError?.(error));
  }

  /** MicroTime wants six digits. */
  #microTime(): string {
    return this.#options.clock.now().toISOString().replace('Z', '000Z');
  }
}
