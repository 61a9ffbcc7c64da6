// What the routes below a branch have in common: where they are, and changes inside its database.
import { keepBooks } from '../books.ts';
import { branchOf, ok, projectOf, type Answer, type Call } from '../call.ts';
import { Refusal } from '../errors.ts';
import type { Json } from '../masks.ts';
import { childName, entry, type BranchRecord, type Level, type ProjectRecord, type RoleRecord } from '../state.ts';

export interface Place {
  readonly project: ProjectRecord;
  readonly branch: BranchRecord;
}

export function placeOf(call: Call, level: Level = 'CAN_USE'): Place {
  const project = projectOf(call, level);
  return { project, branch: branchOf(call, project) };
}

/** Full name, as the service wants it; the id alone will do. */
export function roleNamed({ project, branch }: Place, name: string): RoleRecord {
  const prefix = childName(project.id, branch.id, 'roles', '');
  const id = name.startsWith(prefix) ? name.slice(prefix.length) : name;
  const role = entry(branch.roles, id);
  if (!role) throw new Refusal('roleMissing', { id });
  return role;
}

export interface DatabaseChange {
  readonly kind: 'Role' | 'Database';
  readonly id: string;
  /** As the journal has it, like `role.create`. */
  readonly what: string;
  readonly takesMs: number;
  /** In the instance. */
  readonly change: () => Promise<unknown>;
  /** In the books, once that is done; resolves the operation. */
  readonly note: () => Json | undefined;
}

const collections = { Role: 'roles', Database: 'databases' } as const;

/** An operation that changes what is inside the database of the branch. */
export async function startInBranch(call: Call, { project, branch }: Place, step: DatabaseChange): Promise<Answer> {
  const { workspace } = call;
  const { lifecycle, operations } = workspace;
  const name = childName(project.id, branch.id, collections[step.kind], step.id);
  const operation = operations.start({
    resource: name,
    kind: step.kind,
    projectId: project.id,
    branchUid: branch.uid,
    exclusive: true,
    run: async () => {
      await lifecycle.pause(step.takesMs);
      await lifecycle.inTurn(branch.uid, step.change);
      keepBooks(project, branch, workspace.now());
      const result = step.note();
      workspace.journal.note(workspace.now(), { what: step.what, name, by: call.principal.name });
      return result;
    },
  });
  return ok(await operations.answer(operation));
}
