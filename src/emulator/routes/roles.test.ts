import { expect, test } from 'vitest';
import {
  aBench,
  change,
  given,
  itemsOf,
  refusalOf,
  textAt,
  type RefusalRow,
} from '../../../test/fakes/emulator-caller.ts';

const dev = 'projects/shop/branches/dev';
const owner = `${dev}/roles/sp-00000000-0000-4000-8000-00000000beef`;
const strictId = '^[a-z]([a-z0-9-]{0,61}[a-z0-9])?$';

test.each<RefusalRow>([
  [
    'a role id has a strict pattern',
    'dev',
    `POST ${dev}/roles?role_id=0a`,
    { spec: { postgres_role: 'x' } },
    `400 INVALID_PARAMETER_VALUE Field role_id must match pattern ${strictId}, got '0a'.`,
  ],
  [
    'a role needs a name',
    'dev',
    `POST ${dev}/roles?role_id=app`,
    { spec: {} },
    `400 INVALID_PARAMETER_VALUE Field 'role.spec.postgres_role' is required, expected non-default value (not "")!`,
  ],
  [
    'an inherited role exists',
    'dev',
    `POST ${dev}/roles?role_id=other`,
    { spec: { postgres_role: '00000000-0000-4000-8000-00000000beef' } },
    '400 BAD_REQUEST role with that name already exists',
  ],
  ['no such role', 'dev', `GET ${dev}/roles/nope`, undefined, '404 NOT_FOUND role not found; role_id:"nope"'],
  [
    'the name of a role stays',
    'dev',
    `PATCH ${owner}?update_mask=spec.postgres_role`,
    { spec: { postgres_role: 'x' } },
    "400 INVALID_PARAMETER_VALUE Unknown field path in update_mask: 'spec.postgres_role'",
  ],
  [
    'a role that owns stays',
    'dev',
    `DELETE ${owner}`,
    undefined,
    '400 BAD_REQUEST role "sp-00000000-0000-4000-8000-00000000beef" cannot be deleted because it owns databases; set reassign_owned_to',
  ],
  [
    'a role without a password',
    'dev',
    `POST ${owner}/password`,
    {},
    '400 BAD_REQUEST role does not use password authentication',
  ],
  [
    'a database needs an owner',
    'dev',
    `POST ${dev}/databases?database_id=app`,
    { spec: { postgres_database: 'app' } },
    `400 INVALID_PARAMETER_VALUE Field 'database.spec.role' is required, expected non-default value (not "")!`,
  ],
  [
    'the owner must be there',
    'dev',
    `POST ${dev}/databases?database_id=app`,
    { spec: { postgres_database: 'app', role: `${dev}/roles/x` } },
    '404 NOT_FOUND role not found; role_id:"x"',
  ],
  [
    'a database id has a strict pattern',
    'dev',
    `POST ${dev}/databases?database_id=X`,
    { spec: { postgres_database: 'app', role: owner } },
    `400 INVALID_PARAMETER_VALUE Field database_id must match pattern ${strictId}, got 'X'.`,
  ],
  [
    'an inherited database exists',
    'dev',
    `POST ${dev}/databases?database_id=app`,
    { spec: { postgres_database: 'databricks_postgres', role: owner } },
    '400 BAD_REQUEST database with that name already exists',
  ],
  [
    "a database that every PostgreSQL has is nobody's to make, and then to drop",
    'dev',
    `POST ${dev}/databases?database_id=app`,
    { spec: { postgres_database: 'postgres', role: owner } },
    '400 BAD_REQUEST database with that name already exists',
  ],
  [
    'nor to rename to',
    'dev',
    `PATCH ${dev}/databases/databricks-postgres?update_mask=spec.postgres_database`,
    { spec: { postgres_database: 'template1' } },
    '400 BAD_REQUEST database with that name already exists',
  ],
  ...['databricks_superuser', 'lakebranch_superuser'].map((name): RefusalRow => [
    `the role ${name} exists`,
    'dev',
    `POST ${dev}/roles?role_id=app`,
    { spec: { postgres_role: name } },
    '400 BAD_REQUEST role with that name already exists',
  ]),
  ...['pg_app', 'public', 'none'].map((name): RefusalRow => [
    `PostgreSQL keeps the name ${name} to itself`,
    'dev',
    `POST ${dev}/roles?role_id=app`,
    { spec: { postgres_role: name } },
    "400 INVALID_PARAMETER_VALUE Invalid value for field 'postgres_role': is reserved by PostgreSQL",
  ]),
  [
    'a name has at most 63 bytes, or PostgreSQL would cut it',
    'dev',
    `POST ${dev}/roles?role_id=app`,
    { spec: { postgres_role: 'ü'.repeat(32) } },
    "400 INVALID_PARAMETER_VALUE Invalid value for field 'postgres_role': must have at most 63 bytes",
  ],
  [
    'nobody is their own heir',
    'dev',
    `DELETE ${owner}?reassign_owned_to=${owner}`,
    undefined,
    "400 INVALID_PARAMETER_VALUE Invalid value for field 'reassign_owned_to': must be another role",
  ],
])('refused: %s', async (_, there, request, body, refusal) => {
  const bench = await aBench();
  await given[there](bench);
  expect(await refusalOf(bench, request, body)).toBe(refusal);
});

test.each([
  [
    'a service principal logs in by token',
    { postgres_role: 'p', identity_type: 'SERVICE_PRINCIPAL' },
    'LAKEBASE_OAUTH_V1',
  ],
  ['a user logs in by token', { postgres_role: 'p', identity_type: 'USER' }, 'LAKEBASE_OAUTH_V1'],
  ['a group logs in by token', { postgres_role: 'p', identity_type: 'GROUP' }, 'LAKEBASE_OAUTH_V1'],
  ['a plain role logs in by password', { postgres_role: 'p' }, 'PG_PASSWORD_SCRAM_SHA_256'],
  ['the request may say otherwise', { postgres_role: 'p', auth_method: 'NO_LOGIN' }, 'NO_LOGIN'],
])('%s', async (_, spec, authMethod) => {
  const bench = await aBench();
  await given.dev(bench);
  await change(bench, 'POST', `${dev}/roles?role_id=app`, { spec });
  expect((await bench.send('GET', `${dev}/roles/app`)).body).toEqual({
    name: `${dev}/roles/app`,
    role_id: 'app',
    parent: dev,
    create_time: '2026-10-05T12:00:00Z',
    update_time: '2026-10-05T12:00:00Z',
    status: {
      role_id: 'app',
      postgres_role: 'p',
      identity_type: 'identity_type' in spec ? spec.identity_type : 'IDENTITY_TYPE_UNSPECIFIED',
      auth_method: authMethod,
      membership_roles: [],
      attributes: { bypassrls: false, createdb: false, createrole: false },
    },
  });
});

test('a role is a role in Postgres, with its attributes and membership', async () => {
  const bench = await aBench();
  await given.dev(bench);
  const uid = textAt((await bench.send('GET', dev)).body, 'uid');
  const put: unknown[] = [];
  bench.dataPlane.putRole = (...of) => Promise.resolve(void put.push(of));
  await change(bench, 'POST', `${dev}/roles?role_id=app`, {
    spec: { postgres_role: 'app', membership_roles: ['DATABRICKS_SUPERUSER'], attributes: { createdb: true } },
  });
  expect(put).toEqual([
    [uid, { name: 'app', login: true, superuserMember: true, createdb: true, createrole: false, bypassrls: false }],
  ]);
});

test('a role that Postgres does not take is not in the books, and the operation says that it failed', async () => {
  const bench = await aBench();
  await given.dev(bench);
  bench.dataPlane.putRole = () => Promise.reject(new Error('connection refused by the instance'));
  const { body } = await bench.send('POST', `${dev}/roles?role_id=app`, { spec: { postgres_role: 'app' } });
  await bench.emulator.idle();
  const operation = (await bench.send('GET', textAt(body, 'name'))).body;
  expect(operation).toMatchObject({ done: true, error: { error_code: 'INTERNAL_ERROR' } });
  expect(operation).not.toHaveProperty('response');
  // Texts of a back end make official clients repeat the request for minutes.
  expect(JSON.stringify(operation)).not.toContain('connection refused');
  expect(await refusalOf(bench, `GET ${dev}/roles/app`)).toBe('404 NOT_FOUND role not found; role_id:"app"');
});

test.each<[string, string, unknown, unknown]>([
  ['membership is replaced as a list', 'spec.membership_roles', { membership_roles: [] }, { membership_roles: [] }],
  [
    'attributes change one by one',
    'spec.attributes.createrole',
    { attributes: { createrole: true, createdb: false } },
    { attributes: { bypassrls: false, createdb: true, createrole: true } },
  ],
  [
    'a bare spec keeps what is absent, and ignores another name',
    'spec',
    { postgres_role: 'other', attributes: { bypassrls: true } },
    {
      postgres_role: 'app',
      membership_roles: ['DATABRICKS_SUPERUSER'],
      attributes: { bypassrls: true, createdb: true, createrole: false },
    },
  ],
])('%s', async (_, mask, spec, expected) => {
  const bench = await aBench();
  await given.dev(bench);
  await change(bench, 'POST', `${dev}/roles?role_id=app`, {
    spec: { postgres_role: 'app', membership_roles: ['DATABRICKS_SUPERUSER'], attributes: { createdb: true } },
  });
  await change(bench, 'PATCH', `${dev}/roles/app?update_mask=${mask}`, { spec });
  expect((await bench.send('GET', `${dev}/roles/app`)).body['status']).toMatchObject(expected as object);
});

test('replace_existing takes away what it does not name', async () => {
  const bench = await aBench();
  await given.dev(bench);
  await change(bench, 'POST', `${owner.replace('/roles/', '/roles?role_id=')}&replace_existing=true`, {
    spec: { postgres_role: '00000000-0000-4000-8000-00000000beef' },
  });
  expect((await bench.send('GET', owner)).body['status']).toMatchObject({ membership_roles: [] });
});

test('two changes of one branch at a time conflict, of two branches they do not', async () => {
  const bench = await aBench();
  await given.dev(bench);
  bench.emulator.faults.set({ operationMs: 1000 });
  const conflict =
    '409 ABORTED Your project already has conflicting operations in progress. Please wait until they are complete, and then try again.';
  const role = (name: string): [string, unknown] => [`roles?role_id=${name}`, { spec: { postgres_role: name } }];
  const [first, body] = role('first');
  expect(await refusalOf(bench, `POST ${dev}/${first}`, body)).toBe('200');
  const [second, secondBody] = role('second');
  expect(await refusalOf(bench, `POST ${dev}/${second}`, secondBody)).toBe(conflict);
  expect(await refusalOf(bench, `POST projects/shop/branches/production/${second}`, secondBody)).toBe('200');
  bench.clock.advance(1000);
  await bench.emulator.idle();
  expect(await refusalOf(bench, `POST ${dev}/${second}`, secondBody)).toBe('200');
});

test('a role goes, and what it owned goes to its heir', async () => {
  const bench = await aBench();
  await given.dev(bench);
  await change(bench, 'POST', `${dev}/roles?role_id=app`, { spec: { postgres_role: 'app' } });
  await change(bench, 'POST', `${dev}/databases?database_id=app`, {
    spec: { postgres_database: 'app', role: `${dev}/roles/app` },
  });
  await change(bench, 'DELETE', `${dev}/roles/app?reassign_owned_to=${owner}`);
  expect(textAt((await bench.send('GET', `${dev}/databases/app`)).body, 'status.role')).toBe(owner);
  const roles = itemsOf((await bench.send('GET', `${dev}/roles`)).body, 'roles');
  expect(roles).toHaveLength(1);
});

test('a database is made, renamed, handed over and dropped', async () => {
  const bench = await aBench();
  await given.dev(bench);
  const uid = textAt((await bench.send('GET', dev)).body, 'uid');
  await change(bench, 'POST', `${dev}/roles?role_id=app`, { spec: { postgres_role: 'app' } });
  await change(bench, 'POST', `${dev}/databases?database_id=app`, { spec: { postgres_database: 'app', role: owner } });
  expect(bench.dataPlane.databaseNames(uid)).toEqual(['databricks_postgres', 'app']);
  await change(bench, 'PATCH', `${dev}/databases/app?update_mask=spec.postgres_database,spec.role`, {
    spec: { postgres_database: 'orders', role: `${dev}/roles/app` },
  });
  expect((await bench.send('GET', `${dev}/databases/app`)).body['status']).toEqual({
    database_id: 'app',
    postgres_database: 'orders',
    role: `${dev}/roles/app`,
  });
  expect(bench.dataPlane.databaseNames(uid)).toEqual(['databricks_postgres', 'orders']);
  await change(bench, 'DELETE', `${dev}/databases/app`);
  expect(bench.dataPlane.databaseNames(uid)).toEqual(['databricks_postgres']);
});
