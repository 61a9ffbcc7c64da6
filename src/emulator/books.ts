// The roles and databases of a branch as the API knew them at some moment: a branch from the past has those.
import type { BranchRecord, FormerBooks, Instant, ProjectRecord } from './state.ts';

type Books = Pick<FormerBooks, 'roles' | 'databases'>;

/** To be called before roles or databases of the branch change. */
export function keepBooks(project: ProjectRecord, branch: BranchRecord, now: Instant): void {
  const { roles, databases } = structuredClone({ roles: branch.roles, databases: branch.databases });
  const reachable = (branch.former ?? []).filter(({ until }) => until >= now - project.historySeconds * 1000);
  branch.former = [...reachable, { until: now, roles, databases }];
}

/** As they were at `time`. */
export const booksAt = (branch: BranchRecord, time: Instant): Books =>
  branch.former?.find(({ until }) => until > time) ?? branch;
