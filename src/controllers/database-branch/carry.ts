// What a pass has seen of the object's branches, for the pass that follows its step at once. Pure.
import type { Outcome } from './outcome.ts';
import type { Plan } from './plan.ts';
import type { BranchView, World } from './world.ts';

/** Looks at a branch, and the disagreement of the clocks that was measured with them. */
export interface Carried {
  readonly looks: readonly Looks[];
  readonly clockSkewMs: number | undefined;
}

type Sight = 'branch' | 'endpoint' | 'role' | 'sourceEndpoints' | 'roleOnSource';
type Looks = Pick<BranchView, 'id' | Sight>;

const all: readonly Sight[] = ['branch', 'endpoint', 'role', 'sourceEndpoints', 'roleOnSource'];

/** A pass may last this long by itself; what it carries on is no older. */
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
  return { looks: views.map((view) => without(view, changed)), clockSkewMs };
}

const without = (view: BranchView, changed: readonly Sight[]): Looks => ({
  id: view.id,
  branch: view.branch,
  endpoint: view.endpoint,
  role: view.role,
  sourceEndpoints: view.sourceEndpoints,
  roleOnSource: view.roleOnSource,
  ...Object.fromEntries(changed.map((sight) => [sight, { seen: 'notAsked' }])),
});

/** Only for the branch that is on record by now, and only what was found to be there. */
export function withCarried(view: BranchView, carried: Carried | undefined): BranchView {
  const looks = carried?.looks.find(({ id }) => id === view.id);
  if (looks?.branch.seen !== 'present' || looks.branch.value.uid !== view.uid) return view;
  return {
    ...view,
    ...Object.fromEntries(all.filter((at) => looks[at].seen === 'present').map((at) => [at, looks[at]])),
  };
}
