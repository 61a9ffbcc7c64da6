// Knex: `connection` as a function, and a checker that tells when what it returned is out of date.
import knex from 'knex';
import { login, ssl } from './login.mjs';
import { firstValue, runStatements } from './statements.mjs';

function connection() {
  const now = login();
  // Never true right after a read: Knex 3.3 takes that for an error.
  const expirationChecker = () => login().password !== now.password;
  return { ...now, ssl, expirationChecker };
}

const pool = { min: 0, max: 10, maxConnectionLifetimeMillis: 180_000 };
const database = knex({ client: 'pg', connection, pool });

await runStatements({
  // Never committed, so that the next one is on a new connection as well.
  open: () => database.transaction(),
  query: async (session, statement) => firstValue((await session.raw(statement)).rows),
});
