// What the chart runs before it is uninstalled. Objects with our finalizer cannot go without an operator, so it refuses
// while there are some; or, told to, takes the finalizers away.
import {
  branchClassFinalizer,
  branchClassResource,
  databaseBranchFinalizer,
  databaseBranchResource,
  leaseResource,
} from './api/names.ts';
import type { DatabaseBranch } from './api/v1alpha1/database-branch.ts';
import { sleep, type Clock } from './kit/clock.ts';
import { removeFinalizer } from './kit/finalizers.ts';
import {
  isConflict,
  isForbidden,
  isNotFound,
  keyOf,
  type Kube,
  type KubeObject,
  type ListOptions,
  type ObjectList,
  type ResourceType,
} from './kit/kube.ts';

export interface GuardParts {
  readonly kube: Kube;
  readonly clock: Clock;
  /** Of the operator: its Lease is there. */
  readonly namespace: string;
  /** Empty: all namespaces. */
  readonly watchNamespaces: readonly string[];
  readonly signal: AbortSignal;
}

/** There are objects that only a running operator can end. The message lists them and says what to do. */
export class StillNeeded extends Error {
  override readonly name = 'StillNeeded';
}

/** The operator takes its finalizer from a class only some moments after the last object of it is gone. */
const patienceMs = 20_000;
const againMs = 2_000;

/** @throws StillNeeded */
export async function refuseWhileNeeded(parts: GuardParts): Promise<void> {
  const { clock, signal } = parts;
  const begun = clock.monotonicMs();
  for (;;) {
    const { objects, classes } = await withFinalizer(parts);
    if (objects.length + classes.length === 0) return;
    if (objects.length > 0 || clock.monotonicMs() - begun > patienceMs)
      throw new StillNeeded(refusal(objects, classes, parts.watchNamespaces));
    await sleep(clock, againMs, signal);
  }
}

/** More would only hide the remedy below them. */
const mostNamed = 20;

function refusal(
  objects: readonly DatabaseBranch[],
  classes: readonly KubeObject[],
  watchNamespaces: readonly string[],
): string {
  const isUnwatched = ({ metadata: { namespace = '' } }: DatabaseBranch): boolean =>
    watchNamespaces.length > 0 && !watchNamespaces.includes(namespace);
  const unwatched =
    ' (the operator does not work in this namespace: upgrade the release with it in `namespaces` first)';
  const lines = [
    ...objects.map(
      (object) => `  DatabaseBranch ${keyOf(object.metadata)}: ${endOf(object)}${isUnwatched(object) ? unwatched : ''}`,
    ),
    ...classes.map(({ metadata }) => `  BranchClass ${metadata.name}: in use`),
  ];
  const more = lines.length > mostNamed ? [`  and ${lines.length - mostNamed} more`] : [];
  return [
    'not uninstalled, because only a running operator can end these objects:',
    ...lines.slice(0, mostNamed),
    ...more,
    'Delete them first: kubectl delete pitr,dbb -A --all && kubectl delete bclass --all',
    'To leave their branches to the provider instead, upgrade the release with --reset-then-reuse-values --set uninstall.releaseFinalizers=true',
    'and uninstall again: leased branches then go when their leases end, the others stay until somebody deletes them there.',
  ].join('\n');
}

function endOf({ status }: DatabaseBranch): string {
  if (!status?.branch) return 'no branch yet, or no longer';
  const lease = status.expiration?.leaseTime;
  return lease === undefined ? `branch ${status.branch.id}, which no lease ends` : `branch leased until ${lease}`;
}

/** From the last renewal of its Lease a leader goes on for 10 s at most, and then finishes what it writes for 2 s. */
const leaderGoneMs = 13_000;
/** Long enough to take all finalizers away and to delete the Deployment; a new installation waits as long at most. */
const holdSeconds = 120;
const atOnce = 8;

/** Takes our finalizers away while nobody leads who would put them back. Resolves with what it did, in words. */
export async function releaseFinalizers(parts: GuardParts): Promise<string> {
  await takeLease(parts);
  await sleep(parts.clock, leaderGoneMs, parts.signal);
  const { objects, classes } = await withFinalizer(parts);
  await release(parts, databaseBranchResource, databaseBranchFinalizer, objects);
  await release(parts, branchClassResource, branchClassFinalizer, classes);
  return `took the finalizers of ${objects.length} DatabaseBranches and ${classes.length} BranchClasses away; nobody deletes their branches now but the provider, when their leases end`;
}

interface Lease extends KubeObject {
  spec?: Record<string, unknown>;
}

/** From whoever holds it: a leader that reads another name in it ends, and no other process begins. */
async function takeLease({ kube, clock, namespace, signal }: GuardParts): Promise<void> {
  const key = { namespace, name: 'lakebranch' };
  for (;;) {
    const time = clock.now().toISOString().replace('Z', '000Z');
    const spec = { holderIdentity: 'uninstall', leaseDurationSeconds: holdSeconds, acquireTime: time, renewTime: time };
    try {
      const lease = await kube.get<Lease>(leaseResource, key, { signal });
      await kube.replace<Lease>(leaseResource, { ...lease, spec: { ...lease.spec, ...spec } }, { signal });
      return;
    } catch (error) {
      // Nobody has ever led.
      if (isNotFound(error)) return;
      // The leader renewed it meanwhile.
      if (!isConflict(error)) throw error;
    }
  }
}

async function release<T extends KubeObject>(
  { kube, signal }: GuardParts,
  type: ResourceType,
  finalizer: string,
  objects: readonly T[],
): Promise<void> {
  const waiting = [...objects];
  const worker = async (): Promise<void> => {
    for (let object = waiting.pop(); object; object = waiting.pop())
      await takeFrom({ kube, signal, type, finalizer }, object);
  };
  await Promise.all(Array.from({ length: atOnce }, worker));
}

interface Taking {
  readonly kube: Kube;
  readonly signal: AbortSignal;
  readonly type: ResourceType;
  readonly finalizer: string;
}

/** The operator may not read single classes, but whatever a patch answers is the object as it is. */
async function takeFrom<T extends KubeObject>(taking: Taking, object: T): Promise<void> {
  const { kube, signal, type, finalizer } = taking;
  try {
    await removeFinalizer(kube, type, object, finalizer, { signal });
  } catch (error) {
    if (isNotFound(error)) return;
    if (!isConflict(error)) throw error;
    const { uid, namespace, name } = object.metadata;
    const fresh = await kube.mergePatch<T>(type, { namespace, name }, { metadata: { uid } }, { signal });
    await takeFrom(taking, fresh);
  }
}

interface Needing {
  readonly objects: readonly DatabaseBranch[];
  readonly classes: readonly KubeObject[];
}

async function withFinalizer({ kube, watchNamespaces, signal }: GuardParts): Promise<Needing> {
  const objects = await branchesIn({ kube, watchNamespaces, signal });
  const classes = await listAll<KubeObject>(kube, branchClassResource, undefined, signal);
  const needs = (finalizer: string) => (object: KubeObject) => object.metadata.finalizers?.includes(finalizer) ?? false;
  return {
    objects: objects.filter(needs(databaseBranchFinalizer)),
    classes: classes.filter(needs(branchClassFinalizer)),
  };
}

/**
 * Everywhere, if that is allowed: a namespace that was taken from the list may hold objects that nobody ends any more.
 * There is one release in a cluster, so all finalizers are ours.
 */
async function branchesIn({
  kube,
  watchNamespaces,
  signal,
}: Pick<GuardParts, 'kube' | 'watchNamespaces' | 'signal'>): Promise<DatabaseBranch[]> {
  try {
    return await listAll<DatabaseBranch>(kube, databaseBranchResource, undefined, signal);
  } catch (error) {
    if (watchNamespaces.length === 0 || !isForbidden(error)) throw error;
  }
  const objects: DatabaseBranch[] = [];
  for (const namespace of watchNamespaces)
    objects.push(...(await listAll<DatabaseBranch>(kube, databaseBranchResource, namespace, signal)));
  return objects;
}

/** Nothing, where the kind is not served: then there is no object either. */
async function listAll<T extends KubeObject>(
  kube: Kube,
  type: ResourceType,
  namespace: string | undefined,
  signal: AbortSignal,
): Promise<T[]> {
  const items: T[] = [];
  let from: string | undefined;
  try {
    do {
      const page: ListOptions = {
        signal,
        limit: 500,
        ...(namespace === undefined ? {} : { namespace }),
        ...(from === undefined ? {} : { continue: from }),
      };
      const answer: ObjectList<T> = await kube.list<T>(type, page);
      items.push(...answer.items);
      from = answer.metadata.continue || undefined;
    } while (from !== undefined);
  } catch (error) {
    if (!isNotFound(error)) throw error;
  }
  return items;
}
