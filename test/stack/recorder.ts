// Everything that the API server said during a test: every version of our objects, of the Secrets that we write, and all
// Events. What was true for a moment only is in here, too.
import {
  branchClassResource,
  databaseBranchResource,
  eventResource,
  managedByLabel,
  namespaceResource,
  pointInTimeRestoreResource,
  secretResource,
} from '../../src/api/names.ts';
import type { DatabaseBranch } from '../../src/api/v1alpha1/database-branch.ts';
import type { PointInTimeRestore } from '../../src/api/v1alpha1/point-in-time-restore.ts';
import type { Secret } from '../../src/credentials/secret.ts';
import { keyOf, type Kube, type KubeObject, type ResourceType, type WatchEvent } from '../../src/kit/kube.ts';
import { expectLawfulStatus, type StatusObject } from '../kstatus.ts';

export interface Sighting<T> {
  readonly at: Date;
  readonly is: 'ADDED' | 'MODIFIED' | 'DELETED';
  readonly object: T;
}

export interface KubeEvent extends KubeObject {
  readonly reason?: string;
  readonly note?: string;
  readonly regarding?: { readonly kind?: string; readonly name?: string; readonly namespace?: string };
}

export interface Recorder {
  readonly objects: readonly Sighting<DatabaseBranch>[];
  readonly classes: readonly Sighting<KubeObject>[];
  readonly restores: readonly Sighting<PointInTimeRestore>[];
  readonly secrets: readonly Sighting<Secret>[];
  readonly events: readonly Sighting<KubeEvent>[];
  readonly namespaces: readonly Sighting<KubeObject>[];
  /** Breaches of the kstatus rulebook so far, by any status of ours. */
  readonly breaches: readonly string[];
  /** Throws if a watch has ended before its time: then the record has gaps. */
  stop(): Promise<void>;
}

/** Resolves when everything that is there already has been seen. */
export async function startRecorder(kube: Kube): Promise<Recorder> {
  const stop = new AbortController();
  const watching: Promise<void>[] = [];
  const breaches: string[] = [];
  const judge = lawfulness(breaches);
  const record = async <T extends KubeObject>(
    type: ResourceType,
    options: { labelSelector?: string; onSight?: (sighting: Sighting<T>) => void } = {},
  ): Promise<Sighting<T>[]> => {
    const { labelSelector, onSight } = options;
    const sightings: Sighting<T>[] = [];
    const { metadata, items } = await kube.list<T>(type, labelSelector === undefined ? {} : { labelSelector });
    const take = (sighting: Sighting<T>): void => {
      sightings.push(sighting);
      onSight?.(sighting);
    };
    for (const object of items) take({ at: new Date(), is: 'ADDED', object });
    const stream = kube.watch<T>(type, {
      signal: stop.signal,
      resourceVersion: metadata.resourceVersion ?? '',
      timeoutSeconds: 3600,
      ...(labelSelector === undefined ? {} : { labelSelector }),
    });
    watching.push(follow(type, stream, take, stop.signal));
    return sightings;
  };
  const ours = { labelSelector: `${managedByLabel.key}=${managedByLabel.value}` };
  const [objects, classes, restores, secrets, events, namespaces] = await Promise.all([
    record<DatabaseBranch>(databaseBranchResource, { onSight: judge }),
    record<KubeObject>(branchClassResource, { onSight: judge }),
    record<PointInTimeRestore>(pointInTimeRestoreResource, { onSight: judge }),
    record<Secret>(secretResource, ours),
    record<KubeEvent>(eventResource),
    record<KubeObject>(namespaceResource),
  ]);
  return {
    objects,
    classes,
    restores,
    secrets,
    events,
    namespaces,
    breaches,
    async stop() {
      stop.abort(new Error('the recorder was stopped'));
      await Promise.all(watching);
    },
  };
}

async function follow<T extends KubeObject>(
  type: ResourceType,
  stream: AsyncIterable<WatchEvent<T>>,
  take: (sighting: Sighting<T>) => void,
  signal: AbortSignal,
): Promise<void> {
  try {
    for await (const { type: is, object } of stream) if (is !== 'BOOKMARK') take({ at: new Date(), is, object });
  } catch (error) {
    if (!signal.aborted) throw error;
  }
  if (!signal.aborted) throw new Error(`the watch of ${type.plural} has ended: the record has a gap`);
}

/** Every version is judged by itself and against the one before it of the same object. */
function lawfulness(breaches: string[]): (sighting: Sighting<StatusObject>) => void {
  const last = new Map<string, StatusObject>();
  return ({ is, object }) => {
    const uid = object.metadata.uid ?? keyOf(object.metadata);
    try {
      if (is !== 'DELETED') expectLawfulStatus(object, last.get(uid));
    } catch (error) {
      breaches.push(error instanceof Error ? error.message : String(error));
    }
    last.set(uid, object);
  };
}
