// One leader at a time, by a Lease. Validity is measured on the monotonic clock: a follower counts from when it saw a
// change, the leader from when it sent its last renewal, and another's renewTime is never compared with our own clock.
// Leadership is no lock on the outside world: every write to the provider must be repeatable all the same.
import { sleep, type Clock } from './clock.ts';
import {
  isAlreadyExists,
  isConflict,
  isNotFound,
  type CallOptions,
  type Kube,
  type KubeObject,
  type ResourceType,
} from './kube.ts';
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

/** Well beyond the deadline at which a leader gives up by itself. */
const wedgedMs = 35_000;

/** How leadership ended. After `lost` the process should end: the simplest fence. */
export type Ended = 'stopped' | 'lost';

export class Leader {
  readonly #options: Required<Omit<LeaderOptions, 'onError'>> & Pick<LeaderOptions, 'onError'>;
  #known: Lease | undefined;
  #seen = { spec: '', at: 0 };
  #renewedAt = -Infinity;
  #leading = false;
  #lost = false;

  constructor(options: LeaderOptions) {
    this.#options = { leaseMs: 15_000, renewDeadlineMs: 10_000, retryMs: 2_000, ...options };
    const { leaseMs, renewDeadlineMs, retryMs } = this.#options;
    if (leaseMs <= renewDeadlineMs || renewDeadlineMs <= retryMs * 1.2)
      throw new RangeError('leaseMs > renewDeadlineMs > 1.2 × retryMs must hold');
  }

  get leading(): boolean {
    return this.#leading;
  }

  /** Milliseconds since the last successful renewal was sent. */
  renewedMsAgo(): number {
    return this.#options.clock.monotonicMs() - this.#renewedAt;
  }

  /** It leads and has not renewed for so long that it should have given up: only a restart helps. */
  get wedged(): boolean {
    return this.#leading && this.renewedMsAgo() > wedgedMs;
  }

  /**
   * Waits for leadership, then runs `work` until it ends. The signal that `work` gets aborts as soon as `signal` does,
   * or when leadership is lost. While `work` comes to its end the Lease is still renewed; it is released only after.
   */
  async run(signal: AbortSignal, work: (signal: AbortSignal) => Promise<void>): Promise<Ended> {
    if (!(await this.#acquire(signal))) return 'stopped';
    const term = new AbortController();
    const onStop = (): void => term.abort(signal.reason);
    if (signal.aborted) onStop();
    signal.addEventListener('abort', onStop, { once: true });
    const renewing = new AbortController();
    const holding = this.#hold(renewing, term);
    try {
      await work(term.signal);
    } catch (error) {
      if (this.#leading) throw error;
      this.#options.onError?.(error);
    } finally {
      signal.removeEventListener('abort', onStop);
      renewing.abort(new Error('the work has ended'));
      await holding;
      await this.#end();
    }
    return this.#lost ? 'lost' : 'stopped';
  }

  async #acquire(signal: AbortSignal): Promise<boolean> {
    for (let attempt = 0; !signal.aborted; attempt++) {
      if (await this.#tryOnce(signal)) return true;
      await this.#pause(attempt, signal);
    }
    return false;
  }

  /** Renews until `renewing` aborts, which it does itself when the Lease is lost. */
  async #hold(renewing: AbortController, term: AbortController): Promise<void> {
    const { signal } = renewing;
    const lose = (why: string): void => {
      if (signal.aborted) return;
      this.#leading = false;
      this.#lost = true;
      term.abort(new Error(why));
      renewing.abort(new Error(why));
    };
    this.#leading = true;
    this.#lost = false;
    let disarm = this.#armFence(lose);
    for (let attempt = 0; !signal.aborted; attempt++) {
      await this.#pause(attempt, signal);
      const renewed = !signal.aborted && (await this.#tryOnce(signal));
      if (signal.aborted) break;
      if (renewed) {
        disarm();
        disarm = this.#armFence(lose);
      } else if (this.#heldByAnother()) lose(`the Lease is held by ${this.#known?.spec?.holderIdentity}`);
    }
    disarm();
  }

  /** A timer of its own, counted from when the last good renewal was sent: one stuck in flight must not extend it. */
  #armFence(lose: (why: string) => void): () => void {
    const { clock, renewDeadlineMs } = this.#options;
    const leftMs = Math.max(0, this.#renewedAt + renewDeadlineMs - clock.monotonicMs());
    return clock.after(leftMs, () => lose(`the Lease was not renewed for ${renewDeadlineMs} ms`));
  }

  async #end(): Promise<void> {
    if (this.#leading) await this.#release();
    this.#leading = false;
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
  async #tryOnce(signal: AbortSignal): Promise<boolean> {
    const { clock, renewDeadlineMs, onError } = this.#options;
    const sentAt = clock.monotonicMs();
    try {
      if (!(await this.#write(signal))) return false;
      // After a pause of the process the answer may be so old that somebody else leads by now.
      if (clock.monotonicMs() - sentAt >= renewDeadlineMs) return false;
      this.#renewedAt = sentAt;
      return true;
    } catch (error) {
      if (signal.aborted) return false;
      if (isConflict(error) || isNotFound(error)) this.#known = undefined;
      else if (!isAlreadyExists(error)) onError?.(error);
      return false;
    }
  }

  /** False when another holds the Lease. */
  async #write(signal: AbortSignal): Promise<boolean> {
    const { kube, namespace, name, identity, leaseMs, renewDeadlineMs } = this.#options;
    const options = { signal, timeoutMs: Math.floor(renewDeadlineMs / 2) };
    const renewTime = this.#microTime();
    const mine = { holderIdentity: identity, leaseDurationSeconds: Math.ceil(leaseMs / 1000), renewTime };
    const lease = this.#leading && this.#known ? this.#known : await this.#read(options);
    if (!lease) {
      const fresh: Lease = {
        metadata: { namespace, name },
        spec: { ...mine, acquireTime: renewTime, leaseTransitions: 0 },
      };
      this.#observe(await kube.create<Lease>(leases, fresh, options));
      return true;
    }
    const held = lease.spec?.holderIdentity === identity;
    if (!held && this.#stillValid(lease)) return false;
    const transition = held
      ? {}
      : { acquireTime: renewTime, leaseTransitions: (lease.spec?.leaseTransitions ?? 0) + 1 };
    this.#observe(
      await kube.replace<Lease>(leases, { ...lease, spec: { ...lease.spec, ...mine, ...transition } }, options),
    );
    return true;
  }

  async #read(options: CallOptions): Promise<Lease | undefined> {
    const { kube, namespace, name } = this.#options;
    try {
      const lease = await kube.get<Lease>(leases, { namespace, name }, options);
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
    const options = { timeoutMs: 2_000 };
    try {
      // Read again: the answer of a last renewal may be the one that was lost.
      const lease = await this.#read(options);
      if (lease?.spec?.holderIdentity !== identity) return;
      const spec = { ...lease.spec, holderIdentity: '', leaseDurationSeconds: 1, renewTime: this.#microTime() };
      await kube.replace<Lease>(leases, { ...lease, spec }, options);
    } catch (error) {
      onError?.(error);
    }
  }

  /** MicroTime wants six digits. */
  #microTime(): string {
    return this.#options.clock.now().toISOString().replace('Z', '000Z');
  }
}
