// Everything that a step at the provider needs, and how its failures are kept.
import type { BranchClass } from '../../api/v1alpha1/branch-class.ts';
import { LakebaseError } from '../../lakebase/errors.ts';
import type { BranchRef } from '../../lakebase/model.ts';
import type { Project } from '../projects.ts';
import type { Provider } from '../providers.ts';
import type { ActDeps } from './act.ts';
import type { RememberedBranch } from './memory.ts';
import type { Wish } from './wish.ts';
import type { World } from './world.ts';

/** Everything that a step at the provider needs. */
export interface Reach extends ActDeps {
  /** Monotonic ms at which the pass began. */
  readonly since: number;
  readonly world: World;
  readonly wish: Wish;
  readonly bclass: BranchClass;
  readonly provider: Provider;
  readonly project: Project;
  readonly signal: AbortSignal;
}

export const refOf = ({ wish }: Reach, id: string): BranchRef => ({ project: wish.project, branch: id });
export const rememberedOf = ({ memory, world }: Reach, id: string): RememberedBranch => memory.branch(world.uid, id);

/** A failure is kept with a backoff of its own, which the next decision waits for. */
export async function remembering<T>(
  reach: Reach,
  id: string,
  chore: 'lease' | 'size' | 'role' | 'mint',
  run: () => Promise<T>,
): Promise<T> {
  const remembered = rememberedOf(reach, id);
  try {
    const result = await run();
    delete remembered[chore];
    return result;
  } catch (error) {
    if (error instanceof LakebaseError)
      remembered[chore] = reach.memory.failed(remembered[chore], error, reach.world.uid);
    throw error;
  }
}
