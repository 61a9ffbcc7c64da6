// Roles of the API as roles of an instance.
import type { PostgresRole } from '../data-plane.ts';
import { quoteName } from './administer.ts';
import type { AdminClient } from './administer.ts';
import { identityMark } from './extension.ts';
import { builtInRoles, superuserGroup } from './names.ts';

/** Creates the role, or gives an existing one these attributes. */
export async function putRole(client: AdminClient, role: PostgresRole): Promise<void> {
  refuseReserved(role.name);
  const name = quoteName(role.name);
  const verb = (await roleExists(client, role.name)) ? 'ALTER' : 'CREATE';
  await client.query(`${verb} ROLE ${name} WITH ${attributesOf(role).join(' ')}`);
  const group = quoteName(superuserGroup);
  if (role.superuserMember) await client.query(`GRANT ${group} TO ${name}`);
  else if (await isMember(client, role.name)) await client.query(`REVOKE ${group} FROM ${name}`);
}

/**
 * Drops a role that may be gone already. What it owns goes to `heir`, in every database; without one, a role that
 * owns anything or was granted anything is refused by PostgreSQL (2BP01), whose message names what depends on it.
 */
export async function dropRole(
  inEachDatabase: (work: (client: AdminClient) => Promise<void>) => Promise<void>,
  client: AdminClient,
  { name, heir }: { name: string; heir?: string | undefined },
): Promise<void> {
  refuseReserved(name);
  if (!(await roleExists(client, name))) return;
  if (heir !== undefined) {
    await inEachDatabase(async (each) => {
      await each.query(`REASSIGN OWNED BY ${quoteName(name)} TO ${quoteName(heir)}`);
      await each.query(`DROP OWNED BY ${quoteName(name)}`);
    });
  }
  await client.query(`DROP ROLE IF EXISTS ${quoteName(name)}`);
}

/** Whether SQL's `databricks_create_role` made this role, so that a token may open it though the API never saw it. */
export async function isIdentityRole(client: AdminClient, name: string): Promise<boolean> {
  const { rowCount } = await client.query(
    `SELECT FROM pg_roles WHERE rolname = $1 AND starts_with(shobj_description(oid, 'pg_authid'), $2)`,
    [name, identityMark],
  );
  return rowCount === 1;
}

function attributesOf(role: PostgresRole): string[] {
  const attribute = (has: boolean, word: string): string => (has ? word : `NO${word}`);
  return [
    'NOSUPERUSER',
    attribute(role.login, 'LOGIN'),
    attribute(role.createdb, 'CREATEDB'),
    attribute(role.createrole, 'CREATEROLE'),
    attribute(role.bypassrls, 'BYPASSRLS'),
  ];
}

async function roleExists(client: AdminClient, name: string): Promise<boolean> {
  const { rowCount } = await client.query('SELECT FROM pg_roles WHERE rolname = $1', [name]);
  return rowCount === 1;
}

async function isMember(client: AdminClient, name: string): Promise<boolean> {
  const { rowCount } = await client.query(
    'SELECT FROM pg_auth_members WHERE member = $1::regrole AND roleid = $2::regrole',
    [quoteName(name), superuserGroup],
  );
  return (rowCount ?? 0) > 0;
}

function refuseReserved(name: string): void {
  if (builtInRoles.includes(name)) throw new Error(`the role name ${name} is reserved`);
}
