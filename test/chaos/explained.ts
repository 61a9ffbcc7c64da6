// Why an object may be anything but Ready, and why a reset may be held up: what its spec, its class, its namespace, the
// provider or a person explains. Worked out anew here from the objects and the provider's books, not by the operator's code.
import { parseDuration } from '../../src/api/duration.ts';
import {
  annotationKey,
  branchClassResource,
  databaseBranchResource,
  namespaceResource,
  pausedValue,
} from '../../src/api/names.ts';
import { sourceAllowed } from '../../src/api/pattern.ts';
import type { BranchClass } from '../../src/api/v1alpha1/branch-class.ts';
import type { DatabaseBranch } from '../../src/api/v1alpha1/database-branch.ts';
import { Reason } from '../../src/api/v1alpha1/reasons.ts';
import type { Secret } from '../../src/credentials/secret.ts';
import { findCondition } from '../../src/kit/conditions.ts';
import type { KubeObject } from '../../src/kit/kube.ts';
import type { Present } from './history.ts';
import type { Ledger, ObjectRecord } from './ledger.ts';
import { isOurs } from './secret-laws.ts';

/** An object at rest, and all that it is judged by. */
export interface Place {
  readonly history: Present;
  readonly ledger: Ledger;
  readonly object: DatabaseBranch;
  readonly record: ObjectRecord;
  readonly now: Date;
}

/** The provider keeps at most so many unarchived branches in a project. */
const projectLimit = 10;

/** The reasons for which the object may be anything but Ready. */
export function explanations(place: Place, secret: Secret | undefined): Set<string> {
  const { history, object, record } = place;
  if (record.ended) return endings(place);
  const bclass = classOf(place);
  if (!bclass) return new Set([Reason.ClassNotFound]);
  const facts: readonly (readonly [boolean, Reason])[] = [
    ...obstacles(place, bclass),
    [tooLong(object, bclass), Reason.ExpirationExceedsMaximum],
    [tooLarge(object, bclass), Reason.EndpointSizeNotAllowed],
    [JSON.stringify(object.spec.credentials.template ?? {}).includes('.certificates'), Reason.TemplateInvalid],
    [secret !== undefined && !belongsTo(secret, record), Reason.SecretNotOwned],
    [rivals(history, object).length > 0, Reason.SecretNotOwned],
  ];
  return new Set(facts.filter(([holds]) => holds).map(([, reason]) => reason));
}

/** Whether something holds up the next branch of an object, and may hold it up for ever, while the one before is served. */
export function resetIsHeld(place: Place): boolean {
  const bclass = classOf(place);
  const held = findCondition(place.object.status?.conditions ?? [], 'Reconciling');
  if (!bclass || held?.status !== 'True') return false;
  // What is not waited for by name is a step of the reset.
  const named = held.reason === Reason.Resetting ? [Reason.NamespaceNotAllowed] : [held.reason];
  return obstacles(place, bclass).some(([holds, reason]) => holds && named.includes(reason));
}

export const pauseOf = ({ object }: Place): string | undefined => object.metadata.annotations?.[annotationKey.paused];

/** An end that somebody or something has brought about. */
function endings({ object, record, ledger, now }: Place): Set<string> {
  const [, reason] = (object.metadata.annotations?.[annotationKey.ended] ?? '').split('/');
  const caused =
    reason === Reason.Expired ? record.earliestEnd <= now.getTime() + 5000 : ledger.handDeleted.has(record.tag);
  return new Set(caused && reason !== undefined ? [reason] : []);
}

/** What keeps a new branch from being made. */
function obstacles(place: Place, bclass: BranchClass): (readonly [boolean, Reason])[] {
  const { history, object, record, ledger } = place;
  const namespace = history.get<KubeObject>(namespaceResource, object.metadata.namespace ?? '');
  const source = sourceOf(object, bclass);
  const made = [...ledger.branches.values()].filter(({ id }) => id === ledger.wantedId(record));
  const paused = pauseOf(place);
  return [
    [paused === pausedValue.changes || paused === pausedValue.all, Reason.PausedByAnnotation],
    [namespace?.metadata.deletionTimestamp !== undefined, Reason.NamespaceTerminating],
    [namespace?.metadata.labels?.['preview'] !== 'true', Reason.NamespaceNotAllowed],
    [!sourceAllowed(bclass.spec.sources.allow, source), Reason.SourceNotAllowed],
    [made.some(({ live }) => !live), Reason.ResetTokenReused],
    [made.some(({ live, facts }) => live && facts.source?.id !== source), Reason.BranchNotOurs],
    ...limits(place, bclass),
  ];
}

const classOf = ({ history, object }: Place): BranchClass | undefined =>
  history.get<BranchClass>(branchClassResource, object.spec.className);

/**
 * Which limit is reached. Ahead of an object may only be those that wait for the project: so never do two wait for each
 * other, and somebody always waits for what is really full.
 */
function limits({ history, ledger, object }: Place, { metadata, spec }: BranchClass): (readonly [boolean, Reason])[] {
  const { total = Infinity, perNamespace = Infinity, reserve = 0 } = spec.limits ?? {};
  const takes = history
    .all<DatabaseBranch>(databaseBranchResource)
    .filter((other) => other.metadata.uid !== object.metadata.uid && other.spec.className === metadata.name)
    .filter((other) => holdsBranch(other) || waitsForProject(other));
  const ofNamespace = takes.filter((other) => other.metadata.namespace === object.metadata.namespace);
  const sharing = history
    .all<BranchClass>(branchClassResource)
    .filter((other) => other.spec.provider.project === spec.provider.project);
  const largestReserve = Math.max(...sharing.map((other) => other.spec.limits?.reserve ?? 0));
  const unarchived = [...ledger.branches.values()].filter(
    ({ project, facts }) => project === spec.provider.project && facts.state !== 'DELETED',
  );
  return [
    [unarchived.length + largestReserve >= projectLimit, Reason.WaitingForBranchSlot],
    [takes.length >= total - reserve, Reason.ClassLimitReached],
    [ofNamespace.length >= perNamespace, Reason.NamespaceLimitReached],
  ];
}

const holdsBranch = ({ status }: DatabaseBranch): boolean =>
  status?.branch !== undefined || status?.candidate !== undefined;

const waitsForProject = ({ status }: DatabaseBranch): boolean =>
  findCondition(status?.conditions ?? [], 'Ready')?.reason === Reason.WaitingForBranchSlot;

const belongsTo = (secret: Secret, { uid }: ObjectRecord): boolean =>
  isOurs(secret) && (secret.metadata.ownerReferences ?? []).some((reference) => reference.uid === uid);

/** A branch that was made keeps its source until a reset, though the default of the class has changed. */
function sourceOf({ spec, status }: DatabaseBranch, bclass: BranchClass): string {
  const isMade = (status?.branch?.resetToken ?? '') === (spec.reset?.token ?? '');
  const made = isMade ? status?.branch?.source?.branch : undefined;
  return spec.source?.branch ?? made ?? bclass.spec.sources.default ?? '';
}

function tooLong({ metadata, spec }: DatabaseBranch, bclass: BranchClass): boolean {
  const created = Date.parse(metadata.creationTimestamp ?? '');
  const { at, ttl } = spec.expiration ?? {};
  const end = at === undefined ? created + parseDuration(ttl ?? bclass.spec.expiration.default) : Date.parse(at);
  return end > created + parseDuration(bclass.spec.expiration.max);
}

function tooLarge({ spec }: DatabaseBranch, bclass: BranchClass): boolean {
  const most = bclass.spec.endpoint ?? {};
  const { minCU, maxCU, suspendAfter } = spec.endpoint ?? {};
  const largest = Math.max(Number(minCU ?? 0), Number(maxCU ?? 0));
  return (
    largest > Number(most.maxCU ?? Infinity) ||
    parseDuration(suspendAfter ?? '0s') > parseDuration(most.suspendAfter ?? '999h') ||
    Number(minCU ?? 0) > Number(maxCU ?? most.maxCU ?? Infinity)
  );
}

/** Other objects of the namespace that write a Secret of the same name. */
function rivals(history: Present, object: DatabaseBranch): DatabaseBranch[] {
  const nameOf = ({ metadata, spec }: DatabaseBranch): string => spec.credentials.secretName ?? metadata.name;
  return history
    .all<DatabaseBranch>(databaseBranchResource)
    .filter(
      (other) =>
        other.metadata.namespace === object.metadata.namespace &&
        other.metadata.uid !== object.metadata.uid &&
        nameOf(other) === nameOf(object),
    );
}
