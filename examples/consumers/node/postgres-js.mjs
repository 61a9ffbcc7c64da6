// `postgres` (postgres.js): the password is asked for at each new connection, and so is the socket that leads to the host.
import { connect } from 'node:net';
import postgres from 'postgres';
import { login, ssl } from './login.mjs';
import { firstValue, runStatements } from './statements.mjs';

function socket() {
  const { host, port } = login();
  return Object.assign(connect(port, host), { host }); // the name that TLS asks for
}

const { user, database } = login();
const sql = postgres({ socket, user, database, password: () => login().password, ssl, max_lifetime: 180 });

await runStatements({
  // Never given back, so that the next one is new as well.
  open: () => sql.reserve(),
  query: async (session, statement) => firstValue(await session.unsafe(statement)),
});
