// The programs of examples/consumers with real databases: across a rotation, past the end of their first token, and
// across a reset. One story is told to all of them at once, because a token that dies takes its time.
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test, type TestContext } from 'vitest';
import { secretValues } from '../../src/credentials/secret.ts';
import { openCertificateAuthority } from '../../src/emulator/certificates.ts';
import { developmentPrincipal } from '../../src/emulator/settings.ts';
import { Token } from '../../src/lakebase/token.ts';
import {
  callEmulator,
  newStateDir,
  removeEmulatorProcess,
  startEmulatorProcess,
  type EmulatorProcess,
} from '../emulator/process.ts';
import { eventually } from '../emulator/plane.ts';
import { findPsql } from '../postgres-clients.ts';
import { mountSecret } from './mounted-secret.ts';
import { languageNames, prepare, type LanguageName, type Readiness } from './prepare.ts';
import { recipes, startProgram, startPsql, type Program } from './programs.ts';

/** Long enough for all programs to log in with the first token on a busy machine. */
const firstTokenSeconds = 30;
const statement = 'SELECT name FROM place';

interface Minted {
  readonly token: string;
  readonly expireTime: Date;
}

let emulator: EmulatorProcess;
let scratch: string;
let mount: string;
let ready: Readonly<Record<LanguageName, Readiness>>;
const programs = new Map<string, Program>();
/** By program, what it answered: before, after the rotation, after the end of the first token, after the reset. */
const seen = new Map<string, string[]>();
const deceived = new Map<string, Program>();
const answersToStranger = new Map<string, string>();

beforeAll(async () => {
  scratch = await mkdtemp(join(tmpdir(), 'consumers-'));
  mount = join(scratch, 'db');
  const outcomes = await Promise.all(languageNames.map(async (name) => [name, await prepare(name, scratch)] as const));
  ready = Object.fromEntries(outcomes) as Record<LanguageName, Readiness>;
  emulator = await startEmulatorProcess(await newStateDir(), ['--admin']);
  await makeBranch('first');
  await makeBranch('second');
  // As a pod starts only when its volumes are there. What it holds then opens nothing.
  await show('first', { token: 'not-a-token', expireTime: new Date(0) });
  await startAll(programs, mount);
  const stale = [process.execPath, join(import.meta.dirname, 'stale.mjs')];
  programs.set('a program that remembers', await startProgram(stale, { DATABASE_DIR: mount }));
  await tellStory();
  await tellOfStrangers();
}, 900_000);

afterAll(async () => {
  for (const program of [...programs.values(), ...deceived.values()]) program.stop();
  await removeEmulatorProcess(emulator);
  await rm(scratch, { recursive: true, force: true });
});

async function startAll(into: Map<string, Program>, folder: string): Promise<void> {
  for (const { name, language, command, env } of recipes) {
    const { [language]: outcome } = ready;
    if (outcome.is !== 'ready') continue;
    into.set(name, await startProgram(command(outcome), { DATABASE_DIR: folder, ...env?.(outcome) }));
  }
  into.set('psql', startPsql(await findPsql(), folder));
}

async function tellStory(): Promise<void> {
  await behave({ grantedSeconds: firstTokenSeconds });
  const first = await mint('first');
  await behave({ grantedSeconds: null });
  await show('first', first);
  await askAll();
  await show('first', await mint('first'));
  await askAll();
  await eventually(async () => !(await opens('first', first)), 'the first token is refused');
  await askAll();
  await show('second', await mint('second'));
  await askAll();
}

async function askAll(): Promise<void> {
  for (const [name, answer] of await answersOf(programs)) seen.set(name, [...(seen.get(name) ?? []), answer]);
}

const answersOf = (asked: ReadonlyMap<string, Program>): Promise<[string, string][]> =>
  Promise.all([...asked].map(async ([name, program]) => [name, await program.ask(statement)]));

/** The same programs with a good login, and the certificate of an authority that did not sign the database's. */
async function tellOfStrangers(): Promise<void> {
  const folder = join(scratch, 'stranger');
  await openCertificateAuthority(join(scratch, 'other-authority'));
  await show('first', await mint('first'), folder, await readFile(join(scratch, 'other-authority', 'ca.crt'), 'utf8'));
  await startAll(deceived, folder);
  for (const [name, answer] of await answersOf(deceived)) answersToStranger.set(name, answer);
}

const endpoint = (branch: string): string => `projects/shop/branches/${branch}/endpoints/primary`;

async function answerOf<Body>(method: string, path: string, body?: object): Promise<Body> {
  const response = await callEmulator(emulator.url, method, path, body);
  expect(response.status, `${method} ${path}`).toBe(200);
  return (await response.json()) as Body;
}

async function behave(behaviour: object): Promise<void> {
  const options = { method: 'PATCH', body: JSON.stringify(behaviour) };
  expect((await fetch(`${emulator.url}/admin/behaviour`, options)).status).toBe(200);
}

/** A branch whose table `place` tells its name. */
async function makeBranch(name: string): Promise<void> {
  const body = { spec: { ttl: '86400s' } };
  await answerOf('POST', `projects/shop/branches?branch_id=${name}`, body);
  await eventually(async () => (await hostOf(name)) !== undefined, `branch ${name} has a host`);
  const client = new pg.Client(await loginTo(name, await mint(name)));
  await client.connect();
  await client.query(`CREATE TABLE place AS SELECT '${name}' AS name`);
  await client.end();
}

async function hostOf(branch: string): Promise<string | undefined> {
  const response = await callEmulator(emulator.url, 'GET', endpoint(branch));
  if (!response.ok) return undefined;
  return ((await response.json()) as { status: { hosts?: { host?: string } } }).status.hosts?.host;
}

async function mint(branch: string): Promise<Minted> {
  const answer = await answerOf<{ token: string; expire_time: string }>('POST', 'credentials', {
    endpoint: endpoint(branch),
  });
  return { token: answer.token, expireTime: new Date(answer.expire_time) };
}

const loginTo = async (branch: string, { token }: Minted): Promise<pg.ClientConfig> => ({
  host: (await hostOf(branch))!,
  port: emulator.pgPort,
  user: developmentPrincipal.name,
  password: token,
  database: 'databricks_postgres',
  ssl: { ca: emulator.ca },
});

async function opens(branch: string, minted: Minted): Promise<boolean> {
  const client = new pg.Client(await loginTo(branch, minted));
  try {
    await client.connect();
    return true;
  } catch {
    return false;
  } finally {
    await client.end();
  }
}

/** Writes what the operator would write into the Secret. */
async function show(
  branch: string,
  { token, expireTime }: Minted,
  folder = mount,
  certificates = emulator.ca,
): Promise<void> {
  const shape = {
    database: 'databricks_postgres',
    port: emulator.pgPort,
    certificates,
    template: { data: {}, labels: {}, annotations: {} },
  };
  const host = (await hostOf(branch))!;
  const binding = { branchId: branch, branchUid: '', endpointUid: '', host, username: developmentPrincipal.name };
  const credential = { binding, token: new Token(token), issueTime: new Date(), expireTime, revision: 1 };
  await mountSecret(folder, secretValues(shape, { ...credential, rotateTokenHash: '' }));
}

/** Loud, because a program that was not run proves nothing. */
function skipUnlessReady(language: LanguageName, context: TestContext): void {
  const { [language]: outcome } = ready;
  if (outcome.is === 'ready') return;
  if (outcome.is === 'broken') throw new Error(`The examples in ${language} cannot be prepared. ${outcome.why}`);
  const [why = ''] = outcome.why.split('\n');
  console.warn(`SKIPPED: this example in ${language} was not run: ${why}`);
  context.skip(why);
}

describe('opens new sessions with the token of the moment, and notices a new host', () => {
  const throughout = [
    'new: first, held: first',
    'new: first, held: first',
    'new: first, held: first',
    'new: second, held: first',
  ];

  test.for(recipes)('$name', ({ name, language }, context) => {
    skipUnlessReady(language, context);
    expect(seen.get(name)).toEqual(throughout);
  });

  test('psql', () => {
    expect(seen.get('psql')).toEqual(throughout);
  });
});

describe('checks the certificate of the database', () => {
  const doubt = /certificate|self.signed|trust|PKIX/i;

  test.for(recipes)('$name', ({ name, language }, context) => {
    skipUnlessReady(language, context);
    expect(answersToStranger.get(name)).not.toMatch(/^new: /);
    expect(answersToStranger.get(name)).toMatch(doubt);
  });

  test('psql', () => {
    expect(answersToStranger.get('psql')).toMatch(/^new: refused .*certificate.*, held: ended: .*certificate/s);
  });
});

test('a program that remembers its first password is refused once that has expired, but keeps its open session', () => {
  const [before, rotated, expired, reset] = seen.get('a program that remembers') ?? [];
  expect([before, rotated]).toEqual(['new: first, held: first', 'new: first, held: first']);
  expect(expired).toMatch(/^new: refused \(.+\), held: first$/);
  expect(reset).toMatch(/^new: refused \(.+\), held: first$/);
});
