// When an endpoint was last used, and when it is time to let it sleep. Goes by the emulator's clock, so that tests
// need not wait.
import type { Clock } from '../../kit/clock.ts';

export class Activity {
  readonly #clock: Clock;
  readonly #onIdle: () => void;
  #sessions = 0;
  #state: 'ACTIVE' | 'IDLE';
  #lastActive: Date | undefined;
  #suspendSeconds: number | undefined;
  #cancelTimer: () => void = () => undefined;

  /** `onIdle` is called whenever the endpoint falls asleep. */
  constructor(clock: Clock, state: 'ACTIVE' | 'IDLE', onIdle: () => void) {
    this.#clock = clock;
    this.#state = state;
    this.#onIdle = onIdle;
  }

  get state(): 'ACTIVE' | 'IDLE' {
    return this.#state;
  }

  /** While sessions are open that is now. */
  get lastActive(): Date | undefined {
    return this.#sessions > 0 ? this.#clock.now() : this.#lastActive;
  }

  /** A session begins; the returned function ends it. */
  begin(): () => void {
    this.#sessions += 1;
    this.touch();
    let open = true;
    return () => {
      if (!open) return;
      open = false;
      this.#sessions -= 1;
      this.touch();
    };
  }

  /** Something was done that needs the compute. The time until sleep begins anew. */
  touch(): void {
    this.#state = 'ACTIVE';
    this.#lastActive = this.#clock.now();
    this.#arm();
  }

  /** Seconds without sessions until sleep; undefined means never. */
  setSuspend(seconds: number | undefined): void {
    this.#suspendSeconds = seconds;
    this.#arm();
  }

  /** No further call of `onIdle`. */
  stop(): void {
    this.#cancelTimer();
    this.#suspendSeconds = undefined;
  }

  #arm(): void {
    this.#cancelTimer();
    if (this.#state === 'IDLE' || this.#sessions > 0 || this.#suspendSeconds === undefined) return;
    this.#cancelTimer = this.#clock.after(this.#suspendSeconds * 1000, () => {
      this.#state = 'IDLE';
      this.#onIdle();
    });
  }
}
