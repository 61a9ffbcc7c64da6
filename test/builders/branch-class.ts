import { branchClassSchema, type BranchClass } from '../../src/api/v1alpha1/branch-class.ts';
import { changed, type Change } from './merge.ts';

/** A class that allows everything to namespaces labelled `preview: "true"`, as the API server would return it. */
export function aBranchClass(change: Change<BranchClass> = {}): BranchClass {
  const defaulted = branchClassSchema.parse({
    spec: {
      provider: {
        host: 'https://dbc-12345678-9abc.cloud.databricks.com',
        project: 'shop',
        auth: { clientSecretRef: { name: 'lakebranch-manager' } },
      },
      login: { auth: { clientSecretRef: { name: 'lakebranch-login' } } },
      sources: { allow: ['production', 'staging-*'], default: 'production' },
      allowedNamespaces: { matchLabels: { preview: 'true' } },
    },
  });
  const base: BranchClass = {
    apiVersion: 'lakebranch.dev/v1alpha1',
    kind: 'BranchClass',
    metadata: {
      name: 'default',
      uid: '6f5c2a52-4d1e-4b55-9d52-0c3a1c5b7e01',
      generation: 1,
      resourceVersion: '1',
      creationTimestamp: '2026-09-21T11:00:00Z',
    },
    ...defaulted,
  };
  return changed(base, change);
}
