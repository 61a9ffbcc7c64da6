// What is due by itself at an instant, and when to look next. Pure.
import type { BranchRecord, EmulatorState, Instant, ProjectRecord } from './state.ts';

export type Due =
  | { readonly what: 'expire'; readonly project: ProjectRecord; readonly branch: BranchRecord }
  /** The rows of a deleted branch are no longer kept. */
  | { readonly what: 'discard'; readonly project: ProjectRecord; readonly branch: BranchRecord }
  | { readonly what: 'forgetBranch'; readonly project: ProjectRecord; readonly branch: BranchRecord }
  | { readonly what: 'forgetProject'; readonly project: ProjectRecord };

type Appointment = readonly [at: Instant, due: Due];

/** Everything that becomes due some day, with its instant. `keepDeletedMs` is how long deleted rows are kept. */
function appointments(state: EmulatorState, keepDeletedMs: number): Appointment[] {
  return Object.values(state.projects).flatMap((project) => [
    ...expiries(project),
    ...project.deletedBranches.flatMap((branch) => afterDeletion(project, branch, keepDeletedMs)),
    ...(project.purgeAt === undefined ? [] : [[project.purgeAt, { what: 'forgetProject', project }] as const]),
  ]);
}

function expiries(project: ProjectRecord): Appointment[] {
  if (project.deletedAt !== undefined) return [];
  return Object.values(project.branches).flatMap((branch): Appointment[] =>
    branch.expiresAt === undefined || branch.deleting ? [] : [[branch.expiresAt, { what: 'expire', project, branch }]],
  );
}

function afterDeletion(project: ProjectRecord, branch: BranchRecord, keepDeletedMs: number): Appointment[] {
  const { deletedAt, purgeAt, dataGone } = branch;
  return [
    ...(dataGone || deletedAt === undefined
      ? []
      : [[deletedAt + keepDeletedMs, { what: 'discard', project, branch }] as const]),
    ...(purgeAt === undefined ? [] : [[purgeAt, { what: 'forgetBranch', project, branch }] as const]),
  ];
}

export const dueBy = (state: EmulatorState, keepDeletedMs: number, now: Instant): Due[] =>
  appointments(state, keepDeletedMs)
    .filter(([at]) => at <= now)
    .map(([, due]) => due);

/** Infinity when nothing will be. */
export const earliestDue = (state: EmulatorState, keepDeletedMs: number): Instant =>
  appointments(state, keepDeletedMs).reduce((earliest, [at]) => Math.min(earliest, at), Infinity);

/**
 * When the sweep for something due at `instant` runs: at the next multiple of `intervalMs`, and after `now`. What is
 * overdue and could not be done is thus tried again after one interval.
 */
export const sweepTime = (instant: Instant, intervalMs: number, now: Instant): Instant =>
  Math.ceil(Math.max(instant, now + 1) / intervalMs) * intervalMs;
