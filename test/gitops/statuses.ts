// Objects with every status that the operator reports, written by the code that reports them.
import {
  apiGroup,
  apiVersion,
  branchClassResource,
  databaseBranchResource,
  pointInTimeRestoreResource,
} from '../../src/api/names.ts';
import { Reason, reasonCatalogue } from '../../src/api/v1alpha1/reasons.ts';
import { report as reportClass } from '../../src/controllers/branch-class/report.ts';
import type { World as ClassWorld } from '../../src/controllers/branch-class/decide.ts';
import { done } from '../../src/controllers/database-branch/outcome.ts';
import { available, stall, waitFor, type Plan } from '../../src/controllers/database-branch/plan.ts';
import { report } from '../../src/controllers/database-branch/report.ts';
import { report as reportRestore } from '../../src/controllers/point-in-time-restore/report.ts';
import type { State } from '../../src/controllers/point-in-time-restore/plan.ts';
import { LakebaseError, type LakebaseErrorCode } from '../../src/lakebase/errors.ts';
import { aBranchClass } from '../builders/branch-class.ts';
import { aDatabaseBranch } from '../builders/database-branch.ts';
import { aPointInTimeRestore } from '../builders/point-in-time-restore.ts';
import { aRestoreWorld } from '../builders/restore-world.ts';
import { anIssuedSecret, aWorld, now, type WorldChange } from '../builders/world.ts';
import type { StatusObject } from '../kstatus.ts';
import { everything } from '../properties/told.ts';

export interface Told {
  /** The reason that was told, or what else is particular about it. */
  readonly what: string;
  readonly object: StatusObject;
}

const plain = <T>(value: T): T => JSON.parse(JSON.stringify(value)) as T;

const typed = (kind: string, object: StatusObject & { spec?: object }): StatusObject =>
  plain({ ...object, apiVersion: `${apiGroup}/${apiVersion}`, kind });

/** As the API server returns them right after the create. */
export const untouched: readonly Told[] = [
  { what: 'DatabaseBranch', object: typed(databaseBranchResource.kind, aDatabaseBranch()) },
  { what: 'PointInTimeRestore', object: typed(pointInTimeRestoreResource.kind, aPointInTimeRestore()) },
  { what: 'BranchClass', object: typed(branchClassResource.kind, aBranchClass({ metadata: { generation: 1 } })) },
];

const reasons = Object.values(Reason);
const message = 'so it is';
const planFor = (reason: Reason): Plan => {
  if (reason === Reason.Available) return available();
  return reasonCatalogue[reason].terminal ? stall({ reason, message }) : waitFor(reason, message);
};

const served: WorldChange = {
  secret: { is: 'ours', secret: anIssuedSecret() },
  served: 'wanted',
  wanted: { uid: 'br-1' },
};

function branch(what: string, plan: Plan, change: WorldChange): Told {
  const world = aWorld(change);
  const status = report({ world, plan, outcome: done, secret: world.secret, now });
  const { metadata, spec } = world.object;
  const end = world.deleting ? { deletionTimestamp: now.toISOString() } : {};
  const object = { metadata: { ...metadata, ...end }, spec, status };
  return { what, object: typed(databaseBranchResource.kind, object) };
}

/** A DatabaseBranch for each reason that it can have: before it has a login, while it has one, and while it is deleted. */
export const branches = (): readonly Told[] => [
  ...reasons.filter((reason) => reason !== Reason.Restored).map((reason) => branch(reason, planFor(reason), {})),
  branch(Reason.Available, available(), served),
];
export const servedBranches = (): readonly Told[] => reasons.map((reason) => branch(reason, planFor(reason), served));
export const deletedBranches = (): readonly Told[] =>
  reasons.map((reason) => branch(reason, planFor(reason), { deleting: true }));

/** Thousands, from the random worlds of the property tests. */
export const randomBranches = (): readonly Told[] =>
  everything().map(({ said: { world, plan }, status }) => {
    const { metadata, spec } = world.object;
    const end = world.deleting ? { deletionTimestamp: now.toISOString() } : {};
    return {
      what: plan.do,
      object: typed(databaseBranchResource.kind, { metadata: { ...metadata, ...end }, spec, status }),
    };
  });

/** A PointInTimeRestore for each reason that it can have. */
export const restores = (): readonly Told[] =>
  reasons
    .filter((reason) => reason !== Reason.Available)
    .flatMap((reason) => {
      const { terminal } = reasonCatalogue[reason];
      const states: readonly State[] =
        reason === Reason.Restored
          ? [{ is: 'restored', message }]
          : terminal
            ? [
                { is: 'stalled', reason, message },
                { is: 'failed', reason, message },
              ]
            : [{ is: 'underWay', reason, message }];
      return states.map((state) => {
        const world = aRestoreWorld();
        const object = { ...world.restore, status: reportRestore(world, state, now) };
        return { what: reason, object: typed(pointInTimeRestoreResource.kind, object) };
      });
    });

const failing = (code: LakebaseErrorCode): ClassWorld['project'] => ({
  seen: 'unknown',
  error: new LakebaseError(code, message),
});

/** A BranchClass in each state of its project. */
export function classes(): readonly Told[] {
  const projects: readonly ClassWorld['project'][] = [
    { seen: 'present', value: { id: 'shop' } },
    { seen: 'notAsked' },
    ...[Reason.CredentialsNotFound, Reason.Unauthenticated].map(
      (reason) => ({ seen: 'unusable', reason, message }) as const,
    ),
    ...(['notFound', 'unauthenticated', 'denied', 'unavailable', 'throttled'] as const).map(failing),
  ];
  return projects.map((project) => {
    const bclass = aBranchClass({ metadata: { generation: 4 } });
    const counts = { used: 2, queued: 1, unleased: ['qa/seeded'] };
    const world: ClassWorld = { bclass, deleting: false, held: true, users: 3, projectLimit: 10, counts, project };
    const object = typed(branchClassResource.kind, { ...bclass, status: reportClass(world, now) });
    return { what: readyReason(object), object };
  });
}

export const readyReason = ({ status }: StatusObject): string =>
  status?.conditions?.find(({ type }) => type === 'Ready')?.reason ?? '';
