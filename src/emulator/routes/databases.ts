// Databases inside a branch. Like a role, one is in the books once it exists in Postgres.
import { z } from 'zod';
import {
  branchOf,
  databaseOf,
  flag,
  ok,
  optionalId,
  parse,
  projectOf,
  specOf,
  type Answer,
  type Call,
} from '../call.ts';
import { keepBooks } from '../books.ts';
import { recorded } from '../creation.ts';
import { Refusal } from '../errors.ts';
import { postgresNameField } from '../fields.ts';
import { databaseMask, maskedBody } from '../masks.ts';
import { page } from '../pages.ts';
import { builtInDatabases } from '../postgres/names.ts';
import {
  childName,
  entry,
  type BranchRecord,
  type DatabaseRecord,
  type ProjectRecord,
  type RoleRecord,
} from '../state.ts';
import { databaseView } from '../views.ts';
import { apiPrefix, type Route } from './route.ts';
import type { Json } from '../masks.ts';

const collection = `${apiPrefix}/projects/{project}/branches/{branch}/databases`;

export const databaseRoutes: readonly Route[] = [
  { method: 'POST', path: collection, handle: create },
  { method: 'GET', path: collection, handle: list },
  { method: 'GET', path: `${collection}/{database}`, handle: get },
  { method: 'PATCH', path: `${collection}/{database}`, handle: update },
  { method: 'DELETE', path: `${collection}/{database}`, handle: remove },
];

const specSchema = z.object({ postgres_database: postgresNameField.optional(), role: z.string().optional() });

interface Place {
  readonly project: ProjectRecord;
  readonly branch: BranchRecord;
}

function placeOf(call: Call): Place {
  const project = projectOf(call, 'CAN_USE');
  return { project, branch: branchOf(call, project) };
}

async function create(call: Call): Promise<Answer> {
  const { workspace } = call;
  const place = placeOf(call);
  const { branch } = place;
  const id = optionalId(call, 'database_id') ?? `db-${workspace.nextSequence()}`;
  const input = parse(specSchema, specOf(call.body));
  const existing = entry(branch.databases, id);
  if (existing && flag(call, 'replace_existing')) return change(call, place, existing, input);
  const postgresDatabase = input.postgres_database;
  if (!postgresDatabase) throw new Refusal('fieldRequired', { field: 'database.spec.postgres_database' });
  if (!input.role) throw new Refusal('fieldRequired', { field: 'database.spec.role' });
  const owner = roleNamed(place, input.role);
  if (existing || isTaken(branch, postgresDatabase)) throw new Refusal('databaseExists');
  const limit = workspace.faults.behaviour.limits.databases;
  if (Object.keys(branch.databases).length >= limit) throw new Refusal('tooManyDatabases', { limit });

  const database: DatabaseRecord = { ...recorded(workspace, id), postgresDatabase, roleId: owner.id };
  return start(call, place, 'database.create', database, async () => {
    await workspace.dataPlane.createDatabase(branch.uid, postgresDatabase, owner.postgresRole);
    keepBooks(place.project, branch, workspace.now());
    branch.databases[id] = database;
    return databaseView(place.project.id, branch.id, database);
  });
}

/** By another database than `own`. The ones that the instance itself needs are taken, too. */
const isTaken = (branch: BranchRecord, name: string, own?: DatabaseRecord): boolean =>
  builtInDatabases.includes(name) ||
  Object.values(branch.databases).some((each) => each !== own && each.postgresDatabase === name);

/** Full name, as the service wants it. */
function roleNamed({ project, branch }: Place, name: string): RoleRecord {
  const prefix = childName(project.id, branch.id, 'roles', '');
  const id = name.startsWith(prefix) ? name.slice(prefix.length) : name;
  const role = entry(branch.roles, id);
  if (!role) throw new Refusal('roleMissing', { id });
  return role;
}

function list(call: Call): Answer {
  const { project, branch } = placeOf(call);
  return page(call, 'databases', Object.values(branch.databases), (each) => databaseView(project.id, branch.id, each));
}

function get(call: Call): Answer {
  const { project, branch } = placeOf(call);
  return ok(databaseView(project.id, branch.id, databaseOf(call, branch)));
}

function update(call: Call): Promise<Answer> {
  const place = placeOf(call);
  const database = databaseOf(call, place.branch);
  const masked = maskedBody(databaseMask, call.query.get('update_mask') ?? undefined, call.body);
  return change(call, place, database, parse(specSchema, specOf(masked)));
}

function change(
  call: Call,
  place: Place,
  database: DatabaseRecord,
  input: z.infer<typeof specSchema>,
): Promise<Answer> {
  const { workspace } = call;
  const { project, branch } = place;
  const owner = input.role ? roleNamed(place, input.role) : undefined;
  const rename = input.postgres_database || database.postgresDatabase;
  if (isTaken(branch, rename, database)) throw new Refusal('databaseExists');
  return start(call, place, 'database.update', database, async () => {
    await workspace.dataPlane.alterDatabase(branch.uid, database.postgresDatabase, {
      ...(rename === database.postgresDatabase ? {} : { rename }),
      ...(owner && owner.id !== database.roleId ? { owner: owner.postgresRole } : {}),
    });
    keepBooks(project, branch, workspace.now());
    Object.assign(database, {
      postgresDatabase: rename,
      roleId: owner?.id ?? database.roleId,
      updatedAt: workspace.now(),
    });
    return databaseView(project.id, branch.id, database);
  });
}

function remove(call: Call): Promise<Answer> {
  const place = placeOf(call);
  const database = databaseOf(call, place.branch);
  return start(call, place, 'database.delete', database, async () => {
    await call.workspace.dataPlane.dropDatabase(place.branch.uid, database.postgresDatabase);
    keepBooks(place.project, place.branch, call.workspace.now());
    delete place.branch.databases[database.id];
    return undefined;
  });
}

async function start(
  call: Call,
  { project, branch }: Place,
  what: string,
  database: DatabaseRecord,
  work: () => Promise<Json | undefined>,
): Promise<Answer> {
  const { workspace } = call;
  const { lifecycle, operations } = workspace;
  const name = childName(project.id, branch.id, 'databases', database.id);
  const operation = operations.start({
    resource: name,
    kind: 'Database',
    projectId: project.id,
    branchUid: branch.uid,
    exclusive: true,
    run: async () => {
      await lifecycle.pause(workspace.faults.behaviour.operationMs);
      const result = await lifecycle.inTurn(branch.uid, work);
      workspace.journal.note(workspace.now(), { what, name, by: call.principal.name });
      return result;
    },
  });
  return ok(await operations.answer(operation));
}
