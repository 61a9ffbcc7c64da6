// What a pass has seen of the object's branches, for the pass that follows its step at once. Pure.
import type { Outcome } from './outcome.ts';
import type { Plan } from './plan.ts';
import type { BranchView, World } from './world.ts';

/** Looks at branches, by id, and the disagreement of the clocks that was measured with them. */
export interface Carried {
  readonly looks: ReadonlyMap<string, Looks>;
  readonly clockSkewMs: number | undefined;
}

type Sight = 'branch' | 'endpoint' | 'role' | 'sourceEndpoints' | 'roleOnSource';
type Looks = Partial<Pick<BranchView, Sight>>;

const all: readonly Sight[] = ['branch', 'endpoint', 'role', 'sourceEndpoints', 'roleOnSource'];

/** What a pass begins with is no older, over however many steps it was carried: a login in between may take 10 s. */
export const carriedForMs = 1000;

/** Steps that leave most of what was seen as it is, and what they change. All others carry nothing on. */
const changes: Partial<Record<Plan['do'], readonly Sight[]>> = {
  record: [],
  login: [],
  resize: ['endpoint'],
  createRole: ['role'],
  extendRole: ['role'],
};

export function carriedAfter(
  { served, wanted, clockSkewMs }: World,
  plan: Plan,
  outcome: Outcome,
): Carried | undefined {
  const changed = changes[plan.do];
  if (!changed || outcome.is !== 'done') return undefined;
  const views = [served, wanted].filter((view) => view !== undefined);
  const kept = all.filter((sight) => !changed.includes(sight));
  return { looks: new Map(views.map((view) => [view.id, thereIn(view, kept)])), clockSkewMs };
}

/** That something is not there, or could not be told, is found out anew. */
const thereIn = (view: BranchView, sights: readonly Sight[]): Looks =>
  Object.fromEntries(sights.filter((sight) => view[sight].seen === 'present').map((sight) => [sight, view[sight]]));

/** Only for the branch that is on record by now. */
export function withCarried(view: BranchView, carried: Carried | undefined): BranchView {
  const looks = carried?.looks.get(view.id);
  if (looks?.branch?.seen !== 'present' || looks.branch.value.uid !== view.uid) return view;
  return { ...view, ...looks };
}
