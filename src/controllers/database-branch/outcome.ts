// What became of a step.
import type { DatabaseBranch } from '../../api/v1alpha1/database-branch.ts';
import { Reason } from '../../api/v1alpha1/reasons.ts';
import type { LakebaseError } from '../../lakebase/errors.ts';
import { waitFor, type Wait } from './plan.ts';

/**
 * - `done`    the step was taken; look again
 * - `stale`   what the step rested on has changed meanwhile: nothing was written, start again from a read
 * - `failed`  the provider did not do it
 * - `refused` the API server did not take the write, and would not take it again now
 */
export type Outcome =
  | { readonly is: 'done'; readonly object?: DatabaseBranch }
  | { readonly is: 'stale' }
  | { readonly is: 'failed'; readonly error: LakebaseError }
  | { readonly is: 'refused'; readonly state: Wait };

export const done: Outcome = { is: 'done' };
export const stale: Outcome = { is: 'stale' };

export const namespaceTerminating = waitFor(
  Reason.NamespaceTerminating,
  'the namespace is being deleted: nothing new is made in it',
);
