import { pointInTimeRestoreSchema, type PointInTimeRestore } from '../../src/api/v1alpha1/point-in-time-restore.ts';
import { changed, type Change } from './merge.ts';

/** A restore of production to a minute before it was created, as the API server would return it right after the create. */
export function aPointInTimeRestore(change: Change<PointInTimeRestore> = {}): PointInTimeRestore {
  const base: PointInTimeRestore = {
    apiVersion: 'lakebranch.dev/v1alpha1',
    kind: 'PointInTimeRestore',
    metadata: {
      namespace: 'preview-42',
      name: 'undo',
      uid: '7a1f4c0e-9c1a-4a8e-8f5d-5a1d6a0b9c42',
      generation: 1,
      resourceVersion: '1',
      creationTimestamp: '2026-09-21T12:00:00Z',
    },
    ...pointInTimeRestoreSchema.parse({
      spec: { source: { branch: 'production' }, target: { time: '2026-09-21T11:59:02Z' } },
    }),
  };
  return changed(base, change);
}
