// Events: for people, on transitions only. Pure.
import type { DatabaseBranch } from '../../api/v1alpha1/database-branch.ts';
import { ConditionType } from '../../api/v1alpha1/conditions.ts';
import type { IssueReason } from '../../api/v1alpha1/issue-reasons.ts';
import { Reason } from '../../api/v1alpha1/reasons.ts';
import { findCondition } from '../../kit/conditions.ts';
import type { Condition } from '../../kit/kube.ts';
import type { Outcome } from './outcome.ts';
import type { Expiry, Plan } from './plan.ts';
import type { World } from './world.ts';

export interface Announcement {
  readonly type: 'Normal' | 'Warning';
  readonly reason: string;
  readonly action: string;
  readonly note: string;
}

export interface Pass {
  readonly before: DatabaseBranch;
  readonly after: DatabaseBranch;
  readonly world: World;
  readonly plan: Plan;
  readonly outcome: Outcome;
}

/** Nothing in a namespace that is being deleted: no Event can be made there. */
export function announce(pass: Pass): Announcement[] {
  if (pass.world.namespaceTerminating) return [];
  return [...readiness(pass), ...told.flatMap((type) => appeared(pass, type)), ...reprieved(pass), ...steps(pass)];
}

/** Ready was lost or won, or a person is asked for. What is merely under way is told by the condition alone. */
function readiness(pass: Pass): Announcement[] {
  const was = condition(pass.before, 'Ready');
  const is = condition(pass.after, 'Ready');
  if (!is || (was?.status === is.status && was.reason === is.reason)) return [];
  const ready = is.status === 'True';
  const worthTelling = ready || was?.status === 'True' || condition(pass.after, 'Stalled') !== undefined;
  if (!worthTelling || isToldByStep(pass, is)) return [];
  const type = ready || asAsked.has(is.reason) ? 'Normal' : 'Warning';
  return [{ type, reason: is.reason, action: 'Reconcile', note: is.message }];
}

const isToldByStep = ({ plan }: Pass, { reason }: Condition): boolean =>
  (plan.do === 'deleteSecret' && reason === Reason.SecretPending) ||
  (plan.do === 'issue' && plan.why === 'First' && reason === Reason.Available);

/** Ready is lost on purpose: somebody asked for it. */
const asAsked = new Set<string>([Reason.Deleting, Reason.Resetting, Reason.PausedByAnnotation]);

/** Conditions whose appearance, or whose change of words, is news. */
const told: readonly ConditionType[] = [
  ConditionType.Expiring,
  ConditionType.ExpirationClamped,
  ConditionType.Drifted,
  ConditionType.LoginReachesSource,
  ConditionType.NamespaceAllowed,
];

function appeared({ before, after }: Pass, type: ConditionType): Announcement[] {
  const [was, is] = [condition(before, type), condition(after, type)];
  if (!is || was?.message === is.message) return [];
  return [{ type: 'Warning', reason: is.reason, action: 'Reconcile', note: is.message }];
}

function reprieved({ after, world: { wish } }: Pass): Announcement[] {
  const { expireTime, reprieved: isReprieved } = wish?.expiration ?? {};
  const end = after.status?.expiration?.expireTime;
  if (!isReprieved || end !== expireTime?.toISOString()) return [];
  const note = `the status had lost when the branch ends, and by the present default of the class it would have ended already: it ends at ${end}. To keep it longer, set spec.expiration`;
  return [warning('ExpirationPinnedAnew', 'Expire', note)];
}

const condition = ({ status }: DatabaseBranch, type: string): Condition | undefined =>
  findCondition(status?.conditions ?? [], type);

const normal = (reason: string, action: string, note: string): Announcement => ({
  type: 'Normal',
  reason,
  action,
  note,
});
const warning = (reason: string, action: string, note: string): Announcement => ({
  ...normal(reason, action, note),
  type: 'Warning',
});

function steps({ before, after: { status }, world, plan, outcome }: Pass): Announcement[] {
  if (outcome.is !== 'done') return [];
  switch (plan.do) {
    case 'createBranch':
      return [normal('BranchRequested', 'CreateBranch', `asked the provider for branch ${plan.wish.branchId}`)];
    case 'issue':
      return issued(before, status, plan);
    case 'deleteSecret':
      return [warning('SecretWithdrawn', 'DeleteSecret', `deleted the Secret: ${plan.why}`)];
    case 'deleteBranch':
      return world.deleting || world.ended
        ? []
        : [normal('BranchDeleted', 'DeleteBranch', `deletes branch ${plan.branch.id}: ${plan.why}`)];
    case 'setExpiry':
      return plan.why === 'drain' ? [draining(plan.branch.id, plan.expiry)] : [];
    default:
      return [];
  }
}

const draining = (id: string, { at }: Expiry): Announcement =>
  warning(
    'BranchSuperseded',
    'Reset',
    `the Secret opens a fresh branch now; what is still written to the old one (${id}) is lost at ${at?.toISOString()}`,
  );

function issued(
  before: DatabaseBranch,
  status: DatabaseBranch['status'],
  plan: Extract<Plan, { do: 'issue' }>,
): Announcement[] {
  const skipped =
    plan.loginSkipped === undefined
      ? []
      : [
          warning(
            Reason.LoginSkipped,
            'Login',
            `wrote the credential without having logged in with it, because the operator has no network path to the database: ${plan.loginSkipped}`,
          ),
        ];
  if (plan.why === 'RenewalDue') return skipped;
  return [
    ...skipped,
    normal(
      'CredentialIssued',
      'WriteSecret',
      `wrote a fresh credential into Secret ${status?.credentials?.secretName}: ${whys[plan.why]}`,
    ),
    ...otherLogin(before.status?.credentials?.username, plan.binding.username),
  ];
}

const whys: Readonly<Record<Exclude<IssueReason, 'RenewalDue'>, string>> = {
  First: 'the branch is ready, and the Secret opens it',
  Reset: 'it opens the fresh branch now',
  RotationRequested: 'spec.credentials.rotateToken has a new value',
  Healing: 'the Secret was missing or had been edited',
  BindingChanged: 'the login or the endpoint has changed',
};

/** The role of the login before stays on the branch: dropping it could break what somebody built on it. */
const otherLogin = (was: string | undefined, is: string): Announcement[] =>
  was === undefined || was === is
    ? []
    : [
        normal(
          'LoginChanged',
          'WriteSecret',
          `the class has another login now: the Secret names ${is}. The role ${was} stays on the branch until somebody drops it`,
        ),
      ];
