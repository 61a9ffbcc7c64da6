// The example programs as processes: how each is started, and what it answers to a statement.
import { execFile, spawn, type ChildProcessWithoutNullStreams } from 'node:child_process';
import { delimiter, dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { examples, type LanguageName, type Readiness } from './prepare.ts';

/** Says `new: <value>, held: <value>`, or how it ended. */
export interface Program {
  ask(statement: string): Promise<string>;
  stop(): void;
}

type Prepared = Extract<Readiness, { is: 'ready' }>;

interface Recipe {
  readonly name: string;
  readonly language: LanguageName;
  readonly command: (prepared: Prepared) => readonly string[];
  readonly env?: (prepared: Prepared) => Readonly<Record<string, string>>;
}

const node =
  (file: string) =>
  ({ built }: Prepared) => [process.execPath, join(built, file)];
const python = (file: string): Pick<Recipe, 'command' | 'env'> => ({
  command: () => ['python3', join(examples, 'python', file)],
  env: ({ folder }) => ({ PYTHONPATH: join(folder, 'site'), PYTHONDONTWRITEBYTECODE: '1' }),
});

export const recipes: readonly Recipe[] = [
  { name: 'pg', language: 'node', command: node('pg.mjs') },
  { name: 'postgres.js', language: 'node', command: node('postgres-js.mjs') },
  { name: 'Knex', language: 'node', command: node('knex.mjs') },
  { name: 'psycopg', language: 'python', ...python('psycopg_plain.py') },
  { name: 'psycopg_pool', language: 'python', ...python('psycopg_pooled.py') },
  { name: 'SQLAlchemy', language: 'python', ...python('sqlalchemy_engine.py') },
  { name: 'pgx', language: 'go', command: ({ folder }) => [join(folder, 'consumer')] },
  {
    name: 'HikariCP',
    language: 'java',
    command: ({ folder, built }) => ['java', '-cp', `${built}:${join(folder, 'jars', '*')}`, 'Consumer'],
  },
];

/** Ended also when the test run is ended from outside. */
const running = new Set<ChildProcessWithoutNullStreams>();
process.once('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});

/** Resolves when the program waits for statements; it has not connected by then. */
export async function startProgram(
  [command = '', ...args]: readonly string[],
  env: Readonly<Record<string, string>>,
): Promise<Program> {
  const child = spawn(command, args, { env: { ...plainEnv(), ...env } });
  const end = (): void => void child.kill('SIGKILL');
  running.add(child);
  child.once('exit', () => running.delete(child));
  const answers = answersOf(child);
  const greeting = await answers.next();
  const ask = async (statement: string): Promise<string> => {
    child.stdin.write(`${statement}\n`, () => undefined);
    return answers.next();
  };
  return greeting === 'ready' ? { ask, stop: end } : { ask: () => Promise.resolve(greeting), stop: end };
}

/** Lines of standard output, one per call; after the end of the process, how it ended. */
function answersOf(child: ChildProcessWithoutNullStreams): { next: () => Promise<string> } {
  let complaint = '';
  child.stderr.on('data', (chunk: Buffer) => (complaint += chunk.toString()));
  child.stdin.on('error', () => undefined);
  const lines: AsyncIterator<string> = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const ended = new Promise<void>((resolve) => child.once('close', () => resolve()));
  child.once('error', (error) => (complaint += error.message));
  return {
    async next() {
      const { value, done } = await lines.next();
      if (done !== true) return value;
      await ended;
      return `ended: ${complaint.trim().split('\n').slice(-30).join('\n')}`;
    },
  };
}

/** The wrapper for psql: run anew for each statement, and once for a session that is held. */
export function startPsql(psql: string, folder: string): Program {
  const wrapper = join(examples, 'shell', 'with-database.sh');
  const path = `${dirname(psql)}${delimiter}${process.env['PATH'] ?? ''}`;
  const env = { ...plainEnv(), PATH: path, DATABASE_DIR: folder };
  const options = ['psql', '-XAt', '-v', 'ON_ERROR_STOP=1'];
  let held: ChildProcessWithoutNullStreams | undefined;
  let heldAnswers: { next: () => Promise<string> } | undefined;
  const once = (statement: string): Promise<string> =>
    new Promise((resolve) => {
      execFile(wrapper, [...options, '-c', statement], { env }, (error, stdout, stderr) =>
        resolve(error ? `refused (${stderr.trim()})` : stdout.trim()),
      );
    });
  return {
    async ask(statement) {
      held ??= spawn(wrapper, options, { env });
      heldAnswers ??= answersOf(held);
      held.stdin.write(`${statement};\n`, () => undefined);
      return `new: ${await once(statement)}, held: ${await heldAnswers.next()}`;
    },
    stop: () => void held?.kill('SIGKILL'),
  };
}

/** Nothing of the machine that a client library would take for settings. */
const plainEnv = (): Record<string, string> => ({
  PATH: process.env['PATH'] ?? '',
  HOME: process.env['HOME'] ?? '/',
  LC_ALL: 'C.UTF-8',
});
