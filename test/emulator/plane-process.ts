// A process with a data plane that writes rows until it is killed. Says how many are acknowledged, and
// when, once it has some.
import pg from 'pg';
import { loginTo, makeRoot, startPlane } from './plane.ts';

const [stateDir = '', pgPort = ''] = process.argv.slice(2);
const plane = await startPlane({ stateDir, pgPort: Number(pgPort) });
const client = new pg.Client(loginTo(plane, await makeRoot(plane)));
await client.connect();
await client.query('CREATE TABLE t (id int)');
for (let rows = 1; ; rows++) {
  await client.query('INSERT INTO t VALUES ($1)', [rows]);
  if (rows === 200) process.send?.({ rows, time: Date.now() });
}
