// `pg`: every connection of the pool is made with what the Secret says at that moment.
import pg from 'pg';
import { login, ssl } from './login.mjs';
import { firstValue, runStatements } from './statements.mjs';

class Client extends pg.Client {
  constructor(options) {
    super({ ...options, ...login() });
  }
}

const pool = new pg.Pool({ Client, ssl, maxLifetimeSeconds: 180 });
pool.on('error', (error) => console.error('an idle connection was lost:', error.message));

await runStatements({
  open: () => pool.connect(),
  query: async (session, statement) => firstValue((await session.query(statement)).rows),
  discard: (session) => session.release(true),
});
