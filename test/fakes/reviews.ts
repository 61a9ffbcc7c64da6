// The API server as far as it answers reviews: which tokens it knows, and who may read the page.
import { KubeUnreachable, type Kube, type KubeObject, type ResourceType } from '../../src/kit/kube.ts';

interface Review extends KubeObject {
  spec: { token?: string; user?: string; groups?: string[]; nonResourceAttributes?: { path: string; verb: string } };
}

export class Reviews implements Pick<Kube, 'create'> {
  /** Token → name of its user. */
  readonly users = new Map<string, string>();
  /** `user verb path`. */
  readonly allowed = new Set<string>();
  away = false;
  /** Answers wait until it resolves. */
  gate: Promise<void> = Promise.resolve();
  asked = 0;

  async create<T extends KubeObject>({ kind }: ResourceType, object: T): Promise<T> {
    this.asked++;
    await this.gate;
    if (this.away) throw new KubeUnreachable(`POST ${kind}: ECONNREFUSED`);
    const { spec } = object as unknown as Review;
    if (kind === 'TokenReview') {
      const username = this.users.get(spec.token ?? '');
      const status = username === undefined ? { authenticated: false } : { authenticated: true, user: { username } };
      return { ...object, status };
    }
    const { path, verb } = spec.nonResourceAttributes ?? { path: '', verb: '' };
    return { ...object, status: { allowed: this.allowed.has(`${spec.user} ${verb} ${path}`) } };
  }
}
