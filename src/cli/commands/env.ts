// env: the login of a branch for a shell, a .env file, or another program.
import { writeFile } from 'node:fs/promises';
import { ExitCode, type Command, type Invocation } from '../command.ts';
import { freshLogin, type Login } from '../login.ts';
import { databaseUrl, formatEnvironment, pgEnvironment, trustOf, type EnvFormat } from '../psql-environment.ts';
import { formatWhen } from '../times.ts';

export const env: Command = {
  name: 'env',
  usage: 'NAME',
  summary: 'Print the login of a branch as variables: for a shell, a .env file, or as JSON.',
  description: [
    'Prints PGHOST, PGPORT, PGDATABASE, PGUSER, PGPASSWORD, PGSSLMODE and DATABASE_URL. This is the only command that prints a token: whoever sees its output can log in until the token dies, which is within the hour.',
    'The variables do not renew themselves. An application that runs longer reads the mounted Secret instead.',
  ],
  examples: [
    ['env database', 'look at it'],
    ['env database -o dotenv > .env', 'for a program on this machine; keep the file out of Git'],
  ],
  flags: [
    {
      name: 'output',
      short: 'o',
      value: 'FORMAT',
      choices: ['shell', 'dotenv', 'json'],
      help: 'shell (export lines, for eval), dotenv or json.',
    },
    {
      name: 'ca-file',
      value: 'FILE',
      help: 'With a private authority: write it there, and check the certificate of the database against it.',
    },
    { name: 'timeout', value: 'DURATION', help: 'How long to wait for a live token at most, like 5m; without it 2m.' },
  ],
  args: [1, 1],
  completes: 'branches',
  json: 'one object with the variables as its fields.',
  async run(context) {
    const { invocation, terminal, cluster: open } = context;
    const name = invocation.args[0] ?? '';
    const login = await freshLogin(context, await open(), name);
    const trust = trustOf(login, await caFileOf(invocation, login), 0);
    const values = { ...pgEnvironment(login, trust), DATABASE_URL: databaseUrl(login, trust) };
    terminal.note(
      `warning: this holds a live token. Whoever sees it can log in to ${name} until ${formatWhen(login.expireTime, terminal.clock.now())}.`,
    );
    terminal.out(formatEnvironment(values, (invocation.text('output') ?? 'shell') as EnvFormat));
    return ExitCode.done;
  },
};

async function caFileOf(invocation: Invocation, login: Login): Promise<string | undefined> {
  const file = invocation.text('ca-file');
  if (file === undefined || login.ca === undefined) return undefined;
  await writeFile(file, login.ca);
  return file;
}
