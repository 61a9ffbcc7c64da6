// A plan in a few words, with all that tells it from another: what the rows of a table expect.
import type { Expiry, Plan, Wait } from '../../src/controllers/database-branch/plan.ts';
import { hours, minutes, now, wish } from './world.ts';

/** 'nothing' for no plan at all. */
export function told(plan: Plan | undefined): string {
  if (!plan) return 'nothing';
  switch (plan.do) {
    case 'look':
      return `look ${plan.at} of ${nameOf(plan.of.id)}`;
    case 'lookAround':
      return `look around ${plan.at}`;
    case 'idle':
      return `idle ${span(plan.lookInMs)}`;
    case 'wait':
      return waitWords(plan);
    case 'createBranch':
      return `createBranch ${expiryWords(plan.expiry)}`;
    case 'resize':
      return `resize ${nameOf(plan.of.id)} ${JSON.stringify(plan.size)}`;
    case 'createRole':
      return `createRole ${plan.postgresRole} on ${nameOf(plan.of.id)}`;
    case 'extendRole':
      return `extendRole ${plan.role.postgresRole} on ${nameOf(plan.of.id)}`;
    case 'login':
      return `login ${plan.username} on ${nameOf(plan.of.id)}`;
    case 'issue':
      return `issue ${plan.why} replacing ${plan.replaces?.uid ?? 'nothing'}${plan.loginSkipped === undefined ? '' : `, login skipped: ${plan.loginSkipped}`}`;
    case 'setExpiry':
      return `setExpiry ${plan.why} of ${nameOf(plan.branch.id)} ${expiryWords(plan.expiry)}`;
    case 'markEnded':
      return `markEnded ${plan.reason}`;
    case 'deleteSecret':
      return `deleteSecret ${plan.secret.uid}`;
    case 'deleteBranch':
      return `deleteBranch ${nameOf(plan.branch.id)}: ${plan.why}`;
    case 'release':
      return `release: ${plan.why}${plan.left ? ` (${plan.left.how} ${plan.left.until ? ahead(plan.left.until) : 'for ever'})` : ''}`;
    default:
      return plan.do;
  }
}

/** The id of a branch of the object; `reset` has 6 letters, and is the name of the branch in what is told. */
export const idOf = (reset: string): string => `${wish.branchId.slice(0, -6)}${reset}`;

const nameOf = (id: string): string => (id === wish.branchId ? 'wanted' : id.startsWith(idOf('')) ? id.slice(-6) : id);

function waitWords({ stalled, reason, transition, lookInMs, queue }: Wait): string {
  const parts = [
    `${stalled ? 'stalled' : 'wait'} ${reason}`,
    ...(transition === undefined ? [] : [`for the ${transition}`]),
    ...(lookInMs === undefined ? [] : [span(lookInMs)]),
    ...(queue ? [`place ${queue.position}${queue.nextSlotTime ? ` next ${queue.nextSlotTime}` : ''}`] : []),
  ];
  return parts.join(', ');
}

const expiryWords = ({ at, clampedFrom }: Expiry): string =>
  (at ? ahead(at) : 'never') + (clampedFrom ? ` instead of ${ahead(clampedFrom)}` : '');

const ahead = (instant: Date): string => span(instant.getTime() - now.getTime());

function span(ms: number): string {
  if (ms === Infinity) return 'for ever';
  if (ms !== 0 && ms % hours(1) === 0) return `${ms / hours(1)} h`;
  if (ms !== 0 && ms % minutes(1) === 0) return `${ms / minutes(1)} min`;
  return ms % 1000 === 0 ? `${ms / 1000} s` : `${ms} ms`;
}
