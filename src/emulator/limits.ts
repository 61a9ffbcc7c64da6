// The documented quotas, and the checks that need them. Pure.
import { Refusal } from './errors.ts';
import type { ProjectRecord } from './state.ts';

export interface Limits {
  readonly unarchivedBranches: number;
  readonly branches: number;
  readonly protectedBranches: number;
  readonly projects: number;
  readonly databases: number;
  /** How far ahead an expiry may lie, in seconds. A workspace policy that no API tells. */
  readonly expirationSeconds: number;
}

export const documentedLimits: Limits = {
  unarchivedBranches: 10,
  branches: 500,
  protectedBranches: 1,
  projects: 1000,
  databases: 500,
  expirationSeconds: 30 * 24 * 3600,
};

export const smallestCU = 0.5;
export const largestCU = 64;
/** Between the two ends of autoscaling. */
export const largestSpreadCU = 16;
export const suspendSeconds = { least: 60, most: 7 * 24 * 3600 } as const;
export const historySeconds = { least: 2 * 24 * 3600, most: 35 * 24 * 3600 } as const;
export const credentialSeconds = { least: 300, most: 3600 } as const;

/** Room for one more branch. None is ever archived here, so all of them count. */
export function checkBranchRoom(project: ProjectRecord, limits: Limits): void {
  const count = Object.keys(project.branches).length;
  if (count >= limits.branches) throw new Refusal('tooManyBranches', { limit: limits.branches });
  if (count >= limits.unarchivedBranches) throw new Refusal('tooManyUnarchived', { limit: limits.unarchivedBranches });
}

/** Room for one more protected branch. */
export function checkProtectedRoom(project: ProjectRecord, limits: Limits): void {
  const count = Object.values(project.branches).filter((branch) => branch.isProtected).length;
  if (count >= limits.protectedBranches) throw new Refusal('tooManyProtected', { limit: limits.protectedBranches });
}
