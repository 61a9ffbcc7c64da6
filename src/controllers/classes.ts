// What a class refuses to everybody who asks something new of it, in the words that each of them shows. Pure.
import { describeSelector, selectorMatches } from '../api/selector.ts';
import type { BranchClass } from '../api/v1alpha1/branch-class.ts';
import { Reason } from '../api/v1alpha1/reasons.ts';

export interface Refusal {
  readonly reason: Reason;
  readonly message: string;
}

export const classTerminating = ({ metadata }: Pick<BranchClass, 'metadata'>): Refusal | undefined =>
  metadata.deletionTimestamp === undefined
    ? undefined
    : {
        reason: Reason.ClassTerminating,
        message: `BranchClass ${metadata.name} is being deleted: nothing new is created in it`,
      };

export function namespaceNotAllowed(
  { metadata, spec }: Pick<BranchClass, 'metadata' | 'spec'>,
  namespace: string,
  { labels }: { readonly labels: Readonly<Record<string, string>> },
): Refusal | undefined {
  if (selectorMatches(spec.allowedNamespaces, labels)) return undefined;
  return {
    reason: Reason.NamespaceNotAllowed,
    message: `BranchClass ${metadata.name} does not allow namespace ${namespace}: label the namespace ${describeSelector(spec.allowedNamespaces)}, or use another class`,
  };
}
