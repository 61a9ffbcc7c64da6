// Whether whoever shows a bearer token may read a path of ours, as the API server sees it: TokenReview says who it is,
// SubjectAccessReview what they may. Fails closed: what cannot be asked is not allowed.
import { createHash } from 'node:crypto';
import type { Clock } from './clock.ts';
import type { Kube, KubeObject, ResourceType } from './kube.ts';

export type Verdict = 'allowed' | 'unauthenticated' | 'forbidden';

export interface AccessOptions {
  readonly kube: Pick<Kube, 'create'>;
  readonly clock: Clock;
  /** Of the path, like `/metrics`. */
  readonly path: string;
}

const reviewOf = (group: string, plural: string, kind: string): ResourceType => ({
  group,
  version: 'v1',
  plural,
  kind,
  namespaced: false,
});
const tokenReviews = reviewOf('authentication.k8s.io', 'tokenreviews', 'TokenReview');
const accessReviews = reviewOf('authorization.k8s.io', 'subjectaccessreviews', 'SubjectAccessReview');

interface UserInfo {
  readonly username?: string;
  readonly uid?: string;
  readonly groups?: readonly string[];
  readonly extra?: Readonly<Record<string, readonly string[]>>;
}

interface TokenReview extends KubeObject {
  spec: { token: string };
  status?: { authenticated?: boolean; user?: UserInfo };
}

interface AccessReview extends KubeObject {
  spec: {
    user: string;
    uid?: string;
    groups?: readonly string[];
    extra?: Readonly<Record<string, readonly string[]>>;
    nonResourceAttributes: { path: string; verb: string };
  };
  status?: { allowed?: boolean; denied?: boolean };
}

/** A scraper comes every 15 to 60 s with the same token; a right that was taken away ends within this. */
const allowedMs = 60_000;
/** A right that was just granted counts within this. */
const refusedMs = 10_000;
/** Of each sort. */
const mostRemembered = 100;
/** Whoever floods us with made-up tokens shall not flood the API server. */
const mostAtOnce = 8;
const timeoutMs = 5_000;

interface Said {
  readonly verdict: Verdict;
  readonly untilMs: number;
}

export class Access {
  readonly #options: AccessOptions;
  /** Hash of the token → what was said of it. Apart, so that made-up tokens do not push out those that are allowed. */
  readonly #allowed = new Map<string, Said>();
  readonly #refused = new Map<string, Said>();
  readonly #asking = new Map<string, Promise<Verdict>>();

  constructor(options: AccessOptions) {
    this.#options = options;
  }

  /** May `get` the path. Throws KubeError or KubeUnreachable if the API server could not be asked, Error if too many ask. */
  async of(token: string): Promise<Verdict> {
    const key = createHash('sha256').update(token).digest('base64');
    const known = this.#allowed.get(key);
    const said = known ?? this.#refused.get(key);
    if (said && said.untilMs > this.#options.clock.monotonicMs()) return said.verdict;
    const running = this.#asking.get(key);
    if (running) return running;
    // Whoever was let in before is no flood.
    if (!known && this.#asking.size >= mostAtOnce)
      throw new Error(`${mostAtOnce} other tokens are being reviewed already`);
    const asking = this.#ask(token).then((verdict) => this.#remember(key, verdict));
    this.#asking.set(key, asking);
    try {
      return await asking;
    } finally {
      this.#asking.delete(key);
    }
  }

  async #ask(token: string): Promise<Verdict> {
    const { kube, path } = this.#options;
    const metadata = { name: '' };
    const { status } = await kube.create<TokenReview>(tokenReviews, { metadata, spec: { token } }, { timeoutMs });
    const { username, uid, groups, extra } = status?.user ?? {};
    if (status?.authenticated !== true || !username) return 'unauthenticated';
    const spec = {
      user: username,
      ...(uid === undefined ? {} : { uid }),
      ...(groups === undefined ? {} : { groups }),
      ...(extra === undefined ? {} : { extra }),
      nonResourceAttributes: { path, verb: 'get' },
    };
    const review = await kube.create<AccessReview>(accessReviews, { metadata, spec }, { timeoutMs });
    return review.status?.allowed === true && review.status.denied !== true ? 'allowed' : 'forbidden';
  }

  #remember(key: string, verdict: Verdict): Verdict {
    const untilMs = this.#options.clock.monotonicMs() + (verdict === 'allowed' ? allowedMs : refusedMs);
    for (const map of [this.#allowed, this.#refused]) map.delete(key);
    const memory = verdict === 'allowed' ? this.#allowed : this.#refused;
    memory.set(key, { verdict, untilMs });
    for (const [oldest] of memory) {
      if (memory.size <= mostRemembered) break;
      memory.delete(oldest);
    }
    return verdict;
  }
}
