// What the examples need, from the package registries, once: kept in the project's cache under a hash of all pins.
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { copyFileSync, existsSync, mkdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { homedir } from 'node:os';
import { basename, join } from 'node:path';
import { withLock, withProgress } from '../../scripts/long-step.mjs';

export const examples = join(import.meta.dirname, '../../examples/consumers');

export type LanguageName = 'node' | 'python' | 'go' | 'java';

/**
 * - `ready`    `folder` holds what was downloaded, `built` what was made of the example with it
 * - `missing`  this machine does not have the language
 * - `offline`  it has, but no package registry can be reached
 * - `broken`   anything else
 */
export type Readiness =
  | { readonly is: 'ready'; readonly folder: string; readonly built: string }
  | { readonly is: 'missing' | 'offline' | 'broken'; readonly why: string };

interface Language {
  /** Commands that have to succeed if the machine has the language. */
  readonly needs: readonly Command[];
  /** Files of the example that say what to download. */
  readonly pins: readonly string[];
  /** Commands that fill the folder of the cache; they run in a copy of the pins. */
  readonly download: (folder: string) => readonly Command[];
  /** Commands that make a program of the example, in a folder of its own; they run in the example. */
  readonly build: (folder: string, built: string) => readonly Command[];
}

type Command = readonly [string, ...string[]];

const languages: Readonly<Record<LanguageName, Language>> = {
  node: {
    needs: [['npm', '--version']],
    pins: ['package.json', 'package-lock.json'],
    download: () => [
      ['npm', 'ci', '--ignore-scripts', '--no-audit', '--no-fund', '--fetch-retries=1'],
      ['mv', 'node_modules', '..'],
    ],
    build: (folder, built) => [
      ['cp', '-r', '.', built],
      ['ln', '-sfn', join(folder, 'node_modules'), join(built, 'node_modules')],
    ],
  },
  python: {
    needs: [
      ['python3', '--version'],
      ['python3', '-m', 'pip', '--version'],
    ],
    pins: ['requirements.txt'],
    download: (folder) => [pipInstall(join(folder, 'site'))],
    build: () => [],
  },
  go: {
    needs: [['go', 'version']],
    pins: ['go.mod', 'go.sum', 'main.go'],
    download: (folder) => [['go', 'build', '-mod=readonly', '-trimpath', '-o', join(folder, 'consumer'), '.']],
    build: () => [],
  },
  java: {
    needs: [
      ['java', '-version'],
      ['javac', '-version'],
      ['mvn', '--version'],
    ],
    pins: ['pom.xml', 'jars.sha256'],
    download: (folder) => [
      ['mvn', '-B', '-q', 'dependency:copy-dependencies', `-DoutputDirectory=${join(folder, 'jars')}`],
      ['sh', '-c', 'cd ../jars && sha256sum --check --strict --quiet ../pins/jars.sha256'],
    ],
    build: (folder, built) => [['javac', '-cp', join(folder, 'jars', '*'), '-d', built, 'Consumer.java']],
  },
};

const pipInstall = (target: string): Command => {
  const careful = ['--quiet', '--disable-pip-version-check', '--only-binary=:all:', '--require-hashes'];
  return ['python3', '-m', 'pip', 'install', ...careful, '--target', target, '-r', 'requirements.txt'];
};

export const languageNames = Object.keys(languages) as LanguageName[];

/** Downloads what is not in the cache yet; then builds into `<scratch>/<name>`. */
export async function prepare(name: LanguageName, scratch: string): Promise<Readiness> {
  const { needs, pins, build } = languages[name];
  const versions: string[] = [];
  for (const command of needs) {
    const { ok, output } = await run(command);
    if (!ok) return { is: 'missing', why: `${command[0]} is not installed` };
    versions.push(output);
  }
  const files = pins.map((file) => join(examples, name, file));
  const folder = join(cacheFolder(), `${name}-${hashOf(files, versions)}`);
  const trouble = await withLock(`${folder}.lock`, `Examples in ${name}`, async () =>
    existsSync(folder)
      ? undefined
      : withProgress(`Downloading for the examples in ${name}`, () => download(name, folder, files)),
  );
  if (trouble !== undefined) return { is: looksOffline(trouble) ? 'offline' : 'broken', why: trouble };
  const built = join(scratch, name);
  mkdirSync(built, { recursive: true });
  const why = await runAll(build(folder, built), join(examples, name));
  return why === undefined ? { is: 'ready', folder, built } : { is: 'broken', why };
}

/** Resolves with what went wrong. */
async function download(name: LanguageName, folder: string, files: readonly string[]): Promise<string | undefined> {
  const draft = `${folder}.draft`;
  const pins = join(draft, 'pins');
  rmSync(draft, { recursive: true, force: true });
  mkdirSync(pins, { recursive: true });
  for (const file of files) copyFileSync(file, join(pins, basename(file)));
  try {
    const trouble = await runAll(languages[name].download(draft), pins);
    if (trouble === undefined) renameSync(draft, folder);
    return trouble;
  } finally {
    rmSync(draft, { recursive: true, force: true });
  }
}

async function runAll(commands: readonly Command[], cwd: string): Promise<string | undefined> {
  for (const command of commands) {
    const { ok, output } = await run(command, cwd);
    if (!ok) return `${command.slice(0, 2).join(' ')} failed: ${output.split('\n').slice(-12).join('\n')}`;
  }
  return undefined;
}

/** Only what cannot mean anything else: a name that does not resolve, a network that is not there. */
export const looksOffline = (output: string): boolean =>
  /EAI_AGAIN|ENOTFOUND|ENETUNREACH|name resolution|name or service not known|no such host|unknown ?host|network is unreachable/i.test(
    output,
  );

const cacheFolder = (): string =>
  join(process.env['XDG_CACHE_HOME'] || join(homedir(), '.cache'), 'lakebranch', 'consumers');

/** Of the pins, the versions of the tools, and the kind of machine. */
function hashOf(files: readonly string[], versions: readonly string[]): string {
  const hash = createHash('sha256').update([process.platform, process.arch, ...versions].join('\n'));
  for (const file of files) hash.update(readFileSync(file));
  return hash.digest('hex').slice(0, 12);
}

function run([command, ...args]: Command, cwd?: string): Promise<{ ok: boolean; output: string }> {
  const env = { ...process.env, CGO_ENABLED: '0' };
  return new Promise((resolve) => {
    execFile(command, args, { env, maxBuffer: 1e8, ...(cwd ? { cwd } : {}) }, (error, stdout, stderr) =>
      resolve({ ok: error === null, output: `${stdout}${stderr}`.trim() }),
    );
  });
}
