// psql: a session on the branch, with the local psql.
import { execFile, spawn } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { constants, tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { CommandError, type Command } from '../command.ts';
import { freshLogin, type Login } from '../login.ts';
import { pgEnvironment, trustOf, trustWished } from '../psql-environment.ts';
import type { Terminal } from '../terminal.ts';
import { formatWhen } from '../times.ts';

export const psql: Command = {
  name: 'psql',
  usage: 'NAME',
  summary: 'Open psql on a branch, with the login from its Secret.',
  description: [
    'Runs the psql of your PATH. What stands after -- goes to it as it is.',
    'The token is read at each start and handed over in the environment (PGPASSWORD), never on the command line. If it has just died, the next one is waited for. A session that is open lives on when its token dies; only a new connection, as with \\c, needs a live one: start the command again.',
    'With a private authority in the Secret, or a psql of version 16 or later, the certificate of the database is checked; PGSSLMODE and PGSSLROOTCERT in your environment win.',
    'The exit code is that of psql.',
  ],
  examples: [
    ['psql database -n qa', 'a session'],
    ["psql database -- -c 'SELECT count(*) FROM orders'", 'one query'],
  ],
  flags: [
    { name: 'timeout', value: 'DURATION', help: 'How long to wait for a live token at most, like 5m; without it 2m.' },
  ],
  args: [1, 1],
  completes: 'branches',
  passesOn: true,
  async run(context) {
    const { invocation, terminal, cluster: open } = context;
    const major = await psqlMajor(terminal);
    const login = await freshLogin(context, await open(), invocation.args[0] ?? '');
    if (process.stdin.isTTY)
      terminal.note(
        `The login is good for new connections until ${formatWhen(login.expireTime, terminal.clock.now())}.`,
      );
    return withCaFile(login, (caFile) => {
      const trust = trustWished(terminal.env, trustOf(login, caFile, major));
      return runPsql(terminal, invocation.rest, pgEnvironment(login, trust));
    });
  },
};

async function psqlMajor({ env }: Terminal): Promise<number> {
  try {
    const { stdout } = await promisify(execFile)('psql', ['--version'], { env: { ...env } });
    return Number(/\d+/.exec(stdout)?.[0] ?? 0);
  } catch {
    throw new CommandError(
      'there is no psql in your PATH: install the PostgreSQL client programs. Or take the login for another program: kubectl lakebranch env NAME',
    );
  }
}

/** The authority is no secret; the file only has to be gone afterwards. */
async function withCaFile(login: Login, use: (file: string | undefined) => Promise<number>): Promise<number> {
  if (login.ca === undefined) return use(undefined);
  const folder = await mkdtemp(join(tmpdir(), 'kubectl-lakebranch-'));
  try {
    const file = join(folder, 'ca.crt');
    await writeFile(file, login.ca, { mode: 0o600 });
    return await use(file);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

function runPsql(terminal: Terminal, args: readonly string[], pg: Record<string, string>): Promise<number> {
  // A service file or a password file of the person would win over what is set here, or be mixed with it.
  const { PGSERVICE: _service, PGHOSTADDR: _address, PGPASSFILE: _file, PGOPTIONS: _options, ...env } = terminal.env;
  const child = spawn('psql', [...args], { stdio: 'inherit', env: { ...env, ...pg } });
  // Ctrl-C reaches psql as well, from the terminal, and cancels a query. Whoever ends us ends only us.
  const takeBack = terminal.lendSignals((signal) => void (signal === 'SIGTERM' && child.kill(signal)));
  return new Promise<number>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code, signal) => resolve(code ?? 128 + (signal ? constants.signals[signal] : 0)));
  }).finally(takeBack);
}
