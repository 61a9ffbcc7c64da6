// What the examples are there to avoid: the password is read once, at the start.
import pg from 'pg';
import { login, ssl } from '../../examples/consumers/node/login.mjs';
import { firstValue, runStatements } from '../../examples/consumers/node/statements.mjs';

let atFirst;

await runStatements({
  open: async () => {
    atFirst ??= login();
    const client = new pg.Client({ ...atFirst, ssl });
    await client.connect();
    return client;
  },
  query: async (session, statement) => firstValue((await session.query(statement)).rows),
  discard: (session) => session.end(),
});
