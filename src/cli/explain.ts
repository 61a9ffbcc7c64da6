// From the conditions of an object to an explanation: what is, what it means, what to do. Pure.
import type { BranchClass } from '../api/v1alpha1/branch-class.ts';
import { ConditionType } from '../api/v1alpha1/conditions.ts';
import type { DatabaseBranch } from '../api/v1alpha1/database-branch.ts';
import type { PointInTimeRestore } from '../api/v1alpha1/point-in-time-restore.ts';
import { isReason, reasonCatalogue } from '../api/v1alpha1/reasons.ts';
import type { Condition } from '../kit/kube.ts';
import { conditionOf, defined, isObserved, isTrue } from './branch.ts';

/** One condition, explained. An item of `steps` in `why -o json`. */
export interface Step {
  readonly condition: string;
  readonly status: string;
  readonly reason: string;
  readonly since: string;
  /** The words of the operator about this very case. */
  readonly says: string;
  /** What the reason means in general. */
  readonly means?: string;
  readonly todo?: string;
  /** It goes on only when a person acts. */
  readonly needsPerson: boolean;
}

/** An item of `why -o json`. */
export interface Explanation {
  readonly kind: string;
  readonly namespace?: string;
  readonly name: string;
  readonly ready: string;
  readonly reason: string;
  readonly steps: readonly Step[];
  /** The parts and how far each is, in the order in which they come about. */
  readonly parts: readonly { readonly part: string; readonly status: string; readonly reason: string }[];
  /** What is not said by a condition. */
  readonly remarks: readonly string[];
}

type Explainable = DatabaseBranch | BranchClass | PointInTimeRestore;

/** In the order in which they are told. `Ready` comes first in any case. */
const informative: readonly ConditionType[] = [
  ConditionType.Stalled,
  ConditionType.Reconciling,
  ConditionType.NamespaceAllowed,
  ConditionType.Paused,
  ConditionType.Expiring,
  ConditionType.ExpirationClamped,
  ConditionType.Drifted,
  ConditionType.LoginReachesSource,
  ConditionType.Unleased,
];

const partNames: readonly (readonly [part: string, type: ConditionType])[] = [
  ['branch', ConditionType.BranchProvisioned],
  ['endpoint', ConditionType.EndpointAvailable],
  ['token', ConditionType.CredentialsFresh],
];

export function explain(kind: string, object: Explainable): Explanation {
  const { namespace, name } = object.metadata;
  const ready = conditionOf(object, ConditionType.Ready);
  return defined({
    kind,
    namespace,
    name,
    ready: ready?.status ?? 'Unknown',
    reason: ready?.reason ?? 'Pending',
    steps: stepsOf(object),
    parts: partNames.flatMap(([part, type]) => {
      const found = conditionOf(object, type);
      return found ? [{ part, status: found.status, reason: found.reason }] : [];
    }),
    remarks: remarksOf(object),
  }) as Explanation;
}

/** Each reason once: what sums up and what it sums up often say the same. */
function stepsOf(object: Explainable): Step[] {
  const ready = conditionOf(object, ConditionType.Ready);
  const others = informative
    .map((type) => conditionOf(object, type))
    .filter((found) => found !== undefined)
    .filter(({ type, status }) => status === (type === ConditionType.NamespaceAllowed ? 'False' : 'True'));
  const failing = partNames
    .map(([, type]) => conditionOf(object, type))
    .filter((found) => found !== undefined)
    .filter(({ status }) => status !== 'True');
  const told: Condition[] = [];
  for (const condition of [...(ready ? [ready] : []), ...others, ...failing.slice(0, 1)])
    if (!told.some(({ reason, message }) => reason === condition.reason && message.length >= condition.message.length))
      told.push(condition);
  return told.map((condition) => stepOf(condition, object));
}

function stepOf({ type, status, reason, message, lastTransitionTime }: Condition, object: Explainable): Step {
  const entry = isReason(reason) ? reasonCatalogue[reason] : undefined;
  return {
    condition: type,
    status,
    reason,
    since: lastTransitionTime,
    says: message,
    ...(entry && { means: entry.meaning, todo: withName(entry.remedy, object) }),
    needsPerson: entry?.terminal ?? false,
  };
}

/** The catalogue writes commands with NAME in the place of the object's. */
function withName(remedy: string, { metadata: { namespace, name } }: Explainable): string {
  const kubectl = namespace === undefined ? 'kubectl' : `kubectl -n ${namespace}`;
  return remedy.replaceAll(/kubectl (annotate|describe) dbb NAME(?! for)/g, `${kubectl} $1 dbb ${name}`);
}

function remarksOf(object: Explainable): string[] {
  const remarks: string[] = [];
  if (object.metadata.deletionTimestamp !== undefined)
    remarks.push(`It is being deleted since ${object.metadata.deletionTimestamp}.`);
  if (!isObserved(object))
    remarks.push(
      'The operator has not looked at the last edit yet. If this stays for more than a minute, it is not running or may not see this namespace: kubectl lakebranch doctor.',
    );
  return remarks;
}

/** Where the explanation goes on, if it is another object that holds this one up. */
export type Lead =
  | { readonly to: 'class'; readonly name: string }
  | { readonly to: 'branch'; readonly name: string }
  | { readonly to: 'operator' };

const classReasons = new Set([
  'ClassNotFound',
  'ClassNotReady',
  'ClassTerminating',
  'NamespaceNotAllowed',
  'CredentialsNotFound',
  'Unauthenticated',
  'PermissionDenied',
  'ProjectNotFound',
]);

export function leadsOf(object: DatabaseBranch | PointInTimeRestore): Lead[] {
  const reasons = (object.status?.conditions ?? []).map(({ reason }) => reason);
  const unseen = lead(isUnseen(object), { to: 'operator' });
  if (isTrue(object, ConditionType.Ready)) return unseen;
  const made = madeBy(object);
  return [
    ...unseen,
    ...lead(reasons.some(isOfClass), { to: 'class', name: classNameOf(object) }),
    ...(reasons.some(isOfSource) ? sourceLeads(object) : []),
    ...(made === undefined ? [] : [branchLead(made)]),
  ];
}

const isUnseen = (object: Explainable): boolean =>
  !isObserved(object) || (conditionOf(object, ConditionType.Ready)?.reason ?? 'Pending') === 'Pending';

function sourceLeads({ spec: { source } }: DatabaseBranch | PointInTimeRestore): Lead[] {
  const name = source?.databaseBranchRef?.name;
  return name === undefined ? [] : [branchLead(name)];
}

/** The DatabaseBranch of a restore. */
const madeBy = ({ status = {} }: DatabaseBranch | PointInTimeRestore): string | undefined =>
  'branchRef' in status ? status.branchRef?.name : undefined;

const branchLead = (name: string): Lead => ({ to: 'branch', name });
const lead = (holds: boolean, where: Lead): Lead[] => (holds ? [where] : []);
const isOfClass = (reason: string): boolean => classReasons.has(reason);
const isOfSource = (reason: string): boolean => reason.startsWith('SourceRef') || reason === 'SourceExpires';

const classNameOf = ({ spec }: DatabaseBranch | PointInTimeRestore): string =>
  'className' in spec ? spec.className : (spec.source.className ?? 'default');
