// Trouble on demand. Two kinds: how the service behaves from now on (`Behaviour`), and what happens to the next
// requests that match a pattern (`Fault`). Neither is kept over a restart.
import { isErrorName, type ErrorVariants } from './errors.ts';
import { documentedLimits, type Limits } from './limits.ts';

export interface Behaviour {
  /** Added to every instant the service names or compares with, the Date header included. */
  readonly clockSkewMs: number;
  /** How long a new branch stays INIT at least. */
  readonly initMs: number;
  /** How long every other change takes at least. */
  readonly operationMs: number;
  /** How long a DELETE takes until the resource is gone. */
  readonly deleteMs: number;
  /** How long an endpoint keeps `pending_state`, and refuses changes, after its operation is done. */
  readonly settleMs: number;
  /** Operations say `done: false` in their first n answers to GET, whatever is true. */
  readonly operationPolls: number;
  /** The answer to a change waits for it and already says `done: true`. */
  readonly operationsDoneAtOnce: boolean;
  /** The operation of a branch create is done while the branch is still INIT. */
  readonly doneBeforeReady: boolean;
  /** Operations of branch creates fail, and the branch stays INIT. */
  readonly createFails: boolean;
  /** GET of a branch says 404 for so long after its create; lists leave it out. */
  readonly notFoundAfterCreateMs: number;
  /** DELETE of a branch in INIT is answered with success and has no effect. */
  readonly deleteIgnoredDuringInit: boolean;
  /** Logins are refused for so long after a branch became READY. */
  readonly loginRefusedMs: number;
  /** Database tokens live no longer than this, whatever was asked; seconds. Null: as asked. */
  readonly grantedSeconds: number | null;
  /** From when a `ttl` in a change of a branch counts. The documents say creation. */
  readonly ttlOnUpdateCountsFrom: 'creation' | 'now';
  /** A `source_branch_time` without seconds and fraction is answered with 500. */
  readonly wholeMinuteFails: boolean;
  /** A `source_branch_time` is moved back to a multiple of this, as the service was seen to do by 12 s once. */
  readonly sourceTimeSnapMs: number;
  /** Whether a database token opens every branch where its role exists, as documented, or only its endpoint's. */
  readonly tokenScope: 'workspace' | 'endpoint';
  /** Where two changes at a time are refused as conflicting. */
  readonly conflicts: 'branch' | 'project' | 'never';
  /** Items of a page when none are asked for, and at most. */
  readonly pageSize: number;
  readonly limits: Limits;
  readonly variants: ErrorVariants;
}

export const ordinaryBehaviour: Behaviour = {
  clockSkewMs: 0,
  initMs: 0,
  operationMs: 0,
  deleteMs: 0,
  settleMs: 0,
  operationPolls: 0,
  operationsDoneAtOnce: false,
  doneBeforeReady: false,
  createFails: false,
  notFoundAfterCreateMs: 0,
  deleteIgnoredDuringInit: false,
  loginRefusedMs: 0,
  grantedSeconds: null,
  ttlOnUpdateCountsFrom: 'creation',
  wholeMinuteFails: true,
  sourceTimeSnapMs: 0,
  tokenScope: 'workspace',
  conflicts: 'branch',
  pageSize: 100,
  limits: documentedLimits,
  variants: {},
};

/** What happens to a request that a fault meets. */
export type Trouble =
  /** Answered so, without looking at the request. `body` replaces the error body, for pages that are no JSON. */
  | {
      readonly kind: 'answer';
      readonly status: number;
      readonly errorCode?: string | undefined;
      readonly message?: string | undefined;
      readonly retryAfterSeconds?: number | undefined;
      readonly body?: string | undefined;
      readonly contentType?: string | undefined;
    }
  /** Carried out, then answered with 500: "it failed but it landed". */
  | { readonly kind: 'failAfter'; readonly status?: number | undefined }
  /** Carried out, then the connection breaks. */
  | { readonly kind: 'loseAnswer' }
  /** The connection breaks before anything is done. */
  | { readonly kind: 'loseRequest' }
  /** Answered late. */
  | { readonly kind: 'delay'; readonly ms: number };

export interface Fault {
  /** Any method when absent. */
  readonly method?: string | undefined;
  /** Of the path without query; `*` stands for one segment, `**` for any number. Any path when absent. */
  readonly path?: string | undefined;
  /** How many requests it meets; absent: until cleared. */
  readonly times?: number | undefined;
  readonly trouble: Trouble;
}

export class Faults {
  readonly #initial: Behaviour;
  #behaviour: Behaviour;
  #waiting: { fault: Fault; left: number }[] = [];
  readonly #onChange: () => void;

  /** `onChange` runs after every change of behaviour: timers may have to be set anew. */
  constructor(initial: Behaviour, onChange: () => void) {
    this.#initial = initial;
    this.#behaviour = initial;
    this.#onChange = onChange;
  }

  get behaviour(): Behaviour {
    return this.#behaviour;
  }

  /** Changes the named parts; limits and variants are merged row by row. */
  set(change: BehaviourChange): void {
    const { limits, variants, ...rest } = change;
    const unknown = Object.keys(variants ?? {}).find((name) => !isErrorName(name));
    if (unknown !== undefined) throw new Error(`variants: there is no error named ${unknown}`);
    this.#behaviour = {
      ...this.#behaviour,
      ...given(rest),
      limits: { ...this.#behaviour.limits, ...given(limits ?? {}) },
      variants: { ...this.#behaviour.variants, ...variants },
    };
    this.#onChange();
  }

  /** Adds a fault; the returned function takes it away again. Earlier faults come first. */
  inject(fault: Fault): () => void {
    const waiting = { fault, left: fault.times ?? Infinity };
    this.#waiting.push(waiting);
    return () => {
      this.#waiting = this.#waiting.filter((other) => other !== waiting);
    };
  }

  /** Back to the behaviour of the settings, without faults. */
  clear(): void {
    this.#waiting = [];
    this.#behaviour = this.#initial;
    this.#onChange();
  }

  /** The trouble this request meets, if any; counts it. */
  take(method: string, path: string): Trouble | undefined {
    const hit = this.#waiting.find(({ fault, left }) => left > 0 && meets(fault, method, path));
    if (!hit) return undefined;
    hit.left -= 1;
    if (hit.left <= 0) this.#waiting = this.#waiting.filter((other) => other !== hit);
    return hit.fault.trouble;
  }
}

type Some<T> = { readonly [Key in keyof T]?: T[Key] | undefined };

/** The parts to change; what is undefined stays as it is. */
export type BehaviourChange = Some<Omit<Behaviour, 'limits'>> & { readonly limits?: Some<Limits> | undefined };

const given = <T extends object>(change: Some<T>): Partial<T> =>
  Object.fromEntries(Object.entries(change).filter(([, value]) => value !== undefined)) as Partial<T>;

function meets(fault: Fault, method: string, path: string): boolean {
  if (fault.method !== undefined && fault.method.toUpperCase() !== method) return false;
  return fault.path === undefined || patternOf(fault.path).test(path);
}

function patternOf(glob: string): RegExp {
  const escaped = glob.replace(/[.+?^${}()|[\]\\]/g, '\\$&');
  return new RegExp(`^${escaped.replace(/\*\*|\*/g, (star) => (star === '**' ? '.*' : '[^/]*'))}$`);
}
