// What the examples need, from the package registries, once: kept in the project's cache under a hash of all pins.
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { withLock, withProgress } from '../../scripts/long-step.mjs';

export const examples = join(import.meta.dirname, '../../examples/consumers');

export type LanguageName = 'node' | 'python' | 'go' | 'java';

/**
 * - `ready`    `folder` holds what was downloaded and built
 * - `missing`  this machine does not have the language
 * - `offline`  it has, but no package registry can be reached
 * - `broken`   anything else
 */
export type Readiness =
  | { readonly is: 'ready'; readonly folder: string }
  | { readonly is: 'missing' | 'offline' | 'broken'; readonly why: string };

interface Language {
  /** Commands that have to succeed if the machine has the language. */
  readonly needs: readonly (readonly string[])[];
  /** Commands that fill the folder; they run in a copy of the example inside it. */
  readonly steps: (folder: string) => readonly (readonly string[])[];
}

const languages: Readonly<Record<LanguageName, Language>> = {
  node: {
    needs: [['npm', '--version']],
    steps: () => [['npm', 'ci', '--ignore-scripts', '--no-audit', '--no-fund']],
  },
  python: {
    needs: [
      ['python3', '--version'],
      ['python3', '-m', 'pip', '--version'],
    ],
    steps: (folder) => [
      [
        ...['python3', '-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', '--only-binary=:all:'],
        ...['--require-hashes', '--target', join(folder, 'site'), '-r', 'requirements.txt'],
      ],
    ],
  },
  go: {
    needs: [['go', 'version']],
    steps: (folder) => [['go', 'build', '-mod=readonly', '-trimpath', '-o', join(folder, 'consumer'), '.']],
  },
  java: {
    needs: [
      ['java', '-version'],
      ['javac', '-version'],
      ['mvn', '--version'],
    ],
    steps: (folder) => [
      ['mvn', '-B', '-q', 'dependency:copy-dependencies', `-DoutputDirectory=${join(folder, 'jars')}`],
      ['sh', '-c', `cd ${join(folder, 'jars')} && sha256sum --check --strict --quiet ../example/jars.sha256`],
      ['javac', '-cp', join(folder, 'jars', '*'), '-d', join(folder, 'classes'), 'Consumer.java'],
    ],
  },
};

export const languageNames = Object.keys(languages) as LanguageName[];

export async function prepare(name: LanguageName): Promise<Readiness> {
  const { needs, steps } = languages[name];
  const versions: string[] = [];
  for (const command of needs) {
    const { ok, output } = await run(command);
    if (!ok) return { is: 'missing', why: `${command[0] ?? ''} is not installed` };
    versions.push(output);
  }
  const folder = join(cacheFolder(), `${name}-${hashOf(join(examples, name), versions)}`);
  return withLock(`${folder}.lock`, `Examples in ${name}`, async (): Promise<Readiness> => {
    if (!existsSync(folder)) {
      const trouble = await withProgress(`Preparing the examples in ${name}`, () => fill(name, folder, steps));
      if (trouble !== undefined) return { is: looksOffline(trouble) ? 'offline' : 'broken', why: trouble };
    }
    return { is: 'ready', folder };
  });
}

/** Resolves with what went wrong. Paths are written into compiled files by nobody, so the folder may be renamed. */
async function fill(name: LanguageName, folder: string, steps: Language['steps']): Promise<string | undefined> {
  const draft = `${folder}.draft`;
  rmSync(draft, { recursive: true, force: true });
  mkdirSync(draft, { recursive: true });
  cpSync(join(examples, name), join(draft, 'example'), { recursive: true });
  try {
    for (const step of steps(draft)) {
      const { ok, output } = await run(step, join(draft, 'example'));
      if (!ok) return `${step.slice(0, 2).join(' ')} failed: ${output.split('\n').slice(-12).join('\n')}`;
    }
    renameSync(draft, folder);
    return undefined;
  } finally {
    rmSync(draft, { recursive: true, force: true });
  }
}

/** Only what cannot mean anything else: a name that does not resolve, a network that is not there. */
export const looksOffline = (output: string): boolean =>
  /EAI_AGAIN|ENOTFOUND|ENETUNREACH|name resolution|name or service not known|no such host|unknown ?host|network is unreachable/i.test(
    output,
  );

const cacheFolder = (): string =>
  join(process.env['XDG_CACHE_HOME'] || join(homedir(), '.cache'), 'lakebranch', 'consumers');

/** Of the example with its pins, the versions of the tools, and the kind of machine. */
function hashOf(folder: string, versions: readonly string[]): string {
  const hash = createHash('sha256').update([process.platform, process.arch, ...versions].join('\n'));
  for (const file of readdirSync(folder).toSorted()) hash.update(`\0${file}\0`).update(readFileSync(join(folder, file)));
  return hash.digest('hex').slice(0, 12);
}

function run([command = '', ...args]: readonly string[], cwd?: string): Promise<{ ok: boolean; output: string }> {
  const env = { ...process.env, CGO_ENABLED: '0' };
  return new Promise((resolve) => {
    execFile(command, args, { env, maxBuffer: 1e8, ...(cwd ? { cwd } : {}) }, (error, stdout, stderr) =>
      resolve({ ok: error === null, output: `${stdout}${stderr}`.trim() }),
    );
  });
}
