// Databases inside a branch. Like a role, one is in the books once it exists in Postgres.
import { z } from 'zod';
import { databaseOf, flag, ok, optionalId, parse, specOf, type Answer, type Call } from '../call.ts';
import { recorded } from '../creation.ts';
import { Refusal } from '../errors.ts';
import { postgresNameField } from '../fields.ts';
import { databaseMask, maskedBody } from '../masks.ts';
import { page } from '../pages.ts';
import { builtInDatabases } from '../postgres/names.ts';
import { entry, type BranchRecord, type DatabaseRecord } from '../state.ts';
import { databaseView } from '../views.ts';
import { placeOf, roleNamed, startInBranch, type Place } from './in-branch.ts';
import { apiPrefix, type Route } from './route.ts';

const collection = `${apiPrefix}/projects/{project}/branches/{branch}/databases`;

export const databaseRoutes: readonly Route[] = [
  { method: 'POST', path: collection, handle: create },
  { method: 'GET', path: collection, handle: list },
  { method: 'GET', path: `${collection}/{database}`, handle: get },
  { method: 'PATCH', path: `${collection}/{database}`, handle: update },
  { method: 'DELETE', path: `${collection}/{database}`, handle: remove },
];

const specSchema = z.object({ postgres_database: postgresNameField.optional(), role: z.string().optional() });

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
  return startInBranch(call, place, {
    kind: 'Database',
    id,
    what: 'database.create',
    takesMs: workspace.faults.behaviour.operationMs,
    change: () => workspace.dataPlane.createDatabase(branch.uid, postgresDatabase, owner.postgresRole),
    note: () => {
      branch.databases[id] = database;
      return databaseView(place.project.id, branch.id, database);
    },
  });
}

/** By another database than `own`. The ones that the instance itself needs are taken, too. */
const isTaken = (branch: BranchRecord, name: string, own?: DatabaseRecord): boolean =>
  builtInDatabases.includes(name) ||
  Object.values(branch.databases).some((each) => each !== own && each.postgresDatabase === name);

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
  return startInBranch(call, place, {
    kind: 'Database',
    id: database.id,
    what: 'database.update',
    takesMs: workspace.faults.behaviour.operationMs,
    change: () =>
      workspace.dataPlane.alterDatabase(branch.uid, database.postgresDatabase, {
        ...(rename === database.postgresDatabase ? {} : { rename }),
        ...(owner && owner.id !== database.roleId ? { owner: owner.postgresRole } : {}),
      }),
    note: () => {
      Object.assign(database, {
        postgresDatabase: rename,
        roleId: owner?.id ?? database.roleId,
        updatedAt: workspace.now(),
      });
      return databaseView(project.id, branch.id, database);
    },
  });
}

function remove(call: Call): Promise<Answer> {
  const place = placeOf(call);
  const database = databaseOf(call, place.branch);
  const { workspace } = call;
  return startInBranch(call, place, {
    kind: 'Database',
    id: database.id,
    what: 'database.delete',
    takesMs: workspace.faults.behaviour.operationMs,
    change: () => workspace.dataPlane.dropDatabase(place.branch.uid, database.postgresDatabase),
    note: () => {
      delete place.branch.databases[database.id];
      return undefined;
    },
  });
}
