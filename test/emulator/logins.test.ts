// How real clients reach a database: TLS, passwords, refusals, cancels.
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { connect } from 'node:net';
import type { Socket } from 'node:net';
import { join } from 'node:path';
import { connect as connectTls } from 'node:tls';
import type { ConnectionOptions } from 'node:tls';
import pg from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openCertificateAuthority } from '../../src/emulator/certificates.ts';
import { encodeCancel, encodeStartup } from '../../src/emulator/proxy/messages.ts';
import { readBytes, readMessage } from '../../src/emulator/proxy/read.ts';
import { findPgDump, findPsql } from '../postgres-clients.ts';
import {
  aRole,
  eventually,
  letMeIn,
  loginTo,
  makeRoot,
  pgOfLakebase,
  query,
  removePlane,
  startPlane,
  user,
} from './plane.ts';
import type { Plane } from './plane.ts';

let plane: Plane;
let host: string;
let caFile: string;
let foreignCaFile: string;
let psql: string;

beforeAll(async () => {
  [plane, psql] = await Promise.all([startPlane(), findPsql()]);
  host = await makeRoot(plane);
  caFile = join(plane.stateDir, 'ca.crt');
  await openCertificateAuthority(join(plane.stateDir, 'foreign'));
  foreignCaFile = join(plane.stateDir, 'foreign', 'ca.crt');
});
afterAll(() => removePlane(plane));

const uri = (parameters: string, password = letMeIn): string =>
  `postgresql://${user}:${password}@${host}:${plane.pgPort}/databricks_postgres?${parameters}`;

/** What psql prints for `SELECT current_user`, or the end of what it complains about. */
function runPsql(connection: string): Promise<string> {
  return new Promise((resolve) => {
    execFile(
      psql,
      ['-XAtw', '-c', 'SELECT current_user', connection],
      { env: { LC_ALL: 'C' } },
      (error, stdout, stderr) => resolve(error ? stderr.trim() : stdout.trim()),
    );
  });
}

const clients: [string, () => typeof pg.Client][] = [
  ['the latest pg', () => pg.Client],
  ['the pg of @databricks/lakebase', pgOfLakebase],
];

test('there are two versions of pg to test with', () => {
  expect(pgOfLakebase()).not.toBe(pg.Client);
});

test.each(clients)('%s logs in with the certificate of the authority', async (_name, Client) => {
  const rows = await query(loginTo(plane, host), 'SELECT current_user', Client());
  expect(rows).toEqual([{ current_user: user }]);
});

test.each(clients)('%s accepts every sslmode that encrypts, given the authority', async (_name, Client) => {
  for (const mode of ['require', 'verify-ca', 'verify-full']) {
    const connectionString = uri(`sslmode=${mode}&sslrootcert=${encodeURIComponent(caFile)}`);
    expect(await query({ connectionString }, 'SELECT current_user', Client())).toEqual([{ current_user: user }]);
  }
});

test.each(clients)(
  '%s verifies under sslmode=require, and refuses an authority it was not given',
  async (_name, Client) => {
    await expect(query({ connectionString: uri('sslmode=require') }, 'SELECT 1', Client())).rejects.toThrow(
      /self-signed/,
    );
  },
);

test.each([
  ['require', 'without an authority', () => ''],
  ['require', 'with the authority', () => caFile],
  ['verify-ca', 'with the authority', () => caFile],
  ['verify-full', 'with the authority', () => caFile],
])('psql logs in with sslmode=%s %s', async (mode, _with, rootcert) => {
  expect(await runPsql(uri(`sslmode=${mode}&sslrootcert=${rootcert()}`))).toBe(user);
});

test.each(['verify-ca', 'verify-full'])('psql refuses a foreign authority under sslmode=%s', async (mode) => {
  expect(await runPsql(uri(`sslmode=${mode}&sslrootcert=${foreignCaFile}`))).toMatch(/certificate verify failed/);
});

test('a login without TLS is refused with the words of the service', async () => {
  expect(await runPsql(uri('sslmode=disable'))).toMatch(/FATAL: {2}Invalid protocol version: 196608$/);
  await expect(query(loginTo(plane, host, { ssl: false }), 'SELECT 1')).rejects.toThrow(
    'Invalid protocol version: 196608',
  );
});

test('pg_dump works through the proxy', async () => {
  await query(loginTo(plane, host), 'CREATE TABLE dumped (id int); INSERT INTO dumped VALUES (42)');
  const pgDump = await findPgDump();
  const dump = await new Promise<string>((resolve, reject) => {
    const connection = uri(`sslmode=verify-full&sslrootcert=${caFile}`);
    execFile(pgDump, ['-w', '-t', 'dumped', '-d', connection], (error, stdout) =>
      error ? reject(error) : resolve(stdout),
    );
  });
  expect(dump).toMatch(/COPY public\.dumped \(id\) FROM stdin;\n42\n/);
});

test.each([
  ['a wrong token', { password: 'wrong' }, '28000', 'OAuth: User is not authorized'],
  ['a role that is not there', { user: 'nobody-knows' }, '28000', 'role "nobody-knows" does not exist'],
  ['a database that is not there', { database: 'nowhere' }, '3D000', 'database "nowhere" does not exist'],
  ['the superuser of the instance', { user: 'lakebranch_superuser' }, '28000', 'is not permitted to log in'],
  ['a group', { user: 'databricks_superuser' }, '28000', 'is not permitted to log in'],
])('%s is refused with an error that clients understand', async (_what, differences, code, words) => {
  const login = query(loginTo(plane, host, differences), 'SELECT 1');
  await expect(login).rejects.toMatchObject({ code, message: expect.stringContaining(words) as string });
});

test('the control plane is asked once for a login, for the right endpoint', async () => {
  plane.logins.length = 0;
  await query(loginTo(plane, host), 'SELECT 1');
  expect(plane.logins).toEqual([{ endpointUid: 'ep-root', user, database: 'databricks_postgres' }]);
});

test('what the client sends at the start reaches the session', async () => {
  const config = loginTo(plane, host, { application_name: 'my app', options: '-c statement_timeout=1234' });
  const [row] = await query(
    config,
    "SELECT current_setting('application_name') AS a, current_setting('statement_timeout') AS t",
  );
  expect(row).toEqual({ a: 'my app', t: '1234ms' });
});

test('a large result and a large query pass unharmed', async () => {
  const text = 'ä'.repeat(3_000_000);
  const client = new pg.Client(loginTo(plane, host));
  await client.connect();
  const { rows } = await client.query<{ answer: string }>('SELECT $1 || $1 AS answer', [text]);
  await client.end();
  expect(rows[0]?.answer === text + text).toBe(true);
});

test('the process id given to a client is that of its session', async () => {
  const client = new pg.Client(loginTo(plane, host)) as pg.Client & { processID: number };
  await client.connect();
  const { rows } = await client.query('SELECT pg_backend_pid() AS pid');
  await client.end();
  expect(rows).toEqual([{ pid: client.processID }]);
});

interface Sleeper {
  readonly client: pg.Client & { processID: number; secretKey: number };
  readonly sleeping: Promise<string>;
}

/** A session that runs a query which only a cancel ends; resolves with the code of the error. */
async function startSleeper(): Promise<Sleeper> {
  const client = new pg.Client(loginTo(plane, host)) as Sleeper['client'];
  await client.connect();
  const sleeping = client.query('SELECT pg_sleep(600)').then(
    () => 'slept',
    (error: { code: string }) => error.code,
  );
  await eventually(async () => {
    const active = "SELECT FROM pg_stat_activity WHERE pid = $1 AND wait_event = 'PgSleep'".replace(
      '$1',
      String(client.processID),
    );
    return (await query(loginTo(plane, host), active)).length === 1;
  }, 'the session sleeps');
  return { client, sleeping };
}

const keyOf = ({ client }: Sleeper, secret = client.secretKey) => {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32BE(secret | 0);
  return { processId: client.processID, secret: bytes };
};

async function sendCancel(socket: Socket, message: Buffer): Promise<void> {
  socket.write(message);
  socket.resume();
  await once(socket, 'close');
}

const secured = async (options: ConnectionOptions): Promise<Socket> => {
  const socket = connectTls({ ca: plane.ca, host, port: plane.pgPort, ...options });
  await once(socket, 'secureConnect');
  return socket;
};

const plain = async (): Promise<Socket> => {
  const socket = connect({ host, port: plane.pgPort });
  await once(socket, 'connect');
  return socket;
};

/** TLS after asking for it, the way of all but the newest clients. */
async function upgraded(): Promise<Socket> {
  const socket = await plain();
  socket.write(Buffer.from('0000000804d2162f', 'hex'));
  expect((await readBytes(socket, 1)).toString()).toBe('S');
  return secured({ socket });
}

test.each([
  ['in plain TCP, as node-postgres sends it', plain],
  ['inside TLS, as libpq 17 sends it', upgraded],
  ['inside TLS without asking first', () => secured({ ALPNProtocols: ['postgresql'] })],
])('a cancel request %s ends the query, and needs no token', async (_how, open) => {
  const sleeper = await startSleeper();
  await sendCancel(await open(), encodeCancel(keyOf(sleeper)));
  expect(await sleeper.sleeping).toBe('57014');
  await sleeper.client.end();
});

test('a cancel request with a wrong secret does nothing', async () => {
  const sleeper = await startSleeper();
  await sendCancel(await plain(), encodeCancel(keyOf(sleeper, sleeper.client.secretKey ^ 1)));
  expect(await query(loginTo(plane, host), `SELECT FROM pg_stat_activity WHERE wait_event = 'PgSleep'`)).toHaveLength(
    1,
  );
  await sendCancel(await plain(), encodeCancel(keyOf(sleeper)));
  expect(await sleeper.sleeping).toBe('57014');
  await sleeper.client.end();
});

const startup = encodeStartup(new Map([['user', user]]));

test('direct TLS with the name of the protocol is served', async () => {
  const socket = await secured({ ALPNProtocols: ['postgresql'] });
  socket.write(startup);
  expect(await readMessage(socket, 100)).toEqual({ type: 'R', body: Buffer.from([0, 0, 0, 3]) });
  socket.destroy();
});

test('direct TLS without it is cut off, so that no other protocol is mistaken for this one', async () => {
  const socket = await secured({});
  socket.resume();
  await once(socket, 'close');
});

test('encryption by GSSAPI is declined, and TLS may follow', async () => {
  const socket = await plain();
  socket.write(Buffer.from('0000000804d21630', 'hex'));
  expect((await readBytes(socket, 1)).toString()).toBe('N');
  socket.write(Buffer.from('0000000804d2162f', 'hex'));
  expect((await readBytes(socket, 1)).toString()).toBe('S');
  socket.destroy();
});

test('bytes slipped in before the handshake are not taken for the client', async () => {
  const socket = await plain();
  socket.write(Buffer.concat([Buffer.from('0000000804d2162f', 'hex'), startup]));
  const { type, body } = await readMessage(socket, 1000);
  expect([type, body.toString()]).toEqual([
    'E',
    expect.stringContaining('received unencrypted data after SSL request'),
  ]);
});

test('a client of a later protocol is told that it gets 3.0, and which options are unknown', async () => {
  const socket = await upgraded();
  const later = encodeStartup(
    new Map([
      ['user', user],
      ['_pq_.shiny', 'on'],
    ]),
  );
  later.writeUInt16BE(2, 6);
  socket.write(later);
  const { type, body } = await readMessage(socket, 100);
  expect([type, body.readUInt32BE(0), body.readUInt32BE(4), body.toString('utf8', 8)]).toEqual([
    'v',
    196608,
    1,
    '_pq_.shiny\0',
  ]);
  expect((await readMessage(socket, 100)).type).toBe('R');
  socket.destroy();
});

test.each([
  ['garbage', Buffer.from('GET / HTTP/1.1\r\n\r\n')],
  ['nothing at all', Buffer.alloc(0)],
  ['half a packet', Buffer.from([0, 0, 0])],
])('a client that sends %s and hangs up harms nobody', async (_what, bytes) => {
  const socket = await plain();
  socket.resume();
  socket.end(bytes);
  await once(socket, 'close');
  expect(await query(loginTo(plane, host), 'SELECT 1 AS one')).toEqual([{ one: 1 }]);
});

test('neither a log nor the log of an instance holds a password', async () => {
  const { readFile } = await import('node:fs/promises');
  const instance = await readFile(join(plane.stateDir, 'branches', 'br-root', 'postgres.log'), 'utf8');
  expect(instance).toContain('ready to accept connections');
  expect([instance, ...plane.logged].join('\n')).not.toContain(letMeIn);
});

test('a role of the API is a role of the database, with its attributes and memberships', async () => {
  await plane.putRole('br-root', aRole({ name: 'O\'Brien "x"', createdb: true, superuserMember: true }));
  const facts = `SELECT rolcanlogin, rolcreatedb, rolcreaterole, rolbypassrls, rolsuper,
    pg_has_role(oid, 'databricks_superuser', 'member') AS member FROM pg_roles WHERE rolname = 'O''Brien "x"'`;
  const none = {
    rolcanlogin: false,
    rolcreatedb: false,
    rolcreaterole: false,
    rolbypassrls: false,
    rolsuper: false,
    member: false,
  };
  expect(await query(loginTo(plane, host), facts)).toEqual([
    { ...none, rolcanlogin: true, rolcreatedb: true, member: true },
  ]);
  await plane.putRole('br-root', aRole({ name: 'O\'Brien "x"', login: false, createrole: true, bypassrls: true }));
  expect(await query(loginTo(plane, host), facts)).toEqual([{ ...none, rolcreaterole: true, rolbypassrls: true }]);
  await plane.dropRole('br-root', 'O\'Brien "x"');
  await plane.dropRole('br-root', 'O\'Brien "x"');
  expect(await query(loginTo(plane, host), facts)).toEqual([]);
});

test('a role without memberships can log in and has no rights on what others made', async () => {
  await plane.putRole('br-root', aRole({ name: 'plain-role' }));
  await query(loginTo(plane, host), 'CREATE TABLE IF NOT EXISTS guarded (id int)');
  const asPlain = loginTo(plane, host, { user: 'plain-role' });
  expect(await query(asPlain, 'SELECT current_user AS me')).toEqual([{ me: 'plain-role' }]);
  await expect(query(asPlain, 'SELECT * FROM guarded')).rejects.toMatchObject({ code: '42501' });
  await expect(query(asPlain, 'CREATE TABLE mine (id int)')).rejects.toMatchObject({ code: '42501' });
});

test('a dropped role leaves what it owned to the one that was named, and is refused without one', async () => {
  await plane.putRole('br-root', aRole({ name: 'leaver', superuserMember: true }));
  await query(loginTo(plane, host, { user: 'leaver' }), 'CREATE TABLE legacy (id int)');
  await expect(plane.dropRole('br-root', 'leaver')).rejects.toMatchObject({ code: '2BP01' });
  await plane.dropRole('br-root', 'leaver', user);
  const owner = "SELECT tableowner FROM pg_tables WHERE tablename = 'legacy'";
  expect(await query(loginTo(plane, host), owner)).toEqual([{ tableowner: user }]);
});

test('databases are made, renamed while in use, given away and dropped', async () => {
  await plane.createDatabase('br-root', 'app', user);
  await plane.createDatabase('br-root', 'app', user);
  const session = new pg.Client(loginTo(plane, host, { database: 'app' }));
  session.on('error', () => undefined);
  await session.connect();
  await session.query('CREATE TABLE kept (id int)');
  await plane.alterDatabase('br-root', 'app', { rename: 'app2', owner: 'databricks_superuser' });
  expect(await query(loginTo(plane, host, { database: 'app2' }), 'SELECT * FROM kept')).toEqual([]);
  const owner = "SELECT datdba::regrole::text AS owner FROM pg_database WHERE datname = 'app2'";
  expect(await query(loginTo(plane, host), owner)).toEqual([{ owner: 'databricks_superuser' }]);
  await plane.dropDatabase('br-root', 'app2');
  await plane.dropDatabase('br-root', 'app2');
  await expect(query(loginTo(plane, host, { database: 'app2' }), 'SELECT 1')).rejects.toMatchObject({ code: '3D000' });
});

test('SQL can make a role for a Databricks identity, which is told from a plain one', async () => {
  const admin = loginTo(plane, host);
  await query(admin, 'CREATE EXTENSION databricks_auth');
  await query(admin, `SELECT databricks_create_role('jane@example.com', 'USER')`);
  expect(await query(loginTo(plane, host, { user: 'jane@example.com' }), 'SELECT current_user AS me')).toEqual([
    { me: 'jane@example.com' },
  ]);
  expect(await plane.isIdentityRole('br-root', 'jane@example.com')).toBe(true);
  expect(await plane.isIdentityRole('br-root', user)).toBe(false);
  await expect(query(admin, `SELECT databricks_create_role('x', 'ROBOT')`)).rejects.toThrow(
    /USER, SERVICE_PRINCIPAL or GROUP/,
  );
  const asJane = loginTo(plane, host, { user: 'jane@example.com' });
  await expect(query(asJane, `SELECT databricks_create_role('y', 'USER')`)).rejects.toMatchObject({ code: '42501' });
});
