// Stands between one process of the operator and the world: counts what is in flight, and lets the process die.
import type { Clock } from '../../src/kit/clock.ts';
import { KubeUnreachable, type Kube } from '../../src/kit/kube.ts';
import { TransportError, type Transport } from '../../src/lakebase/transport.ts';

/**
 * The n-th write (from 1) to API server or provider:
 * - `before`      the process dies before it takes effect
 * - `after`       the process dies after it took effect
 * - `answerLost`  it takes effect, its answer never arrives, the process lives on
 */
export interface KillPoint {
  readonly write: number;
  readonly how: 'before' | 'after' | 'answerLost';
}

export interface Fence {
  readonly kube: Kube;
  readonly transport: Transport;
  /** Timers of a dead process do not run. */
  clock(clock: Clock): Clock;
  track<T>(call: () => Promise<T>): Promise<T>;
  kill(): void;
  onKill: () => void;
  /** Writes so far. */
  readonly writes: number;
  readonly dead: boolean;
}

/** All processes of one scenario. */
export class Fences {
  inFlight = 0;
  activity = 0;

  around(kube: Kube, transport: Transport, killAt?: KillPoint): Fence {
    return new ProcessFence(this, kube, transport, killAt);
  }
}

/** Nothing that a dead process waits for ever comes back to it. */
const never = <T>(): Promise<T> => new Promise<T>(() => {});

class ProcessFence implements Fence {
  readonly kube: Kube;
  readonly transport: Transport;
  readonly #all: Fences;
  readonly #killAt: KillPoint | undefined;
  writes = 0;
  dead = false;
  onKill = (): void => {};

  constructor(all: Fences, kube: Kube, transport: Transport, killAt: KillPoint | undefined) {
    this.#all = all;
    this.#killAt = killAt;
    this.kube = this.#fenced(kube);
    this.transport = (request, signal) => {
      const call = (): Promise<Awaited<ReturnType<Transport>>> => transport(request, signal);
      const isWrite = request.method !== 'GET' && !request.url.includes('/oidc/');
      return isWrite
        ? this.#write(call, () => new TransportError('reset', 'the connection was closed'))
        : this.track(call);
    };
  }

  clock(clock: Clock): Clock {
    return {
      now: () => clock.now(),
      monotonicMs: () => clock.monotonicMs(),
      after: (ms, run) => clock.after(ms, () => (this.dead ? undefined : run())),
    };
  }

  async track<T>(call: () => Promise<T>): Promise<T> {
    if (this.dead) return never();
    this.#all.inFlight += 1;
    this.#all.activity += 1;
    try {
      return await call();
    } finally {
      this.#all.inFlight -= 1;
      this.#all.activity += 1;
      // The answer of a call that was under way when the process died reaches nobody.
      if (this.dead) await never();
    }
  }

  kill(): void {
    this.dead = true;
  }

  async #write<T>(call: () => Promise<T>, lost: () => Error): Promise<T> {
    if (this.dead) return never();
    this.writes += 1;
    if (this.writes !== this.#killAt?.write) return this.track(call);
    if (this.#killAt.how === 'before') return this.#die();
    await this.track(call).catch(() => undefined);
    if (this.#killAt.how === 'answerLost') throw lost();
    return this.#die();
  }

  #die<T>(): Promise<T> {
    this.dead = true;
    this.onKill();
    return never();
  }

  #fenced(kube: Kube): Kube {
    const read =
      <A extends unknown[], R>(method: (...args: A) => Promise<R>) =>
      (...args: A): Promise<R> =>
        this.track(() => method.apply(kube, args));
    const write =
      <A extends unknown[], R>(method: (...args: A) => Promise<R>) =>
      (...args: A): Promise<R> =>
        this.#write(
          () => method.apply(kube, args),
          () => new KubeUnreachable('the connection was closed'),
        );
    return {
      get: read(kube.get) as Kube['get'],
      list: read(kube.list) as Kube['list'],
      watch: (type, options) => kube.watch(type, options),
      create: write(kube.create) as Kube['create'],
      replace: write(kube.replace) as Kube['replace'],
      apply: write(kube.apply) as Kube['apply'],
      mergePatch: write(kube.mergePatch) as Kube['mergePatch'],
      remove: write(kube.remove),
      clockOffsetMs: () => kube.clockOffsetMs(),
    };
  }
}
