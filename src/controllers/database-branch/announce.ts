// Events: for people, on transitions only. Pure.
import type { DatabaseBranch } from '../../api/v1alpha1/database-branch.ts';
import { Reason } from '../../api/v1alpha1/reasons.ts';
import { findCondition } from '../../kit/conditions.ts';
import type { Condition } from '../../kit/kube.ts';
import type { Outcome } from './act.ts';
import type { Plan } from './plan.ts';

export interface Announcement {
  readonly type: 'Normal' | 'Warning';
  readonly reason: string;
  readonly action: string;
  readonly note: string;
}

export function announce(before: DatabaseBranch, after: DatabaseBranch, plan: Plan, outcome: Outcome): Announcement[] {
  return [...transitions(before, after), ...(outcome.is === 'done' ? steps(after, plan) : [])];
}

/** Ready was lost or won, or a person is asked for. What is merely under way is told by the condition alone. */
function transitions(before: DatabaseBranch, after: DatabaseBranch): Announcement[] {
  const was = condition(before, 'Ready');
  const is = condition(after, 'Ready');
  if (!is || (was?.status === is.status && was.reason === is.reason)) return [];
  const ready = is.status === 'True';
  const worthTelling = ready || was?.status === 'True' || condition(after, 'Stalled') !== undefined;
  if (!worthTelling) return [];
  return [{ type: ready ? 'Normal' : 'Warning', reason: is.reason, action: 'Reconcile', note: is.message }];
}

const condition = ({ status }: DatabaseBranch, type: string): Condition | undefined =>
  findCondition(status?.conditions ?? [], type);

function steps({ status }: DatabaseBranch, plan: Plan): Announcement[] {
  switch (plan.do) {
    case 'createBranch':
      return [
        {
          type: 'Normal',
          reason: 'BranchRequested',
          action: 'CreateBranch',
          note: 'asked the provider for the branch',
        },
      ];
    case 'issue':
      if (plan.loginSkipped !== undefined) return [skipped(plan.loginSkipped)];
      return plan.why === 'RenewalDue'
        ? []
        : [
            {
              type: 'Normal',
              reason: 'CredentialIssued',
              action: 'WriteSecret',
              note: `wrote a fresh credential into Secret ${status?.credentials?.secretName ?? ''} (${plan.why})`,
            },
          ];
    case 'deleteSecret':
      return [
        { type: 'Warning', reason: 'SecretWithdrawn', action: 'DeleteSecret', note: `deleted the Secret: ${plan.why}` },
      ];
    default:
      return [];
  }
}

const skipped = (why: string): Announcement => ({
  type: 'Warning',
  reason: Reason.LoginSkipped,
  action: 'Login',
  note: `wrote the credential without having logged in with it, because the operator has no network path to the database: ${why}`,
});
