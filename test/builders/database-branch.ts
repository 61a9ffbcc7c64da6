import { databaseBranchSchema, type DatabaseBranch } from '../../src/api/v1alpha1/database-branch.ts';
import { changed, type Change } from './merge.ts';

/** An object that leaves everything to its class, as the API server would return it right after the create. */
export function aDatabaseBranch(change: Change<DatabaseBranch> = {}): DatabaseBranch {
  const base: DatabaseBranch = {
    apiVersion: 'lakebranch.dev/v1alpha1',
    kind: 'DatabaseBranch',
    metadata: {
      namespace: 'preview-42',
      name: 'database',
      uid: '2d0f4c0e-9c1a-4a8e-8f5d-5a1d6a0b9c42',
      generation: 1,
      resourceVersion: '1',
      creationTimestamp: '2026-09-21T12:00:00Z',
    },
    ...databaseBranchSchema.parse({}),
  };
  return changed(base, change);
}
