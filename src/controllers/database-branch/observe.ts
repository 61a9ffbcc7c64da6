// Looks, and writes nothing: first at what costs nothing or little, then at what a decision asks to see.
import { annotationKey, databaseBranchFinalizer, secretResource } from '../../api/names.ts';
import { ConditionType } from '../../api/v1alpha1/conditions.ts';
import type { BranchClass } from '../../api/v1alpha1/branch-class.ts';
import type { DatabaseBranch } from '../../api/v1alpha1/database-branch.ts';
import type { PointInTimeRestore } from '../../api/v1alpha1/point-in-time-restore.ts';
import { Reason } from '../../api/v1alpha1/reasons.ts';
import { readSecret, type Secret } from '../../credentials/secret.ts';
import type { Cache } from '../../kit/cache.ts';
import { findCondition } from '../../kit/conditions.ts';
import type { Clock } from '../../kit/clock.ts';
import { isNotFound, type Kube } from '../../kit/kube.ts';
import { branchTag, endedMark, parseBranchId, sameBranch } from '../../lakebase/ids.ts';
import { classTerminating, namespaceNotAllowed } from '../classes.ts';
import type { Namespaces } from '../namespaces.ts';
import type { Projects } from '../projects.ts';
import type { Provider, Providers } from '../providers.ts';
import { withCarried, type Carried } from './carry.ts';
import { quietForMs } from './decide.ts';
import type { Memory, SecretMemory } from './memory.ts';
import { secretNameOf, wishOf, type Problem } from './wish.ts';
import { referredBy } from './refer.ts';
import type { Slots } from './slots.ts';
import type { Turns } from './turns.ts';
import { notAsked, type BranchView, type World } from './world.ts';

export interface ObserveDeps {
  readonly kube: Kube;
  readonly classes: Cache<BranchClass>;
  readonly objects: Cache<DatabaseBranch>;
  /** The PointInTimeRestore that made the object, if it is there and asks for what the object says. */
  readonly restoreOf: (object: DatabaseBranch) => PointInTimeRestore | undefined;
  readonly providers: Providers;
  readonly projects: Projects;
  readonly slots: Slots;
  readonly turns: Turns;
  readonly namespaces: Namespaces;
  readonly memory: Memory;
  readonly clock: Clock;
  /** The present one, then those that it replaced. */
  readonly clusterIDs: readonly string[];
  /** How long a deletion waits for a provider that cannot be reached, in ms. */
  readonly maxWaitMs: number;
}

/** A World together with the clients that further looks and the act need. */
export interface Sighting {
  /** Monotonic ms at which the pass began. */
  readonly since: number;
  /** Monotonic ms at which the oldest look began that the world holds: one may be left from the pass before. */
  readonly lookedFrom: number;
  readonly world: World;
  readonly provider: Provider | undefined;
}

/** Throws KubeError or KubeUnreachable: without the API server nothing is decided. */
export async function observe(deps: ObserveDeps, object: DatabaseBranch, signal: AbortSignal): Promise<Sighting> {
  const since = deps.clock.monotonicMs();
  const found = await findClass(deps, object);
  const secret = await secretSeen(deps, object, signal);
  const { terminating } = await deps.namespaces.read(object.metadata.namespace ?? '');
  const now = deps.clock.now();
  const record = recordOf(object, secret);
  const { wish, problems } = wished(deps, object, found, { now, hasSecret: secret.is === 'ours', record });
  const username = found.provider?.username;
  const { at: lookedFrom, value: carried } = deps.memory.takeCarried(object.metadata.uid ?? '', since);
  const facts = objectFacts(object, wish?.resetToken ?? object.spec.reset?.token ?? '');
  noteFailure(deps.memory, facts, found.provider);
  if (facts.claimed) deps.memory.noteStatus(object, secret.is === 'ours');
  const world: World = {
    ...facts,
    bclass: found.bclass,
    wish,
    problems: [...found.problems, ...problems],
    namespaceTerminating: terminating,
    notAllowedSince: notAllowedSince(object, found.problems, now),
    secret,
    secretNameTakenBy: takenBy(deps.objects, object),
    asker: askerOf(deps, object),
    ...viewsOf(deps.memory, object, { record, wish, username, carried }),
    username,
    maxWaitMs: deps.maxWaitMs,
    memory: deps.memory.view(object),
    ...nothingAsked,
    clockSkewMs: carried?.clockSkewMs,
  };
  return { since, lookedFrom, world, provider: found.provider };
}

/** Without its class or the class's credentials a deletion cannot reach the provider either. */
function noteFailure(memory: Memory, { uid, deleting }: { uid: string; deleting: boolean }, provider?: Provider): void {
  if (deleting && !provider) memory.deletionFailed(uid);
}

function wished(
  deps: ObserveDeps,
  object: DatabaseBranch,
  { bclass, provider }: ClassFound,
  { now, hasSecret, record }: { now: Date; hasSecret: boolean; record: Identity | undefined },
): { wish: World['wish']; problems: readonly Problem[] } {
  if (!bclass || !provider) return { wish: undefined, problems: [] };
  const clusterID = clusterIDOf(deps.clusterIDs, object, record?.id ?? object.status?.candidate?.id);
  if (clusterID === undefined) return { wish: undefined, problems: [otherIdentity(record?.id ?? '')] };
  const referred = referredBy(deps.objects, object);
  return wishOf(object, bclass, { now, hasSecret, clusterID, ca: provider.ca, referred });
}

const nothingAsked = {
  family: notAsked,
  rememberedAsDeleted: notAsked,
  place: notAsked,
  turn: 'notAsked',
} as const;

function objectFacts(object: DatabaseBranch, resetToken: string) {
  const { metadata, status } = object;
  const { uid = '', annotations = {}, finalizers = [] } = metadata;
  return {
    object,
    uid,
    deleting: metadata.deletionTimestamp !== undefined,
    claimed: finalizers.includes(databaseBranchFinalizer),
    ended: endedOf(annotations[annotationKey.ended], resetToken),
    paused: pausedBy(annotations[annotationKey.paused]),
    releaseAsked: annotations[annotationKey.release] === uid,
    specSeen: status?.observedGeneration === metadata.generation,
  };
}

function askerOf({ restoreOf }: ObserveDeps, object: DatabaseBranch): World['asker'] {
  if (object.metadata.annotations?.[annotationKey.restore] === undefined) return 'nobody';
  return restoreOf(object) ? 'restore' : 'restoreGone';
}

function pausedBy(annotation: string | undefined): World['paused'] {
  if (annotation === 'all') return 'all';
  return annotation === 'true' ? 'changes' : 'no';
}

/** The cluster id under which the object's branch was made: the present one, unless an earlier one is on record. */
function clusterIDOf(
  clusterIDs: readonly string[],
  { metadata }: DatabaseBranch,
  recorded: string | undefined,
): string | undefined {
  const tag = recorded === undefined ? undefined : parseBranchId(recorded)?.tag;
  return tag === undefined ? clusterIDs[0] : clusterIDs.find((id) => branchTag(id, metadata.uid ?? '') === tag);
}

/** Under another cluster id the ids of this object are others, and nothing may be concluded from their absence. */
const otherIdentity = (recorded: string): Problem => ({
  reason: Reason.ClusterIDChanged,
  message: `the branch on record is ${recorded}, which neither the present cluster id of the operator nor an earlier one leads to: set LAKEBRANCH_CLUSTER_ID to what it was, or add that to LAKEBRANCH_PREVIOUS_CLUSTER_IDS`,
});

interface Identity {
  readonly id: string;
  readonly uid: string;
}

/** What is served: the Secret outlives a lost status, so it is asked first. */
function recordOf({ status }: DatabaseBranch, secret: World['secret']): Identity | undefined {
  if (secret.is !== 'ours') return status?.branch;
  return { id: secret.secret.binding.branchId, uid: secret.secret.binding.branchUid };
}

interface OnRecord {
  readonly record: Identity | undefined;
  readonly wish: World['wish'];
  readonly username: string | undefined;
  readonly carried: Carried | undefined;
}

function viewsOf(memory: Memory, object: DatabaseBranch, seen: OnRecord): Pick<World, 'served' | 'wanted'> {
  const { record, wish, username, carried } = seen;
  const view = (id: string, uid: string | undefined): BranchView =>
    withCarried(freshView(memory, object, { id, uid, username }), carried);
  const served = record && view(record.id, record.uid);
  if (!wish) return { served, wanted: undefined };
  if (served && sameBranch(served.id, wish.branchId)) return { served, wanted: served };
  const { candidate, superseded = [] } = object.status ?? {};
  const known = [...(candidate ? [candidate] : []), ...superseded].find(({ id }) => sameBranch(id, wish.branchId));
  return { served, wanted: view(known?.id ?? wish.branchId, known?.uid) };
}

/** Of a branch that nothing was asked about yet in this pass. */
export function freshView(
  memory: Memory,
  object: DatabaseBranch,
  branch: { id: string; uid: string | undefined; username: string | undefined },
): BranchView {
  const { id, uid } = branch;
  return { id, uid, ...nothingAskedOfBranch, memory: memory.viewBranch(object, branch) };
}

const nothingAskedOfBranch = {
  branch: notAsked,
  endpoint: notAsked,
  role: notAsked,
  operationDone: notAsked,
  source: notAsked,
  sourceEndpoints: notAsked,
  roleOnSource: notAsked,
} as const;

interface ClassFound {
  readonly bclass?: BranchClass;
  readonly provider?: Provider;
  readonly problems: readonly Problem[];
}

async function findClass(deps: ObserveDeps, object: DatabaseBranch): Promise<ClassFound> {
  const className = object.spec.className;
  const bclass = deps.classes.get(className);
  if (!bclass)
    return {
      problems: [
        {
          reason: Reason.ClassNotFound,
          message: `BranchClass ${className} does not exist: create it, or name another in spec.className`,
        },
      ],
    };
  const moved = movedClass(object, bclass);
  if (moved) return { bclass, problems: [moved] };
  const seen = await deps.providers.of(bclass);
  const namespace = object.metadata.namespace ?? '';
  const notAllowed = namespaceNotAllowed(bclass, namespace, await deps.namespaces.read(namespace));
  const problems = [classTerminating(bclass), notAllowed].filter((problem) => problem !== undefined);
  if (!seen.usable) return { bclass, problems: [...problems, { reason: seen.reason, message: seen.message }] };
  return { bclass, provider: seen.provider, problems };
}

// Nothing may be concluded from the answers of another project: a 404 there says nothing about our branch.
function movedClass({ status }: DatabaseBranch, { metadata, spec }: BranchClass): Problem | undefined {
  const recorded = status?.branch;
  if (!recorded) return undefined;
  const same = recorded.project === spec.provider.project && recorded.workspace === hostOf(spec.provider.host);
  if (same) return undefined;
  return {
    reason: Reason.ClassMoved,
    message: `BranchClass ${metadata.name} now names project ${spec.provider.project} on ${hostOf(spec.provider.host)}, the branch was made in ${recorded.project} on ${recorded.workspace}: restore the class as it was`,
  };
}

export const hostOf = (url: string): string => new URL(url).host;

function notAllowedSince({ status }: DatabaseBranch, problems: readonly Problem[], now: Date): Date | undefined {
  if (!problems.some(({ reason }) => reason === Reason.NamespaceNotAllowed)) return undefined;
  const condition = findCondition(status?.conditions ?? [], ConditionType.NamespaceAllowed);
  return condition?.status === 'False' ? new Date(condition.lastTransitionTime) : now;
}

/** `<t>/<reason>/<time>`: ended if `t` is that of the present reset token. */
export function endedOf(annotation: string | undefined, resetToken: string): World['ended'] {
  const [mark, reason, ...time] = (annotation ?? '').split('/');
  return reason && mark === endedMark(resetToken) ? { reason, time: time.join('/') } : undefined;
}

async function secretSeen(deps: ObserveDeps, object: DatabaseBranch, signal: AbortSignal): Promise<World['secret']> {
  const { memory } = deps;
  const uid = object.metadata.uid ?? '';
  const remembered = memory.of(uid).secret;
  const quiet = isQuiet(object, deps.clock.now());
  if (memory.secretReadInMs(uid) > 0) {
    if (remembered) return remembered.value;
    // After a start the status may say when to look; before the Secret was read it decides nothing else.
    if (quiet) return { is: 'notRead' };
  }
  const value = await fetchSecret(deps.kube, object, signal);
  memory.of(uid).secret = { value, readAt: memory.now() };
  return value;
}

/** By its status nothing is due within the time that reading all Secrets may take. */
function isQuiet(object: DatabaseBranch, now: Date): boolean {
  const { metadata, status = {} } = object;
  const { observedGeneration, conditions = [], credentials, expiration } = status;
  if (observedGeneration !== metadata.generation || isEnding(object)) return false;
  if (!credentials?.renewTime || findCondition(conditions, ConditionType.Ready)?.status !== 'True') return false;
  return isFar(credentials.renewTime, now) && isFar(expiration?.expireTime, now);
}

const isEnding = ({ metadata }: DatabaseBranch): boolean =>
  metadata.deletionTimestamp !== undefined || metadata.annotations?.[annotationKey.ended] !== undefined;

const isFar = (time: string | undefined, now: Date): boolean =>
  time === undefined || new Date(time).getTime() - now.getTime() > quietForMs;

export async function fetchSecret(kube: Kube, object: DatabaseBranch, signal: AbortSignal): Promise<SecretMemory> {
  const { namespace = '', name, uid = '' } = object.metadata;
  try {
    const secret = await kube.get<Secret>(secretResource, { namespace, name: secretNameOf(object) }, { signal });
    return readSecret(secret, { namespace, name, uid });
  } catch (error) {
    if (isNotFound(error)) return { is: 'none' };
    throw error;
  }
}

/** The older object keeps a Secret name that two ask for. */
function takenBy(objects: Cache<DatabaseBranch>, object: DatabaseBranch): string | undefined {
  const { namespace = '', uid, creationTimestamp = '' } = object.metadata;
  const rivals = objects
    .byIndex('secretName', `${namespace}/${secretNameOf(object)}`)
    .filter((other) => other.metadata.uid !== uid);
  const order = (other: DatabaseBranch): string =>
    `${other.metadata.creationTimestamp ?? ''}/${other.metadata.uid ?? ''}`;
  return rivals.find((other) => order(other) < `${creationTimestamp}/${uid ?? ''}`)?.metadata.name;
}
