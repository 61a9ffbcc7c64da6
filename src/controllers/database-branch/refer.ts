// Where `source.databaseBranchRef` leads: to the branch of another object of the same namespace and class. Pure.
import type { DatabaseBranch } from '../../api/v1alpha1/database-branch.ts';
import { Reason } from '../../api/v1alpha1/reasons.ts';
import type { Cache } from '../../kit/cache.ts';
import type { Problem, Referred } from './wish.ts';

/** Undefined when the source is not a reference. */
export function referredBy(objects: Pick<Cache<DatabaseBranch>, 'get'>, object: DatabaseBranch): Referred | undefined {
  const name = object.spec.source?.databaseBranchRef?.name;
  if (name === undefined) return undefined;
  const other = objects.get(`${object.metadata.namespace ?? ''}/${name}`);
  const problem = refusal(object, name, other);
  if (problem) return { problem };
  const { branch, expiration } = other?.status ?? {};
  // A branch that the provider may still remove cannot be a parent.
  if (!branch || expiration?.enforcedBy !== 'Operator')
    return {
      problem: {
        reason: Reason.SourceRefNotReady,
        message: `DatabaseBranch ${name} has no branch yet that can be a parent: it goes on as soon as it has`,
        passes: true,
      },
    };
  return { branchId: branch.id };
}

function refusal(object: DatabaseBranch, name: string, other: DatabaseBranch | undefined): Problem | undefined {
  if (!other)
    return {
      reason: Reason.SourceRefNotFound,
      message: `DatabaseBranch ${name}, named in spec.source.databaseBranchRef, does not exist in this namespace: create it, and this object goes on by itself; or name another with a new spec.reset.token`,
      passes: true,
    };
  const notAllowed = (why: string): Problem => ({
    reason: Reason.SourceRefNotAllowed,
    message: `spec.source.databaseBranchRef names DatabaseBranch ${name}, ${why}`,
  });
  if (other.metadata.uid === object.metadata.uid) return notAllowed('which is this very object: name another');
  if (other.spec.className !== object.spec.className)
    return notAllowed(`which is of class ${other.spec.className}: both must be of one class`);
  if (other.spec.children !== 'Allow')
    return notAllowed('which has children: Forbid: set spec.children: Allow on it first');
  if (other.metadata.deletionTimestamp) return notAllowed('which is being deleted: name another');
  return undefined;
}
