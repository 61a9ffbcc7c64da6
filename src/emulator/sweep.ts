// What is due by itself at an instant, and when to look next. Pure.
import type { BranchRecord, EmulatorState, Instant, ProjectRecord } from './state.ts';

export type Due =
  | { readonly what: 'expire'; readonly project: ProjectRecord; readonly branch: BranchRecord }
  /** The rows of a deleted branch are no longer kept. */
  | { readonly what: 'discard'; readonly project: ProjectRecord; readonly branch: BranchRecord }
  | { readonly what: 'forgetBranch'; readonly project: ProjectRecord; readonly branch: BranchRecord }
  | { readonly what: 'forgetProject'; readonly project: ProjectRecord };

/** Everything that becomes due some day, with its instant. `keepDeletedMs` is how long deleted rows are kept. */
function* appointments(state: EmulatorState, keepDeletedMs: number): Generator<[Instant, Due]> {
  for (const project of Object.values(state.projects)) {
    if (project.purgeAt !== undefined) yield [project.purgeAt, { what: 'forgetProject', project }];
    if (project.deletedAt === undefined) {
      for (const branch of Object.values(project.branches)) {
        if (branch.expiresAt !== undefined && !branch.deleting) {
          yield [branch.expiresAt, { what: 'expire', project, branch }];
        }
      }
    }
    for (const branch of project.deletedBranches) {
      if (!branch.dataGone && branch.deletedAt !== undefined) {
        yield [branch.deletedAt + keepDeletedMs, { what: 'discard', project, branch }];
      }
      if (branch.purgeAt !== undefined) yield [branch.purgeAt, { what: 'forgetBranch', project, branch }];
    }
  }
}

export const dueBy = (state: EmulatorState, keepDeletedMs: number, now: Instant): Due[] =>
  [...appointments(state, keepDeletedMs)].filter(([at]) => at <= now).map(([, due]) => due);

/**
 * The next sweep: the earliest appointment, moved up to a multiple of `intervalMs` after `now`; undefined when there is
 * none. What is overdue and could not be done is thus tried again after one interval.
 */
export function nextSweep(
  state: EmulatorState,
  keepDeletedMs: number,
  intervalMs: number,
  now: Instant,
): Instant | undefined {
  let earliest = Infinity;
  for (const [at] of appointments(state, keepDeletedMs)) earliest = Math.min(earliest, at);
  return earliest === Infinity ? undefined : Math.ceil(Math.max(earliest, now + 1) / intervalMs) * intervalMs;
}
