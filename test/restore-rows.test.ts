// deploy/restore-rows.sh and what Secrets may hold: a password of any length arrives as it is, and nothing in a Secret
// decides on another database than its own. The rest of it is tried on real databases, in test/integration.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, type AddressInfo, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { findPsql } from './postgres-clients.ts';

let folder: string;
let path: string;
let server: Server;
let passwords: string[] = [];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'restore-rows-'));
  // Prints the Secret that the test has put there, and nothing is ever dumped.
  await writeFile(join(folder, 'kubectl'), `#!/bin/sh\ncat '${folder}'/"$5"\n`);
  await writeFile(join(folder, 'pg_dump'), '#!/bin/sh\nexit 1\n');
  for (const name of ['kubectl', 'pg_dump']) await chmod(join(folder, name), 0o755);
  path = [folder, dirname(await findPsql()), process.env['PATH']].join(delimiter);
  server = askingForPasswords().listen(0, '127.0.0.1');
  await once(server, 'listening');
});
afterAll(async () => {
  server.close();
  await rm(folder, { recursive: true });
});

/** Speaks as much of Postgres as it takes to be told a password. */
function askingForPasswords(): Server {
  return createServer((socket) => {
    socket.on('error', () => undefined);
    socket.once('data', () => {
      socket.write(Buffer.from([0x52, 0, 0, 0, 8, 0, 0, 0, 3]));
      socket.once('data', (answer: Buffer) => {
        passwords.push(answer.subarray(5, -1).toString());
        socket.destroy();
      });
    });
  });
}

async function restoreRows(secrets: { from?: object; to?: object }): Promise<string> {
  passwords = [];
  for (const name of ['from', 'to'] as const) {
    const { port } = server.address() as AddressInfo;
    const own = {
      host: name === 'from' ? '127.0.0.1' : 'to.example',
      port: String(port),
      database: 'd',
      username: 'u',
    };
    const fields = { ...own, password: 'p', sslmode: 'disable', ...secrets[name] };
    const lines = Object.entries(fields).map(([key, value]) => `${key} ${Buffer.from(value).toString('base64')}\n`);
    await writeFile(join(folder, name), lines.join(''));
  }
  const args = ['--from', 'n/from', '--to', 'n/to', '--table', 't', '--yes'];
  const child = spawn('deploy/restore-rows.sh', args, { env: { PATH: path }, stdio: ['ignore', 'pipe', 'pipe'] });
  const [said, complained] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'close')]);
  return said + complained;
}

test.each([
  ['as long as tokens of Lakebase can be', 'eyJ'.repeat(1500)],
  ['with the characters that mean something in a password file', 'a:b\\c #d'],
])('a password arrives as it is: %s', async (_what, password) => {
  const output = await restoreRows({ from: { password } });
  expect(passwords, output).toEqual([password]);
  expect(output).not.toContain(password);
});

test.each([
  ['a second line, which could name another database', { username: 'u\n[to]\nhost=127.0.0.1' }, 'username'],
  ['several hosts, of which one could be that of the other Secret', { host: 'a.example,to.example' }, 'host'],
  ['a folder of sockets', { host: '/tmp' }, 'host'],
])('refused is %s', async (_what, from, key) => {
  expect(await restoreRows({ from })).toMatch(new RegExp(`^restore-rows: ${key} in Secret n/from `, 'm'));
  expect(passwords).toEqual([]);
});
