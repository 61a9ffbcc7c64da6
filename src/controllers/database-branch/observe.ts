// Looks, and writes nothing: first at what costs nothing or little, then at what a decision asks to see.
import { annotationKey, databaseBranchFinalizer, secretResource } from '../../api/names.ts';
import { describeSelector, selectorMatches } from '../../api/selector.ts';
import { ConditionType } from '../../api/v1alpha1/conditions.ts';
import type { BranchClass } from '../../api/v1alpha1/branch-class.ts';
import type { DatabaseBranch } from '../../api/v1alpha1/database-branch.ts';
import { Reason } from '../../api/v1alpha1/reasons.ts';
import { readSecret, type Secret } from '../../credentials/secret.ts';
import type { Cache } from '../../kit/cache.ts';
import { findCondition } from '../../kit/conditions.ts';
import type { Clock } from '../../kit/clock.ts';
import { isNotFound, type Kube } from '../../kit/kube.ts';
import { endedMark, sameBranch } from '../../lakebase/ids.ts';
import type { Namespaces } from '../namespaces.ts';
import type { Provider, Providers } from '../providers.ts';
import type { Memory, SecretMemory } from './memory.ts';
import { secretNameOf, wishOf, type Problem } from './wish.ts';
import { notAsked, type MemoryView, type World } from './world.ts';

export interface ObserveDeps {
  readonly kube: Kube;
  readonly classes: Cache<BranchClass>;
  readonly objects: Cache<DatabaseBranch>;
  readonly providers: Providers;
  readonly namespaces: Namespaces;
  readonly memory: Memory;
  readonly clock: Clock;
  readonly clusterID: string;
}

/** A World together with the clients that further looks and the act need. */
export interface Sighting {
  readonly world: World;
  readonly provider: Provider | undefined;
}

/** Throws KubeError or KubeUnreachable: without the API server nothing is decided. */
export async function observe(deps: ObserveDeps, object: DatabaseBranch, signal: AbortSignal): Promise<Sighting> {
  const found = await findClass(deps, object);
  const secret = await secretSeen(deps, object, signal);
  const { terminating } = await deps.namespaces.read(object.metadata.namespace ?? '');
  const now = deps.clock.now();
  const { wish, problems } = wished(deps, object, found, { now, hasSecret: secret.is === 'ours' });
  const recorded = recordOf(object, secret);
  const username = found.provider?.username;
  const world: World = {
    ...objectFacts(object),
    bclass: found.bclass,
    wish,
    problems: [...found.problems, ...problems],
    namespaceTerminating: terminating,
    notAllowedSince: notAllowedSince(object, found.problems, now),
    secret,
    secretNameTakenBy: takenBy(deps.objects, object),
    recorded,
    username,
    memory: memoryView(deps.memory, object, recorded?.uid, username),
    ...nothingAsked,
  };
  return { world, provider: found.provider };
}

function wished(
  { clusterID }: ObserveDeps,
  object: DatabaseBranch,
  { bclass, provider }: ClassFound,
  context: { now: Date; hasSecret: boolean },
): { wish: World['wish']; problems: readonly Problem[] } {
  if (!bclass || !provider) return { wish: undefined, problems: [] };
  const { wish, problems } = wishOf(object, bclass, { ...context, clusterID, ca: provider.ca });
  const renamed = otherIdentity(object, wish.branchId);
  return renamed ? { wish: undefined, problems: [renamed] } : { wish, problems };
}

const nothingAsked = {
  branch: notAsked,
  tagged: notAsked,
  rememberedAsDeleted: notAsked,
  unarchived: notAsked,
  operationDone: notAsked,
  endpoint: notAsked,
  role: notAsked,
  roleOnSource: notAsked,
  sourceEndpoints: notAsked,
  clockSkewMs: undefined,
} as const;

function objectFacts(object: DatabaseBranch) {
  const { metadata, status } = object;
  const { uid = '', annotations = {}, finalizers = [] } = metadata;
  return {
    object,
    uid,
    deleting: metadata.deletionTimestamp !== undefined,
    claimed: finalizers.includes(databaseBranchFinalizer),
    ended: endedOf(annotations[annotationKey.ended]),
    releaseAsked: annotations[annotationKey.release] === uid,
    specSeen: status?.observedGeneration === metadata.generation,
  };
}

/** Under another clusterID the ids of this object are others, and nothing may be concluded from their absence. */
function otherIdentity({ status }: DatabaseBranch, wanted: string): Problem | undefined {
  const recorded = status?.branch?.id ?? status?.candidate?.id;
  if (recorded === undefined || sameBranch(recorded, wanted)) return undefined;
  return {
    reason: Reason.ClusterIDChanged,
    message: `the branch on record is ${recorded}, but with the operator's present cluster id it would be ${wanted}: set LAKEBRANCH_CLUSTER_ID to what it was`,
  };
}

/** The Secret outlives a lost status, so it is asked first. */
function recordOf({ status }: DatabaseBranch, secret: World['secret']): World['recorded'] {
  if (secret.is === 'ours') return { uid: secret.secret.binding.branchUid, served: true };
  if (status?.branch) return { uid: status.branch.uid, served: true };
  return status?.candidate && { uid: status.candidate.uid, served: false };
}

export function memoryView(
  memory: Memory,
  { metadata }: DatabaseBranch,
  branchUid: string | undefined,
  username: string | undefined,
): MemoryView {
  return memory.view({ uid: metadata.uid ?? '', branchUid, generation: metadata.generation ?? 0, username });
}

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
  const problems: Problem[] = [...terminating(bclass), ...(await namespaceProblems(deps, object, bclass))];
  if (!seen.usable) return { bclass, problems: [...problems, { reason: seen.reason, message: seen.message }] };
  return { bclass, provider: seen.provider, problems };
}

function terminating(bclass: BranchClass): Problem[] {
  if (!bclass.metadata.deletionTimestamp) return [];
  return [
    {
      reason: Reason.ClassTerminating,
      message: `BranchClass ${bclass.metadata.name} is being deleted: nothing new is created in it`,
    },
  ];
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

async function namespaceProblems(deps: ObserveDeps, object: DatabaseBranch, bclass: BranchClass): Promise<Problem[]> {
  const name = object.metadata.namespace ?? '';
  if (selectorMatches(bclass.spec.allowedNamespaces, (await deps.namespaces.read(name)).labels)) return [];
  return [
    {
      reason: Reason.NamespaceNotAllowed,
      message: `BranchClass ${bclass.metadata.name} does not allow namespace ${name}: label the namespace ${describeSelector(bclass.spec.allowedNamespaces)}, or use another class`,
    },
  ];
}

function notAllowedSince({ status }: DatabaseBranch, problems: readonly Problem[], now: Date): Date | undefined {
  if (!problems.some(({ reason }) => reason === Reason.NamespaceNotAllowed)) return undefined;
  const condition = findCondition(status?.conditions ?? [], ConditionType.NamespaceAllowed);
  return condition?.status === 'False' ? new Date(condition.lastTransitionTime) : now;
}

/** `<t>/<reason>/<time>`: ended if `t` is that of the present reset token. */
function endedOf(annotation: string | undefined): World['ended'] {
  const [mark, reason, ...time] = (annotation ?? '').split('/');
  return reason && mark === endedMark('') ? { reason, time: time.join('/') } : undefined;
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
  time === undefined || new Date(time).getTime() - now.getTime() > 60_000;

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
